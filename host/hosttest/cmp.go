package hosttest

import (
	"bytes"
)

func cmdCmp(p *proc) int {
	o, ok := p.getopt("bi:ln:s", "quiet>s silent>s bytes=>n verbose>l print-bytes>b")
	try := func() int {
		p.errorf("Try 'cmp --help' for more information.")
		return 2
	}
	if !ok {
		return try()
	}
	if p.unsupported(o, "b", "i", "l") {
		return 2
	}
	switch {
	case len(o.args) == 0:
		p.errorf("missing operand after '%s'", p.Args[len(p.Args)-1])
		return try()
	case len(o.args) > 2:
		p.errorf("hosttest: bytes to skip are not supported")
		return 2
	}
	if len(o.args) == 1 {
		o.args = append(o.args, "-")
	}
	var data [2][]byte
	for i, a := range o.args {
		d, err := p.in(a)
		if err == nil {
			data[i], err = p.readAll(d)
			d.release()
		}
		if err != nil {
			if !o.has("s") {
				p.errorf("%s: %s", a, strerror(err))
			}
			return 2
		}
	}
	a, b := data[0], data[1]
	if o.has("n") {
		n, ok := byteCount(o.get("n"))
		if !ok {
			p.errorf("invalid --bytes value '%s'", o.get("n"))
			return try()
		}
		a, b = a[:min(n, int64(len(a)))], b[:min(n, int64(len(b)))]
	}
	line := 1
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			if !o.has("s") {
				p.printf("%s %s differ: char %d, line %d\n", o.args[0], o.args[1], i+1, line)
			}
			return 1
		}
		if a[i] == '\n' {
			line++
		}
	}
	if len(a) != len(b) {
		if !o.has("s") {
			short, n := o.args[0], len(a)
			if len(b) < len(a) {
				short, n = o.args[1], len(b)
			}
			if n == 0 {
				p.warn("cmp: EOF on %s which is empty\n", short)
			} else if bytes.HasSuffix(a[:n], []byte("\n")) {
				p.warn("cmp: EOF on %s after byte %d, line %d\n", short, n, line-1)
			} else {
				p.warn("cmp: EOF on %s after byte %d, in line %d\n", short, n, line)
			}
		}
		return 1
	}
	return 0
}
