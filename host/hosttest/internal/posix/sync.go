package posix

import (
	"os"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdSync(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "df", "data>d file-system>f")
	if !ok {
		return libc.Usage(p, 1)
	}
	t := p.Kernel.Tree
	if len(o.Args) == 0 {
		t.Lock()
		defer t.Unlock()
		for _, v := range p.Kernel.Volumes() {
			v.Sync()
		}
		return 0
	}
	code := 0
	for _, a := range o.Args {
		d, err := p.Open(a, os.O_RDONLY, 0)
		if err == syscall.EACCES {
			d, err = p.Open(a, os.O_WRONLY, 0)
		}
		if err != nil {
			p.Errorf("error opening %s: %s", libc.Quote(a), kernel.Strerror(err))
			code = 1
			continue
		}
		if o.Has("f") && d.Stream == nil {
			t.Lock()
			d.At.Mnt.Vol.Sync()
			t.Unlock()
		} else {
			d.Sync()
		}
		d.Release()
	}
	return code
}
