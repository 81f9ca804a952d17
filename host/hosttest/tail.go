package hosttest

import (
	"bytes"
)

func cmdTail(p *proc) int {
	p.setArgs(obsolete(p.Args))
	o, ok := p.getopt("c:n:qvzfF", "bytes=>c lines=>n quiet>q silent>q verbose>v zero-terminated>z follow[=>f")
	if !ok {
		return p.usage(1)
	}
	if o.has("f", "F") {
		p.errorf("hosttest: -f is not supported")
		return 1
	}
	part, ok := p.readPortion(o, "+")
	if !ok {
		return 1
	}
	header := p.headers(o)
	return p.eachInput(o.args, func(name string, d *description) error {
		header(name)
		b, err := p.readAll(d)
		switch {
		case part.bytewise && part.reversed:
			b = b[min(int64(len(b)), max(0, part.count-1)):]
		case part.bytewise:
			b = b[max(0, int64(len(b))-part.count):]
		case part.reversed:
			for n := part.count; n > 1 && len(b) > 0; n-- {
				i := bytes.IndexByte(b, part.delim)
				if i < 0 {
					b = nil
					break
				}
				b = b[i+1:]
			}
		default:
			at := len(b)
			for n := part.count; n > 0 && at > 0; n-- {
				at = bytes.LastIndexByte(b[:at-1], part.delim) + 1
			}
			if part.count > 0 {
				b = b[at:]
			} else {
				b = nil
			}
		}
		p.print(string(b))
		return err
	})
}
