package pgprov

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

var dsnParameters = []string{"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert"}

// ParseDSN reads
// "postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=ca.pem" into a
// [Server]. The directory of a Unix socket is given as "postgres:///database?host=/run/postgresql".
// Nothing is filled in from the environment; the file of sslrootcert is read.
//
// The values of sslmode are disable, require (encrypted, but anybody's server), verify-ca and
// verify-full. Without it a connection that stays on this machine is not encrypted, and any other
// is verified in full against the system's authorities.
//
// The errors do not repeat the DSN, which may hold a password.
func ParseDSN(dsn string) (Server, error) {
	fail := func(format string, args ...any) (Server, error) {
		return Server{}, &lab.Error{Op: "read DSN", Hint: `write "postgres://USER@HOST:PORT/DATABASE"`,
			Err: kindf(lab.ErrInvalid, format, args...)}
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return fail("not a URL")
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Opaque != "" || u.Fragment != "" {
		return fail("not a URL that begins with postgres://")
	}
	password, _ := u.User.Password()
	s := Server{Host: u.Hostname(), User: u.User.Username(), Password: lab.NewSecret(password),
		Database: strings.TrimPrefix(u.Path, "/")}
	if strings.Contains(u.Host, ",") {
		return fail("more than one host")
	}
	// libpq takes a plus sign for itself, not for a space
	query, err := url.ParseQuery(strings.ReplaceAll(u.RawQuery, "+", "%2B"))
	if err != nil {
		return fail("malformed parameters")
	}
	port, sslmode, rootCert := u.Port(), "", ""
	for name, values := range query {
		value := values[len(values)-1]
		switch name {
		case "host":
			s.Host = value
		case "port":
			port = value
		case "user":
			s.User = value
		case "password":
			s.Password = lab.NewSecret(value)
		case "dbname":
			s.Database = value
		case "sslmode":
			sslmode = value
		case "sslrootcert":
			rootCert = value
		default:
			if near := lab.Nearest(name, dsnParameters); near != "" {
				return fail("unknown parameter %q, did you mean %q", name, near)
			}
			return fail("unknown parameter %q, known are %s", name, strings.Join(dsnParameters, ", "))
		}
	}
	if port != "" {
		if s.Port, err = strconv.Atoi(port); err != nil || s.Port < 1 {
			return fail("the port is not a number from 1 to 65535")
		}
	}
	if s.TLS, err = dsnTLS(sslmode, rootCert, s.Local()); err != nil {
		return fail("%w", err)
	}
	if ps := s.validate(); len(ps) > 0 {
		return fail("%w", ps)
	}
	return s, nil
}

// Local reports whether Host is a Unix socket, a loopback address or "localhost", so that the
// connection does not leave this machine.
func (s *Server) Local() bool {
	if strings.HasPrefix(s.Host, "/") || s.Host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(s.Host)
	return err == nil && ip.IsLoopback()
}

func dsnTLS(mode, rootCert string, local bool) (*tls.Config, error) {
	if mode == "" {
		mode = "verify-full"
		if local {
			mode = "disable"
		}
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if rootCert != "" && mode != "disable" {
		pem, err := os.ReadFile(rootCert)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", rootCert)
		}
	}
	switch mode {
	case "disable":
		return nil, nil
	case "prefer", "allow":
		if !local {
			return nil, fmt.Errorf("sslmode %s lets whoever is in between switch encryption off: "+
				"use verify-full or disable", mode)
		}
		return nil, nil
	case "require":
		if c.RootCAs == nil {
			c.InsecureSkipVerify = true
			return c, nil
		}
		fallthrough // as libpq has it: with a root certificate, require means verify-ca
	case "verify-ca":
		roots := c.RootCAs
		c.InsecureSkipVerify = true // of the name; the chain is verified here
		c.VerifyConnection = func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) == 0 {
				return errors.New("the server showed no certificate")
			}
			o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
			for _, cert := range cs.PeerCertificates[1:] {
				o.Intermediates.AddCert(cert)
			}
			_, err := cs.PeerCertificates[0].Verify(o)
			return err
		}
		return c, nil
	case "verify-full":
		return c, nil
	}
	return nil, fmt.Errorf("sslmode is one of disable, require, verify-ca, verify-full")
}
