package hosttest

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/benhoyt/goawk/interp"
	"github.com/benhoyt/goawk/parser"
)

// textTools work on lines of text.
func textTools() map[string]tool {
	return map[string]tool{
		"grep": {"", cmdGrep}, "egrep": {"", cmdGrep}, "fgrep": {"", cmdGrep}, "sort": {"", cmdSort}, "uniq": {"", cmdUniq}, "cut": {"", cmdCut}, "tr": {"", cmdTr},
		"wc": {"", cmdWc}, "seq": {"", cmdSeq}, "tac": {"", cmdTac}, "mawk": {"", cmdAwk}, "sed": {"", cmdSed}, "diff": {"", cmdDiff}, "nl": {"", cmdNl}, "paste": {"", cmdPaste},
		"comm": {"", cmdComm}, "rev": {"", cmdRev}, "fold": {"", cmdFold}, "expr": {"", cmdExpr},
	}
}

// lines splits text into lines without their delimiter, and tells whether the last one had it.
func lines(b []byte, delim byte) ([]string, bool) {
	if len(b) == 0 {
		return nil, true
	}
	ended := b[len(b)-1] == delim
	if ended {
		b = b[:len(b)-1]
	}
	return strings.Split(string(b), string(rune(delim))), ended
}

func cmdGrep(p *Process) int {
	o, ok := p.getopt("EFGPe:f:ivwxcloLqshnHrRzam:A:B:C:bUTyI", "extended-regexp>E fixed-strings>F basic-regexp>G regexp=>e file=>f ignore-case>i invert-match>v word-regexp>w line-regexp>x count>c files-with-matches>l files-without-match>L only-matching>o quiet>q silent>q no-messages>s no-filename>h line-number>n with-filename>H recursive>r null-data>z text>a max-count=>m after-context=>A before-context=>B context=>C color[= colour[= null include= exclude= exclude-dir= perl-regexp>P")
	usage := func() int {
		p.warn("Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n")
		return 2
	}
	if !ok {
		return usage()
	}
	if p.unsupported(o, "b", "T", "U", "I", "exclude", "exclude-dir") {
		return 2
	}
	if o.has("P") {
		p.errorf("hosttest: -P is not supported")
		return 2
	}
	files := o.args
	var pats []string
	for _, x := range o.order {
		switch x.name {
		case "e":
			pats = append(pats, strings.Split(x.value, "\n")...)
		case "f":
			d, err := p.in(x.value)
			if err != nil {
				p.errorf("%s: %s", x.value, strerror(err))
				return 2
			}
			b, _ := p.readAll(d)
			d.release()
			l, _ := lines(b, '\n')
			pats = append(pats, l...)
		}
	}
	if !o.has("e", "f") {
		if len(files) == 0 {
			return usage()
		}
		pats = strings.Split(files[0], "\n")
		files = files[1:]
	}
	fixed := o.has("F") || p.name() == "fgrep"
	ext := o.has("E") || p.name() == "egrep"
	var alts []string
	for _, pat := range pats {
		var s string
		if fixed {
			s = regexp.QuoteMeta(pat)
		} else {
			t, err := translateRegexp(pat, ext)
			if err != nil {
				p.errorf("%v", err)
				return 2
			}
			s = strings.TrimPrefix(t, "(?s)")
		}
		switch {
		case o.has("x"):
			s = `\A(?:` + s + `)\z`
		}
		alts = append(alts, "(?:"+s+")")
	}
	flags := "(?s)"
	if o.has("i", "y") {
		flags = "(?si)"
	}
	var re *regexp.Regexp
	matches := func(l string) bool { return re != nil && re.MatchString(l) }
	plain := fixed && !o.has("i", "y", "w", "o") // bytes, whatever they encode
	if plain {
		matches = func(l string) bool {
			return slices.ContainsFunc(pats, func(pat string) bool { return l == pat || !o.has("x") && strings.Contains(l, pat) })
		}
	}
	if len(alts) > 0 && !plain {
		var err error
		if re, err = regexp.Compile(flags + strings.Join(alts, "|")); err != nil {
			p.errorf("Invalid regular expression")
			return 2
		}
		re.Longest()
	}
	find := func(l string) (out [][]int) {
		if re != nil {
			out = re.FindAllStringIndex(l, -1)
		}
		return out
	}
	if o.has("w") && re != nil {
		whole := regexp.MustCompile(flags + `\A(?:` + strings.Join(alts, "|") + `)\z`)
		find = func(l string) [][]int { return wordMatches(re, whole, l) }
		matches = func(l string) bool { return len(find(l)) > 0 }
	}
	delim := byte('\n')
	if o.has("z") {
		delim = 0
	}
	limit := -1
	if o.has("m") {
		limit, _ = strconv.Atoi(o.get("m"))
	}
	context := func(names ...string) int {
		n, _ := strconv.Atoi(o.get(names...))
		return n
	}
	before, after := context("B", "C"), context("A", "C")
	recursive := o.has("r", "R")
	if len(files) == 0 {
		files = []string{"-"}
		if recursive {
			files = []string{"."}
		}
	}
	named := (len(files) > 1 || recursive || o.has("H")) && !o.has("h")
	matched, failed := false, false
	one := func(name string) bool { // false: stop
		d, err := p.in(name)
		var data []byte
		if err == nil {
			data, err = p.readAll(d)
			d.release()
		}
		if err != nil {
			if !o.has("s") {
				p.flush()
				p.errorf("%s: %s", name, strerror(err))
			}
			failed = true
			return true
		}
		shown := name
		if name == "-" {
			shown = "(standard input)"
		}
		ls, _ := lines(data, delim)
		binary := !o.has("a", "z") && bytes.IndexByte(data, 0) >= 0
		count := 0
		last := -1
		until := -1
		prefix := func(n int, sep string) {
			if named {
				p.print(shown, sep)
			}
			if o.has("n") {
				p.print(strconv.Itoa(n+1), sep)
			}
		}
		for i, l := range ls {
			hit := matches(l)
			if hit == o.has("v") {
				if i <= until && !o.has("c", "l", "L", "q", "o") {
					prefix(i, "-")
					p.print(l, string(rune(delim)))
					last = i
				}
				continue
			}
			if limit == 0 {
				break
			}
			count++
			matched = true
			if o.has("q") {
				return false
			}
			if o.has("l", "L") {
				break
			}
			if !o.has("c") {
				if binary {
					p.flush()
					p.errorf("%s: binary file matches", shown)
					return true
				}
				if (before > 0 || after > 0) && last >= 0 && i-before > last+1 {
					p.print("--\n")
				}
				for j := max(i-before, last+1); j < i; j++ {
					prefix(j, "-")
					p.print(ls[j], string(rune(delim)))
				}
				if o.has("o") {
					if !o.has("v") {
						for _, m := range find(l) {
							if m[0] < m[1] {
								prefix(i, ":")
								p.print(l[m[0]:m[1]], string(rune(delim)))
							}
						}
					}
				} else {
					prefix(i, ":")
					p.print(l, string(rune(delim)))
				}
				last, until = i, i+after
			}
			if limit > 0 && count >= limit {
				break
			}
		}
		end := "\n"
		if o.has("null") {
			end = "\x00"
		}
		switch {
		case o.has("l"):
			if count > 0 {
				p.print(shown, end)
			}
		case o.has("L"):
			if count == 0 {
				p.print(shown, end)
			}
		case o.has("c"):
			if named {
				p.print(shown, ":")
			}
			p.print(strconv.Itoa(count), "\n")
		}
		return true
	}
	for _, f := range files {
		if st, err := p.stat(f); err == nil && st.IsDir() && f != "-" {
			if !recursive {
				if !o.has("s") {
					p.flush()
					p.print("")
					p.errorf("%s: Is a directory", f)
				}
				failed = true
				continue
			}
			var list []string
			p.recurse(f, true, func(name string, st Stat) error {
				if st.IsRegular() {
					if inc := o.all("include"); len(inc) > 0 && !slices.ContainsFunc(inc, func(g string) bool { return match(g, name[strings.LastIndexByte(name, '/')+1:]) }) {
						return nil
					}
					list = append(list, name)
				}
				return nil
			})
			for _, n := range list {
				if !one(n) {
					return 0
				}
			}
			continue
		}
		if !one(f) {
			return 0
		}
	}
	switch {
	case failed && !(o.has("q") && matched):
		return 2
	case matched:
		return 0
	}
	return 1
}

