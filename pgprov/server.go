package pgprov

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Server says which PostgreSQL server to provision and how to get there. It must be the server
// itself, not a pooler: what is done here needs sessions. Nothing is read of the environment: no
// PGHOST, no ~/.pgpass, no service file.
type Server struct {
	// Host is a name or an address, or the directory of a Unix socket when it begins with a slash. It
	// is required.
	Host     string
	Port     int        // 0 means 5432
	User     string     // a superuser, except for [Server.Reset]; empty means postgres
	Password lab.Secret // printable ASCII, used for SCRAM-SHA-256 only; empty when the server asks for none
	Database string     // where to connect first; it is not changed. Empty means postgres

	// TLS is how the connection is encrypted; nil means that it is not. Without a ServerName it is
	// verified against Host.
	TLS *tls.Config

	// Boundary makes the connections: a [*lab.Boundary], or an SSH connection to a machine from
	// which the server is reached. Nil means the zero [lab.Boundary], which allows loopback only.
	Boundary lab.Dialer

	// Identity is the system identifier that the server must prove before anything is planned; ""
	// means that any server is taken. Whatever it is, all connections of one plan, and those that
	// apply it, must reach the same server.
	Identity string

	// MaxConns is how many connections are held at once; 0 means 12. It is lowered to what the
	// server's max_connections leaves, but not below 1.
	MaxConns int

	Logger   *slog.Logger // warned of what is allowed and yet not right; nil discards the warnings
	Counters *Counters    // counts what plans and applies cost; nil counts nothing
}

// Counters counts what was asked of a server. One may be shared by several.
type Counters struct {
	Connections atomic.Int64 // that were opened
	RoundTrips  atomic.Int64 // requests that were sent on them and answered, however many statements each held
}

const (
	defaultPort     = 5432
	defaultMaxConns = 12
	oldestVersion   = 15
)

func (s *Server) port() int        { return cmp.Or(s.Port, defaultPort) }
func (s *Server) user() string     { return cmp.Or(s.User, "postgres") }
func (s *Server) database() string { return cmp.Or(s.Database, "postgres") }

// address returns what the dialer is given.
func (s *Server) address() (network, address string) {
	if strings.HasPrefix(s.Host, "/") {
		return "unix", path.Join(s.Host, ".s.PGSQL."+strconv.Itoa(s.port()))
	}
	return "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.port()))
}

// target names the server in errors.
func (s *Server) target() string {
	_, address := s.address()
	return "postgresql " + address
}

func (s *Server) log() *slog.Logger {
	if s.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Logger
}

// Validate reports everything that is wrong with the server's fields.
func (s *Server) Validate() error { return s.validate().Err() }

func (s *Server) validate() (ps lab.Problems) {
	if s.Host == "" {
		ps.Add("host", "empty: nothing is assumed")
	} else if !validHost(s.Host) {
		ps = append(ps, lab.Problem{Path: "host", Text: s.Host, Message: "is not an address",
			Hint: "write a host name, an IP address, or the directory of a socket; the port is apart"})
	}
	if s.Port < 0 || s.Port > 65535 {
		ps.Add("port", "%d is not a port", s.Port)
	}
	if s.MaxConns < 0 {
		ps.Add("max_conns", "%d is negative", s.MaxConns)
	}
	ps = append(ps, validatePassword("password", s.Password)...)
	for field, name := range map[string]string{"user": s.User, "database": s.Database} {
		if name != "" {
			ps = append(ps, validateName(field, name)...)
		}
	}
	if s.TLS != nil && strings.HasPrefix(s.Host, "/") {
		ps.Add("tls", "a Unix socket has no TLS")
	}
	return ps
}

var (
	hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

	// A name whose last label is a number is meant as an IPv4 address.
	numberLast = regexp.MustCompile(`(^|\.)[0-9]+\.?$`)
)

// validHost reports whether it is the directory of a socket, an IP address or a host name.
func validHost(host string) bool {
	if strings.HasPrefix(host, "/") {
		return !strings.ContainsRune(host, 0)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return hostName.MatchString(host) && !numberLast.MatchString(host)
}

// maxName is the longest name that PostgreSQL keeps whole, in bytes (NAMEDATALEN - 1).
const maxName = 63

// validateName reports what is wrong with the name of a role or a database.
func validateName(field, name string) (ps lab.Problems) {
	switch {
	case name == "":
		ps.Add(field, "empty")
	case len(name) > maxName:
		ps = append(ps, lab.Problem{Path: field, Text: name,
			Message: fmt.Sprintf("%d bytes long; PostgreSQL would cut it to %d", len(name), maxName)})
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }):
		ps = append(ps, lab.Problem{Path: field, Text: name, Message: "holds control characters"})
	}
	return ps
}

// validatePassword reports a password that clients would disagree about.
func validatePassword(field string, p lab.Secret) (ps lab.Problems) {
	if strings.ContainsFunc(p.Reveal(), func(r rune) bool { return r < ' ' || r > '~' }) {
		ps.Add(field, "holds characters other than printable ASCII, which clients prepare differently for SCRAM")
	}
	return ps
}
