package host

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

// checkCertificate returns what is wrong with the text of one CA certificate. update-ca-certificates reads one a file.
func checkCertificate(text string) error {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return errors.New("is not one certificate in PEM")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	if c.BasicConstraintsValid && !c.IsCA {
		return errors.New("is not the certificate of an authority")
	}
	return nil
}