// wordMatches is grep -w: matches with no letter, digit or underscore beside them. Where the longest match has one, a
// shorter one from the same place may do, then one from the next.
func wordMatches(re, whole *regexp.Regexp, l string) (out [][]int) {
	isWord := func(i int) bool {
		return i >= 0 && i < len(l) && (l[i] == '_' || inClass("alnum", rune(l[i])))
	}
	for from := 0; from <= len(l); {
		m := re.FindStringIndex(l[from:])
		if m == nil {
			return out
		}
		start, end := from+m[0], from+m[1]
		for end > start && (isWord(start-1) || isWord(end) || !whole.MatchString(l[start:end])) {
			end--
		}
		if end > start || m[0] == m[1] && !isWord(start-1) && !isWord(start) {
			out = append(out, []int{start, end})
			from = max(end, start+1)
			continue
		}
		from = start + 1
	}
	return out
}

func cmdSort(p *Process) int {
	o, ok := p.getopt("bcCdfghik:mMno:rRsS:t:T:uVz", "numeric-sort>n reverse>r unique>u key=>k field-separator=>t zero-terminated>z version-sort>V human-numeric-sort>h check[=>c stable>s output=>o ignore-case>f ignore-leading-blanks>b dictionary-order>d general-numeric-sort>g parallel= buffer-size=>S")
	if !ok {
		return p.usage(2)
	}
	if p.unsupported(o, "i", "m", "M", "R") {
		return 2
	}
	delim := byte('\n')
	if o.has("z") {
		delim = 0
	}
	var all []string
	code := 0
	files := o.args
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, f := range files {
		d, err := p.in(f)
		var b []byte
		if err == nil {
			b, err = p.readAll(d)
			d.release()
		}
		if err != nil {
			p.errorf("cannot read: %s: %s", f, strerror(err))
			return 2
		}
		l, _ := lines(b, delim)
		all = append(all, l...)
	}
	type key struct {
		from, fromC, to, toC int
		flags                string
	}
	global := ""
	for _, f := range []string{"n", "r", "f", "b", "V", "h", "g", "d"} {
		if o.has(f) {
			global += f
		}
	}
	var keys []key
	for _, k := range o.all("k") {
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
			p.errorf("invalid number at field start: invalid count at start of %s", quote(k))
			return 2
		}
		if x.from == 0 {
			p.errorf("field number is zero: invalid field specification %s", quote(k))
			return 2
		}
		x.flags = fl1 + fl2
		if x.flags == "" {
			x.flags = global
		}
		keys = append(keys, x)
	}
	sep := o.get("t")
	switch {
	case sep == `\0`:
		sep = "\x00"
	case o.has("t") && sep == "":
		p.errorf("empty tab")
		return 2
	case len(sep) > 1:
		p.errorf("multi-character tab %s", quote(sep))
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
			c = compareUpstream(a, b)
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
		if c := keyed(a, b); c != 0 || o.has("s", "u") {
			return c
		}
		c := strings.Compare(a, b)
		if o.has("r") {
			c = -c
		}
		return c
	}
	if o.has("c", "C") {
		for i := 1; i < len(all); i++ {
			if c := full(all[i-1], all[i]); c > 0 || c == 0 && o.has("u") {
				if o.has("c") {
					p.errorf("%s:%d: disorder: %s", files[0], i+1, all[i])
				}
				return 1
			}
		}
		return 0
	}
	slices.SortStableFunc(all, full)
	if o.has("u") {
		all = slices.CompactFunc(all, func(a, b string) bool { return keyed(a, b) == 0 })
	}
	var b strings.Builder
	for _, l := range all {
		b.WriteString(l)
		b.WriteByte(delim)
	}
	if o.has("o") {
		if err := p.writeFile(o.get("o"), []byte(b.String()), 0o666); err != nil {
			p.errorf("open failed: %s: %s", o.get("o"), strerror(err))
			return 2
		}
		return code
	}
	p.print(b.String())
	return code
}

