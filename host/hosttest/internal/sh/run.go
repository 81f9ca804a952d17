package sh

import (
	"fmt"
	"os"
	"slices"
	"strconv"

	"mvdan.cc/sh/v3/syntax"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

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
