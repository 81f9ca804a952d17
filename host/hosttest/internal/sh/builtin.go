package sh

import (
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// A builtinFunc is a command that runs within the shell itself.
type builtinFunc func(sh *shell, args []string) int

// isSpecial tells the special built-ins, whose errors end a shell that is not interactive.
func isSpecial(name string) bool {
	switch name {
	case ".", ":", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift", "times", "trap", "unset":
		return true
	}
	return false
}

// builtin gives dash's built-in of that name, or nil.
func builtin(name string) builtinFunc {
	switch name {
	case ":", "true":
		return func(*shell, []string) int { return 0 }
	case "false":
		return func(*shell, []string) int { return 1 }
	case ".":
		return biDot
	case "[", "test":
		return biTest
	case "break", "continue":
		return biBreak
	case "cd", "chdir":
		return biCd
	case "command":
		return biCommand
	case "echo":
		return biEcho
	case "eval":
		return biEval
	case "exec":
		return biExec
	case "exit":
		return biExit
	case "export", "readonly":
		return biExport
	case "getopts":
		return biGetopts
	case "hash":
		return biHash
	case "jobs":
		return func(*shell, []string) int { return 0 }
	case "kill":
		return biKill
	case "local":
		return biLocal
	case "printf":
		return biPrintf
	case "pwd":
		return biPwd
	case "read":
		return biRead
	case "return":
		return biReturn
	case "set":
		return biSet
	case "shift":
		return biShift
	case "times":
		return func(sh *shell, _ []string) int {
			return sh.output([]byte("0m0.000000s 0m0.000000s\n0m0.000000s 0m0.000000s\n"), "times")
		}
	case "trap":
		return biTrap
	case "type":
		return biType
	case "ulimit":
		return biUlimit
	case "umask":
		return biUmask
	case "unset":
		return biUnset
	case "wait":
		return biWait
	case "alias", "unalias", "bg", "fg":
		return func(sh *shell, args []string) int {
			sh.warnf("%s: not in a script", args[0])
			return 2
		}
	}
	return nil
}

// output writes a built-in's standard output.
func (sh *shell) output(b []byte, name string) int {
	if err := sh.p.Write(1, b); err != nil {
		sh.warnf("%s: %s: I/O error", name, name)
		return 1
	}
	return 0
}

func biDot(sh *shell, args []string) int {
	if len(args) < 2 {
		return 0
	}
	file := args[1]
	if !strings.Contains(file, "/") {
		found := false
		pathVar, _ := sh.get("PATH")
		for dir := range strings.SplitSeq(pathVar, ":") {
			if st, err := sh.p.Stat(orDot(dir) + "/" + file); err == nil && st.IsRegular() {
				file, found = orDot(dir)+"/"+file, true
				break
			}
		}
		if !found {
			sh.fail(2, ".: %s: not found", args[1])
		}
	}
	b, err := sh.p.ReadFile(file)
	if err != nil {
		sh.fail(2, ".: cannot open %s: %s", file, openText(err))
	}
	sh.calls++
	sh.status = 0
	sh.runSource(string(b), false)
	sh.calls--
	sh.ret = false
	return sh.status
}

func biTest(sh *shell, args []string) int {
	ops := args[1:]
	if args[0] == "[" {
		if len(ops) == 0 || ops[len(ops)-1] != "]" {
			sh.warnf("[: missing ]")
			return 2
		}
		ops = ops[:len(ops)-1]
	}
	ok, err := testExpr(sh.p, ops)
	if err != nil {
		sh.warnf("%s: %v", args[0], err)
		return 2
	}
	return libc.BoolToInt(!ok)
}

func (sh *shell) number(s, cmd string) int {
	n, ok := kernel.ParseUint(s)
	if !ok || n > 1<<31-1 {
		sh.fail(2, "%s: Illegal number: %s", cmd, s)
	}
	return int(n)
}

func biBreak(sh *shell, args []string) int {
	n := 1
	if len(args) > 1 {
		if n = sh.number(args[1], args[0]); n == 0 {
			sh.fail(2, "%s: Illegal number: %s", args[0], args[1])
		}
	}
	n = min(n, sh.loops)
	if n > 0 {
		sh.brk = n
		sh.cont = args[0] == "continue"
	}
	return 0
}

func biCd(sh *shell, args []string) int {
	physical := false
	i := 1
	for ; i < len(args) && len(args[i]) == 2 && args[i][0] == '-' && args[i] != "--"; i++ {
		switch args[i] {
		case "-P":
			physical = true
		case "-L":
			physical = false
		default:
			sh.warnf("cd: Illegal option %s", args[i])
			return 2
		}
	}
	if i < len(args) && args[i] == "--" {
		i++
	}
	var dest string
	show := false
	switch {
	case i >= len(args):
		dest, _ = sh.get("HOME")
		if dest == "" {
			return 0
		}
	case args[i] == "-":
		dest, _ = sh.get("OLDPWD")
		show = true
	default:
		dest = args[i]
	}
	if dest == "" {
		dest = "."
	}
	logical := dest
	if !strings.HasPrefix(logical, "/") {
		logical = sh.pwd + "/" + dest
	}
	logical = path.Clean(logical)
	look := dest
	if !physical {
		look = logical
	}
	st, err := sh.p.Stat(look)
	if err == nil && !st.IsDir() {
		err = syscall.ENOTDIR
	}
	if err == nil {
		err = sh.p.Access(look, kernel.MayExec)
	}
	if err != nil {
		sh.warnf("%s: can't cd to %s", args[0], orDot(dest))
		return 2
	}
	if physical {
		logical = st.Path
	}
	sh.assign("OLDPWD", sh.pwd)
	sh.p.Chdir(st.Path)
	sh.pwd = logical
	sh.assign("PWD", logical)
	if show {
		return sh.output([]byte(logical+"\n"), "cd")
	}
	return 0
}

func biPwd(sh *shell, args []string) int {
	dir := sh.pwd
	if len(args) > 1 && args[1] == "-P" {
		dir = sh.p.Dir
	}
	return sh.output([]byte(dir+"\n"), "pwd")
}

func biCommand(sh *shell, args []string) int {
	i := 1
	var verify, verbose, std bool
	for ; i < len(args) && len(args[i]) > 1 && args[i][0] == '-'; i++ {
		if args[i] == "--" {
			i++
			break
		}
		for _, c := range args[i][1:] {
			switch c {
			case 'v':
				verify = true
			case 'V':
				verbose = true
			case 'p':
				std = true
			default:
				sh.warnf("command: Illegal option -%c", c)
				return 2
			}
		}
	}
	args = args[i:]
	if len(args) == 0 {
		return 0
	}
	if verify || verbose {
		return sh.describe(args[0], verbose, "command")
	}
	if b := builtin(args[0]); b != nil {
		return b(sh, args)
	}
	if std {
		old, _ := sh.get("PATH")
		sh.assign("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
		defer sh.assign("PATH", old)
	}
	sh.environ(nil)
	child := sh.p.Kernel.NewProcess(sh.p)
	x := *sh
	x.p = child
	child.Go(func(*kernel.Process) int { return x.execute(args, nil, "") })
	sh.await(child)
	return sh.status
}

// describe is command -v, command -V and type.
func (sh *shell) describe(name string, verbose bool, who string) int {
	say := func(short, long string) int {
		if verbose {
			short = name + long
		}
		return sh.output([]byte(short+"\n"), who)
	}
	switch name {
	case "!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until", "while":
		return say(name, " is a shell keyword")
	}
	if sh.funcs[name] != nil && !isSpecial(name) {
		return say(name, " is a shell function")
	}
	if builtin(name) != nil {
		if isSpecial(name) {
			return say(name, " is a special shell builtin")
		}
		return say(name, " is a shell builtin")
	}
	pathVar, _ := sh.get("PATH")
	if strings.Contains(name, "/") {
		if _, err := sh.p.Stat(name); err == nil {
			return say(name, " is "+name)
		}
	} else if file, err := libc.LookPath(sh.p, name, pathVar); err == nil {
		return say(file, " is "+file)
	}
	if verbose {
		sh.output([]byte(name+": not found\n"), who)
	}
	return 127
}

func biType(sh *shell, args []string) int {
	code := 0
	for _, a := range args[1:] {
		if sh.describe(a, true, "type") != 0 {
			code = 127
		}
	}
	return code
}

func biEcho(sh *shell, args []string) int {
	args = args[1:]
	nl := true
	if len(args) > 0 && args[0] == "-n" {
		nl = false
		args = args[1:]
	}
	var out []byte
	for i, a := range args {
		if i > 0 {
			out = append(out, ' ')
		}
		var stop bool
		if out, stop = libc.Unescape(out, a, true); stop {
			return sh.output(out, "echo")
		}
	}
	if nl {
		out = append(out, '\n')
	}
	return sh.output(out, "echo")
}

func biEval(sh *shell, args []string) int {
	if len(args) < 2 {
		return 0
	}
	sh.status = 0
	sh.runSource(strings.Join(args[1:], " "), false)
	return sh.status
}

func biExec(sh *shell, args []string) int {
	if len(args) > 1 && args[1] == "--" {
		args = args[1:]
	}
	if len(args) < 2 {
		return 0
	}
	code := sh.execute(args[1:], nil, "exec: ")
	panic(kernel.Exit{Code: code})
}

func biExit(sh *shell, args []string) int {
	code := sh.status
	if len(args) > 1 {
		code = sh.number(args[1], "exit") & 255
	}
	sh.exit(code)
	return code
}

func biReturn(sh *shell, args []string) int {
	code := sh.status
	if len(args) > 1 {
		code = sh.number(args[1], "return") & 255
	}
	if sh.calls == 0 {
		sh.exit(code)
	}
	sh.ret = true
	return code
}

func biExport(sh *shell, args []string) int {
	i := 1
	if len(args) > 1 && args[1] == "-p" || len(args) == 1 {
		var names []string
		for n, v := range sh.vars {
			if args[0] == "export" && v.exported || args[0] == "readonly" && v.readonly {
				names = append(names, n)
			}
		}
		slices.Sort(names)
		var b strings.Builder
		for _, n := range names {
			b.WriteString(args[0] + " " + n)
			if v := sh.vars[n]; v.set {
				b.WriteString("=" + singleQuote(v.value))
			}
			b.WriteByte('\n')
		}
		return sh.output([]byte(b.String()), args[0])
	}
	if args[i] == "--" {
		i++
	}
	for _, a := range args[i:] {
		name, value, has := strings.Cut(a, "=")
		if !libc.IsName(name) {
			sh.fail(2, "%s: %s: bad variable name", args[0], name)
		}
		if has {
			sh.assign(name, value)
		}
		v := sh.vars[name]
		if v == nil {
			v = &variable{}
			sh.vars[name] = v
		}
		if args[0] == "export" {
			v.exported = true
		} else {
			v.readonly = true
		}
	}
	sh.envOK = false
	return 0
}

func biLocal(sh *shell, args []string) int {
	if len(sh.locals) == 0 {
		sh.fail(2, "local: not in a function")
	}
	top := len(sh.locals) - 1
	for _, a := range args[1:] {
		name, value, has := strings.Cut(a, "=")
		if name == "-" {
			continue
		}
		if !libc.IsName(name) {
			sh.fail(2, "local: %s: bad variable name", name)
		}
		if sh.locals[top] == nil {
			sh.locals[top] = map[string]*variable{}
		}
		if _, done := sh.locals[top][name]; !done {
			old := sh.vars[name]
			sh.locals[top][name] = old
			// A local starts with the value that was visible before.
			n := &variable{}
			if old != nil {
				*n = *old
			}
			sh.vars[name] = n
		}
		if has {
			sh.assign(name, value)
		}
	}
	return 0
}

func biUnset(sh *shell, args []string) int {
	fn := false
	i := 1
	for ; i < len(args) && strings.HasPrefix(args[i], "-"); i++ {
		switch args[i] {
		case "-f":
			fn = true
		case "-v":
			fn = false
		case "--":
		default:
			sh.fail(2, "unset: Illegal option %s", args[i])
		}
	}
	code := 0
	for _, a := range args[i:] {
		if fn {
			delete(sh.funcs, a)
			continue
		}
		if !libc.IsName(a) {
			sh.fail(2, "unset: %s: bad variable name", a)
		}
		if !sh.unset(a) {
			sh.fail(2, "unset: %s: is read only", a)
		}
	}
	return code
}

func biSet(sh *shell, args []string) int {
	if len(args) == 1 {
		var names []string
		for n, v := range sh.vars {
			if v.set {
				names = append(names, n)
			}
		}
		slices.Sort(names)
		var b strings.Builder
		for _, n := range names {
			b.WriteString(n + "=" + singleQuote(sh.vars[n].value) + "\n")
		}
		return sh.output([]byte(b.String()), "set")
	}
	i := 1
	for ; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			sh.params = slices.Clone(args[i+1:])
			return 0
		}
		if a == "-" {
			sh.setOpt('x', false)
			sh.setOpt('v', false)
			i++
			break
		}
		if len(a) < 2 || a[0] != '-' && a[0] != '+' {
			break
		}
		on := a[0] == '-'
		for _, c := range a[1:] {
			switch {
			case c == 'o':
				if i+1 >= len(args) {
					return 0
				}
				i++
				l := optionLetter(args[i])
				if l == 0 {
					sh.fail(2, "set: Illegal option -o %s", args[i])
				}
				sh.setOpt(l, on)
			case strings.ContainsRune("efunvxCabmI", c):
				sh.setOpt(byte(c), on)
			default:
				sh.fail(2, "set: Illegal option %c%c", a[0], c)
			}
		}
	}
	if i < len(args) {
		sh.params = slices.Clone(args[i:])
	}
	return 0
}

