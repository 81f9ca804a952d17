package sh

import (
	"bytes"
	"io"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

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
			if call, ok := c.Stmts[0].Cmd.(*syntax.CallExpr); ok && len(call.Args) > 0 && !c.Stmts[0].Negated &&
				!c.Stmts[0].Background {
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
