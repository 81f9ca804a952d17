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