func cmdUniq(p *Process) int {
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
			n, ok := parseUint(a)
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
			n, ok := parseUint(b)
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

func cmdCut(p *Process) int {
	o, ok := p.getopt("b:c:d:f:nsz", "bytes=>b characters=>c delimiter=>d fields=>f only-delimited>s zero-terminated>z complement output-delimiter=")
	if !ok {
		return p.usage(1)
	}
	spec, kind := o.get("b", "c"), "byte/character"
	if o.has("f") {
		spec, kind = o.get("f"), "field"
	}
	if !o.has("b", "c", "f") {
		p.errorf("you must specify a list of bytes, characters, or fields")
		return p.usage(1)
	}
	in, err := cutList(spec)
	if err == errZeroField {
		p.errorf("%s are numbered from 1", map[string]string{"field": "fields", "byte/character": "byte/character positions"}[kind])
		return p.usage(1)
	}
	if err != nil {
		p.errorf("invalid %s value %s", map[string]string{"field": "field", "byte/character": "byte or character position"}[kind], quote(spec))
		return p.usage(1)
	}
	want := in
	if o.has("complement") {
		want = func(n int) bool { return !in(n) }
	}
	delim := "\t"
	if o.has("d") {
		delim = o.get("d")
		if len(delim) != 1 {
			p.errorf("the delimiter must be a single character")
			return p.usage(1)
		}
	}
	out := delim
	if o.has("output-delimiter") {
		out = o.get("output-delimiter")
	}
	end := byte('\n')
	if o.has("z") {
		end = 0
	}
	return p.eachInput(o.args, func(_ string, d *description) error {
		b, err := p.readAll(d)
		ls, _ := lines(b, end)
		for _, l := range ls {
			if kind != "field" {
				for i := range len(l) {
					if want(i + 1) {
						p.print(l[i : i+1])
					}
				}
				p.print(string(rune(end)))
				continue
			}
			if !strings.Contains(l, delim) {
				if !o.has("s") {
					p.print(l, string(rune(end)))
				}
				continue
			}
			var keep []string
			for i, f := range strings.Split(l, delim) {
				if want(i + 1) {
					keep = append(keep, f)
				}
			}
			p.print(strings.Join(keep, out), string(rune(end)))
		}
		return err
	})
}

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
				n, w := octal(s[i:])
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
					if inClass(class, rune(c)) && c < 128 {
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

func cmdTr(p *Process) int {
	o, ok := p.getopt("+cCdst", "complement>c delete>d squeeze-repeats>s truncate-set1>t")
	if !ok {
		return p.usage(1)
	}
	if len(o.args) == 0 {
		p.errorf("missing operand")
		return p.usage(1)
	}
	if len(o.args) == 1 && !o.has("d", "s") {
		p.errorf("missing operand after %s", quote(o.args[0]))
		p.warn("Two strings must be given when translating.\n")
		return p.usage(1)
	}
	if len(o.args) == 2 && o.has("d") && !o.has("s") {
		p.errorf("extra operand %s", quote(o.args[1]))
		p.warn("Only one string may be given when deleting without squeezing repeats.\n")
		return p.usage(1)
	}
	for _, a := range o.args {
		if r := trReversed(a); r != "" {
			p.errorf("range-endpoints of '%s' are in reverse collating sequence order", r)
			return 1
		}
	}
	var set1, set2 [256]bool
	one := trSet(o.args[0])
	for _, c := range one {
		set1[c] = true
	}
	if o.has("c", "C") {
		one = nil
		for c := range 256 {
			set1[c] = !set1[c]
			if set1[c] {
				one = append(one, byte(c))
			}
		}
	}
	var table [256]byte
	for c := range 256 {
		table[c] = byte(c)
	}
	squeeze := set1
	if len(o.args) == 2 {
		two := trSet(o.args[1])
		for _, c := range two {
			set2[c] = true
		}
		squeeze = set2
		if !o.has("d") {
			if len(two) == 0 {
				p.errorf("when not truncating set1, string2 must be non-empty")
				return 1
			}
			for i, c := range one {
				if i < len(two) {
					table[c] = two[i]
				} else if !o.has("t") {
					table[c] = two[len(two)-1]
				}
			}
		}
	}
	last := -1
	deletes, squeezes := o.has("d"), o.has("s")
	buf := make([]byte, 32<<10)
	for {
		n, err := p.read(0, buf)
		out := buf[:0]
		for _, c := range buf[:n] {
			if deletes && set1[c] {
				continue
			}
			c = table[c]
			if squeezes && squeeze[c] && last == int(c) {
				continue
			}
			last = int(c)
			out = append(out, c)
		}
		p.print(string(out))
		if err != nil {
			return 0
		}
	}
}

func cmdWc(p *Process) int {
	o, ok := p.getopt("clLmw", "bytes>c lines>l chars>m words>w max-line-length>L files0-from=")
	if !ok {
		return p.usage(1)
	}
	type count struct{ l, w, m, c, longest int }
	var total count
	var rows []count
	var names []string
	code := p.eachInput(o.args, func(name string, d *description) error {
		b, err := p.readAll(d)
		if err != nil {
			return err
		}
		x := count{l: bytes.Count(b, []byte("\n")), w: len(bytes.Fields(b)), c: len(b), m: p.characters(b)}
		for l := range bytes.SplitSeq(b, []byte("\n")) {
			x.longest = max(x.longest, p.characters(l))
		}
		total = count{total.l + x.l, total.w + x.w, total.m + x.m, total.c + x.c, max(total.longest, x.longest)}
		rows, names = append(rows, x), append(names, name)
		return nil
	})
	if len(o.args) > 1 {
		rows, names = append(rows, total), append(names, "total")
	}
	def := !o.has("c", "l", "m", "w", "L")
	cols := 0
	for _, f := range []string{"l", "w", "m", "c", "L"} {
		if o.has(f) {
			cols++
		}
	}
	width := len(strconv.Itoa(total.c))
	if len(o.args) == 0 && p.fds[0] != nil && p.fds[0].stream != nil {
		width = 7 // of what has no size
	}
	if cols == 1 && len(o.args) <= 1 {
		width = 1
	}
	for i, r := range rows {
		first := true
		show := func(on bool, n int) {
			if !on {
				return
			}
			if !first {
				p.print(" ")
			}
			first = false
			p.printf("%*d", width, n)
		}
		show(def || o.has("l"), r.l)
		show(def || o.has("w"), r.w)
		show(o.has("m"), r.m)
		show(def || o.has("c"), r.c)
		show(o.has("L"), r.longest)
		if len(o.args) > 0 {
			name := names[i]
			if strings.Contains(name, "\n") {
				name = quoteMaybe(name)
			}
			p.print(" ", name)
		}
		p.print("\n")
	}
	return code
}

func cmdSeq(p *Process) int {
	var f, sep string
	sep = "\n"
	wide := false
	args := p.Args[1:]
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && (args[0][1] < '0' || args[0][1] > '9') && args[0][1] != '.' {
		switch {
		case args[0] == "-w":
			wide = true
		case (args[0] == "-s" || args[0] == "-f") && len(args) > 1:
			if args[0] == "-s" {
				sep = args[1]
			} else {
				f = args[1]
			}
			args = args[1:]
		case strings.HasPrefix(args[0], "-s"):
			sep = args[0][2:]
		case args[0] == "--":
		default:
			p.errorf("invalid option -- '%s'", args[0][1:2])
			return p.usage(1)
		}
		args = args[1:]
	}
	if len(args) == 0 {
		p.errorf("missing operand")
		return p.usage(1)
	}
	if len(args) > 3 {
		p.errorf("extra operand %s", quote(args[3]))
		return p.usage(1)
	}
	prec := 0
	nums := make([]float64, len(args))
	for i, a := range args {
		v, err := strconv.ParseFloat(a, 64)
		if err != nil {
			p.errorf("invalid floating point argument: %s", quote(a))
			return p.usage(1)
		}
		nums[i] = v
		if _, frac, ok := strings.Cut(a, "."); ok && (i < len(args)-1 || len(args) == 1) {
			prec = max(prec, len(frac))
		}
	}
	from, step, to := 1.0, 1.0, nums[len(nums)-1]
	if len(nums) > 1 {
		from = nums[0]
	}
	if len(nums) == 3 {
		step = nums[1]
	}
	if step == 0 {
		p.errorf("invalid Zero increment value: %s", quote(args[1]))
		return p.usage(1)
	}
	width := 0
	if wide {
		width = max(len(strconv.FormatFloat(from, 'f', prec, 64)), len(strconv.FormatFloat(to, 'f', prec, 64)))
	}
	n := 0
	for i := 0; ; i++ {
		v := from + float64(i)*step
		if step > 0 && v > to+1e-9 || step < 0 && v < to-1e-9 {
			break
		}
		if n > 0 {
			p.print(sep)
		}
		n++
		s := strconv.FormatFloat(v, 'f', prec, 64)
		if f != "" {
			s = fmt.Sprintf(f, v)
		}
		for len(s) < width {
			s = "0" + s
		}
		p.print(s)
	}
	if n > 0 {
		p.print("\n")
	}
	return 0
}

func cmdTac(p *Process) int {
	return p.eachInput(p.Args[1:], func(_ string, d *description) error {
		b, err := p.readAll(d)
		ls := strings.SplitAfter(string(b), "\n")
		slices.Reverse(ls)
		p.print(ls...)
		return err
	})
}

func cmdRev(p *Process) int {
	return p.eachInput(p.Args[1:], func(_ string, d *description) error {
		b, err := p.readAll(d)
		for l := range strings.Lines(string(b)) {
			l, nl := strings.CutSuffix(l, "\n")
			r := []rune(l)
			slices.Reverse(r)
			p.print(string(r))
			if nl {
				p.print("\n")
			}
		}
		return err
	})
}

func cmdNl(p *Process) int {
	o, ok := p.getopt("b:w:s:n:", "body-numbering=>b number-width=>w number-separator=>s number-format=>n")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "w", "s", "n") {
		return 1
	}
	n := 0
	return p.eachInput(o.args, func(_ string, d *description) error {
		b, err := p.readAll(d)
		for l := range strings.Lines(string(b)) {
			if strings.TrimSuffix(l, "\n") == "" && o.get("b") != "a" {
				p.print("       ", l)
				continue
			}
			n++
			p.printf("%6d\t%s", n, l)
		}
		return err
	})
}

func cmdPaste(p *Process) int {
	o, ok := p.getopt("d:sz", "delimiters=>d serial>s zero-terminated>z")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "z") {
		return 1
	}
	sep := "\t"
	if o.has("d") {
		b, _ := unescapeB(nil, o.get("d"), false)
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
	for _, a := range o.args {
		if a == "-" {
			dashes++
		}
	}
	var stdin []string
	code := 0
	if dashes > 1 {
		// Each - takes the next line of standard input in turn.
		code = p.eachInput([]string{"-"}, func(_ string, d *description) error {
			b, err := p.readAll(d)
			stdin, _ = lines(b, '\n')
			return err
		})
	}
	turn := 0
	for _, a := range append(o.args, []string{"-"}[:btoi(len(o.args) == 0)]...) {
		if a == "-" && dashes > 1 {
			var col []string
			for i := turn; i < len(stdin); i += dashes {
				col = append(col, stdin[i])
			}
			turn++
			cols = append(cols, col)
			continue
		}
		code |= p.eachInput([]string{a}, func(_ string, d *description) error {
			b, err := p.readAll(d)
			l, _ := lines(b, '\n')
			cols = append(cols, l)
			return err
		})
	}
	if o.has("s") {
		for _, c := range cols {
			for i, v := range c {
				if i > 0 {
					p.print(delim(i - 1))
				}
				p.print(v)
			}
			p.print("\n")
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
		p.print(row, "\n")
	}
}

func cmdComm(p *Process) int {
	o, ok := p.getopt("123z", "check-order nocheck-order output-delimiter= total zero-terminated>z")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "z", "output-delimiter", "total") {
		return 1
	}
	if len(o.args) != 2 {
		p.errorf("missing operand")
		return p.usage(1)
	}
	var l [2][]string
	for i, a := range o.args {
		d, err := p.in(a)
		if err != nil {
			p.errorf("%s: %s", a, strerror(err))
			return 1
		}
		b, _ := p.readAll(d)
		d.release()
		l[i], _ = lines(b, '\n')
	}
	a, b := l[0], l[1]
	col := func(n int, s string) {
		if o.has(strconv.Itoa(n)) {
			return
		}
		for i := 1; i < n; i++ {
			if !o.has(strconv.Itoa(i)) {
				p.print("\t")
			}
		}
		p.print(s, "\n")
	}
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			col(1, a[0])
			a = a[1:]
		case len(a) == 0 || b[0] < a[0]:
			col(2, b[0])
			b = b[1:]
		default:
			col(3, a[0])
			a, b = a[1:], b[1:]
		}
	}
	return 0
}

