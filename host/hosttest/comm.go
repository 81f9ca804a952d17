package hosttest

import (
	"strconv"
)

func cmdComm(p *Process) int {
	o, ok := p.getopt("123z", "check-order nocheck-order output-delimiter= total zero-terminated>z")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "z", "output-delimiter", "total") {
		return 1
	}
	if len(o.args) != 2 {
		p.errorf("missing operand")
		return p.usage(1)
	}
	var l [2][]string
	for i, a := range o.args {
		d, err := p.in(a)
		if err != nil {
			p.errorf("%s: %s", a, strerror(err))
			return 1
		}
		b, _ := p.readAll(d)
		d.release()
		l[i], _ = lines(b, '\n')
	}
	a, b := l[0], l[1]
	col := func(n int, s string) {
		if o.has(strconv.Itoa(n)) {
			return
		}
		for i := 1; i < n; i++ {
			if !o.has(strconv.Itoa(i)) {
				p.print("\t")
			}
		}
		p.print(s, "\n")
	}
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			col(1, a[0])
			a = a[1:]
		case len(a) == 0 || b[0] < a[0]:
			col(2, b[0])
			b = b[1:]
		default:
			col(3, a[0])
			a, b = a[1:], b[1:]
		}
	}
	return 0
}
