package ssh_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// vanishing forwards to a server until vanish is set. Then nothing arrives any more in either direction,
// and the server is not told, as when a cable is pulled.
func vanishing(t *testing.T, to string, vanish *atomic.Bool) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	forward := func(dst, src net.Conn) {
		_, _ = io.Copy(writerFunc(func(b []byte) (int, error) {
			if vanish.Load() {
				return len(b), nil
			}
			return dst.Write(b)
		}), src)
		if !vanish.Load() {
			dst.Close()
		}
	}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			mu.Lock()
			open = append(open, in, out)
			mu.Unlock()
			go forward(out, in)
			go forward(in, out)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			c.Close()
		}
	})
	return l.Addr().String()
}

// TestVanishedClient: a script that holds the lock and waits for input gets the end of its input when the
// client has vanished, although sshd takes the connection for alive. It finishes what it does, and
// the lock is free.
func TestVanishedClient(t *testing.T) {
	for name, setUp := range map[string]func(t *testing.T) (*real.SSHServer, ssh.Target){
		"root": func(t *testing.T) (*real.SSHServer, ssh.Target) {
			if os.Getuid() != 0 {
				real.Missing(t, "root")
			}
			s := real.SSHD(t)
			return s, target(s)
		},
		"sudo": func(t *testing.T) (*real.SSHServer, ssh.Target) {
			return scratchUser(t, "dash", "%s ALL=(ALL) NOPASSWD: ALL")
		},
		"terminal of its own": func(t *testing.T) (*real.SSHServer, ssh.Target) {
			return scratchUser(t, "bash", "Defaults:%s use_pty\n%s ALL=(ALL) NOPASSWD: ALL")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, to := setUp(t)
			dir := t.TempDir()
			to.LockFile = filepath.Join("/run", strings.ReplaceAll(filepath.Base(s.Dir)+filepath.Base(t.Name()), "_", "-")+".lock")
			t.Cleanup(func() { os.Remove(to.LockFile) })
			direct := to
			var vanish atomic.Bool
			to.Address, to.HostKeys.Alias = vanishing(t, s.Addr, &vanish), s.Addr
			to.KeepAlive = 300 * time.Millisecond
			c, next := dial(t, to), dial(t, direct)
			in, never := io.Pipe()
			defer never.Close()
			seen := &firstWrite{make(chan struct{})}
			done := make(chan error, 1)
			finished := filepath.Join(dir, "finished")
			go func() {
				_, err := c.Run(t.Context(), ssh.Command{Root: true, Lock: true, Stdin: in, Stdout: seen,
					Script: "echo; cat >/dev/null; : >" + ssh.Quote(finished)})
				done <- err
			}()
			<-seen.seen
			locked := ssh.Command{Root: true, Lock: true, Script: "true"}
			_, err := next.Run(t.Context(), locked)
			if !errors.Is(err, lab.ErrBlocked) || !lab.SafeToRetry(err) {
				t.Errorf("got %v", err)
			}
			contains(t, err, "@", ", process ", ", since 20", "by process ")
			vanish.Store(true)
			if err := <-done; !errors.Is(err, lab.ErrUnreachable) {
				t.Errorf("got %v", err)
			}
			await(t, "the lock is free", func() bool {
				_, err := next.Run(t.Context(), locked)
				return err == nil
			})
			if _, err := os.Stat(finished); err != nil {
				t.Error("the script was not finished")
			}
		})
	}
}

// TestVanishedUpload: an upload whose client has vanished does not keep the next one from continuing it.
func TestVanishedUpload(t *testing.T) {
	t.Run("root", func(t *testing.T) {
		if os.Getuid() != 0 {
			real.Missing(t, "root")
		}
		s := real.SSHD(t)
		vanishedUpload(t, s, target(s), t.TempDir())
	})
	t.Run("an account", func(t *testing.T) {
		s, to := scratchUser(t, "dash", "")
		vanishedUpload(t, s, to, "/tmp/"+to.User)
	})
}

