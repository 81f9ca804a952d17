package ssh_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

const scratchPassword = "correct horse"

// scratchUser creates a user of this machine for the duration of the test, with a password, the
// login shell and the sudoers rules, in which %s is the user; and an sshd that the user can log in
// to, in whose sessions bash reads .bashrc. It needs root.
func scratchUser(t *testing.T, shell, rules string) (*real.SSHServer, ssh.Target) {
	t.Helper()
	if os.Getuid() != 0 {
		real.Missing(t, "root")
	}
	for _, p := range []string{"sudo", "useradd", "chpasswd", "flock", "setsid", shell} {
		if _, err := exec.LookPath(p); err != nil {
			real.Missing(t, p)
		}
	}
	name := fmt.Sprintf("labssh%d", os.Getpid())
	dir := "/tmp/" + name
	run := func(stdin, program string, args ...string) {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Stdin = strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", program, err, out)
		}
	}
	run("", "useradd", "--create-home", "--home-dir", dir, "--shell", must(exec.LookPath(shell)), name)
	rule := "/etc/sudoers.d/" + name
	t.Cleanup(func() {
		os.Remove(rule)
		_ = exec.Command("userdel", "--force", "--remove", name).Run() // its sshd may take a moment to exit
		os.RemoveAll(dir)
	})
	run(name+":"+scratchPassword+"\n", "chpasswd")
	if err := os.WriteFile(rule, []byte(strings.ReplaceAll(rules, "%s", name)+"\n"), 0o440); err != nil {
		t.Fatal(err)
	}
	s := real.SSHDWith(t, real.SSHOptions{Config: []string{"SetEnv SHLVL=0",
		"AuthorizedKeysFile " + dir + "/keys", "PasswordAuthentication yes"}})
	if err := os.WriteFile(dir+"/keys", cryptossh.MarshalAuthorizedKey(s.Key.PublicKey()), 0o644); err != nil {
		t.Fatal(err)
	}
	to := target(s)
	to.User = name
	return s, to
}

func TestSudo(t *testing.T) {
	if os.Getuid() != 0 {
		real.Missing(t, "root")
	}
	for name, test := range map[string]struct {
		rules, password string
		kind            error
		want            []string
	}{
		"asks nothing":                  {"%s ALL=(ALL) NOPASSWD: ALL", "", nil, nil},
		"asks nothing, though it might": {"%s ALL=(ALL) NOPASSWD: ALL", scratchPassword, nil, nil},
		"asks":                          {"%s ALL=(ALL) ALL", scratchPassword, nil, nil},
		"asks in a terminal of its own": {"Defaults:%s use_pty\n%s ALL=(ALL) NOPASSWD: ALL", "", nil, nil},
		"asks, and lectures":            {"Defaults:%s lecture=always\n%s ALL=(ALL) ALL", scratchPassword, nil, nil},
		"asks, but there is no password": {"%s ALL=(ALL) ALL", "", lab.ErrUnauthorized,
			[]string{"password is required", "NOPASSWD"}},
		"asks, and the password is wrong": {"%s ALL=(ALL) ALL", "wrong battery", lab.ErrUnauthorized,
			[]string{"does not accept the password", "sudo -v"}},
		"not in sudoers": {"# nothing", scratchPassword,
			lab.ErrUnauthorized, []string{"sudoers", "visudo"}},
		"requires a terminal": {"Defaults:%s requiretty\n%s ALL=(ALL) NOPASSWD: ALL", "",
			lab.ErrUnauthorized, []string{"terminal", "!requiretty"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, to := scratchUser(t, "bash", test.rules)
			to.SudoPassword = lab.NewSecret(test.password)
			c := dial(t, to)
			r, err := c.Run(t.Context(), ssh.Command{Script: "id -u; cat; echo e >&2; exit 3",
				Stdin: strings.NewReader("in\n"), Root: true})
			if test.kind != nil {
				if !errors.Is(err, test.kind) || !lab.SafeToRetry(err) {
					t.Errorf("got %v", err)
				}
				contains(t, err, test.want...)
				if strings.Contains(fmt.Sprint(err, lab.Hints(err)), test.password) && test.password != "" {
					t.Error("the password is in the error")
				}
			} else if err != nil {
				t.Error(err)
			} else if r.Exit != 3 || string(r.Stdout) != "0\nin\n" || string(r.Stderr) != "e\n" {
				t.Errorf("%d %q %q", r.Exit, r.Stdout, r.Stderr)
			}
			r, err = c.Run(t.Context(), ssh.Command{Script: "id -un"})
			if err != nil || string(r.Stdout) != to.User+"\n" {
				t.Errorf("without root: %v %+v", err, r)
			}
		})
	}
}

