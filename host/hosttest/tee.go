package hosttest

import (
	"os"
)

func cmdTee(p *proc) int {
	o, ok := p.getopt("aip", "append>a ignore-interrupts>i")
	if !ok {
		return p.usage(1)
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if o.has("a") {
		flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	code := 0
	var outs []*description
	var names []string
	for _, a := range o.args {
		d, err := p.open(a, flags, 0o666)
		if err != nil {
			p.errorf("%s: %s", quoteMaybe(a), strerror(err))
			code = 1
			continue
		}
		defer d.release()
		outs, names = append(outs, d), append(names, a)
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := p.read(0, buf)
		if n > 0 {
			for i, d := range outs {
				if d == nil {
					continue
				}
				if _, werr := d.Write(p, buf[:n]); werr != nil {
					p.check()
					p.errorf("%s: %s", quoteMaybe(names[i]), strerror(werr))
					outs[i] = nil
					code = 1
				}
			}
			if werr := p.write(1, buf[:n]); werr != nil {
				p.errorf("'standard output': %s", strerror(werr))
				code = 1
			}
		}
		if err != nil {
			return code
		}
	}
}