func cmdFold(p *Process) int {
	o, ok := p.getopt("bsw:", "bytes>b spaces>s width=>w")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "s") {
		return 1
	}
	w := 80
	if o.has("w") {
		w, _ = strconv.Atoi(o.get("w"))
	}
	return p.eachInput(o.args, func(_ string, d *description) error {
		b, err := p.readAll(d)
		for l := range strings.Lines(string(b)) {
			body, nl := strings.CutSuffix(l, "\n")
			for len(body) > w && w > 0 {
				p.print(body[:w], "\n")
				body = body[w:]
			}
			p.print(body)
			if nl {
				p.print("\n")
			}
		}
		return err
	})
}

func cmdExpr(p *Process) int {
	a := p.Args[1:]
	num := func(s string) (int64, bool) {
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil
	}
	if len(a) == 3 {
		x, ok1 := num(a[0])
		y, ok2 := num(a[2])
		var v int64
		switch a[1] {
		case "+", "-", "*", "/", "%":
			if !ok1 || !ok2 {
				p.errorf("non-integer argument")
				return 2
			}
			switch a[1] {
			case "+":
				v = x + y
			case "-":
				v = x - y
			case "*":
				v = x * y
			default:
				if y == 0 {
					p.errorf("division by zero")
					return 2
				}
				if v = x / y; a[1] == "%" {
					v = x % y
				}
			}
			p.printf("%d\n", v)
			return btoi(v == 0)
		case "=", "!=", "<", ">", "<=", ">=":
			c := strings.Compare(a[0], a[2])
			if ok1 && ok2 {
				c = 0
				if x < y {
					c = -1
				} else if x > y {
					c = 1
				}
			}
			ok := map[string]bool{"=": c == 0, "!=": c != 0, "<": c < 0, ">": c > 0, "<=": c <= 0, ">=": c >= 0}[a[1]]
			p.printf("%d\n", btoi(ok))
			return btoi(!ok)
		case ":":
			re, err := compileRegexp("^"+strings.TrimPrefix(a[2], "^"), false)
			if err != nil {
				p.errorf("%v", err)
				return 2
			}
			m := re.FindStringSubmatch(a[0])
			if len(m) > 1 {
				p.print(m[1], "\n")
				return btoi(m[1] == "")
			}
			n := 0
			if m != nil {
				n = utf8.RuneCountInString(m[0])
			}
			p.printf("%d\n", n)
			return btoi(n == 0)
		}
	}
	if len(a) == 1 {
		p.print(a[0], "\n")
		return btoi(a[0] == "" || a[0] == "0")
	}
	p.errorf("hosttest: only expressions of three operands are supported")
	return 2
}