func biShift(sh *shell, args []string) int {
	n := 1
	if len(args) > 1 {
		n = sh.number(args[1], "shift")
	}
	if n > len(sh.params) {
		sh.fail(2, "shift: can't shift that many")
	}
	sh.params = sh.params[n:]
	return 0
}

// singleQuote quotes as dash does where it prints what can be read again: a run of apostrophes gets double quotes of its
// own, and nothing follows one at the end.
func singleQuote(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\'')
		if i < 0 {
			i = len(s)
		}
		b.WriteString("'" + s[:i] + "'")
		rest := strings.TrimLeft(s[i:], "'")
		if n := len(s) - i - len(rest); n > 0 {
			b.WriteString(`"` + strings.Repeat("'", n) + `"`)
		}
		if s = rest; s == "" {
			return b.String()
		}
	}
}

// biHash looks the names up: what it found is not remembered.
func biHash(sh *shell, args []string) int {
	code := 0
	for _, a := range args[1:] {
		if a == "-r" || a == "-v" || sh.funcs[a] != nil || builtin(a) != nil {
			continue
		}
		pathVar, _ := sh.get("PATH")
		if _, err := libc.LookPath(sh.p, a, pathVar); err != nil {
			sh.warnf("hash: %s: not found", a)
			code = 1
		}
	}
	return code
}

