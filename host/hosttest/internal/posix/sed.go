package posix

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// A sedCommand is one command of a script, with its addresses.
type sedCommand struct {
	a1, a2 *sedAddr
	not    bool
	verb   byte
	block  []*sedCommand
	text   string
	re     *regexp.Regexp
	repl   string
	flags  string
	nth    int
	from   string
	to     string
	active bool // within a range
	end    int
}

type sedAddr struct {
	line   int
	last   bool
	re     *regexp.Regexp
	plus   int  // addr,+N
	offset bool // it is one
	step   int  // first~step
}

type sedParser struct {
	s   string
	i   int
	ext bool
	err error
	re  *regexp.Regexp
}

func (s *sedParser) fail(f string, a ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("-e expression #1, char %d: %s", s.i, fmt.Sprintf(f, a...))
	}
}

func (s *sedParser) space() {
	for s.i < len(s.s) && (s.s[s.i] == ' ' || s.s[s.i] == '\t') {
		s.i++
	}
}

// sedEscape reads what follows a backslash as GNU sed's escape of a character; width 0 means that it is none.
func sedEscape(s string) (char byte, width int) {
	if k := strings.IndexByte("afrv", s[0]); k >= 0 {
		return "\a\f\r\v"[k], 1
	}
	base, most := map[byte]int{'x': 16, 'o': 8, 'd': 10}[s[0]], 3
	if base == 0 {
		return 0, 0
	}
	if base == 16 {
		most = 2
	}
	for width = min(most, len(s)-1); width > 0; width-- {
		if n, err := strconv.ParseUint(s[1:1+width], base, 8); err == nil {
			return byte(n), width + 1
		}
	}
	return 0, 0
}

// delimited reads up to an unescaped delimiter.
func (s *sedParser) delimited(d byte, isRegexp bool) (string, bool) {
	var b strings.Builder
	in := false
	for ; s.i < len(s.s); s.i++ {
		c := s.s[s.i]
		switch {
		case c == '\\' && s.i+1 < len(s.s):
			s.i++
			char, width := sedEscape(s.s[s.i:])
			switch {
			case s.s[s.i] == d && d != '&':
				b.WriteByte(d)
			case s.s[s.i] == 'c':
				s.fail("hosttest: \\c is not supported")
				return "", false
			case width > 0:
				if isRegexp && strings.IndexByte("^$.*[]\\/+?(){}|", char) >= 0 {
					// GNU sed takes some for operators, some not
					s.fail("hosttest: an operator written as a number is not supported")
					return "", false
				}
				if char == '&' || char == '\\' {
					b.WriteByte('\\')
				}
				b.WriteByte(char)
				s.i += width - 1
			case s.s[s.i] == 'n' && isRegexp && in:
				b.WriteByte('\n')
			case s.s[s.i] == 't' && isRegexp && in:
				b.WriteByte('\t')
			case s.s[s.i] == 'n' && isRegexp:
				b.WriteString("\\n")
			default:
				b.WriteByte('\\')
				b.WriteByte(s.s[s.i])
			}
			continue
		case isRegexp && c == '[' && !in:
			in = true
			b.WriteByte(c)
			if s.i+1 < len(s.s) && s.s[s.i+1] == '^' {
				s.i++
				b.WriteByte('^')
			}
			if s.i+1 < len(s.s) && s.s[s.i+1] == ']' {
				s.i++
				b.WriteByte(']')
			}
			continue
		case in && c == ']':
			in = false
		case c == d && !in:
			s.i++
			return b.String(), true
		case c == '\n' && isRegexp:
			return "", false
		}
		b.WriteByte(c)
	}
	return "", false
}

func (s *sedParser) regexp(pat string, flags string) *regexp.Regexp {
	if pat == "" {
		return nil // the last one used
	}
	t, err := libc.TranslateRegexp(pat, s.ext)
	if err != nil {
		s.fail("%v", err)
		return nil
	}
	if strings.ContainsAny(flags, "iI") {
		t = "(?i)" + t
	}
	if strings.ContainsAny(flags, "mM") {
		t = "(?m)" + t
	}
	re, err := regexp.Compile(t)
	if err != nil {
		s.fail("Invalid regular expression")
		return nil
	}
	re.Longest()
	return re
}

