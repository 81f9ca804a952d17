package sh

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// A shell is one process's interpreter of POSIX sh, with dash's behaviour and messages. The language is parsed by
// mvdan.cc/sh; it is evaluated here, because that module's own interpreter knows neither process ids, nor descriptors
// above 2, nor a file system that is not the host's.
type shell struct {
	p      *kernel.Process
	arg0   string
	params []string
	vars   map[string]*variable
	funcs  map[string]*syntax.Stmt
	traps  map[string]string
	jobs   map[int]*kernel.Process
	opts   string // the letters of $-
	status int
	subst  int // status of the last command substitution, for commands without a name
	dollar int // $$
	lastBg int
	line   int
	pwd    string

	loops   int // enclosing loops
	calls   int // enclosing functions and sourced files
	locals  []map[string]*variable
	tested  int // > 0: set -e is not looked at
	brk     int // loops still to leave
	cont    bool
	ret     bool
	envOK   bool
	bash    bool
	inTrap  bool
	regular bool // within a built-in that is not special
	sub     bool
}

type variable struct {
	value    string
	set      bool
	exported bool
	readonly bool
}

// parsed is a script and, when its end is not sh, what is wrong with it.
type parsed struct {
	stmts []*syntax.Stmt
	err   error
	line  int
}

// parseCache keeps scripts that many machines run: an engine sends the same text to all of them.
type parseCache struct {
	mu sync.Mutex
	m  map[string]*parsed
}

var scripts parseCache

const (
	parseCacheMin = 32
	parseCacheMax = 512
)

func (c *parseCache) parse(src string) *parsed {
	if len(src) < parseCacheMin {
		return parse(src)
	}
	c.mu.Lock()
	p := c.m[src]
	c.mu.Unlock()
	if p != nil {
		return p
	}
	p = parse(src)
	c.mu.Lock()
	if c.m == nil || len(c.m) >= parseCacheMax {
		c.m = map[string]*parsed{}
	}
	c.m[src] = p
	c.mu.Unlock()
	return p
}

func parse(src string) *parsed {
	p := &parsed{}
	raw := !utf8.ValidString(src)
	if raw {
		src = hideBytes(src)
	}
	for st, err := range syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).StmtsSeq(strings.NewReader(src)) {
		if err == nil {
			p.stmts = append(p.stmts, st)
			continue
		}
		if p.err == nil {
			p.err, p.line = err, 1
			var pe syntax.ParseError
			if errors.As(err, &pe) {
				p.line = int(pe.Pos.Line())
				p.err = errors.New(pe.Text)
			}
		}
	}
	if raw {
		for _, st := range p.stmts {
			syntax.Walk(st, func(n syntax.Node) bool {
				switch n := n.(type) {
				case *syntax.Lit:
					n.Value = showBytes(n.Value)
				case *syntax.SglQuoted:
					n.Value = showBytes(n.Value)
				}
				return true
			})
		}
	}
	if p.err != nil {
		// The shell reads, parses and runs line by line: what shares a line with the error does not run.
		for n := len(p.stmts); n > 0; n = len(p.stmts) {
			end := int(p.stmts[n-1].End().Offset())
			rest, _, more := strings.Cut(src[min(end, len(src)):], "\n")
			if more && strings.Trim(rest, " \t;") == "" {
				break
			}
			p.stmts = p.stmts[:n-1]
		}
	}
	return p
}

// hiddenBytes is where the parser sees the bytes that are not UTF-8: a plane of private use.
const hiddenBytes = 0x10ff00

// hideBytes makes a script valid UTF-8, which the parser insists on and a shell does not.
func hideBytes(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, w := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && w == 1 {
			b.WriteRune(hiddenBytes + rune(s[i]))
		} else {
			b.WriteString(s[i : i+w])
		}
		i += w
	}
	return b.String()
}

func showBytes(s string) string {
	if !strings.Contains(s, "\xf4\x8f") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, w := utf8.DecodeRuneInString(s[i:])
		if r >= hiddenBytes && r < hiddenBytes+256 {
			b.WriteByte(byte(r - hiddenBytes))
		} else {
			b.WriteString(s[i : i+w])
		}
		i += w
	}
	return b.String()
}

