package sh

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func (sh *shell) param(f *fielder, p *syntax.ParamExp, dq bool) {
	if p.Excl || p.Width || p.Slice != nil || p.Repl != nil || p.Names != 0 || p.Index != nil || p.NestedParam != nil || p.Param == nil {
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
	if name == "@" || name == "*" {
		val = sh.parameters(f, name, dq)
	}
	if p.Exp == nil {
		if !set && sh.has('u') {
			sh.unsetError(name, "parameter not set")
		}
		if name != "@" || len(sh.params) > 0 {
			sh.result(f, val, dq)
		}
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
			sh.result(f, val, dq)
		}
	case syntax.AssignUnset, syntax.AssignUnsetOrNull:
		if missing {
			if !libc.IsName(name) {
				sh.fail(2, "%s: bad variable name", name)
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
		sh.result(f, val, dq)
	case syntax.RemSmallSuffix, syntax.RemLargeSuffix, syntax.RemSmallPrefix, syntax.RemLargePrefix:
		if !set && sh.has('u') {
			sh.unsetError(name, "parameter not set")
		}
		if !set { // nothing to remove: the pattern is not even expanded
			sh.result(f, "", dq)
			return
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
				sh.parts(f, []syntax.WordPart{p}, double)
			}
		}
		return
	}
	sh.parts(f, w.Parts, operand)
}

// trim removes a prefix or suffix. Like dash, which keeps its strings as C does, it matches no pattern against more than
// one of the parameters of "${@#x}".
func trim(s, pat string, op syntax.ParExpOperator) string {
	match := func(s string) bool {
		s, _, _ = strings.Cut(s, endOfParameter)
		return libc.ShellMatch(pat, s)
	}
	first, _, _ := strings.Cut(s, endOfParameter)
	switch op {
	case syntax.RemSmallPrefix:
		for i := 0; i <= len(first); i++ {
			if match(s[:i]) {
				return s[i:]
			}
		}
	case syntax.RemLargePrefix:
		for i := len(s); i >= 0; i-- {
			if match(s[:i]) {
				return s[i:]
			}
		}
	case syntax.RemSmallSuffix:
		for i := len(s); i >= 0; i-- {
			if match(s[i:]) {
				return s[:i]
			}
		}
	case syntax.RemLargeSuffix:
		for i := 0; i <= len(first); i++ {
			if match(s[i:]) {
				return s[:i]
			}
		}
	}
	return s
}
