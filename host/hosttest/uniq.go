package hosttest

import (
	"strconv"
	"strings"
)

func cmdUniq(p *proc) int {
	o, ok := p.getopt("cdDf:is:uw:z", "count>c repeated>d unique>u ignore-case>i skip-fields=>f skip-chars=>s check-chars=>w zero-terminated>z")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "D", "w") {
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
		p.errorf("hosttest: an output file is not supported")
		return 1
	}
	d, err := p.in(name)
	var b []byte
	if err == nil {
		b, err = p.readAll(d)
		d.release()
	}
	if err != nil {
		p.errorf("%s: %s", quoteMaybe(name), strerror(err))
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
				p.printf("%7d ", n)
			}
			p.print(ls[i], string(rune(delim)))
		}
		i = j
	}
	return 0
}
