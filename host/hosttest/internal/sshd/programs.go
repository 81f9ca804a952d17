package sshd

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

// Programs are those of openssh-server.
func Programs() map[string]kernel.Program {
	return map[string]kernel.Program{"/usr/sbin/sshd": cmdSshd}
}
