package posix

import (
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdSort(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "bcCdfghik:mMno:rRsS:t:T:uVz", "numeric-sort>n reverse>r unique>u key=>k field-separator=>t zero-terminated>z version-sort>V human-numeric-sort>h check[=>c stable>s output=>o ignore-case>f ignore-leading-blanks>b dictionary-order>d general-numeric-sort>g parallel= buffer-size=>S")
	if !ok {
		return libc.Usage(p, 2)
	}
	if libc.Unsupported(p, o, "i", "m", "M", "R") {
		return 2
	}
	delim := byte('\n')
	if o.Has("z") {
		delim = 0
	}
	var all []string
	code := 0
	files := o.Args
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, f := range files {
		d, err := libc.OpenInput(p, f)
		var b []byte
		if err == nil {
			b, err = p.ReadAll(d)
			d.Release()
		}
		if err != nil {
			p.Errorf("cannot read: %s: %s", f, kernel.Strerror(err))
			return 2
		}
		l, _ := libc.Lines(b, delim)
		all = append(all, l...)
	}
	type key struct {
		from, fromC, to, toC int
		flags                string
	}
	global := ""
	for _, f := range []string{"n", "r", "f", "b", "V", "h", "g", "d"} {
		if o.Has(f) {
			global += f
		}
	}
	var keys []key
	for _, k := range o.All("k") {
		var x key
		a, b, two := strings.Cut(k, ",")
		parse := func(s string) (int, int, string) {
			i := 0
			for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
				i++
			}
			f, c, _ := strings.Cut(s[:i], ".")
			fn, _ := strconv.Atoi(f)
			cn, _ := strconv.Atoi(c)
			return fn, cn, s[i:]
		}
		var fl1, fl2 string
		x.from, x.fromC, fl1 = parse(a)
		if two {
			x.to, x.toC, fl2 = parse(b)
		}
		if k == "" || k[0] < '0' || k[0] > '9' {
			p.Errorf("invalid number at field start: invalid count at start of %s", libc.Quote(k))
			return 2
		}
		if x.from == 0 {
			p.Errorf("field number is zero: invalid field specification %s", libc.Quote(k))
			return 2
		}
		x.flags = fl1 + fl2
		if x.flags == "" {
			x.flags = global
		}
		keys = append(keys, x)
	}
	sep := o.Get("t")
	switch {
	case sep == `\0`:
		sep = "\x00"
	case o.Has("t") && sep == "":
		p.Errorf("empty tab")
		return 2
	case len(sep) > 1:
		p.Errorf("multi-character tab %s", libc.Quote(sep))
		return 2
	}
	split := func(s string) []string {
		if sep != "" {
			return strings.Split(s, sep)
		}
		var out []string
		for s != "" {
			i := 0
			for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
				i++
			}
			for i < len(s) && s[i] != ' ' && s[i] != '\t' {
				i++
			}
			out = append(out, s[:i])
			s = s[i:]
		}
		return out
	}
	extract := func(s string, k key) string {
		f := split(s)
		if k.from > len(f) {
			return ""
		}
		to := len(f)
		if k.to > 0 {
			to = min(k.to, len(f))
		}
		if to < k.from {
			return ""
		}
		part := slices.Clone(f[k.from-1 : to])
		if k.toC > 0 && k.to <= len(f) {
			last := len(part) - 1
			part[last] = part[last][:min(k.toC, len(part[last]))]
		}
		if k.fromC > 1 {
			part[0] = part[0][min(k.fromC-1, len(part[0])):]
		}
		return strings.Join(part, sep)
	}
	number := func(s string) float64 {
		s = strings.TrimLeft(s, " \t")
		end := 0
		for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.' || s[end] == '-' && end == 0) {
			end++
		}
		v, _ := strconv.ParseFloat(s[:end], 64)
		return v
	}
	order := func(a, b, flags string) int {
		if strings.Contains(flags, "b") {
			a, b = strings.TrimLeft(a, " \t"), strings.TrimLeft(b, " \t")
		}
		c := 0
		switch {
		case strings.ContainsAny(flags, "ng"):
			x, y := number(a), number(b)
			if x < y {
				c = -1
			} else if x > y {
				c = 1
			}
		case strings.Contains(flags, "h"):
			human := func(s string) float64 {
				v := number(s)
				s = strings.TrimSpace(s)
				if s != "" {
					if i := strings.IndexByte("KMGTPE", s[len(s)-1]&^0x20); i >= 0 {
						for range i + 1 {
							v *= 1024
						}
					}
				}
				return v
			}
			x, y := human(a), human(b)
			if x < y {
				c = -1
			} else if x > y {
				c = 1
			}
		case strings.Contains(flags, "V"):
			c = libc.CompareVersions(a, b)
		default:
			if strings.Contains(flags, "f") {
				a, b = strings.ToUpper(a), strings.ToUpper(b)
			}
			c = strings.Compare(a, b)
		}
		if strings.Contains(flags, "r") {
			c = -c
		}
		return c
	}
	keyed := func(a, b string) int {
		if len(keys) == 0 {
			return order(a, b, global)
		}
		for _, k := range keys {
			if c := order(extract(a, k), extract(b, k), k.flags); c != 0 {
				return c
			}
		}
		return 0
	}
	full := func(a, b string) int {
		if c := keyed(a, b); c != 0 || o.Has("s", "u") {
			return c
		}
		c := strings.Compare(a, b)
		if o.Has("r") {
			c = -c
		}
		return c
	}
	if o.Has("c", "C") {
		for i := 1; i < len(all); i++ {
			if c := full(all[i-1], all[i]); c > 0 || c == 0 && o.Has("u") {
				if o.Has("c") {
					p.Errorf("%s:%d: disorder: %s", files[0], i+1, all[i])
				}
				return 1
			}
		}
		return 0
	}
	slices.SortStableFunc(all, full)
	if o.Has("u") {
		all = slices.CompactFunc(all, func(a, b string) bool { return keyed(a, b) == 0 })
	}
	var b strings.Builder
	for _, l := range all {
		b.WriteString(l)
		b.WriteByte(delim)
	}
	if o.Has("o") {
		if err := p.WriteFile(o.Get("o"), []byte(b.String()), 0o666); err != nil {
			p.Errorf("open failed: %s: %s", o.Get("o"), kernel.Strerror(err))
			return 2
		}
		return code
	}
	p.Print(b.String())
	return code
}
