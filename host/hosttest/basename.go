package hosttest

import (
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func cmdBasename(p *kernel.Process) int {
	o, ok := getopt(p, "+as:z", "multiple>a suffix=>s zero>z")
	if !ok {
		return usage(p, 1)
	}
	if len(o.args) == 0 {
		p.Errorf("missing operand")
		return usage(p, 1)
	}
	end := "\n"
	if o.has("z") {
		end = "\x00"
	}
	names, suffix := o.args, o.get("s")
	if !o.has("a", "s") {
		if len(names) > 2 {
			p.Errorf("extra operand %s", quote(names[2]))
			return usage(p, 1)
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
	o, ok := getopt(p, "z", "zero>z")
	if !ok {
		return usage(p, 1)
	}
	if len(o.args) == 0 {
		p.Errorf("missing operand")
		return usage(p, 1)
	}
	end := "\n"
	if o.has("z") {
		end = "\x00"
	}
	for _, n := range o.args {
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
