package libc

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
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
	t := &regexpTranslator{re: re, ext: ext}
	t.out.WriteString("(?s)")
	for ; t.at < len(re); t.at++ {
		if err := t.next(); err != nil {
			return "", err
		}
	}
	if t.depth > 0 {
		return "", errors.New("Unmatched ( or \\(")
	}
	return t.out.String(), nil
}

// A regexpTranslator is the state of a translation.
type regexpTranslator struct {
	re    string
	at    int // the byte that is read
	ext   bool
	out   strings.Builder
	depth int  // of the open groups
	atom  bool // something stands before that a repetition can apply to
}

// put writes Go's syntax; atom tells whether a repetition can apply to what then stands there.
func (t *regexpTranslator) put(s string, atom bool) {
	t.out.WriteString(s)
	t.atom = atom
}

// literal writes characters that mean themselves.
func (t *regexpTranslator) literal(s string) { t.put(regexp.QuoteMeta(s), true) }

// next reads one character, with what belongs to it, up to the last byte of it.
func (t *regexpTranslator) next() error {
	if t.re[t.at] == '\\' {
		if t.at+1 == len(t.re) {
			return errors.New("Trailing backslash")
		}
		t.at++
		if strings.IndexByte("(){+?|", t.re[t.at]) >= 0 && !t.ext {
			return t.operator()
		}
		return t.escape()
	}
	switch c := t.re[t.at]; {
	case c == '[':
		n, class, err := bracket(t.re[t.at:])
		if err != nil {
			return err
		}
		t.put(class, true)
		t.at += n - 1
	case c == '.':
		t.put(".", true)
	case c == '*':
		t.star()
	case c == '^':
		before := t.re[:t.at]
		if t.ext || before == "" || strings.HasSuffix(before, `\(`) || strings.HasSuffix(before, `\|`) {
			t.put("^", false)
		} else {
			t.literal("^")
		}
	case c == '$':
		after := t.re[t.at+1:]
		if t.ext || after == "" || strings.HasPrefix(after, `\)`) || strings.HasPrefix(after, `\|`) {
			t.put("$", t.atom)
		} else {
			t.literal("$")
		}
	case strings.IndexByte("(){+?|", c) >= 0 && t.ext:
		return t.operator()
	default:
		t.character()
	}
	return nil
}

func (t *regexpTranslator) star() {
	if !t.atom {
		t.literal("*")
		return
	}
	t.put("*", true)
	for t.at+1 < len(t.re) && t.re[t.at+1] == '*' {
		t.at++
	}
}

// operator reads what an extended expression writes as it is and a basic one behind a backslash.
func (t *regexpTranslator) operator() error {
	switch c := t.re[t.at]; c {
	case '(':
		t.depth++
		t.put("(", false)
	case ')':
		switch {
		case t.depth > 0:
			t.depth--
			t.put(")", true)
		case t.ext:
			t.literal(")")
		default:
			return errors.New("Unmatched ) or \\)")
		}
	case '{':
		return t.interval()
	case '+', '?':
		switch {
		case t.atom:
			t.put(string(c), true)
		case t.ext:
			return errors.New("Invalid preceding regular expression")
		default:
			t.literal(string(c))
		}
	case '|':
		t.put("|", false)
	}
	return nil
}

// interval reads {M,N}.
func (t *regexpTranslator) interval() error {
	end := t.at + 1
	for end < len(t.re) && (t.re[end] >= '0' && t.re[end] <= '9' || t.re[end] == ',') {
		end++
	}
	closing := "}"
	if !t.ext {
		closing = `\}`
	}
	times := t.re[t.at+1 : end]
	if !strings.HasPrefix(t.re[end:], closing) || times == "" {
		if t.ext {
			t.literal("{")
			return nil
		}
		return errors.New("Invalid preceding regular expression")
	}
	if strings.HasPrefix(times, ",") {
		times = "0" + times
	}
	t.put("{"+times+"}", t.atom)
	t.at = end + len(closing) - 1
	return nil
}

// escape reads what stands behind a backslash and is no operator.
func (t *regexpTranslator) escape() error {
	switch c := t.re[t.at]; c {
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return errors.New("hosttest: back-references are not supported")
	case 'b', 'B', 'w', 'W', 's', 'S':
		t.put(`\`+string(c), true)
	case '<', '>':
		t.put(`\b`, false)
	case 'n':
		t.put("\n", true)
	case 't':
		t.put("\t", true)
	default:
		t.character()
	}
	return nil
}

// character reads one whole character, so that a repetition applies to it.
func (t *regexpTranslator) character() {
	r, w := utf8.DecodeRuneInString(t.re[t.at:])
	if r == utf8.RuneError {
		w = 1
	}
	t.literal(t.re[t.at : t.at+w])
	t.at += w - 1
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
			case "alpha", "digit", "alnum", "upper", "lower", "space", "blank", "punct", "print", "graph", "cntrl",
				"xdigit":
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
