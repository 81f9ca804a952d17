package posix

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// sorter is one run of sort.
type sorter struct {
	o      *libc.Options
	keys   []sortKey
	global string // the ordering options that are not of a key
	sep    string // of fields; empty means blanks
}

// A sortKey is a -k option: fields and characters count from 1; a to of 0 is the end of the line, a toC of 0 of the
// field.
type sortKey struct {
	from, fromC, to, toC int
	flags                string
}

func cmdSort(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "bcCdfghik:mMno:rRsS:t:T:uVz",
		"numeric-sort>n reverse>r unique>u key=>k field-separator=>t zero-terminated>z version-sort>V "+
			"human-numeric-sort>h check[=>c stable>s output=>o ignore-case>f ignore-leading-blanks>b "+
			"dictionary-order>d general-numeric-sort>g parallel= buffer-size=>S")
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
	lines, ok := sortInput(p, o.Args, delim)
	if !ok {
		return 2
	}
	s := &sorter{o: o}
	if !s.readKeys(p) || !s.readSeparator(p) {
		return 2
	}
	if o.Has("c", "C") {
		return s.check(p, lines)
	}
	slices.SortStableFunc(lines, s.compare)
	if o.Has("u") {
		lines = slices.CompactFunc(lines, func(a, b string) bool { return s.compareKeys(a, b) == 0 })
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l)
		b.WriteByte(delim)
	}
	if o.Has("o") {
		if err := p.WriteFile(o.Get("o"), []byte(b.String()), 0o666); err != nil {
			p.Errorf("open failed: %s: %s", o.Get("o"), kernel.Strerror(err))
			return 2
		}
		return 0
	}
	p.Print(b.String())
	return 0
}

// sortInput reads the lines of all files.
func sortInput(p *kernel.Process, files []string, delim byte) (all []string, ok bool) {
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
			return nil, false
		}
		l, _ := libc.Lines(b, delim)
		all = append(all, l...)
	}
	return all, true
}

func (s *sorter) readKeys(p *kernel.Process) bool {
	for _, f := range []string{"n", "r", "f", "b", "V", "h", "g", "d"} {
		if s.o.Has(f) {
			s.global += f
		}
	}
	for _, k := range s.o.All("k") {
		if k == "" || k[0] < '0' || k[0] > '9' {
			p.Errorf("invalid number at field start: invalid count at start of %s", libc.Quote(k))
			return false
		}
		var x sortKey
		var toFlags string
		from, to, two := strings.Cut(k, ",")
		x.from, x.fromC, x.flags = sortPosition(from)
		if two {
			x.to, x.toC, toFlags = sortPosition(to)
		}
		if x.from == 0 {
			p.Errorf("field number is zero: invalid field specification %s", libc.Quote(k))
			return false
		}
		x.flags = cmp.Or(x.flags+toFlags, s.global)
		s.keys = append(s.keys, x)
	}
	return true
}

// sortPosition reads FIELD[.CHARACTER][OPTIONS].
func sortPosition(s string) (field, char int, flags string) {
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
		i++
	}
	f, c, _ := strings.Cut(s[:i], ".")
	field, _ = strconv.Atoi(f)
	char, _ = strconv.Atoi(c)
	return field, char, s[i:]
}

func (s *sorter) readSeparator(p *kernel.Process) bool {
	s.sep = s.o.Get("t")
	switch {
	case s.sep == `\0`:
		s.sep = "\x00"
	case s.o.Has("t") && s.sep == "":
		p.Errorf("empty tab")
		return false
	case len(s.sep) > 1:
		p.Errorf("multi-character tab %s", libc.Quote(s.sep))
		return false
	}
	return true
}

// check is -c and -C.
func (s *sorter) check(p *kernel.Process, lines []string) int {
	file := "-"
	if len(s.o.Args) > 0 {
		file = s.o.Args[0]
	}
	for i := 1; i < len(lines); i++ {
		if c := s.compare(lines[i-1], lines[i]); c > 0 || c == 0 && s.o.Has("u") {
			if s.o.Has("c") {
				p.Errorf("%s:%d: disorder: %s", file, i+1, lines[i])
			}
			return 1
		}
	}
	return 0
}

// compare orders two lines: by the keys, then by all of the line.
func (s *sorter) compare(a, b string) int {
	if c := s.compareKeys(a, b); c != 0 || s.o.Has("s", "u") {
		return c
	}
	c := strings.Compare(a, b)
	if s.o.Has("r") {
		c = -c
	}
	return c
}

func (s *sorter) compareKeys(a, b string) int {
	if len(s.keys) == 0 {
		return compareText(a, b, s.global)
	}
	for _, k := range s.keys {
		if c := compareText(s.extract(a, k), s.extract(b, k), k.flags); c != 0 {
			return c
		}
	}
	return 0
}

// extract gives the part of a line that a key compares.
func (s *sorter) extract(line string, k sortKey) string {
	f := s.fields(line)
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
	return strings.Join(part, s.sep)
}

// fields splits a line. Without a separator a field begins with the blanks before it.
func (s *sorter) fields(line string) (out []string) {
	if s.sep != "" {
		return strings.Split(line, s.sep)
	}
	for line != "" {
		i := 0
		for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
			i++
		}
		for i < len(line) && line[i] != ' ' && line[i] != '\t' {
			i++
		}
		out = append(out, line[:i])
		line = line[i:]
	}
	return out
}

// compareText orders as the options say.
func compareText(a, b, flags string) int {
	if strings.Contains(flags, "b") {
		a, b = strings.TrimLeft(a, " \t"), strings.TrimLeft(b, " \t")
	}
	c := 0
	switch {
	case strings.ContainsAny(flags, "ng"):
		c = cmp.Compare(leadingNumber(a), leadingNumber(b))
	case strings.Contains(flags, "h"):
		c = cmp.Compare(humanNumber(a), humanNumber(b))
	case strings.Contains(flags, "V"):
		c = libc.CompareVersions(a, b)
	case strings.Contains(flags, "f"):
		c = strings.Compare(strings.ToUpper(a), strings.ToUpper(b))
	default:
		c = strings.Compare(a, b)
	}
	if strings.Contains(flags, "r") {
		c = -c
	}
	return c
}

// leadingNumber is the number at the start of a text, or 0.
func leadingNumber(s string) float64 {
	s = strings.TrimLeft(s, " \t")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.' || s[end] == '-' && end == 0) {
		end++
	}
	v, _ := strconv.ParseFloat(s[:end], 64)
	return v
}

// humanNumber is leadingNumber with a suffix such as K at the end.
func humanNumber(s string) float64 {
	v := leadingNumber(s)
	s = strings.TrimSpace(s)
	if s != "" {
		for range strings.IndexByte("KMGTPE", s[len(s)-1]&^0x20) + 1 {
			v *= 1024
		}
	}
	return v
}
