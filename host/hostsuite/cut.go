package hostsuite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// cutter is a proxy in front of a machine that cuts the connection after a number of bytes from the
// machine.
type cutter struct {
	listener net.Listener
	to       string
	left     atomic.Int64
	passed   atomic.Int64
	mu       sync.Mutex
	conns    []net.Conn
}

func newCutter(t *testing.T, to string) *cutter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := net.SplitHostPort(to); err != nil {
		to = net.JoinHostPort(to, "22")
	}
	c := &cutter{listener: l, to: to}
	c.left.Store(1 << 60)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(in)
		}
	}()
	t.Cleanup(func() { l.Close(); c.cut() })
	return c
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

func (c *cutter) serve(in net.Conn) {
	out, err := net.Dial("tcp", c.to)
	if err != nil {
		in.Close()
		return
	}
	c.mu.Lock()
	c.conns = append(c.conns, in, out)
	c.mu.Unlock()
	go func() {
		_, _ = io.Copy(out, in) // either side may close at any time
		out.Close()
	}()
	buf := make([]byte, 4096)
	for {
		n, err := out.Read(buf)
		left := c.left.Add(-int64(n))
		c.passed.Add(int64(n))
		if left < 0 {
			_, _ = in.Write(buf[:max(0, int64(n)+left)])
			in.Close()
			out.Close()
			return
		}
		if _, werr := in.Write(buf[:n]); err != nil || werr != nil {
			in.Close()
			out.Close()
			return
		}
	}
}

// through returns a target that reaches the machine through the proxy, without a boundary, since the
// proxy is on the loopback address.
func (c *cutter) through(t ssh.Target) ssh.Target {
	t.Address = c.listener.Addr().String()
	t.Boundary = nil
	return t
}

func lawOfCuts(t *testing.T, fresh func(*testing.T) Subject) {
	whole := fresh(t).open(t)
	total := whole.bytesOfRun(t)
	want := whole.plainer(whole.snapshot(t, false))

	s := fresh(t).open(t)
	cuts := s.Cuts
	if cuts == 0 {
		cuts = 12
	}
	proxy := newCutter(t, s.Target.Address)
	for i := range cuts {
		s.cutAfter(t, proxy, int64(i)*total/int64(cuts), fmt.Sprintf("cut %d", i))
	}
	s.awaitScript(t)
	s.apply(t, s.state())
	have := s.plainer(s.snapshot(t, false))
	if whole.Dir != s.Dir {
		have, want = relative(have, s.Dir), relative(want, whole.Dir)
	}
	for _, p := range changed(want, have) {
		// password files and package logs differ between two machines by their dates
		if s.owned(p) && !strings.HasPrefix(p, "/etc/shadow") && !strings.HasPrefix(p, "/etc/passwd") || s.Dir != "" {
			t.Errorf("law 4: after cuts %s is %q, want %q", p, have[p], want[p])
		}
		if strings.Contains(p, ".lab-") {
			t.Errorf("law 4: %s was left behind", p)
		}
	}
}

// bytesOfRun applies the suite's state and returns how many bytes the machine sent meanwhile.
func (s *suite) bytesOfRun(t *testing.T) int64 {
	t.Helper()
	proxy := newCutter(t, s.Target.Address)
	m := &host.Machine{Target: proxy.through(s.Target)}
	defer m.Close()
	p, err := m.Plan(t.Context(), s.kinds(s.state()))
	if err != nil {
		t.Fatal(err)
	}
	start := proxy.passed.Load()
	if r, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	return proxy.passed.Load() - start
}

// cutAfter applies the suite's state through the proxy and cuts the connection after some bytes
// from the machine. It continues where the previous run was cut off, or starts again if that
// completed.
func (s *suite) cutAfter(t *testing.T, proxy *cutter, bytes int64, when string) {
	t.Helper()
	m := &host.Machine{Target: proxy.through(s.Target)}
	st := s.kinds(s.state())
	proxy.left.Store(1 << 60)
	p, err := m.Plan(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	if p.Empty() {
		s.sh(t, "rm -rf -- "+ssh.Quote(s.path("d")))
		if p, err = m.Plan(t.Context(), st); err != nil {
			t.Fatal(err)
		}
	}
	proxy.left.Store(bytes)
	r, err := p.Apply(t.Context(), nil)
	m.Close()
	if err == nil && !r.Complete() {
		t.Errorf("%s: no error, but not complete: %v", when, r)
	}
	if err != nil && len(r.Results) != len(p.Changes()) {
		t.Errorf("%s: %d changes, %d results", when, len(p.Changes()), len(r.Results))
	}
	proxy.left.Store(1 << 60)
	for name, content := range map[string]string{"d/plain": "hello\n", "d/big": bigContent()} {
		have := s.sh(t, fmt.Sprintf("[ ! -e %[1]s ] || cat %[1]s", ssh.Quote(s.path(name))))
		if have != "" && have != content {
			t.Fatalf("law 4: %s: %s has %d of %d bytes", when, name, len(have), len(content))
		}
	}
}

// awaitScript waits for the end of a script that was cut off, which still holds the lock.
func (s *suite) awaitScript(t *testing.T) {
	t.Helper()
	poll := lab.Poll{What: "the script that was cut off to end"}
	err := lab.Wait(t.Context(), poll, func(ctx context.Context) (bool, error) {
		_, err := s.m.Run(ctx, ssh.Command{Script: ":", Root: true, Lock: true})
		if errors.Is(err, lab.ErrBlocked) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// relative returns the snapshot with paths relative to the directory.
func relative(in map[string]string, dir string) map[string]string {
	out := map[string]string{}
	for p, what := range in {
		if rel := strings.TrimPrefix(p, dir); !strings.Contains(p, "/seed") && rel != "" {
			out[rel] = what
		}
	}
	return out
}
