package forgetest

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
)

// Config says what a server is like. The zero value is a Gitea 1.26.0 on a free port of 127.0.0.1, without any
// object but its administrator.
type Config struct {
	Version  string     // "1.24.0" to "1.27.x"; empty means 1.26.0
	Address  string     // where to listen, "127.0.0.1:3000"; empty means a free port of 127.0.0.1
	Admin    string     // a site administrator; empty means "gitea_admin"
	Password lab.Secret // the administrator's; empty means a random one

	// RotateRefreshTokens makes a refresh token useless once it was used, as INVALIDATE_REFRESH_TOKENS does.
	RotateRefreshTokens bool
}

// Server is a Gitea in this process. It is safe for concurrent use.
type Server struct {
	*fake.Server
	config Config
	http   *fake.HTTP
	key    *rsa.PrivateKey // signs id_tokens

	mu       sync.Mutex
	state    state
	token    string // of the administrator, with all scopes
	strange  []error
	sessions map[string]*session
	codes    map[string]code
}

// Start starts a server. It must be closed.
func Start(c Config) (*Server, error) {
	if c.Version == "" {
		c.Version = "1.26.0"
	}
	if c.Admin == "" {
		c.Admin = "gitea_admin"
	}
	if c.Password.IsZero() {
		c.Password = lab.NewSecret(rand.Text())
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("forgetest: %w", err)
	}
	s := &Server{config: c, key: key, sessions: map[string]*session{}, codes: map[string]code{}}
	s.state = newState()
	admin := s.state.addUser(c.Admin, c.Admin+"@example.com", c.Password.Reveal())
	admin.user.IsAdmin = true
	token := s.state.addToken(admin, "admin", []string{"all"})
	s.token = token.Token
	s.http = &fake.HTTP{Handler: s.routes()}
	served, err := fake.Serve(c.Address, s.http)
	if err != nil {
		return nil, fmt.Errorf("forgetest: %w", err)
	}
	s.Server = served
	return s, nil
}

// New is [Start] for a test, which closes it, and fails where the server was asked what it does not know.
func New(tb testing.TB, c Config) *Server {
	tb.Helper()
	s, err := Start(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = s.Close()
		for _, v := range s.Violations() {
			tb.Errorf("forgetest: %v", v)
		}
	})
	return s
}

// Access returns how package forge reaches the server, as its administrator with an access token.
func (s *Server) Access() forge.Server {
	return forge.Server{Address: s.URL(), Token: lab.NewSecret(s.token)}
}

// Login returns how package forge reaches the server, as its administrator with a password.
func (s *Server) Login() forge.Server {
	return forge.Server{Address: s.URL(), User: s.config.Admin, Password: s.config.Password}
}

// Failure is how a request fails.
type Failure = fake.HTTPFault

// FailAt makes the n-th request that writes from now on fail, once; 1 is the next.
func (s *Server) FailAt(n int, how Failure) { s.http.Faults.At(n, how) }

// Refuse breaks the next n connections as they send a request.
func (s *Server) Refuse(n int) { s.http.Faults.Refuse(n) }

// SetLatency delays every answer.
func (s *Server) SetLatency(d time.Duration) { s.http.Faults.SetLatency(d) }

// Reset clears every fault that has not come yet.
func (s *Server) Reset() { s.http.Faults.Reset() }

// Requests returns how often each request has come, by method and path.
func (s *Server) Requests() map[string]int64 { return s.http.Requests() }

// Total returns how many requests have come, and how many of them write.
func (s *Server) Total() (requests, writes int64) { return s.http.Total() }

// SetCheck validates requests and answers, see [fake.HTTP]. It must be called before the first request.
func (s *Server) SetCheck(check func(req *http.Request, sent []byte, answer *http.Response, body []byte) error) {
	s.http.Check = check
}

// Violations returns what the server was asked that it does not know, and what a check has found.
func (s *Server) Violations() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(append([]error(nil), s.strange...), s.http.Violations()...)
}

// before reports whether the server is older than a version, as "1.26".
func (s *Server) before(version string) bool {
	part := func(v string, n int) (i int) {
		parts := strings.Split(v, ".")
		_, _ = fmt.Sscanf(parts[n], "%d", &i)
		return i
	}
	a, b := part(s.config.Version, 0), part(version, 0)
	return a < b || a == b && part(s.config.Version, 1) < part(version, 1)
}
