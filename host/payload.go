package host

import (
	"errors"
	"io"
)

// reportedPayload is the size in bytes from which on it is reported how much of a payload was sent.
const reportedPayload = 1 << 20

// payloads is an io.Reader of the payloads of the changes, in the order in which the script reads
// them. Each file is opened when it is reached.
type payloads struct {
	rest    []*Payload
	current io.ReadCloser
	left    int64

	// sent is told how many bytes of a payload were read to be sent, at most ten times for each
	// payload, if it is a large one; nil means nobody is told.
	sent  func(p *Payload, done int64)
	being *Payload // the current one
	told  int64    // how much of it sent was told of
}

func (p *payloads) Read(b []byte) (int, error) {
	for p.left == 0 {
		if p.current != nil {
			_ = p.current.Close() // it was only read
			p.current = nil
		}
		if len(p.rest) == 0 {
			return 0, io.EOF
		}
		r, err := p.rest[0].open()
		if err != nil {
			return 0, err
		}
		p.current, p.left, p.being, p.told = r, p.rest[0].Size, p.rest[0], 0
		p.rest = p.rest[1:]
	}
	if int64(len(b)) > p.left {
		b = b[:p.left]
	}
	n, err := p.current.Read(b)
	p.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = nil
		if n == 0 && p.left > 0 {
			// The file shrank, and the script still reads Size bytes. Zeros keep the stream in step;
			// the checksum then rejects the file.
			n = len(b)
			clear(b)
			p.left -= int64(n)
		}
	}
	p.tell()
	return n, err
}

// tell tells how much of a large payload was read.
func (p *payloads) tell() {
	size := p.being.Size
	if done := size - p.left; p.sent != nil && size >= reportedPayload && (done-p.told >= size/10 || p.left == 0) {
		p.told = done
		p.sent(p.being, done)
	}
}
