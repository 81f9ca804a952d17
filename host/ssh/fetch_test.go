package ssh_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// TestFetchHostKey: the key is what the machine has, and what is known of it counts; nobody logs in,
// and nothing is written.
func TestFetchHostKey(t *testing.T) {
	m, other := hosttest.New(t, hosttest.Config{}), hosttest.New(t, hosttest.Config{})
	file := func(lines ...string) ssh.HostKeys {
		path := filepath.Join(t.TempDir(), "known_hosts")
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return ssh.HostKeys{KnownHosts: []string{path}}
	}
	line := func(name string, key cryptossh.PublicKey) string { return knownhosts.Line([]string{name}, key) }
	_, port, _ := net.SplitHostPort(m.Addr())
	aliased := file(line("pi1.lan:"+port, m.HostKey()))
	aliased.Alias = "pi1.lan:" + port
	newFile := filepath.Join(t.TempDir(), "new")
	for name, c := range map[string]struct {
		keys  ssh.HostKeys
		known bool
		err   error
	}{
		"nothing is known":       {ssh.HostKeys{}, false, nil},
		"an empty file":          {file(), false, nil},
		"known":                  {file(line(m.Addr(), m.HostKey())), true, nil},
		"known by its alias":     {aliased, true, nil},
		"another machine's":      {file(line(other.Addr(), other.HostKey())), false, nil},
		"another key":            {file(line(m.Addr(), other.HostKey())), false, lab.ErrHostKey},
		"revoked":                {file("@revoked * " + string(cryptossh.MarshalAuthorizedKey(m.HostKey()))), false, lab.ErrHostKey},
		"an authority":           {file("@cert-authority * " + string(cryptossh.MarshalAuthorizedKey(other.HostKey()))), false, lab.ErrHostKey},
		"pinned":                 {ssh.HostKeys{Pinned: []string{cryptossh.FingerprintSHA256(m.HostKey())}}, true, nil},
		"another is pinned":      {ssh.HostKeys{Pinned: []string{cryptossh.FingerprintSHA256(other.HostKey())}}, false, lab.ErrHostKey},
		"a file that is missing": {ssh.HostKeys{KnownHosts: []string{newFile}}, false, lab.ErrNotFound},
	} {
		to := ssh.Target{Name: "pi1", Address: m.Addr(), HostKeys: c.keys, ConnectTimeout: patience}
		key, known, err := ssh.FetchHostKey(t.Context(), to)
		if known != c.known || !errors.Is(err, c.err) || err != nil && !lab.SafeToRetry(err) {
			t.Errorf("%s: %v, %v", name, known, err)
		}
		if err == nil && string(key.Marshal()) != string(m.HostKey().Marshal()) {
			t.Errorf("%s: another key: %s", name, key.Type())
		}
	}
	to := ssh.Target{Address: m.Addr(), HostKeys: ssh.HostKeys{AcceptNew: newFile}, ConnectTimeout: patience}
	if _, known, err := ssh.FetchHostKey(t.Context(), to); known || err != nil {
		t.Errorf("with a file to add it to: %v, %v", known, err)
	}
	if _, err := os.Stat(newFile); err == nil {
		t.Error("the key was written down, and nobody had confirmed it")
	}

	// through a jump, which is logged in to
	jump := fakeTarget(other)
	to = ssh.Target{Address: m.Addr(), Jump: []ssh.Target{jump}, ConnectTimeout: patience}
	if key, _, err := ssh.FetchHostKey(t.Context(), to); err != nil ||
		string(key.Marshal()) != string(m.HostKey().Marshal()) {
		t.Errorf("through a jump: %v", err)
	}
	to.Boundary = &lab.Boundary{Ports: []uint16{1}}
	if _, _, err := ssh.FetchHostKey(t.Context(), to); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("outside the boundary: %v", err)
	}
}

// TestFetchHostKeyEnds: who answers nothing, or something else, ends it with an error.
func TestFetchHostKeyEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	to := ssh.Target{Address: l.Addr().String(), ConnectTimeout: 50 * time.Millisecond}
	if _, _, err := ssh.FetchHostKey(t.Context(), to); !errors.Is(err, lab.ErrTimeout) {
		t.Errorf("it says nothing: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	to.ConnectTimeout = 0
	if _, _, err := ssh.FetchHostKey(ctx, to); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for address, want := range map[string]error{"127.0.0.1:1": lab.ErrUnreachable, "a b": lab.ErrInvalid} {
		if _, _, err := ssh.FetchHostKey(t.Context(), ssh.Target{Address: address}); !errors.Is(err, want) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