func biTrap(sh *shell, args []string) int {
	args = args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		var b strings.Builder
		for _, name := range kernel.SignalNames {
			if t, ok := sh.traps[name]; ok {
				b.WriteString("trap -- " + singleQuote(t) + " " + name + "\n")
			}
		}
		return sh.output([]byte(b.String()), "trap")
	}
	action, sigs := args[0], args[1:]
	reset := action == "-"
	if len(sigs) == 0 || action != "" && kernel.SignalNumber(action) >= 0 && libc.IsDigits(action) {
		reset, sigs = true, args
		if !libc.IsDigits(action) && len(args) == 1 {
			sigs = args
		}
	}
	for _, s := range sigs {
		n := kernel.SignalNumber(s)
		if s == "0" {
			n = 0
		}
		if n < 0 || n >= len(kernel.SignalNames) {
			sh.p.Warnf("trap: %s: bad trap\n", s) // no prefix
			return 1
		}
		name := kernel.SignalNames[n]
		p := sh.p
		p.ResetSignal(n)
		if reset {
			delete(sh.traps, name)
			continue
		}
		if sh.traps == nil {
			sh.traps = map[string]string{}
		}
		sh.traps[name] = action
		if n == 0 {
			continue
		}
		if action == "" {
			p.Ignore(n)
		} else {
			p.Catch(n)
		}
	}
	return 0
}

