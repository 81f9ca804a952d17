package httpx

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// Trust returns how a server is trusted by certificates in PEM; "" means by those of the system. The error says that
// there is no certificate in it; the result then trusts nobody.
func Trust(ca string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca == "" {
		return c, nil
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM([]byte(ca)) {
		return c, errors.New("holds no certificate in PEM")
	}
	return c, nil
}

// Plaintext reports whether what is sent to u may be read on its way: by http, and not to this machine.
func Plaintext(u *url.URL) bool { return u.Scheme == "http" && !loopback(u.Hostname()) }

// loopback reports whether a host is this machine, by its address or as localhost.
func loopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}
