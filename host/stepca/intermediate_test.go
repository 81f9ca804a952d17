package stepca

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// An intermediate certificate that has expired blocks the plan, with the way to another: nothing that is done to machines
// would make a certificate that anybody accepts.
func TestIntermediateExpired(t *testing.T) {
	now := time.Now()
	issue := func(public, parentKey any, parent *x509.Certificate, until time.Time) *x509.Certificate {
		c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.AddDate(-10, 0, 0), NotAfter: until, IsCA: true,
			BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
		if parent == nil {
			parent = c
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, public, parentKey)
		if err == nil {
			c, err = x509.ParseCertificate(der)
		}
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := issue(public, key, nil, now.AddDate(1, 0, 0))
	for _, test := range []struct {
		until   time.Time
		blocked bool
	}{{now.Add(time.Hour), false}, {now.Add(-time.Hour), true}} {
		h := &holding{machine: &host.Machine{Target: ssh.Target{Name: "pi1"}}, seen: now, now: now,
			sums: map[string]string{}, content: map[string][]byte{}}
		for path, c := range map[string]*x509.Certificate{rootFile: root, intermediateFile: issue(public, key, root, test.until)} {
			h.content[path] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
		}
		for _, path := range copiedFiles {
			h.sums[path] = "x"
		}
		create, err := standing{primary: h, holdings: []*holding{h}}.judge(Config{}, true)
		if create {
			t.Error("another authority is made")
		}
		if blocked := errors.Is(err, lab.ErrBlocked); blocked != test.blocked || !blocked && err != nil {
			t.Errorf("valid until %s: %v", test.until, err)
		}
		if test.blocked && (!strings.Contains(err.Error(), "it expired on") || len(lab.Hints(err)) == 0) {
			t.Error(err)
		}
	}
}
