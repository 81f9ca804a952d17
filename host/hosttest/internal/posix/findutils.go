package posix

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdXargs(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+0a:d:E:I:i::L:l::n:oP:prs:tx", "null>0 arg-file=>a delimiter=>d max-args=>n max-lines=>L no-run-if-empty>r max-procs=>P verbose>t exit>x replace[=>I max-chars=>s")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "E", "o", "p", "s", "x") {
		return 1
	}
	var input []byte
	var err error
	if o.Has("a") {
		if input, err = p.ReadFile(o.Get("a")); err != nil {
			p.Errorf("Cannot open input file %s: %s", libc.Quote(o.Get("a")), kernel.Strerror(err))
			return 1
		}
	} else if input, err = io.ReadAll(p.Stdin()); err != nil && err != io.EOF {
		return 1
	}
	var items []string
	replace := o.Get("I", "i")
	if o.Has("i") && replace == "" {
		replace = "{}"
	}
	switch {
	case o.Has("0"):
		items = splitDelim(input, 0)
	case o.Has("d"):
		d := o.Get("d")
		if len(d) > 1 {
			b, _ := libc.Unescape(nil, d, false)
			d = string(b)
		}
		items = splitDelim(input, d[0])
	case replace != "":
		for line := range strings.Lines(string(input)) {
			words, msg := xargsWords(strings.TrimSuffix(line, "\n"), true)
			if msg != "" {
				p.Errorf("%s", msg)
				return 1
			}
			if len(words) > 0 {
				items = append(items, words[0])
			}
		}
	default:
		var msg string
		if items, msg = xargsWords(string(input), false); msg != "" {
			p.Errorf("%s", msg)
			return 1
		}
	}
	cmd := o.Args
	if len(cmd) == 0 {
		cmd = []string{"echo"}
	}
	if len(items) == 0 && (o.Has("r") || replace != "") {
		return 0
	}
	limit := len(items)
	if o.Has("L", "l") && replace == "" && !o.Has("0", "d") {
		return xargsLines(p, o, cmd, string(input))
	}
	if o.Has("n") {
		n, err := strconv.Atoi(o.Get("n"))
		if err != nil || n < 1 {
			p.Errorf("value %s for -n option should be >= 1", o.Get("n"))
			return libc.Usage(p, 1)
		}
		limit = n
	}
	// A child of xargs reads nothing of what xargs was given.
	run := func(args []string) (int, bool) {
		if o.Has("t") {
			p.Warnf("%s\n", strings.Join(args, " "))
		}
		p.Flush()
		c := libc.Spawn(p, args, p.Env, func(c *kernel.Process) {
			if !o.Has("a") {
				c.SetFD(0, kernel.NewStream(kernel.Device("null"), 0))
			}
		})
		st := p.WaitFor(c)
		switch {
		case st.Signal != 0:
			p.Errorf("%s: terminated by signal %d", args[0], st.Signal)
			return 125, true
		case st.Code == 255:
			p.Errorf("%s: exited with status 255; aborting", args[0])
			return 124, true
		case st.Code == 126 || st.Code == 127:
			return st.Code, true
		case st.Code != 0:
			return 123, false
		}
		return 0, false
	}
	code := 0
	if replace != "" {
		for _, it := range items {
			args := make([]string, len(cmd))
			for i, a := range cmd {
				args[i] = strings.ReplaceAll(a, replace, it)
			}
			c, stop := run(args)
			if c != 0 {
				code = c
			}
			if stop {
				return code
			}
		}
		return code
	}
	for first := true; first || len(items) > 0; first = false {
		n := min(max(limit, 1), len(items))
		size := 0
		for i := range n {
			if size += len(items[i]) + 1; size > 128<<10 && i > 0 {
				n = i
				break
			}
		}
		c, stop := run(append(append([]string{}, cmd...), items[:n]...))
		if c != 0 {
			code = c
		}
		if stop {
			return code
		}
		items = items[n:]
	}
	return code
}

