package host

import (
	"errors"
	"io"
)

// payloads is an io.Reader of the payloads of the changes, in the order in which the script reads
// them. Each file is opened when it is reached.
type payloads struct {
	rest    []*Payload
	current io.ReadCloser
	left    int64
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
		p.current, p.left, p.rest = r, p.rest[0].Size, p.rest[1:]
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
	return n, err
}
