package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// lookAt runs a command on a real machine, and returns what it prints.
func lookAt(t *testing.T, m *real.Machine, command string) string {
	t.Helper()
	out, err := m.Run(t.Context(), command)
	if err != nil {
		t.Fatalf("%s: %s: %v", m.Name, command, err)
	}
	return strings.TrimSpace(out)
}

// copyImage brings an image to another machine: an import on each would give each another ID.
func copyImage(t *testing.T, image string, from, to *real.Machine) {
	t.Helper()
	lookAt(t, from, "sudo docker save -o /srv/image.tar "+image)
	saved, err := os.ReadFile(filepath.Join(from.Root, "srv/image.tar"))
	if err == nil {
		err = os.WriteFile(filepath.Join(to.Root, "srv/image.tar"), saved, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	lookAt(t, to, "sudo docker load -qi /srv/image.tar; sudo rm /srv/image.tar")
}

// pin pins images that a machine has.
func pin(t *testing.T, m *real.Machine, images ...string) compose.Lock {
	t.Helper()
	h := &host.Machine{Target: ssh.Target{Name: m.Name, Address: m.Addr, User: m.User,
		Auth:     ssh.Auth{Signers: []cryptossh.Signer{m.Key}},
		Boundary: &lab.Boundary{Name: "test", Allow: []netip.Prefix{netip.MustParsePrefix(m.Host + "/32")}},
		HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(m.HostKey))}}}}
	defer h.Close()
	lock, err := compose.Resolve(t.Context(), h, images)
	if err != nil {
		t.Fatal(err)
	}
	return lock
}
