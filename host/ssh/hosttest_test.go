package ssh_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

func fakeTarget(m *hosttest.Machine) ssh.Target {
	return ssh.Target{
		Name: "pi1", Address: m.Addr(), User: m.User(), ConnectTimeout: patience,
		Auth:     ssh.Auth{Signers: []cryptossh.Signer{m.ClientKey()}},
		HostKeys: ssh.HostKeys{Pinned: []string{cryptossh.FingerprintSHA256(m.HostKey())}},
	}
}

// TestConnOnFake repeats on a fake machine what the other tests do on a real one.
func TestConnOnFake(t *testing.T) {
	for password, use := range map[string]string{"": "", "correct horse": "correct horse"} {
		m := hosttest.New(t, hosttest.Config{SudoPassword: password})
		to := fakeTarget(m)
		to.SudoPassword = lab.NewSecret(use)
		c := dial(t, to)
		for _, root := range []bool{false, true} {
			r, err := c.Run(t.Context(), ssh.Command{Script: "cat; echo e >&2; exit 3",
				Stdin: strings.NewReader("in\n"), Root: root, Lock: root})
			if err != nil || r.Exit != 3 || string(r.Stdout) != "in\n" || string(r.Stderr) != "e\n" {
				t.Errorf("%+v %v", r, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		seen := &firstWrite{make(chan struct{})}
		go func() { <-seen.seen; cancel() }()
		_, err := c.Run(ctx, ssh.Command{Script: "echo; sleep 1000 & sleep 1000", Stdout: seen, Root: true})
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "terminated") {
			t.Error(err)
		}
		content := random(1 << 20)
		up := ssh.Upload{Path: "/root/x", Source: bytes.NewReader(content),
			Size: int64(len(content)), Root: true, Owner: "root:root"}
		for _, moved := range []int64{up.Size, 0} {
			if r, err := c.Upload(t.Context(), up); err != nil || r.Moved != moved {
				t.Errorf("%+v %v", r, err)
			}
		}
		here := filepath.Join(t.TempDir(), "x")
		if _, err := c.Download(t.Context(), ssh.Download{Path: "/root/x", To: here, Root: true}); err != nil ||
			!bytes.Equal(must(os.ReadFile(here)), content) {
			t.Error(err)
		}
	}
	m := hosttest.New(t, hosttest.Config{SudoPassword: "correct horse"})
	for _, wrong := range []string{"", "wrong battery"} {
		to := fakeTarget(m)
		to.SudoPassword = lab.NewSecret(wrong)
		_, err := dial(t, to).Run(t.Context(), ssh.Command{Script: "true", Root: true})
		if !errors.Is(err, lab.ErrUnauthorized) || !lab.SafeToRetry(err) {
			t.Errorf("password %q: %v", wrong, err)
		}
	}
}
