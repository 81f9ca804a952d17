package ssh

import (
	"fmt"
	"io"
	"path"
	"strings"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Transfer is the outcome of an upload or a download.
type Transfer struct {
	Size   int64  // of the file, in bytes
	SHA256 string // of the file, in hexadecimal
	Moved  int64  // bytes that were sent: fewer than Size if a part was there already, 0 if everything was
}

// Arguments "step" of upload.sh and download.sh.
const (
	stepInspect = "inspect"
	stepReceive = "receive"
	stepSend    = "send"
)

// progressReader counts what is read from r, until stop is called: a script may end while its stdin is
// still being read.
type progressReader struct {
	mu      sync.Mutex
	r       io.Reader
	done    int64
	report  func(done int64)
	stopped bool
}

// stop returns the count. Nothing is counted or reported after it.
func (p *progressReader) stop() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	return p.done
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return 0, io.ErrClosedPipe
	}
	if n > 0 {
		p.done += int64(n)
		p.report(p.done)
	}
	return n, err
}

// progressWriter counts what is written to w, and refuses more than limit bytes.
type progressWriter struct {
	w           io.Writer
	done, limit int64
	report      func(done int64)
}

func (p *progressWriter) Write(b []byte) (int, error) {
	if p.done+int64(len(b)) > p.limit {
		return 0, fmt.Errorf("%w: more arrived than the size of the file", lab.ErrConflict)
	}
	n, err := p.w.Write(b)
	p.done += int64(n)
	p.report(p.done)
	return n, err
}

func validateRemotePath(p string) error {
	if !strings.HasPrefix(p, "/") || path.Clean(p) != p || p == "/" || strings.ContainsRune(p, 0) {
		return fmt.Errorf("%w: not a clean absolute path of a file", lab.ErrInvalid)
	}
	return nil
}

// unexpected is the error if a script does not print what it should.
func unexpected(output []byte) error {
	line, _, _ := strings.Cut(string(output), "\n")
	if len(line) > 200 { // not cut: a part of a secret could not be masked
		return fmt.Errorf("%w: the machine answered a line of %d bytes", lab.ErrConflict, len(line))
	}
	return fmt.Errorf("%w: the machine answered %q", lab.ErrConflict, line)
}
