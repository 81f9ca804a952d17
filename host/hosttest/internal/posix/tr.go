package posix

import (
	"bytes"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// trSet expands a set of tr(1).
// trReversed gives a range of a set that runs backwards.
func trReversed(s string) string {
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '\\' {
			i++
			continue
		}
		if s[i+1] == '-' && s[i] > s[i+2] && s[i+2] != '\\' && (i == 0 || s[i-1] != '[') {
			return s[i : i+3]
		}
	}
	return ""
}

func trSet(s string) []byte {
	var raw []byte
	var lit []bool
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
			switch c := s[i]; {
			case c >= '0' && c <= '7':
				n, w := libc.Octal(s[i:])
				raw = append(raw, n)
				i += w - 1
			case strings.IndexByte("abfnrtv", c) >= 0:
				raw = append(raw, "\a\b\f\n\r\t\v"[strings.IndexByte("abfnrtv", c)])
			default:
				raw = append(raw, c)
			}
			lit = append(lit, true)
			continue
		}
		raw, lit = append(raw, s[i]), append(lit, false)
	}
	var out []byte
	for i := 0; i < len(raw); i++ {
		if raw[i] == '[' && !lit[i] && i+1 < len(raw) && raw[i+1] == ':' {
			if j := bytes.Index(raw[i:], []byte(":]")); j > 1 {
				class := string(raw[i+2 : i+j])
				for c := range 256 {
					if libc.InClass(class, rune(c)) && c < 128 {
						out = append(out, byte(c))
					}
				}
				i += j + 1
				continue
			}
		}
		if i+2 < len(raw) && raw[i+1] == '-' && !lit[i+1] {
			for c := int(raw[i]); c <= int(raw[i+2]); c++ {
				out = append(out, byte(c))
			}
			i += 2
			continue
		}
		out = append(out, raw[i])
	}
	return out
}

func cmdTr(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+cCdst", "complement>c delete>d squeeze-repeats>s truncate-set1>t")
	if !ok {
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 0 {
		p.Errorf("missing operand")
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 1 && !o.Has("d", "s") {
		p.Errorf("missing operand after %s", libc.Quote(o.Args[0]))
		p.Warnf("Two strings must be given when translating.\n")
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 2 && o.Has("d") && !o.Has("s") {
		p.Errorf("extra operand %s", libc.Quote(o.Args[1]))
		p.Warnf("Only one string may be given when deleting without squeezing repeats.\n")
		return libc.Usage(p, 1)
	}
	for _, a := range o.Args {
		if r := trReversed(a); r != "" {
			p.Errorf("range-endpoints of '%s' are in reverse collating sequence order", r)
			return 1
		}
	}
	t, ok := trTables(p, o)
	if !ok {
		return 1
	}
	last := -1
	deletes, squeezes := o.Has("d"), o.Has("s")
	buf := make([]byte, 32<<10)
	for {
		n, err := p.Read(0, buf)
		out := buf[:0]
		for _, c := range buf[:n] {
			if deletes && t.set[c] {
				continue
			}
			c = t.to[c]
			if squeezes && t.squeeze[c] && last == int(c) {
				continue
			}
			last = int(c)
			out = append(out, c)
		}
		p.Print(string(out))
		if err != nil {
			return 0
		}
	}
}

// A trTable is what becomes of each byte.
type trTable struct {
	set     [256]bool // the first set, which -d deletes
	squeeze [256]bool
	to      [256]byte
}

func trTables(p *kernel.Process, o *libc.Options) (t *trTable, ok bool) {
	t = &trTable{}
	one := trSet(o.Args[0])
	for _, c := range one {
		t.set[c] = true
	}
	if o.Has("c", "C") {
		one = nil
		for c := range 256 {
			t.set[c] = !t.set[c]
			if t.set[c] {
				one = append(one, byte(c))
			}
		}
	}
	for c := range 256 {
		t.to[c] = byte(c)
	}
	if len(o.Args) < 2 {
		t.squeeze = t.set
		return t, true
	}
	two := trSet(o.Args[1])
	for _, c := range two {
		t.squeeze[c] = true
	}
	if o.Has("d") {
		return t, true
	}
	if len(two) == 0 {
		p.Errorf("when not truncating set1, string2 must be non-empty")
		return nil, false
	}
	for i, c := range one {
		if i < len(two) {
			t.to[c] = two[i]
		} else if !o.Has("t") {
			t.to[c] = two[len(two)-1]
		}
	}
	return t, true
}
