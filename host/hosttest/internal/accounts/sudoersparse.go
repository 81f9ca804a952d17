package accounts

import (
	"fmt"
	"slices"
	"strings"
)

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

// A sudoersParser reads the lines of a sudoers file. A line that is wrong does not stop it.
type sudoersParser struct {
	rules    []sudoRule
	includes []string // files, and directories with "dir " before their name
	bad      []sudoersError
	at       int    // the number of the line that is read
	line     string // its text, with what continues it
}

// parseSudoers reads the text of a sudoers file.
func parseSudoers(text string) (rules []sudoRule, includes []string, bad []sudoersError) {
	s := &sudoersParser{}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		s.at, s.line = i+1, lines[i]
		for strings.HasSuffix(s.line, `\`) && i+1 < len(lines) {
			i++
			s.line = s.line[:len(s.line)-1] + lines[i]
		}
		if t := withoutComment(strings.TrimSpace(s.line)); t != "" {
			s.entry(t)
		}
	}
	return s.rules, s.includes, s.bad
}

// withoutComment takes a comment off a line. #include, #includedir and #uid are none.
func withoutComment(t string) string {
	if strings.HasPrefix(t, "#") && !strings.HasPrefix(t, "#include") && (len(t) < 2 || t[1] < '0' || t[1] > '9') {
		return ""
	}
	if j := strings.Index(t, " #"); j > 0 {
		t = strings.TrimSpace(t[:j])
	}
	return t
}

// fail notes an error at the last place of the token in the line, or, when it is empty or not there, at the line's end.
func (s *sudoersParser) fail(token, msg string) {
	col, width := len(s.line)+1, 1
	if token != "" {
		if k := strings.LastIndex(s.line, token); k >= 0 {
			col, width = k+1, len(token)
		}
	}
	s.bad = append(s.bad, sudoersError{s.at, col, width, msg, s.line})
}

// entry reads one line, which is not empty.
func (s *sudoersParser) entry(t string) {
	word, rest := t, ""
	if k := strings.IndexAny(t, " \t"); k > 0 {
		word, rest = t[:k], strings.TrimSpace(t[k:])
	}
	switch word {
	case "@include", "#include":
		s.includes = append(s.includes, strings.Trim(rest, `"`))
		return
	case "@includedir", "#includedir":
		s.includes = append(s.includes, "dir "+strings.Trim(rest, `"`))
		return
	case "User_Alias", "Runas_Alias", "Host_Alias", "Cmnd_Alias", "Cmd_Alias":
		s.alias(rest)
		return
	}
	if strings.HasPrefix(word, "Defaults") && (len(word) == 8 || strings.IndexByte(":@>!", word[8]) >= 0) {
		s.defaults(rest)
		return
	}
	s.rule(t)
}

// alias reads NAME = values.
func (s *sudoersParser) alias(text string) {
	name, val, ok := strings.Cut(text, "=")
	name = strings.TrimSpace(name)
	switch {
	case name == "" || name != strings.ToUpper(name) || name[0] < 'A' || name[0] > 'Z':
		s.fail(name, "syntax error")
	case !ok || strings.TrimSpace(val) == "":
		s.fail("", "syntax error")
	}
}

// defaults reads the settings of a Defaults line.
func (s *sudoersParser) defaults(text string) {
	if text == "" {
		s.fail("", "syntax error")
		return
	}
	if strings.Count(text, `"`)%2 == 1 {
		s.fail("", "unexpected line break in string")
		return
	}
	for d := range strings.SplitSeq(text, ",") {
		if strings.Contains(d, `"`) {
			break // commas within a string separate nothing
		}
		name := strings.TrimLeft(strings.TrimSpace(d), "!")
		if k := strings.IndexAny(name, "=+- \t"); k > 0 {
			name = strings.TrimRight(name[:k], "+-")
		}
		if name != "" && !slices.Contains(sudoDefaults, name) {
			msg := "unknown defaults entry \"" + name + "\""
			s.bad = append(s.bad, sudoersError{s.at, len(s.line) + 1, 1, msg, ""})
		}
	}
}

