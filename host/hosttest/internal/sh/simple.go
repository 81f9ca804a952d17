package sh

import (
	"slices"
	"strings"
	"syscall"

	"mvdan.cc/sh/v3/syntax"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

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
					if n, v, ok := strings.Cut(l.Value, "="); ok && libc.IsName(n) {
						value := &syntax.Word{Parts: append([]syntax.WordPart{&syntax.Lit{Value: v}}, w.Parts[1:]...)}
						out = append(out, n+"="+sh.assignWord(value))
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
	if as == "" && !sh.bash && !strings.Contains(args[0], "/") {
		return 127 // what PATH leads to and cannot be executed was not found, whatever the message says
	}
	return 126
}
