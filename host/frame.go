package host

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// newNonce returns 128 random bits in hex. It marks the frames of one script: what a machine holds cannot contain it, since it is made for
// this one run and never written to a file or an argument.
func newNonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}

// maxHeader is the longest frame header in bytes. The scripts write a word and three numbers, or one path.
const maxHeader = 8 << 10

// frameParser splits the output of a script, as it comes, into frames. A frame begins with a newline, the nonce, a space, the header and a
// newline, and its data last to the next frame. What comes before the first frame, such as the greeting of a login shell, is dropped.
type frameParser struct {
	nonce  string
	header func(string) // a frame begins
	data   func([]byte) // some of the data of the frame; not kept by the parser

	// ended is told that a line has ended, before its newline is data: the newline may begin the next mark, and only more output tells. It
	// lets progress be shown when it happens. Nil means nobody wants to know.
	ended func()

	buf   []byte
	begun bool
}

// Write takes the next bytes of the output.
func (p *frameParser) Write(b []byte) (int, error) {
	p.buf = append(p.buf, b...)
	mark := append(append([]byte{'\n'}, p.nonce...), ' ')
	for {
		at := bytes.Index(p.buf, mark)
		if at < 0 {
			// all but what may be the beginning of a mark is data
			keep := min(len(p.buf), len(mark)-1)
			for keep > 0 && !bytes.HasPrefix(mark, p.buf[len(p.buf)-keep:]) {
				keep--
			}
			p.emit(p.buf[:len(p.buf)-keep])
			p.buf = append(p.buf[:0], p.buf[len(p.buf)-keep:]...)
			if keep > 0 && p.begun && p.ended != nil {
				p.ended()
			}
			return len(b), nil
		}
		p.emit(p.buf[:at])
		rest := p.buf[at+len(mark):]
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			if len(rest) > maxHeader {
				return 0, fmt.Errorf("a frame header of more than %d bytes", maxHeader)
			}
			p.buf = append(p.buf[:0], p.buf[at:]...)
			return len(b), nil
		}
		p.begun = true
		p.header(string(rest[:end]))
		p.buf = append(p.buf[:0], rest[end+1:]...)
	}
}

// Close passes on what is left, when the output has ended.
func (p *frameParser) Close() error {
	p.emit(p.buf)
	p.buf = nil
	return nil
}

func (p *frameParser) emit(b []byte) {
	if p.begun && len(b) > 0 {
		p.data(b)
	}
}
