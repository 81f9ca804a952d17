package ssh

import (
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

//go:embed sh/launch.sh
var launchScript string

// Files of the kernel: proc_sys_kernel(5) and proc_uptime(5).
const (
	bootIDFile = "/proc/sys/kernel/random/boot_id" // another ID after each boot
	uptimeFile = "/proc/uptime"                    // begins with the seconds since the boot, to two decimals
)

// Exit statuses of the command line, before the script has started.
const (
	exitIncomplete = 71 // of launch.sh: the script did not arrive whole
	exitLocked     = 75 // of flock: another process holds the lock
)

// commandLine returns the command line for the user's login shell, which may be any shell: it has only
// plain words and single quotes, and no backslash, exclamation mark or newline.
func (s *session) commandLine() string {
	var words []string
	switch {
	case s.password:
		words = append(words, "sudo", "-S", "-p", s.prompt(), "--")
	case s.sudo:
		words = append(words, "sudo", "-n", "--")
	}
	if s.cmd.Lock {
		words = append(words, "flock", "-n", "-o", "-E", strconv.Itoa(exitLocked), s.conn.target.lockFile())
	}
	words = append(words, "setsid", "-w", "sh", "-c", "'"+oneLine(launchScript)+"'",
		"sh", s.marker, strconv.Itoa(len(s.script)), bootIDFile)
	return strings.Join(words, " ")
}

// oneLine joins the lines of a script, without its comments.
func oneLine(text string) string {
	var code []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			code = append(code, line)
		}
	}
	return strings.Join(code, " ")
}

// prompt is what sudo is told to print when it asks for the password.
func (s *session) prompt() string { return s.marker + "-sudo:" }

// launchError says why the script did not start, judging by the exit status and by what was printed
// instead of the marker.
func (s *session) launchError() error {
	t := s.conn.target
	output := lab.Mask(lastLines(string(s.stdout.preamble)+"\n"+string(s.stderr.preamble), 5), t.SudoPassword)
	e := &lab.Error{Op: "run script", Target: t.name()}
	printed := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(output, p) {
				return true
			}
		}
		return false
	}
	notFound := printed("setsid: not found", "setsid: command not found", "flock: not found", "flock: command not found")
	switch {
	case s.cmd.Lock && s.exit == exitLocked:
		e.Path = t.lockFile()
		e.Hint = fmt.Sprintf("wait: it is released when its script ends, or if its connection is silent for long; "+
			"to see what holds it, on the machine: sudo lslocks -o PID,COMMAND,PATH | grep -F %s", t.lockFile())
		e.Err = fmt.Errorf("%w: %w", lab.ErrBlocked, errLocked)
	case s.cmd.Lock && printed("flock: "):
		e.Path = t.lockFile()
		e.Err = fmt.Errorf("lock: %s", output)
	case s.sudo && s.exit == 127, s.sudo && printed("sudo: not found", "sudo: command not found"):
		e.Hint = "as root: apt-get install sudo, or log in as root"
		e.Err = fmt.Errorf("%w: sudo is not installed", lab.ErrNotFound)
	case notFound, s.exit == 127:
		e.Hint = "as root: apt-get install util-linux"
		e.Err = fmt.Errorf("%w: %s", lab.ErrNotFound, output)
	case s.sudo && printed("must have a tty", "tty present"):
		e.Hint = "add to a file in /etc/sudoers.d, with visudo: Defaults:" + t.User + " !requiretty"
		e.Err = fmt.Errorf("%w: sudo requires a terminal: %s", lab.ErrUnauthorized, output)
	case s.sudo && printed("not in the sudoers", "not allowed to"):
		e.Hint = "add to a file in /etc/sudoers.d, with visudo: " + t.User + " ALL=(ALL) NOPASSWD: ALL"
		e.Err = fmt.Errorf("%w: sudo: %s", lab.ErrUnauthorized, output)
	case printed("sudo: ") && printed("expired"):
		e.Hint = expiredHint(t.User)
		e.Err = fmt.Errorf("%w: %s", lab.ErrUnauthorized, output)
	case printed("sudo: ") && !s.password && s.exit == 1:
		e.Hint = "add to a file in /etc/sudoers.d, with visudo: " + t.User + " ALL=(ALL) NOPASSWD: ALL; " +
			"or set the sudo password"
		e.Set.Name = SettingSudoPassword
		e.Err = fmt.Errorf("%w: sudo: %s", lab.ErrUnauthorized, output)
	case printed("sudo: "):
		e.Hint = "log in and try: sudo -v"
		e.Err = fmt.Errorf("%w: sudo: %s", lab.ErrUnauthorized, output)
	default:
		e.Hint, e.Err = s.shellError(output)
	}
	return e
}

// shellError says why the user's login shell did not start what it was told to, with a hint.
func (s *session) shellError(output string) (hint string, err error) {
	user := s.conn.target.User
	// sshd's do_exec and shadow's nologin(8)
	expired := strings.Contains(output, "password has expired") || strings.Contains(output, "Password change required")
	noLogin := strings.Contains(output, "account is currently not available")
	if expired {
		return expiredHint(user), fmt.Errorf("%w: the password of %s has expired, and sshd runs nothing before it is changed",
			lab.ErrUnauthorized, user)
	}
	how := "exited with status " + strconv.Itoa(s.exit)
	hint = "log in and try: sh -c 'echo works'; the startup files of the login shell must not end it"
	switch {
	case s.signal != "":
		how = "was ended by signal " + s.signal
	case noLogin, s.exit == 1 && output == "": // nologin and false
		hint = "see its login shell on the machine, getent passwd " + Quote(user) +
			", and give it one that runs commands, as root: usermod -s /bin/sh " + Quote(user)
	case s.exit == 0:
		hint = "something runs in place of it: look for ForceCommand in sshd_config, and command= in authorized_keys"
	}
	if output != "" {
		how += " without starting the script: " + output
	} else {
		how += " without starting the script or printing anything"
	}
	return hint, fmt.Errorf("%w: the login shell of %s %s", lab.ErrConflict, user, how)
}

func expiredHint(user string) string {
	return "log in with a terminal to change it, or on the machine, as root: passwd " + Quote(user) +
		"; chage -l " + Quote(user) + " shows when it expires"
}

var (
	errNoExec        = errors.New("the machine refused to run a command")
	errWrongPassword = errors.New("sudo does not accept the password")
	errSudoSilent    = errors.New("sudo neither asked for the password nor started the script")
)