// xargsLines is xargs -L: so many lines for each command.
func xargsLines(p *kernel.Process, o *libc.Options, cmd []string, input string) int {
	n, err := strconv.Atoi(o.Get("L", "l"))
	if err != nil || n < 1 {
		n = 1
	}
	var batch []string
	count, code := 0, 0
	flush := func() {
		if count > 0 {
			c := libc.Spawn(p, append(append([]string{}, cmd...), batch...), p.Env, func(c *kernel.Process) { c.SetFD(0, kernel.NewStream(kernel.Device("null"), 0)) })
			if p.WaitFor(c).ExitCode() != 0 {
				code = 123
			}
		}
		batch, count = nil, 0
	}
	for line := range strings.Lines(input) {
		words, msg := xargsWords(strings.TrimSuffix(line, "\n"), false)
		if msg != "" {
			p.Errorf("%s", msg)
			return 1
		}
		if len(words) == 0 {
			continue
		}
		batch = append(batch, words...)
		if !strings.HasSuffix(strings.TrimSuffix(line, "\n"), " ") {
			count++
		}
		if count == n {
			flush()
		}
	}
	flush()
	return code
}

func splitDelim(b []byte, d byte) []string {
	var out []string
	for len(b) > 0 {
		i := bytes.IndexByte(b, d)
		if i < 0 {
			return append(out, string(b))
		}
		out = append(out, string(b[:i]))
		b = b[i+1:]
	}
	return out
}

// xargsWords splits input with xargs' own quoting. With line the whole line is one item, without leading blanks.
func xargsWords(s string, line bool) ([]string, string) {
	var out []string
	var cur []byte
	have := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\'', '"':
			have = true
			j := strings.IndexByte(s[i+1:], c)
			if k := strings.IndexByte(s[i+1:], '\n'); j < 0 || k >= 0 && k < j {
				name := "single"
				if c == '"' {
					name = "double"
				}
				return nil, "unmatched " + name + " quote; by default quotes are special to xargs unless you use the -0 option"
			}
			cur = append(cur, s[i+1:i+1+j]...)
			i += j + 1
		case '\\':
			if i+1 < len(s) {
				i++
				cur = append(cur, s[i])
				have = true
			}
		case ' ', '\t', '\n':
			if line && c != '\n' {
				if have {
					cur = append(cur, c)
				}
				continue
			}
			if have {
				out = append(out, string(cur))
				cur, have = cur[:0], false
			}
		default:
			cur = append(cur, c)
			have = true
		}
	}
	if have {
		out = append(out, string(cur))
	}
	return out, ""
}

// findNode is one found file.
type findNode struct {
	name  string
	st    kernel.Stat
	depth int
	root  string
}

type findExpr func(n *findNode) bool

type finder struct {
	p      *kernel.Process
	args   []string
	i      int
	err    string
	min    int
	max    int
	depth  bool
	xdev   bool
	action bool
	prune  bool
	quit   bool
	follow bool
	code   int
	batch  []*findBatch
}

type findBatch struct{ cmd, items []string }

func cmdFind(p *kernel.Process) int {
	f := &finder{p: p, max: 1 << 30}
	args := p.Args[1:]
	for len(args) > 0 && (args[0] == "-L" || args[0] == "-H" || args[0] == "-P") {
		f.follow = args[0] == "-L"
		args = args[1:]
	}
	var roots []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != "(" && args[0] != "!" {
		roots = append(roots, args[0])
		args = args[1:]
	}
	if len(roots) == 0 {
		roots = []string{"."}
	}
	f.args = args
	expr := f.or()
	if f.err == "" && f.i < len(f.args) {
		if f.args[f.i] == ")" {
			f.err = "you have too many ')'"
		} else if strings.HasPrefix(f.args[f.i], "-") {
			f.err = "unknown predicate `" + f.args[f.i] + "'"
		} else {
			p.Errorf("paths must precede expression: `%s'", f.args[f.i])
			return 1
		}
	}
	if f.err != "" {
		p.Errorf("%s", f.err)
		return 1
	}
	if !f.action {
		test := expr
		expr = func(n *findNode) bool {
			if test(n) {
				p.Print(n.name, "\n")
				return true
			}
			return false
		}
	}
	for _, r := range roots {
		st, err := f.look(r)
		if err != nil {
			p.Errorf("%s: %s", findQuote(r), kernel.Strerror(err))
			f.code = 1
			continue
		}
		f.visit(&findNode{name: r, st: st, root: r}, expr, st.Dev)
		if f.quit {
			break
		}
	}
	for _, b := range f.batch {
		if len(b.items) > 0 && f.run(append(append([]string{}, b.cmd...), b.items...)) != 0 {
			f.code = 1
		}
	}
	return f.code
}

func findQuote(s string) string { return "'" + s + "'" }

func (f *finder) look(name string) (kernel.Stat, error) {
	if f.follow {
		if st, err := f.p.Stat(name); err == nil {
			return st, nil
		}
	}
	return f.p.Lstat(name)
}