// cmdAwk is awk, by goawk. The operand files are read as one stream: FILENAME and FNR know nothing of them, so that a
// program which asks fails loudly. It starts no command and writes no file.
func cmdAwk(p *Process) int {
	o, ok := p.getopt("+F:v:f:W:", "field-separator=>F assign=>v file=>f")
	if !ok {
		return 2
	}
	args := o.args
	var src string
	if o.has("f") {
		for _, f := range o.all("f") {
			b, err := p.readFile(f)
			if err != nil {
				p.errorf("couldn't open file %s", f)
				return 2
			}
			src += string(b) + "\n"
		}
	} else {
		if len(args) == 0 {
			p.warn("usage: mawk [Options] [Program] [file ...]\n")
			return 2
		}
		src, args = args[0], args[1:]
	}
	prog, err := parser.ParseProgram([]byte(src), nil)
	if err != nil {
		p.errorf("%v", err)
		return 2
	}
	cfg := &interp.Config{Argv0: "awk", Output: p.Stdout(), Error: p.Stderr(), NoExec: true, NoFileWrites: true, NoFileReads: true, Environ: []string{}}
	for _, e := range p.Env {
		n, v, _ := strings.Cut(e, "=")
		cfg.Environ = append(cfg.Environ, n, v)
	}
	for _, v := range o.all("v") {
		n, val, ok := strings.Cut(v, "=")
		if !ok {
			p.errorf("improper assignment: -v %s", v)
			return 2
		}
		b, _ := unescapeB(nil, val, false)
		cfg.Vars = append(cfg.Vars, n, string(b))
	}
	if o.has("F") {
		fs := o.get("F")
		if fs == "t" || fs == `\t` {
			fs = "\t"
		}
		cfg.Vars = append(cfg.Vars, "FS", fs)
	}
	var input bytes.Buffer
	files := 0
	for _, a := range args {
		if n, v, ok := strings.Cut(a, "="); ok && validName(n) && files == 0 {
			cfg.Vars = append(cfg.Vars, n, v)
			continue
		}
		files++
		d, err := p.in(a)
		if err != nil {
			p.warn("awk: cannot open \"%s\" (%s)\n", a, strerror(err))
			return 2
		}
		b, _ := p.readAll(d)
		d.release()
		input.Write(b)
		if len(b) > 0 && b[len(b)-1] != '\n' {
			input.WriteByte('\n')
		}
	}
	if files > 1 && strings.Contains(src, "FNR") || strings.Contains(src, "FILENAME") {
		p.errorf("hosttest: FILENAME, and FNR with several files, are not supported")
		return 2
	}
	cfg.Stdin = p.Stdin()
	if files > 0 {
		cfg.Stdin = &input
	}
	code, err := interp.ExecProgram(prog, cfg)
	p.check()
	if errors.Is(err, syscall.EPIPE) {
		p.die(sigPIPE)
		p.check()
	}
	if err != nil {
		p.errorf("%v", err)
		return 2
	}
	return code
}

