package hosttest

import (
	"path"
	"strings"
)

func cmdBasename(p *proc) int {
	o, ok := p.getopt("+as:z", "multiple>a suffix=>s zero>z")
	if !ok {
		return p.usage(1)
	}
	if len(o.args) == 0 {
		p.errorf("missing operand")
		return p.usage(1)
	}
	end := "\n"
	if o.has("z") {
		end = "\x00"
	}
	names, suffix := o.args, o.get("s")
	if !o.has("a", "s") {
		if len(names) > 2 {
			p.errorf("extra operand %s", quote(names[2]))
			return p.usage(1)
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
		p.print(b, end)
	}
	return 0
}

func cmdDirname(p *proc) int {
	o, ok := p.getopt("z", "zero>z")
	if !ok {
		return p.usage(1)
	}
	if len(o.args) == 0 {
		p.errorf("missing operand")
		return p.usage(1)
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
		p.print(t, end)
	}
	return 0
}
