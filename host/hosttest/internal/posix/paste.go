package posix

import (
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdPaste(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "d:sz", "delimiters=>d serial>s zero-terminated>z")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "z") {
		return 1
	}
	sep := "\t"
	if o.Has("d") {
		b, _ := libc.Unescape(nil, o.Get("d"), false)
		sep = string(b)
	}
	delim := func(i int) string {
		if sep == "" {
			return ""
		}
		return sep[i%len(sep) : i%len(sep)+1]
	}
	var cols [][]string
	dashes := 0
	for _, a := range o.Args {
		if a == "-" {
			dashes++
		}
	}
	var stdin []string
	code := 0
	if dashes > 1 {
		// Each - takes the next line of standard input in turn.
		code = libc.EachInput(p, []string{"-"}, func(_ string, d *kernel.File) error {
			b, err := p.ReadAll(d)
			stdin, _ = libc.Lines(b, '\n')
			return err
		})
	}
	turn := 0
	for _, a := range append(o.Args, []string{"-"}[:libc.BoolToInt(len(o.Args) == 0)]...) {
		if a == "-" && dashes > 1 {
			var col []string
			for i := turn; i < len(stdin); i += dashes {
				col = append(col, stdin[i])
			}
			turn++
			cols = append(cols, col)
			continue
		}
		code |= libc.EachInput(p, []string{a}, func(_ string, d *kernel.File) error {
			b, err := p.ReadAll(d)
			l, _ := libc.Lines(b, '\n')
			cols = append(cols, l)
			return err
		})
	}
	if o.Has("s") {
		for _, c := range cols {
			for i, v := range c {
				if i > 0 {
					p.Print(delim(i - 1))
				}
				p.Print(v)
			}
			p.Print("\n")
		}
		return code
	}
	for i := 0; ; i++ {
		row, any := "", false
		for j, c := range cols {
			if j > 0 {
				row += delim(j - 1)
			}
			if i < len(c) {
				row += c[i]
				any = true
			}
		}
		if !any {
			return code
		}
		p.Print(row, "\n")
	}
}