func vanishedUpload(t *testing.T, s *real.SSHServer, to ssh.Target, dir string) {
	direct := to
	var vanish atomic.Bool
	to.Address, to.HostKeys.Alias = vanishing(t, s.Addr, &vanish), s.Addr
	to.KeepAlive = 300 * time.Millisecond
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<19)
	u := ssh.Upload{Path: filepath.Join(dir, "file"), Size: int64(len(content)), Source: bytes.NewReader(content)}
	lost := u
	lost.Progress = func(done, _ int64) {
		if done > 1<<20 {
			vanish.Store(true)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	uploading := dial(t, to)
	done := make(chan error, 1)
	go func() {
		_, err := uploading.Upload(ctx, lost)
		done <- err
	}()
	await(t, "the upload has begun", vanish.Load)
	c := dial(t, direct)
	await(t, "the upload is continued", func() bool {
		_, err := c.Upload(t.Context(), u)
		if err != nil && !errors.Is(err, lab.ErrBlocked) {
			t.Fatal(err)
		}
		return err == nil
	})
	cancel()
	if err := <-done; err == nil {
		t.Error("the upload through the lost connection succeeded")
	}
	if got, err := os.ReadFile(u.Path); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes arrived: %v", len(got), err)
	}
}

// TestLiveHolder: a client that has nothing to send keeps its connection and the lock, and nothing of the
// guard is left or is seen by the script.
func TestLiveHolder(t *testing.T) {
	if os.Getuid() != 0 {
		real.Missing(t, "root")
	}
	s := real.SSHD(t)
	to := target(s)
	to.LockFile = "/run/" + filepath.Base(filepath.Dir(s.Dir)) + ".lock"
	t.Cleanup(func() { os.Remove(to.LockFile) })
	to.KeepAlive = 500 * time.Millisecond
	c := dial(t, to)
	script := "sleep 4; wait; trap 'echo bye' EXIT; cat; set | grep -c -e ^sshd= -e ^every= -e ^text= -e ^watching=; " +
		"type born >/dev/null 2>&1 && echo born; echo $# \"$0\"; exit 3"
	r, err := c.Run(t.Context(), ssh.Command{Root: true, Lock: true, Stdin: strings.NewReader("in\n"), Script: script})
	if err != nil || r.Exit != 3 || string(r.Stdout) != "in\n0\n0 sh\nbye\n" || len(r.Stderr) > 0 {
		t.Errorf("%+v %v", r, err)
	}
	r, err = c.Run(t.Context(), ssh.Command{Root: true, Lock: true, Script: "kill -9 $$"})
	if err != nil || r.Exit != 137 && r.Signal != "KILL" {
		t.Errorf("%+v %v", r, err)
	}
}

// TestForeignHolder: the lock is held by what is not ours.
func TestForeignHolder(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	fake := dial(t, fakeTarget(m))
	for name, c := range map[string]struct {
		conn *ssh.Conn
		want string
	}{"real": {conn: func() *ssh.Conn {
		if os.Getuid() != 0 {
			real.Missing(t, "root")
		}
		to := target(real.SSHD(t))
		to.LockFile = "/run/foreign-" + filepath.Base(t.TempDir()) + filepath.Base(filepath.Dir(t.TempDir())) + ".lock"
		t.Cleanup(func() { os.Remove(to.LockFile) })
		return dial(t, to)
	}(), want: "process"}, "fake": {conn: fake, want: ""}} {
		seen := &firstWrite{make(chan struct{})}
		done := make(chan struct{})
		in, stop := io.Pipe()
		file := c.conn.Target().LockFile
		if file == "" {
			file = "/run/lab.lock"
		}
		go func() {
			defer close(done)
			_, _ = c.conn.Run(t.Context(), ssh.Command{Root: true, Stdin: in, Stdout: seen,
				Script: "flock " + file + " sh -c 'echo; cat'"})
		}()
		<-seen.seen
		_, err := c.conn.Run(t.Context(), ssh.Command{Root: true, Lock: true, Script: "true"})
		if !errors.Is(err, lab.ErrBlocked) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		stop.Close()
		<-done
	}
}
