package posix

import (
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdUniq(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "cdDf:is:uw:z",
		"count>c repeated>d unique>u ignore-case>i skip-fields=>f skip-chars=>s check-chars=>w zero-terminated>z")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "D", "w") {
		return 1
	}
	delim := byte('\n')
	if o.Has("z") {
		delim = 0
	}
	name := "-"
	if len(o.Args) > 0 {
		name = o.Args[0]
	}
	if len(o.Args) > 1 {
		p.Errorf("hosttest: an output file is not supported")
		return 1
	}
	d, err := libc.OpenInput(p, name)
	var b []byte
	if err == nil {
		b, err = p.ReadAll(d)
		d.Release()
	}
	if err != nil {
		p.Errorf("%s: %s", libc.QuoteMaybe(name), kernel.Strerror(err))
		return 1
	}
	ls, _ := libc.Lines(b, delim)
	fields, _ := strconv.Atoi(o.Get("f"))
	chars, _ := strconv.Atoi(o.Get("s"))
	key := func(s string) string {
		for range fields {
			s = strings.TrimLeft(s, " \t")
			if i := strings.IndexAny(s, " \t"); i >= 0 {
				s = s[i:]
			} else {
				s = ""
			}
		}
		s = s[min(chars, len(s)):]
		if o.Has("i") {
			s = strings.ToLower(s)
		}
		return s
	}
	for i := 0; i < len(ls); {
		j := i + 1
		for j < len(ls) && key(ls[j]) == key(ls[i]) {
			j++
		}
		n := j - i
		if !(o.Has("d") && n == 1) && !(o.Has("u") && n > 1) {
			if o.Has("c") {
				p.Printf("%7d ", n)
			}
			p.Print(ls[i], string(rune(delim)))
		}
		i = j
	}
	return 0
}
