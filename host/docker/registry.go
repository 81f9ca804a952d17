package docker

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// certificates is the directory in which dockerd looks for the CA of a registry, at every pull, so that no restart is
// needed (docs.docker.com/engine/security/certificates).
const certificates = "/etc/docker/certs.d"

// resources returns the directory and the file of the registry's CA.
func (r Registry) resources() host.State {
	dir := certificates + "/" + r.Host
	return host.State{host.Directory{Path: dir}, host.File{Path: dir + "/ca.crt", Content: strings.TrimSpace(r.CA) + "\n"}}
}

// checkCertificates returns the problem of a text of certificates of CAs; nil if it has none.
func checkCertificates(text string) error {
	rest := []byte(strings.TrimSpace(text))
	if len(rest) == 0 {
		return errors.New("is empty: docker would trust the CAs of the machine alone")
	}
	for len(rest) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return errors.New("contains something other than certificates in PEM")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return err
		}
		if c.BasicConstraintsValid && !c.IsCA {
			return errors.New("contains a certificate that is not of a CA")
		}
		rest = []byte(strings.TrimSpace(string(rest)))
	}
	return nil
}
