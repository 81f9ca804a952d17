package utillinux

import (
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// cmdFindfs names the device that has a label or an ID.
func cmdFindfs(p *kernel.Process) int {
	if len(p.Args) != 2 {
		p.Errorf("bad usage")
		return libc.Usage(p, 2)
	}
	dev := libc.FindDevice(p.Kernel, p.Args[1])
	if dev == nil {
		p.Errorf("unable to resolve '%s'", p.Args[1])
		return 1
	}
	p.Print("/dev/", dev.Name, "\n")
	return 0
}
