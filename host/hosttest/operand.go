package hosttest

import (
	"errors"
	"io"
	"os"
	"path"
	"strings"
	"syscall"
)

// in opens an operand for reading; "-" is standard input.
func (p *proc) in(name string) (*description, error) {
	if name == "-" {
		if p.fds[0] == nil {
			return nil, syscall.EBADF
		}
		return p.fds[0].ref(), nil
	}
	return p.open(name, os.O_RDONLY, 0)
}

// eachInput reads the operands, or standard input when there are none, and says what it cannot open.
func (p *proc) eachInput(names []string, f func(name string, d *description) error) int {
	if len(names) == 0 {
		names = []string{"-"}
	}
	code := 0
	for _, n := range names {
		d, err := p.in(n)
		if err == nil {
			err = f(n, d)
			d.release()
		}
		if err != nil {
			if d == nil && (p.name() == "head" || p.name() == "tail") {
				p.errorf("cannot open %s for reading: %s", quote(n), strerror(err))
			} else {
				p.errorf("%s: %s", quoteMaybe(n), strerror(err))
			}
			code = 1
		}
	}
	return code
}

// copyOut copies a description to standard output as it comes.
func (p *proc) copyOut(d *description) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := d.Read(p, buf)
		p.check()
		if n > 0 {
			if werr := p.write(1, buf[:n]); werr != nil {
				p.writeErr = werr
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
func (p *proc) sayErr(err error) {
	var no syscall.Errno
	if errors.As(err, &no) {
		p.errorf("%s%s", strings.TrimSuffix(err.Error(), no.Error()), strerror(no))
		return
	}
	p.errorf("%v", err)
}

func join(dir, name string) string { return strings.TrimRight(dir, "/") + "/" + name }

// targets resolves the operands of cp, mv and ln into pairs.
func (p *proc) targets(o *options, noDirVerb string) (pairs [][2]string, code int) {
	args := o.args
	dir, toDir := "", false
	switch {
	case o.has("t"):
		dir, toDir = o.get("t"), true
		if len(args) == 0 {
			p.errorf("missing file operand")
			return nil, p.usage(1)
		}
		if st, err := p.stat(dir); err != nil || !st.IsDir() {
			if err == nil {
				err = syscall.ENOTDIR
			}
			p.errorf("target directory %s: %s", quote(dir), strerror(err))
			return nil, 1
		}
	case len(args) == 0:
		p.errorf("missing file operand")
		return nil, p.usage(1)
	case len(args) == 1:
		p.errorf("missing destination file operand after %s", quote(args[0]))
		return nil, p.usage(1)
	case o.has("T"):
		if len(args) > 2 {
			p.errorf("extra operand %s", quote(args[2]))
			return nil, p.usage(1)
		}
	default:
		last := args[len(args)-1]
		st, err := p.stat(last)
		if err == nil && st.IsDir() && noDirVerb == "n" {
			if l, e := p.lstat(last); e == nil && l.IsSymlink() {
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
				p.errorf("target %s: %s", quote(last), strerror(syscall.ENOENT))
			} else {
				p.errorf("target %s: %s", quote(last), strerror(err))
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
