package kernel

import (
	"errors"
	"fmt"
	"io"
	"path"
	"syscall"
)

type procReader struct {
	p *Process
	n int
}

func (r procReader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		p := r.p
		if p.dead.Load() || p.FDs[r.n] == nil {
			return 0, syscall.EBADF
		}
		n, err := p.FDs[r.n].Read(p, b)
		if errors.Is(err, syscall.EINTR) && !p.dead.Load() {
			p.dropPending()
			continue
		}
		return n, err
	}
}

type procWriter struct {
	p *Process
	n int
}

func (w procWriter) Write(b []byte) (int, error) {
	p := w.p
	total := 0
	for {
		if p.dead.Load() || p.FDs[w.n] == nil {
			return total, syscall.EBADF
		}
		n, err := p.FDs[w.n].Write(p, b[total:])
		total += n
		if errors.Is(err, syscall.EINTR) && !p.dead.Load() {
			p.dropPending()
			continue
		}
		return total, err
	}
}

// Stdin is descriptor 0. It reads no more than it is asked for.
func (p *Process) Stdin() io.Reader { return procReader{p, 0} }

// Stdout is descriptor 1, unbuffered.
func (p *Process) Stdout() io.Writer { return procWriter{p, 1} }

// Stderr is descriptor 2, unbuffered.
func (p *Process) Stderr() io.Writer { return procWriter{p, 2} }

// Read is read(2), restarted after signals.
func (p *Process) Read(fd int, b []byte) (int, error) {
	p.Check()
	if p.FDs[fd] == nil {
		return 0, syscall.EBADF
	}
	n, err := p.FDs[fd].Read(p, b)
	p.Check()
	return n, err
}

// Write is write(2) of everything; it dies of SIGPIPE as a process does.
func (p *Process) Write(fd int, b []byte) error {
	p.Check()
	if p.FDs[fd] == nil {
		return syscall.EBADF
	}
	for {
		n, err := p.FDs[fd].Write(p, b)
		p.Check()
		if errors.Is(err, syscall.EINTR) {
			b = b[n:]
			p.dropPending()
			continue
		}
		if errors.Is(err, syscall.EPIPE) && !p.ignored[SigPIPE] {
			p.Die(SigPIPE)
			p.Check()
		}
		return err
	}
}

const outBlock = 32 << 10

// Print appends to the buffered standard output, which is written by blocks and at exit as stdio does for a pipe.
func (p *Process) Print(s ...string) {
	for _, x := range s {
		p.outBuf = append(p.outBuf, x...)
	}
	if len(p.outBuf) >= outBlock {
		p.Flush()
	}
}

func (p *Process) Printf(format string, a ...any) {
	p.outBuf = fmt.Appendf(p.outBuf, format, a...)
	if len(p.outBuf) >= outBlock {
		p.Flush()
	}
}

func (p *Process) Flush() {
	if len(p.outBuf) == 0 {
		return
	}
	if err := p.Write(1, p.outBuf); err != nil && p.WriteErr == nil {
		p.WriteErr = err
	}
	p.outBuf = p.outBuf[:0]
}

// Name is what a program calls itself in its messages.
func (p *Process) Name() string { return path.Base(p.Args[0]) }

// Warnf writes to standard error.
func (p *Process) Warnf(format string, a ...any) {
	p.Write(2, fmt.Appendf(nil, format, a...))
}

// Errorf writes "name: message" to standard error.
func (p *Process) Errorf(format string, a ...any) {
	p.Warnf("%s: %s\n", p.Name(), fmt.Sprintf(format, a...))
}
