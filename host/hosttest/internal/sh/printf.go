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
	var out []byte
	code := 0
	for {
		used := 0
		next := func() (string, bool) {
			if used < len(args) {
				used++
				return args[used-1], true
			}
			return "", false
		}
		number := func() int64 {
			s, ok := next()
			if !ok {
				return 0
			}
			if len(s) > 1 && (s[0] == '\'' || s[0] == '"') {
				r, _ := utf8.DecodeRuneInString(s[1:])
				return int64(r)
			}
			t := strings.TrimLeft(s, " \t\n")
			if t == "" && sh {
				return 0
			}
			n, err := strconv.ParseInt(t, 0, 64)
			if errors.Is(err, strconv.ErrRange) && sh {
				warn("%s: Numerical result out of range", s)
				code = 1
				return n
			}
			if err != nil {
				if u, uerr := strconv.ParseUint(t, 0, 64); uerr == nil {
					return int64(u)
				}
				end := len(t)
				for end > 0 {
					if n, err = strconv.ParseInt(t[:end], 0, 64); err == nil {
						break
					}
					end--
				}
				if end == 0 {
					warn("%s: expected numeric value", s)
				} else {
					warn("%s: not completely converted", s)
				}
				code = 1
			}
			return n
		}
		for i := 0; i < len(format); i++ {
			c := format[i]
			if c == '\\' && i+1 < len(format) {
				i++
				if c := format[i]; c >= '0' && c <= '7' {
					n, w := libc.Octal(format[i:])
					out = append(out, n)
					i += w - 1
					continue
				}
				if format[i] == 'c' && sh { // only %b's ends the output
					out = append(out, `\c`...)
					continue
				}
				if format[i] == '"' || format[i] == '\'' {
					if format[i] == '"' {
						out = append(out, '"')
					} else {
						out = append(out, '\\', '\'')
					}
					continue
				}
				var stop bool
				if out, stop = libc.Unescape(out, format[i-1:i+1], false); stop {
					return out, code
				}
				continue
			}
			if c != '%' {
				out = append(out, c)
				continue
			}
			if i+1 < len(format) && format[i+1] == '%' {
				out = append(out, '%')
				i++
				continue
			}
			spec := "%"
			start := i
			i++
			for i < len(format) && strings.IndexByte("-+ #0", format[i]) >= 0 {
				spec += format[i : i+1]
				i++
			}
			field := func() {
				if i < len(format) && format[i] == '*' {
					spec += strconv.FormatInt(number(), 10)
					i++
					return
				}
				for i < len(format) && format[i] >= '0' && format[i] <= '9' {
					spec += format[i : i+1]
					i++
				}
			}
			field()
			if i < len(format) && format[i] == '.' {
				spec += "."
				i++
				field()
			}
			if i >= len(format) {
				warn("missing format character")
				return out, 1
			}
			switch verb := format[i]; verb {
			case 's':
				s, _ := next()
				out = fmt.Appendf(out, byteSpec(spec)+"s", asBytes(s))
			case 'b':
				s, _ := next()
				b, stop := libc.Unescape(nil, s, false)
				out = fmt.Appendf(out, byteSpec(spec)+"s", asBytes(string(b)))
				if stop {
					return out, code
				}
			case 'c':
				s, _ := next()
				if s != "" {
					out = fmt.Appendf(out, spec+"s", s[:1])
				}
			case 'd', 'i':
				out = fmt.Appendf(out, spec+"d", number())
			case 'u':
				out = fmt.Appendf(out, spec+"d", uint64(number()))
			case 'o', 'x', 'X':
				out = fmt.Appendf(out, spec+string(verb), uint64(number()))
			case 'e', 'E', 'f', 'F', 'g', 'G':
				s, _ := next()
				v, err := strconv.ParseFloat(s, 64)
				if err != nil && s != "" {
					warn("%s: expected numeric value", s)
					code = 1
				}
				out = fmt.Appendf(out, spec+string(verb), v)
			default:
				warn("%s: invalid directive", format[start:i+1])
				return out, 2
			}
		}
		args = args[used:]
		if used == 0 || len(args) == 0 {
			return out, code
		}
	}
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
