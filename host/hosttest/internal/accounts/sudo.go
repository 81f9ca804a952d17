package accounts

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// A sudoRule is what /etc/sudoers lets somebody do.
type sudoRule struct {
	who      string // user, %group, #uid or ALL
	noPasswd bool
	commands []string
	runas    string
}

// sudoRules reads /etc/sudoers and what it includes. What is wrong is told to warn, and left out, as sudo does.
func sudoRules(k *kernel.Kernel, warn func(string)) []sudoRule {
	return readSudoers(k, "/etc/sudoers", "", 0, warn)
}

// readSudoers reads a file and what it includes; text, when not empty, stands for the file.
func readSudoers(k *kernel.Kernel, file, text string, depth int, warn func(string)) []sudoRule {
	if text == "" {
		b, err := k.FS().ReadFile(file)
		if err != nil {
			warn(fmt.Sprintf("sudo: unable to open %s: %s\n", file, kernel.Strerror(err)))
			return nil
		}
		text = string(b)
	}
	rules, includes, bad := parseSudoers(text)
	for _, e := range bad {
		warn(e.text(file))
	}
	for _, inc := range includes {
		if depth > 8 {
			break
		}
		dir, ok := strings.CutPrefix(inc, "dir ")
		if !ok {
			rules = append(rules, readSudoers(k, inc, "", depth+1, warn)...)
			continue
		}
		names, err := k.FS().ReadDir(dir)
		if err != nil {
			continue
		}
		slices.Sort(names)
		for _, n := range names {
			// Names with a dot or a tilde at the end are skipped, as sudo does.
			if strings.Contains(n, ".") || strings.HasSuffix(n, "~") {
				continue
			}
			st, err := k.FS().Stat(dir + "/" + n)
			if err != nil || !st.IsRegular() || st.Size == 0 {
				continue
			}
			if st.UID != 0 {
				warn(fmt.Sprintf("sudo: %s/%s is owned by uid %d, should be 0\n", dir, n, st.UID))
				continue
			}
			if st.Mode&0o022 != 0 {
				warn(fmt.Sprintf("sudo: %s/%s is world writable\n", dir, n))
				continue
			}
			rules = append(rules, readSudoers(k, dir+"/"+n, "", depth+1, warn)...)
		}
	}
	return rules
}

// A sudoersError is a line that is not sudoers.
type sudoersError struct {
	line       int
	col, width int
	msg        string
	source     string
}

// text is the error as sudo and visudo print it, with the place marked.
func (e sudoersError) text(file string) string {
	s := fmt.Sprintf("%s:%d:%d: %s\n", file, e.line, e.col, e.msg)
	if e.source != "" {
		s += e.source + "\n" + strings.Repeat(" ", e.col-1) + "^" + strings.Repeat("~", max(0, e.width-1)) + "\n"
	}
	return s
}