func biUlimit(sh *shell, args []string) int {
	if len(args) == 2 {
		switch args[1] {
		case "-n":
			return sh.output([]byte("1024\n"), "ulimit")
		case "-c":
			return sh.output([]byte("0\n"), "ulimit")
		case "-f", "-t", "-d", "-v", "-m":
			return sh.output([]byte("unlimited\n"), "ulimit")
		}
	}
	return 0
}

func biUmask(sh *shell, args []string) int {
	if len(args) > 1 && args[1] == "--" {
		args = append(args[:1:1], args[2:]...)
	}
	if len(args) == 1 {
		return sh.output([]byte("0"+pad3(sh.p.Umask)+"\n"), "umask")
	}
	if args[1] == "-S" {
		var b []string
		for i, who := range []string{"u", "g", "o"} {
			bits := ^sh.p.Umask >> (6 - 3*i) & 7
			s := who + "="
			for j, c := range "rwx" {
				if bits&(4>>j) != 0 {
					s += string(c)
				}
			}
			b = append(b, s)
		}
		return sh.output([]byte(strings.Join(b, ",")+"\n"), "umask")
	}
	if libc.IsDigits(args[1]) {
		n, err := strconv.ParseUint(args[1], 8, 32)
		if err != nil || n > 0o777 {
			sh.fail(2, "umask: Illegal number: %s", args[1])
		}
		sh.p.Umask = uint32(n)
		return 0
	}
	f, err := libc.ParseMode(args[1])
	if err != nil {
		sh.fail(2, "umask: Illegal mode: %s", args[1])
	}
	sh.p.Umask = ^f(^sh.p.Umask&0o777, false, 0) & 0o777
	return 0
}

