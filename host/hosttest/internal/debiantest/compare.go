// Package debiantest runs scripts on a fake machine and, where this host is a Debian 12, beside it with the real tools.
package debiantest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

var syntaxError = regexp.MustCompile(`sh: \d+: (Syntax error|arithmetic expression): .*`)

// A Result is what a script leaves behind.
type Result struct {
	Out, Err string
	Code     int
	Left     string // the files that are there afterwards
}

func (r Result) String() string {
	return fmt.Sprintf("%s[stderr]\n%s[exit %d]\n%s", r.Out, r.Err, r.Code, r.Left)
}

// leftLine describes one file as both sides can.
func leftLine(name string, mode, uid, gid, nlink uint32, content string) string {
	if mode&kernel.ModeType == kernel.ModeDir {
		nlink = 0
	}
	return fmt.Sprintf("%s %06o %d:%d %d %q\n", strings.Map(func(r rune) rune {
		if r < ' ' {
			return '?'
		}
		return r
	}, name), mode, uid, gid, nlink, content)
}

func realLeft(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		i, err := e.Info()
		if err != nil {
			return err
		}
		st := i.Sys().(*syscall.Stat_t)
		mode := uint32(st.Mode) // 16 bits on macOS
		content := ""
		switch mode & kernel.ModeType {
		case kernel.ModeSymlink:
			content, err = os.Readlink(path)
			content = strings.ReplaceAll(content, dir, "/w")
		case kernel.ModeRegular:
			var c []byte
			c, err = os.ReadFile(path)
			content = strings.ReplaceAll(string(c), dir, "/w")
		}
		b.WriteString(leftLine(path[len(dir)+1:], mode, st.Uid, st.Gid, uint32(st.Nlink), content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func fakeLeft(t *testing.T, m *hosttest.Machine) string {
	t.Helper()
	var b strings.Builder
	var walk func(dir string)
	walk = func(dir string) {
		names, err := m.FS().ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		for _, n := range names {
			file := dir + "/" + n
			st, err := m.FS().Lstat(file)
			if err != nil {
				t.Fatal(err)
			}
			content := st.Target
			if st.IsRegular() {
				c, err := m.FS().ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				content = string(c)
			}
			b.WriteString(leftLine(file[len("/w/"):], st.Mode, st.UID, st.GID, st.Nlink, content))
			if st.IsDir() {
				walk(file)
			}
		}
	}
	walk("/w")
	return b.String()
}

// Run runs a script as root in /w of a machine.
func Run(m *hosttest.Machine, script, stdin string) Result {
	m.FS().MkdirAll("/w")
	quoted := "'" + strings.ReplaceAll(script, "'", `'\''`) + "'"
	out, err := m.ExecInput("cd /w && exec env -i HOME=/root LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin PWD=/w "+
		"sh -c "+quoted+" 2>/run/stderr", []byte(stdin))
	r := Result{Out: out}
	if err != nil {
		fmt.Sscanf(err.Error(), "exit code %d", &r.Code)
	}
	errs, _ := m.FS().ReadFile("/run/stderr")
	r.Err = string(errs)
	return r
}

// realRun runs a script with the host's own tools in an empty directory.
func realRun(t *testing.T, dir, script, stdin string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
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
	return Result{Out: norm(out.String()), Err: norm(errs.String()), Code: code}
}

// Missing ends a test that lacks what, as internal/real's does.
type Missing func(tb testing.TB, what string)

// needDebian skips where the host's tools are not those that the machines imitate.
func needDebian(t *testing.T, missing Missing) {
	t.Helper()
	b, _ := os.ReadFile("/etc/debian_version")
	if !strings.HasPrefix(string(b), "12.") || os.Getuid() != 0 {
		missing(t, "Debian 12's own tools, as root, to compare with")
	}
}

// Compare runs scripts on both sides, each in a directory of its own.
func Compare(t *testing.T, missing Missing, scripts []string) {
	t.Helper()
	needDebian(t, missing)
	m := hosttest.New(t, hosttest.Config{})
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
			got := Run(m, script, stdin)
			want.Left, got.Left = realLeft(t, dir), fakeLeft(t, m)
			// What is wrong with the syntax, and where, is worded by the parser.
			got.Err, want.Err = syntaxError.ReplaceAllString(got.Err, "syntax error"), syntaxError.ReplaceAllString(want.Err, "syntax error")
			if got != want {
				t.Errorf("script: %s\n--- real\n%s--- here\n%s", s, want, got)
			}
		})
	}
}
