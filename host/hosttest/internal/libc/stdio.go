package libc

import (
	"io"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// ReadLine reads a line from standard input byte by byte, so that nothing after it is taken.
func ReadLine(p *kernel.Process) (string, error) {
	var line []byte
	var b [1]byte
	for {
		n, err := p.Stdin().Read(b[:])
		p.Check()
		if n == 0 {
			if err == nil {
				continue
			}
			if len(line) == 0 {
				return "", io.EOF
			}
			return string(line), nil
		}
		if b[0] == '\n' {
			return string(line), nil
		}
		line = append(line, b[0])
	}
}
