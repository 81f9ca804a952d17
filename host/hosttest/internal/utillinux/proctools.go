package utillinux

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// processTools start, find and end processes.
func processTools() map[string]kernel.Program {
	return map[string]kernel.Program{
		"env": cmdEnv, "setsid": cmdSetsid, "flock": cmdFlock,
		"su": cmdRunuser, "/usr/sbin/runuser": cmdRunuser, "nohup": cmdNohup,
		"timeout": cmdTimeout, "sleep": cmdSleep, "ps": cmdPs, "pgrep": cmdPgrep, "pkill": cmdPgrep,
		"yes": cmdYes, "which": cmdWhich,
	}
}

func cmdEnv(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+iu:0C:S:v", "ignore-environment>i unset=>u null>0 chdir=>C split-string=>S")
	if !ok {
		return libc.Usage(p, 125)
	}
	if libc.Unsupported(p, o, "v") {
		return 125
	}
	env := p.Env
	args := o.Args
	if o.Has("S") {
		args = append(strings.Fields(o.Get("S")), args...)
	}
	if len(args) > 0 && args[0] == "-" {
		o.Set["i"] = nil
		args = args[1:]
	}
	if o.Has("i") {
		env = nil
	}
	for _, u := range o.All("u") {
		env = slices.DeleteFunc(slices.Clone(env), func(e string) bool { return strings.HasPrefix(e, u+"=") })
	}
	for len(args) > 0 && strings.Contains(args[0], "=") {
		n, v, _ := strings.Cut(args[0], "=")
		env = libc.Setenv(env, n, v)
		args = args[1:]
	}
	if len(args) == 0 {
		end := "\n"
		if o.Has("0") {
			end = "\x00"
		}
		for _, e := range env {
			p.Print(e, end)
		}
		return 0
	}
	if o.Has("C") {
		st, err := p.Stat(o.Get("C"))
		if err == nil && !st.IsDir() {
			err = syscall.ENOTDIR
		}
		if err != nil {
			p.Errorf("cannot change directory to %s: %s", libc.Quote(o.Get("C")), kernel.Strerror(err))
			return 125
		}
		p.Chdir(st.Path)
	}
	p.SetEnv(env)
	return libc.Execvp(p, args, env)
}

func cmdSetsid(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+cfw", "ctty>c fork>f wait>w")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "c") {
		return 1
	}
	if len(o.Args) == 0 {
		p.Errorf("no command specified")
		return libc.Usage(p, 1)
	}
	run := func(c *kernel.Process) int {
		c.Setsid()
		return libc.Execvp(c, o.Args, c.Env)
	}
	if o.Has("f") || psField(p, "pgid") == strconv.Itoa(p.PID) {
		c := p.Fork(run)
		if !o.Has("w") {
			return 0
		}
		st := p.WaitFor(c)
		if st.Signal != 0 {
			p.Warnf("setsid: child %d did not exit normally: Success\n", c.PID)
			return st.Signal
		}
		return st.Code
	}
	return run(p)
}

