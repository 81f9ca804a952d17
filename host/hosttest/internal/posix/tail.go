package posix

import (
	"bytes"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdTail(p *kernel.Process) int {
	p.SetArgs(obsolete(p.Args))
	o, ok := libc.Getopt(p, "c:n:qvzfF", "bytes=>c lines=>n quiet>q silent>q verbose>v zero-terminated>z follow[=>f")
	if !ok {
		return libc.Usage(p, 1)
	}
	if o.Has("f", "F") {
		p.Errorf("hosttest: -f is not supported")
		return 1
	}
	part, ok := readPortion(p, o, "+")
	if !ok {
		return 1
	}
	header := headers(p, o)
	return libc.EachInput(p, o.Args, func(name string, d *kernel.File) error {
		header(name)
		b, err := p.ReadAll(d)
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
		p.Print(string(b))
		return err
	})
}