func (s *sedParser) addr() *sedAddr {
	if s.i >= len(s.s) {
		return nil
	}
	switch c := s.s[s.i]; {
	case c == '$':
		s.i++
		return &sedAddr{last: true}
	case c >= '0' && c <= '9':
		j := s.i
		for j < len(s.s) && s.s[j] >= '0' && s.s[j] <= '9' {
			j++
		}
		n, _ := strconv.Atoi(s.s[s.i:j])
		s.i = j
		a := &sedAddr{line: n}
		if s.i < len(s.s) && s.s[s.i] == '~' {
			j = s.i + 1
			for j < len(s.s) && s.s[j] >= '0' && s.s[j] <= '9' {
				j++
			}
			a.step, _ = strconv.Atoi(s.s[s.i+1 : j])
			s.i = j
		}
		return a
	case c == '/' || c == '\\':
		if c == '\\' {
			s.i++
		}
		if s.i >= len(s.s) {
			s.fail("unexpected `,'")
			return nil
		}
		d := s.s[s.i]
		s.i++
		pat, ok := s.delimited(d, true)
		if !ok {
			s.fail("unterminated address regex")
			return nil
		}
		flags := ""
		for s.i < len(s.s) && (s.s[s.i] == 'I' || s.s[s.i] == 'M') {
			flags += s.s[s.i : s.i+1]
			s.i++
		}
		re := s.regexp(pat, flags)
		if re == nil {
			re = s.re
		}
		s.re = re
		return &sedAddr{re: re}
	}
	return nil
}

func (s *sedParser) commands(nested bool) []*sedCommand {
	var out []*sedCommand
	for s.err == nil {
		for s.i < len(s.s) && strings.IndexByte(" \t\n;", s.s[s.i]) >= 0 {
			s.i++
		}
		if s.i >= len(s.s) {
			if nested {
				s.i = 0
				s.fail("unmatched `{'")
			}
			return out
		}
		switch s.s[s.i] {
		case '#':
			for s.i < len(s.s) && s.s[s.i] != '\n' {
				s.i++
			}
			continue
		case '}':
			s.i++
			if !nested {
				s.fail("unexpected `}'")
			}
			return out
		}
		c := &sedCommand{}
		if !s.addresses(c) {
			return out
		}
		s.space()
		for s.i < len(s.s) && s.s[s.i] == '!' {
			c.not = true
			s.i++
			s.space()
		}
		if s.i >= len(s.s) {
			s.fail("missing command")
			return out
		}
		c.verb = s.s[s.i]
		s.i++
		s.command(c)
		out = append(out, c)
	}
	return out
}

// addresses reads ADDRESS, ADDRESS,ADDRESS or nothing.
func (s *sedParser) addresses(c *sedCommand) bool {
	if c.a1 = s.addr(); c.a1 != nil {
		s.space()
		if s.i < len(s.s) && s.s[s.i] == ',' {
			s.i++
			s.space()
			if s.i < len(s.s) && s.s[s.i] == '+' {
				s.i++
				if a := s.addr(); a != nil {
					c.a2 = &sedAddr{plus: a.line, offset: true}
				}
			} else if c.a2 = s.addr(); c.a2 == nil {
				s.fail("unexpected `,'")
				return false
			}
		}
	}
	return true
}

// command reads what follows the letter of a command.
func (s *sedParser) command(c *sedCommand) {
	switch c.verb {
	case '{':
		c.block = s.commands(true)
	case 'd', 'D', 'p', 'P', 'q', 'Q', 'h', 'H', 'g', 'G', 'x', 'n', 'N', '=', 'z':
		s.plain(c)
	case 'a', 'i', 'c':
		s.text(c)
	case 's':
		s.substitution(c)
	case 'y':
		s.transliteration(c)
	case ':', 'b', 't', 'T':
		s.label(c)
	case 'r', 'w', 'R', 'W', 'e':
		s.fail("hosttest: command `%c' is not supported", c.verb)
	default:
		s.fail("unknown command: `%c'", c.verb)
	}
}

// plain is a command without an argument, or q and Q with an exit code.
func (s *sedParser) plain(c *sedCommand) {
	s.space()
	if c.verb == 'q' || c.verb == 'Q' {
		j := s.i
		for j < len(s.s) && s.s[j] >= '0' && s.s[j] <= '9' {
			j++
		}
		c.nth, _ = strconv.Atoi(s.s[s.i:j])
		s.i = j
		s.space()
	}
	if s.i < len(s.s) && strings.IndexByte(";\n}#", s.s[s.i]) < 0 {
		s.i++
		s.fail("extra characters after command")
	}
}

