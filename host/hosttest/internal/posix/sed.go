package posix

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
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

// delimited reads up to an unescaped delimiter.
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
					s.fail("hosttest: an operator written as a number is not supported") // GNU sed takes some for operators, some not
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
		if s.s[s.i] == '#' {
			for s.i < len(s.s) && s.s[s.i] != '\n' {
				s.i++
			}
			continue
		}
		if s.s[s.i] == '}' {
			if !nested {
				s.i++
				s.fail("unexpected `}'")
				return out
			}
			s.i++
			return out
		}
		c := &sedCommand{}
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
					return out
				}
			}
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
		switch c.verb {
		case '{':
			c.block = s.commands(true)
		case 'd', 'D', 'p', 'P', 'q', 'Q', 'h', 'H', 'g', 'G', 'x', 'n', 'N', '=', 'z':
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
		case 'a', 'i', 'c':
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
				return out
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
		case 's':
			if s.i >= len(s.s) {
				s.fail("unterminated `s' command")
				return out
			}
			d := s.s[s.i]
			s.i++
			pat, ok1 := s.delimited(d, true)
			repl, ok2 := s.delimited(d, false)
			if !ok1 || !ok2 {
				s.i = len(s.s)
				s.fail("unterminated `s' command")
				return out
			}
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
					return out
				}
				c.flags += string(f)
				s.i++
			}
			s.space()
			if s.i < len(s.s) && strings.IndexByte(";\n}#", s.s[s.i]) < 0 {
				s.i++
				s.fail("unknown option to `s'")
				return out
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
		case 'y':
			if s.i >= len(s.s) {
				s.fail("unterminated `y' command")
				return out
			}
			d := s.s[s.i]
			s.i++
			a, ok1 := s.delimited(d, false)
			b, ok2 := s.delimited(d, false)
			if !ok1 || !ok2 {
				s.fail("unterminated `y' command")
				return out
			}
			un := strings.NewReplacer(`\n`, "\n", `\\`, `\`)
			c.from, c.to = un.Replace(a), un.Replace(b)
			if len(c.from) != len(c.to) {
				s.fail("strings for `y' command are different lengths")
			}
		case ':', 'b', 't', 'T':
			s.space()
			j := s.i
			for j < len(s.s) && strings.IndexByte(";\n}", s.s[j]) < 0 {
				j++
			}
			c.text = strings.TrimSpace(s.s[s.i:j])
			s.i = j
		case 'r', 'w', 'R', 'W', 'e':
			s.fail("hosttest: command `%c' is not supported", c.verb)
		default:
			s.fail("unknown command: `%c'", c.verb)
		}
		out = append(out, c)
	}
	return out
}

// A sedRun is the state of a run over one stream.
type sedRun struct {
	p       *kernel.Process
	lines   []string
	n       int // lines read
	ended   bool
	hold    string
	space   string
	quiet   bool
	sep     string
	out     *strings.Builder
	app     []string
	subbed  bool
	quit    bool
	code    int
	restart bool
	deleted bool
}

func (r *sedRun) emit(s string) {
	r.out.WriteString(s)
	if r.n < len(r.lines) || r.ended {
		r.out.WriteString(r.sep)
	} else {
		r.out.WriteString(r.sep[:0])
	}
}

func (r *sedRun) matches(c *sedCommand) bool {
	one := func(a *sedAddr) bool {
		switch {
		case a.last:
			return r.n == len(r.lines)
		case a.step > 0:
			return r.n >= a.line && (r.n-a.line)%a.step == 0
		case a.re != nil:
			return a.re.MatchString(r.space)
		}
		return r.n == a.line
	}
	if c.a1 == nil {
		return true
	}
	if c.a2 == nil {
		return one(c.a1)
	}
	if c.active {
		switch {
		case c.end > 0:
			if r.n >= c.end {
				c.active = false
			}
			return r.n <= c.end
		case c.a2.re != nil || c.a2.last:
			if one(c.a2) {
				c.active = false
			}
		}
		return true
	}
	if one(c.a1) || c.a1.line == 0 && !c.a1.last && c.a1.re == nil && r.n == 1 {
		c.end = 0
		switch {
		case c.a2.offset:
			c.end = r.n + c.a2.plus
			c.active = c.a2.plus > 0
		case c.a2.line > 0:
			c.end = c.a2.line
			c.active = r.n < c.end
		default:
			c.active = true
			if c.a2.last && r.n == len(r.lines) {
				c.active = false
			}
			if c.a1.line == 0 && c.a1.re == nil && !c.a1.last && one(c.a2) {
				c.active = false
			}
		}
		return true
	}
	return false
}

