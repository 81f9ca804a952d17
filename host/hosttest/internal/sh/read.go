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
	var line []byte
	var esc []bool // the character was quoted by a backslash
	status := 0
	var b [1]byte
	quoted := false
	for {
		n, err := sh.p.Read(0, b[:])
		if n == 0 {
			if errors.Is(err, syscall.EINTR) {
				return sh.waitSignal()
			}
			if err != nil && err != io.EOF {
				sh.warnf("read: %s", kernel.Strerror(err))
			}
			status = 1
			break
		}
		c := b[0]
		if c == 0 {
			continue
		}
		if quoted {
			quoted = false
			if c != '\n' {
				line, esc = append(line, c), append(esc, true)
			}
			continue
		}
		if c == '\\' && !raw {
			quoted = true
			continue
		}
		if c == '\n' {
			break
		}
		line, esc = append(line, c), append(esc, false)
	}
	ifs, set := sh.get("IFS")
	if !set {
		ifs = " \t\n"
	}
	isIFS := func(j int) bool { return !esc[j] && strings.IndexByte(ifs, line[j]) >= 0 }
	isWhite := func(j int) bool {
		return isIFS(j) && (line[j] == ' ' || line[j] == '\t' || line[j] == '\n')
	}
	pos := 0
	for pos < len(line) && isWhite(pos) {
		pos++
	}
	for k, name := range names {
		if !libc.IsName(name) {
			sh.fail(2, "read: %s: bad variable name", name)
		}
		if k == len(names)-1 {
			end := len(line)
			for end > pos && isWhite(end-1) {
				end--
			}
			// One trailing delimiter that is not white space goes too, when it is the only one.
			if end > pos && isIFS(end-1) && !isWhite(end-1) {
				only := true
				for j := pos; j < end-1; j++ {
					if isIFS(j) && !isWhite(j) {
						only = false
					}
				}
				if only {
					end--
					for end > pos && isWhite(end-1) {
						end--
					}
				}
			}
			sh.assign(name, string(line[pos:end]))
			break
		}
		start := pos
		for pos < len(line) && !isIFS(pos) {
			pos++
		}
		sh.assign(name, string(line[start:pos]))
		for pos < len(line) && isWhite(pos) {
			pos++
		}
		if pos < len(line) && isIFS(pos) && !isWhite(pos) && pos > start-1 {
			pos++
			for pos < len(line) && isWhite(pos) {
				pos++
			}
		}
	}
	return status
}
