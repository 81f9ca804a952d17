package hosttest

import (
	"os"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func cmdTruncate(p *kernel.Process) int {
	o, ok := getopt(p, "cos:r:", "size=>s no-create>c reference=>r")
	if !ok {
		return usage(p, 1)
	}
	if unsupported(p, o, "o", "r") {
		return 1
	}
	if !o.has("s") {
		p.Errorf("you must specify either '--size' or '--reference'")
		return usage(p, 1)
	}
	if len(o.args) == 0 {
		p.Errorf("missing file operand")
		return usage(p, 1)
	}
	spec := o.get("s")
	rel := byte(0)
	if spec != "" && strings.IndexByte("+-<>/%", spec[0]) >= 0 {
		rel, spec = spec[0], spec[1:]
	}
	n, ok := byteCount(spec)
	if !ok {
		p.Errorf("Invalid number: %s", quote(spec))
		return 1
	}
	if n == 0 && (rel == '/' || rel == '%') {
		p.Errorf("division by zero")
		return 1
	}
	code := 0
	for _, a := range o.args {
		flags := os.O_WRONLY
		if !o.has("c") {
			flags |= os.O_CREATE
		}
		d, err := p.Open(a, flags, 0o666)
		if err != nil {
			if o.has("c") && err == syscall.ENOENT {
				continue
			}
			p.Errorf("cannot open %s for writing: %s", quote(a), kernel.Strerror(err))
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
			p.Errorf("failed to truncate %s at %d bytes: %s", quote(a), size, kernel.Strerror(err))
			code = 1
		}
		d.Release()
	}
	return code
}
