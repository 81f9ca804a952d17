package accounts

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const sudoUsage = "usage: sudo -h | -K | -k | -V\n" +
	"usage: sudo -v [-ABkNnS] [-g group] [-h host] [-p prompt] [-u user]\n" +
	"usage: sudo -l [-ABkNnS] [-g group] [-h host] [-p prompt] [-U user] [-u user]\n" +
	"            [command [arg ...]]\n" +
	"usage: sudo [-ABbEHkNnPS] [-r role] [-t type] [-C num] [-D directory] [-g\n" +
	"            group] [-h host] [-p prompt] [-R directory] [-T timeout] [-u user]\n" +
	"            [VAR=value] [-i | -s] [command [arg ...]]\n" +
	"usage: sudo -e [-ABkNnS] [-r role] [-t type] [-C num] [-D directory] [-g group]\n" +
	"            [-h host] [-p prompt] [-R directory] [-T timeout] [-u user] file ...\n"

const (
	sudoShort = "+AbEeHhiKklnPp:r:Sst:u:g:vVC:D:T:R:"
	sudoLong  = "askpass>A background>b preserve-env[=>E set-home>H help>h login>i remove-timestamp>K reset-timestamp>k " +
		"list>l non-interactive>n prompt=>p stdin>S shell>s user=>u group=>g validate>v version>V chdir=>D"
)

// securePath is secure_path of Debian's sudoers.
const securePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// sudo is one run of it.
type sudo struct {
	p       *kernel.Process
	o       *libc.Options
	caller  *libc.User
	target  *libc.User
	assigns []string // VAR=value
	args    []string // the command
	file    string   // its executable; empty when there is none
}

// cmdSudo is sudo(8) without a terminal.
func cmdSudo(p *kernel.Process) int {
	o, ok := libc.Getopt(p, sudoShort, sudoLong)
	if !ok {
		p.Warnf("%s", sudoUsage)
		return 1
	}
	if libc.Unsupported(p, o, "A", "b", "r", "t", "C", "T", "R", "P") {
		return 1
	}
	if o.Has("V") {
		p.Print("Sudo version 1.9.13p3\n")
		return 0
	}
	if o.Has("k", "K") && len(o.Args) == 0 {
		return 0
	}
	s := &sudo{p: p, o: o}
	if !s.ready() || !s.readTarget() || !s.readCommand() {
		return 1
	}
	warn := func(text string) { p.Warnf("%s", text) }
	allowed, noPasswd, named := sudoAllows(p.Kernel, s.caller, s.file, s.cmdArgs(), warn)
	if p.RUID != 0 && !noPasswd && !s.authenticate() {
		return 1
	}
	switch {
	case !allowed && named && s.file != "":
		p.Warnf("Sorry, user %s is not allowed to execute '%s' as %s on %s.\n",
			s.caller.Name, s.line(), s.target.Name, p.Kernel.Hostname())
		return 1
	case !allowed:
		p.Warnf("%s is not in the sudoers file.\n", s.caller.Name)
		return 1
	case o.Has("v"):
		return 0
	case o.Has("l"):
		p.Printf("User %s may run the following commands on %s:\n    (ALL) ALL\n", s.caller.Name, p.Kernel.Hostname())
		return 0
	case s.file == "":
		p.Errorf("%s: command not found", s.args[0])
		return 1
	}
	return s.run(s.environment())
}

// ready checks that sudo can work, and who calls it.
func (s *sudo) ready() bool {
	p := s.p
	if p.UID != 0 {
		p.Errorf("%s must be owned by uid 0 and have the setuid bit set", p.Exe)
		return false
	}
	if s.caller = libc.UserByID(p.Kernel, p.RUID); s.caller == nil {
		p.Errorf("you do not exist in the passwd database")
		return false
	}
	st, err := p.Kernel.FS().Stat("/etc/sudoers")
	if err == nil && (st.UID != 0 || st.Mode&0o002 != 0) {
		if st.UID != 0 {
			p.Errorf("/etc/sudoers is owned by uid %d, should be 0", st.UID)
		} else {
			p.Errorf("/etc/sudoers is world writable")
		}
		p.Errorf("no valid sudoers sources found, quitting")
		p.Errorf("error initializing audit plugin sudoers_audit")
		return false
	}
	return true
}

// readTarget finds the user of -u: a name or #id.
func (s *sudo) readTarget() bool {
	name := "root"
	if s.o.Has("u") {
		name = s.o.Get("u")
	}
	s.target = libc.UserByName(s.p.Kernel, name)
	if id, ok := strings.CutPrefix(name, "#"); ok {
		if n, ok := kernel.ParseUint(id); ok {
			s.target = libc.UserByID(s.p.Kernel, uint32(n))
		}
	}
	if s.target == nil {
		s.p.Errorf("unknown user %s", name)
		s.p.Errorf("error initializing audit plugin sudoers_audit")
		return false
	}
	return true
}

// readCommand takes the operands apart: assignments, then the command, which -i and -s hand to a shell.
func (s *sudo) readCommand() bool {
	s.args = s.o.Args
	for len(s.args) > 0 && strings.Contains(s.args[0], "=") && libc.IsName(s.args[0][:strings.IndexByte(s.args[0], '=')]) {
		s.assigns = append(s.assigns, s.args[0])
		s.args = s.args[1:]
	}
	if s.o.Has("i", "s") {
		shell := s.target.Shell
		if s.o.Has("s") {
			shell = s.caller.Shell
		}
		if len(s.args) > 0 {
			s.args = []string{shell, "-c", sudoJoin(s.args)}
		} else {
			s.args = []string{shell}
		}
	}
	if len(s.args) == 0 {
		if !s.o.Has("v", "l") {
			s.p.Warnf("%s", sudoUsage)
			return false
		}
		return true
	}
	if f, err := libc.LookPath(s.p, s.args[0], securePath); err == nil {
		s.file = f
	}
	return true
}

