package posix

import (
	"errors"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

var (
	errZeroField = errors.New("numbered from 1")
	errBadList   = errors.New("invalid list")
)

// cutList reads a list such as 1,3-5,7-.
func cutList(s string) (func(n int) bool, error) {
	type span struct{ a, b int }
	var spans []span
	for part := range strings.SplitSeq(s, ",") {
		a, b, two := strings.Cut(part, "-")
		x := span{1, 1 << 30}
		if a != "" {
			n, ok := kernel.ParseUint(a)
			if ok && n == 0 {
				return nil, errZeroField
			}
			if !ok {
				return nil, errBadList
			}
			x.a = int(n)
			if !two {
				x.b = x.a
			}
		}
		if b != "" {
			n, ok := kernel.ParseUint(b)
			if !ok {
				return nil, errBadList
			}
			x.b = int(n)
		}
		if a == "" && b == "" || x.b < x.a {
			return nil, errBadList
		}
		spans = append(spans, x)
	}
	return func(n int) bool {
		for _, s := range spans {
			if n >= s.a && n <= s.b {
				return true
			}
		}
		return false
	}, nil
}

func cmdCut(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "b:c:d:f:nsz",
		"bytes=>b characters=>c delimiter=>d fields=>f only-delimited>s zero-terminated>z complement output-delimiter=")
	if !ok {
		return libc.Usage(p, 1)
	}
	spec, kind := o.Get("b", "c"), "byte/character"
	if o.Has("f") {
		spec, kind = o.Get("f"), "field"
	}
	if !o.Has("b", "c", "f") {
		p.Errorf("you must specify a list of bytes, characters, or fields")
		return libc.Usage(p, 1)
	}
	in, err := cutList(spec)
	if err == errZeroField {
		p.Errorf("%s are numbered from 1",
			map[string]string{"field": "fields", "byte/character": "byte/character positions"}[kind])
		return libc.Usage(p, 1)
	}
	if err != nil {
		p.Errorf("invalid %s value %s",
			map[string]string{"field": "field", "byte/character": "byte or character position"}[kind], libc.Quote(spec))
		return libc.Usage(p, 1)
	}
	want := in
	if o.Has("complement") {
		want = func(n int) bool { return !in(n) }
	}
	delim := "\t"
	if o.Has("d") {
		delim = o.Get("d")
		if len(delim) != 1 {
			p.Errorf("the delimiter must be a single character")
			return libc.Usage(p, 1)
		}
	}
	out := delim
	if o.Has("output-delimiter") {
		out = o.Get("output-delimiter")
	}
	end := byte('\n')
	if o.Has("z") {
		end = 0
	}
	return libc.EachInput(p, o.Args, func(_ string, d *kernel.File) error {
		b, err := p.ReadAll(d)
		ls, _ := libc.Lines(b, end)
		for _, l := range ls {
			if kind != "field" {
				for i := range len(l) {
					if want(i + 1) {
						p.Print(l[i : i+1])
					}
				}
				p.Print(string(rune(end)))
				continue
			}
			if !strings.Contains(l, delim) {
				if !o.Has("s") {
					p.Print(l, string(rune(end)))
				}
				continue
			}
			var keep []string
			for i, f := range strings.Split(l, delim) {
				if want(i + 1) {
					keep = append(keep, f)
				}
			}
			p.Print(strings.Join(keep, out), string(rune(end)))
		}
		return err
	})
}
