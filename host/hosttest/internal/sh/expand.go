package sh

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

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
			f.result(sh.cmdSubst(p), dq)
		case *syntax.ArithmExp:
			n := int64(0)
			if p.X != nil {
				n = sh.arithm(p.X)
			}
			f.result(strconv.FormatInt(n, 10), dq)
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

// lit expands unquoted text of the script: its tildes and backslashes. First and last tell that the word begins and
// ends with it.
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

// tilde expands a leading ~ or ~name and returns the rest: all of s when there is nothing to expand. Whole tells that
// the word ends with s.
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
