package posix

import (
	"os"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdTee(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "aip", "append>a ignore-interrupts>i")
	if !ok {
		return libc.Usage(p, 1)
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if o.Has("a") {
		flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	code := 0
	var outs []*kernel.File
	var names []string
	for _, a := range o.Args {
		d, err := p.Open(a, flags, 0o666)
		if err != nil {
			p.Errorf("%s: %s", libc.QuoteMaybe(a), kernel.Strerror(err))
			code = 1
			continue
		}
		defer d.Release()
		outs, names = append(outs, d), append(names, a)
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := p.Read(0, buf)
		if n > 0 {
			for i, d := range outs {
				if d == nil {
					continue
				}
				if _, werr := d.Write(p, buf[:n]); werr != nil {
					p.Check()
					p.Errorf("%s: %s", libc.QuoteMaybe(names[i]), kernel.Strerror(werr))
					outs[i] = nil
					code = 1
				}
			}
			if werr := p.Write(1, buf[:n]); werr != nil {
				p.Errorf("'standard output': %s", kernel.Strerror(werr))
				code = 1
			}
		}
		if err != nil {
			return code
		}
	}
}
