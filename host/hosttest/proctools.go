package hosttest

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// shellTools are the shells, and the programs that are also built into them.
func shellTools() map[string]program {
	return map[string]program{
		"sh": cmdSh, "dash": cmdSh, "bash": cmdSh, "test": cmdTest, "[": cmdTest,
		"printf": cmdPrintf, "echo": cmdEcho,
		"true":  func(*proc) int { return 0 },
		"false": func(*proc) int { return 1 },
		"pwd":   func(p *proc) int { p.print(p.Dir, "\n"); return 0 },
	}
}

// processTools start, find and end processes.
func processTools() map[string]program {
	return map[string]program{
		"env": cmdEnv, "setsid": cmdSetsid, "flock": cmdFlock, "sudo": cmdSudo,
		"su": cmdRunuser, "/usr/sbin/runuser": cmdRunuser, "nohup": cmdNohup,
		"timeout": cmdTimeout, "sleep": cmdSleep, "kill": cmdKill, "ps": cmdPs, "pgrep": cmdPgrep, "pkill": cmdPgrep,
		"yes": cmdYes, "which": cmdWhich,
	}
}

func cmdEcho(p *proc) int {
	args := p.Args[1:]
	nl, esc := true, false
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && strings.Trim(args[0][1:], "neE") == "" {
		for _, c := range args[0][1:] {
			switch c {
			case 'n':
				nl = false
			case 'e':
				esc = true
			case 'E':
				esc = false
			}
		}
		args = args[1:]
	}
	s := strings.Join(args, " ")
	if esc {
		b, stop := unescapeB(nil, s, true)
		s = string(b)
		nl = nl && !stop
	}
	p.print(s)
	if nl {
		p.print("\n")
	}
	return 0
}

func cmdEnv(p *proc) int {
	o, ok := p.getopt("+iu:0C:S:v", "ignore-environment>i unset=>u null>0 chdir=>C split-string=>S")
	if !ok {
		return p.usage(125)
	}
	if p.unsupported(o, "v") {
		return 125
	}
	env := p.Env
	args := o.args
	if o.has("S") {
		args = append(strings.Fields(o.get("S")), args...)
	}
	if len(args) > 0 && args[0] == "-" {
		o.set["i"] = nil
		args = args[1:]
	}
	if o.has("i") {
		env = nil
	}
	for _, u := range o.all("u") {
		env = slices.DeleteFunc(slices.Clone(env), func(e string) bool { return strings.HasPrefix(e, u+"=") })
	}
	for len(args) > 0 && strings.Contains(args[0], "=") {
		n, v, _ := strings.Cut(args[0], "=")
		env = setenv(env, n, v)
		args = args[1:]
	}
	if len(args) == 0 {
		end := "\n"
		if o.has("0") {
			end = "\x00"
		}
		for _, e := range env {
			p.print(e, end)
		}
		return 0
	}
	if o.has("C") {
		st, err := p.stat(o.get("C"))
		if err == nil && !st.IsDir() {
			err = syscall.ENOTDIR
		}
		if err != nil {
			p.errorf("cannot change directory to %s: %s", quote(o.get("C")), strerror(err))
			return 125
		}
		p.chdir(st.Path)
	}
	p.setEnv(env)
	return p.execvp(args, env)
}

func cmdSetsid(p *proc) int {
	o, ok := p.getopt("+cfw", "ctty>c fork>f wait>w")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "c") {
		return 1
	}
	if len(o.args) == 0 {
		p.errorf("no command specified")
		return p.usage(1)
	}
	run := func(c *proc) int {
		c.setsid()
		return c.execvp(o.args, c.Env)
	}
	if o.has("f") || p.psField("pgid") == strconv.Itoa(p.PID) {
		c := p.fork(run)
		if !o.has("w") {
			return 0
		}
		st := p.waitFor(c)
		if st.signal != 0 {
			p.warn("setsid: child %d did not exit normally: Success\n", c.PID)
			return st.signal
		}
		return st.code
	}
	return run(p)
}

