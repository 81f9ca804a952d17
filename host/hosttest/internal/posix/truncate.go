package posix

import (
	"os"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdTruncate(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "cos:r:", "size=>s no-create>c reference=>r")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "o", "r") {
		return 1
	}
	if !o.Has("s") {
		p.Errorf("you must specify either '--size' or '--reference'")
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 0 {
		p.Errorf("missing file operand")
		return libc.Usage(p, 1)
	}
	spec := o.Get("s")
	rel := byte(0)
	if spec != "" && strings.IndexByte("+-<>/%", spec[0]) >= 0 {
		rel, spec = spec[0], spec[1:]
	}
	n, ok := libc.ByteCount(spec)
	if !ok {
		p.Errorf("Invalid number: %s", libc.Quote(spec))
		return 1
	}
	if n == 0 && (rel == '/' || rel == '%') {
		p.Errorf("division by zero")
		return 1
	}
	code := 0
	for _, a := range o.Args {
		flags := os.O_WRONLY
		if !o.Has("c") {
			flags |= os.O_CREATE
		}
		d, err := p.Open(a, flags, 0o666)
		if err != nil {
			if o.Has("c") && err == syscall.ENOENT {
				continue
			}
			p.Errorf("cannot open %s for writing: %s", libc.Quote(a), kernel.Strerror(err))
			code = 1
			continue
		}
		size := n
		if rel != 0 {
			st, _ := p.Stat(a)
			switch rel {
			case '+':
				size = st.Size + n
			case '-':
				size = max(0, st.Size-n)
			case '<':
				size = min(st.Size, n)
			case '>':
				size = max(st.Size, n)
			case '/':
				size = st.Size / n * n
			case '%':
				size = (st.Size + n - 1) / n * n
			}
		}
		if err := d.Truncate(size); err != nil {
			p.Errorf("failed to truncate %s at %d bytes: %s", libc.Quote(a), size, kernel.Strerror(err))
			code = 1
		}
		d.Release()
	}
	return code
}
