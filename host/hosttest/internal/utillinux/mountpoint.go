package utillinux

import (
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdMountpoint(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "qdxhV", "quiet>q fs-devno>d devno>x nofollow")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "nofollow") {
		return 1
	}
	if len(o.Args) != 1 || o.Has("x") && o.Has("d") {
		p.Errorf("bad usage")
		return libc.Usage(p, 1)
	}
	name := o.Args[0]
	st, err := p.Stat(name)
	if err != nil {
		if !o.Has("q") {
			p.Errorf("%s: %s", name, kernel.Strerror(err))
		}
		return 1
	}
	if o.Has("x") {
		if st.Mode&kernel.ModeType != kernel.ModeBlock {
			if !o.Has("q") {
				p.Errorf("%s: not a block device", name)
			}
			return 32
		}
		p.Printf("%d:%d\n", st.Rdev>>8, st.Rdev&0xff)
		return 0
	}
	if topAt(mountList(p.Kernel), st.Path) == nil {
		if !o.Has("q") {
			p.Printf("%s is not a mountpoint\n", name)
		}
		return 32
	}
	switch {
	case o.Has("d"):
		p.Printf("%d:%d\n", st.Dev>>20, st.Dev&0xfffff)
	case !o.Has("q"):
		p.Printf("%s is a mountpoint\n", name)
	}
	return 0
}
