package sh

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

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
	i, command, stdin, ok := sh.readOptions(args)
	if !ok {
		return 2
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

// readOptions reads the options of a command line, and gives where the operands begin and whether -c and -s are there.
func (sh *shell) readOptions(args []string) (i int, command, stdin, ok bool) {
	i = 1
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
			return i, false, false, false
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
					return i, false, false, false
				}
				i++
				if l := optionLetter(args[i]); l != 0 {
					sh.setOpt(l, a[0] == '-')
				} else {
					sh.p.Warnf("%s: 0: Illegal option -o %s\n", sh.arg0, args[i])
					return i, false, false, false
				}
			case strings.ContainsRune("efunvxCabmI", c):
				sh.setOpt(byte(c), a[0] == '-')
			default:
				sh.p.Warnf("%s: 0: Illegal option -%c\n", sh.arg0, c)
				return i, false, false, false
			}
		}
	}
	return i, command, stdin, true
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
