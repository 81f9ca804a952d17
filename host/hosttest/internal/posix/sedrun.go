package posix

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
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