func (r *sedRun) substitute(c *sedCommand) bool {
	s := r.space
	var b strings.Builder
	at, count, done := 0, 0, false
	for pos := 0; pos <= len(s); {
		m := c.re.FindStringSubmatchIndex(s[pos:])
		if m == nil {
			break
		}
		if pos > 0 && m[0] >= 0 && (strings.HasPrefix(c.re.String(), "(?s)^") || strings.HasPrefix(c.re.String(), "(?i)(?s)^")) {
			break // ^ matches only at the start
		}
		for k := range m {
			if m[k] >= 0 {
				m[k] += pos
			}
		}
		if m[0] == m[1] && m[0] == at && count > 0 && at > 0 && pos == at {
			// An empty match right after a match does not count.
			if pos < len(s) {
				pos++
				continue
			}
			break
		}
		count++
		if count >= max(c.nth, 1) {
			b.WriteString(s[at:m[0]])
			b.WriteString(expandReplacement(c.repl, s, m))
			at = m[1]
			done = true
			if !strings.Contains(c.flags, "g") {
				break
			}
		}
		if m[1] == m[0] {
			pos = m[1] + 1
		} else {
			pos = m[1]
		}
	}
	if !done {
		return false
	}
	b.WriteString(s[at:])
	r.space = b.String()
	return true
}

func expandReplacement(repl, s string, m []int) string {
	var b strings.Builder
	up := byte(0) // \U, \L, \u, \l
	write := func(t string) {
		switch up {
		case 'U':
			t = strings.ToUpper(t)
		case 'L':
			t = strings.ToLower(t)
		case 'u':
			if t != "" {
				t = strings.ToUpper(t[:1]) + t[1:]
				up = 0
			}
		case 'l':
			if t != "" {
				t = strings.ToLower(t[:1]) + t[1:]
				up = 0
			}
		}
		b.WriteString(t)
	}
	for i := 0; i < len(repl); i++ {
		c := repl[i]
		if c == '&' {
			write(s[m[0]:m[1]])
			continue
		}
		if c == '\\' && i+1 < len(repl) {
			i++
			switch n := repl[i]; {
			case n >= '0' && n <= '9':
				k := int(n - '0')
				if 2*k+1 < len(m) && m[2*k] >= 0 {
					write(s[m[2*k]:m[2*k+1]])
				}
			case n == 'n':
				write("\n")
			case n == 't':
				write("\t")
			case n == 'U' || n == 'L' || n == 'u' || n == 'l':
				up = n
			case n == 'E':
				up = 0
			default:
				write(string(n))
			}
			continue
		}
		write(string(c))
	}
	return b.String()
}

var errNoLabel = errors.New("can't find label for jump to")

// checkLabels finds the first jump to a label that is nowhere.
func checkLabels(all, cmds []*sedCommand) error {
	for _, c := range cmds {
		if (c.verb == 'b' || c.verb == 't' || c.verb == 'T') && c.text != "" && !hasLabel(all, c.text) {
			return fmt.Errorf("%w `%s'", errNoLabel, c.text)
		}
		if err := checkLabels(all, c.block); err != nil {
			return err
		}
	}
	return nil
}

func hasLabel(cmds []*sedCommand, label string) bool {
	return sedLabel(cmds, label) >= 0 || slices.ContainsFunc(cmds, func(c *sedCommand) bool { return hasLabel(c.block, label) })
}

// sedLabel gives the place of a label.
func sedLabel(cmds []*sedCommand, label string) int {
	for i, c := range cmds {
		if c.verb == ':' && c.text == label {
			return i
		}
	}
	return -1
}