func cmdFlock(p *proc) int {
	o, ok := p.getopt("+sexnoFuw:c:E:", "shared>s exclusive>x unlock>u nonblocking>n nb>n timeout=>w wait=>w conflict-exit-code=>E close>o no-fork>F command=>c verbose")
	if !ok {
		return p.usage(64)
	}
	conflict := 1
	if o.has("E") {
		n, err := strconv.Atoi(o.get("E"))
		if err != nil || n < 0 || n > 255 {
			p.errorf("exit code out of range (expected 0 to 255)")
			return 64
		}
		conflict = n
	}
	args := o.args
	if len(args) == 0 {
		p.errorf("not enough arguments")
		return p.usage(64)
	}
	var d *description
	var cmd []string
	if n, ok := parseUint(args[0]); ok && len(args) == 1 && !o.has("c") {
		if n >= uint64(len(p.fds)) || p.fds[n] == nil {
			p.errorf("%d: Bad file descriptor", n)
			return 65
		}
		d = p.fds[n].ref()
	} else {
		cmd = args[1:]
		if o.has("c") {
			cmd = []string{"/bin/sh", "-c", o.get("c")}
		}
		if len(cmd) > 1 && cmd[0] == "-c" {
			cmd = []string{"/bin/sh", "-c", cmd[1]}
		}
		if len(cmd) == 0 {
			p.errorf("bad file descriptor: '%s'", args[0])
			return 64
		}
		var err error
		if d, err = p.open(args[0], os.O_RDONLY|os.O_CREATE, 0o666); err == syscall.EISDIR {
			d, err = p.open(args[0], os.O_RDONLY, 0)
		}
		if err != nil {
			p.errorf("cannot open lock file %s: %s", args[0], strerror(err))
			return 66
		}
	}
	t := p.k.tree
	if d.stream != nil {
		d.release()
		p.errorf("%s: Bad file descriptor", args[0])
		return 65
	}
	if o.has("u") {
		t.unlock(d)
		d.release()
		return 0
	}
	var deadline time.Time
	if o.has("w") {
		s, err := strconv.ParseFloat(o.get("w"), 64)
		if err != nil {
			p.errorf("invalid timeout value: '%s'", o.get("w"))
			return 64
		}
		deadline = p.k.now().Add(time.Duration(s * float64(time.Second)))
	}
	for !t.flock(d, !o.has("s")) {
		if o.has("n") || !deadline.IsZero() && !p.k.now().Before(deadline) {
			d.release()
			return conflict
		}
		p.waitLock(deadline)
	}
	if cmd == nil {
		d.release()
		return 0
	}
	if o.has("F") {
		p.setFD(9, d) // the lock lives as long as the command's process
		return p.execvp(cmd, p.Env)
	}
	if !o.has("o") {
		p.setFD(9, d.ref())
	}
	c := p.start(cmd, p.Env, nil)
	// The lock is released with the last descriptor: when this process ends, and not before.
	p.hold(d)
	if !o.has("o") {
		p.setFD(9, nil)
	}
	st := p.waitFor(c)
	return st.shell()
}

// waitLock waits until some lock is released.
func (p *proc) waitLock(deadline time.Time) {
	if !deadline.IsZero() {
		p.sleep(min(10*time.Millisecond, max(time.Millisecond, deadline.Sub(p.k.now()))))
		return
	}
	t := p.k.tree
	t.mu.Lock()
	if p.blockOn(t.freed) {
		t.freed.Wait()
		p.unblock()
	}
	t.mu.Unlock()
	p.check()
}

func cmdNohup(p *proc) int {
	if len(p.Args) < 2 {
		p.errorf("missing operand")
		return p.usage(125)
	}
	p.ignore(sigHUP)
	return p.execvp(p.Args[1:], p.Env)
}

