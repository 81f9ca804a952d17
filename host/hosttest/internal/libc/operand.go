package libc

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// OpenInput opens an operand for reading; "-" is standard input.
func OpenInput(p *kernel.Process, name string) (*kernel.File, error) {
	if name == "-" {
		if p.FDs[0] == nil {
			return nil, syscall.EBADF
		}
		return p.FDs[0].Ref(), nil
	}
	return p.Open(name, os.O_RDONLY, 0)
}

// EachInput reads the operands, or standard input when there are none, and says what it cannot open.
func EachInput(p *kernel.Process, names []string, f func(name string, d *kernel.File) error) int {
	if len(names) == 0 {
		names = []string{"-"}
	}
	code := 0
	for _, n := range names {
		d, err := OpenInput(p, n)
		if err == nil {
			err = f(n, d)
			d.Release()
		}
		if err != nil {
			if d == nil && (p.Name() == "head" || p.Name() == "tail") {
				p.Errorf("cannot open %s for reading: %s", Quote(n), kernel.Strerror(err))
			} else {
				p.Errorf("%s: %s", QuoteMaybe(n), kernel.Strerror(err))
			}
			code = 1
		}
	}
	return code
}

// CopyOut copies a description to standard output as it comes.
func CopyOut(p *kernel.Process, d *kernel.File) error {
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

// SayError prints an error whose text ends in an errno.
func SayError(p *kernel.Process, err error) {
	var no syscall.Errno
	if errors.As(err, &no) {
		p.Errorf("%s%s", strings.TrimSuffix(err.Error(), no.Error()), kernel.Strerror(no))
		return
	}
	p.Errorf("%v", err)
}

func JoinPath(dir, name string) string { return strings.TrimRight(dir, "/") + "/" + name }
