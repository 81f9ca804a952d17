package utillinux

import (
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// cmdUnshare runs a program in a mount namespace of its own, in which it can unmount what hides a directory.
func cmdUnshare(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+mhV", "mount>m propagation= help>h version>V")
	if !ok {
		return libc.Usage(p, 1)
	}
	if !o.Has("m") || o.Has("propagation") && o.Get("propagation") != "private" || len(o.Args) == 0 {
		p.Errorf("hosttest: unshare takes -m, --propagation private and a program")
		return 1
	}
	if p.UID != 0 {
		p.Errorf("unshare failed: Operation not permitted")
		return 1
	}
	p.Unshare()
	return libc.Execvp(p, o.Args, p.Env)
}
