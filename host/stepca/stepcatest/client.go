package stepcatest

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// health is step ca health.
func (ca *CA) health(p *hosttest.Process, words []string) error {
	o, err := parse(words, "ca-url root", "")
	if err != nil {
		return err
	}
	root, err := trusted(p, o)
	if err != nil {
		return err
	}
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if _, err := ca.contact(p, o, root); err != nil {
		return err
	}
	fmt.Fprintln(p.Stdout(), "ok")
	return nil
}

// root is step ca root: it accepts the certificate with the fingerprint alone.
func (ca *CA) root(p *hosttest.Process, words []string) error {
	o, err := parse(words, "ca-url fingerprint", "")
	if err != nil {
		return err
	}
	if len(o.args) != 1 {
		return errors.New("stepcatest: step ca root: only with a <root-file>")
	}
	ca.mu.Lock()
	defer ca.mu.Unlock()
	s, err := ca.contact(p, o, nil)
	if err != nil {
		return err
	}
	if have := fmt.Sprintf("%x", sha256.Sum256(s.config.root.Raw)); have != o.get("fingerprint") {
		return fmt.Errorf("error downloading root certificate: root certificate fingerprint does not match: %s", have)
	}
	return write(p, o.args[0], encodeCertificate(s.config.root))
}

// certificate is step ca certificate with a JWK provisioner.
func (ca *CA) certificate(p *hosttest.Process, words []string) error {
	o, err := parse(words, "ca-url root provisioner provisioner-password-file not-after", "")
	if err == nil {
		err = o.require("ca-url", "root", "provisioner", "provisioner-password-file")
	}
	if err != nil {
		return err
	}
	if len(o.args) != 3 {
		return errors.New("'step ca certificate' requires the <subject> <crt-file> <key-file> arguments")
	}
	root, err := trusted(p, o)
	if err != nil {
		return err
	}
	secret, err := password(p, o.get("provisioner-password-file"))
	if err != nil {
		return err
	}
	ca.mu.Lock()
	defer ca.mu.Unlock()
	s, err := ca.contact(p, o, root)
	if err != nil {
		return err
	}
	for _, prov := range s.config.Authority.Provisioners {
		if prov.Name != o.get("provisioner") || prov.Type != "JWK" {
			continue
		}
		if err := openJWE(prov.EncryptedKey, secret); err != nil {
			return err
		}
		if err := s.config.permits(o.args[0]); err != nil {
			return fmt.Errorf("the request was forbidden by the certificate authority: %w", err)
		}
		d, err := s.config.validity(prov.Claims, o.get("not-after"))
		if err != nil {
			return err
		}
		return s.issue(p, o.args[0], d, o.args[1], o.args[2])
	}
	return fmt.Errorf("provisioner %s not found", o.get("provisioner"))
}

// issue writes a leaf with its chain, and its key.
func (s *server) issue(p *hosttest.Process, name string, d time.Duration, certFile, keyFile string) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	t := &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(d), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	leaf, err := sign(t, s.config.intermediate, &key.PublicKey, s.config.key)
	if err != nil {
		return err
	}
	text, err := encodeKey(key, "")
	if err != nil {
		return err
	}
	if err := s.note("issued " + name); err != nil {
		return err
	}
	chain := append(encodeCertificate(leaf), encodeCertificate(s.config.intermediate)...)
	return errors.Join(write(p, certFile, chain), write(p, keyFile, text))
}

// verify is step certificate verify.
func (ca *CA) verify(p *hosttest.Process, words []string) error {
	o, err := parse(words, "roots host", "")
	if err != nil {
		return err
	}
	if len(o.args) != 1 {
		return errors.New("'step certificate verify' requires the <crt-file> argument")
	}
	text, err := read(p, o.args[0])
	if err != nil {
		return err
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	b, err := read(p, o.get("roots"))
	if err != nil {
		return err
	}
	roots.AppendCertsFromPEM(b)
	leaf, err := parseCertificate(text)
	if err != nil {
		return err
	}
	_, rest := pem.Decode(text)
	intermediates.AppendCertsFromPEM(rest)
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, DNSName: o.get("host"),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return fmt.Errorf("failed to verify certificate: %w", err)
	}
	return nil
}