// parseSudoers reads the text of a sudoers file. A line that is wrong does not stop it.
func parseSudoers(text string) (rules []sudoRule, includes []string, bad []sudoersError) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		at := i + 1
		line := lines[i]
		for strings.HasSuffix(line, `\`) && i+1 < len(lines) {
			i++
			line = line[:len(line)-1] + lines[i]
		}
		t := strings.TrimSpace(line)
		if t == "" || strings.HasPrefix(t, "#") && !strings.HasPrefix(t, "#include") && (len(t) < 2 || t[1] < '0' || t[1] > '9') {
			continue
		}
		if j := strings.Index(t, " #"); j > 0 {
			t = strings.TrimSpace(t[:j])
		}
		fail := func(token, msg string) {
			col, width := len(line)+1, 1
			if token != "" {
				if k := strings.LastIndex(line, token); k >= 0 {
					col, width = k+1, len(token)
				}
			}
			bad = append(bad, sudoersError{at, col, width, msg, line})
		}
		word, rest := t, ""
		if k := strings.IndexAny(t, " \t"); k > 0 {
			word, rest = t[:k], strings.TrimSpace(t[k:])
		}
		switch {
		case word == "@include" || word == "#include":
			includes = append(includes, strings.Trim(rest, `"`))
			continue
		case word == "@includedir" || word == "#includedir":
			includes = append(includes, "dir "+strings.Trim(rest, `"`))
			continue
		case strings.HasPrefix(word, "Defaults") && (len(word) == 8 || strings.IndexByte(":@>!", word[8]) >= 0):
			if rest == "" {
				fail("", "syntax error")
				continue
			}
			if strings.Count(rest, `"`)%2 == 1 {
				fail("", "unexpected line break in string")
				continue
			}
			for d := range strings.SplitSeq(rest, ",") {
				name := strings.TrimLeft(strings.TrimSpace(d), "!")
				if k := strings.IndexAny(name, "=+- \t"); k > 0 {
					name = strings.TrimRight(name[:k], "+-")
				}
				if name != "" && strings.Count(d, `"`) == 0 && !slices.Contains(sudoDefaults, name) {
					bad = append(bad, sudoersError{at, len(line) + 1, 1, "unknown defaults entry \"" + name + "\"", ""})
				}
				if strings.Contains(d, `"`) {
					break // commas within a string separate nothing
				}
			}
			continue
		case word == "User_Alias" || word == "Runas_Alias" || word == "Host_Alias" || word == "Cmnd_Alias" || word == "Cmd_Alias":
			name, val, ok := strings.Cut(rest, "=")
			name = strings.TrimSpace(name)
			switch {
			case name == "" || name != strings.ToUpper(name) || name[0] < 'A' || name[0] > 'Z':
				fail(name, "syntax error")
			case !ok || strings.TrimSpace(val) == "":
				fail("", "syntax error")
			}
			continue
		}
		// who host = (runas) TAGS: commands
		left, right, ok := strings.Cut(t, "=")
		fields := strings.Fields(strings.ReplaceAll(left, ", ", ","))
		switch {
		case !ok || len(fields) < 2:
			fail("", "syntax error")
			continue
		case len(fields) > 2:
			fail(fields[2], "syntax error")
			continue
		case strings.HasPrefix(right, "="):
			col := strings.Index(line, "==") + 2
			bad = append(bad, sudoersError{at, col, 1, "syntax error", line})
			continue
		case strings.TrimSpace(right) == "":
			fail("", "syntax error")
			continue
		}
		r := sudoRule{who: fields[0]}
		spec := strings.TrimSpace(right)
		if strings.HasPrefix(spec, "(") {
			end := strings.IndexByte(spec, ')')
			if end < 0 {
				next := ""
				if f := strings.Fields(spec); len(f) > 1 {
					next = f[1]
				}
				fail(next, "syntax error")
				continue
			}
			r.runas = spec[1:end]
			spec = strings.TrimSpace(spec[end+1:])
		}
		wrong := false
		for !wrong {
			tag, after, ok := strings.Cut(spec, ":")
			tag = strings.TrimSpace(tag)
			if !ok || tag == "" || strings.Trim(tag, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
				break
			}
			switch tag {
			case "NOPASSWD":
				r.noPasswd = true
			case "PASSWD":
				r.noPasswd = false
			case "SETENV", "NOSETENV", "EXEC", "NOEXEC", "LOG_INPUT", "LOG_OUTPUT", "NOLOG_INPUT", "NOLOG_OUTPUT", "MAIL", "NOMAIL", "FOLLOW", "NOFOLLOW", "INTERCEPT", "NOINTERCEPT":
			default:
				fail("", "syntax error")
				wrong = true
			}
			spec = strings.TrimSpace(after)
		}
		if wrong {
			continue
		}
		if spec == "" {
			fail("", "syntax error")
			continue
		}
		for c := range strings.SplitSeq(spec, ",") {
			c = strings.TrimSpace(c)
			b := strings.TrimPrefix(c, "!")
			first, _, _ := strings.Cut(b, " ")
			switch {
			case b == "":
				fail("", "syntax error")
				wrong = true
			case b[0] != '/' && b != "ALL" && b != "list" && first != "sudoedit" && !strings.HasPrefix(b, "sha") && strings.Trim(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "":
				fail(first, "expected a fully-qualified path name")
				wrong = true
			}
			r.commands = append(r.commands, c)
		}
		if !wrong {
			rules = append(rules, r)
		}
	}
	return rules, includes, bad
}