func (f *finder) visit(n *findNode, expr findExpr, dev uint32) {
	f.prune = false
	if !f.depth && n.depth >= f.min {
		expr(n)
	}
	if f.quit {
		return
	}
	if n.st.IsDir() && n.depth < f.max && !f.prune && !(f.xdev && n.st.Dev != dev) {
		names, err := f.p.ReadDir(n.name)
		if err != nil {
			f.p.Errorf("%s: %s", findQuote(n.name), kernel.Strerror(err))
			f.code = 1
		}
		for _, name := range names {
			child := n.name + "/" + name
			if strings.HasSuffix(n.name, "/") {
				child = n.name + name
			}
			st, err := f.look(child)
			if err != nil {
				continue
			}
			f.visit(&findNode{child, st, n.depth + 1, n.root}, expr, dev)
			if f.quit {
				return
			}
		}
	}
	if f.depth && n.depth >= f.min {
		expr(n)
	}
}

func (f *finder) next() (string, bool) {
	if f.i < len(f.args) {
		f.i++
		return f.args[f.i-1], true
	}
	return "", false
}

func (f *finder) arg(pred string) string {
	a, ok := f.next()
	if !ok && f.err == "" {
		f.err = "missing argument to `" + pred + "'"
	}
	return a
}

func (f *finder) or() findExpr {
	e := f.and()
	for f.err == "" && f.i < len(f.args) && (f.args[f.i] == "-o" || f.args[f.i] == "-or") {
		f.i++
		a, b := e, f.and()
		e = func(n *findNode) bool { return a(n) || b(n) }
	}
	return e
}

func (f *finder) and() findExpr {
	e := func(*findNode) bool { return true }
	for f.err == "" && f.i < len(f.args) {
		switch f.args[f.i] {
		case "-o", "-or", ")":
			return e
		case "-a", "-and":
			f.i++
			continue
		}
		a, b := e, f.primary()
		e = func(n *findNode) bool { return a(n) && b(n) }
	}
	return e
}

// findNumber reads +N, -N or N.
func findNumber(s string) (func(int64) bool, bool) {
	cmp := byte(0)
	if s != "" && (s[0] == '+' || s[0] == '-') {
		cmp, s = s[0], s[1:]
	}
	v, ok := kernel.ParseUint(s)
	n := int64(v)
	return func(x int64) bool {
		switch cmp {
		case '+':
			return x > n
		case '-':
			return x < n
		}
		return x == n
	}, ok
}

