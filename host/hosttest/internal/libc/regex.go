package libc

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// CompileRegexp compiles a POSIX regular expression, basic or extended, with the leftmost-longest rule. A
// back-reference, which Go's engine cannot match, is an error rather than a different answer.
func CompileRegexp(re string, extended bool) (*regexp.Regexp, error) {
	s, err := TranslateRegexp(re, extended)
	if err != nil {
		return nil, err
	}
	r, err := regexp.Compile(s)
	if err != nil {
		return nil, fmt.Errorf("Invalid regular expression")
	}
	r.Longest()
	return r, nil
}

// TranslateRegexp writes a POSIX expression in Go's syntax.
func TranslateRegexp(re string, ext bool) (string, error) {
	var b strings.Builder
	b.WriteString("(?s)")
	depth := 0
	atom := false // something stands before that a repetition can apply to
	quoteMeta := func(c string) { b.WriteString(regexp.QuoteMeta(c)) }
	for i := 0; i < len(re); i++ {
		c := re[i]
		op := ext // whether an unescaped operator character is an operator
		esc := false
		if c == '\\' {
			if i+1 == len(re) {
				return "", errors.New("Trailing backslash")
			}
			i++
			c = re[i]
			esc = true
			op = !ext
		}
		switch {
		case !esc && c == '[':
			end, class, err := bracket(re[i:])
			if err != nil {
				return "", err
			}
			b.WriteString(class)
			i += end - 1
			atom = true
		case !esc && c == '.':
			b.WriteString(".")
			atom = true
		case !esc && c == '*':
			if !atom {
				quoteMeta("*")
				atom = true
			} else {
				b.WriteString("*")
				for i+1 < len(re) && re[i+1] == '*' {
					i++
				}
			}
		case c == '(' && op:
			depth++
			b.WriteByte('(')
			atom = false
		case c == ')' && op:
			if depth == 0 {
				if ext {
					quoteMeta(")")
					atom = true
					continue
				}
				return "", errors.New("Unmatched ) or \\)")
			}
			depth--
			b.WriteByte(')')
			atom = true
		case c == '{' && op:
			j := i + 1
			for j < len(re) && (re[j] >= '0' && re[j] <= '9' || re[j] == ',') {
				j++
			}
			closing := "}"
			if !ext {
				closing = `\}`
			}
			if !strings.HasPrefix(re[j:], closing) || j == i+1 {
				if ext {
					quoteMeta("{")
					atom = true
					continue
				}
				return "", errors.New("Invalid preceding regular expression")
			}
			rep := re[i+1 : j]
			if strings.HasPrefix(rep, ",") {
				rep = "0" + rep
			}
			b.WriteString("{" + rep + "}")
			i = j + len(closing) - 1
		case (c == '+' || c == '?') && op:
			if !atom {
				if ext {
					return "", errors.New("Invalid preceding regular expression")
				}
				quoteMeta(string(c))
				atom = true
				continue
			}
			b.WriteByte(c)
		case c == '|' && op:
			b.WriteByte('|')
			atom = false
		case !esc && c == '^':
			before := ""
			if i > 0 {
				before = re[:i]
			}
			if ext || i == 0 || strings.HasSuffix(before, `\(`) || strings.HasSuffix(before, `\|`) {
				b.WriteString("^")
				atom = false
			} else {
				quoteMeta("^")
				atom = true
			}
		case !esc && c == '$':
			after := re[i+1:]
			if ext || after == "" || strings.HasPrefix(after, `\)`) || strings.HasPrefix(after, `\|`) {
				b.WriteString("$")
			} else {
				quoteMeta("$")
				atom = true
			}
		case esc && c >= '1' && c <= '9':
			return "", errors.New("hosttest: back-references are not supported")
		case esc && (c == 'b' || c == 'B' || c == 'w' || c == 'W' || c == 's' || c == 'S'):
			b.WriteByte('\\')
			b.WriteByte(c)
			atom = true
		case esc && (c == '<' || c == '>'):
			b.WriteString(`\b`)
			atom = false
		case esc && c == 'n':
			b.WriteString("\n")
			atom = true
		case esc && c == 't':
			b.WriteString("\t")
			atom = true
		default:
			// One whole character, so that a repetition applies to it.
			r := []rune(re[i:])[0]
			w := len(string(r))
			if r == 0xfffd {
				w = 1
			}
			quoteMeta(re[i : i+w])
			i += w - 1
			atom = true
		}
	}
	if depth > 0 {
		if ext {
			return "", errors.New("Unmatched ( or \\(")
		}
		return "", errors.New("Unmatched ( or \\(")
	}
	return b.String(), nil
}

// bracket translates a bracket expression and gives its length.
func bracket(s string) (int, string, error) {
	i := 1
	out := "["
	if i < len(s) && s[i] == '^' {
		out += "^"
		i++
	}
	first := true
	for i < len(s) {
		switch {
		case s[i] == ']' && !first:
			return i + 1, out + "]", nil
		case strings.HasPrefix(s[i:], "[:"):
			end := strings.Index(s[i:], ":]")
			if end < 2 {
				return 0, "", errors.New("Invalid regular expression")
			}
			name := s[i+2 : i+end]
			switch name {
			case "alpha", "digit", "alnum", "upper", "lower", "space", "blank", "punct", "print", "graph", "cntrl", "xdigit":
			default:
				return 0, "", errors.New("Invalid character class name")
			}
			out += s[i : i+end+2]
			i += end + 2
		case s[i] == '\\' || s[i] == '[' || s[i] == ']' || s[i] == '^' || s[i] == '&' || s[i] == '~':
			out += `\` + s[i:i+1]
			i++
		case s[i] == '-':
			// A dash at an end is literal; Go wants it escaped there.
			if first || i+1 < len(s) && s[i+1] == ']' {
				out += `\-`
			} else {
				out += "-"
			}
			i++
		default:
			out += s[i : i+1]
			i++
		}
		first = false
	}
	return 0, "", errors.New("Invalid regular expression")
}
