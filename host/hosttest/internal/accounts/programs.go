package accounts

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

// Programs are the programs of shadow-utils, and who one is.
func Programs() map[string]kernel.Program {
	return map[string]kernel.Program{
		"getent": cmdGetent, "id": cmdID, "whoami": cmdWhoami, "groups": cmdGroups,
		"sudo": cmdSudo, "/usr/sbin/visudo": cmdVisudo,
		"/usr/sbin/useradd": cmdUseradd, "/usr/sbin/usermod": cmdUsermod, "/usr/sbin/userdel": cmdUserdel,
		"/usr/sbin/groupadd": cmdGroupadd, "/usr/sbin/groupmod": cmdGroupmod, "/usr/sbin/groupdel": cmdGroupdel,
		"gpasswd": cmdGpasswd, "passwd": cmdPasswd, "/usr/sbin/chpasswd": cmdChpasswd, "chage": cmdChage,
		"/usr/sbin/nologin": func(p *kernel.Process) int { p.Print("This account is currently not available.\n"); return 1 },
	}
}