func (r *sedRun) run(cmds []*sedCommand, all []*sedCommand) (jump string, ok bool) {
	for i := 0; i < len(cmds); i++ {
		r.p.Check()
		c := cmds[i]
		if r.matches(c) == c.not {
			continue
		}
		branch := false
		switch c.verb {
		case '{':
			if j, ok := r.run(c.block, all); ok {
				if k := sedLabel(cmds, j); j != "" && k >= 0 {
					i = k
					continue
				}
				return j, true
			}
			if r.quit || r.restart || r.deleted {
				return "", false
			}
		case 'd':
			r.deleted = true
			return "", false
		case 'D':
			if j := strings.IndexByte(r.space, '\n'); j >= 0 {
				r.space = r.space[j+1:]
				r.restart = true
			} else {
				r.deleted = true
			}
			return "", false
		case 'p':
			r.emit(r.space)
		case 'P':
			f, _, _ := strings.Cut(r.space, "\n")
			r.out.WriteString(f + r.sep)
		case '=':
			r.out.WriteString(strconv.Itoa(r.n) + "\n")
		case 'q', 'Q':
			r.quit, r.code = true, c.nth
			r.deleted = c.verb == 'Q'
			return "", false
		case 'h':
			r.hold = r.space
		case 'H':
			r.hold += "\n" + r.space
		case 'g':
			r.space = r.hold
		case 'G':
			r.space += "\n" + r.hold
		case 'x':
			r.space, r.hold = r.hold, r.space
		case 'z':
			r.space = ""
		case 'n':
			if r.n >= len(r.lines) {
				r.quit = true
				return "", false
			}
			if !r.quiet {
				r.emit(r.space)
			}
			r.flushApp()
			r.space = r.lines[r.n]
			r.n++
		case 'N':
			if r.n >= len(r.lines) {
				r.quit = true // GNU sed prints the pattern space and ends
				return "", false
			}
			r.flushApp()
			r.space += "\n" + r.lines[r.n]
			r.n++
		case 'a':
			r.app = append(r.app, c.text)
		case 'i':
			r.out.WriteString(c.text)
		case 'c':
			if c.a2 == nil || c.not || !c.active {
				r.out.WriteString(c.text)
			}
			r.deleted = true
			return "", false
		case 's':
			if r.substitute(c) {
				r.subbed = true
				if strings.Contains(c.flags, "p") {
					r.emit(r.space)
				}
			}
		case 'y':
			r.space = strings.Map(func(x rune) rune {
				if k := strings.IndexRune(c.from, x); k >= 0 {
					return rune(c.to[k])
				}
				return x
			}, r.space)
		case 'b':
			branch = true
		case 't':
			branch = r.subbed
			if branch {
				r.subbed = false
			}
		case 'T':
			branch = !r.subbed
			r.subbed = false
		}
		if branch {
			if c.text == "" {
				return "", true
			}
			k := sedLabel(cmds, c.text)
			if k < 0 {
				return c.text, true
			}
			i = k
		}
	}
	return "", false
}

func (r *sedRun) flushApp() {
	for _, a := range r.app {
		r.out.WriteString(a)
	}
	r.app = nil
}

func (r *sedRun) stream(cmds []*sedCommand) {
	for r.n < len(r.lines) && !r.quit {
		r.space = r.lines[r.n]
		r.n++
		r.subbed = false
	again:
		r.deleted, r.restart = false, false
		if j, ok := r.run(cmds, cmds); ok && j != "" {
			r.deleted = false
		}
		if r.restart {
			r.flushApp()
			goto again
		}
		if !r.deleted && !r.quiet {
			r.emit(r.space)
		}
		r.flushApp()
	}
}

