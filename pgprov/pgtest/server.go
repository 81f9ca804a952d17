package pgtest

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login/scram"
)

// Config says what a server is like. The zero value is PostgreSQL 18 on a free port of 127.0.0.1.
type Config struct {
	Major          int        // 15 to 18; 0 means 18
	Address        string     // where to listen, "127.0.0.1:5432"; empty means a free port of 127.0.0.1
	Superuser      string     // empty means postgres
	Password       lab.Secret // the superuser's; empty means a random one
	MaxConnections int        // 0 means 100
	Identity       string     // the system identifier; empty means a random one
	InRecovery     bool       // a standby: it takes no writes
	// whose files are there beside plpgsql; nil means citext, hstore, pg_trgm, pgcrypto and
	// unaccent
	Extensions []string
}

// Server is a PostgreSQL server in this process. It is safe for concurrent use.
type Server struct {
	config   Config
	listener net.Listener
	verifier scram.Verifier // of nobody: an unknown user is asked for a password like any other
	done     sync.WaitGroup

	mu        sync.Mutex
	changed   *sync.Cond // a lock was freed, a session ended or was cancelled
	committed *state
	writer    *session // who changes the state; nil: nobody
	advisory  map[advisoryKey]advisoryLock
	sessions  map[uint32]*session
	nextPID   uint32
	closed    bool
	counters  Counters
	log       []string

	faults fake.Faults[Failure] // by statement
}

// Counters counts what a server was asked to do.
type Counters struct {
	Connections int // that logged in
	Open        int // of these, now
	MostOpen    int // of these, at any time
	Requests    int // round trips: simple queries, and runs of the extended protocol up to a Sync
	Statements  int
	Writes      int // transactions, and statements outside of any, that changed something
}

// Start starts a server. It must be closed.
func Start(c Config) (*Server, error) {
	if c.Major == 0 {
		c.Major = 18
	}
	if c.Major < 15 || c.Major > 18 {
		return nil, fmt.Errorf("pgtest: %w: PostgreSQL %d is not known, only 15 to 18", lab.ErrInvalid, c.Major)
	}
	if c.Address == "" {
		c.Address = "127.0.0.1:0"
	}
	if c.Superuser == "" {
		c.Superuser = "postgres"
	}
	if c.Password.IsZero() {
		c.Password = lab.NewSecret(rand.Text())
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 100
	}
	if c.Identity == "" {
		var b [8]byte
		_, _ = rand.Read(b[:])
		c.Identity = strconv.FormatUint(binary.BigEndian.Uint64(b[:])>>1|1<<62, 10)
	}
	if c.Extensions == nil {
		c.Extensions = []string{"citext", "hstore", "pg_trgm", "pgcrypto", "unaccent"}
	}
	l, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	s := &Server{config: c, listener: l, verifier: scram.NewVerifier(rand.Text()), sessions: map[uint32]*session{},
		advisory: map[advisoryKey]advisoryLock{}, nextPID: 1000}
	s.changed = sync.NewCond(&s.mu)
	s.committed = initial(c)
	s.done.Go(s.accept)
	return s, nil
}