func cmdFlock(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+sexnoFuw:c:E:", "shared>s exclusive>x unlock>u nonblocking>n nb>n timeout=>w wait=>w conflict-exit-code=>E close>o no-fork>F command=>c verbose")
	if !ok {
		return libc.Usage(p, 64)
	}
	conflict := 1
	if o.Has("E") {
		n, err := strconv.Atoi(o.Get("E"))
		if err != nil || n < 0 || n > 255 {
			p.Errorf("exit code out of range (expected 0 to 255)")
			return 64
		}
		conflict = n
	}
	args := o.Args
	if len(args) == 0 {
		p.Errorf("not enough arguments")
		return libc.Usage(p, 64)
	}
	var d *kernel.File
	var cmd []string
	if n, ok := kernel.ParseUint(args[0]); ok && len(args) == 1 && !o.Has("c") {
		if n >= uint64(len(p.FDs)) || p.FDs[n] == nil {
			p.Errorf("%d: Bad file descriptor", n)
			return 65
		}
		d = p.FDs[n].Ref()
	} else {
		cmd = args[1:]
		if o.Has("c") {
			cmd = []string{"/bin/sh", "-c", o.Get("c")}
		}
		if len(cmd) > 1 && cmd[0] == "-c" {
			cmd = []string{"/bin/sh", "-c", cmd[1]}
		}
		if len(cmd) == 0 {
			p.Errorf("bad file descriptor: '%s'", args[0])
			return 64
		}
		var err error
		if d, err = p.Open(args[0], os.O_RDONLY|os.O_CREATE, 0o666); err == syscall.EISDIR {
			d, err = p.Open(args[0], os.O_RDONLY, 0)
		}
		if err != nil {
			p.Errorf("cannot open lock file %s: %s", args[0], kernel.Strerror(err))
			return 66
		}
	}
	t := p.Kernel.Tree
	if d.Stream != nil {
		d.Release()
		p.Errorf("%s: Bad file descriptor", args[0])
		return 65
	}
	if o.Has("u") {
		t.Funlock(d)
		d.Release()
		return 0
	}
	var deadline time.Time
	if o.Has("w") {
		s, err := strconv.ParseFloat(o.Get("w"), 64)
		if err != nil {
			p.Errorf("invalid timeout value: '%s'", o.Get("w"))
			return 64
		}
		deadline = p.Kernel.Now().Add(time.Duration(s * float64(time.Second)))
	}
	for !t.Flock(d, !o.Has("s")) {
		if o.Has("n") || !deadline.IsZero() && !p.Kernel.Now().Before(deadline) {
			d.Release()
			return conflict
		}
		waitLock(p, deadline)
	}
	if cmd == nil {
		d.Release()
		return 0
	}
	if o.Has("F") {
		p.SetFD(9, d) // the lock lives as long as the command's process
		return libc.Execvp(p, cmd, p.Env)
	}
	if !o.Has("o") {
		p.SetFD(9, d.Ref())
	}
	c := libc.Spawn(p, cmd, p.Env, nil)
	// The lock is released with the last descriptor: when this process ends, and not before.
	p.Hold(d)
	if !o.Has("o") {
		p.SetFD(9, nil)
	}
	st := p.WaitFor(c)
	return st.ExitCode()
}

// waitLock waits until some lock is released.
func waitLock(p *kernel.Process, deadline time.Time) {
	if !deadline.IsZero() {
		p.Sleep(min(10*time.Millisecond, max(time.Millisecond, deadline.Sub(p.Kernel.Now()))))
		return
	}
	t := p.Kernel.Tree
	t.Lock()
	if p.BlockOn(t.Freed) {
		t.Freed.Wait()
		p.Unblock()
	}
	t.Unlock()
	p.Check()
}

