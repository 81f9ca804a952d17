package hosttest

import (
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func cmdUniq(p *kernel.Process) int {
	o, ok := getopt(p, "cdDf:is:uw:z", "count>c repeated>d unique>u ignore-case>i skip-fields=>f skip-chars=>s check-chars=>w zero-terminated>z")
	if !ok {
		return usage(p, 1)
	}
	if unsupported(p, o, "D", "w") {
		return 1
	}
	delim := byte('\n')
	if o.has("z") {
		delim = 0
	}
	name := "-"
	if len(o.args) > 0 {
		name = o.args[0]
	}
	if len(o.args) > 1 {
		p.Errorf("hosttest: an output file is not supported")
		return 1
	}
	d, err := in(p, name)
	var b []byte
	if err == nil {
		b, err = p.ReadAll(d)
		d.Release()
	}
	if err != nil {
		p.Errorf("%s: %s", quoteMaybe(name), kernel.Strerror(err))
		return 1
	}
	ls, _ := lines(b, delim)
	fields, _ := strconv.Atoi(o.get("f"))
	chars, _ := strconv.Atoi(o.get("s"))
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
		if o.has("i") {
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
		if !(o.has("d") && n == 1) && !(o.has("u") && n > 1) {
			if o.has("c") {
				p.Printf("%7d ", n)
			}
			p.Print(ls[i], string(rune(delim)))
		}
		i = j
	}
	return 0
}
