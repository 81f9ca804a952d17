package posix

import (
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdBasename(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+as:z", "multiple>a suffix=>s zero>z")
	if !ok {
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 0 {
		p.Errorf("missing operand")
		return libc.Usage(p, 1)
	}
	end := "\n"
	if o.Has("z") {
		end = "\x00"
	}
	names, suffix := o.Args, o.Get("s")
	if !o.Has("a", "s") {
		if len(names) > 2 {
			p.Errorf("extra operand %s", libc.Quote(names[2]))
			return libc.Usage(p, 1)
		}
		if len(names) == 2 {
			suffix = names[1]
		}
		names = names[:1]
	}
	for _, n := range names {
		b := path.Base(n)
		if n == "" {
			b = ""
		}
		if b != suffix {
			b = strings.TrimSuffix(b, suffix)
		}
		p.Print(b, end)
	}
	return 0
}

func cmdDirname(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "z", "zero>z")
	if !ok {
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 0 {
		p.Errorf("missing operand")
		return libc.Usage(p, 1)
	}
	end := "\n"
	if o.Has("z") {
		end = "\x00"
	}
	for _, n := range o.Args {
		t := strings.TrimRight(n, "/")
		switch i := strings.LastIndexByte(t, '/'); {
		case t == "" && n != "":
			t = "/"
		case i < 0:
			t = "."
		default:
			t = strings.TrimRight(t[:i], "/")
			if t == "" {
				t = "/"
			}
		}
		p.Print(t, end)
	}
	return 0
}
