package host

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// newNonce returns 128 random bits in hex, which mark the frames of one script. Nothing on a machine
// can contain them, since they are made for one run and never written to a file or an argument.
func newNonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}

// maxHeader is the maximum length of a frame header in bytes. The scripts write a word and three
// numbers, or one path.
const maxHeader = 8 << 10

// frameParser splits the output of a script into frames as it arrives. A frame starts with a
// newline, the nonce, a space, the header and a newline, and its data extend to the next frame.
// Anything before the first frame, such as the greeting of a login shell, is dropped.
type frameParser struct {
	nonce  string
	header func(string) // called when a frame starts
	data   func([]byte) // called with a piece of the frame's data, which is valid during the call

	// ended is called when a line has ended whose newline is not yet known to be data, because it may
	// start the next mark. Progress can then be shown at once. Nil means none.
	ended func()

	buf   []byte
	begun bool
}

// Write parses the next bytes of the output.
func (p *frameParser) Write(b []byte) (int, error) {
	p.buf = append(p.buf, b...)
	mark := append(append([]byte{'\n'}, p.nonce...), ' ')
	for {
		at := bytes.Index(p.buf, mark)
		if at < 0 {
			// all but what may be the start of a mark is data
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

// Close passes on the remaining data when the output has ended.
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
