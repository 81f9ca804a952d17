package sh

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// A fielder collects the fields of an expansion. Each field is kept twice: as text, and as a pattern in which what was
// quoted is escaped.
type fielder struct {
	sh     *shell
	split  bool // unquoted expansions are split into fields
	assign bool // the right side of an assignment, where a tilde may follow a colon
	ifs    string
	out    []string
	text   []byte
	pat    []byte
	glob   bool
	have   bool // the current field exists even when it is empty
	white  bool // the last field was ended by white space
}

// endOfParameter stands between the parameters of $@ until they have become fields, as in dash.
const endOfParameter = "\x00"

func (f *fielder) end() {
	if f.glob && f.split && !f.sh.has('f') {
		if names := f.sh.glob(string(f.pat)); len(names) > 0 {
			f.out = append(f.out, names...)
			f.text, f.pat, f.glob, f.have = f.text[:0], f.pat[:0], false, false
			return
		}
	}
	f.out = append(f.out, string(f.text))
	f.text, f.pat, f.glob, f.have = f.text[:0], f.pat[:0], false, false
}

// quoted adds text that is taken literally.
func (f *fielder) quoted(s string) {
	for {
		first, rest, more := strings.Cut(s, endOfParameter)
		f.literal(first)
		if !more {
			return
		}
		f.end()
		s = rest
	}
}

func (f *fielder) literal(s string) {
	f.have, f.white = true, false
	f.text = append(f.text, s...)
	for i := range len(s) {
		if strings.IndexByte(`*?[]\!-^`, s[i]) >= 0 {
			f.pat = append(f.pat, '\\')
		}
		f.pat = append(f.pat, s[i])
	}
}

// plain adds unquoted text of the script: not split, but it may be a pattern.
func (f *fielder) plain(s string) {
	if s == "" {
		return
	}
	f.have, f.white = true, false
	f.text = append(f.text, s...)
	f.pat = append(f.pat, s...)
	if strings.ContainsAny(s, "*?[") {
		f.glob = true
	}
}

// expanded adds the result of an unquoted expansion.
func (f *fielder) expanded(s string) {
	if !f.split {
		f.text = append(f.text, s...)
		f.pat = append(f.pat, s...)
		if s != "" {
			f.have = true
		}
		return
	}
	f.white = false // white space at the end of one expansion does not take the separator that begins the next
	for i := range len(s) {
		c := s[i]
		if strings.IndexByte(f.ifs, c) < 0 && c != endOfParameter[0] {
			f.have, f.white = true, false
			f.text = append(f.text, c)
			f.pat = append(f.pat, c)
			if c == '*' || c == '?' || c == '[' {
				f.glob = true
			}
			continue
		}
		if c == ' ' || c == '\t' || c == '\n' || c == endOfParameter[0] {
			if f.have {
				f.end()
				f.white = true
			}
			continue
		}
		if f.white && !f.have {
			f.white = false
			continue
		}
		f.end()
	}
}

func (sh *shell) newFielder(split bool) *fielder {
	ifs, set := sh.get("IFS")
	if !set {
		ifs = " \t\n"
	}
	return &fielder{sh: sh, split: split, ifs: ifs}
}

// fields expands words into arguments.
func (sh *shell) fields(words []*syntax.Word) []string {
	if len(words) == 0 {
		return nil
	}
	f := sh.newFielder(true)
	for _, w := range words {
		if len(w.Parts) == 1 {
			if l, ok := w.Parts[0].(*syntax.Lit); ok && !strings.ContainsAny(l.Value, `\*?[~`) {
				f.out = append(f.out, l.Value)
				continue
			}
		}
		f.white = false
		sh.parts(f, w.Parts, bare)
		if f.have {
			f.end()
		}
	}
	return f.out
}

// word expands a word without splitting or pathname expansion.
func (sh *shell) word(w *syntax.Word) string {
	if w == nil {
		return ""
	}
	f := sh.newFielder(false)
	sh.parts(f, w.Parts, bare)
	return string(f.text)
}

// assignWord expands the right side of an assignment.
func (sh *shell) assignWord(w *syntax.Word) string {
	f := sh.newFielder(false)
	f.assign = true
	sh.parts(f, w.Parts, bare)
	return string(f.text)
}

