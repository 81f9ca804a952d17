package posix

import (
	"fmt"
	"path"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

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

func findAlways(*findNode) bool { return true }

func (f *finder) primary() findExpr {
	pred, _ := f.next()
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
		return findAlways
	case "-false":
		return func(*findNode) bool { return false }
	}
	for _, read := range []func(string) findExpr{f.option, f.nameTest, f.numberTest, f.ownerTest, f.actionOf} {
		if e := read(pred); e != nil {
			return e
		}
	}
	if f.err == "" {
		if strings.HasPrefix(pred, "-") {
			f.err = "unknown predicate `" + pred + "'"
		} else {
			f.err = "paths must precede expression: `" + pred + "'"
		}
	}
	return findAlways
}

// option reads what holds for the whole run; nil when the predicate is no option.
func (f *finder) option(pred string) findExpr {
	switch pred {
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
		return findAlways
	case "-depth", "-d":
		f.depth = true
		return findAlways
	case "-xdev", "-mount":
		f.xdev = true
		return findAlways
	case "-noleaf", "-ignore_readdir_race", "-nowarn", "-warn":
		return findAlways
	}
	return nil
}

// nameTest reads the tests of a file's name, type and content; nil when the predicate is none.
func (f *finder) nameTest(pred string) findExpr {
	p := f.p
	switch pred {
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
			t := map[string]uint32{"f": kernel.ModeRegular, "d": kernel.ModeDir, "l": kernel.ModeSymlink,
				"b": kernel.ModeBlock, "c": kernel.ModeChar, "p": kernel.ModeFIFO, "s": kernel.ModeSocket}[k]
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
	}
	return nil
}

// numberTest reads the tests that compare a number; nil when the predicate is none.
func (f *finder) numberTest(pred string) findExpr {
	bad := func(a string) findExpr {
		f.err = fmt.Sprintf("invalid argument `%s' to `%s'", a, pred)
		return findAlways
	}
	switch pred {
	case "-size":
		a := f.arg(pred)
		unit := int64(512)
		if a != "" {
			if m := map[byte]int64{'c': 1, 'w': 2, 'b': 512, 'k': 1 << 10, 'M': 1 << 20,
				'G': 1 << 30}[a[len(a)-1]]; m != 0 {
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
			return cmp(int64(f.p.Kernel.Now().Sub(t) / unit))
		}
	case "-links":
		a := f.arg(pred)
		cmp, ok := findNumber(a)
		if !ok {
			return bad(a)
		}
		return func(n *findNode) bool { return cmp(int64(n.st.Nlink)) }
	}
	return nil
}

// ownerTest reads the tests of owner and mode; nil when the predicate is none.
func (f *finder) ownerTest(pred string) findExpr {
	p := f.p
	switch pred {
	case "-perm":
		a := f.arg(pred)
		kind := byte(0)
		if a != "" && (a[0] == '-' || a[0] == '/') {
			kind, a = a[0], a[1:]
		}
		fn, err := libc.ParseMode(a)
		if err != nil {
			f.err = fmt.Sprintf("invalid mode `%s'", a)
			return findAlways
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
	}
	return nil
}

// actionOf reads what is done with a file; nil when the predicate is no action.
func (f *finder) actionOf(pred string) findExpr {
	p := f.p
	switch pred {
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
		return func(*findNode) bool { f.quit = true; return true }
	case "-delete":
		f.action, f.depth = true, true
		return f.delete
	case "-exec", "-ok", "-execdir":
		f.action = true
		return f.exec(pred)
	}
	return nil
}

func (f *finder) delete(n *findNode) bool {
	if n.name == "." {
		return true
	}
	var err error
	if n.st.IsDir() {
		err = f.p.Rmdir(n.name)
	} else {
		err = f.p.Unlink(n.name)
	}
	if err != nil {
		f.p.Errorf("cannot delete %s: %s", findQuote(n.name), kernel.Strerror(err))
		f.code = 1
		return false
	}
	return true
}

// exec reads a command up to ";" or "{} +".
func (f *finder) exec(pred string) findExpr {
	var cmd []string
	for {
		a, ok := f.next()
		if !ok {
			f.err = "missing argument to `" + pred + "'"
			return findAlways
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

func (f *finder) run(args []string) int {
	f.p.Flush()
	return libc.Run(f.p, args...)
}