func cmdNohup(p *kernel.Process) int {
	if len(p.Args) < 2 {
		p.Errorf("missing operand")
		return libc.Usage(p, 125)
	}
	p.Ignore(kernel.SigHUP)
	return libc.Execvp(p, p.Args[1:], p.Env)
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

func cmdSleep(p *kernel.Process) int {
	if len(p.Args) < 2 {
		p.Errorf("missing operand")
		return libc.Usage(p, 1)
	}
	var total time.Duration
	for _, a := range p.Args[1:] {
		d, ok := duration(a)
		if !ok {
			p.Errorf("invalid time interval %s", libc.Quote(a))
			return libc.Usage(p, 1)
		}
		if d > 1<<62 {
			total = d
			break
		}
		total += d
	}
	if total > 0 {
		p.Sleep(total)
	}
	return 0
}

func cmdTimeout(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+k:s:v", "foreground kill-after=>k signal=>s preserve-status verbose>v")
	if !ok {
		return libc.Usage(p, 125)
	}
	if libc.Unsupported(p, o, "v") {
		return 125
	}
	if len(o.Args) < 2 {
		return libc.Usage(p, 125)
	}
	d, ok := duration(o.Args[0])
	if !ok {
		p.Errorf("invalid time interval %s", libc.Quote(o.Args[0]))
		return libc.Usage(p, 125)
	}
	sig := kernel.SigTERM
	if o.Has("s") {
		if sig = kernel.SignalNumber(o.Get("s")); sig < 0 {
			p.Errorf("%s: invalid signal", libc.Quote(o.Get("s")))
			return libc.Usage(p, 125)
		}
	}
	if !o.Has("foreground") {
		p.Setpgid()
	}
	// A signal to timeout is passed on to the command.
	p.Catch(kernel.SigTERM, kernel.SigINT, kernel.SigHUP, kernel.SigQUIT)
	c := libc.Spawn(p, o.Args[1:], p.Env, nil)
	timer := make(chan struct{})
	if d > 0 && d < 1<<62 {
		t := p.Kernel.After(d, func() { close(timer) })
		defer t()
	}
	send := func(s int) {
		c.Signal(s)
		if !o.Has("foreground") {
			for _, q := range p.Kernel.ProcessGroup(p.PID) {
				if q != p && q != c {
					q.Signal(s)
				}
			}
		}
	}
	timedOut := false
	for {
		select {
		case <-c.Done:
			p.Check()
			st := c.Status
			if timedOut && !o.Has("preserve-status") {
				if st.Signal == kernel.SigKILL {
					p.Die(kernel.SigKILL) // it signals its own group, itself included
					p.Check()
				}
				return 124
			}
			return st.ExitCode()
		case <-p.Done:
			panic(kernel.Exit{Code: 0})
		case <-p.Signals:
			for s := p.NextSignal(); s != 0; s = p.NextSignal() {
				send(s)
			}
		case <-timer:
			timer = nil
			timedOut = true
			send(sig)
			if k, ok := duration(o.Get("k")); ok && k > 0 {
				stop := p.Kernel.After(k, func() { send(kernel.SigKILL) })
				defer stop()
			}
		}
	}
}

func cmdYes(p *kernel.Process) int {
	line := "y\n"
	if len(p.Args) > 1 {
		line = strings.Join(p.Args[1:], " ") + "\n"
	}
	block := []byte(strings.Repeat(line, 1+4096/len(line)))
	for {
		if err := p.Write(1, block); err != nil {
			p.Errorf("standard output: %s", kernel.Strerror(err))
			return 1
		}
	}
}

func cmdWhich(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "as", "")
	if !ok {
		return 2
	}
	if libc.Unsupported(p, o, "a") {
		return 1
	}
	code := 0
	for _, a := range o.Args {
		f, err := libc.LookPath(p, a, p.Getenv("PATH"))
		if err != nil {
			code = 1
			continue
		}
		if !o.Has("s") {
			p.Print(f, "\n")
		}
	}
	if len(o.Args) == 0 {
		return 1
	}
	return code
}

