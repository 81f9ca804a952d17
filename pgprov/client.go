package pgprov

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login/scram"
)

// client makes the connections of one plan.
type client struct {
	server   *Server
	login    login.Config
	slots    chan struct{} // one for each connection that may be open
	identity string        // of the server that was reached first, or that must be; empty when not known yet
	patience lab.Poll      // how long a server that has no connection left is waited for

	maintenance maintenance

	mu        sync.Mutex
	overrides map[string]map[string]string // by database: what its owner set, as it would be otherwise
}

// client returns what makes connections. Whatever it is for, it removes the temporary directories of
// runs that were killed.
func (s *Server) client() *client {
	removeLeftovers(os.TempDir(), tempName)
	c := &client{server: s, slots: make(chan struct{}, cmp.Or(s.MaxConns, defaultMaxConns)), identity: s.Identity,
		patience: lab.Poll{What: "a free connection", Timeout: 30 * time.Second},
		login:    login.Config{Boundary: s.Boundary, Host: s.Host, Port: uint16(s.port()), TLS: s.TLS}}
	c.maintenance.idle = make(chan *session, cap(c.slots))
	c.login.Network, c.login.Address = s.address()
	if s.Boundary == nil {
		c.login.Boundary = (*lab.Boundary)(nil)
	}
	if !s.Password.IsZero() {
		c.login.Password = scram.NewPassword(s.Password.Reveal())
	}
	return c
}

// limit lowers the number of connections. It must be called before they are used: a slot is returned
// to where it was taken from.
func (c *client) limit(n int) {
	if n = max(n, 1); n < cap(c.slots) {
		c.slots = make(chan struct{}, n)
	}
}

// parameters are those of every session. What the owner of a database says with ALTER DATABASE ...
// SET would otherwise hold for us: another role, other rules of quoting, a search_path of his own,
// the end of a session that waits. quote_all_identifiers changes how the server writes the names by
// which user_lookup() is known. The names of roles and databases are of the whole cluster, and stored
// as they were given; client_encoding SQL_ASCII is the one in which no database converts them.
func parameters(user, database string) map[string]string {
	return map[string]string{
		"user":                                user,
		"database":                            database,
		"application_name":                    "pgprov",
		"client_encoding":                     "SQL_ASCII",
		"DateStyle":                           "ISO, YMD",
		"TimeZone":                            "UTC",
		"role":                                "none",
		"search_path":                         "pg_catalog, pg_temp",
		"standard_conforming_strings":         "on",
		"default_transaction_isolation":       "read committed",
		"default_transaction_read_only":       "off",
		"statement_timeout":                   "0",
		"lock_timeout":                        "60s",
		"idle_in_transaction_session_timeout": "0",
		"idle_session_timeout":                "0",
		"quote_all_identifiers":               "off",
	}
}

// override remembers what the owners of databases have set.
func (c *client) override(settings map[string]map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.overrides = settings
}

// parameters are those of every session, and whatever else the owner of the database has set for it,
// with the values that it has in other databases: a library to load that is not there, or a timeout,
// would end the session before its first statement.
func (c *client) parameters(database string) map[string]string {
	params := parameters(c.server.user(), database)
	c.mu.Lock()
	defer c.mu.Unlock()
	known := map[string]bool{}
	for name := range params {
		known[strings.ToLower(name)] = true
	}
	for name, value := range c.overrides[database] {
		if !known[strings.ToLower(name)] {
			params[name] = value
		}
	}
	return params
}

// learn reads what the owners of databases have set, for who did not observe the server.
func (c *client) learn(ctx context.Context) error {
	s, err := c.beside(ctx, c.server.database())
	if err != nil {
		return err
	}
	defer s.close()
	_, err = s.observe(ctx, scope{settings: true}, true)
	return err
}

// connect waits for a free slot and opens a session. A server that has no connection left is asked
// again for a while.
func (c *client) connect(ctx context.Context, database string) (s *session, err error) {
	slot := c.slots
	select {
	case slot <- struct{}{}:
	default:
		select {
		case slot <- struct{}{}:
		case idle := <-c.maintenance.idle:
			idle.slot = nil // which is the caller's now
			idle.close()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	defer func() {
		if err != nil {
			<-slot
		} else {
			s.slot = slot
		}
	}()
	err = lab.Wait(ctx, c.patience, func(ctx context.Context) (bool, error) {
		s, err = c.open(ctx, database, c.parameters(database))
		var e *pgconn.PgError
		if errors.As(err, &e) && e.Code == "53300" { // too_many_connections
			return false, nil
		}
		return err == nil, err
	})
	return s, err
}

// open connects once, whatever the number of connections.
func (c *client) open(ctx context.Context, database string, params map[string]string) (*session, error) {
	h, err := c.logIn(ctx, database, params)
	if err != nil {
		return nil, err
	}
	p, err := pgconn.Construct(h)
	if err != nil {
		return nil, c.fail(ctx, "connect", database, err)
	}
	version := versionNumber(h.ParameterStatuses["server_version"])
	return &session{client: c, database: database, conn: p, version: version}, nil
}

// logIn makes a connection that is ready for its first request.
func (c *client) logIn(ctx context.Context, database string, params map[string]string) (*pgconn.HijackedConn, error) {
	h, err := c.login.Connect(ctx, params)
	if err != nil {
		return nil, c.fail(ctx, "connect", database, lab.NotSent(err))
	}
	if c.server.Counters != nil {
		c.server.Counters.Connections.Add(1)
	}
	return h, nil
}

// beside opens a session that needs no slot of its own, for a caller that holds one: waiting for a
// second while holding the first could last for ever.
func (c *client) beside(ctx context.Context, database string) (*session, error) {
	return c.open(ctx, database, c.parameters(database))
}
