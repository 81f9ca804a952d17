package ssh_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// patience is how long a login may take on a busy machine. No test waits that long.
const patience = 2 * time.Minute

// target returns the target of a test's own sshd.
func target(s *real.SSHServer) ssh.Target {
	return ssh.Target{
		Name: "pi1", Address: s.Addr, User: s.User,
		Auth:     ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: s.KeyFile}}},
		HostKeys: ssh.HostKeys{KnownHosts: []string{s.KnownHosts}}, ConnectTimeout: patience,
	}
}

func dial(tb testing.TB, t ssh.Target) *ssh.Conn {
	tb.Helper()
	c, err := ssh.Dial(tb.Context(), t)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

func TestRun(t *testing.T) {
	c := dial(t, target(real.SSHD(t)))
	for name, test := range map[string]struct {
		cmd            ssh.Command
		exit           int
		stdout, stderr string
	}{
		"nothing":          {ssh.Command{}, 0, "", ""},
		"output":           {ssh.Command{Script: "echo out; echo err >&2"}, 0, "out\n", "err\n"},
		"exit":             {ssh.Command{Script: "exit 42"}, 42, "", ""},
		"exit like a lock": {ssh.Command{Script: "exit 75"}, 75, "", ""},
		"exit like a cut":  {ssh.Command{Script: "exit 71"}, 71, "", ""},
		"last status":      {ssh.Command{Script: "false"}, 1, "", ""},
		"no stdin":         {ssh.Command{Script: "cat; echo end"}, 0, "end\n", ""},
		"stdin": {ssh.Command{Script: "read -r a; echo \"<$a>\"; cat",
			Stdin: strings.NewReader("one\ntwo\n")}, 0, "<one>\ntwo\n", ""},
		"stdin is not a script": {ssh.Command{Script: "cat", Stdin: strings.NewReader("echo no\n")}, 0,
			"echo no\n", ""},
		"unread stdin": {ssh.Command{Script: "exit 3",
			Stdin: strings.NewReader(strings.Repeat("x", 10<<20))}, 3, "", ""},
		"quotes": {ssh.Command{Script: `printf '%s\n' "a'b" 'c"d' $((1+1)) '!'`}, 0,
			"a'b\nc\"d\n2\n!\n", ""},
		"unicode":             {ssh.Command{Script: "echo 'été\u2028 🏠'"}, 0, "été\u2028 🏠\n", ""},
		"here document":       {ssh.Command{Script: "cat <<'E'\n$x `y` \\\nE\necho z"}, 0, "$x `y` \\\nz\n", ""},
		"comment last":        {ssh.Command{Script: "echo a # b"}, 0, "a\n", ""},
		"backslash last":      {ssh.Command{Script: "echo a\\"}, 0, "a\n", ""},
		"no variable of ours": {ssh.Command{Script: `echo "${s-unset}"`}, 0, "unset\n", ""},
		// 0, 1, 2 and the directory
		"no file left open": {ssh.Command{Script: "ls /proc/self/fd | wc -l"}, 0, "4\n", ""},
		"its own process group": {ssh.Command{Script: "read -r pid comm state ppid pgrp sid rest </proc/$$/stat; " +
			"echo $((pgrp == $$)) $((sid == $$))"}, 0, "1 1\n", ""},
		"not an argument": {ssh.Command{Script: "tr '\\0' '\\n' </proc/$$/cmdline | grep -c sec" +
			"ret; true"}, 0, "0\n", ""},
		"leaves something running":   {ssh.Command{Script: "sleep 30 & echo $((1+1)); exit 5"}, 5, "2\n", ""},
		"a signal":                   {ssh.Command{Script: "kill -s KILL $$"}, 137, "", ""},
		"no locale is sent":          {ssh.Command{Script: "env | grep -c '^LC_'; true"}, 0, "0\n", ""},
		"as root, logged in as root": {ssh.Command{Script: "id -u", Root: true}, 0, "0\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if test.cmd.Root && os.Getuid() != 0 {
				real.Missing(t, "root")
			}
			r, err := c.Run(t.Context(), test.cmd)
			if err != nil {
				t.Fatal(err)
			}
			if name == "a signal" {
				// The signal is reported if the shell replaced setsid, and not if setsid waits for
				// the shell.
				if r.Exit == 0 {
					t.Errorf("exit status 0, signal %q", r.Signal)
				}
				return
			}
			if r.Exit != test.exit || string(r.Stdout) != test.stdout || string(r.Stderr) != test.stderr {
				t.Errorf("got %d, %q, %q\nwant %d, %q, %q", r.Exit, r.Stdout, r.Stderr, test.exit, test.stdout, test.stderr)
			}
			if (r.Err() == nil) != (test.exit == 0) {
				t.Errorf("Err() = %v", r.Err())
			}
		})
	}
	if s := c.Counters(); s.Connections != 1 || s.BytesSent < 10<<10 || s.BytesReceived == 0 {
		t.Errorf("counters: %+v", s)
	}
}