// rule reads who host = (runas) TAGS: commands.
func (s *sudoersParser) rule(t string) {
	left, right, ok := strings.Cut(t, "=")
	fields := strings.Fields(strings.ReplaceAll(left, ", ", ","))
	switch {
	case !ok || len(fields) < 2:
		s.fail("", "syntax error")
		return
	case len(fields) > 2:
		s.fail(fields[2], "syntax error")
		return
	case strings.HasPrefix(right, "="):
		col := strings.Index(s.line, "==") + 2
		s.bad = append(s.bad, sudoersError{s.at, col, 1, "syntax error", s.line})
		return
	case strings.TrimSpace(right) == "":
		s.fail("", "syntax error")
		return
	}
	r := sudoRule{who: fields[0]}
	spec := strings.TrimSpace(right)
	if spec, ok = s.runas(&r, spec); !ok {
		return
	}
	if spec, ok = s.tags(&r, spec); !ok {
		return
	}
	if s.commands(&r, spec) {
		s.rules = append(s.rules, r)
	}
}

// runas takes (user) off the text before a rule's commands.
func (s *sudoersParser) runas(r *sudoRule, spec string) (rest string, ok bool) {
	if !strings.HasPrefix(spec, "(") {
		return spec, true
	}
	end := strings.IndexByte(spec, ')')
	if end < 0 {
		next := ""
		if f := strings.Fields(spec); len(f) > 1 {
			next = f[1]
		}
		s.fail(next, "syntax error")
		return "", false
	}
	r.runas = spec[1:end]
	return strings.TrimSpace(spec[end+1:]), true
}

// tags takes the tags off the text before a rule's commands.
func (s *sudoersParser) tags(r *sudoRule, spec string) (rest string, ok bool) {
	for {
		tag, after, ok := strings.Cut(spec, ":")
		tag = strings.TrimSpace(tag)
		if !ok || tag == "" || strings.Trim(tag, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
			return spec, true
		}
		switch {
		case tag == "NOPASSWD":
			r.noPasswd = true
		case tag == "PASSWD":
			r.noPasswd = false
		case !slices.Contains(sudoTags, tag):
			s.fail("", "syntax error")
			return "", false
		}
		spec = strings.TrimSpace(after)
	}
}

// commands reads what a rule allows, and tells whether it is right.
func (s *sudoersParser) commands(r *sudoRule, spec string) bool {
	if spec == "" {
		s.fail("", "syntax error")
		return false
	}
	ok := true
	for c := range strings.SplitSeq(spec, ",") {
		c = strings.TrimSpace(c)
		b := strings.TrimPrefix(c, "!")
		first, _, _ := strings.Cut(b, " ")
		switch {
		case b == "":
			s.fail("", "syntax error")
			ok = false
		case b[0] != '/' && b != "ALL" && b != "list" && first != "sudoedit" && !strings.HasPrefix(b, "sha") &&
			strings.Trim(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "":
			s.fail(first, "expected a fully-qualified path name")
			ok = false
		}
		r.commands = append(r.commands, c)
	}
	return ok
}

// sudoTags are the tags that change nothing here.
var sudoTags = strings.Fields(`SETENV NOSETENV EXEC NOEXEC LOG_INPUT LOG_OUTPUT NOLOG_INPUT NOLOG_OUTPUT MAIL NOMAIL
	FOLLOW NOFOLLOW INTERCEPT NOINTERCEPT`)

// sudoDefaults are the settings of sudoers(5) that configurations commonly have.
var sudoDefaults = strings.Fields(`
	always_set_home authenticate badpass_message compress_io env_check env_delete env_editor env_file env_keep
	env_reset exempt_group fdexec fqdn group_plugin ignore_dot ignore_local_sudoers insults iolog_dir iolog_file
	lecture lecture_file listpw log_host log_input log_output log_year logfile loglinelen long_otp_prompt
	mail_always mail_badpass mail_no_host mail_no_perms mail_no_user mailerflags mailerpath mailfrom mailsub mailto
	maxseq noexec noexec_file passprompt passprompt_override passwd_timeout passwd_tries path_info preserve_groups
	pwfeedback requiretty restricted_env_file rlimit_core root_sudo rootpw runas_default runaspw secure_path
	set_home set_logname set_utmp setenv shell_noargs stay_setuid sudoers_locale syslog syslog_badpri syslog_goodpri
	targetpw timestamp_timeout timestamp_type timestampdir timestampowner tty_tickets umask umask_override
	use_loginclass use_netgroups use_pty user_command_timeouts utmp_runas verifypw visiblepw editor closefrom
	command_timeout match_group_by_gid maxseq intercept log_allowed log_denied log_exit_status log_subcmds
	log_format mail_all_cmnds netgroup_tuple pam_acct_mgmt pam_askpass_service pam_login_service pam_rhost pam_ruser
	pam_service pam_session pam_setcred selinux admin_flag`)