func cmdPs(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "eAafwwo:p:C:u:U:", "no-headers pid=>p ppid= sort= format=>o user=>u headers")
	if !ok {
		args0ps(p)
		return 1
	}
	bsd := false
	for _, a := range o.Args {
		if strings.Trim(a, "auxw") == "" {
			bsd = true
		} else {
			p.Errorf("error: unsupported option (BSD syntax)\n")
			return 1
		}
	}
	type col struct{ key, head string }
	var cols []col
	noHead := o.Has("no-headers")
	heads := map[string]string{"pid": "PID", "ppid": "PPID", "pgid": "PGID", "pgrp": "PGRP", "sid": "SID", "sess": "SESS", "user": "USER", "uid": "UID", "comm": "COMMAND", "cmd": "CMD", "args": "COMMAND",
		"command": "COMMAND", "stat": "STAT", "etimes": "ELAPSED", "etime": "ELAPSED", "lstart": "STARTED", "tty": "TT", "time": "TIME", "ucmd": "CMD", "pcpu": "%CPU", "pmem": "%MEM", "rss": "RSS", "vsz": "VSZ"}
	for _, f := range o.All("o") {
		for _, k := range strings.FieldsFunc(f, func(r rune) bool { return r == ',' || r == ' ' }) {
			name, head, set := strings.Cut(k, "=")
			if heads[name] == "" {
				p.Warnf("error: unknown user-defined format specifier \"%s\"\n", name)
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
	case o.Has("f"):
		cols = []col{{"user", "UID"}, {"pid", "PID"}, {"ppid", "PPID"}, {"tty", "TTY"}, {"time", "TIME"}, {"args", "CMD"}}
	default:
		cols = []col{{"pid", "PID"}, {"tty", "TTY"}, {"time", "TIME"}, {"comm", "CMD"}}
	}
	init := &kernel.Process{Kernel: p.Kernel, Args: []string{"/sbin/init"}, Exe: "/usr/lib/systemd/systemd", PID: 1, PGID: 1, SID: 1, Started: p.Kernel.BootTime}
	list := append([]*kernel.Process{init}, p.Kernel.Processes()...)
	var rows [][]string
	for _, q := range list {
		keep := o.Has("e", "A") || bsd
		if !keep && !o.Has("p", "C", "u", "U", "ppid") {
			keep = psField(q, "uid") == psField(p, "uid") && psField(q, "sid") == psField(p, "sid")
		}
		for _, v := range o.All("p") {
			for s := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ',' || r == ' ' }) {
				keep = keep || s == strconv.Itoa(q.PID)
			}
		}
		keep = keep || o.Has("C") && o.Get("C") == q.Comm()
		keep = keep || o.Has("ppid") && o.Get("ppid") == psField(q, "ppid")
		keep = keep || o.Has("u", "U") && (o.Get("u", "U") == psField(q, "user") || o.Get("u", "U") == psField(q, "uid"))
		if !keep {
			continue
		}
		row := make([]string, len(cols))
		for i, c := range cols {
			row[i] = psField(q, c.key)
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
				p.Print(v)
			case right:
				p.Printf("%*s", width[i], v)
			default:
				p.Printf("%-*s", width[i], v)
			}
			if i < len(row)-1 {
				p.Print(" ")
			}
		}
		p.Print("\n")
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

func args0ps(p *kernel.Process) { p.Warnf("\nUsage:\n ps [options]\n") }

func psField(q *kernel.Process, key string) string {
	args, started, uid, _ := q.Looks()
	ppid, pgid, sid := q.Family()
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
		return libc.UserName(q.Kernel, uid)
	case "comm", "ucmd":
		return q.Comm()
	case "args", "cmd", "command":
		return strings.Join(args, " ")
	case "stat":
		return "Ss"
	case "etimes":
		return strconv.Itoa(int(q.Kernel.Now().Sub(started).Seconds()))
	case "etime":
		s := int(q.Kernel.Now().Sub(started).Seconds())
		return fmt.Sprintf("%02d:%02d", s/60, s%60)
	case "lstart":
		return started.In(libc.Location(q.Kernel)).Format("Mon Jan _2 15:04:05 2006")
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

func cmdPgrep(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "faxlncou:P:g:s:0123456789", "full>f list-name>l exact>x list-full>a newest>n oldest>o count>c parent=>P pgroup=>g session=>s euid=>u signal=")
	if !ok {
		return libc.Usage(p, 2)
	}
	pat := ""
	if len(o.Args) > 0 {
		pat = o.Args[0]
	} else if len(o.Order) == 0 {
		p.Errorf("no matching criteria specified")
		return libc.Usage(p, 2)
	}
	re, err := libc.CompileRegexp(pat, true)
	if err != nil {
		p.Errorf("%v", err)
		return 2
	}
	var hit []*kernel.Process
	for _, q := range p.Kernel.Processes() {
		if q == p {
			continue
		}
		s := q.Comm()
		if o.Has("f") {
			s = psField(q, "args")
		}
		loc := re.FindStringIndex(s)
		if loc == nil || o.Has("x") && (loc[0] != 0 || loc[1] != len(s)) {
			continue
		}
		if o.Has("P") && o.Get("P") != psField(q, "ppid") || o.Has("g") && o.Get("g") != psField(q, "pgid") || o.Has("s") && o.Get("s") != psField(q, "sid") ||
			o.Has("u") && o.Get("u") != psField(q, "user") && o.Get("u") != psField(q, "uid") {
			continue
		}
		hit = append(hit, q)
	}
	if o.Has("n") && len(hit) > 0 {
		hit = hit[len(hit)-1:]
	}
	if o.Has("o") && len(hit) > 0 {
		hit = hit[:1]
	}
	if p.Name() == "pkill" {
		sig := kernel.SigTERM
		if o.Has("signal") {
			sig = kernel.SignalNumber(o.Get("signal"))
		}
		if o.Has("9") {
			sig = kernel.SigKILL
		}
		for _, q := range hit {
			p.Kill(q.PID, sig)
		}
	} else if o.Has("c") {
		p.Printf("%d\n", len(hit))
	} else {
		for _, q := range hit {
			switch {
			case o.Has("a"):
				p.Printf("%d %s\n", q.PID, psField(q, "args"))
			case o.Has("l"):
				p.Printf("%d %s\n", q.PID, q.Comm())
			default:
				p.Printf("%d\n", q.PID)
			}
		}
	}
	return libc.BoolToInt(len(hit) == 0)
}

