package sh

import (
	"bytes"
	"errors"
	"io"
	"slices"
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
	sh    *shell
	split bool // unquoted expansions are split into fields
	ifs   string
	out   []string
	text  []byte
	pat   []byte
	glob  bool
	have  bool // the current field exists even when it is empty
	white bool // the last field was ended by white space
}

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
	for i := range len(s) {
		c := s[i]
		if strings.IndexByte(f.ifs, c) < 0 {
			f.have, f.white = true, false
			f.text = append(f.text, c)
			f.pat = append(f.pat, c)
			if c == '*' || c == '?' || c == '[' {
				f.glob = true
			}
			continue
		}
		if c == ' ' || c == '\t' || c == '\n' {
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
		sh.parts(f, w.Parts, false, true, false)
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
	sh.parts(f, w.Parts, false, true, false)
	return string(f.text)
}

// assignWord expands the right side of an assignment, where a tilde may follow a colon.
func (sh *shell) assignWord(w *syntax.Word) string {
	f := sh.newFielder(false)
	sh.parts(f, w.Parts, false, true, true)
	return string(f.text)
}

// pattern expands a word into a pattern.
func (sh *shell) pattern(w *syntax.Word) string {
	if w == nil {
		return ""
	}
	f := sh.newFielder(false)
	sh.parts(f, w.Parts, false, true, false)
	return string(f.pat)
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
		sh.parts(f, []syntax.WordPart{p}, true, false, false)
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

// parts expands word parts. dq is true within double quotes; start tells that the word begins here.
func (sh *shell) parts(f *fielder, parts []syntax.WordPart, dq, start, assign bool) {
	for i, part := range parts {
		switch p := part.(type) {
		case *syntax.Lit:
			if dq {
				f.quoted(unescapeDouble(p.Value, true))
				continue
			}
			s := p.Value
			if start && i == 0 && strings.HasPrefix(s, "~") {
				s = sh.tilde(f, s, len(parts) == 1)
			}
			for {
				j := strings.IndexByte(s, '\\')
				k := -1
				if assign {
					k = strings.Index(s, ":~")
				}
				if k >= 0 && (j < 0 || k < j) {
					f.plain(s[:k+1])
					s = sh.tilde(f, s[k+1:], i == len(parts)-1)
					continue
				}
				if j < 0 || j+1 >= len(s) {
					f.plain(s)
					break
				}
				f.plain(s[:j])
				_, w := utf8.DecodeRuneInString(s[j+1:])
				if s[j+1] != '\n' {
					f.quoted(s[j+1 : j+1+w])
				}
				s = s[j+1+w:]
			}
		case *syntax.SglQuoted:
			if p.Dollar {
				f.plain("$")
			}
			f.quoted(p.Value)
		case *syntax.DblQuoted:
			if p.Dollar {
				f.plain("$")
			}
			if len(p.Parts) == 0 {
				f.quoted("")
			}
			// "$@" alone makes no field when there are no parameters.
			sh.parts(f, p.Parts, true, false, false)
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

func (sh *shell) result(f *fielder, s string, dq bool) {
	if dq {
		f.quoted(s)
	} else {
		f.expanded(s)
	}
}

// tilde expands a leading ~ or ~name and returns the rest.
func (sh *shell) tilde(f *fielder, s string, whole bool) string {
	end := strings.IndexAny(s, "/:")
	if end < 0 {
		if !whole && strings.IndexByte(s, '\\') >= 0 {
			return s
		}
		end = len(s)
	}
	name := s[1:end]
	if name == "" {
		if home, ok := sh.get("HOME"); ok {
			f.quoted(home)
			return s[end:]
		}
		return s
	}
	if u := libc.UserByName(sh.p.Kernel, name); u != nil {
		f.quoted(u.Home)
		return s[end:]
	}
	return s
}

func (sh *shell) joined() string {
	sep := " "
	if ifs, ok := sh.get("IFS"); ok {
		sep = ""
		if ifs != "" {
			sep = ifs[:1]
		}
	}
	return strings.Join(sh.params, sep)
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
		return sh.joined(), len(sh.params) > 0
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

// cmdSubst runs a command substitution in a subshell and gives its output without the trailing newlines.
func (sh *shell) cmdSubst(c *syntax.CmdSubst) string {
	rd, w := kernel.NewPipe(0).Descriptions()
	defer rd.Release()
	child := sh.p.Kernel.NewProcess(sh.p)
	if child.IsDead() {
		w.Release()
		sh.p.Check()
	}
	child.SetFD(1, w)
	sub := sh.fork(child)
	sub.loops = 0
	child.Go(func(*kernel.Process) int {
		if len(c.Stmts) == 1 {
			if call, ok := c.Stmts[0].Cmd.(*syntax.CallExpr); ok && len(call.Args) > 0 && !c.Stmts[0].Negated && !c.Stmts[0].Background {
				sub.simple(c.Stmts[0], call, true)
				sub.exit(sub.status)
			}
		}
		sub.stmts(c.Stmts)
		sub.exit(sub.status)
		return sub.status
	})
	// The output ends when everybody who may write it is gone, as on a real pipe.
	var out []byte
	buf := make([]byte, 4096)
	for {
		n, err := rd.Read(sh.p, buf)
		out = append(out, buf[:n]...)
		if n == len(buf) && len(buf) < 1<<20 {
			buf = make([]byte, 4*len(buf))
		}
		if err == io.EOF {
			break
		}
		sh.p.Check()
	}
	st := sh.p.WaitFor(child)
	sh.subst = st.ExitCode()
	if bytes.IndexByte(out, 0) >= 0 {
		out = bytes.ReplaceAll(out, []byte{0}, nil)
	}
	return strings.TrimRight(string(out), "\n")
}

// glob expands a pattern against the file system; nothing when no name matches.
func (sh *shell) glob(pat string) []string {
	parts := strings.Split(pat, "/")
	found := []string{""}
	if strings.HasPrefix(pat, "/") {
		found = []string{"/"}
		parts = parts[1:]
	}
	for i, part := range parts {
		var next []string
		for _, dir := range found {
			if part == "" {
				if i == len(parts)-1 {
					if st, err := sh.p.Stat(orDot(dir)); err == nil && st.IsDir() {
						next = append(next, dir)
					}
				} else {
					next = append(next, dir)
				}
				continue
			}
			if !strings.ContainsAny(part, "*?[") {
				name := dir + unquotePattern(part)
				if i < len(parts)-1 {
					next = append(next, name+"/")
				} else if _, err := sh.p.Lstat(name); err == nil {
					next = append(next, name)
				}
				continue
			}
			names, err := sh.p.ReadDir(orDot(dir))
			if err != nil {
				continue
			}
			if strings.HasPrefix(part, ".") {
				names = append(names, ".", "..")
			}
			slices.Sort(names)
			for _, n := range names {
				if n[0] == '.' && !strings.HasPrefix(part, ".") {
					continue
				}
				if !libc.ShellMatch(part, n) {
					continue
				}
				if i < len(parts)-1 {
					if st, err := sh.p.Stat(dir + n); err == nil && st.IsDir() {
						next = append(next, dir+n+"/")
					}
					continue
				}
				next = append(next, dir+n)
			}
		}
		found = next
	}
	slices.Sort(found)
	return found
}

func orDot(s string) string {
	if s == "" {
		return "."
	}
	return s
}

func unquotePattern(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}

func (sh *shell) arithError(msg string) int64 {
	sh.fail(2, "arithmetic expression: %s", msg)
	return 0
}

// arithm evaluates an arithmetic expression in signed 64 bits.
func (sh *shell) arithm(x syntax.ArithmExpr) int64 {
	switch x := x.(type) {
	case *syntax.Word:
		return sh.arithValue(sh.word(x), 0)
	case *syntax.ParenArithm:
		return sh.arithm(x.X)
	case *syntax.UnaryArithm:
		switch x.Op {
		case syntax.Not:
			return int64(libc.BoolToInt(sh.arithOperand(x.X) == 0))
		case syntax.BitNegation:
			return ^sh.arithOperand(x.X)
		case syntax.Plus:
			return sh.arithOperand(x.X)
		case syntax.Minus:
			return -sh.arithOperand(x.X)
		}
		return sh.arithError("expecting primary")
	case *syntax.BinaryArithm:
		return sh.binary(x)
	}
	return sh.arithError("expecting primary")
}

// arithOperand evaluates a part of an expression. The shell puts the text of $x into the expression before it looks at its
// operators; here they are known by then, and a text that brings its own is refused.
func (sh *shell) arithOperand(x syntax.ArithmExpr) int64 {
	w, ok := x.(*syntax.Word)
	if !ok || w.Lit() != "" {
		return sh.arithm(x)
	}
	s := strings.TrimSpace(sh.word(w))
	if s == "" {
		return sh.arithError("expecting primary")
	}
	if strings.ContainsFunc(strings.TrimLeft(s, "+-"), func(r rune) bool { return r != '_' && !libc.InClass("alnum", r) }) {
		sh.fail(2, "hosttest: the arithmetic operand %q has operators of its own: put it in parentheses", s)
	}
	return sh.arithValue(s, 0)
}

func (sh *shell) arithValue(s string, depth int) int64 {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0
	}
	if n, err := strconv.ParseInt(s, 0, 64); err == nil && strings.IndexByte(s, '_') < 0 && !strings.HasPrefix(s, "0b") && !strings.HasPrefix(s, "0o") {
		return n
	} else if errors.Is(err, strconv.ErrRange) && s[0] != '-' {
		return 1<<63 - 1
	}
	if libc.IsName(s) {
		v, ok := sh.special(s)
		if !ok {
			if sh.has('u') {
				sh.unsetError(s, "parameter not set")
			}
			return 0
		}
		v = strings.TrimSpace(v)
		if n, err := strconv.ParseInt(v, 0, 64); err == nil {
			return n
		}
		if v == "" {
			return 0
		}
		sh.fail(2, "Illegal number: %s", v)
	}
	if depth < 8 {
		if x, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Arithmetic(strings.NewReader(s)); err == nil {
			if w, ok := x.(*syntax.Word); !ok || w.Lit() != s {
				return sh.arithm(x)
			}
		}
	}
	return sh.arithError(`expecting EOF: "` + s + `"`)
}

func (sh *shell) binary(x *syntax.BinaryArithm) int64 {
	switch x.Op {
	case syntax.Assgn, syntax.AddAssgn, syntax.SubAssgn, syntax.MulAssgn, syntax.QuoAssgn, syntax.RemAssgn, syntax.AndAssgn,
		syntax.OrAssgn, syntax.XorAssgn, syntax.ShlAssgn, syntax.ShrAssgn:
		w, ok := x.X.(*syntax.Word)
		if !ok || !libc.IsName(w.Lit()) {
			return sh.arithError("expecting variable")
		}
		n := sh.arithm(x.Y)
		if x.Op != syntax.Assgn {
			ops := map[syntax.BinAritOperator]syntax.BinAritOperator{syntax.AddAssgn: syntax.Add, syntax.SubAssgn: syntax.Sub,
				syntax.MulAssgn: syntax.Mul, syntax.QuoAssgn: syntax.Quo, syntax.RemAssgn: syntax.Rem, syntax.AndAssgn: syntax.And,
				syntax.OrAssgn: syntax.Or, syntax.XorAssgn: syntax.Xor, syntax.ShlAssgn: syntax.Shl, syntax.ShrAssgn: syntax.Shr}
			n = sh.arithOp(ops[x.Op], sh.arithValue(w.Lit(), 0), n)
		}
		sh.assign(w.Lit(), strconv.FormatInt(n, 10))
		return n
	case syntax.AndArit:
		return int64(libc.BoolToInt(sh.arithm(x.X) != 0 && sh.arithm(x.Y) != 0))
	case syntax.OrArit:
		return int64(libc.BoolToInt(sh.arithm(x.X) != 0 || sh.arithm(x.Y) != 0))
	case syntax.TernQuest:
		alt, ok := x.Y.(*syntax.BinaryArithm)
		if !ok || alt.Op != syntax.TernColon {
			return sh.arithError("expecting ':'")
		}
		if sh.arithm(x.X) != 0 {
			return sh.arithm(alt.X)
		}
		return sh.arithm(alt.Y)
	}
	return sh.arithOp(x.Op, sh.arithOperand(x.X), sh.arithOperand(x.Y))
}

func (sh *shell) arithOp(op syntax.BinAritOperator, a, b int64) int64 {
	switch op {
	case syntax.Add:
		return a + b
	case syntax.Sub:
		return a - b
	case syntax.Mul:
		return a * b
	case syntax.Quo, syntax.Rem:
		if b == 0 {
			return sh.arithError("division by zero")
		}
		if b == -1 {
			if op == syntax.Rem {
				return 0
			}
			return -a
		}
		if op == syntax.Quo {
			return a / b
		}
		return a % b
	case syntax.Eql:
		return int64(libc.BoolToInt(a == b))
	case syntax.Neq:
		return int64(libc.BoolToInt(a != b))
	case syntax.Gtr:
		return int64(libc.BoolToInt(a > b))
	case syntax.Lss:
		return int64(libc.BoolToInt(a < b))
	case syntax.Leq:
		return int64(libc.BoolToInt(a <= b))
	case syntax.Geq:
		return int64(libc.BoolToInt(a >= b))
	case syntax.And:
		return a & b
	case syntax.Or:
		return a | b
	case syntax.Xor:
		return a ^ b
	case syntax.Shl:
		return a << (uint64(b) & 63)
	case syntax.Shr:
		return a >> (uint64(b) & 63)
	}
	return sh.arithError("unexpected operator")
}
