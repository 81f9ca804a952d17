package posix

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdGrep(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "EFGPe:f:ivwxcloLqshnHrRzam:A:B:C:bUTyI", "extended-regexp>E fixed-strings>F basic-regexp>G regexp=>e file=>f ignore-case>i invert-match>v word-regexp>w line-regexp>x count>c files-with-matches>l files-without-match>L only-matching>o quiet>q silent>q no-messages>s no-filename>h line-number>n with-filename>H recursive>r null-data>z text>a max-count=>m after-context=>A before-context=>B context=>C color[= colour[= null include= exclude= exclude-dir= perl-regexp>P")
	usage := func() int {
		p.Warnf("Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n")
		return 2
	}
	if !ok {
		return usage()
	}
	if libc.Unsupported(p, o, "b", "T", "U", "I", "exclude", "exclude-dir") {
		return 2
	}
	if o.Has("P") {
		p.Errorf("hosttest: -P is not supported")
		return 2
	}
	files := o.Args
	var pats []string
	for _, x := range o.Order {
		switch x.Name {
		case "e":
			pats = append(pats, strings.Split(x.Value, "\n")...)
		case "f":
			d, err := libc.OpenInput(p, x.Value)
			if err != nil {
				p.Errorf("%s: %s", x.Value, kernel.Strerror(err))
				return 2
			}
			b, _ := p.ReadAll(d)
			d.Release()
			l, _ := libc.Lines(b, '\n')
			pats = append(pats, l...)
		}
	}
	if !o.Has("e", "f") {
		if len(files) == 0 {
			return usage()
		}
		pats = strings.Split(files[0], "\n")
		files = files[1:]
	}
	fixed := o.Has("F") || p.Name() == "fgrep"
	ext := o.Has("E") || p.Name() == "egrep"
	var alts []string
	for _, pat := range pats {
		var s string
		if fixed {
			s = regexp.QuoteMeta(pat)
		} else {
			t, err := libc.TranslateRegexp(pat, ext)
			if err != nil {
				p.Errorf("%v", err)
				return 2
			}
			s = strings.TrimPrefix(t, "(?s)")
		}
		switch {
		case o.Has("x"):
			s = `\A(?:` + s + `)\z`
		}
		alts = append(alts, "(?:"+s+")")
	}
	flags := "(?s)"
	if o.Has("i", "y") {
		flags = "(?si)"
	}
	var re *regexp.Regexp
	matches := func(l string) bool { return re != nil && re.MatchString(l) }
	plain := fixed && !o.Has("i", "y", "w", "o") // bytes, whatever they encode
	if plain {
		matches = func(l string) bool {
			return slices.ContainsFunc(pats, func(pat string) bool { return l == pat || !o.Has("x") && strings.Contains(l, pat) })
		}
	}
	if len(alts) > 0 && !plain {
		var err error
		if re, err = regexp.Compile(flags + strings.Join(alts, "|")); err != nil {
			p.Errorf("Invalid regular expression")
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
	if o.Has("w") && re != nil {
		whole := regexp.MustCompile(flags + `\A(?:` + strings.Join(alts, "|") + `)\z`)
		find = func(l string) [][]int { return wordMatches(re, whole, l) }
		matches = func(l string) bool { return len(find(l)) > 0 }
	}
	delim := byte('\n')
	if o.Has("z") {
		delim = 0
	}
	limit := -1
	if o.Has("m") {
		limit, _ = strconv.Atoi(o.Get("m"))
	}
	context := func(names ...string) int {
		n, _ := strconv.Atoi(o.Get(names...))
		return n
	}
	before, after := context("B", "C"), context("A", "C")
	recursive := o.Has("r", "R")
	if len(files) == 0 {
		files = []string{"-"}
		if recursive {
			files = []string{"."}
		}
	}
	named := (len(files) > 1 || recursive || o.Has("H")) && !o.Has("h")
	matched, failed := false, false
	one := func(name string) bool { // false: stop
		d, err := libc.OpenInput(p, name)
		var data []byte
		if err == nil {
			data, err = p.ReadAll(d)
			d.Release()
		}
		if err != nil {
			if !o.Has("s") {
				p.Flush()
				p.Errorf("%s: %s", name, kernel.Strerror(err))
			}
			failed = true
			return true
		}
		shown := name
		if name == "-" {
			shown = "(standard input)"
		}
		ls, _ := libc.Lines(data, delim)
		binary := !o.Has("a", "z") && bytes.IndexByte(data, 0) >= 0
		count := 0
		last := -1
		until := -1
		prefix := func(n int, sep string) {
			if named {
				p.Print(shown, sep)
			}
			if o.Has("n") {
				p.Print(strconv.Itoa(n+1), sep)
			}
		}
		for i, l := range ls {
			hit := matches(l)
			if hit == o.Has("v") {
				if i <= until && !o.Has("c", "l", "L", "q", "o") {
					prefix(i, "-")
					p.Print(l, string(rune(delim)))
					last = i
				}
				continue
			}
			if limit == 0 {
				break
			}
			count++
			matched = true
			if o.Has("q") {
				return false
			}
			if o.Has("l", "L") {
				break
			}
			if !o.Has("c") {
				if binary {
					p.Flush()
					p.Errorf("%s: binary file matches", shown)
					return true
				}
				if (before > 0 || after > 0) && last >= 0 && i-before > last+1 {
					p.Print("--\n")
				}
				for j := max(i-before, last+1); j < i; j++ {
					prefix(j, "-")
					p.Print(ls[j], string(rune(delim)))
				}
				if o.Has("o") {
					if !o.Has("v") {
						for _, m := range find(l) {
							if m[0] < m[1] {
								prefix(i, ":")
								p.Print(l[m[0]:m[1]], string(rune(delim)))
							}
						}
					}
				} else {
					prefix(i, ":")
					p.Print(l, string(rune(delim)))
				}
				last, until = i, i+after
			}
			if limit > 0 && count >= limit {
				break
			}
		}
		end := "\n"
		if o.Has("null") {
			end = "\x00"
		}
		switch {
		case o.Has("l"):
			if count > 0 {
				p.Print(shown, end)
			}
		case o.Has("L"):
			if count == 0 {
				p.Print(shown, end)
			}
		case o.Has("c"):
			if named {
				p.Print(shown, ":")
			}
			p.Print(strconv.Itoa(count), "\n")
		}
		return true
	}
	for _, f := range files {
		if st, err := p.Stat(f); err == nil && st.IsDir() && f != "-" {
			if !recursive {
				if !o.Has("s") {
					p.Flush()
					p.Print("")
					p.Errorf("%s: Is a directory", f)
				}
				failed = true
				continue
			}
			var list []string
			libc.Walk(p, f, true, func(name string, st kernel.Stat) error {
				if st.IsRegular() {
					if inc := o.All("include"); len(inc) > 0 && !slices.ContainsFunc(inc, func(g string) bool { return libc.Fnmatch(g, name[strings.LastIndexByte(name, '/')+1:]) }) {
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
	case failed && !(o.Has("q") && matched):
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
		return i >= 0 && i < len(l) && (l[i] == '_' || libc.InClass("alnum", rune(l[i])))
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