func (sh *shell) heredoc(r *syntax.Redirect) string {
	quoted := false
	for _, p := range r.Word.Parts {
		switch p := p.(type) {
		case *syntax.Lit:
			quoted = quoted || strings.Contains(p.Value, `\`)
		default:
			quoted = true
		}
	}
	var b strings.Builder
	strip := r.Op == syntax.DashHdoc
	if quoted {
		for _, p := range r.Hdoc.Parts {
			b.WriteString(p.(*syntax.Lit).Value)
		}
		return stripTabs(b.String(), strip)
	}
	f := sh.newFielder(false)
	for _, p := range r.Hdoc.Parts {
		if l, ok := p.(*syntax.Lit); ok {
			f.quoted(unescapeDouble(stripTabs(l.Value, strip), false))
			continue
		}
		sh.parts(f, []syntax.WordPart{p}, double)
	}
	return string(f.text)
}

func stripTabs(s string, strip bool) string {
	if !strip {
		return s
	}
	lines := strings.SplitAfter(s, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimLeft(l, "\t")
	}
	return strings.Join(lines, "")
}

// unescapeDouble removes the backslashes that quote something within double quotes (or a here-document).
func unescapeDouble(s string, quotes bool) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			switch c := s[i+1]; {
			case c == '$' || c == '`' || c == '\\' || c == '"' && quotes:
				out = append(out, c)
				i++
				continue
			case c == '\n':
				i++
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// A quoting is what surrounds a part of a word.
type quoting int

const (
	bare    quoting = iota
	operand         // unquoted in the word of ${x-word}, whose literal text is split into fields too
	double          // within double quotes or a here-document
)

// parts expands the parts of a word.
func (sh *shell) parts(f *fielder, parts []syntax.WordPart, q quoting) {
	dq := q == double
	for i, part := range parts {
		switch p := part.(type) {
		case *syntax.Lit:
			if dq {
				f.quoted(unescapeDouble(p.Value, true))
				continue
			}
			sh.lit(f, p.Value, q, i == 0, i == len(parts)-1)
		case *syntax.SglQuoted:
			if p.Dollar {
				f.plain("$")
			}
			f.quoted(p.Value)
		case *syntax.DblQuoted:
			if p.Dollar {
				f.plain("$")
			}
			if !onlyParameters(p.Parts) {
				f.quoted("")
			}
			sh.parts(f, p.Parts, double)
		case *syntax.ParamExp:
			sh.param(f, p, dq)
		case *syntax.CmdSubst:
			sh.result(f, sh.cmdSubst(p), dq)
		case *syntax.ArithmExp:
			n := int64(0)
			if p.X != nil {
				n = sh.arithm(p.X)
			}
			sh.result(f, strconv.FormatInt(n, 10), dq)
		default:
			sh.unsupported("word")
		}
	}
}

// onlyParameters tells whether parts are those of "$@", which alone makes no field when there are no parameters.
func onlyParameters(parts []syntax.WordPart) bool {
	if len(parts) != 1 {
		return false
	}
	p, ok := parts[0].(*syntax.ParamExp)
	return ok && p.Param != nil && p.Param.Value == "@" && p.Exp == nil && !p.Length
}

// lit expands unquoted text of the script: its tildes and backslashes. First and last tell that the word begins and ends
// with it.
func (sh *shell) lit(f *fielder, s string, q quoting, first, last bool) {
	plain := f.plain
	if q == operand {
		plain = f.expanded
	}
	if first && strings.HasPrefix(s, "~") {
		s = sh.tilde(f, s, last)
	}
	for {
		j := strings.IndexByte(s, '\\')
		k := -1
		if f.assign {
			k = strings.Index(s, ":~")
		}
		if k >= 0 && (j < 0 || k < j) {
			plain(s[:k+1])
			s = sh.tilde(f, s[k+1:], last)
			continue
		}
		if j < 0 || j+1 >= len(s) {
			plain(s)
			return
		}
		plain(s[:j])
		_, w := utf8.DecodeRuneInString(s[j+1:])
		if s[j+1] != '\n' {
			f.quoted(s[j+1 : j+1+w])
		}
		s = s[j+1+w:]
	}
}

func (sh *shell) result(f *fielder, s string, dq bool) {
	if dq {
		f.quoted(s)
	} else {
		f.expanded(s)
	}
}

// tilde expands a leading ~ or ~name and returns the rest: all of s when there is nothing to expand. Whole tells that the
// word ends with s.
func (sh *shell) tilde(f *fielder, s string, whole bool) string {
	ends := "/"
	if f.assign {
		ends = "/:"
	}
	end := strings.IndexAny(s, ends)
	if end < 0 {
		if !whole {
			return s
		}
		end = len(s)
	}
	name := s[1:end]
	if name == "" {
		home, ok := sh.get("HOME")
		if !ok {
			return s
		}
		if home != "" {
			f.quoted(home)
		}
		return s[end:]
	}
	if u := libc.UserByName(sh.p.Kernel, name); u != nil {
		f.quoted(u.Home)
		return s[end:]
	}
	return s
}

// joined gives the parameters with the first character of IFS between them.
func (sh *shell) joined() string {
	sep := " "
	if ifs, ok := sh.get("IFS"); ok {
		sep = ifs[:min(1, len(ifs))]
	}
	return strings.Join(sh.params, sep)
}

// parameters gives $@ or $*. Where fields are wanted of them, endOfParameter stands between the parameters.
func (sh *shell) parameters(f *fielder, name string, dq bool) string {
	_, ifs := sh.get("IFS")
	if f.split && (name == "@" && dq || !dq && ifs) {
		return strings.Join(sh.params, endOfParameter)
	}
	return sh.joined()
}

// special gives the value of $?, $#, $1 and the like.
func (sh *shell) special(name string) (string, bool) {
	switch name {
	case "?":
		return strconv.Itoa(sh.status), true
	case "#":
		return strconv.Itoa(len(sh.params)), true
	case "$":
		return strconv.Itoa(sh.dollar), true
	case "!":
		if sh.lastBg == 0 {
			return "", false
		}
		return strconv.Itoa(sh.lastBg), true
	case "-":
		// dash goes through its list of options from the end.
		var b strings.Builder
		for _, o := range "ubaCEVvxsnmiIfe" {
			if strings.ContainsRune(sh.opts, o) {
				b.WriteRune(o)
			}
		}
		return b.String(), true
	case "@", "*":
		return sh.joined(), true
	case "0":
		return sh.arg0, true
	}
	if n, ok := kernel.ParseUint(name); ok {
		if n >= 1 && n <= uint64(len(sh.params)) {
			return sh.params[n-1], true
		}
		return "", false
	}
	return sh.get(name)
}