// duration reads sleep's and timeout's numbers: a decimal with s, m, h or d.
func duration(s string) (time.Duration, bool) {
	unit := time.Second
	if s != "" {
		if u := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[s[len(s)-1]]; u != 0 {
			unit = u
			s = s[:len(s)-1]
		}
	}
	if s == "infinity" || s == "inf" {
		return 1<<63 - 1, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 {
		return 0, false
	}
	return time.Duration(f * float64(unit)), true
}

func cmdSleep(p *proc) int {
	if len(p.Args) < 2 {
		p.errorf("missing operand")
		return p.usage(1)
	}
	var total time.Duration
	for _, a := range p.Args[1:] {
		d, ok := duration(a)
		if !ok {
			p.errorf("invalid time interval %s", quote(a))
			return p.usage(1)
		}
		if d > 1<<62 {
			total = d
			break
		}
		total += d
	}
	if total > 0 {
		p.sleep(total)
	}
	return 0
}

func cmdTimeout(p *proc) int {
	o, ok := p.getopt("+k:s:v", "foreground kill-after=>k signal=>s preserve-status verbose>v")
	if !ok {
		return p.usage(125)
	}
	if p.unsupported(o, "v") {
		return 125
	}
	if len(o.args) < 2 {
		return p.usage(125)
	}
	d, ok := duration(o.args[0])
	if !ok {
		p.errorf("invalid time interval %s", quote(o.args[0]))
		return p.usage(125)
	}
	sig := sigTERM
	if o.has("s") {
		if sig = signalNumber(o.get("s")); sig < 0 {
			p.errorf("%s: invalid signal", quote(o.get("s")))
			return p.usage(125)
		}
	}
	if !o.has("foreground") {
		p.setpgid()
	}
	// A signal to timeout is passed on to the command.
	p.catch(sigTERM, sigINT, sigHUP, sigQUIT)
	c := p.start(o.args[1:], p.Env, nil)
	timer := make(chan struct{})
	if d > 0 && d < 1<<62 {
		t := p.k.after(d, func() { close(timer) })
		defer t()
	}
	send := func(s int) {
		c.signal(s)
		if !o.has("foreground") {
			for _, q := range p.k.processGroup(p.PID) {
				if q != p && q != c {
					q.signal(s)
				}
			}
		}
	}
	timedOut := false
	for {
		select {
		case <-c.killed:
			p.check()
			st := c.status
			if timedOut && !o.has("preserve-status") {
				if st.signal == sigKILL {
					p.die(sigKILL) // it signals its own group, itself included
					p.check()
				}
				return 124
			}
			return st.shell()
		case <-p.killed:
			panic(procExit{0})
		case <-p.sig:
			for s := p.nextSignal(); s != 0; s = p.nextSignal() {
				send(s)
			}
		case <-timer:
			timer = nil
			timedOut = true
			send(sig)
			if k, ok := duration(o.get("k")); ok && k > 0 {
				stop := p.k.after(k, func() { send(sigKILL) })
				defer stop()
			}
		}
	}
}

// after runs f on the machine's clock; the result stops it.
func (m *Kernel) after(d time.Duration, f func()) func() {
	if m.cfg.Sleep == nil {
		t := time.AfterFunc(d, f)
		return func() { t.Stop() }
	}
	if !m.begin() {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer m.running.Done()
		m.cfg.Sleep(done, d)
		select {
		case <-done:
		default:
			f()
		}
	}()
	stopped := false
	return func() {
		if !stopped {
			stopped = true
			close(done)
		}
	}
}

func cmdYes(p *proc) int {
	line := "y\n"
	if len(p.Args) > 1 {
		line = strings.Join(p.Args[1:], " ") + "\n"
	}
	block := []byte(strings.Repeat(line, 1+4096/len(line)))
	for {
		if err := p.write(1, block); err != nil {
			p.errorf("standard output: %s", strerror(err))
			return 1
		}
	}
}

func cmdKill(p *proc) int {
	return kill(p, p.Args, func(f string, a ...any) { p.warn(f+"\n", a...) }, func(pid string, err error) { p.errorf("(%s): %s", pid, strerror(err)) })
}

func cmdWhich(p *proc) int {
	o, ok := p.getopt("as", "")
	if !ok {
		return 2
	}
	if p.unsupported(o, "a") {
		return 1
	}
	code := 0
	for _, a := range o.args {
		f, err := p.lookPath(a, p.Getenv("PATH"))
		if err != nil {
			code = 1
			continue
		}
		if !o.has("s") {
			p.print(f, "\n")
		}
	}
	if len(o.args) == 0 {
		return 1
	}
	return code
}

// processes lists what runs, the oldest first. A signal to many goes in this order: Linux signals a group at once, so that a shell which is
// killed with the command it waits for does not live to see the command's end; here it does not because it is the older one.
func (m *Kernel) processes() []*proc {
	m.procMu.Lock()
	defer m.procMu.Unlock()
	out := make([]*proc, 0, len(m.procs))
	for _, q := range m.procs {
		out = append(out, q)
	}
	slices.SortFunc(out, func(a, b *proc) int { return cmp.Compare(a.PID, b.PID) })
	return out
}

func cmdPs(p *proc) int {
	o, ok := p.getopt("eAafwwo:p:C:u:U:", "no-headers pid=>p ppid= sort= format=>o user=>u headers")
	if !ok {
		p.args0ps()
		return 1
	}
	bsd := false
	for _, a := range o.args {
		if strings.Trim(a, "auxw") == "" {
			bsd = true
		} else {
			p.errorf("error: unsupported option (BSD syntax)\n")
			return 1
		}
	}
	type col struct{ key, head string }
	var cols []col
	noHead := o.has("no-headers")
	heads := map[string]string{"pid": "PID", "ppid": "PPID", "pgid": "PGID", "pgrp": "PGRP", "sid": "SID", "sess": "SESS", "user": "USER", "uid": "UID", "comm": "COMMAND", "cmd": "CMD", "args": "COMMAND",
		"command": "COMMAND", "stat": "STAT", "etimes": "ELAPSED", "etime": "ELAPSED", "lstart": "STARTED", "tty": "TT", "time": "TIME", "ucmd": "CMD", "pcpu": "%CPU", "pmem": "%MEM", "rss": "RSS", "vsz": "VSZ"}
	for _, f := range o.all("o") {
		for _, k := range strings.FieldsFunc(f, func(r rune) bool { return r == ',' || r == ' ' }) {
			name, head, set := strings.Cut(k, "=")
			if heads[name] == "" {
				p.warn("error: unknown user-defined format specifier \"%s\"\n", name)
				return 1
			}
			if !set {
				head = heads[name]
			}
			cols = append(cols, col{name, head})
		}
	}
	switch {
	case len(cols) > 0:
		all := true
		for _, c := range cols {
			all = all && c.head == ""
		}
		noHead = noHead || all
	case bsd:
		cols = []col{{"user", "USER"}, {"pid", "PID"}, {"pcpu", "%CPU"}, {"pmem", "%MEM"}, {"stat", "STAT"}, {"time", "TIME"}, {"args", "COMMAND"}}
	case o.has("f"):
		cols = []col{{"user", "UID"}, {"pid", "PID"}, {"ppid", "PPID"}, {"tty", "TTY"}, {"time", "TIME"}, {"args", "CMD"}}
	default:
		cols = []col{{"pid", "PID"}, {"tty", "TTY"}, {"time", "TIME"}, {"comm", "CMD"}}
	}
	init := &proc{k: p.k, Args: []string{"/sbin/init"}, exe: "/usr/lib/systemd/systemd", PID: 1, pgid: 1, sid: 1, started: p.k.bootTime}
	list := append([]*proc{init}, p.k.processes()...)
	var rows [][]string
	for _, q := range list {
		keep := o.has("e", "A") || bsd
		if !keep && !o.has("p", "C", "u", "U", "ppid") {
			keep = q.psField("uid") == p.psField("uid") && q.psField("sid") == p.psField("sid")
		}
		for _, v := range o.all("p") {
			for s := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ',' || r == ' ' }) {
				keep = keep || s == strconv.Itoa(q.PID)
			}
		}
		keep = keep || o.has("C") && o.get("C") == q.comm()
		keep = keep || o.has("ppid") && o.get("ppid") == q.psField("ppid")
		keep = keep || o.has("u", "U") && (o.get("u", "U") == q.psField("user") || o.get("u", "U") == q.psField("uid"))
		if !keep {
			continue
		}
		row := make([]string, len(cols))
		for i, c := range cols {
			row[i] = q.psField(c.key)
		}
		rows = append(rows, row)
	}
	width := make([]int, len(cols))
	for i, c := range cols {
		width[i] = len(c.head)
		for _, r := range rows {
			width[i] = max(width[i], len(r[i]))
		}
	}
	show := func(row []string) {
		for i, v := range row {
			right := slices.Contains([]string{"pid", "ppid", "pgid", "pgrp", "sid", "sess", "uid", "etimes", "rss", "vsz", "pcpu", "pmem", "etime"}, cols[i].key)
			switch {
			case i == len(row)-1 && !right:
				p.print(v)
			case right:
				p.printf("%*s", width[i], v)
			default:
				p.printf("%-*s", width[i], v)
			}
			if i < len(row)-1 {
				p.print(" ")
			}
		}
		p.print("\n")
	}
	if !noHead {
		h := make([]string, len(cols))
		for i, c := range cols {
			h[i] = c.head
		}
		show(h)
	}
	for _, r := range rows {
		show(r)
	}
	if len(rows) == 0 {
		return 1
	}
	return 0
}