// TestSudoSecrets looks for secrets in the arguments and environment of every process while a
// script that contains them runs through sudo.
func TestSudoSecrets(t *testing.T) {
	_, to := scratchUser(t, "bash", "%s ALL=(ALL) ALL")
	to.SudoPassword = lab.NewSecret(scratchPassword)
	c := dial(t, to)
	secret := "tell" + "nobody"
	r, err := c.Run(t.Context(), ssh.Command{Root: true, Script: "s=" + secret + "\n" +
		"for f in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do tr '\\0' '\\n' <$f; echo; done 2>/dev/null |\n" +
		"  grep -c -e tell[n]obody -e correct.[h]orse\n" +
		"tr '\\0' '\\n' </proc/$$/cmdline | head -n 1"})
	if err != nil || string(r.Stdout) != "0\nsh\n" {
		t.Errorf("%v: %+v", err, r)
	}
}

func TestSudoCancel(t *testing.T) {
	for name, test := range map[string]struct{ rules, password string }{
		"no password":         {"%s ALL=(ALL) NOPASSWD: ALL", ""},
		"password":            {"%s ALL=(ALL) ALL", scratchPassword},
		"terminal of its own": {"Defaults:%s use_pty\n%s ALL=(ALL) NOPASSWD: ALL", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, to := scratchUser(t, "dash", test.rules)
			to.SudoPassword = lab.NewSecret(test.password)
			to.LockFile = "/run/" + to.User + ".lock"
			t.Cleanup(func() { os.Remove(to.LockFile) })
			c := dial(t, to)
			for _, root := range []bool{true, false} {
				for _, lock := range []bool{root, false} {
					ctx, cancel := context.WithCancel(t.Context())
					seen := &firstWrite{make(chan struct{})}
					go func() { <-seen.seen; cancel() }()
					mark := "LAB_TEST_" + to.User
					_, err := c.Run(ctx, ssh.Command{Root: root, Lock: lock,
						Script: "export " + mark + "=1; echo; sh -c 'sleep 1000; :' & sleep 1000", Stdout: seen})
					if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "terminated") {
						t.Error(err)
					}
					if left := alive(t, mark); len(left) > 0 {
						t.Errorf("still running: %s", left)
					}
				}
			}
		})
	}
}

func TestLock(t *testing.T) {
	_, to := scratchUser(t, "dash", "%s ALL=(ALL) NOPASSWD: ALL")
	to.LockFile = "/run/" + to.User + ".lock"
	t.Cleanup(func() { os.Remove(to.LockFile) })
	a, b := dial(t, to), dial(t, to)
	seen := &firstWrite{make(chan struct{})}
	done := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, err := a.Run(ctx, ssh.Command{Root: true, Lock: true, Script: "echo; sleep 1000", Stdout: seen})
		done <- err
	}()
	<-seen.seen
	_, err := b.Run(t.Context(), ssh.Command{Root: true, Lock: true, Script: "echo mine"})
	if !errors.Is(err, lab.ErrBlocked) || !lab.SafeToRetry(err) {
		t.Errorf("held by another: %v", err)
	}
	contains(t, err, to.LockFile, "lslocks")
	if _, err := b.Run(t.Context(), ssh.Command{Root: true, Script: "true"}); err != nil {
		t.Errorf("without the lock: %v", err)
	}
	cancel()
	<-done
	// a process that a script leaves running does not hold the lock
	for range 2 {
		r, err := b.Run(t.Context(), ssh.Command{Root: true, Lock: true,
			Script: "setsid sleep 5 >/dev/null 2>&1 </dev/null & exit 75"})
		if err != nil || r.Exit != 75 {
			t.Errorf("%v %+v", err, r)
		}
	}
	if _, err := b.Run(t.Context(), ssh.Command{Lock: true, Script: "true"}); !errors.Is(err, lab.ErrInvalid) {
		t.Errorf("not as root: %v", err)
	}
}

