package systemd

import (
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func cmdReboot(p *kernel.Process) int {
	if p.UID != 0 {
		p.Warnf("Call to %s failed: Interactive authentication required.\n",
			map[bool]string{true: "Reboot", false: "PowerOff"}[p.Name() == "reboot"])
		return 1
	}
	if p.Name() == "shutdown" {
		if len(p.Args) > 1 && p.Args[1] == "-c" {
			return 0
		}
		if !slices.Contains(p.Args, "-r") {
			p.Errorf("hosttest: only shutdown -r is supported: this machine cannot be switched on again")
			return 1
		}
	}
	if p.Name() == "poweroff" {
		p.Errorf("hosttest: this machine cannot be switched on again")
		return 1
	}
	if p.Kernel.Mutate(nil) != nil {
		return 1
	}
	p.Kernel.Config.Reboot()
	return 0
}
