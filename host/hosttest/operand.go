package hosttest

import (
	"errors"
	"io"
	"os"
	"path"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// in opens an operand for reading; "-" is standard input.
func in(p *kernel.Process, name string) (*kernel.File, error) {
	if name == "-" {
		if p.FDs[0] == nil {
			return nil, syscall.EBADF
		}
		return p.FDs[0].Ref(), nil
	}
	return p.Open(name, os.O_RDONLY, 0)
}

// eachInput reads the operands, or standard input when there are none, and says what it cannot open.
func eachInput(p *kernel.Process, names []string, f func(name string, d *kernel.File) error) int {
	if len(names) == 0 {
		names = []string{"-"}
	}
	code := 0
	for _, n := range names {
		d, err := in(p, n)
		if err == nil {
			err = f(n, d)
			d.Release()
		}
		if err != nil {
			if d == nil && (p.Name() == "head" || p.Name() == "tail") {
				p.Errorf("cannot open %s for reading: %s", quote(n), kernel.Strerror(err))
			} else {
				p.Errorf("%s: %s", quoteMaybe(n), kernel.Strerror(err))
			}
			code = 1
		}
	}
	return code
}

// copyOut copies a description to standard output as it comes.
func copyOut(p *kernel.Process, d *kernel.File) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := d.Read(p, buf)
		p.Check()
		if n > 0 {
			if werr := p.Write(1, buf[:n]); werr != nil {
				p.WriteErr = werr
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// sayErr prints an error whose text ends in an errno.
func sayErr(p *kernel.Process, err error) {
	var no syscall.Errno
	if errors.As(err, &no) {
		p.Errorf("%s%s", strings.TrimSuffix(err.Error(), no.Error()), kernel.Strerror(no))
		return
	}
	p.Errorf("%v", err)
}

func join(dir, name string) string { return strings.TrimRight(dir, "/") + "/" + name }

// targets resolves the operands of cp, mv and ln into pairs.
func targets(p *kernel.Process, o *options, noDirVerb string) (pairs [][2]string, code int) {
	args := o.args
	dir, toDir := "", false
	switch {
	case o.has("t"):
		dir, toDir = o.get("t"), true
		if len(args) == 0 {
			p.Errorf("missing file operand")
			return nil, usage(p, 1)
		}
		if st, err := p.Stat(dir); err != nil || !st.IsDir() {
			if err == nil {
				err = syscall.ENOTDIR
			}
			p.Errorf("target directory %s: %s", quote(dir), kernel.Strerror(err))
			return nil, 1
		}
	case len(args) == 0:
		p.Errorf("missing file operand")
		return nil, usage(p, 1)
	case len(args) == 1:
		p.Errorf("missing destination file operand after %s", quote(args[0]))
		return nil, usage(p, 1)
	case o.has("T"):
		if len(args) > 2 {
			p.Errorf("extra operand %s", quote(args[2]))
			return nil, usage(p, 1)
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
				p.Errorf("target %s: %s", quote(last), kernel.Strerror(syscall.ENOENT))
			} else {
				p.Errorf("target %s: %s", quote(last), kernel.Strerror(err))
			}
			return nil, 1
		}
	}
	if toDir {
		for _, a := range args {
			pairs = append(pairs, [2]string{a, join(dir, path.Base(strings.TrimRight(a, "/")))})
		}
		return pairs, 0
	}
	return [][2]string{{args[0], args[1]}}, 0
}