func (f *finder) primary() findExpr {
	p := f.p
	pred, _ := f.next()
	always := func(*findNode) bool { return true }
	bad := func(a string) findExpr {
		f.err = fmt.Sprintf("invalid argument `%s' to `%s'", a, pred)
		return always
	}
	switch pred {
	case "(":
		e := f.or()
		if a, ok := f.next(); (!ok || a != ")") && f.err == "" {
			f.err = "invalid expression; I was expecting to find a ')' somewhere but did not see one."
		}
		return e
	case "!", "-not":
		e := f.primary()
		return func(n *findNode) bool { return !e(n) }
	case "-true":
		return always
	case "-false":
		return func(*findNode) bool { return false }
	case "-maxdepth", "-mindepth":
		a := f.arg(pred)
		v, ok := kernel.ParseUint(a)
		if !ok && f.err == "" {
			f.err = fmt.Sprintf("Expected a positive decimal integer argument to %s, but got '%s'", pred, a)
		}
		if pred == "-maxdepth" {
			f.max = int(v)
		} else {
			f.min = int(v)
		}
		return always
	case "-depth", "-d":
		f.depth = true
		return always
	case "-xdev", "-mount":
		f.xdev = true
		return always
	case "-noleaf", "-ignore_readdir_race", "-nowarn", "-warn":
		return always
	case "-name", "-iname":
		pat := f.arg(pred)
		return func(n *findNode) bool {
			b := path.Base(n.name)
			if pred == "-iname" {
				return libc.Fnmatch(strings.ToLower(pat), strings.ToLower(b))
			}
			return libc.Fnmatch(pat, b)
		}
	case "-path", "-wholename":
		pat := f.arg(pred)
		return func(n *findNode) bool { return libc.Fnmatch(pat, n.name) }
	case "-type", "-xtype":
		a := f.arg(pred)
		var kinds []uint32
		for k := range strings.SplitSeq(a, ",") {
			t := map[string]uint32{"f": kernel.ModeRegular, "d": kernel.ModeDir, "l": kernel.ModeSymlink, "b": kernel.ModeBlock, "c": kernel.ModeChar, "p": kernel.ModeFIFO, "s": kernel.ModeSocket}[k]
			if t == 0 && f.err == "" {
				f.err = "Unknown argument to -type: " + k
			}
			kinds = append(kinds, t)
		}
		return func(n *findNode) bool {
			st := n.st
			if pred == "-xtype" {
				if s, err := p.Stat(n.name); err == nil {
					st = s
				}
			}
			for _, k := range kinds {
				if st.Mode&kernel.ModeType == k {
					return true
				}
			}
			return false
		}
	case "-newer":
		a := f.arg(pred)
		st, err := p.Stat(a)
		if err != nil && f.err == "" {
			f.err = findQuote(a) + ": " + kernel.Strerror(err)
		}
		return func(n *findNode) bool { return n.st.Mtime.After(st.Mtime) }
	case "-empty":
		return func(n *findNode) bool {
			if n.st.IsDir() {
				names, _ := p.ReadDir(n.name)
				return len(names) == 0
			}
			return n.st.IsRegular() && n.st.Size == 0
		}
	case "-size":
		a := f.arg(pred)
		unit := int64(512)
		if a != "" {
			if m := map[byte]int64{'c': 1, 'w': 2, 'b': 512, 'k': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}[a[len(a)-1]]; m != 0 {
				unit = m
				a = a[:len(a)-1]
			}
		}
		cmp, ok := findNumber(a)
		if !ok {
			return bad(a)
		}
		return func(n *findNode) bool { return cmp((n.st.Size + unit - 1) / unit) }
	case "-mtime", "-mmin", "-atime", "-ctime", "-amin", "-cmin":
		a := f.arg(pred)
		cmp, ok := findNumber(a)
		if !ok {
			return bad(a)
		}
		unit := 24 * time.Hour
		if strings.HasSuffix(pred, "min") {
			unit = time.Minute
		}
		return func(n *findNode) bool {
			t := n.st.Mtime
			switch pred[1] {
			case 'a':
				t = n.st.Atime
			case 'c':
				t = n.st.Ctime
			}
			return cmp(int64(p.Kernel.Now().Sub(t) / unit))
		}
	case "-perm":
		a := f.arg(pred)
		kind := byte(0)
		if a != "" && (a[0] == '-' || a[0] == '/') {
			kind, a = a[0], a[1:]
		}
		fn, err := libc.ParseMode(a)
		if err != nil {
			f.err = fmt.Sprintf("invalid mode `%s'", a)
			return always
		}
		want := fn(0, false, 0)
		return func(n *findNode) bool {
			switch kind {
			case '-':
				return n.st.Perm()&want == want
			case '/':
				return want == 0 || n.st.Perm()&want != 0
			}
			return n.st.Perm() == want
		}
	case "-user", "-uid":
		a := f.arg(pred)
		uid, _, err := owner(p, a)
		if err != nil {
			f.err = fmt.Sprintf("invalid user name or UID argument to -user: '%s'", a)
		}
		return func(n *findNode) bool { return int64(n.st.UID) == uid }
	case "-group", "-gid":
		a := f.arg(pred)
		gid, err := groupID(p, a)
		if err != nil {
			f.err = fmt.Sprintf("invalid group name or GID argument to -group: '%s'", a)
		}
		return func(n *findNode) bool { return int64(n.st.GID) == gid }
	case "-links":
		a := f.arg(pred)
		cmp, ok := findNumber(a)
		if !ok {
			return bad(a)
		}
		return func(n *findNode) bool { return cmp(int64(n.st.Nlink)) }
	case "-print":
		f.action = true
		return func(n *findNode) bool { p.Print(n.name, "\n"); return true }
	case "-print0":
		f.action = true
		return func(n *findNode) bool { p.Print(n.name, "\x00"); return true }
	case "-printf":
		f.action = true
		format := f.arg(pred)
		return func(n *findNode) bool { p.Print(f.format(format, n)); return true }
	case "-prune":
		return func(*findNode) bool { f.prune = true; return true }
	case "-quit":
		f.action = f.action || false
		return func(*findNode) bool { f.quit = true; return true }
	case "-delete":
		f.action, f.depth = true, true
		return func(n *findNode) bool {
			if n.name == "." {
				return true
			}
			var err error
			if n.st.IsDir() {
				err = p.Rmdir(n.name)
			} else {
				err = p.Unlink(n.name)
			}
			if err != nil {
				p.Errorf("cannot delete %s: %s", findQuote(n.name), kernel.Strerror(err))
				f.code = 1
				return false
			}
			return true
		}
	case "-exec", "-ok", "-execdir":
		f.action = true
		var cmd []string
		for {
			a, ok := f.next()
			if !ok {
				f.err = "missing argument to `" + pred + "'"
				return always
			}
			if a == ";" {
				return func(n *findNode) bool {
					args := make([]string, len(cmd))
					for i, c := range cmd {
						args[i] = strings.ReplaceAll(c, "{}", n.name)
					}
					return f.run(args) == 0
				}
			}
			if a == "+" && len(cmd) > 1 && cmd[len(cmd)-1] == "{}" {
				b := &findBatch{cmd: cmd[:len(cmd)-1]}
				f.batch = append(f.batch, b)
				return func(n *findNode) bool { b.items = append(b.items, n.name); return true }
			}
			cmd = append(cmd, a)
		}
	}
	if f.err == "" {
		if strings.HasPrefix(pred, "-") {
			f.err = "unknown predicate `" + pred + "'"
		} else {
			f.err = "paths must precede expression: `" + pred + "'"
		}
	}
	return always
}

