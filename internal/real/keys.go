package real

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
)

// newKey creates an Ed25519 key and writes it to path in OpenSSH's format, with
// mode 0600, and its public half to path.pub.
func newKey(path string) (ssh.Signer, error) {
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(priv, "")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(priv)
	if err != nil {
		return nil, err
	}
	return signer, os.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o644)
}

// Certify signs key with the authority ca. It returns an OpenSSH certificate of
// the kind ssh.UserCert or ssh.HostCert for the principals, valid since a minute
// ago and for another hour. OpenSSH accepts no user certificate without a
// principal.
func Certify(ca ssh.Signer, key ssh.PublicKey, kind uint32, principals ...string) (*ssh.Certificate, error) {
	now := time.Now()
	cert := &ssh.Certificate{
		Key:             key,
		Serial:          1,
		CertType:        kind,
		KeyId:           "lab-test",
		ValidPrincipals: principals,
		ValidAfter:      uint64(now.Add(-time.Minute).Unix()),
		ValidBefore:     uint64(now.Add(time.Hour).Unix()),
	}
	if kind == ssh.UserCert {
		cert.Permissions.Extensions = map[string]string{"permit-pty": "",
			"permit-port-forwarding": "", "permit-agent-forwarding": ""}
	}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return cert, nil
}
