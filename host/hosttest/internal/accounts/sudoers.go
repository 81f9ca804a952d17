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
