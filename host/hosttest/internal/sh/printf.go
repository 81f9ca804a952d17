package sh

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func biPrintf(sh *shell, args []string) int {
	args = args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		sh.warnf("printf: usage: printf format [arg ...]")
		return 2
	}
	out, code := printfFormat(args[0], args[1:], true, func(f string, a ...any) { sh.warnf("printf: "+f, a...) })
	if st := sh.output(out, "printf"); st != 0 {
		return st
	}
	return code
}

// cmdPrintf is /usr/bin/printf.
func cmdPrintf(p *kernel.Process) int {
	args := p.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		p.Errorf("missing operand")
		p.Warnf("Try '%s --help' for more information.\n", p.Name())
		return 1
	}
	out, code := printfFormat(args[0], args[1:], false, p.Errorf)
	p.Print(string(out))
	return code
}

// printfFormat formats the arguments, reusing the format until they are used up.
// sh tells that it is the one of dash.
func printfFormat(format string, args []string, sh bool, warn func(string, ...any)) ([]byte, int) {
	f := &printfRun{format: format, args: args, sh: sh, warn: warn}
	for {
		f.used = 0
		if !f.pass() {
			return f.out, f.code
		}
		f.args = f.args[f.used:]
		if f.used == 0 || len(f.args) == 0 {
			return f.out, f.code
		}
	}
}

// A printfRun is the state of one printf.
type printfRun struct {
	format string
	at     int // the byte of format that is read
	args   []string
	used   int // arguments that this pass over format has taken
	sh     bool
	warn   func(string, ...any)
	out    []byte
	code   int
}

// pass goes over the format once. It returns false when the output ends with it.
func (f *printfRun) pass() bool {
	for f.at = 0; f.at < len(f.format); f.at++ {
		c := f.format[f.at]
		more := f.at+1 < len(f.format)
		switch {
		case c == '\\' && more:
			if !f.escape() {
				return false
			}
		case c != '%':
			f.out = append(f.out, c)
		case more && f.format[f.at+1] == '%':
			f.out = append(f.out, '%')
			f.at++
		default:
			if !f.directive() {
				return false
			}
		}
	}
	return true
}

// escape reads a backslash and what belongs to it.
func (f *printfRun) escape() bool {
	f.at++
	switch c := f.format[f.at]; {
	case c >= '0' && c <= '7':
		n, w := libc.Octal(f.format[f.at:])
		f.out = append(f.out, n)
		f.at += w - 1
		return true
	case c == 'c' && f.sh: // only %b's ends the output
		f.out = append(f.out, `\c`...)
		return true
	case c == '"':
		f.out = append(f.out, '"')
		return true
	case c == '\'':
		f.out = append(f.out, '\\', '\'')
		return true
	}
	var stop bool
	f.out, stop = libc.Unescape(f.out, f.format[f.at-1:f.at+1], false)
	return !stop
}

// directive reads a % with flags, width, precision and letter, and writes what it stands for.
func (f *printfRun) directive() bool {
	start := f.at
	spec := "%"
	f.at++
	for f.at < len(f.format) && strings.IndexByte("-+ #0", f.format[f.at]) >= 0 {
		spec += f.format[f.at : f.at+1]
		f.at++
	}
	spec += f.size()
	if f.at < len(f.format) && f.format[f.at] == '.' {
		f.at++
		spec += "." + f.size()
	}
	if f.at >= len(f.format) {
		f.warn("missing format character")
		f.code = 1
		return false
	}
	switch verb := f.format[f.at]; verb {
	case 's':
		f.out = fmt.Appendf(f.out, byteSpec(spec)+"s", asBytes(f.next()))
	case 'b':
		b, stop := libc.Unescape(nil, f.next(), false)
		f.out = fmt.Appendf(f.out, byteSpec(spec)+"s", asBytes(string(b)))
		return !stop
	case 'c':
		if s := f.next(); s != "" {
			f.out = fmt.Appendf(f.out, spec+"s", s[:1])
		}
	case 'd', 'i':
		f.out = fmt.Appendf(f.out, spec+"d", f.number())
	case 'u':
		f.out = fmt.Appendf(f.out, spec+"d", uint64(f.number()))
	case 'o', 'x', 'X':
		f.out = fmt.Appendf(f.out, spec+string(verb), uint64(f.number()))
	case 'e', 'E', 'f', 'F', 'g', 'G':
		s := f.next()
		v, err := strconv.ParseFloat(s, 64)
		if err != nil && s != "" {
			f.warn("%s: expected numeric value", s)
			f.code = 1
		}
		f.out = fmt.Appendf(f.out, spec+string(verb), v)
	default:
		f.warn("%s: invalid directive", f.format[start:f.at+1])
		f.code = 2
		return false
	}
	return true
}

// size reads a width or a precision: digits, or a star for the next argument.
func (f *printfRun) size() string {
	if f.at < len(f.format) && f.format[f.at] == '*' {
		f.at++
		return strconv.FormatInt(f.number(), 10)
	}
	start := f.at
	for f.at < len(f.format) && f.format[f.at] >= '0' && f.format[f.at] <= '9' {
		f.at++
	}
	return f.format[start:f.at]
}

// next takes an argument; past the last one it is empty.
func (f *printfRun) next() string {
	if f.used >= len(f.args) {
		return ""
	}
	f.used++
	return f.args[f.used-1]
}

// number takes an argument as a number, or as the code of the character after a quote. Past the last one it is 0.
func (f *printfRun) number() int64 {
	if f.used >= len(f.args) {
		return 0
	}
	s := f.next()
	if len(s) > 1 && (s[0] == '\'' || s[0] == '"') {
		r, _ := utf8.DecodeRuneInString(s[1:])
		return int64(r)
	}
	t := strings.TrimLeft(s, " \t\n")
	if t == "" && f.sh {
		return 0
	}
	n, err := strconv.ParseInt(t, 0, 64)
	if err == nil {
		return n
	}
	if errors.Is(err, strconv.ErrRange) && f.sh {
		f.warn("%s: Numerical result out of range", s)
		f.code = 1
		return n
	}
	if u, err := strconv.ParseUint(t, 0, 64); err == nil {
		return int64(u)
	}
	f.code = 1
	for end := len(t); end > 0; end-- {
		if n, err = strconv.ParseInt(t[:end], 0, 64); err == nil {
			f.warn("%s: not completely converted", s)
			return n
		}
	}
	f.warn("%s: expected numeric value", s)
	return n
}

// asBytes makes widths and precisions count bytes, as C does.
type asBytes string

// Format implements fmt.Formatter.
func (s asBytes) Format(f fmt.State, _ rune) {
	b := string(s)
	if p, ok := f.Precision(); ok && p < len(b) {
		b = b[:p]
	}
	w, _ := f.Width()
	pad := strings.Repeat(" ", max(0, w-len(b)))
	if f.Flag('-') {
		f.Write([]byte(b + pad))
	} else {
		f.Write([]byte(pad + b))
	}
}

func byteSpec(spec string) string { return strings.ReplaceAll(spec, "0s", "s") }