// sudoDefaults are the settings of sudoers(5) that configurations commonly have.
var sudoDefaults = strings.Fields(`always_set_home authenticate badpass_message compress_io env_check env_delete env_editor env_file env_keep env_reset exempt_group fdexec
	fqdn group_plugin ignore_dot ignore_local_sudoers insults iolog_dir iolog_file lecture lecture_file listpw log_host log_input log_output log_year logfile loglinelen long_otp_prompt
	mail_always mail_badpass mail_no_host mail_no_perms mail_no_user mailerflags mailerpath mailfrom mailsub mailto maxseq noexec noexec_file passprompt passprompt_override passwd_timeout
	passwd_tries path_info preserve_groups pwfeedback requiretty restricted_env_file rlimit_core root_sudo rootpw runas_default runaspw secure_path set_home set_logname set_utmp setenv
	shell_noargs stay_setuid sudoers_locale syslog syslog_badpri syslog_goodpri targetpw timestamp_timeout timestamp_type timestampdir timestampowner tty_tickets umask umask_override
	use_loginclass use_netgroups use_pty user_command_timeouts utmp_runas verifypw visiblepw editor closefrom command_timeout match_group_by_gid maxseq intercept log_allowed log_denied log_exit_status
	log_subcmds log_format mail_all_cmnds netgroup_tuple pam_acct_mgmt pam_askpass_service pam_login_service pam_rhost pam_ruser pam_service pam_session pam_setcred selinux admin_flag`)

// sudoAllows finds the last rule that is about the user and the command.
func sudoAllows(k *kernel.Kernel, u *libc.User, command string, args []string, warn func(string)) (allowed, noPasswd, named bool) {
	rules := sudoRules(k, warn)
	groups := map[string]bool{}
	for _, gid := range append(libc.GroupsOf(k, u.Name), u.GID) {
		groups[libc.GroupName(k, gid)] = true
	}
	for _, r := range rules {
		for who := range strings.SplitSeq(r.who, ",") {
			g, isGroup := strings.CutPrefix(who, "%")
			if who != "ALL" && who != u.Name && !(isGroup && groups[g]) && who != fmt.Sprintf("#%d", u.UID) {
				continue
			}
			named = true
			for _, c := range r.commands {
				pat, not := strings.CutPrefix(c, "!")
				prog, pargs, hasArgs := strings.Cut(pat, " ")
				ok := pat == "ALL" || libc.Fnmatch(prog, command) && (!hasArgs || libc.Fnmatch(pargs, strings.Join(args, " ")) || pargs == `""` && len(args) == 0) ||
					strings.HasSuffix(prog, "/") && path.Dir(command)+"/" == prog
				if ok {
					allowed, noPasswd = !not, r.noPasswd
				}
			}
		}
	}
	return allowed, noPasswd, named
}

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

func cmdVisudo(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "cf:hqsVIOP", "check>c file=>f quiet>q strict>s version>V")
	if !ok {
		p.Warnf("usage: visudo [-chqsV] [[-f] sudoers ]\n")
		return 1
	}
	if !o.Has("c") {
		p.Errorf("hosttest: there is no editor: use -c")
		return 1
	}
	file := "/etc/sudoers"
	given := false
	if o.Has("f") {
		file, given = o.Get("f"), true
	} else if len(o.Args) > 0 {
		file, given = o.Args[0], true
	}
	var b []byte
	var err error
	shown := file
	if file == "-" {
		shown = "stdin"
		d, e := libc.OpenInput(p, "-")
		if e == nil {
			b, err = p.ReadAll(d)
			d.Release()
		}
	} else {
		b, err = p.ReadFile(file)
	}
	if err != nil {
		p.Errorf("unable to open %s: %s", file, kernel.Strerror(err))
		return 1
	}
	failed := false
	readSudoers(p.Kernel, shown, string(b)+"\n", 0, func(text string) {
		failed = true
		if !o.Has("q") {
			p.Warnf("%s", text)
		}
	})
	if failed {
		return 1
	}
	if st, err := p.Stat(file); err == nil && !given {
		if st.UID != 0 || st.GID != 0 {
			p.Errorf("%s: wrong owner (uid, gid) should be (0, 0)", file)
			return 1
		}
		if st.Perm() != 0o440 {
			p.Errorf("%s: bad permissions, should be mode 0440", file)
			return 1
		}
	}
	if !o.Has("q") {
		p.Print(shown, ": parsed OK\n")
	}
	return 0
}