func cmdSed(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "nrEe:f:i::l:suz", "quiet>n silent>n regexp-extended>E expression=>e file=>f in-place[=>i separate>s null-data>z unbuffered>u follow-symlinks posix debug")
	if !ok {
		p.Warnf("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n")
		return 1
	}
	if libc.Unsupported(p, o, "l", "follow-symlinks", "posix", "debug") {
		return 1
	}
	args := o.Args
	var script []string
	for _, x := range o.Order {
		switch x.Name {
		case "e":
			script = append(script, x.Value)
		case "f":
			d, err := libc.OpenInput(p, x.Value)
			if err != nil {
				p.Errorf("couldn't open file %s: %s", x.Value, kernel.Strerror(err))
				return 1
			}
			b, _ := p.ReadAll(d)
			d.Release()
			script = append(script, strings.TrimSuffix(string(b), "\n"))
		}
	}
	if len(script) == 0 {
		if len(args) == 0 {
			p.Warnf("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n")
			return 1
		}
		script, args = args[:1], args[1:]
	}
	parse := func() ([]*sedCommand, error) {
		s := &sedParser{s: strings.Join(script, "\n"), ext: o.Has("E", "r")}
		cmds := s.commands(false)
		if s.err == nil {
			s.err = checkLabels(cmds, cmds)
		}
		return cmds, s.err
	}
	cmds, err := parse()
	if err != nil {
		p.Errorf("%v", err)
		if errors.Is(err, errNoLabel) {
			return 4
		}
		return 1
	}
	sep := byte('\n')
	if o.Has("z") {
		sep = 0
	}
	code := 0
	read := func(name string) ([]byte, bool) {
		d, err := libc.OpenInput(p, name)
		var b []byte
		if err == nil {
			b, err = p.ReadAll(d)
			d.Release()
		}
		if err != nil {
			code = max(code, 2)
			switch {
			case err.Error() != kernel.ErrIsDir.Error():
				p.Errorf("can't read %s: %s", name, kernel.Strerror(err))
			case o.Has("i"):
				p.Errorf("couldn't edit %s: not a regular file", name)
				code = 4
			default:
				p.Errorf("read error on %s: Is a directory", name)
				code = 4
			}
			return nil, false
		}
		return b, true
	}
	process := func(data []byte, cmds []*sedCommand) (string, *sedRun) {
		var out strings.Builder
		ls, ended := libc.Lines(data, sep)
		r := &sedRun{p: p, lines: ls, ended: ended, quiet: o.Has("n"), sep: string(rune(sep)), out: &out}
		r.stream(cmds)
		return out.String(), r
	}
	if o.Has("i") {
		if len(args) == 0 {
			p.Errorf("no input files")
			return 4
		}
		for _, f := range args {
			data, ok := read(f)
			if !ok {
				continue
			}
			cmds, _ = parse()
			out, r := process(data, cmds)
			if r.code != 0 {
				code = r.code
			}
			st, err := p.Stat(f)
			if err == nil {
				// A new file takes the old one's place: another inode, nothing is synced.
				tmp := path.Dir(f) + "/sed" + libc.RandomName(6)
				if err = p.WriteFile(tmp, []byte(out), 0o600); err == nil {
					p.Chown(tmp, int64(st.UID), int64(st.GID), true)
					p.Chmod(tmp, st.Perm())
					if suffix := o.Get("i"); suffix != "" {
						bak := f + suffix
						if strings.Contains(suffix, "*") {
							bak = path.Dir(f) + "/" + strings.ReplaceAll(suffix, "*", path.Base(f))
						}
						err = p.Rename(f, bak)
					}
					if err == nil {
						err = p.Rename(tmp, f)
					}
				} else {
					p.Errorf("couldn't open temporary file %s: %s", tmp, kernel.Strerror(err))
					return 4
				}
			}
			if err != nil {
				p.Errorf("cannot rename %s: %s", f, kernel.Strerror(err))
				return 4
			}
		}
		return code
	}
	if len(args) == 0 {
		args = []string{"-"}
	}
	if o.Has("s") {
		for _, f := range args {
			if b, ok := read(f); ok {
				cmds, _ = parse()
				out, r := process(b, cmds)
				p.Print(out)
				if r.quit {
					return r.code
				}
			}
		}
		return code
	}
	var all bytes.Buffer
	for i, f := range args {
		b, ok := read(f)
		if !ok {
			continue
		}
		all.Write(b)
		if i < len(args)-1 && len(b) > 0 && b[len(b)-1] != sep {
			all.WriteByte(sep)
		}
	}
	out, r := process(all.Bytes(), cmds)
	p.Print(out)
	if r.code != 0 {
		return r.code
	}
	return code
}
