package sh

import (
	"errors"
	"io"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func biRead(sh *shell, args []string) int {
	raw := false
	i := 1
	for ; i < len(args) && len(args[i]) > 1 && args[i][0] == '-'; i++ {
		switch args[i] {
		case "-r":
			raw = true
		case "-p":
			if i+1 < len(args) {
				i++
			}
		case "--":
		default:
			sh.fail(2, "read: Illegal option %s", args[i])
		}
	}
	names := args[i:]
	if len(names) == 0 {
		sh.warnf("read: arg count")
		return 2
	}
	l := &inputLine{}
	status, interrupted := l.read(sh, raw)
	if interrupted {
		return status
	}
	var set bool
	if l.ifs, set = sh.get("IFS"); !set {
		l.ifs = " \t\n"
	}
	pos := l.skipWhite(0)
	for k, name := range names {
		if !libc.IsName(name) {
			sh.fail(2, "read: %s: bad variable name", name)
		}
		if k == len(names)-1 {
			sh.assign(name, string(l.text[pos:l.end(pos)]))
			break
		}
		start := pos
		for pos < len(l.text) && !l.isIFS(pos) {
			pos++
		}
		sh.assign(name, string(l.text[start:pos]))
		pos = l.skipWhite(pos)
		if pos < len(l.text) && l.isIFS(pos) {
			pos = l.skipWhite(pos + 1)
		}
	}
	return status
}

// An inputLine is a line that read splits.
type inputLine struct {
	text    []byte
	escaped []bool // the byte was behind a backslash, so that it separates nothing
	ifs     string
}

// read reads bytes up to the end of the line, and none after it. A trap interrupts it.
func (l *inputLine) read(sh *shell, raw bool) (status int, interrupted bool) {
	var b [1]byte
	quoted := false
	for {
		n, err := sh.p.Read(0, b[:])
		if n == 0 {
			if errors.Is(err, syscall.EINTR) {
				return sh.waitSignal(), true
			}
			if err != nil && err != io.EOF {
				sh.warnf("read: %s", kernel.Strerror(err))
			}
			return 1, false
		}
		switch c := b[0]; {
		case c == 0:
		case quoted:
			quoted = false
			if c != '\n' {
				l.text, l.escaped = append(l.text, c), append(l.escaped, true)
			}
		case c == '\\' && !raw:
			quoted = true
		case c == '\n':
			return 0, false
		default:
			l.text, l.escaped = append(l.text, c), append(l.escaped, false)
		}
	}
}

func (l *inputLine) isIFS(i int) bool {
	return !l.escaped[i] && strings.IndexByte(l.ifs, l.text[i]) >= 0
}

func (l *inputLine) isWhite(i int) bool {
	return l.isIFS(i) && (l.text[i] == ' ' || l.text[i] == '\t' || l.text[i] == '\n')
}

func (l *inputLine) skipWhite(pos int) int {
	for pos < len(l.text) && l.isWhite(pos) {
		pos++
	}
	return pos
}

// end is where the last variable's value ends, which begins at pos: before the white space at the end, and before one
// separator that is not white space, when it is the only one.
func (l *inputLine) end(pos int) int {
	end := l.trimWhite(pos, len(l.text))
	if end == pos || !l.isIFS(end-1) {
		return end
	}
	for i := pos; i < end-1; i++ {
		if l.isIFS(i) && !l.isWhite(i) {
			return end
		}
	}
	return l.trimWhite(pos, end-1)
}

func (l *inputLine) trimWhite(pos, end int) int {
	for end > pos && l.isWhite(end-1) {
		end--
	}
	return end
}