func newShell(p *kernel.Process, arg0 string, params []string) *shell {
	sh := &shell{p: p, arg0: arg0, params: params, vars: make(map[string]*variable, len(p.Env)+8), dollar: p.PID}
	for _, e := range p.Env {
		if n, v, ok := strings.Cut(e, "="); ok && libc.IsName(n) {
			sh.vars[n] = &variable{value: v, set: true, exported: true}
		}
	}
	sh.vars["IFS"] = &variable{value: " \t\n", set: true}
	if sh.vars["PATH"] == nil {
		sh.vars["PATH"] = &variable{value: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", set: true}
	}
	sh.vars["OPTIND"] = &variable{value: "1", set: true}
	sh.vars["PS4"] = &variable{value: "+ ", set: true}
	ppid, _, _ := p.Family()
	sh.vars["PPID"] = &variable{value: strconv.Itoa(ppid), set: true}
	sh.pwd = p.Dir
	if v := sh.vars["PWD"]; v == nil || !sh.samePlace(v.value) {
		sh.vars["PWD"] = &variable{value: p.Dir, set: true, exported: v != nil && v.exported}
	} else {
		sh.pwd = v.value
	}
	return sh
}

func (sh *shell) samePlace(dir string) bool {
	if !strings.HasPrefix(dir, "/") {
		return false
	}
	r, err := sh.p.Realpath(dir)
	return err == nil && r == sh.p.Dir
}

// fork copies the shell for a subshell running as process p.
func (sh *shell) fork(p *kernel.Process) *shell {
	c := *sh
	c.p = p
	c.vars = make(map[string]*variable, len(sh.vars))
	for k, v := range sh.vars {
		w := *v
		c.vars[k] = &w
	}
	c.params = slices.Clone(sh.params)
	if len(sh.funcs) > 0 {
		c.funcs = make(map[string]*syntax.Stmt, len(sh.funcs))
		for k, v := range sh.funcs {
			c.funcs[k] = v
		}
	}
	c.locals = nil
	c.jobs = nil
	c.sub = true
	c.loops = sh.loops
	// Traps of the parent are reset, except those that ignore.
	c.traps = nil
	for k, v := range sh.traps {
		if v == "" {
			if c.traps == nil {
				c.traps = map[string]string{}
			}
			c.traps[k] = v
		}
	}
	return &c
}

// cmdSh is sh and bash.
func cmdSh(p *kernel.Process) int {
	args := p.Args
	sh := newShell(p, args[0], nil)
	sh.bash = strings.HasSuffix(args[0], "bash")
	i := 1
	var command, stdin bool
	for ; i < len(args); i++ {
		a := args[i]
		if len(a) < 2 || a[0] != '-' && a[0] != '+' {
			if a == "-" {
				i++
			}
			break
		}
		if a == "--" {
			i++
			break
		}
		if strings.HasPrefix(a, "--") {
			sh.warnf("0: Illegal option --")
			return 2
		}
		for _, c := range a[1:] {
			switch {
			case c == 'c':
				command = true
			case c == 's':
				stdin = true
			case c == 'l' || c == 'i': // a login shell reads profiles, which set nothing here
			case c == 'o':
				if i+1 >= len(args) {
					return 2
				}
				i++
				if l := optionLetter(args[i]); l != 0 {
					sh.setOpt(l, a[0] == '-')
				} else {
					sh.p.Warnf("%s: 0: Illegal option -o %s\n", sh.arg0, args[i])
					return 2
				}
			case strings.ContainsRune("efunvxCabmI", c):
				sh.setOpt(byte(c), a[0] == '-')
			default:
				sh.p.Warnf("%s: 0: Illegal option -%c\n", sh.arg0, c)
				return 2
			}
		}
	}
	var src string
	switch {
	case command:
		if i >= len(args) {
			sh.p.Warnf("%s: 0: -c requires an argument\n", sh.arg0)
			return 2
		}
		src = args[i]
		if i++; i < len(args) {
			sh.arg0 = args[i]
			i++
		}
	case i < len(args) && !stdin:
		sh.arg0 = args[i]
		b, err := p.ReadFile(args[i])
		if err != nil {
			p.Warnf("%s: 0: cannot open %s: %s\n", args[0], args[i], openText(err))
			return 2
		}
		src = string(b)
		i++
	default:
		// Standard input is read in blocks by the real shell too: what follows the script is not for its commands.
		b, err := io.ReadAll(p.Stdin())
		if err != nil && !errors.Is(err, io.EOF) {
			return 2
		}
		src = string(b)
	}
	if i < len(args) {
		sh.params = args[i:]
	}
	sh.runSource(src, command)
	sh.exit(sh.status)
	return sh.status
}

// runSource parses and runs a text. With tail the last simple command replaces the shell, as it does under -c.
func (sh *shell) runSource(src string, tail bool) {
	if i := strings.IndexByte(src, 0); i >= 0 {
		src = strings.ReplaceAll(src, "\x00", "")
	}
	s := scripts.parse(src)
	for i, st := range s.stmts {
		if tail && s.err == nil && i == len(s.stmts)-1 && sh.tailCall(st) {
			return
		}
		sh.stmt(st)
		if sh.leaving() {
			return
		}
	}
	if s.err != nil {
		sh.p.Warnf("%s: %d: Syntax error: %v\n", sh.arg0, s.line, s.err)
		sh.status = 2
		sh.exit(2)
	}
}

// tailCall executes a last simple command in place of the shell.
func (sh *shell) tailCall(st *syntax.Stmt) bool {
	call, ok := st.Cmd.(*syntax.CallExpr)
	if !ok || st.Negated || st.Background || len(call.Args) == 0 || len(sh.traps) > 0 || len(sh.jobs) > 0 {
		return false
	}
	sh.simple(st, call, true)
	return true
}

func (sh *shell) leaving() bool { return sh.brk > 0 || sh.ret }

// exit ends the shell's process after its EXIT trap.
func (sh *shell) exit(code int) {
	if t, ok := sh.traps["EXIT"]; ok && t != "" {
		delete(sh.traps, "EXIT")
		sh.status = code
		sh.ret, sh.brk = false, 0
		sh.runSource(t, false)
	}
	sh.p.Check()
	panic(kernel.Exit{Code: code})
}

// fail reports an error that ends a shell which is not interactive.
func (sh *shell) fail(code int, format string, a ...any) {
	sh.warnf(format, a...)
	sh.status = code
	if sh.regular {
		panic(builtinError{code})
	}
	sh.exit(code)
}

// builtinError ends a built-in that is not special; the shell goes on.
type builtinError struct{ code int }

// runBuiltin runs a built-in, whose error ends the shell only when it is a special one.
func (sh *shell) runBuiltin(f builtinFunc, args []string) (code int) {
	switch args[0] {
	case "cd", "getopts", "kill", "printf", "read", "umask", "wait":
	default:
		return f(sh, args)
	}
	sh.regular = true
	defer func() {
		sh.regular = false
		if r := recover(); r != nil {
			e, ok := r.(builtinError)
			if !ok {
				panic(r)
			}
			code = e.code
		}
	}()
	return f(sh, args)
}

func (sh *shell) warnf(format string, a ...any) {
	if sh.bash {
		sh.p.Warnf("%s: line %d: %s\n", sh.arg0, max(sh.line, 1), fmt.Sprintf(format, a...))
		return
	}
	sh.p.Warnf("%s: %d: %s\n", sh.arg0, max(sh.line, 1), fmt.Sprintf(format, a...))
}

func (sh *shell) has(opt byte) bool { return strings.IndexByte(sh.opts, opt) >= 0 }

func (sh *shell) setOpt(c byte, on bool) {
	sh.opts = strings.ReplaceAll(sh.opts, string(c), "")
	if on {
		sh.opts += string(c)
	}
}

func optionLetter(name string) byte {
	switch name {
	case "errexit":
		return 'e'
	case "noglob":
		return 'f'
	case "nounset":
		return 'u'
	case "noexec":
		return 'n'
	case "verbose":
		return 'v'
	case "xtrace":
		return 'x'
	case "noclobber":
		return 'C'
	case "allexport":
		return 'a'
	case "notify":
		return 'b'
	case "monitor":
		return 'm'
	case "ignoreeof":
		return 'I'
	}
	return 0
}

// get gives a variable's value.
func (sh *shell) get(name string) (string, bool) {
	v := sh.vars[name]
	if v == nil || !v.set {
		return "", false
	}
	return v.value, true
}

func (sh *shell) assign(name, value string) {
	v := sh.vars[name]
	if v == nil {
		v = &variable{}
		sh.vars[name] = v
	}
	if v.readonly {
		sh.fail(2, "%s: is read only", name)
	}
	v.value, v.set = value, true
	if sh.has('a') {
		v.exported = true
	}
	sh.envOK = false
}

func (sh *shell) unset(name string) bool {
	v := sh.vars[name]
	if v == nil {
		return true
	}
	if v.readonly {
		return false
	}
	if len(sh.locals) > 0 {
		if _, ok := sh.locals[len(sh.locals)-1][name]; ok {
			*v = variable{}
			sh.envOK = false
			return true
		}
	}
	delete(sh.vars, name)
	sh.envOK = false
	return true
}

// environ gives the exported variables.
func (sh *shell) environ(extra []string) []string {
	if !sh.envOK {
		env := make([]string, 0, 24)
		for k, v := range sh.vars {
			if v.exported && v.set {
				env = append(env, k+"="+v.value)
			}
		}
		slices.Sort(env)
		sh.p.SetEnv(env)
		sh.envOK = true
	}
	env := sh.p.Env
	for _, e := range extra {
		n, v, _ := strings.Cut(e, "=")
		env = libc.Setenv(env, n, v)
	}
	return env
}

func (sh *shell) stmts(list []*syntax.Stmt) {
	for _, s := range list {
		sh.stmt(s)
		if sh.leaving() {
			return
		}
	}
}

// stmt runs one statement and leaves its status in sh.status.
func (sh *shell) stmt(s *syntax.Stmt) {
	sh.p.Check()
	sh.runTraps()
	if sh.has('n') {
		return
	}
	sh.line = int(s.Position.Line())
	if s.Background {
		sh.background(s)
		return
	}
	if s.Negated {
		sh.tested++
		sh.command(s)
		sh.tested--
		if !sh.leaving() {
			sh.status = libc.BoolToInt(sh.status == 0)
		}
		return
	}
	sh.command(s)
}

// checkErr is where set -e takes effect.
func (sh *shell) checkErr() {
	if sh.status != 0 && sh.tested == 0 && sh.has('e') && !sh.leaving() {
		sh.exit(sh.status)
	}
}

func (sh *shell) command(s *syntax.Stmt) {
	switch c := s.Cmd.(type) {
	case nil:
		sh.simple(s, &syntax.CallExpr{}, false)
		return
	case *syntax.CallExpr:
		sh.simple(s, c, false)
		return
	case *syntax.BinaryCmd:
		switch c.Op {
		case syntax.AndStmt, syntax.OrStmt:
			sh.tested++
			sh.stmt(c.X)
			sh.tested--
			if sh.leaving() {
				return
			}
			if (sh.status == 0) == (c.Op == syntax.AndStmt) {
				sh.stmt(c.Y)
			}
		case syntax.Pipe:
			sh.pipeline(c)
			sh.checkErr()
		default:
			sh.unsupported(c.Op.String())
		}
		return
	case *syntax.Subshell:
		sh.p.Check()
		child := sh.p.Kernel.NewProcess(sh.p)
		sub := sh.fork(child) // before it runs: a shell that is killed does not wait for it
		child.Go(func(*kernel.Process) int {
			if _, ok := sub.redirect(s.Redirs, false); !ok {
				return 2
			}
			sub.stmts(c.Stmts)
			sub.exit(sub.status)
			return sub.status
		})
		sh.await(child)
		sh.checkErr()
		return
	case *syntax.FuncDecl:
		if sh.funcs == nil {
			sh.funcs = map[string]*syntax.Stmt{}
		}
		sh.funcs[c.Name.Value] = c.Body
		sh.status = 0
		return
	}
	restore, ok := sh.redirect(s.Redirs, true)
	if !ok {
		sh.status = 2
		sh.checkErr()
		return
	}
	defer restore()
	switch c := s.Cmd.(type) {
	case *syntax.Block:
		sh.stmts(c.Stmts)
	case *syntax.IfClause:
		sh.ifClause(c)
	case *syntax.WhileClause:
		sh.while(c)
	case *syntax.ForClause:
		sh.forLoop(c)
	case *syntax.CaseClause:
		sh.caseClause(c)
	default:
		sh.unsupported(fmt.Sprintf("%T", c))
	}
}

// unsupported says loudly that this shell has no such construct; dash would not have it either.
func (sh *shell) unsupported(what string) {
	sh.fail(2, "Syntax error: %q unexpected (not POSIX sh)", what)
}

func (sh *shell) await(c *kernel.Process) {
	for {
		st, ok := sh.p.Wait(c)
		if ok {
			sh.setWait(st)
			return
		}
		// A trap runs once the foreground command has ended.
	}
}

// setWait takes over a child's status and says what killed it.
func (sh *shell) setWait(st kernel.WaitStatus) {
	sh.status = st.ExitCode()
	sh.sayKilled(st)
}

func (sh *shell) sayKilled(st kernel.WaitStatus) {
	if st.Signal != 0 && st.Signal != kernel.SigINT && st.Signal != kernel.SigPIPE {
		sh.p.Warnf("%s\n", signalText(st.Signal))
	}
}

func signalText(sig int) string {
	switch sig {
	case kernel.SigHUP:
		return "Hangup"
	case kernel.SigQUIT:
		return "Quit"
	case kernel.SigABRT:
		return "Aborted"
	case kernel.SigKILL:
		return "Killed"
	case kernel.SigUSR1:
		return "User defined signal 1"
	case kernel.SigUSR2:
		return "User defined signal 2"
	case kernel.SigALRM:
		return "Alarm clock"
	case kernel.SigTERM:
		return "Terminated"
	}
	return "Signal " + strconv.Itoa(sig)
}

func (sh *shell) background(s *syntax.Stmt) {
	c := sh.p.Kernel.NewProcess(sh.p)
	sub := sh.fork(c)
	c.Ignore(kernel.SigINT, kernel.SigQUIT)
	if !c.IsDead() {
		c.SetFD(0, kernel.NewStream(kernel.Device("null"), os.O_RDONLY))
	}
	c.Go(func(*kernel.Process) int {
		fg := *s
		fg.Background = false
		if call, ok := fg.Cmd.(*syntax.CallExpr); ok && len(call.Args) > 0 && !fg.Negated {
			sub.simple(&fg, call, true)
		} else {
			sub.stmt(&fg)
		}
		sub.exit(sub.status)
		return sub.status
	})
	if sh.jobs == nil {
		sh.jobs = map[int]*kernel.Process{}
	}
	sh.jobs[c.PID] = c
	sh.lastBg = c.PID
	sh.status = 0
}

func (sh *shell) pipeline(b *syntax.BinaryCmd) {
	var parts []*syntax.Stmt
	for x := b; ; {
		parts = append(parts, x.Y)
		left, ok := x.X.Cmd.(*syntax.BinaryCmd)
		if !ok || left.Op != syntax.Pipe || x.X.Negated || len(x.X.Redirs) > 0 {
			parts = append(parts, x.X)
			break
		}
		x = left
	}
	slices.Reverse(parts)
	kids := make([]*kernel.Process, len(parts))
	var in *kernel.File
	for i, part := range parts {
		var r, w *kernel.File
		if i < len(parts)-1 {
			r, w = kernel.NewPipe(kernel.PipeSize).Descriptions()
		}
		stdin := in
		kids[i] = sh.p.Kernel.NewProcess(sh.p)
		if stdin != nil {
			kids[i].SetFD(0, stdin)
		}
		if w != nil {
			kids[i].SetFD(1, w)
		}
		in = r
		sub := sh.fork(kids[i])
		kids[i].Go(func(*kernel.Process) int {
			if call, ok := part.Cmd.(*syntax.CallExpr); ok && len(call.Args) > 0 && !part.Negated {
				sub.simple(part, call, true)
			} else {
				sub.stmt(part)
			}
			sub.exit(sub.status)
			return sub.status
		})
	}
	for i, k := range kids {
		if i == len(kids)-1 {
			sh.await(k)
		} else {
			sh.p.WaitFor(k)
		}
	}
}

func (sh *shell) ifClause(c *syntax.IfClause) {
	for c != nil {
		if len(c.Cond) == 0 { // else
			sh.stmts(c.Then)
			return
		}
		sh.tested++
		sh.stmts(c.Cond)
		sh.tested--
		if sh.leaving() {
			return
		}
		if sh.status == 0 {
			sh.stmts(c.Then)
			return
		}
		c = c.Else
	}
	sh.status = 0
}

// looped tells whether the loop goes on after its body.
func (sh *shell) looped() bool {
	if sh.ret {
		return false
	}
	if sh.brk > 0 {
		sh.brk--
		if sh.brk > 0 {
			return false
		}
		if sh.cont {
			sh.cont = false
			return true
		}
		return false
	}
	return true
}

func (sh *shell) while(c *syntax.WhileClause) {
	sh.loops++
	defer func() { sh.loops-- }()
	last := 0
	for {
		sh.tested++
		sh.stmts(c.Cond)
		sh.tested--
		if sh.leaving() {
			if !sh.looped() {
				if !sh.ret {
					sh.status = last
				}
				return
			}
			continue
		}
		if (sh.status == 0) == c.Until {
			break
		}
		sh.stmts(c.Do)
		last = sh.status
		if !sh.looped() {
			return
		}
	}
	sh.status = last
}

func (sh *shell) forLoop(c *syntax.ForClause) {
	it, ok := c.Loop.(*syntax.WordIter)
	if !ok || c.Select {
		sh.unsupported("for ((")
	}
	var items []string
	if it.InPos.IsValid() {
		items = sh.fields(it.Items)
	} else {
		items = slices.Clone(sh.params)
	}
	sh.loops++
	defer func() { sh.loops-- }()
	sh.status = 0
	for _, v := range items {
		sh.assign(it.Name.Value, v)
		sh.stmts(c.Do)
		if !sh.looped() {
			return
		}
	}
}

func (sh *shell) caseClause(c *syntax.CaseClause) {
	sh.subst = 0
	word := sh.word(c.Word)
	for _, it := range c.Items {
		for _, pat := range it.Patterns {
			if libc.ShellMatch(sh.pattern(pat), word) {
				sh.status = 0
				sh.stmts(it.Stmts)
				if it.Op != syntax.Break {
					sh.unsupported(it.Op.String())
				}
				return
			}
		}
	}
	sh.status = 0
}

// simple runs a simple command. With tail an external command replaces this process.
func (sh *shell) simple(s *syntax.Stmt, c *syntax.CallExpr, tail bool) {
	sh.subst = 0
	args := sh.callArgs(c)
	special := len(args) > 0 && isSpecial(args[0])
	if len(args) == 0 {
		restore, ok := sh.redirect(s.Redirs, true)
		if !ok {
			sh.status = 2
			sh.checkErr()
			return
		}
		for _, a := range c.Assigns {
			sh.assign(a.Name.Value, sh.assignValue(a))
		}
		sh.trace(nil, c)
		restore()
		sh.status = sh.subst
		sh.checkErr()
		return
	}
	fn := sh.funcs[args[0]]
	if special {
		fn = nil
	}
	var bi builtinFunc
	if fn == nil {
		bi = builtin(args[0])
		if bi != nil && sh.p.Kernel.Handled(args[0]) != nil {
			bi = nil
		}
	}
	if fn == nil && bi == nil {
		sh.external(s, c, args, tail)
		sh.checkErr()
		return
	}
	restore, ok := sh.redirect(s.Redirs, args[0] != "exec") // exec's redirections stay
	if !ok {
		sh.status = 2
		if special {
			sh.exit(2)
		}
		sh.checkErr()
		return
	}
	undo := func() {}
	if len(c.Assigns) > 0 {
		if special {
			for _, a := range c.Assigns {
				sh.assign(a.Name.Value, sh.assignValue(a))
			}
		} else {
			undo = sh.tempAssign(c.Assigns)
		}
	}
	sh.trace(args, c)
	if fn != nil {
		sh.call(fn, args)
	} else {
		sh.status = sh.runBuiltin(bi, args)
	}
	undo()
	restore()
	sh.checkErr()
}

// trace is set -x. The assignments have been made: to expand them again would run their commands twice.
func (sh *shell) trace(args []string, c *syntax.CallExpr) {
	if !sh.has('x') || len(args) == 0 && len(c.Assigns) == 0 {
		return
	}
	ps4, _ := sh.get("PS4")
	var b strings.Builder
	b.WriteString(ps4)
	for i, a := range c.Assigns {
		if i > 0 {
			b.WriteByte(' ')
		}
		v, _ := sh.get(a.Name.Value)
		b.WriteString(a.Name.Value + "=" + v)
	}
	for i, a := range args {
		if i > 0 || len(c.Assigns) > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(a)
	}
	sh.p.Warnf("%s\n", b.String())
}

func (sh *shell) callArgs(c *syntax.CallExpr) []string {
	if len(c.Args) > 1 {
		switch c.Args[0].Lit() {
		case "export", "readonly", "local":
			out := []string{c.Args[0].Lit()}
			for _, w := range c.Args[1:] {
				if l, ok := w.Parts[0].(*syntax.Lit); ok {
					if n, _, ok := strings.Cut(l.Value, "="); ok && libc.IsName(n) {
						out = append(out, sh.assignWord(w))
						continue
					}
				}
				out = append(out, sh.fields([]*syntax.Word{w})...)
			}
			return out
		}
	}
	return sh.fields(c.Args)
}

func (sh *shell) assignValue(a *syntax.Assign) string {
	if a.Array != nil || a.Append || a.Index != nil {
		sh.unsupported("array")
	}
	if a.Value == nil {
		return ""
	}
	return sh.assignWord(a.Value)
}

// tempAssign sets variables for one command and gives what undoes it.
func (sh *shell) tempAssign(as []*syntax.Assign) func() {
	type saved struct {
		name string
		v    *variable
	}
	var old []saved
	for _, a := range as {
		name, val := a.Name.Value, sh.assignValue(a)
		prev := sh.vars[name]
		var keep *variable
		if prev != nil {
			if prev.readonly {
				sh.fail(2, "%s: is read only", name)
			}
			k := *prev
			keep = &k
		}
		old = append(old, saved{name, keep})
		sh.vars[name] = &variable{value: val, set: true, exported: true}
	}
	sh.envOK = false
	return func() {
		for _, s := range slices.Backward(old) {
			if s.v == nil {
				delete(sh.vars, s.name)
			} else {
				sh.vars[s.name] = s.v
			}
		}
		sh.envOK = false
	}
}

// call runs a function.
func (sh *shell) call(body *syntax.Stmt, args []string) {
	if sh.calls > 1000 {
		sh.fail(2, "Maximum function recursion depth (1000) reached")
	}
	params, loops := sh.params, sh.loops
	sh.params, sh.loops = args[1:], 0
	sh.calls++
	sh.locals = append(sh.locals, nil)
	sh.stmt(body)
	for name, v := range sh.locals[len(sh.locals)-1] {
		if v == nil {
			delete(sh.vars, name)
		} else {
			sh.vars[name] = v
		}
		sh.envOK = false
	}
	sh.locals = sh.locals[:len(sh.locals)-1]
	sh.calls--
	sh.params, sh.loops = params, loops
	sh.ret = false
}

func (sh *shell) external(s *syntax.Stmt, c *syntax.CallExpr, args []string, tail bool) {
	var extra []string
	run := func(x *shell) int {
		if _, ok := x.redirect(s.Redirs, false); !ok {
			return 2
		}
		for _, a := range c.Assigns {
			v := x.assignValue(a)
			extra = append(extra, a.Name.Value+"="+v)
			x.assign(a.Name.Value, v) // the next one may use it
		}
		x.trace(args, c)
		return x.execute(args, extra, "")
	}
	if tail {
		sh.status = run(sh)
		panic(kernel.Exit{Code: sh.status})
	}
	sh.environ(nil)
	child := sh.p.Kernel.NewProcess(sh.p)
	x := *sh
	x.p = child
	x.sub = true
	if len(c.Assigns) > 0 {
		x = *sh.fork(child)
	}
	child.Go(func(*kernel.Process) int { return run(&x) })
	sh.await(child)
}

// execute finds and runs an external program in this process.
func (sh *shell) execute(args, extra []string, as string) int {
	env := sh.environ(extra)
	pathVar, _ := sh.get("PATH")
	for _, e := range extra {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			pathVar = v
		}
	}
	file, err := libc.LookPath(sh.p, args[0], pathVar)
	if err == nil {
		var code int
		if code, err = sh.p.Exec(file, args, env); err == nil {
			return code
		}
		if err == syscall.ENOEXEC {
			// A file without a #! line is a script for this shell.
			if code, err = sh.p.Exec("/bin/sh", append([]string{"sh", file}, args[1:]...), env); err == nil {
				return code
			}
		}
	}
	switch {
	case err == syscall.ENOENT && sh.bash && !strings.Contains(args[0], "/"):
		sh.warnf("%s: command not found", args[0])
		return 127
	case err == syscall.ENOENT && sh.bash, err == syscall.ENOTDIR && sh.bash:
		sh.warnf("%s: %s", args[0], kernel.Strerror(err))
		return 127
	case err == syscall.ENOENT, err == syscall.ENOTDIR:
		sh.warnf("%s%s: not found", as, args[0])
		return 127
	}
	sh.warnf("%s%s: %s", as, args[0], kernel.Strerror(err))
	return 126
}

