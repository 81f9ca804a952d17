package kernel

import (
	"io"
	"os"
	"sync"
	"syscall"
)

// A Pipe is pipe(2): 64 KiB, exact reads, EPIPE when nobody reads.
type Pipe struct {
	mu      sync.Mutex
	cond    sync.Cond
	buf     []byte // unread bytes
	start   int
	noRead  bool
	noWrite bool
	limit   int // 0 means unlimited: a command substitution, which is read at the end
}

const PipeSize = 64 << 10

func NewPipe(limit int) *Pipe {
	p := &Pipe{limit: limit}
	p.cond.L = &p.mu
	return p
}

type (
	PipeReader struct{ *Pipe }
	pipeWriter struct{ *Pipe }
)

// Descriptions gives the two ends.
func (p *Pipe) Descriptions() (r, w *File) {
	return NewStream(PipeReader{p}, os.O_RDONLY), NewStream(pipeWriter{p}, os.O_WRONLY)
}

// end lets the reader see the end of file, as if all writers were gone.
func (p *Pipe) end() {
	p.mu.Lock()
	p.noWrite = true
	p.mu.Unlock()
	p.cond.Broadcast()
}

// wait sleeps until the pipe changes or the process has a signal to look at.
func (p *Pipe) wait(proc *Process) {
	if proc == nil {
		p.cond.Wait()
		return
	}
	if proc.BlockOn(&p.cond) {
		p.cond.Wait()
		proc.Unblock()
	}
}

func (r PipeReader) Read(proc *Process, b []byte) (int, error) {
	p := r.Pipe
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.start == len(p.buf) {
		if p.noWrite {
			return 0, io.EOF
		}
		if proc != nil && proc.interrupted() {
			return 0, syscall.EINTR
		}
		p.wait(proc)
	}
	n := copy(b, p.buf[p.start:])
	p.start += n
	if p.start == len(p.buf) {
		p.buf, p.start = p.buf[:0], 0
		if cap(p.buf) > PipeSize {
			p.buf = nil
		}
	}
	p.cond.Broadcast()
	return n, nil
}

func (r PipeReader) Write(*Process, []byte) (int, error) { return 0, syscall.EBADF }

func (r PipeReader) Close() {
	r.mu.Lock()
	r.noRead = true
	r.buf, r.start = nil, 0
	r.mu.Unlock()
	r.cond.Broadcast()
}

// Unread is what was written and not read yet.
func (p *Pipe) Unread() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf[p.start:]
}

func (w pipeWriter) Write(proc *Process, b []byte) (int, error) {
	p := w.Pipe
	p.mu.Lock()
	defer p.mu.Unlock()
	total := 0
	for len(b) > 0 {
		if p.noRead {
			return total, syscall.EPIPE
		}
		room := len(b)
		if p.limit > 0 {
			room = p.limit - (len(p.buf) - p.start)
		}
		if room <= 0 {
			if proc != nil && proc.interrupted() {
				return total, syscall.EINTR
			}
			p.wait(proc)
			continue
		}
		n := min(room, len(b))
		if p.start > 0 && len(p.buf)+n > cap(p.buf) {
			p.buf = p.buf[:copy(p.buf, p.buf[p.start:])]
			p.start = 0
		}
		p.buf = append(p.buf, b[:n]...)
		b = b[n:]
		total += n
		p.cond.Broadcast()
	}
	return total, nil
}

func (w pipeWriter) Read(*Process, []byte) (int, error) { return 0, syscall.EBADF }

func (w pipeWriter) Close() {
	w.mu.Lock()
	w.noWrite = true
	w.mu.Unlock()
	w.cond.Broadcast()
}
