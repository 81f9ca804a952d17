package posix

import (
	"bytes"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdCat(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "benstuvAET", "show-all>A number>n squeeze-blank>s")
	if !ok {
		return libc.Usage(p, 1)
	}
	if len(o.Order) == 0 || len(o.Order) == 1 && o.Has("u") {
		return libc.EachInput(p, o.Args, func(_ string, d *kernel.File) error { return libc.CopyOut(p, d) })
	}
	n, empty := 0, 0
	newLine := true
	return libc.EachInput(p, o.Args, func(_ string, d *kernel.File) error {
		b, err := p.ReadAll(d)
		for line := range bytes.Lines(b) {
			s, ended := strings.CutSuffix(string(line), "\n")
			if newLine {
				if s != "" {
					empty = 0
				} else if empty++; empty > 1 && o.Has("s") {
					continue
				}
				if o.Has("b") && s != "" || o.Has("n") && !o.Has("b") {
					n++
					p.Printf("%6d\t", n)
				}
			}
			p.Print(shown(s, o.Has("A", "e", "t", "v"), o.Has("A", "t", "T")))
			if newLine = ended; ended {
				if o.Has("A", "e", "E") {
					p.Print("$")
				}
				p.Print("\n")
			}
		}
		return err
	})
}

// shown spells what does not print as ^X and M-X, and tabs when asked.
func shown(s string, nonprinting, tabs bool) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c == '\t' {
			if tabs {
				b.WriteString("^I")
			} else {
				b.WriteByte(c)
			}
			continue
		}
		if nonprinting && c >= 128 {
			b.WriteString("M-")
			c -= 128
		}
		switch {
		case nonprinting && c < 32:
			b.WriteString("^" + string(rune(c+64)))
		case nonprinting && c == 127:
			b.WriteString("^?")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
