package utillinux

import (
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdUmount(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "aAcdfhilnN:O:qrRt:vV",
		"all>a all-targets>A no-canonicalize>c detach-loop>d fake force>f internal-only>i lazy>l no-mtab>n quiet>q "+
			"read-only>r recursive>R types=>t test-opts=>O verbose>v namespace=>N")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "A", "N", "O", "r", "fake") {
		return 1
	}
	if o.Has("a") {
		code := 0
		for _, m := range slices.Backward(mountList(p.Kernel)) {
			if m.vol.Pseudo || m.target == "/" || m.vol.Lossy && strings.HasPrefix(m.target, "/run") ||
				o.Has("t") && !slices.Contains(strings.Split(o.Get("t"), ","), m.fstype) {
				continue
			}
			code = max(code, umountOne(p, m.target, o))
		}
		return code
	}
	if len(o.Args) == 0 {
		p.Errorf("bad usage")
		return libc.Usage(p, 1)
	}
	code := 0
	for _, a := range o.Args {
		code = max(code, umountOne(p, a, o))
	}
	return code
}

func umountOne(p *kernel.Process, name string, o *libc.Options) int {
	if p.Private() {
		return umountHere(p, absolute(p, name), o)
	}
	list := mountList(p.Kernel)
	at := absolute(p, name)
	mt := topAt(list, at)
	if mt == nil {
		// A device stands for where it is mounted last.
		for i := range list {
			if dev := libc.FindDevice(p.Kernel, name); dev != nil && dev.Vol != nil && list[i].vol == dev.Vol {
				mt = &list[i]
			}
		}
	}
	if p.RUID != 0 && mt != nil {
		p.Errorf("%s: must be superuser to unmount.", mt.target)
		return 32
	}
	if mt == nil {
		switch _, err := p.Stat(name); {
		case err != nil:
			p.Errorf("%s: no mount point specified.", name)
		case o.Has("q"):
		default:
			p.Errorf("%s: not mounted.", name)
		}
		if o.Has("R") {
			return 1
		}
		return 32
	}
	targets := []mounted{*mt}
	if o.Has("R") {
		for _, x := range list {
			if strings.HasPrefix(x.target, mt.target+"/") {
				targets = append(targets, x)
			}
		}
	}
	for _, x := range slices.Backward(targets) {
		if err := p.Kernel.Mutate(nil); err != nil {
			p.Errorf("%s: %s", x.target, kernel.Strerror(err))
			return 32
		}
		switch err := libc.Unmount(p.Kernel, x.target, o.Has("l")); err {
		case nil:
			if o.Has("v") {
				p.Printf("umount: %s (%s) unmounted\n", x.target, x.device)
			}
		case syscall.EBUSY:
			p.Errorf("%s: target is busy.", x.target)
			return 32
		default:
			p.Errorf("%s: umount failed: %s.", x.target, kernel.Strerror(err))
			return 32
		}
	}
	return 0
}

// umountHere unmounts in the mount namespace of the process alone.
func umountHere(p *kernel.Process, target string, o *libc.Options) int {
	if !o.Has("l") || o.Has("R") {
		p.Errorf("hosttest: in a mount namespace of its own, this umount takes -l and a mount point")
		return 32
	}
	switch err := p.UnmountHere(target); err {
	case nil:
		return 0
	case syscall.EINVAL:
		p.Errorf("%s: not mounted.", target)
	default:
		p.Errorf("%s: umount failed: %s.", target, kernel.Strerror(err))
	}
	return 32
}
