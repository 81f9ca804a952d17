package posix

import (
	"path"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// targets resolves the operands of cp, mv and ln into pairs.
func targets(p *kernel.Process, o *libc.Options, noDirVerb string) (pairs [][2]string, code int) {
	args := o.Args
	dir, toDir := "", false
	switch {
	case o.Has("t"):
		dir, toDir = o.Get("t"), true
		if len(args) == 0 {
			p.Errorf("missing file operand")
			return nil, libc.Usage(p, 1)
		}
		if st, err := p.Stat(dir); err != nil || !st.IsDir() {
			if err == nil {
				err = syscall.ENOTDIR
			}
			p.Errorf("target directory %s: %s", libc.Quote(dir), kernel.Strerror(err))
			return nil, 1
		}
	case len(args) == 0:
		p.Errorf("missing file operand")
		return nil, libc.Usage(p, 1)
	case len(args) == 1:
		p.Errorf("missing destination file operand after %s", libc.Quote(args[0]))
		return nil, libc.Usage(p, 1)
	case o.Has("T"):
		if len(args) > 2 {
			p.Errorf("extra operand %s", libc.Quote(args[2]))
			return nil, libc.Usage(p, 1)
		}
	default:
		last := args[len(args)-1]
		st, err := p.Stat(last)
		if err == nil && st.IsDir() && noDirVerb == "n" {
			if l, e := p.Lstat(last); e == nil && l.IsSymlink() {
				err = syscall.ENOENT
			}
		}
		if err == nil && st.IsDir() {
			dir, toDir = last, true
			args = args[:len(args)-1]
		} else if len(args) > 2 {
			if err == nil || err == syscall.ENOTDIR || st.Path != "" {
				err = syscall.ENOTDIR
			}
			if err == syscall.ENOENT {
				p.Errorf("target %s: %s", libc.Quote(last), kernel.Strerror(syscall.ENOENT))
			} else {
				p.Errorf("target %s: %s", libc.Quote(last), kernel.Strerror(err))
			}
			return nil, 1
		}
	}
	if toDir {
		for _, a := range args {
			pairs = append(pairs, [2]string{a, libc.JoinPath(dir, path.Base(strings.TrimRight(a, "/")))})
		}
		return pairs, 0
	}
	return [][2]string{{args[0], args[1]}}, 0
}
