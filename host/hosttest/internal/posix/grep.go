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

// grep is one run of it.
type grep struct {
	p    *kernel.Process
	o    *libc.Options
	pats []string

	matches func(line string) bool
	find    func(line string) [][]int // of -o: where the matches are

	delim         byte // of lines
	limit         int  // of matching lines in a file; < 0 means none
	before, after int  // lines of context
	named         bool // the file's name is printed
	recursive     bool

	matched, failed bool
}

func grepUsage(p *kernel.Process) int {
	p.Warnf("Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n")
	return 2
}

func cmdGrep(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "EFGPe:f:ivwxcloLqshnHrRzam:A:B:C:bUTyI",
		"extended-regexp>E fixed-strings>F basic-regexp>G regexp=>e file=>f ignore-case>i invert-match>v "+
			"word-regexp>w line-regexp>x count>c files-with-matches>l files-without-match>L only-matching>o quiet>q "+
			"silent>q no-messages>s no-filename>h line-number>n with-filename>H recursive>r null-data>z text>a "+
			"max-count=>m after-context=>A before-context=>B context=>C color[= colour[= null include= exclude= "+
			"exclude-dir= perl-regexp>P")
	if !ok {
		return grepUsage(p)
	}
	if libc.Unsupported(p, o, "b", "T", "U", "I", "exclude", "exclude-dir") {
		return 2
	}
	if o.Has("P") {
		p.Errorf("hosttest: -P is not supported")
		return 2
	}
	g := &grep{p: p, o: o, delim: '\n', limit: -1, recursive: o.Has("r", "R")}
	files := o.Args
	if !g.readPatterns() {
		return 2
	}
	if !o.Has("e", "f") {
		if len(files) == 0 {
			return grepUsage(p)
		}
		g.pats = strings.Split(files[0], "\n")
		files = files[1:]
	}
	if !g.compile() {
		return 2
	}
	if o.Has("z") {
		g.delim = 0
	}
	if o.Has("m") {
		g.limit, _ = strconv.Atoi(o.Get("m"))
	}
	g.before, _ = strconv.Atoi(o.Get("B", "C"))
	g.after, _ = strconv.Atoi(o.Get("A", "C"))
	if len(files) == 0 {
		files = []string{"-"}
		if g.recursive {
			files = []string{"."}
		}
	}
	g.named = (len(files) > 1 || g.recursive || o.Has("H")) && !o.Has("h")
	for _, f := range files {
		if !g.operand(f) {
			return 0
		}
	}
	switch {
	case g.failed && !(o.Has("q") && g.matched):
		return 2
	case g.matched:
		return 0
	}
	return 1
}

// readPatterns reads -e and -f.
func (g *grep) readPatterns() bool {
	for _, x := range g.o.Order {
		switch x.Name {
		case "e":
			g.pats = append(g.pats, strings.Split(x.Value, "\n")...)
		case "f":
			d, err := libc.OpenInput(g.p, x.Value)
			if err != nil {
				g.p.Errorf("%s: %s", x.Value, kernel.Strerror(err))
				return false
			}
			b, _ := g.p.ReadAll(d)
			d.Release()
			l, _ := libc.Lines(b, '\n')
			g.pats = append(g.pats, l...)
		}
	}
	return true
}

// compile makes matches and find of the patterns.
func (g *grep) compile() bool {
	o, name := g.o, g.p.Name()
	fixed := o.Has("F") || name == "fgrep"
	g.find = func(string) [][]int { return nil }
	if fixed && !o.Has("i", "y", "w", "o") { // bytes, whatever they encode
		g.matches = func(l string) bool {
			return slices.ContainsFunc(g.pats, func(pat string) bool {
				return l == pat || !o.Has("x") && strings.Contains(l, pat)
			})
		}
		return true
	}
	g.matches = func(string) bool { return false }
	if len(g.pats) == 0 {
		return true
	}
	var alts []string
	for _, pat := range g.pats {
		s := regexp.QuoteMeta(pat)
		if !fixed {
			t, err := libc.TranslateRegexp(pat, o.Has("E") || name == "egrep")
			if err != nil {
				g.p.Errorf("%v", err)
				return false
			}
			s = strings.TrimPrefix(t, "(?s)")
		}
		if o.Has("x") {
			s = `\A(?:` + s + `)\z`
		}
		alts = append(alts, "(?:"+s+")")
	}
	flags, any := "(?s)", strings.Join(alts, "|")
	if o.Has("i", "y") {
		flags = "(?si)"
	}
	re, err := regexp.Compile(flags + any)
	if err != nil {
		g.p.Errorf("Invalid regular expression")
		return false
	}
	re.Longest()
	g.matches = re.MatchString
	g.find = func(l string) [][]int { return re.FindAllStringIndex(l, -1) }
	if o.Has("w") {
		whole := regexp.MustCompile(flags + `\A(?:` + any + `)\z`)
		g.find = func(l string) [][]int { return wordMatches(re, whole, l) }
		g.matches = func(l string) bool { return len(g.find(l)) > 0 }
	}
	return true
}

