package sh

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// param expands $x and all that stands in ${}.
func (sh *shell) param(f *fielder, p *syntax.ParamExp, dq bool) {
	if p.Excl || p.Width || p.Slice != nil || p.Repl != nil || p.Names != 0 || p.Index != nil || p.NestedParam != nil ||
		p.Param == nil {
		sh.fail(2, "Bad substitution")
	}
	name := p.Param.Value
	val, set := sh.special(name)
	if !set && sh.has('u') && (p.Exp == nil || isRemoval(p.Exp.Op)) {
		sh.fail(2, "%s: parameter not set", name)
	}
	if p.Length {
		f.result(strconv.Itoa(len(val)), dq) // dash counts bytes
		return
	}
	if name == "@" || name == "*" {
		val = sh.parameters(f, name, dq)
	}
	if p.Exp == nil {
		if name != "@" || len(sh.params) > 0 {
			f.result(val, dq)
		}
		return
	}
	missing := !set
	switch p.Exp.Op {
	case syntax.AlternateUnsetOrNull, syntax.DefaultUnsetOrNull, syntax.ErrorUnsetOrNull, syntax.AssignUnsetOrNull:
		missing = missing || val == ""
	}
	switch op := p.Exp.Op; op {
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		if !missing {
			sh.operand(f, p.Exp.Word, dq)
		} else if dq {
			f.quoted("")
		}
		return
	case syntax.DefaultUnset, syntax.DefaultUnsetOrNull:
		if missing {
			sh.operand(f, p.Exp.Word, dq)
			return
		}
	case syntax.AssignUnset, syntax.AssignUnsetOrNull:
		if missing {
			val = sh.assignDefault(name, p.Exp.Word, dq)
		}
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		if missing {
			sh.missing(name, p.Exp)
		}
	default:
		if !isRemoval(op) {
			sh.fail(2, "Bad substitution")
		}
		if set { // otherwise the pattern is not even expanded
			val = trim(val, sh.pattern(p.Exp.Word), op)
		}
	}
	f.result(val, dq)
}

func isRemoval(op syntax.ParExpOperator) bool {
	switch op {
	case syntax.RemSmallSuffix, syntax.RemLargeSuffix, syntax.RemSmallPrefix, syntax.RemLargePrefix:
		return true
	}
	return false
}

// assignDefault does what ${x=word} asks for when x is missing, and gives the new value.
func (sh *shell) assignDefault(name string, word *syntax.Word, dq bool) string {
	if !libc.IsName(name) {
		sh.fail(2, "%s: bad variable name", name)
	}
	g := sh.newFielder(false)
	sh.operand(g, word, dq)
	sh.assign(name, string(g.text))
	return string(g.text)
}

// missing ends the shell as ${x?word} does when x is missing.
func (sh *shell) missing(name string, e *syntax.Expansion) {
	msg := "parameter not set"
	switch {
	case e.Word != nil && len(e.Word.Parts) > 0:
		msg = sh.word(e.Word)
	case e.Op == syntax.ErrorUnsetOrNull:
		msg = "parameter not set or null"
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

// trim removes a prefix or suffix. Like dash, which keeps its strings as C does, it matches no pattern against more
// than one of the parameters of "${@#x}".
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