func cmdDiff(p *Process) int {
	o, ok := p.getopt("uU:qrNwbBsaiEZ", "unified[=>u brief>q recursive>r new-file>N label= ignore-all-space>w report-identical-files>s text>a color[=")
	if !ok {
		return p.usage(2)
	}
	if p.unsupported(o, "r", "N", "w", "b", "B", "i", "E", "Z") {
		return 2
	}
	if len(o.args) != 2 {
		p.errorf("missing operand after '%s'", p.Args[len(p.Args)-1])
		return p.usage(2)
	}
	var text [2]string
	for i, a := range o.args {
		d, err := p.in(a)
		var b []byte
		if err == nil {
			b, err = p.readAll(d)
			d.release()
		}
		if err != nil {
			p.errorf("%s: %s", a, strerror(err))
			return 2
		}
		text[i] = string(b)
	}
	if text[0] == text[1] {
		return 0
	}
	if o.has("q") {
		p.printf("Files %s and %s differ\n", o.args[0], o.args[1])
		return 1
	}
	if !o.has("u", "U") {
		p.errorf("hosttest: only -u and -q are supported")
		return 2
	}
	n := 3
	if o.has("U") {
		n, _ = strconv.Atoi(o.get("U"))
	}
	labels := o.all("label")
	for i, a := range o.args {
		l := a
		if i < len(labels) {
			l = labels[i]
		} else if st, err := p.stat(a); err == nil {
			l += "\t" + p.localTime(st.Mtime).Format(statTime)
		}
		p.print([]string{"--- ", "+++ "}[i], l, "\n")
	}
	p.print(unifiedDiff(text[0], text[1], n))
	return 1
}

