package main

import (
	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/login"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// say says with which field of the config a setting is set; "" when there is none.
func say(s lab.Setting) string {
	switch s.Name {
	case ssh.SettingHostKey:
		return "add to a file of ssh.knownHosts the line " + ssh.Quote(s.Value)
	case ssh.SettingKey:
		return "ssh: {identities: [FILE]}, or {agent: true}"
	case ssh.SettingSudoPassword:
		return "ssh: {sudoPassword: \"file:PATH\"}"
	case pgprov.SettingPG15:
		return "postgres: {allowPG15: true}"
	case compose.SettingLock:
		return "lab lock"
	case compose.SettingResolve:
		return "lab lock --machine NAME"
	case forge.SettingRemotes:
		return "forge: {remotes: [" + s.Value + "]}"
	case vaultprov.SettingCluster:
		return "vault: {identity: " + s.Value + "}"
	case vaultprov.SettingToken:
		return "vault: {token: \"file:PATH\"}"
	case forge.SettingSecrets, lab.SettingSink:
		return "stacks: {secrets: DIR}"
	case lab.SettingBoundary:
		return "boundary: {allow: [NETWORK]}"
	}
	return ""
}

// sayInit is say for the command init, which has flags instead of a config.
func sayInit(s lab.Setting) string {
	if s.Name == ssh.SettingHostKey {
		return "" // it is shown and asked about
	}
	return login.Say(s)
}
