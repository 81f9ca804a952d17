package posix

import (
	"bytes"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdCmp(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "bi:ln:s", "quiet>s silent>s bytes=>n verbose>l print-bytes>b")
	try := func() int {
		p.Errorf("Try 'cmp --help' for more information.")
		return 2
	}
	if !ok {
		return try()
	}
	if libc.Unsupported(p, o, "b", "i", "l") {
		return 2
	}
	switch {
	case len(o.Args) == 0:
		p.Errorf("missing operand after '%s'", p.Args[len(p.Args)-1])
		return try()
	case len(o.Args) > 2:
		p.Errorf("hosttest: bytes to skip are not supported")
		return 2
	}
	if len(o.Args) == 1 {
		o.Args = append(o.Args, "-")
	}
	var data [2][]byte
	for i, a := range o.Args {
		d, err := libc.OpenInput(p, a)
		if err == nil {
			data[i], err = p.ReadAll(d)
			d.Release()
		}
		if err != nil {
			if !o.Has("s") {
				p.Errorf("%s: %s", a, kernel.Strerror(err))
			}
			return 2
		}
	}
	a, b := data[0], data[1]
	if o.Has("n") {
		n, ok := libc.ByteCount(o.Get("n"))
		if !ok {
			p.Errorf("invalid --bytes value '%s'", o.Get("n"))
			return try()
		}
		a, b = a[:min(n, int64(len(a)))], b[:min(n, int64(len(b)))]
	}
	line := 1
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			if !o.Has("s") {
				p.Printf("%s %s differ: char %d, line %d\n", o.Args[0], o.Args[1], i+1, line)
			}
			return 1
		}
		if a[i] == '\n' {
			line++
		}
	}
	if len(a) != len(b) {
		if !o.Has("s") {
			short, n := o.Args[0], len(a)
			if len(b) < len(a) {
				short, n = o.Args[1], len(b)
			}
			if n == 0 {
				p.Warnf("cmp: EOF on %s which is empty\n", short)
			} else if bytes.HasSuffix(a[:n], []byte("\n")) {
				p.Warnf("cmp: EOF on %s after byte %d, line %d\n", short, n, line-1)
			} else {
				p.Warnf("cmp: EOF on %s after byte %d, in line %d\n", short, n, line)
			}
		}
		return 1
	}
	return 0
}