func pad3(n uint32) string {
	s := strconv.FormatUint(uint64(n), 8)
	return strings.Repeat("0", 3-min(3, len(s))) + s
}

func biRead(sh *shell, args []string) int {
	raw := false
	i := 1
	for ; i < len(args) && len(args[i]) > 1 && args[i][0] == '-'; i++ {
		switch args[i] {
		case "-r":
			raw = true
		case "-p":
			if i+1 < len(args) {
				i++
			}
		case "--":
		default:
			sh.fail(2, "read: Illegal option %s", args[i])
		}
	}
	names := args[i:]
	if len(names) == 0 {
		sh.warnf("read: arg count")
		return 2
	}
	var line []byte
	var esc []bool // the character was quoted by a backslash
	status := 0
	var b [1]byte
	quoted := false
	for {
		n, err := sh.p.Read(0, b[:])
		if n == 0 {
			if errors.Is(err, syscall.EINTR) {
				return sh.waitSignal()
			}
			if err != nil && err != io.EOF {
				sh.warnf("read: %s", kernel.Strerror(err))
			}
			status = 1
			break
		}
		c := b[0]
		if c == 0 {
			continue
		}
		if quoted {
			quoted = false
			if c != '\n' {
				line, esc = append(line, c), append(esc, true)
			}
			continue
		}
		if c == '\\' && !raw {
			quoted = true
			continue
		}
		if c == '\n' {
			break
		}
		line, esc = append(line, c), append(esc, false)
	}
	ifs, set := sh.get("IFS")
	if !set {
		ifs = " \t\n"
	}
	isIFS := func(j int) bool { return !esc[j] && strings.IndexByte(ifs, line[j]) >= 0 }
	isWhite := func(j int) bool {
		return isIFS(j) && (line[j] == ' ' || line[j] == '\t' || line[j] == '\n')
	}
	pos := 0
	for pos < len(line) && isWhite(pos) {
		pos++
	}
	for k, name := range names {
		if !libc.IsName(name) {
			sh.fail(2, "read: %s: bad variable name", name)
		}
		if k == len(names)-1 {
			end := len(line)
			for end > pos && isWhite(end-1) {
				end--
			}
			// One trailing delimiter that is not white space goes too, when it is the only one.
			if end > pos && isIFS(end-1) && !isWhite(end-1) {
				only := true
				for j := pos; j < end-1; j++ {
					if isIFS(j) && !isWhite(j) {
						only = false
					}
				}
				if only {
					end--
					for end > pos && isWhite(end-1) {
						end--
					}
				}
			}
			sh.assign(name, string(line[pos:end]))
			break
		}
		start := pos
		for pos < len(line) && !isIFS(pos) {
			pos++
		}
		sh.assign(name, string(line[start:pos]))
		for pos < len(line) && isWhite(pos) {
			pos++
		}
		if pos < len(line) && isIFS(pos) && !isWhite(pos) && pos > start-1 {
			pos++
			for pos < len(line) && isWhite(pos) {
				pos++
			}
		}
	}
	return status
}

