package host_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// patience is how long a login may take on a busy machine.
const patience = 2 * time.Minute

// firstWrite closes seen on the first write.
type firstWrite struct{ seen chan struct{} }

func (w *firstWrite) Write(p []byte) (int, error) {
	select {
	case <-w.seen:
	default:
		close(w.seen)
	}
	return len(p), nil
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// names returns the names in a directory, separated by spaces.
func names(tb testing.TB, dir string) string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

// await waits until happened returns true.
func await(tb testing.TB, what string, happened func() bool) {
	tb.Helper()
	poll := lab.Poll{What: what, First: time.Millisecond, Timeout: patience}
	if err := lab.Wait(context.Background(), poll, func(context.Context) (bool, error) { return happened(), nil }); err != nil {
		tb.Error(err)
	}
}

// open returns a machine in this process, and the Machine that manages it.
func open(t testing.TB, cfg hosttest.Config) (*hosttest.Machine, *host.Machine) {
	t.Helper()
	box := hosttest.New(t, cfg)
	m := &host.Machine{Target: inProcess(box)}
	t.Cleanup(func() { m.Close() })
	return box, m
}

// someState has payloads, edits of one file, several ops of one resource and a unit.
func someState() host.State {
	yes := true
	return host.State{
		host.Directory{Path: "/srv/app", Mode: 0o750},
		host.File{Path: "/srv/app/a", Content: "a\n"},
		host.File{Path: "/srv/app/big", Content: strings.Repeat("0123456789abcde\n", 5000)},
		host.Line{Path: "/etc/hosts", Line: "192.0.2.10 gitea.arcodange.lab"},
		host.Block{Path: "/etc/hosts", Name: "b", Content: "192.0.2.11 x\n"},
		host.Sysctl{Key: "net.ipv4.ip_forward", Value: "1"},
		host.Link{Path: "/srv/app/link", Target: "a"},
		host.UnitFile{
			Name:    "app.service",
			Content: "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
		},
		host.Unit{
			Name:      "app.service",
			Enabled:   &yes,
			State:     host.Started,
			RestartOn: []string{"unitfile:app.service", "file:/srv/app/a"},
		},
		host.Command{Name: "seed", Run: "echo x >/srv/app/seed", Creates: "/srv/app/seed"},
	}
}

// settle applies the state and verifies that its next plan is empty.
func settle(t *testing.T, m *host.Machine, s host.State) {
	t.Helper()
	p, err := m.Plan(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	if p, err = m.Plan(t.Context(), s); err != nil || !p.Empty() {
		t.Fatalf("%v\n%s", err, p)
	}
}

// whole verifies that no file has only part of its content.
func whole(t *testing.T, box *hosttest.Machine, s host.State, when string) {
	t.Helper()
	for _, r := range s {
		f, ok := r.(host.File)
		if !ok {
			continue
		}
		if b, err := box.FS().ReadFile(f.Path); err == nil && string(b) != f.Content {
			t.Fatalf("%s: %s has %d of %d bytes", when, f.Path, len(b), len(f.Content))
		}
	}
}

// both runs the test on a machine in this process and, as root, on OpenSSH and the tools of this
// machine, each with its own directory.
func both(t *testing.T, test func(t *testing.T, m *host.Machine, dir string)) {
	t.Run("in process", func(t *testing.T) {
		box, m := open(t, hosttest.Config{})
		if err := box.FS().MkdirAll("/srv/test"); err != nil {
			t.Fatal(err)
		}
		test(t, m, "/srv/test")
	})
	t.Run("sshd", func(t *testing.T) {
		m, dir := here(t)
		test(t, m, dir)
	})
}

// here returns this machine, managed by root through OpenSSH, and a directory for the test.
func here(t *testing.T) (m *host.Machine, dir string) {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		real.Missing(t, "Linux and root, to set owners of files")
	}
	s := real.SSHD(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m = &host.Machine{Target: ssh.Target{
		Name: "pi1", Address: s.Addr, User: s.User, ConnectTimeout: patience,
		Auth: ssh.Auth{Signers: []cryptossh.Signer{s.Key}}, HostKeys: pin(s.HostKey),
		LockFile: filepath.Join(filepath.Dir(s.KeyFile), "lock"),
	}}
	t.Cleanup(func() { m.Close() })
	return m, dir
}

func pin(k cryptossh.PublicKey) ssh.HostKeys {
	return ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(k))}}
}

// inProcess returns the target of a machine in this process.
func inProcess(m *hosttest.Machine) ssh.Target {
	return ssh.Target{
		Name:           "pi1",
		Address:        m.Addr(),
		User:           m.User(),
		ConnectTimeout: patience,
		Auth:           ssh.Auth{Signers: []cryptossh.Signer{m.ClientKey()}},
		HostKeys:       pin(m.HostKey()),
	}
}

func realTarget(m *real.Machine) ssh.Target {
	return ssh.Target{
		Name:           m.Name,
		Address:        m.Addr,
		User:           m.User,
		ConnectTimeout: patience,
		Auth:           ssh.Auth{Signers: []cryptossh.Signer{m.Key}},
		HostKeys:       pin(m.HostKey),
		Boundary:       boundary,
	}
}

// boundary allows the test's own machines.
var boundary = &lab.Boundary{
	Name:  "test",
	Allow: []netip.Prefix{netip.MustParsePrefix("172.31.0.0/16"), netip.MustParsePrefix("127.0.0.0/8")},
}