// text is that of a, i and c.
func (s *sedParser) text(c *sedCommand) {
	s.space()
	if s.i < len(s.s) && s.s[s.i] == '\\' {
		s.i++
		// Text on the same line keeps its leading blanks.
		if rest := strings.TrimLeft(s.s[s.i:], " \t"); strings.HasPrefix(rest, "\n") {
			s.i = len(s.s) - len(rest) + 1
		}
	}
	if s.i >= len(s.s) {
		s.fail("expected \\ after `a', `c' or `i'")
		return
	}
	var b strings.Builder
	for s.i < len(s.s) && s.s[s.i] != '\n' {
		if s.s[s.i] == '\\' && s.i+1 < len(s.s) {
			s.i++
			if s.s[s.i] == 't' {
				b.WriteByte('\t')
				s.i++
				continue
			}
		}
		b.WriteByte(s.s[s.i])
		s.i++
	}
	c.text = b.String() + "\n"
}

// substitution is s/REGEXP/REPLACEMENT/FLAGS.
func (s *sedParser) substitution(c *sedCommand) {
	if s.i >= len(s.s) {
		s.fail("unterminated `s' command")
		return
	}
	d := s.s[s.i]
	s.i++
	pat, ok1 := s.delimited(d, true)
	repl, ok2 := s.delimited(d, false)
	if !ok1 || !ok2 {
		s.i = len(s.s)
		s.fail("unterminated `s' command")
		return
	}
	if !s.flags(c) {
		return
	}
	c.re = s.regexp(pat, c.flags)
	if c.re == nil && s.err == nil {
		if c.re = s.re; c.re == nil {
			s.fail("no previous regular expression")
		}
	}
	s.re = c.re
	c.repl = repl
	if s.err == nil && c.re != nil {
		for k := 0; k+1 < len(repl); k++ {
			if repl[k] == '\\' {
				if n := repl[k+1]; n >= '1' && n <= '9' && int(n-'0') > c.re.NumSubexp() {
					s.fail("invalid reference \\%c on `s' command's RHS", n)
				}
				k++
			}
		}
	}
}

// flags are those of s.
func (s *sedParser) flags(c *sedCommand) bool {
	for s.i < len(s.s) && strings.IndexByte("gpiImMe0123456789w", s.s[s.i]) >= 0 {
		f := s.s[s.i]
		if f >= '0' && f <= '9' {
			j := s.i
			for j < len(s.s) && s.s[j] >= '0' && s.s[j] <= '9' {
				j++
			}
			c.nth, _ = strconv.Atoi(s.s[s.i:j])
			s.i = j
			continue
		}
		if f == 'e' || f == 'w' {
			s.fail("hosttest: the flags e and w of s are not supported")
			return false
		}
		c.flags += string(f)
		s.i++
	}
	s.space()
	if s.i < len(s.s) && strings.IndexByte(";\n}#", s.s[s.i]) < 0 {
		s.i++
		s.fail("unknown option to `s'")
		return false
	}
	return true
}

// transliteration is y/FROM/TO/.
func (s *sedParser) transliteration(c *sedCommand) {
	if s.i >= len(s.s) {
		s.fail("unterminated `y' command")
		return
	}
	d := s.s[s.i]
	s.i++
	a, ok1 := s.delimited(d, false)
	b, ok2 := s.delimited(d, false)
	if !ok1 || !ok2 {
		s.fail("unterminated `y' command")
		return
	}
	un := strings.NewReplacer(`\n`, "\n", `\\`, `\`)
	c.from, c.to = un.Replace(a), un.Replace(b)
	if len(c.from) != len(c.to) {
		s.fail("strings for `y' command are different lengths")
	}
}

// label is that of :, b, t and T.
func (s *sedParser) label(c *sedCommand) {
	s.space()
	j := s.i
	for j < len(s.s) && strings.IndexByte(";\n}", s.s[j]) < 0 {
		j++
	}
	c.text = strings.TrimSpace(s.s[s.i:j])
	s.i = j
}