func cmdRunuser(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+c:lmpPs:u:g:G:w:f", "command=>c login>l preserve-environment>m shell=>s user=>u group=>g session-command=>c")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "g", "G", "w", "P", "p") {
		return 1
	}
	args := o.Args
	if len(args) > 0 && args[0] == "-" {
		o.Set["l"] = []string{""}
		args = args[1:]
	}
	name := "root"
	direct := o.Has("u")
	if direct {
		name = o.Get("u")
	} else if len(args) > 0 {
		name = args[0]
		args = args[1:]
	}
	u := libc.UserByName(p.Kernel, name)
	if u == nil {
		p.Errorf("user %s does not exist or the user entry does not contain all the required fields", name)
		return 1
	}
	if p.RUID != 0 {
		if p.Name() == "runuser" {
			p.Errorf("may not be used by non-root users")
			return 1
		}
		p.Warnf("Password: ")
		pw, err := libc.ReadLine(p)
		if err != nil || !libc.CheckPassword(p.Kernel, name, pw) {
			p.Warnf("\nsu: Authentication failure\n")
			return 1
		}
	}
	libc.BecomeUser(p, u)
	env := p.Env
	if !o.Has("m") {
		env = libc.Setenv(libc.Setenv(env, "HOME", u.Home), "SHELL", u.Shell)
		if u.UID != 0 {
			env = libc.Setenv(libc.Setenv(env, "USER", u.Name), "LOGNAME", u.Name)
		}
		if o.Has("l") {
			env = []string{"HOME=" + u.Home, "SHELL=" + u.Shell, "USER=" + u.Name, "LOGNAME=" + u.Name, "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"}
			if u.UID == 0 {
				env[4] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
			}
			p.Chdir(u.Home)
		}
	}
	p.SetEnv(env)
	if direct {
		if len(args) == 0 {
			p.Errorf("no command was specified")
			return 1
		}
		return p.WaitFor(libc.Spawn(p, args, env, nil)).ExitCode()
	}
	shell := u.Shell
	if o.Has("s") {
		shell = o.Get("s")
	}
	if shell == "" {
		shell = "/bin/sh"
	}
	argv := []string{shell}
	if o.Has("l") {
		argv[0] = "-" + path.Base(shell)
	}
	if o.Has("c") {
		argv = append(argv, "-c", o.Get("c"))
	}
	argv = append(argv, args...)
	c := p.Fork(func(c *kernel.Process) int {
		code, err := c.Exec(shell, argv, env)
		if err != nil {
			c.Warnf("%s: failed to execute %s: %s\n", p.Name(), shell, kernel.Strerror(err))
			return 127
		}
		return code
	})
	return p.WaitFor(c).ExitCode()
}
