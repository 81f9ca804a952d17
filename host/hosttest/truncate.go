package hosttest

import (
	"os"
	"strings"
	"syscall"
)

func cmdTruncate(p *proc) int {
	o, ok := p.getopt("cos:r:", "size=>s no-create>c reference=>r")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "o", "r") {
		return 1
	}
	if !o.has("s") {
		p.errorf("you must specify either '--size' or '--reference'")
		return p.usage(1)
	}
	if len(o.args) == 0 {
		p.errorf("missing file operand")
		return p.usage(1)
	}
	spec := o.get("s")
	rel := byte(0)
	if spec != "" && strings.IndexByte("+-<>/%", spec[0]) >= 0 {
		rel, spec = spec[0], spec[1:]
	}
	n, ok := byteCount(spec)
	if !ok {
		p.errorf("Invalid number: %s", quote(spec))
		return 1
	}
	if n == 0 && (rel == '/' || rel == '%') {
		p.errorf("division by zero")
		return 1
	}
	code := 0
	for _, a := range o.args {
		flags := os.O_WRONLY
		if !o.has("c") {
			flags |= os.O_CREATE
		}
		d, err := p.open(a, flags, 0o666)
		if err != nil {
			if o.has("c") && err == syscall.ENOENT {
				continue
			}
			p.errorf("cannot open %s for writing: %s", quote(a), strerror(err))
			code = 1
			continue
		}
		size := n
		if rel != 0 {
			st, _ := p.stat(a)
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
		if err := d.truncate(size); err != nil {
			p.errorf("failed to truncate %s at %d bytes: %s", quote(a), size, strerror(err))
			code = 1
		}
		d.release()
	}
	return code
}
