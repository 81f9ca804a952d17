package stepcatest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// init is step ca init: a root, an intermediate, and a ca.json below $STEPPATH.
func (ca *CA) init(p *hosttest.Process, words []string) error {
	o, err := parse(words, "deployment-type name dns address with-ca-url "+
		"provisioner password-file provisioner-password-file", "")
	if err != nil {
		return err
	}
	err = o.require("deployment-type", "name", "dns", "address", "provisioner", "password-file")
	if err == nil && o.get("deployment-type") != "standalone" {
		err = errors.New("stepcatest: --deployment-type: only standalone")
	}
	if err != nil {
		return err
	}
	secret, err := password(p, o.get("password-file"))
	if err != nil {
		return err
	}
	provisioner := secret
	if name := o.get("provisioner-password-file"); name != "" {
		if provisioner, err = password(p, name); err != nil {
			return err
		}
	}
	dir := p.Getenv("STEPPATH")
	if dir == "" {
		return errors.New("stepcatest: STEPPATH is not set")
	}
	if _, err := p.Machine().FS().Stat(dir + "/certs/root_ca.crt"); err == nil {
		return errors.New("error allocating terminal: open /dev/tty (it would ask whether to overwrite root_ca.crt)")
	}
	files, err := authority(dir, o, secret, provisioner)
	if err != nil {
		return err
	}
	fs := p.Machine().FS()
	for _, d := range []string{"", "/certs", "/secrets", "/config", "/templates", "/db"} {
		if err := fs.MkdirAll(dir + d); err != nil {
			return err
		}
		if err := fs.Chmod(dir+d, 0o700); err != nil {
			return err
		}
	}
	for name, b := range files {
		if err := write(p, dir+"/"+name, b); err != nil {
			return err
		}
	}
	return nil
}

// authority makes the files of a new authority.
func authority(dir string, o options, secret, provisioner string) (map[string][]byte, error) {
	rootKey, err := newKey()
	if err != nil {
		return nil, err
	}
	intermediateKey, err := newKey()
	if err != nil {
		return nil, err
	}
	root, err := sign(template(o.get("name")+" Root CA", 1), nil, &rootKey.PublicKey, rootKey)
	if err != nil {
		return nil, err
	}
	intermediate, err := sign(template(o.get("name")+" Intermediate CA", 0), root, &intermediateKey.PublicKey, rootKey)
	if err != nil {
		return nil, err
	}
	sealedRoot, err := encodeKey(rootKey, secret)
	if err != nil {
		return nil, err
	}
	sealedIntermediate, err := encodeKey(intermediateKey, secret)
	if err != nil {
		return nil, err
	}
	fingerprint := fmt.Sprintf("%x", sha256.Sum256(root.Raw))
	config, err := json.MarshalIndent(map[string]any{
		"root": dir + "/certs/root_ca.crt", "federatedRoots": nil, "crt": dir + "/certs/intermediate_ca.crt",
		"key": dir + "/secrets/intermediate_ca_key", "address": o.get("address"), "insecureAddress": "",
		"dnsNames": o.values["dns"], "logger": map[string]any{"format": "text"},
		"db": map[string]any{"type": "badgerv2", "dataSource": dir + "/db", "badgerFileLoadingMode": ""},
		"authority": map[string]any{"provisioners": []any{map[string]any{
			"type": "JWK", "name": o.get("provisioner"), "encryptedKey": jwe(provisioner),
			"key": map[string]any{"use": "sig", "kty": "EC", "kid": fingerprint[:16], "crv": "P-256", "alg": "ES256"},
		}}},
		"tls": map[string]any{"minVersion": 1.2, "maxVersion": 1.3, "renegotiation": false},
	}, "", "\t")
	if err != nil {
		return nil, err
	}
	defaults, err := json.MarshalIndent(map[string]any{"ca-url": o.get("with-ca-url"), "fingerprint": fingerprint,
		"ca-config": dir + "/config/ca.json", "root": dir + "/certs/root_ca.crt"}, "", "\t")
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"certs/root_ca.crt": encodeCertificate(root), "certs/intermediate_ca.crt": encodeCertificate(intermediate),
		"secrets/root_ca_key": sealedRoot, "secrets/intermediate_ca_key": sealedIntermediate,
		"config/ca.json": config, "config/defaults.json": defaults,
	}, nil
}

// template is of a CA certificate, below which there may be so many others.
func template(name string, below int) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name, Organization: []string{name}},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true,
		MaxPathLen: below, MaxPathLenZero: below == 0}
}

// sign signs a certificate; a nil parent means itself.
func sign(t, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	t.SerialNumber = serial
	if parent == nil {
		parent = t
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func encodeCertificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("error decoding: not a valid PEM encoded block")
	}
	return x509.ParseCertificate(block.Bytes)
}