func (f *finder) run(args []string) int {
	f.p.Flush()
	return libc.Run(f.p, args...)
}

func (f *finder) format(format string, n *findNode) string {
	var b strings.Builder
	p := f.p
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c == '\\' && i+1 < len(format) {
			i++
			switch e := format[i]; {
			case e >= '0' && e <= '7':
				v, w := libc.Octal(format[i:])
				b.WriteByte(v)
				i += w - 1
			case strings.IndexByte(`abfnrtv\`, e) >= 0:
				b.WriteByte("\a\b\f\n\r\t\v\\"[strings.IndexByte(`abfnrtv\`, e)])
			case e == 'c':
				return b.String()
			default:
				b.WriteByte('\\')
				b.WriteByte(e)
			}
			continue
		}
		if c != '%' || i+1 == len(format) {
			b.WriteByte(c)
			continue
		}
		i++
		start := i
		for i < len(format) && strings.IndexByte("-0123456789#.", format[i]) >= 0 {
			i++
		}
		flags := format[start:i]
		if i >= len(format) {
			break
		}
		v := ""
		st := n.st
		stamp := func(t time.Time) string {
			if i+1 < len(format) {
				i++
				if format[i] == '@' {
					return fmt.Sprintf("%d.%09d0", t.Unix(), t.Nanosecond())
				}
				return libc.Strftime("%"+string(format[i]), libc.LocalTime(p, t))
			}
			return ""
		}
		switch format[i] {
		case '%':
			v = "%"
		case 'p':
			v = n.name
		case 'P':
			v = strings.TrimPrefix(strings.TrimPrefix(n.name, n.root), "/")
		case 'f':
			v = path.Base(n.name)
		case 'h':
			v = path.Dir(n.name)
			if !strings.Contains(n.name, "/") {
				v = "."
			}
		case 'H':
			v = n.root
		case 'd':
			v = strconv.Itoa(n.depth)
		case 's':
			v = strconv.FormatInt(st.Size, 10)
		case 'm':
			v = strconv.FormatUint(uint64(st.Perm()), 8)
		case 'M':
			v = modeString(st.Mode)
		case 'u':
			v = libc.UserName(p.Kernel, st.UID)
		case 'U':
			v = strconv.Itoa(int(st.UID))
		case 'g':
			v = libc.GroupName(p.Kernel, st.GID)
		case 'G':
			v = strconv.Itoa(int(st.GID))
		case 'i':
			v = strconv.Itoa(int(st.Ino))
		case 'n':
			v = strconv.Itoa(int(st.Nlink))
		case 'l':
			v = st.Target
		case 'y', 'Y':
			if format[i] == 'Y' {
				if s, err := p.Stat(n.name); err == nil {
					st = s
				}
			}
			v = modeString(st.Mode)[:1]
			if v == "-" {
				v = "f"
			}
		case 'T':
			v = stamp(st.Mtime)
		case 'A':
			v = stamp(st.Atime)
		case 'C':
			v = stamp(st.Ctime)
		case 't':
			v = libc.LocalTime(p, st.Mtime).Format("Mon Jan _2 15:04:05.0000000000 2006")
		default:
			v = "%" + string(format[i])
		}
		if flags != "" {
			v = padStat(v, flags, 'n')
		}
		b.WriteString(v)
	}
	return b.String()
}
