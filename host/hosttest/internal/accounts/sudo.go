package accounts

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// cmdSudo is sudo(8) without a terminal.
func cmdSudo(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+AbEeHhiKklnPp:r:Sst:u:g:vVC:D:T:R:", "askpass>A background>b preserve-env[=>E set-home>H help>h login>i remove-timestamp>K reset-timestamp>k list>l non-interactive>n prompt=>p stdin>S shell>s user=>u group=>g validate>v version>V chdir=>D")
	usage := "usage: sudo -h | -K | -k | -V\nusage: sudo -v [-ABkNnS] [-g group] [-h host] [-p prompt] [-u user]\nusage: sudo -l [-ABkNnS] [-g group] [-h host] [-p prompt] [-U user] [-u user]\n            [command [arg ...]]\nusage: sudo [-ABbEHkNnPS] [-r role] [-t type] [-C num] [-D directory] [-g\n            group] [-h host] [-p prompt] [-R directory] [-T timeout] [-u user]\n            [VAR=value] [-i | -s] [command [arg ...]]\nusage: sudo -e [-ABkNnS] [-r role] [-t type] [-C num] [-D directory] [-g group]\n            [-h host] [-p prompt] [-R directory] [-T timeout] [-u user] file ...\n"
	if !ok {
		p.Warnf("%s", usage)
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
	if p.UID != 0 {
		p.Errorf("%s must be owned by uid 0 and have the setuid bit set", p.Exe)
		return 1
	}
	caller := libc.UserByID(p.Kernel, p.RUID)
	if caller == nil {
		p.Errorf("you do not exist in the passwd database")
		return 1
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
		return 1
	}
	args := o.Args
	var assigns []string
	for len(args) > 0 && strings.Contains(args[0], "=") && libc.IsName(args[0][:strings.IndexByte(args[0], '=')]) {
		assigns = append(assigns, args[0])
		args = args[1:]
	}
	name := "root"
	if o.Has("u") {
		name = o.Get("u")
	}
	target := libc.UserByName(p.Kernel, name)
	if id, ok := strings.CutPrefix(name, "#"); ok {
		if n, ok := kernel.ParseUint(id); ok {
			target = libc.UserByID(p.Kernel, uint32(n))
		}
	}
	if target == nil {
		p.Errorf("unknown user %s", name)
		p.Errorf("error initializing audit plugin sudoers_audit")
		return 1
	}
	if o.Has("i", "s") {
		shell := target.Shell
		if o.Has("s") {
			shell = caller.Shell
		}
		if len(args) > 0 {
			args = []string{shell, "-c", sudoJoin(args)}
		} else {
			args = []string{shell}
		}
	}
	if len(args) == 0 && !o.Has("v", "l") {
		p.Warnf("%s", usage)
		return 1
	}
	const securePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	file := ""
	if len(args) > 0 {
		f, err := libc.LookPath(p, args[0], securePath)
		if err != nil {
			file = ""
		} else {
			file = f
		}
	}
	cmdArgs := []string(nil)
	if len(args) > 0 {
		cmdArgs = args[1:]
	}
	allowed, noPasswd, named := sudoAllows(p.Kernel, caller, file, cmdArgs, func(text string) { p.Warnf("%s", text) })
	needs := p.RUID != 0 && !noPasswd
	if needs {
		if o.Has("n") {
			p.Errorf("a password is required")
			return 1
		}
		if !o.Has("S") {
			p.Errorf("a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper")
			p.Errorf("a password is required")
			return 1
		}
		prompt := "[sudo] password for %p: "
		if o.Has("p") {
			prompt = o.Get("p")
		} else if v := p.Getenv("SUDO_PROMPT"); v != "" {
			prompt = v
		}
		prompt = sudoPrompt(prompt, caller.Name, target.Name, p.Kernel.Hostname())
		good := false
		tries := 0
		for try := range 3 {
			if try > 0 {
				p.Warnf("Sorry, try again.\n")
			}
			p.Warnf("%s", prompt)
			pw, err := libc.ReadLine(p)
			if err != nil {
				p.Warnf("\n")
				if tries == 0 {
					p.Errorf("no password was provided")
					p.Errorf("a password is required")
				} else {
					p.Errorf("no password was provided")
					p.Errorf("%d incorrect password attempt%s", tries, map[bool]string{true: "s"}[tries > 1])
				}
				return 1
			}
			if libc.CheckPassword(p.Kernel, caller.Name, pw) {
				good = true
				break
			}
			tries++
		}
		if !good {
			p.Errorf("%d incorrect password attempts", tries)
			return 1
		}
	}
	if !allowed {
		if named && file != "" {
			p.Warnf("Sorry, user %s is not allowed to execute '%s' as %s on %s.\n", caller.Name, strings.Join(append([]string{file}, cmdArgs...), " "), target.Name, p.Kernel.Hostname())
		} else {
			p.Warnf("%s is not in the sudoers file.\n", caller.Name)
		}
		return 1
	}
	if o.Has("v") {
		return 0
	}
	if o.Has("l") {
		p.Printf("User %s may run the following commands on %s:\n    (ALL) ALL\n", caller.Name, p.Kernel.Hostname())
		return 0
	}
	if file == "" {
		p.Errorf("%s: command not found", args[0])
		return 1
	}
	env := []string{"HOME=" + target.Home, "LOGNAME=" + target.Name, "MAIL=/var/mail/" + target.Name, "PATH=" + securePath, "SHELL=" + target.Shell,
		"SUDO_COMMAND=" + strings.Join(append([]string{file}, cmdArgs...), " "), fmt.Sprintf("SUDO_GID=%d", caller.GID), fmt.Sprintf("SUDO_UID=%d", caller.UID), "SUDO_USER=" + caller.Name,
		"TERM=unknown", "USER=" + target.Name}
	if o.Has("E") && o.Get("E") == "" {
		for _, e := range p.Env {
			n, v, _ := strings.Cut(e, "=")
			if n != "PATH" && !strings.HasPrefix(n, "LD_") && !slices.ContainsFunc(env, func(x string) bool { return strings.HasPrefix(x, n+"=") }) {
				env = append(env, n+"="+v)
			}
		}
	}
	for _, e := range p.Env {
		n, _, _ := strings.Cut(e, "=")
		keep := n == "LANG" || n == "LANGUAGE" || strings.HasPrefix(n, "LC_") || n == "TZ" || n == "TERM" || n == "COLORS" || n == "HOSTNAME" || n == "DISPLAY" || n == "PS1" || n == "PS2"
		for list := range strings.SplitSeq(o.Get("E"), ",") {
			keep = keep || list == n
		}
		if keep {
			env = libc.Setenv(env, n, e[len(n)+1:])
		}
	}
	for _, a := range assigns {
		n, v, _ := strings.Cut(a, "=")
		env = libc.Setenv(env, n, v)
	}
	// sudo stays as the parent and passes signals on.
	p.Catch(kernel.SigTERM, kernel.SigINT, kernel.SigHUP, kernel.SigQUIT, kernel.SigUSR1, kernel.SigUSR2)
	p.SetEnv(env)
	c := p.Fork(func(c *kernel.Process) int {
		libc.BecomeUser(c, target)
		if o.Has("i") {
			c.Chdir(target.Home)
		}
		if o.Has("D") {
			if st, err := c.Stat(o.Get("D")); err == nil {
				c.Chdir(st.Path)
			}
		}
		code, err := c.Exec(file, args, env)
		if err == nil {
			return code
		}
		if kernel.Strerror(err) == "Exec format error" {
			if code, err := c.Exec("/bin/sh", append([]string{"sh", file}, cmdArgs...), env); err == nil {
				return code
			}
		}
		c.Warnf("sudo: unable to execute %s: %s\n", file, kernel.Strerror(err))
		return 1
	})
	for {
		st, ok := p.Wait(c)
		if !ok {
			for s := p.NextSignal(); s != 0; s = p.NextSignal() {
				c.Signal(s)
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
