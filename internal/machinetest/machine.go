// Package machinetest is what the tests of components have in common: how a machine is reached, and
// that a state converges.
package machinetest

import (
	"net/netip"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// Fake returns a machine of hosttest as it is managed, by a name, until the test ends.
func Fake(tb testing.TB, name string, box *hosttest.Machine) *host.Machine {
	return managed(tb, ssh.Target{Name: name, Address: box.Addr(), User: box.User()}, box.ClientKey(), box.HostKey())
}

// Real returns a real machine as it is managed, until the test ends. Nothing else may be reached.
func Real(tb testing.TB, box *real.Machine) *host.Machine {
	b := &lab.Boundary{Name: "test", Allow: []netip.Prefix{netip.MustParsePrefix(box.Host + "/32")}}
	return managed(tb, ssh.Target{Name: box.Name, Address: box.Addr, User: box.User, Boundary: b}, box.Key, box.HostKey)
}

func managed(tb testing.TB, t ssh.Target, key cryptossh.Signer, hostKey cryptossh.PublicKey) *host.Machine {
	t.Auth.Signers = []cryptossh.Signer{key}
	t.HostKeys.Pinned = []string{string(cryptossh.MarshalAuthorizedKey(hostKey))}
	m := &host.Machine{Target: t}
	tb.Cleanup(func() { m.Close() })
	return m
}

// Converge applies a state, fails the test unless a second plan is empty, and returns the first.
func Converge(tb testing.TB, m *host.Machine, s host.State, confirmed ...lab.Confirmation) *lab.Plan {
	tb.Helper()
	p, err := m.Plan(tb.Context(), s)
	if err != nil {
		tb.Fatal(err)
	}
	if r, err := p.Apply(tb.Context(), &lab.ApplyOptions{Confirmed: confirmed}); err != nil {
		tb.Fatalf("%v\n%s", err, r)
	}
	if again, err := m.Plan(tb.Context(), s); err != nil || !again.Empty() {
		tb.Fatalf("the second plan: %v\n%s", err, again)
	}
	return p
}
