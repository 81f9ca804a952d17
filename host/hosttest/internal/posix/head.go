package posix

import (
	"bytes"
	"io"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// obsolete turns -5 into -n 5, as head and tail still allow.
func obsolete(args []string) []string {
	if len(args) > 1 && len(args[1]) > 1 && args[1][0] == '-' && libc.IsDigits(args[1][1:]) {
		return append([]string{args[0], "-n", args[1][1:]}, args[2:]...)
	}
	return args
}

// portion is how much of its inputs head or tail is to write.
type portion struct {
	count    int64
	bytewise bool // else lines
	reversed bool // counted from the other end than the program's own
	delim    byte // of lines
}

// portion reads -c, -n and -z. A count with the sign counts from the other end.
func readPortion(p *kernel.Process, o *libc.Options, sign string) (portion, bool) {
	part := portion{count: 10, delim: '\n'}
	if o.Has("z") {
		part.delim = 0
	}
	for _, x := range o.Order {
		if x.Name != "c" && x.Name != "n" {
			continue
		}
		part.bytewise = x.Name == "c"
		part.reversed = strings.HasPrefix(x.Value, sign)
		n, ok := libc.ByteCount(strings.TrimLeft(x.Value, "-+"))
		if !ok {
			what := "lines"
			if part.bytewise {
				what = "bytes"
			}
			bad := x.Value
			if sign == "-" {
				bad = strings.TrimPrefix(bad, sign)
			}
			p.Errorf("invalid number of %s: %s", what, libc.Quote(bad))
			return part, false
		}
		part.count = n
	}
	return part, true
}

// headers returns what writes the line before each input, where there is one.
func headers(p *kernel.Process, o *libc.Options) func(name string) {
	before := ""
	return func(name string) {
		if o.Has("v") || len(o.Args) > 1 && !o.Has("q") {
			if name == "-" {
				name = "standard input"
			}
			p.Print(before, "==> ", name, " <==\n")
			p.Flush()
			before = "\n"
		}
	}
}

func cmdHead(p *kernel.Process) int {
	p.SetArgs(obsolete(p.Args))
	o, ok := libc.Getopt(p, "c:n:qvz", "bytes=>c lines=>n quiet>q silent>q verbose>v zero-terminated>z")
	if !ok {
		return libc.Usage(p, 1)
	}
	part, ok := readPortion(p, o, "-")
	if !ok {
		return 1
	}
	delim := part.delim
	header := headers(p, o)
	return libc.EachInput(p, o.Args, func(name string, d *kernel.File) error {
		header(name)
		if part.reversed {
			b, err := p.ReadAll(d)
			if part.bytewise {
				b = b[:max(0, int64(len(b))-part.count)]
			} else {
				for range part.count {
					b = bytes.TrimSuffix(b, []byte{delim})
					b = b[:bytes.LastIndexByte(b, delim)+1]
				}
			}
			p.Print(string(b))
			return err
		}
		if part.bytewise {
			// Never a byte more than asked for is taken from a pipe.
			buf := make([]byte, min(64<<10, max(part.count, 1)))
			for left := part.count; left > 0; {
				n, err := d.Read(p, buf[:min(left, int64(len(buf)))])
				p.Check()
				if n > 0 {
					if werr := p.Write(1, buf[:n]); werr != nil {
						p.WriteErr = werr
						return nil
					}
					left -= int64(n)
				}
				if err == io.EOF {
					return nil
				}
				if err != nil {
					return err
				}
			}
			return nil
		}
		buf := make([]byte, 1024)
		for left := part.count; left > 0; {
			n, err := d.Read(p, buf)
			p.Check()
			b := buf[:n]
			for len(b) > 0 && left > 0 {
				i := bytes.IndexByte(b, delim)
				if i < 0 {
					p.Print(string(b))
					break
				}
				p.Print(string(b[:i+1]))
				b = b[i+1:]
				left--
			}
			if left == 0 {
				d.Seek(-int64(len(b)), io.SeekCurrent)
			}
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
