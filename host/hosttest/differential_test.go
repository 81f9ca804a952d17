package hosttest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var syntaxError = regexp.MustCompile(`sh: \d+: (Syntax error|arithmetic expression): .*`)

// A result is what a script leaves behind.
type result struct {
	out, err string
	code     int
}

// fakeRun runs a script as root in /w of a machine.
func fakeRun(m *Machine, script string, stdin string) result {
	p := m.newProcess(nil)
	p.Env = []string{"HOME=/root", "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "PWD=/w"}
	p.Dir = "/w"
	inR, inW := newPipe(0).descriptions()
	inW.Write(nil, []byte(stdin))
	inW.release()
	outR, outW := newPipe(0).descriptions()
	errR, errW := newPipe(0).descriptions()
	p.fds[0], p.fds[1], p.fds[2] = inR, outW, errW
	p.goRun(func(p *Process) int {
		code, err := p.exec("/bin/sh", []string{"sh", "-c", script}, p.Env)
		if err != nil {
			return 127
		}
		return code
	})
	<-p.killed
	drain := func(d *description) string {
		var b bytes.Buffer
		buf := make([]byte, 4096)
		for {
			n, err := d.Read(nil, buf)
			b.Write(buf[:n])
			if err != nil {
				d.release()
				return b.String()
			}
		}
	}
	return result{drain(outR), drain(errR), p.status.shell()}
}

// realRun runs a script with the host's own tools in an empty directory.
func realRun(t *testing.T, dir, script, stdin string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, "/bin/sh", "-c", script)
	c.Args[0] = "sh"
	c.Dir = dir
	c.Env = []string{"HOME=/root", "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "PWD=" + dir}
	c.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		t.Fatal(err)
	}
	code := c.ProcessState.ExitCode()
	if ws, ok := c.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		code = 128 + int(ws.Signal())
	}
	norm := func(s string) string { return strings.ReplaceAll(s, dir, "/w") }
	return result{norm(out.String()), norm(errs.String()), code}
}

// needDebian skips where the host's tools are not those that the machines imitate.
func needDebian(t *testing.T) {
	t.Helper()
	b, _ := os.ReadFile("/etc/debian_version")
	if !strings.HasPrefix(string(b), "12.") || os.Getuid() != 0 {
		const what = "Debian 12's own tools, as root, to compare with"
		if os.Getenv("LAB_REAL") == "require" {
			t.Fatal("missing: " + what)
		}
		t.Skip("missing: " + what)
	}
}

// compare runs scripts on both sides, each in a directory of its own.
func compare(t *testing.T, scripts []string) {
	t.Helper()
	needDebian(t)
	m := New(t, Config{})
	for _, s := range scripts {
		name := s
		if len(name) > 60 {
			name = name[:60]
		}
		t.Run(name, func(t *testing.T) {
			m.FS().Remove("/w")
			m.FS().MkdirAll("/w")
			script := "umask 022; " + s
			stdin := "first line\nsecond line\nrest"
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			want := realRun(t, dir, script, stdin)
			got := fakeRun(m, script, stdin)
			// What is wrong with the syntax, and where, is worded by the parser.
			got.err, want.err = syntaxError.ReplaceAllString(got.err, "syntax error"), syntaxError.ReplaceAllString(want.err, "syntax error")
			if got != want {
				t.Errorf("script: %s\n--- real\n%s[stderr]\n%s[exit %d]\n--- here\n%s[stderr]\n%s[exit %d]", s, want.out, want.err, want.code, got.out, got.err, got.code)
			}
		})
	}
}
