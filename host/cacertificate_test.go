package host_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// newCA returns the certificate of a new authority.
func newCA(t *testing.T, name string) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// trusts verifies that a certificate is trusted by its content, whatever the times of its files are.
func trusts(t *testing.T, m *host.Machine) {
	run := func(script string) {
		t.Helper()
		r, err := m.Run(t.Context(), ssh.Command{Root: true, Script: "set -e\n" + script})
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
	}
	const file, link, bundle = "/usr/local/share/ca-certificates/lab-a.crt", "/etc/ssl/certs/lab-a.pem", "/etc/ssl/certs/ca-certificates.crt"
	want := host.State{host.CACertificate{Name: "lab-a", PEM: newCA(t, "a")}}
	settle(t, m, want)
	for what, script := range map[string]string{
		"a certificate from the future": "touch -d 2040-01-01 " + file,
		"a bundle from the past":        "touch -d 2001-01-01 " + bundle,
		"a bundle from the future":      "touch -d 2040-01-01 " + bundle + "; touch " + file,
	} {
		run(script)
		if p, err := m.Plan(t.Context(), want); err != nil || !p.Empty() {
			t.Errorf("%s: %v\n%s", what, err, p)
		}
	}
	for what, script := range map[string]string{
		"not in the bundle":   "grep -v -e . " + bundle + " >/run/empty || :; cp /run/empty " + bundle,
		"not linked":          "rm " + link,
		"linked to another":   "ln -sf /usr/share/ca-certificates/mozilla/ISRG_Root_X1.crt " + link,
		"dated in the future": "rm " + link + "; touch -d 2040-01-01 " + bundle,
	} {
		run(script)
		if p, err := m.Plan(t.Context(), want); err != nil || len(p.Changes()) != 1 {
			t.Errorf("%s: %v\n%s", what, err, p)
		}
		settle(t, m, want)
	}
	settle(t, m, host.State{host.CACertificate{Name: "lab-a", PEM: newCA(t, "b")}})
	run("if command -v openssl; then test -e /etc/ssl/certs/$(openssl x509 -hash -noout -in " + file + ").0; fi") // OpenSSL finds it
	settle(t, m, host.State{host.CACertificate{Name: "lab-a", Absent: true}})
	run("[ ! -e " + link + " ] && [ ! -h " + link + " ]")

	// another certificate of the same name is not ours
	settle(t, m, host.State{host.CACertificate{Name: "ISRG_Root_X1", Absent: true}})
}

func TestTrust(t *testing.T) {
	_, m := open(t, hosttest.Config{})
	trusts(t, m)
}

// TestTrustOnMachine does the same on a real Debian machine.
func TestTrustOnMachine(t *testing.T) {
	m := &host.Machine{Target: realTarget(real.Machines(t, 1)[0])}
	defer m.Close()
	trusts(t, m)
}