func (p *proc) args0ps() { p.warn("\nUsage:\n ps [options]\n") }

func (q *proc) psField(key string) string {
	args, started, uid, _ := q.looks()
	ppid, pgid, sid := q.family()
	switch key {
	case "pid":
		return strconv.Itoa(q.PID)
	case "ppid":
		return strconv.Itoa(ppid)
	case "pgid", "pgrp":
		return strconv.Itoa(pgid)
	case "sid", "sess":
		return strconv.Itoa(sid)
	case "uid":
		return strconv.Itoa(int(uid))
	case "user":
		return q.k.userName(uid)
	case "comm", "ucmd":
		return q.comm()
	case "args", "cmd", "command":
		return strings.Join(args, " ")
	case "stat":
		return "Ss"
	case "etimes":
		return strconv.Itoa(int(q.k.now().Sub(started).Seconds()))
	case "etime":
		s := int(q.k.now().Sub(started).Seconds())
		return fmt.Sprintf("%02d:%02d", s/60, s%60)
	case "lstart":
		return started.In(q.k.location()).Format("Mon Jan _2 15:04:05 2006")
	case "tty":
		return "?"
	case "time":
		return "00:00:00"
	case "pcpu", "pmem":
		return "0.0"
	case "rss", "vsz":
		return "4096"
	}
	return ""
}