// unifiedDiff gives the hunks between two texts with n lines of context, by the longest common subsequence.
func unifiedDiff(a, b string, n int) string {
	x, y := strings.SplitAfter(a, "\n"), strings.SplitAfter(b, "\n")
	if len(x) > 0 && x[len(x)-1] == "" {
		x = x[:len(x)-1]
	}
	if len(y) > 0 && y[len(y)-1] == "" {
		y = y[:len(y)-1]
	}
	lcs := make([][]int32, len(x)+1)
	for i := range lcs {
		lcs[i] = make([]int32, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				lcs[i][j] = lcs[i+1][j+1] + 1
			} else {
				lcs[i][j] = max(lcs[i+1][j], lcs[i][j+1])
			}
		}
	}
	type edit struct {
		op   byte
		line string
		i, j int
	}
	var edits []edit
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			edits = append(edits, edit{' ', x[i], i, j})
			i++
			j++
		case i < len(x) && (j == len(y) || lcs[i+1][j] >= lcs[i][j+1]):
			edits = append(edits, edit{'-', x[i], i, j})
			i++
		default:
			edits = append(edits, edit{'+', y[j], i, j})
			j++
		}
	}
	var out strings.Builder
	for k := 0; k < len(edits); {
		if edits[k].op == ' ' {
			k++
			continue
		}
		start := max(0, k-n)
		end := k
		for m := k; m < len(edits) && m <= end+2*n; m++ {
			if edits[m].op != ' ' {
				end = m
			}
		}
		stop := min(len(edits), end+n+1)
		na, nb := 0, 0
		for _, e := range edits[start:stop] {
			if e.op != '+' {
				na++
			}
			if e.op != '-' {
				nb++
			}
		}
		head := func(at, n int) string {
			if n == 0 {
				return fmt.Sprintf("%d,0", at)
			}
			if n == 1 {
				return strconv.Itoa(at + 1)
			}
			return fmt.Sprintf("%d,%d", at+1, n)
		}
		fmt.Fprintf(&out, "@@ -%s +%s @@\n", head(edits[start].i, na), head(edits[start].j, nb))
		for _, e := range edits[start:stop] {
			out.WriteByte(e.op)
			out.WriteString(e.line)
			if !strings.HasSuffix(e.line, "\n") {
				out.WriteString("\n\\ No newline at end of file\n")
			}
		}
		k = stop
	}
	return out.String()
}
