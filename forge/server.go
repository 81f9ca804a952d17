package forge

import (
	"context"
	"net/url"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
)

// Server says which Gitea to provision and how to get there. Nothing is read of the environment.
type Server struct {
	// Address is the server's ROOT_URL: "https://gitea.arcodange.lab". It is required. A path is that of a server
	// behind a proxy; a user, a query and a fragment are refused.
	Address string

	// Token is an access token of a site administrator, with the scope "all", or with write:admin,
	// write:organization, write:repository and write:user.
	Token lab.Secret

	// User and Password are used instead of a Token: they are those of a site administrator, for a server that
	// has no token yet. Both are empty when Token is given. Without any of them, nothing is planned.
	User     string
	Password lab.Secret

	// Plaintext allows http:// for a server that is not on this machine, such as one that is reached through a tunnel.
	// Without it, such an address is refused: tokens and secrets could be read on their way.
	Plaintext bool

	// CA are the certificates, in PEM, against which that of the server is verified; empty means the system's.
	CA string

	// Boundary makes the connections: a [*lab.Boundary], or an SSH connection to a machine from which the server is
	// reached. Nil means the zero [lab.Boundary], which allows loopback only.
	Boundary lab.Dialer

	// Identity is the ID of a key with which the server signs, as /login/oauth/keys shows it (see [Server.Prove]):
	// it must have this key before anything is planned or applied. Empty means that any server is taken.
	Identity string

	// Parallel is how many requests are under way at once; 0 means 8.
	Parallel int

	Counters *Counters // counts what plans and applies cost; nil counts nothing
}

// Counters count requests, and those of them that write. They may be shared by several servers.
type Counters = httpx.Counters

const defaultParallel = 8

func (s *Server) parallel() int {
	if s.Parallel <= 0 {
		return defaultParallel
	}
	return s.Parallel
}

// target names the server in errors.
func (s *Server) target() string { return "gitea " + s.host() }

func (s *Server) host() string {
	if u, err := url.Parse(s.Address); err == nil && u.Host != "" {
		return u.Host
	}
	return "of no address"
}

// Validate reports everything that is wrong with the server's fields.
func (s *Server) Validate() (ps lab.Problems) {
	u, err := url.Parse(s.Address)
	switch {
	case s.Address == "":
		ps.Add("address", "empty: nothing is assumed")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		ps = append(ps, lab.Problem{Path: "address", Message: "is not the address of a server",
			Hint: "write https://gitea.example.com"}) // the text may hold a password
	case u.User != nil:
		ps = append(ps, lab.Problem{Path: "address", Message: "holds a user",
			Hint: "give the user and the password, or a token, by themselves"})
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		ps.Add("address", "holds a query or a fragment")
	case !s.Plaintext && httpx.Plaintext(u):
		ps = append(ps, lab.Problem{Path: "address", Text: s.Address, Message: "would send tokens and secrets in plain text",
			Hint: "write https://; or, where the way there is encrypted otherwise, allow it", Set: lab.Setting{Name: SettingPlaintext}})
	case strings.Contains(u.Path, "/api/v1"):
		ps = append(ps, lab.Problem{Path: "address", Text: s.Address, Message: "is that of the API",
			Hint: "write the address of the home page"})
	}
	switch {
	case s.Token.IsZero() && s.User == "":
		ps.Add("token", "empty, and there is no user either")
	case !s.Token.IsZero() && (s.User != "" || !s.Password.IsZero()):
		ps.Add("token", "given beside a user or a password: give one or the other")
	case s.User != "" && s.Password.IsZero():
		ps.Add("password", "empty")
	case strings.ContainsFunc(s.Token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }):
		ps.Add("token", "holds characters that no token has, such as a space or a line break")
	case strings.Contains(s.User, ":"):
		ps.Add("user", "holds a colon")
	}
	if _, err := httpx.Trust(s.CA); err != nil {
		ps.Add("ca", "%v", err)
	}
	if s.Parallel < 0 {
		ps.Add("parallel", "%d is negative", s.Parallel)
	}
	return ps
}

// Prove returns the ID of the key with which the server signs id_tokens, which is its own as long as it keeps its
// data. A server that signs with a shared secret (JWT_SIGNING_ALGORITHM = HS256) shows none: the error
// wraps [lab.ErrNotFound].
func (s *Server) Prove(ctx context.Context) (identity string, err error) {
	if err := s.Validate().Err(); err != nil {
		return "", err
	}
	c := s.client()
	defer c.close()
	ids, err := c.identities(ctx)
	if err != nil {
		return "", err
	}
	if len(ids) == 0 {
		return "", c.fail("prove identity", "", "set JWT_SIGNING_ALGORITHM = RS256 in its section oauth2, or do without an identity",
			lab.ErrNotFound, "the server shows no key")
	}
	return ids[0], nil
}
