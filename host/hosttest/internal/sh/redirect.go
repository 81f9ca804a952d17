package sh

import (
	"os"
	"slices"
	"syscall"

	"mvdan.cc/sh/v3/syntax"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

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
	for _, r := range rs {
		n := sh.redirected(r)
		d, ok := sh.redirectTo(r)
		if !ok {
			restore()
			return nil, false
		}
		if save {
			cur := sh.p.FDs[n]
			if cur != nil {
				cur = cur.Ref()
			}
			olds = append(olds, old{n, cur})
		}
		sh.p.SetFD(n, d)
	}
	return restore, true
}

// redirected is the descriptor that is redirected.
func (sh *shell) redirected(r *syntax.Redirect) int {
	if r.N != nil {
		return sh.fd(r.N.Value)
	}
	switch r.Op {
	case syntax.RdrIn, syntax.RdrInOut, syntax.DplIn, syntax.Hdoc, syntax.DashHdoc:
		return 0
	}
	return 1
}

func (sh *shell) fd(word string) int {
	v, numeric := kernel.ParseUint(word)
	if !numeric || v > 9 {
		sh.fail(2, "Syntax error: Bad fd number")
	}
	return int(v)
}

// redirectTo is what it is redirected to; nil closes it.
func (sh *shell) redirectTo(r *syntax.Redirect) (d *kernel.File, ok bool) {
	switch r.Op {
	case syntax.Hdoc, syntax.DashHdoc:
		text := ""
		if r.Hdoc != nil {
			text = sh.heredoc(r)
		}
		rd, w := kernel.NewPipe(0).Descriptions()
		w.Write(nil, []byte(text))
		w.Release()
		return rd, true
	case syntax.DplIn, syntax.DplOut:
		word := sh.word(r.Word)
		if word == "-" {
			return nil, true
		}
		v := sh.fd(word)
		if sh.p.FDs[v] == nil {
			sh.warnf("%d: Bad file descriptor", v)
			return nil, false
		}
		return sh.p.FDs[v].Ref(), true
	}
	name := sh.word(r.Word)
	d, err := sh.openRedirect(r, name)
	if err != nil {
		if r.Op == syntax.RdrIn {
			sh.warnf("cannot open %s: %s", name, openText(err))
		} else {
			sh.warnf("cannot create %s: %s", name, createText(err))
		}
		return nil, false
	}
	return d, true
}

func (sh *shell) openRedirect(r *syntax.Redirect, name string) (*kernel.File, error) {
	switch r.Op {
	case syntax.RdrIn:
		return sh.p.Open(name, os.O_RDONLY, 0)
	case syntax.RdrInOut:
		return sh.p.Open(name, os.O_RDWR|os.O_CREATE, 0o666)
	case syntax.AppOut:
		return sh.p.Open(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	case syntax.RdrOut, syntax.RdrClob:
		if r.Op == syntax.RdrOut && sh.has('C') {
			if st, err := sh.p.Stat(name); err == nil && st.IsRegular() {
				return nil, syscall.EEXIST
			}
		}
		return sh.p.Open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	}
	sh.unsupported(r.Op.String())
	return nil, syscall.ENOSYS
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
