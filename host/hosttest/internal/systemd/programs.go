package systemd

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

// Programs are the programs of systemd.
func Programs() map[string]kernel.Program {
	return map[string]kernel.Program{
		"systemctl": cmdSystemctl, "journalctl": cmdJournalctl, "systemd-analyze": cmdAnalyze, "systemd-escape": cmdEscape,
		"hostnamectl": cmdHostnamectl, "timedatectl": cmdTimedatectl, "logger": cmdLogger,
		"/usr/sbin/reboot": cmdReboot, "/usr/sbin/shutdown": cmdReboot, "/usr/sbin/poweroff": cmdReboot,
	}
}
