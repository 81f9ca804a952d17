package login

import (
	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Say says with which flag of [Login] a setting is set; "" when there is none.
func Say(s lab.Setting) string {
	switch s.Name {
	case ssh.SettingHostKey:
		return "--known-hosts FILE, with the line " + ssh.Quote(s.Value)
	case ssh.SettingKey:
		return "--identity FILE"
	case ssh.SettingSudoPassword:
		return "--sudo-password file:PATH"
	}
	return ""
}