func cmdPgrep(p *proc) int {
	o, ok := p.getopt("faxlncou:P:g:s:0123456789", "full>f list-name>l exact>x list-full>a newest>n oldest>o count>c parent=>P pgroup=>g session=>s euid=>u signal=")
	if !ok {
		return p.usage(2)
	}
	pat := ""
	if len(o.args) > 0 {
		pat = o.args[0]
	} else if len(o.order) == 0 {
		p.errorf("no matching criteria specified")
		return p.usage(2)
	}
	re, err := compileRegexp(pat, true)
	if err != nil {
		p.errorf("%v", err)
		return 2
	}
	var hit []*proc
	for _, q := range p.k.processes() {
		if q == p {
			continue
		}
		s := q.comm()
		if o.has("f") {
			s = q.psField("args")
		}
		loc := re.FindStringIndex(s)
		if loc == nil || o.has("x") && (loc[0] != 0 || loc[1] != len(s)) {
			continue
		}
		if o.has("P") && o.get("P") != q.psField("ppid") || o.has("g") && o.get("g") != q.psField("pgid") || o.has("s") && o.get("s") != q.psField("sid") ||
			o.has("u") && o.get("u") != q.psField("user") && o.get("u") != q.psField("uid") {
			continue
		}
		hit = append(hit, q)
	}
	if o.has("n") && len(hit) > 0 {
		hit = hit[len(hit)-1:]
	}
	if o.has("o") && len(hit) > 0 {
		hit = hit[:1]
	}
	if p.name() == "pkill" {
		sig := sigTERM
		if o.has("signal") {
			sig = signalNumber(o.get("signal"))
		}
		if o.has("9") {
			sig = sigKILL
		}
		for _, q := range hit {
			p.sendSignal(q.PID, sig)
		}
	} else if o.has("c") {
		p.printf("%d\n", len(hit))
	} else {
		for _, q := range hit {
			switch {
			case o.has("a"):
				p.printf("%d %s\n", q.PID, q.psField("args"))
			case o.has("l"):
				p.printf("%d %s\n", q.PID, q.comm())
			default:
				p.printf("%d\n", q.PID)
			}
		}
	}
	return btoi(len(hit) == 0)
}