func TestRunRefuses(t *testing.T) {
	c := dial(t, target(real.SSHD(t)))
	_, err := c.Run(t.Context(), ssh.Command{Script: "echo a\x00b"})
	if !errors.Is(err, lab.ErrInvalid) || !lab.SafeToRetry(err) {
		t.Errorf("NUL: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if _, err := c.Run(ctx, ssh.Command{Script: "true"}); !errors.Is(err, enough) || !lab.SafeToRetry(err) {
		t.Errorf("cancelled before: %v", err)
	}
	if n := c.Counters().Execs; n != 0 {
		t.Errorf("%d scripts were started", n)
	}
}

// TestRunExact transfers binary data through a script, more than every buffer on the way holds.
func TestRunExact(t *testing.T) {
	size := int64(100 << 20)
	if testing.Short() {
		size = 10 << 20
	}
	c := dial(t, target(real.SSHD(t)))
	source := func() io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{1}), size) }
	want := sha256.New()
	if _, err := io.Copy(want, source()); err != nil {
		t.Fatal(err)
	}
	r, err := c.Run(t.Context(), ssh.Command{Script: "sha256sum", Stdin: source()})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, _ := strings.Cut(string(r.Stdout), " "); got != hex.EncodeToString(want.Sum(nil)) {
		t.Error("stdin differs")
	}
	back := sha256.New()
	r, err = c.Run(t.Context(), ssh.Command{Script: "cat", Stdin: source(), Stdout: back})
	if err != nil || r.Err() != nil {
		t.Fatal(err, r.Err())
	}
	if !bytes.Equal(back.Sum(nil), want.Sum(nil)) {
		t.Error("stdout differs")
	}
	// a script of 4 MB, and its stdin
	long := "x='" + strings.Repeat("0123456789abcde\n", 1<<18) + "'\nprintf %s \"$x\" | sha256sum; cat"
	sum := sha256.Sum256([]byte(strings.TrimSuffix(long[3:strings.LastIndex(long, "'")], "")))
	r, err = c.Run(t.Context(), ssh.Command{Script: long, Stdin: strings.NewReader("rest")})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(r.Stdout); got != hex.EncodeToString(sum[:])+"  -\nrest" {
		t.Errorf("long script: %q %q", got, r.Stderr)
	}
}

func TestRunCollects(t *testing.T) {
	c := dial(t, target(real.SSHD(t)))
	r, err := c.Run(t.Context(), ssh.Command{Script: "head -c 1048576 /dev/zero; head -c 1048577 /dev/zero >&2"})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Stdout) != 1<<20 || len(r.Stderr) != 1<<20 || !r.Truncated {
		t.Errorf("got %d and %d bytes, truncated %v", len(r.Stdout), len(r.Stderr), r.Truncated)
	}
	var both bytes.Buffer
	if _, err := c.Run(t.Context(), ssh.Command{Script: "echo a; echo b >&2", Stdout: &both,
		Stderr: &both}); err != nil || both.Len() != 4 {
		t.Errorf("%v, %q", err, &both)
	}
}

// firstWrite closes a channel at the first write.
type firstWrite struct{ seen chan struct{} }

func (w *firstWrite) Write(p []byte) (int, error) {
	select {
	case <-w.seen:
	default:
		close(w.seen)
	}
	return len(p), nil
}

// alive returns the processes of this machine that have mark in their environment.
func alive(tb testing.TB, mark string) (found []string) {
	tb.Helper()
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		args, _ := os.ReadFile(filepath.Dir(f) + "/cmdline")
		if bytes.Contains(b, []byte(mark)) {
			found = append(found, fmt.Sprintf("%s %q", f, args))
		}
	}
	return found
}

// TestRunCancel stops scripts that are hard to stop, and looks for processes that survive.
func TestRunCancel(t *testing.T) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		real.Missing(t, "/proc")
	}
	s := real.SSHD(t)
	// Each prints a line once it is in the state that makes it hard to stop.
	for name, test := range map[string]struct{ script, how string }{
		"sleep":           {"echo begun; sleep 1000", "terminated"},
		"nested shells":   {"sh -c 'sh -c \"echo begun; sleep 1000; true\"; true'; true", "terminated"},
		"children":        {"sleep 1000 & sleep 1001 & echo begun; wait", "terminated"},
		"job control":     {"set -m; sleep 1000 & sleep 1001 & echo begun; wait", "terminated"},
		"ignores TERM":    {"trap '' TERM; echo begun; while :; do sleep 1; done", "killed"},
		"cleans up":       {"trap 'exit 0' TERM; echo begun; while :; do sleep 1; done", "terminated"},
		"orphan":          {"(sleep 1000 &) ; echo begun; sleep 1000", "terminated"},
		"waits for stdin": {"echo begun; cat", "terminated"},
		"stopped": {"(kill -s STOP $$; " +
			"while read -r pid comm state rest </proc/$$/stat && [ \"$state\" != T ]; do :; done; echo begun)", "killed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, target(s))
			// unique: /proc shows the processes of all tests
			mark := fmt.Sprintf("LAB_TEST_%d_%s", os.Getpid(), hex.EncodeToString([]byte(name)))
			ctx, cancel := context.WithCancelCause(t.Context())
			enough := errors.New("enough")
			seen := &firstWrite{make(chan struct{})}
			go func() {
				<-seen.seen
				cancel(enough)
			}()
			in, never := io.Pipe()
			defer never.Close()
			start := time.Now()
			_, err := c.Run(ctx, ssh.Command{Script: "export " + mark + "=1\n" + test.script, Stdin: in, Stdout: seen})
			if !errors.Is(err, enough) || !strings.Contains(err.Error(), test.how) || lab.SafeToRetry(err) {
				t.Errorf("got %v after %s", err, time.Since(start))
			}
			if left := alive(t, mark); len(left) > 0 {
				t.Errorf("still running: %s", left)
			}
			if r, err := c.Run(t.Context(), ssh.Command{Script: "echo still here"}); err != nil ||
				string(r.Stdout) != "still here\n" {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}