// redirect applies redirections. With save it returns what puts the descriptors back.
func (sh *shell) redirect(rs []*syntax.Redirect, save bool) (restore func(), ok bool) {
	if len(rs) == 0 {
		return func() {}, true
	}
	type old struct {
		n int
		d *kernel.File
	}
	var olds []old
	restore = func() {
		for _, o := range slices.Backward(olds) {
			sh.p.SetFD(o.n, o.d)
		}
	}
	set := func(n int, d *kernel.File) {
		if save {
			cur := sh.p.FDs[n]
			if cur != nil {
				cur = cur.Ref()
			}
			olds = append(olds, old{n, cur})
		}
		sh.p.SetFD(n, d)
	}
	for _, r := range rs {
		n := 1
		switch r.Op {
		case syntax.RdrIn, syntax.RdrInOut, syntax.DplIn, syntax.Hdoc, syntax.DashHdoc:
			n = 0
		}
		if r.N != nil {
			v, numeric := kernel.ParseUint(r.N.Value)
			if !numeric || v > 9 {
				sh.fail(2, "Syntax error: Bad fd number")
			}
			n = int(v)
		}
		var d *kernel.File
		var err error
		switch r.Op {
		case syntax.Hdoc, syntax.DashHdoc:
			text := ""
			if r.Hdoc != nil {
				text = sh.heredoc(r)
			}
			rd, w := kernel.NewPipe(0).Descriptions()
			w.Write(nil, []byte(text))
			w.Release()
			set(n, rd)
			continue
		case syntax.DplIn, syntax.DplOut:
			word := sh.word(r.Word)
			if word == "-" {
				set(n, nil)
				continue
			}
			v, numeric := kernel.ParseUint(word)
			if !numeric || v > 9 {
				sh.fail(2, "Syntax error: Bad fd number")
			}
			if sh.p.FDs[v] == nil {
				sh.warnf("%d: Bad file descriptor", v)
				restore()
				return nil, false
			}
			set(n, sh.p.FDs[v].Ref())
			continue
		}
		name := sh.word(r.Word)
		switch r.Op {
		case syntax.RdrIn:
			d, err = sh.p.Open(name, os.O_RDONLY, 0)
		case syntax.RdrInOut:
			d, err = sh.p.Open(name, os.O_RDWR|os.O_CREATE, 0o666)
		case syntax.AppOut:
			d, err = sh.p.Open(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
		case syntax.RdrOut, syntax.RdrClob:
			if r.Op == syntax.RdrOut && sh.has('C') {
				if st, e := sh.p.Stat(name); e == nil && st.IsRegular() {
					err = syscall.EEXIST
					break
				}
			}
			d, err = sh.p.Open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
		default:
			sh.unsupported(r.Op.String())
		}
		if err != nil {
			if r.Op == syntax.RdrIn {
				sh.warnf("cannot open %s: %s", name, openText(err))
			} else {
				sh.warnf("cannot create %s: %s", name, createText(err))
			}
			restore()
			return nil, false
		}
		set(n, d)
	}
	return restore, true
}

func openText(err error) string {
	if err == syscall.ENOENT || err == syscall.ENOTDIR {
		return "No such file"
	}
	return kernel.Strerror(err)
}

func createText(err error) string {
	if err == syscall.ENOENT || err == syscall.ENOTDIR {
		return "Directory nonexistent"
	}
	return kernel.Strerror(err)
}

// runTraps runs the traps of the signals that have come.
func (sh *shell) runTraps() {
	if sh.inTrap || len(sh.traps) == 0 {
		return
	}
	for {
		sig := sh.p.NextSignal()
		if sig == 0 {
			return
		}
		if t := sh.traps[kernel.SignalNames[sig]]; t != "" {
			st := sh.status
			sh.inTrap = true
			sh.runSource(t, false)
			sh.inTrap = false
			sh.status = st
		}
	}
}