// become takes on a user's identity.
func (p *proc) become(u *account) {
	groups := p.k.groupsOf(u.name)
	p.setUser(u.uid, u.gid, groups)
}

func cmdRunuser(p *proc) int {
	o, ok := p.getopt("+c:lmpPs:u:g:G:w:f", "command=>c login>l preserve-environment>m shell=>s user=>u group=>g session-command=>c")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "g", "G", "w", "P", "p") {
		return 1
	}
	args := o.args
	if len(args) > 0 && args[0] == "-" {
		o.set["l"] = []string{""}
		args = args[1:]
	}
	name := "root"
	direct := o.has("u")
	if direct {
		name = o.get("u")
	} else if len(args) > 0 {
		name = args[0]
		args = args[1:]
	}
	u := p.k.userByName(name)
	if u == nil {
		p.errorf("user %s does not exist or the user entry does not contain all the required fields", name)
		return 1
	}
	if p.ruid != 0 {
		if p.name() == "runuser" {
			p.errorf("may not be used by non-root users")
			return 1
		}
		p.warn("Password: ")
		pw, err := p.readLine()
		if err != nil || !p.k.checkPassword(name, pw) {
			p.warn("\nsu: Authentication failure\n")
			return 1
		}
	}
	p.become(u)
	env := p.Env
	if !o.has("m") {
		env = setenv(setenv(env, "HOME", u.home), "SHELL", u.shell)
		if u.uid != 0 {
			env = setenv(setenv(env, "USER", u.name), "LOGNAME", u.name)
		}
		if o.has("l") {
			env = []string{"HOME=" + u.home, "SHELL=" + u.shell, "USER=" + u.name, "LOGNAME=" + u.name, "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"}
			if u.uid == 0 {
				env[4] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
			}
			p.chdir(u.home)
		}
	}
	p.setEnv(env)
	if direct {
		if len(args) == 0 {
			p.errorf("no command was specified")
			return 1
		}
		return p.waitFor(p.start(args, env, nil)).shell()
	}
	shell := u.shell
	if o.has("s") {
		shell = o.get("s")
	}
	if shell == "" {
		shell = "/bin/sh"
	}
	argv := []string{shell}
	if o.has("l") {
		argv[0] = "-" + path.Base(shell)
	}
	if o.has("c") {
		argv = append(argv, "-c", o.get("c"))
	}
	argv = append(argv, args...)
	c := p.fork(func(c *proc) int {
		code, err := c.exec(shell, argv, env)
		if err != nil {
			c.warn("%s: failed to execute %s: %s\n", p.name(), shell, strerror(err))
			return 127
		}
		return code
	})
	return p.waitFor(c).shell()
}

// readLine reads a line from standard input byte by byte, so that nothing after it is taken.
func (p *proc) readLine() (string, error) {
	var line []byte
	var b [1]byte
	for {
		n, err := p.Stdin().Read(b[:])
		p.check()
		if n == 0 {
			if err == nil {
				continue
			}
			if len(line) == 0 {
				return "", io.EOF
			}
			return string(line), nil
		}
		if b[0] == '\n' {
			return string(line), nil
		}
		line = append(line, b[0])
	}
}
