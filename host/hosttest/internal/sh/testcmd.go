package sh

import (
	"fmt"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// testExpr evaluates the operands of test(1), with the precedence POSIX gives by the number of operands. The error's
// text is what follows the program's name.
func testExpr(p *kernel.Process, args []string) (bool, error) {
	t := &tester{p: p, args: args}
	switch len(args) {
	case 0:
		return false, nil
	case 1:
		return args[0] != "", nil
	case 3:
		// ( x ) and x op y, before ! x y
		if isBinaryTest(args[1]) {
			return t.binary(args[0], args[1], args[2])
		}
		if args[0] == "(" && args[2] == ")" {
			return args[1] != "", nil
		}
	case 4:
		if args[0] == "!" {
			ok, err := testExpr(p, args[1:])
			return !ok, err
		}
	}
	ok := t.or()
	if t.err == nil && t.i < len(args) {
		t.err = fmt.Errorf("%s: unexpected operator", args[t.i-1])
	}
	return ok, t.err
}

type tester struct {
	p    *kernel.Process
	args []string
	i    int
	err  error
}

func (t *tester) peek(n int) string {
	if t.i+n < len(t.args) {
		return t.args[t.i+n]
	}
	return ""
}

func (t *tester) more(n int) bool { return t.i+n < len(t.args) }

func (t *tester) or() bool {
	v := t.and()
	for t.err == nil && t.more(0) && t.peek(0) == "-o" {
		t.i++
		w := t.and()
		v = v || w
	}
	return v
}

func (t *tester) and() bool {
	v := t.not()
	for t.err == nil && t.more(0) && t.peek(0) == "-a" {
		t.i++
		w := t.not()
		v = v && w
	}
	return v
}

func (t *tester) not() bool {
	if t.more(1) && t.peek(0) == "!" && !(t.more(2) && isBinaryTest(t.peek(1))) {
		t.i++
		return !t.not()
	}
	return t.primary()
}

func (t *tester) primary() bool {
	if !t.more(0) {
		t.err = fmt.Errorf("argument expected")
		return false
	}
	if t.more(2) && isBinaryTest(t.peek(1)) {
		v, err := t.binary(t.peek(0), t.peek(1), t.peek(2))
		t.i += 3
		t.err = err
		return v
	}
	if t.peek(0) == "(" && t.more(1) {
		t.i++
		v := t.or()
		if t.err == nil && t.peek(0) != ")" {
			t.err = fmt.Errorf("closing paren expected")
		}
		t.i++
		return v
	}
	if t.more(1) && isUnaryTest(t.peek(0)) {
		v, err := t.unary(t.peek(0), t.peek(1))
		t.i += 2
		t.err = err
		return v
	}
	v := t.peek(0) != ""
	t.i++
	return v
}

func isUnaryTest(s string) bool {
	return len(s) == 2 && s[0] == '-' && strings.IndexByte("bcdefghkLnOGprsStuwxz", s[1]) >= 0
}

func isBinaryTest(s string) bool {
	switch s {
	case "=", "!=", "<", ">", "-eq", "-ne", "-gt", "-ge", "-lt", "-le", "-nt", "-ot", "-ef":
		return true
	}
	return false
}

func (t *tester) unary(op, arg string) (bool, error) {
	switch op {
	case "-n":
		return arg != "", nil
	case "-z":
		return arg == "", nil
	case "-t":
		if _, err := testInt(arg); err != nil {
			return false, err
		}
		return false, nil // nothing here is a terminal
	case "-r":
		return t.p.Access(arg, kernel.MayRead) == nil, nil
	case "-w":
		return t.p.Access(arg, kernel.MayWrite) == nil, nil
	case "-x":
		return t.p.Access(arg, kernel.MayExec) == nil, nil
	case "-L", "-h":
		st, err := t.p.Lstat(arg)
		return err == nil && st.IsSymlink(), nil
	}
	st, err := t.p.Stat(arg)
	if err != nil {
		return false, nil
	}
	switch op {
	case "-e":
		return true, nil
	case "-f":
		return st.IsRegular(), nil
	case "-d":
		return st.IsDir(), nil
	case "-s":
		return st.Size > 0, nil
	case "-b":
		return st.Mode&kernel.ModeType == kernel.ModeBlock, nil
	case "-c":
		return st.Mode&kernel.ModeType == kernel.ModeChar, nil
	case "-p":
		return st.Mode&kernel.ModeType == kernel.ModeFIFO, nil
	case "-S":
		return st.Mode&kernel.ModeType == kernel.ModeSocket, nil
	case "-u":
		return st.Mode&kernel.ModeSetUID != 0, nil
	case "-g":
		return st.Mode&kernel.ModeSetGID != 0, nil
	case "-k":
		return st.Mode&kernel.ModeSticky != 0, nil
	case "-O":
		return st.UID == t.p.UID, nil
	case "-G":
		return st.GID == t.p.GID, nil
	}
	return false, fmt.Errorf("%s: unexpected operator", op)
}

func testInt(s string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("Illegal number: %s", s)
	}
	return n, nil
}

func (t *tester) binary(a, op, b string) (bool, error) {
	switch op {
	case "=":
		return a == b, nil
	case "!=":
		return a != b, nil
	case "<":
		return a < b, nil
	case ">":
		return a > b, nil
	case "-nt", "-ot", "-ef":
		sa, ea := t.p.Stat(a)
		sb, eb := t.p.Stat(b)
		if ea != nil || eb != nil {
			return false, nil
		}
		switch op {
		case "-nt":
			return sa.Mtime.After(sb.Mtime), nil
		case "-ot":
			return sa.Mtime.Before(sb.Mtime), nil
		}
		return sa.Dev == sb.Dev && sa.Ino == sb.Ino, nil
	}
	x, err := testInt(a)
	if err != nil {
		return false, err
	}
	y, err := testInt(b)
	if err != nil {
		return false, err
	}
	switch op {
	case "-eq":
		return x == y, nil
	case "-ne":
		return x != y, nil
	case "-gt":
		return x > y, nil
	case "-ge":
		return x >= y, nil
	case "-lt":
		return x < y, nil
	}
	return x <= y, nil
}

// cmdTest is /usr/bin/test and /usr/bin/[.
func cmdTest(p *kernel.Process) int {
	args := p.Args[1:]
	if p.Name() == "[" {
		if len(args) == 0 || args[len(args)-1] != "]" {
			p.Errorf("missing ']'")
			return 2
		}
		args = args[:len(args)-1]
	}
	ok, err := testExpr(p, args)
	if err != nil {
		p.Errorf("%v", err)
		return 2
	}
	return libc.BoolToInt(!ok)
}