// TestShells logs in with shells other than sh, and with startup files that print or read stdin.
func TestShells(t *testing.T) {
	for _, shell := range []string{"bash", "dash", "zsh", "fish", "tcsh"} {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				real.Missing(t, "the shell "+shell)
			}
			_, to := scratchUser(t, shell, "%s ALL=(ALL) NOPASSWD: ALL")
			home := "/tmp/" + to.User
			noise := "echo noise; echo lab-; echo noise >&2\n"
			for _, f := range []string{".bashrc", ".zshenv", ".cshrc"} {
				write(t, filepath.Join(home, f), []byte(noise))
				if err := os.Chmod(filepath.Join(home, f), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			c := dial(t, to)
			for _, root := range []bool{false, true} {
				r, err := c.Run(t.Context(), ssh.Command{Script: "echo \"$0\"; cat; echo e >&2",
					Stdin: strings.NewReader("!in\\n"), Root: root})
				if err != nil {
					t.Fatal(err)
				}
				if string(r.Stdout) != "sh\n!in\\n" || string(r.Stderr) != "e\n" {
					t.Errorf("%q %q", r.Stdout, r.Stderr)
				}
			}
		})
	}
	t.Run("reads stdin", func(t *testing.T) {
		_, to := scratchUser(t, "bash", "")
		file := filepath.Join("/tmp", to.User, ".bashrc")
		if err := os.WriteFile(file, []byte("read -r line\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		c := dial(t, to)
		_, err := c.Run(t.Context(), ssh.Command{Script: "echo one\necho two"})
		if !errors.Is(err, lab.ErrConflict) || !lab.SafeToRetry(err) {
			t.Errorf("got %v", err)
		}
		contains(t, err, ".bashrc")
	})
	t.Run("no shell", func(t *testing.T) {
		_, to := scratchUser(t, "nologin", "")
		c := dial(t, to)
		_, err := c.Run(t.Context(), ssh.Command{Script: "true"})
		if err == nil || !lab.SafeToRetry(err) {
			t.Errorf("got %v", err)
		}
		contains(t, err, "not available", "login shell")
	})
}

func TestPassword(t *testing.T) {
	_, to := scratchUser(t, "bash", "")
	to.Auth = ssh.Auth{Password: lab.NewSecret(scratchPassword)}
	dial(t, to)
	to.Auth.Password = lab.NewSecret("wrong battery")
	_, err := ssh.Dial(t.Context(), to)
	if !errors.Is(err, lab.ErrUnauthorized) || !lab.SafeToRetry(err) || strings.Contains(err.Error(), "battery") {
		t.Errorf("got %v", err)
	}
	contains(t, err, "tried password")
}

// TestMaxSessions cancels a script on a machine that opens only one session at a time.
func TestMaxSessions(t *testing.T) {
	s := real.SSHDWith(t, real.SSHOptions{Config: []string{"MaxSessions 1"}})
	c := dial(t, target(s))
	ctx, cancel := context.WithCancel(t.Context())
	seen := &firstWrite{make(chan struct{})}
	go func() {
		<-seen.seen
		if _, err := c.Run(t.Context(), ssh.Command{Script: "true"}); !errors.Is(err, lab.ErrBlocked) ||
			!lab.SafeToRetry(err) {
			t.Errorf("a second script: %v", err)
		}
		cancel()
	}()
	_, err := c.Run(ctx, ssh.Command{Script: "echo; sleep 1000", Stdout: seen})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "terminated") {
		t.Error(err)
	}
	if _, err := c.Run(t.Context(), ssh.Command{Script: "true"}); err != nil {
		t.Error(err)
	}
}