// operand searches a file, or the files of a directory. It reports whether to go on.
func (g *grep) operand(f string) bool {
	st, err := g.p.Stat(f)
	if err != nil || !st.IsDir() || f == "-" {
		return g.file(f)
	}
	if !g.recursive {
		if !g.o.Has("s") {
			g.p.Flush()
			g.p.Errorf("%s: Is a directory", f)
		}
		g.failed = true
		return true
	}
	var list []string
	include := g.o.All("include")
	libc.Walk(g.p, f, true, func(name string, st kernel.Stat) error {
		base := name[strings.LastIndexByte(name, '/')+1:]
		if st.IsRegular() &&
			(len(include) == 0 || slices.ContainsFunc(include, func(pat string) bool {
				return libc.Fnmatch(pat, base)
			})) {
			list = append(list, name)
		}
		return nil
	})
	for _, n := range list {
		if !g.file(n) {
			return false
		}
	}
	return true
}

// file searches one file. It reports whether to go on.
func (g *grep) file(name string) bool {
	d, err := libc.OpenInput(g.p, name)
	var data []byte
	if err == nil {
		data, err = g.p.ReadAll(d)
		d.Release()
	}
	if err != nil {
		if !g.o.Has("s") {
			g.p.Flush()
			g.p.Errorf("%s: %s", name, kernel.Strerror(err))
		}
		g.failed = true
		return true
	}
	if name == "-" {
		name = "(standard input)"
	}
	lines, _ := libc.Lines(data, g.delim)
	binary := !g.o.Has("a", "z") && bytes.IndexByte(data, 0) >= 0
	count, more := g.lines(name, lines, binary)
	if more {
		g.summary(name, count)
	}
	return more || !g.o.Has("q")
}

// lines prints the lines of a file that match, and counts them. more is false when nothing is to be said of the file
// any more.
func (g *grep) lines(name string, lines []string, binary bool) (count int, more bool) {
	o := g.o
	last, until := -1, -1 // printed, and to be printed as context
	for i, l := range lines {
		if g.matches(l) == o.Has("v") {
			if i <= until && !o.Has("c", "l", "L", "q", "o") {
				g.print(name, i, "-", l)
				last = i
			}
			continue
		}
		if g.limit == 0 {
			break
		}
		count++
		g.matched = true
		switch {
		case o.Has("q"):
			return count, false
		case o.Has("l", "L"):
			return count, true
		case o.Has("c"):
		case binary:
			g.p.Flush()
			g.p.Errorf("%s: binary file matches", name)
			return count, false
		default:
			if (g.before > 0 || g.after > 0) && last >= 0 && i-g.before > last+1 {
				g.p.Print("--\n")
			}
			for j := max(i-g.before, last+1); j < i; j++ {
				g.print(name, j, "-", lines[j])
			}
			g.hit(name, i, l)
			last, until = i, i+g.after
		}
		if g.limit > 0 && count >= g.limit {
			break
		}
	}
	return count, true
}

// hit prints a line that matches, or its matches.
func (g *grep) hit(name string, n int, l string) {
	if !g.o.Has("o") {
		g.print(name, n, ":", l)
		return
	}
	if g.o.Has("v") {
		return
	}
	for _, m := range g.find(l) {
		if m[0] < m[1] {
			g.print(name, n, ":", l[m[0]:m[1]])
		}
	}
}

func (g *grep) print(name string, n int, sep, text string) {
	if g.named {
		g.p.Print(name, sep)
	}
	if g.o.Has("n") {
		g.p.Print(strconv.Itoa(n+1), sep)
	}
	g.p.Print(text, string(rune(g.delim)))
}

// summary is what -l, -L and -c say of a file.
func (g *grep) summary(name string, count int) {
	end := "\n"
	if g.o.Has("null") {
		end = "\x00"
	}
	switch {
	case g.o.Has("l"):
		if count > 0 {
			g.p.Print(name, end)
		}
	case g.o.Has("L"):
		if count == 0 {
			g.p.Print(name, end)
		}
	case g.o.Has("c"):
		if g.named {
			g.p.Print(name, ":")
		}
		g.p.Print(strconv.Itoa(count), "\n")
	}
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
