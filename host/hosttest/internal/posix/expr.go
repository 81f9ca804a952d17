package posix

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdExpr(p *kernel.Process) int {
	a := p.Args[1:]
	num := func(s string) (int64, bool) {
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil
	}
	if len(a) == 3 {
		x, ok1 := num(a[0])
		y, ok2 := num(a[2])
		var v int64
		switch a[1] {
		case "+", "-", "*", "/", "%":
			if !ok1 || !ok2 {
				p.Errorf("non-integer argument")
				return 2
			}
			switch a[1] {
			case "+":
				v = x + y
			case "-":
				v = x - y
			case "*":
				v = x * y
			default:
				if y == 0 {
					p.Errorf("division by zero")
					return 2
				}
				if v = x / y; a[1] == "%" {
					v = x % y
				}
			}
			p.Printf("%d\n", v)
			return libc.BoolToInt(v == 0)
		case "=", "!=", "<", ">", "<=", ">=":
			c := strings.Compare(a[0], a[2])
			if ok1 && ok2 {
				c = 0
				if x < y {
					c = -1
				} else if x > y {
					c = 1
				}
			}
			ok := map[string]bool{"=": c == 0, "!=": c != 0, "<": c < 0, ">": c > 0, "<=": c <= 0, ">=": c >= 0}[a[1]]
			p.Printf("%d\n", libc.BoolToInt(ok))
			return libc.BoolToInt(!ok)
		case ":":
			re, err := libc.CompileRegexp("^"+strings.TrimPrefix(a[2], "^"), false)
			if err != nil {
				p.Errorf("%v", err)
				return 2
			}
			m := re.FindStringSubmatch(a[0])
			if len(m) > 1 {
				p.Print(m[1], "\n")
				return libc.BoolToInt(m[1] == "")
			}
			n := 0
			if m != nil {
				n = utf8.RuneCountInString(m[0])
			}
			p.Printf("%d\n", n)
			return libc.BoolToInt(n == 0)
		}
	}
	if len(a) == 1 {
		p.Print(a[0], "\n")
		return libc.BoolToInt(a[0] == "" || a[0] == "0")
	}
	p.Errorf("hosttest: only expressions of three operands are supported")
	return 2
}
