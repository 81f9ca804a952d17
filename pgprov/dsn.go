package pgprov

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

var dsnParameters = []string{"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert"}

// libpqParameters are others that libpq knows, whose names can be said without giving anything away.
var libpqParameters = strings.Fields(`application_name channel_binding client_encoding connect_timeout
fallback_application_name gssencmode gsslib hostaddr keepalives keepalives_count keepalives_idle keepalives_interval
krbsrvname load_balance_hosts options passfile replication require_auth requirepeer service servicefile sslcert
sslcertmode sslcompression sslcrl sslcrldir sslkey sslnegotiation sslpassword sslsni target_session_attrs
tcp_user_timeout`)

// ParseDSN reads
// "postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=ca.pem" into a
// [Server]. The directory of a Unix socket is given as "postgres:///database?host=/run/postgresql",
// or in the place of the host, as "postgres://%2Frun%2Fpostgresql/database".
// Nothing is filled in from the environment; the file of sslrootcert is read.
//
// The values of sslmode are disable, require (encrypted, but anybody's server), verify-ca and
// verify-full. Without it a connection that stays on this machine is not encrypted, and any other
// is verified in full against the system's authorities. "sslrootcert=system" names these, and
// implies verify-full, as it does for libpq.
//
// The errors repeat nothing of the DSN: a password that holds "/", "?" or "#" and is not
// percent-encoded ends in some other part of the URL.
func ParseDSN(dsn string) (Server, error) {
	s, err := parseDSN(dsn)
	if err != nil {
		return Server{}, &lab.Error{Op: "read DSN",
			Hint: `write "postgres://USER@HOST:PORT/DATABASE"; in USER and PASSWORD, write ` +
				`/ as %2F, ? as %3F, # as %23, @ as %40 and % as %25`,
			Err: fmt.Errorf("%w: %w", lab.ErrInvalid, err)}
	}
	return s, nil
}

func parseDSN(dsn string) (s Server, err error) {
	rest, ok := strings.CutPrefix(dsn, "postgres://")
	if !ok {
		if rest, ok = strings.CutPrefix(dsn, "postgresql://"); !ok {
			return s, errors.New("not a URL that begins with postgres://")
		}
	}
	if strings.Contains(rest, "#") {
		return s, errors.New(`it holds a "#", which ends a URL`)
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if strings.Contains(path, "@") {
		return s, errors.New(`an "@" stands behind the first "/"`)
	}
	port, err := s.parseAuthority(authority)
	if err != nil {
		return s, err
	}
	if s.Database, err = url.PathUnescape(path); err != nil {
		return s, errMalformed("the database")
	}
	tls, err := s.parseParameters(query, &port)
	if err != nil {
		return s, err
	}
	if strings.Contains(s.Host, ",") {
		return s, errors.New("more than one host")
	}
	noHost := func(r rune) bool { return r <= ' ' || strings.ContainsRune(`"/<>?@[]\^{|}`, r) }
	if !strings.HasPrefix(s.Host, "/") && strings.ContainsFunc(s.Host, noHost) {
		return s, errors.New("the host holds a character that no host's name has")
	}
	if port != "" {
		if s.Port, err = strconv.Atoi(port); err != nil || s.Port < 1 {
			return s, errors.New("the port is not a number from 1 to 65535")
		}
	}
	if s.TLS, err = dsnTLS(tls.mode, tls.rootCert, s.Local()); err != nil {
		return s, err
	}
	ps := s.validate()
	for n := range ps {
		ps[n].Text = ""
	}
	return s, ps.Err()
}

// errMalformed is the error of a part that cannot be decoded.
func errMalformed(part string) error {
	return fmt.Errorf(`a "%%" in %s is not followed by two hexadecimal digits`, part)
}

// parseAuthority reads "user:password@host:port". The host may be percent-encoded, which
// [url.Parse] does not accept.
func (s *Server) parseAuthority(authority string) (port string, err error) {
	at := strings.LastIndex(authority, "@")
	if at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		if s.User, err = url.PathUnescape(user); err != nil {
			return "", errMalformed("the user")
		}
		if password, err = url.PathUnescape(password); err != nil {
			return "", errMalformed("the password")
		}
		s.Password = lab.NewSecret(password)
	}
	host := authority[at+1:]
	if inner, after, ok := strings.Cut(strings.TrimPrefix(host, "["), "]"); ok && strings.HasPrefix(host, "[") {
		if s.Host = inner; after != "" && !strings.HasPrefix(after, ":") {
			return "", errors.New("something stands between the address and its port")
		}
		port = strings.TrimPrefix(after, ":")
	} else {
		host, port, _ = strings.Cut(host, ":")
		if s.Host, err = url.PathUnescape(host); err != nil {
			return "", errMalformed("the host")
		}
	}
	if strings.ContainsFunc(s.Host, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`"<>[]\^{|}`, r) }) {
		return "", errors.New("the host holds a character that no host's name has")
	}
	return port, nil
}

// dsnSSL are the parameters of a DSN that say how the connection is encrypted.
type dsnSSL struct{ mode, rootCert string }

// parseParameters reads what follows the question mark.
func (s *Server) parseParameters(query string, port *string) (ssl dsnSSL, err error) {
	// libpq takes a plus sign for itself, not for a space
	values, err := url.ParseQuery(strings.ReplaceAll(query, "+", "%2B"))
	if err != nil {
		return ssl, errors.New("malformed parameters")
	}
	for name, all := range values {
		value := all[len(all)-1]
		switch name {
		case "host":
			s.Host = value
		case "port":
			*port = value
		case "user":
			s.User = value
		case "password":
			s.Password = lab.NewSecret(value)
		case "dbname":
			s.Database = value
		case "sslmode":
			ssl.mode = value
		case "sslrootcert":
			ssl.rootCert = value
		default:
			return ssl, unknownParameter(name)
		}
	}
	return ssl, nil
}

// unknownParameter says which parameters there are. The name is not repeated where it is nobody's:
// it may be the end of a password.
func unknownParameter(name string) error {
	known := strings.Join(dsnParameters, ", ")
	if slices.Contains(libpqParameters, name) {
		return fmt.Errorf("unknown parameter %q, known are %s", name, known)
	}
	if near := lab.Nearest(name, dsnParameters); near != "" {
		return fmt.Errorf("unknown parameter, did you mean %q", near)
	}
	return fmt.Errorf("unknown parameter, known are %s", known)
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
	if rootCert == "system" { // as libpq has it
		if mode != "" && mode != "verify-full" {
			return nil, errors.New("sslrootcert=system wants sslmode=verify-full")
		}
		mode, rootCert = "verify-full", ""
	}
	if mode == "" {
		mode = "verify-full"
		if local {
			mode = "disable"
		}
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if rootCert != "" && mode != "disable" {
		if strings.Contains(rootCert, "@") {
			return nil, errors.New(`an "@" stands in sslrootcert`)
		}
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
	return nil, errors.New("sslmode is one of disable, require, verify-ca, verify-full")
}
