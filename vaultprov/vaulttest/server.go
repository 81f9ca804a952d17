package vaulttest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// Config says what a server is like. The zero value is one that is initialised with one share and unsealed, as
// Vault's dev mode, and has no mount of ours.
type Config struct {
	Uninitialized bool // as it is installed
	NoPod         bool // it runs in no pod, where it would find the certificates of the cluster
}

// Server is a Vault in this process. It is safe for concurrent use.
type Server struct {
	HTTP *fake.HTTP // its faults, and what was asked of it; requests that write count

	listener net.Listener
	web      *http.Server
	served   sync.WaitGroup

	mu      sync.Mutex
	offset  time.Duration // of its clock
	cluster string
	seal    seal
	tokens  map[string]*token
	leases  map[string]*lease
	noPod   bool
	stuck   bool // revocations of what a database made fail
	acl     map[string]string
	mounts  map[string]*mount // by path with a slash at its end; auth methods below "auth/"
	audits  map[string]map[string]any
	users   map[string]string // the passwords of users of databases that are known
}

// New starts a server, which ends with the test.
func New(tb testing.TB, c Config) *Server {
	tb.Helper()
	s, err := Start(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// Start starts a server on a port of loopback. Close it.
func Start(c Config) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("vaulttest: %w", err)
	}
	s := &Server{listener: l, cluster: uuid(), noPod: c.NoPod, tokens: map[string]*token{}, leases: map[string]*lease{},
		users: map[string]string{},
		acl:   map[string]string{"default": defaultPolicy}, audits: map[string]map[string]any{}}
	s.mounts = map[string]*mount{}
	for path, kind := range map[string]string{"sys/": "system", "identity/": "identity", "cubbyhole/": "cubbyhole",
		"auth/token/": "token"} {
		s.mounts[path] = s.newMount(path, kind, nil)
	}
	if !c.Uninitialized {
		s.seal.initialize(1, 1)
		s.seal.sealed = false
		s.tokens[s.seal.root] = &token{policies: []string{"root"}, orphan: true, path: "auth/token/root",
			display: "root"}
	}
	s.HTTP = &fake.HTTP{Handler: s}
	s.web = &http.Server{Handler: s.HTTP, ErrorLog: log.New(io.Discard, "", 0)} // of connections that break
	s.served.Go(func() { _ = s.web.Serve(l) })
	return s, nil
}

// Close stops the server.
func (s *Server) Close() error {
	err := s.web.Close()
	s.served.Wait()
	return err
}

// Address returns the URL of the server.
func (s *Server) Address() string { return "http://" + s.listener.Addr().String() }

// Access returns how the server is reached as root; of one that is not initialised, without a token.
func (s *Server) Access() *vaultprov.Server {
	v := &vaultprov.Server{Address: s.Address()}
	if root := s.Root(); !root.IsZero() {
		v.Token = vaultprov.StaticToken(root)
	}
	return v
}

// Root returns the root token that was made last; it is empty if the server is not initialised.
func (s *Server) Root() lab.Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return lab.NewSecret(s.seal.root)
}

// Shares returns the unseal keys, in hex.
func (s *Server) Shares() (shares []lab.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, share := range s.seal.shares {
		shares = append(shares, lab.NewSecret(hex.EncodeToString(share)))
	}
	return shares
}

// Cluster returns the ID of the cluster.
func (s *Server) Cluster() string { return s.cluster }

// Seal seals the server, as a restart does.
func (s *Server) Seal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seal.close()
}

// Advance moves the server's clock on.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

// Tokens returns how many tokens there are that are not of root.
func (s *Server) Tokens() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	for _, t := range s.tokens {
		if !t.root() {
			n++
		}
	}
	return n
}

// RevokeTokens revokes all tokens that are not of root.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, t := range s.tokens {
		if !t.root() {
			s.revokeToken(id)
		}
	}
}

// SetDatabaseUser makes the password of a user of all databases known: connections with another one are refused.
// What rotate-root sets is known by itself.
func (s *Server) SetDatabaseUser(name string, password lab.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[name] = password.Reveal()
}

// FailRevocations says whether databases refuse to drop users: leases that end meanwhile become irrevocable.
func (s *Server) FailRevocations(fail bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stuck = fail
}

// now is the time of the server's clock.
func (s *Server) now() time.Time { return time.Now().Add(s.offset) }

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func uuid() string {
	h := randomHex(16)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func quote(s string) string { return fmt.Sprintf("%q", s) }