func (s *sudo) cmdArgs() []string {
	if len(s.args) == 0 {
		return nil
	}
	return s.args[1:]
}

// line is the command as sudo writes it.
func (s *sudo) line() string { return strings.Join(append([]string{s.file}, s.cmdArgs()...), " ") }

// authenticate asks for the caller's password, three times.
func (s *sudo) authenticate() bool {
	p := s.p
	if s.o.Has("n") {
		p.Errorf("a password is required")
		return false
	}
	if !s.o.Has("S") {
		p.Errorf("a terminal is required to read the password; " +
			"either use the -S option to read from standard input or configure an askpass helper")
		p.Errorf("a password is required")
		return false
	}
	prompt := cmp.Or(p.Getenv("SUDO_PROMPT"), "[sudo] password for %p: ")
	if s.o.Has("p") {
		prompt = s.o.Get("p")
	}
	prompt = sudoPrompt(prompt, s.caller.Name, s.target.Name, p.Kernel.Hostname())
	for tries := range 3 {
		if tries > 0 {
			p.Warnf("Sorry, try again.\n")
		}
		p.Warnf("%s", prompt)
		pw, err := libc.ReadLine(p)
		if err != nil {
			p.Warnf("\n")
			p.Errorf("no password was provided")
			if tries == 0 {
				p.Errorf("a password is required")
			} else {
				p.Errorf("%d incorrect password attempt%s", tries, map[bool]string{true: "s"}[tries > 1])
			}
			return false
		}
		if libc.CheckPassword(p.Kernel, s.caller.Name, pw) {
			return true
		}
	}
	p.Errorf("3 incorrect password attempts")
	return false
}

// keptVariables are those that env_keep of sudoers(5) has by default, as far as they matter here.
var keptVariables = []string{"LANG", "LANGUAGE", "TZ", "TERM", "COLORS", "HOSTNAME", "DISPLAY", "PS1", "PS2"}

// environment is what the command gets.
func (s *sudo) environment() []string {
	p, o, target, caller := s.p, s.o, s.target, s.caller
	env := []string{
		"HOME=" + target.Home, "LOGNAME=" + target.Name, "MAIL=/var/mail/" + target.Name,
		"PATH=" + securePath, "SHELL=" + target.Shell,
		"SUDO_COMMAND=" + s.line(), fmt.Sprintf("SUDO_GID=%d", caller.GID), fmt.Sprintf("SUDO_UID=%d", caller.UID),
		"SUDO_USER=" + caller.Name, "TERM=unknown", "USER=" + target.Name,
	}
	if o.Has("E") && o.Get("E") == "" {
		for _, e := range p.Env {
			n, v, _ := strings.Cut(e, "=")
			set := slices.ContainsFunc(env, func(x string) bool { return strings.HasPrefix(x, n+"=") })
			if n != "PATH" && !strings.HasPrefix(n, "LD_") && !set {
				env = append(env, n+"="+v)
			}
		}
	}
	for _, e := range p.Env {
		n, _, _ := strings.Cut(e, "=")
		keep := strings.HasPrefix(n, "LC_") || slices.Contains(keptVariables, n)
		for list := range strings.SplitSeq(o.Get("E"), ",") {
			keep = keep || list == n
		}
		if keep {
			env = libc.Setenv(env, n, e[len(n)+1:])
		}
	}
	for _, a := range s.assigns {
		n, v, _ := strings.Cut(a, "=")
		env = libc.Setenv(env, n, v)
	}
	return env
}

// run runs the command in a child: sudo stays as the parent and passes signals on.
func (s *sudo) run(env []string) int {
	p := s.p
	p.Catch(kernel.SigTERM, kernel.SigINT, kernel.SigHUP, kernel.SigQUIT, kernel.SigUSR1, kernel.SigUSR2)
	p.SetEnv(env)
	c := p.Fork(func(c *kernel.Process) int {
		libc.BecomeUser(c, s.target)
		if s.o.Has("i") {
			c.Chdir(s.target.Home)
		}
		if s.o.Has("D") {
			if st, err := c.Stat(s.o.Get("D")); err == nil {
				c.Chdir(st.Path)
			}
		}
		code, err := c.Exec(s.file, s.args, env)
		if err == nil {
			return code
		}
		if kernel.Strerror(err) == "Exec format error" {
			if code, err := c.Exec("/bin/sh", append([]string{"sh", s.file}, s.cmdArgs()...), env); err == nil {
				return code
			}
		}
		c.Warnf("sudo: unable to execute %s: %s\n", s.file, kernel.Strerror(err))
		return 1
	})
	for {
		st, ok := p.Wait(c)
		if !ok {
			for sig := p.NextSignal(); sig != 0; sig = p.NextSignal() {
				c.Signal(sig)
			}
			continue
		}
		if st.Signal != 0 {
			// sudo dies of the signal that its command died of.
			p.Die(st.Signal)
			p.Check()
		}
		return st.Code
	}
}

func sudoPrompt(s, user, target, host string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+1 < len(s) {
			i++
			switch s[i] {
			case 'p', 'u':
				b.WriteString(user)
			case 'U':
				b.WriteString(target)
			case 'h', 'H':
				b.WriteString(host)
			case '%':
				b.WriteByte('%')
			default:
				b.WriteString(s[i-1 : i+1])
			}
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// sudoJoin escapes what -i and -s hand to the shell.
func sudoJoin(args []string) string {
	var b strings.Builder
	for i, a := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		for j := range len(a) {
			c := a[j]
			if c != '_' && c != '-' && c != '$' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		}
	}
	return b.String()
}