// New is [Start] for a test, which closes it.
func New(tb testing.TB, c Config) *Server {
	tb.Helper()
	s, err := Start(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// initial is what initdb makes.
func initial(c Config) *state {
	s := &state{roles: map[string]role{}, databases: map[string]*database{}, nextOID: 16384}
	s.roles[c.Superuser] = role{bootstrap: true, Role: catalog.Role{
		Name: c.Superuser, Superuser: true, Inherit: true, CreateRole: true, CreateDB: true, Login: true,
		Replication: true, BypassRLS: true, ConnectionLimit: -1,
		HasPassword: true, Verifier: scram.NewVerifier(c.Password.Reveal()).String(),
	}}
	for name := range strings.FieldsSeq(`pg_database_owner pg_read_all_data pg_write_all_data pg_monitor
		pg_read_all_settings pg_read_all_stats pg_stat_scan_tables pg_read_server_files pg_write_server_files
		pg_execute_server_program pg_signal_backend pg_checkpoint`) {
		s.roles[name] = role{Role: catalog.Role{Name: name, Inherit: true, ConnectionLimit: -1}}
	}
	for _, name := range []string{"postgres", "template1", "template0"} {
		d := newDatabase(name, c.Superuser, "UTF8", "C", c.Major)
		d.AllowConnections, d.Template = name != "template0", name != "postgres"
		s.databases[name] = d
	}
	return s
}

func newDatabase(name, owner, encoding, locale string, major int) *database {
	d := &database{
		Database: catalog.Database{Name: name, Owner: owner, Encoding: encoding, Collate: locale, CType: locale,
			Provider: "c", AllowConnections: true, ConnectionLimit: -1},
		settings: map[string]string{}, schemas: map[string]object{}, tables: map[string]object{},
		made:       map[madeBy]acl{},
		extensions: []string{"plpgsql"},
	}
	const owners = "pg_database_owner"
	d.schemas["public"] = object{owner: owners,
		acl: append(defaults("schema", owners), catalog.Grant{Grantor: owners, Privilege: "USAGE"})}
	return d
}

// Close ends every session and stops listening.
func (s *Server) Close() error {
	err := s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for _, c := range s.sessions {
		c.conn.Close()
	}
	s.changed.Broadcast()
	s.mu.Unlock()
	s.done.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Host and Port return where it listens.
func (s *Server) Host() string { return s.listener.Addr().(*net.TCPAddr).IP.String() }

// Port returns the TCP port it listens on.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Access returns how package pgprov reaches the server, as its superuser.
func (s *Server) Access() pgprov.Server {
	return pgprov.Server{Host: s.Host(), Port: s.Port(), User: s.config.Superuser, Password: s.config.Password,
		Identity: s.config.Identity}
}

// DSN returns the URL of a database for the superuser, with the password in it.
func (s *Server) DSN(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(s.config.Superuser, s.config.Password.Reveal()),
		Host: s.listener.Addr().String(), Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Counters returns what was counted since the start.
func (s *Server) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counters
	c.Open = len(s.sessions)
	return c
}

// Log returns the statements that were received, in order, as a server logs them that logs
// everything: with their parameters.
func (s *Server) Log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Failure is how a server fails.
type Failure int

// The failures.
const (
	LoseBefore Failure = iota // the connection is lost before the statement is run
	LoseAfter                 // the statement is run, and the connection lost before the answer
	Terminate                 // an administrator ends the session before the statement is run, with an error
)

// FailAt makes the n-th statement from now on fail, once; 1 is the next. What was not committed is
// rolled back.
func (s *Server) FailAt(n int, how Failure) { s.faults.At(n, how) }

// Reset clears every failure that has not come yet, latency and refusals.
func (s *Server) Reset() { s.faults.Reset() }

// Refuse makes the server say to the next n connections that it has too many.
func (s *Server) Refuse(n int) { s.faults.Refuse(n) }

// SetLatency delays every answer.
func (s *Server) SetLatency(d time.Duration) { s.faults.SetLatency(d) }

// due counts a statement, and returns the failure that it meets.
func (s *Server) due(sql string, params [][]byte) (Failure, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counters.Statements++
	entry := sql
	for n, p := range params {
		entry += fmt.Sprintf("\n  $%d = %s", n+1, p)
	}
	s.log = append(s.log, entry)
	return s.faults.Next()
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.done.Go(func() {
			defer conn.Close()
			c := &session{server: s, conn: conn, settings: map[string]string{}, prepared: map[string]*prepared{},
				portals: map[string]*portal{}}
			c.serve(context.Background())
		})
	}
}

type advisoryKey struct {
	database string
	a, b     int32
}

type advisoryLock struct {
	holder      *session
	count       int
	transaction bool // given back at the end of the transaction
}
