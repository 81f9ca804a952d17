package vaultprov

import (
	"log/slog"
	"net/url"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
)

// Server says which Vault to work on and how to get there. Nothing is read of the environment: no
// VAULT_ADDR, no VAULT_TOKEN, no ~/.vault-token. A Server is safe for concurrent use; do not change it once it
// is in use.
type Server struct {
	// Address is the URL of the server, "https://vault.lab:8200", with nothing behind the port. It is
	// required. A server without TLS, "http://", is only taken on loopback, or when Plaintext allows it.
	Address string

	// Plaintext allows http:// for a server elsewhere, such as one that is reached through a tunnel.
	Plaintext bool

	// CA are the certificates, in PEM, against which that of the server is verified; empty means the
	// system's.
	CA string

	// Boundary makes the connections: a [*lab.Boundary], or an SSH connection to a machine from which the
	// server is reached. Nil means the zero [lab.Boundary], which allows loopback only.
	Boundary lab.Dialer

	// Token is where the token of each request comes from. Nil sends none, which is enough for [Server.Status],
	// [Server.Init] and [Server.Unseal].
	Token TokenSource

	// Cluster is the ID of the cluster (cluster_id of sys/health) that the server must prove before the first
	// write; empty means that any is taken. What one plan reads and writes is of one cluster in any case. A
	// server that is sealed has no ID that it could prove.
	Cluster string

	// Parallel is how many requests are under way at once; 0 means 16.
	Parallel int

	Log      *slog.Logger // told of the server's own warnings; nil discards them
	Counters *Counters    // count what is sent; nil counts nothing
}

// Counters count requests, and those of them that write. They may be shared by several servers.
type Counters = httpx.Counters

const defaultParallel = 16

// target names the server in errors.
func (s *Server) target() string {
	return "vault " + strings.TrimPrefix(strings.TrimPrefix(s.Address, "https://"), "http://")
}

func (s *Server) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// Validate reports everything that is wrong with the server's fields.
func (s *Server) Validate() lab.Problems {
	var ps lab.Problems
	if problem := s.checkAddress(); problem != nil {
		ps = append(ps, *problem)
	}
	if _, err := httpx.Trust(s.CA); err != nil {
		ps.Add("ca", "%v", err)
	}
	if s.Parallel < 0 {
		ps.Add("parallel", "%d is negative", s.Parallel)
	}
	return ps
}

// checkAddress returns what is wrong with the address, nil if nothing is.
func (s *Server) checkAddress() *lab.Problem {
	p := &lab.Problem{Path: "address", Hint: "write https://HOST:8200"}
	u, err := url.Parse(s.Address)
	switch {
	case s.Address == "":
		p.Message = "empty: nothing is assumed"
	case err != nil:
		p.Message = "is not a URL" // which may hold a password: it is not repeated
	case u.User != nil:
		p.Message, p.Hint = "holds a user or a password, which Vault does not take", "leave out what is before the @"
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		p.Message, p.Text = "is not the address of an HTTP server", s.Address
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		p.Message, p.Text = "has something behind the host and the port", s.Address
	case !s.Plaintext && httpx.Plaintext(u):
		p.Message, p.Text = "would send tokens and secrets in plain text", s.Address
		p.Set = lab.Setting{Name: SettingPlaintext}
		p.Hint = "write https://; or, where the way there is encrypted otherwise, allow it"
	default:
		return nil
	}
	return p
}

// invalid returns problems as an error of an operation, nil when there are none.
func (s *Server) invalid(op string, ps lab.Problems) error {
	if len(ps) == 0 {
		return nil
	}
	return &lab.Error{Op: op, Target: s.target(), Err: ps.Err()}
}
