package standin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// authority is the CA of the cluster, with what it has issued.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// hash is what tokens name it by (pkg/clientaccess, hashCA of one certificate).
func hash(pem []byte) string {
	h := sha256.Sum256(pem)
	return hex.EncodeToString(h[:])
}

// readAuthority returns the CA of the data directory; it is made if there is none.
func (m *Machine) readAuthority(data string) (a authority, err error) {
	certFile, keyFile := data+"/server/tls/server-ca.crt", data+"/server/tls/server-ca.key"
	certText, err := m.ReadFile(certFile)
	if err == nil {
		keyText, err := m.ReadFile(keyFile)
		if err != nil {
			return a, err
		}
		return parseAuthority(certText, keyText)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return a, err
	}
	now := time.Now()
	t := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "k3s-server-ca"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return a, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return a, err
	}
	certText = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyText := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
	if err := m.WriteFile(keyFile, keyText, 0o600); err != nil {
		return a, err
	}
	if err := m.WriteFile(certFile, certText, 0o644); err != nil {
		return a, err
	}
	return parseAuthority(certText, keyText)
}

func parseAuthority(certText, keyText []byte) (a authority, err error) {
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return a, err
	}
	a.pem, a.key = certText, pair.PrivateKey.(*ecdsa.PrivateKey)
	a.cert, err = x509.ParseCertificate(pair.Certificate[0])
	return a, err
}

// issue returns a certificate and its key, in PEM.
func (a authority) issue(name string, hosts ...string) (cert, key []byte, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	t := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()),
		Subject:   pkix.Name{CommonName: name, Organization: []string{"system:masters"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, k.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), nil
}