func biGetopts(sh *shell, args []string) int {
	if len(args) < 3 {
		sh.fail(2, "getopts: Usage: getopts optstring var [arg...]")
	}
	spec, name := args[1], args[2]
	list := sh.params
	if len(args) > 3 {
		list = args[3:]
	}
	ind, _ := sh.get("OPTIND")
	i, _ := strconv.Atoi(ind)
	off := 1
	if v := sh.vars[" optoff"]; v != nil {
		off, _ = strconv.Atoi(v.value)
	}
	if i < 1 || i > len(list)+1 {
		i, off = 1, 1
	}
	silent := strings.HasPrefix(spec, ":")
	set := func(opt string, next, o int) {
		sh.assign(name, opt)
		sh.assign("OPTIND", strconv.Itoa(next))
		sh.vars[" optoff"] = &variable{value: strconv.Itoa(o), set: true}
	}
	if i > len(list) || len(list[i-1]) < 2 || list[i-1][0] != '-' {
		set("?", i, 1)
		return 1
	}
	if list[i-1] == "--" {
		set("?", i+1, 1)
		return 1
	}
	arg := list[i-1]
	if off >= len(arg) {
		off = 1
	}
	c := arg[off : off+1]
	next, o := i, off+1
	if o >= len(arg) {
		next, o = i+1, 1
	}
	at := strings.Index(strings.TrimPrefix(spec, ":"), c)
	if at < 0 || c == ":" {
		if silent {
			sh.assign("OPTARG", c)
		} else {
			sh.p.Warnf("Illegal option -%s\n", c)
			sh.unset("OPTARG")
		}
		set("?", next, o)
		return 0
	}
	if rest := strings.TrimPrefix(spec, ":")[at+1:]; strings.HasPrefix(rest, ":") {
		if next == i {
			sh.assign("OPTARG", arg[off+1:])
			set(c, i+1, 1)
			return 0
		}
		if i >= len(list) {
			if silent {
				sh.assign("OPTARG", c)
				set(":", next, 1)
			} else {
				sh.p.Warnf("No arg for -%s option\n", c)
				sh.unset("OPTARG")
				set("?", next, 1)
			}
			return 0
		}
		sh.assign("OPTARG", list[i])
		set(c, i+2, 1)
		return 0
	}
	sh.unset("OPTARG")
	set(c, next, o)
	return 0
}

func biWait(sh *shell, args []string) int {
	if len(args) == 1 {
		for pid, c := range sh.jobs {
			if _, ok := sh.p.Wait(c); !ok {
				return sh.waitSignal()
			}
			delete(sh.jobs, pid)
			sh.sayKilled(c.Status)
		}
		return 0
	}
	code := 0
	for _, a := range args[1:] {
		n, ok := kernel.ParseUint(a)
		if !ok {
			sh.fail(2, "wait: Illegal number: %s", a)
		}
		c := sh.jobs[int(n)]
		if c == nil {
			code = 127
			continue
		}
		st, ok := sh.p.Wait(c)
		if !ok {
			return sh.waitSignal()
		}
		delete(sh.jobs, int(n))
		sh.sayKilled(st)
		code = st.ExitCode()
	}
	return code
}

// waitSignal is the status of a wait that a trap interrupted.
func (sh *shell) waitSignal() int {
	if sig := sh.p.PendingSignal(); sig != 0 {
		return 128 + sig
	}
	return 128 + kernel.SigTERM
}

func biKill(sh *shell, args []string) int {
	return kill(sh.p, args, sh.warnf, func(_ string, err error) { sh.warnf("kill: %s\n", kernel.Strerror(err)) })
}

// kill is kill(1), as a built-in or a program.
func kill(p *kernel.Process, args []string, warn func(string, ...any), failed func(pid string, err error)) int {
	sig := kernel.SigTERM
	i := 1
	if i < len(args) && len(args[i]) > 1 && args[i][0] == '-' && args[i] != "--" {
		switch a := args[i]; {
		case a == "-l" || a == "-L":
			for _, n := range kernel.SignalNames[1:] {
				p.Print(n, "\n")
			}
			p.Flush()
			return 0
		case a == "-s" || a == "-n":
			if i+1 >= len(args) {
				warn("kill: No arg for -s option")
				return 2
			}
			i++
			sig = kernel.SignalNumber(args[i])
		default:
			sig = kernel.SignalNumber(a[1:])
		}
		if sig < 0 {
			warn("kill: Illegal option -%c", args[i][min(1, len(args[i])-1)])
			return 2
		}
		i++
	}
	if i < len(args) && args[i] == "--" {
		i++
	}
	if i >= len(args) {
		warn("kill: Usage: kill [-s sigspec | -signum | -sigspec] [pid | job]... or\nkill -l [exitstatus]")
		return 2
	}
	code := 0
	for _, a := range args[i:] {
		n, err := strconv.Atoi(a)
		if err != nil {
			warn("kill: Illegal number: %s", a)
			return 2
		}
		if err := p.Kill(n, sig); err != nil {
			failed(a, err)
			code = 1
		}
	}
	return code
}
