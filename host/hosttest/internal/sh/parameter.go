package sh

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func (sh *shell) param(f *fielder, p *syntax.ParamExp, dq bool) {
	if p.Excl || p.Width || p.Slice != nil || p.Repl != nil || p.Names != 0 || p.Index != nil || p.NestedParam != nil ||
		p.Param == nil {
		sh.fail(2, "Bad substitution")
	}
	name := p.Param.Value
	val, set := sh.special(name)
	if p.Length {
		if !set && sh.has('u') {
			sh.unsetError(name, "")
		}
		sh.result(f, strconv.Itoa(len(val)), dq) // dash counts bytes
		return
	}
	list := name == "@" || name == "*"
	if p.Exp == nil {
		if !set && !list && sh.has('u') {
			sh.unsetError(name, "parameter not set")
		}
		sh.value(f, name, val, dq)
		return
	}
	op := p.Exp.Op
	null := false
	switch op {
	case syntax.AlternateUnsetOrNull, syntax.DefaultUnsetOrNull, syntax.ErrorUnsetOrNull, syntax.AssignUnsetOrNull:
		null = val == ""
	}
	missing := !set || null
	switch op {
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		if !missing {
			sh.operand(f, p.Exp.Word, dq)
		} else if dq {
			f.quoted("")
		}
	case syntax.DefaultUnset, syntax.DefaultUnsetOrNull:
		if missing {
			sh.operand(f, p.Exp.Word, dq)
		} else {
			sh.value(f, name, val, dq)
		}
	case syntax.AssignUnset, syntax.AssignUnsetOrNull:
		if missing {
			if !libc.IsName(name) {
				sh.fail(2, "Bad substitution")
			}
			g := sh.newFielder(false)
			sh.operand(g, p.Exp.Word, dq)
			val = string(g.text)
			sh.assign(name, val)
		}
		sh.result(f, val, dq)
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		if missing {
			msg := "parameter not set"
			if p.Exp.Word != nil && len(p.Exp.Word.Parts) > 0 {
				msg = sh.word(p.Exp.Word)
			} else if op == syntax.ErrorUnsetOrNull {
				msg = "parameter not set or null"
			}
			sh.unsetError(name, msg)
		}
		sh.value(f, name, val, dq)
	case syntax.RemSmallSuffix, syntax.RemLargeSuffix, syntax.RemSmallPrefix, syntax.RemLargePrefix:
		if !set && !list && sh.has('u') {
			sh.unsetError(name, "parameter not set")
		}
		pat := sh.pattern(p.Exp.Word)
		sh.result(f, trim(val, pat, op), dq)
	default:
		sh.fail(2, "Bad substitution")
	}
}

func (sh *shell) unsetError(name, msg string) {
	if msg == "" {
		msg = "parameter not set"
	}
	sh.fail(2, "%s: %s", name, msg)
}

// operand expands the word of ${x-word}.
func (sh *shell) operand(f *fielder, w *syntax.Word, dq bool) {
	if w == nil || len(w.Parts) == 0 {
		if dq {
			f.quoted("")
		}
		return
	}
	if dq {
		for _, p := range w.Parts {
			switch p := p.(type) {
			case *syntax.Lit:
				// Within double quotes a closing brace may be escaped too.
				f.quoted(unescapeDouble(strings.ReplaceAll(p.Value, `\}`, "}"), true))
			case *syntax.SglQuoted:
				f.quoted("'" + p.Value + "'")
			default:
				sh.parts(f, []syntax.WordPart{p}, true, false, false)
			}
		}
		return
	}
	for i, p := range w.Parts {
		if l, ok := p.(*syntax.Lit); ok && f.split && strings.ContainsAny(l.Value, f.ifs) {
			// Literal white space of an unquoted operand separates fields.
			f.expanded(strings.ReplaceAll(l.Value, `\`, ""))
			continue
		}
		sh.parts(f, []syntax.WordPart{p}, false, i == 0, false)
	}
}

// value adds the value of a parameter, with the ways of $@ and $*.
func (sh *shell) value(f *fielder, name, val string, dq bool) {
	switch {
	case name == "@" && dq:
		for i, v := range sh.params {
			if i > 0 {
				if f.split {
					f.end()
				} else {
					f.quoted(" ")
				}
			}
			f.quoted(v)
		}
	case name == "@", name == "*" && !dq:
		for i, v := range sh.params {
			if i > 0 {
				if f.split {
					if f.have {
						f.end()
					}
				} else {
					f.expanded(" ")
				}
			}
			f.expanded(v)
		}
	default:
		sh.result(f, val, dq)
	}
}

func trim(s, pat string, op syntax.ParExpOperator) string {
	switch op {
	case syntax.RemSmallPrefix:
		for i := 0; i <= len(s); i++ {
			if libc.ShellMatch(pat, s[:i]) {
				return s[i:]
			}
		}
	case syntax.RemLargePrefix:
		for i := len(s); i >= 0; i-- {
			if libc.ShellMatch(pat, s[:i]) {
				return s[i:]
			}
		}
	case syntax.RemSmallSuffix:
		for i := len(s); i >= 0; i-- {
			if libc.ShellMatch(pat, s[i:]) {
				return s[:i]
			}
		}
	case syntax.RemLargeSuffix:
		for i := 0; i <= len(s); i++ {
			if libc.ShellMatch(pat, s[i:]) {
				return s[:i]
			}
		}
	}
	return s
}
