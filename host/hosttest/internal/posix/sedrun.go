package posix

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

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
		if pos > 0 && m[0] >= 0 && (strings.HasPrefix(c.re.String(), "(?s)^") ||
			strings.HasPrefix(c.re.String(), "(?i)(?s)^")) {
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
	return sedLabel(cmds, label) >= 0 ||
		slices.ContainsFunc(cmds, func(c *sedCommand) bool { return hasLabel(c.block, label) })
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

// run carries out cmds on the pattern space. It gives the label that is nowhere among them and must be looked for
// outside, or ok with an empty one when the script is to end.
func (r *sedRun) run(cmds []*sedCommand) (jump string, ok bool) {
	for i := 0; i < len(cmds); i++ {
		r.p.Check()
		c := cmds[i]
		if r.matches(c) == c.not {
			continue
		}
		if c.verb == '{' {
			j, ok := r.run(c.block)
			if k := sedLabel(cmds, j); ok && j != "" && k >= 0 {
				i = k
				continue
			}
			if ok {
				return j, true
			}
			if r.quit || r.restart || r.deleted {
				return "", false
			}
			continue
		}
		if r.branches(c) {
			if c.text == "" {
				return "", true
			}
			k := sedLabel(cmds, c.text)
			if k < 0 {
				return c.text, true
			}
			i = k
			continue
		}
		if !r.command(c) {
			return "", false
		}
	}
	return "", false
}

// branches tells whether c is a jump that is taken.
func (r *sedRun) branches(c *sedCommand) bool {
	switch c.verb {
	case 'b':
		return true
	case 't', 'T':
		subbed := r.subbed
		r.subbed = false
		return subbed == (c.verb == 't')
	}
	return false
}

// command carries out c, which neither groups nor jumps. It returns false when the cycle ends with it.
func (r *sedRun) command(c *sedCommand) bool {
	switch c.verb {
	case 'd':
		r.deleted = true
		return false
	case 'D':
		_, rest, more := strings.Cut(r.space, "\n")
		if more {
			r.space = rest
		}
		r.restart, r.deleted = more, !more
		return false
	case 'q', 'Q':
		r.quit, r.code = true, c.nth
		r.deleted = c.verb == 'Q'
		return false
	case 'n', 'N':
		return r.next(c.verb == 'N')
	case 'c':
		if c.a2 == nil || c.not || !c.active {
			r.out.WriteString(c.text)
		}
		r.deleted = true
		return false
	case 'p':
		r.emit(r.space)
	case 'P':
		f, _, _ := strings.Cut(r.space, "\n")
		r.out.WriteString(f + r.sep)
	case '=':
		r.out.WriteString(strconv.Itoa(r.n) + "\n")
	case 'a':
		r.app = append(r.app, c.text)
	case 'i':
		r.out.WriteString(c.text)
	default:
		r.edit(c)
	}
	return true
}

// edit changes the pattern space or the hold space.
func (r *sedRun) edit(c *sedCommand) {
	switch c.verb {
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
	}
}

// next reads the next line, after what is in the pattern space (N) or instead of it (n). Without one the script ends;
// GNU sed prints the pattern space then.
func (r *sedRun) next(appended bool) bool {
	if r.n >= len(r.lines) {
		r.quit = true
		return false
	}
	if !appended && !r.quiet {
		r.emit(r.space)
	}
	r.flushApp()
	if appended {
		r.space += "\n" + r.lines[r.n]
	} else {
		r.space = r.lines[r.n]
	}
	r.n++
	return true
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
		if j, ok := r.run(cmds); ok && j != "" {
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
