package pgprov

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgproto3"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/scram"
)

// client makes the connections of one plan.
type client struct {
	server   *Server
	password *scram.Password
	slots    chan struct{} // one for each connection that may be open
	identity string        // of the server that was reached first, or that must be; empty when not known yet
	patience lab.Poll      // with a server that has no connection left
}

func (s *Server) client() *client {
	n := s.MaxConns
	if n == 0 {
		n = defaultMaxConns
	}
	return &client{server: s, password: scram.NewPassword(s.Password.Reveal()), slots: make(chan struct{}, n), identity: s.Identity,
		patience: lab.Poll{What: "a free connection", Timeout: 30 * time.Second}}
}

// limit lowers the number of connections. It is for before the pool is used: who holds a slot gives it back where it is from.
func (c *client) limit(n int) {
	if n = max(n, 1); n < cap(c.slots) {
		c.slots = make(chan struct{}, n)
	}
}

// parameters are those of every session. What the owner of a database says with ALTER DATABASE ... SET would else hold for us: another role,
// other rules of quoting, a search_path of his own, the end of a session that waits. quote_all_identifiers changes how the server writes the names
// by which user_lookup() is known.
func parameters(user, database string) map[string]string {
	return map[string]string{
		"user":                                user,
		"database":                            database,
		"application_name":                    "pgprov",
		"client_encoding":                     "UTF8",
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

const connectTimeout = 20 * time.Second

// session is a connection to one database. It is not safe for concurrent use.
type session struct {
	client   *client
	database string
	conn     *pgconn.PgConn
	version  int           // server_version_num
	slot     chan struct{} // to give back when it ends; nil when it has none
}

// connect waits for a free slot and opens a session. A server that has no connection left is asked again for a while.
func (c *client) connect(ctx context.Context, database string) (s *session, err error) {
	slot := c.slots
	select {
	case slot <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() {
		if err != nil {
			<-slot
		} else {
			s.slot = slot
		}
	}()
	err = lab.Wait(ctx, c.patience, func(ctx context.Context) (bool, error) {
		s, err = c.open(ctx, database, parameters(c.server.user(), database))
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
	return &session{client: c, database: database, conn: p, version: versionNumber(h.ParameterStatuses["server_version"])}, nil
}

// logIn makes a connection that is ready for its first request.
func (c *client) logIn(ctx context.Context, database string, params map[string]string) (*pgconn.HijackedConn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout, fmt.Errorf("%w after %s", lab.ErrTimeout, connectTimeout))
	defer cancel()
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, c.fail(ctx, "connect", database, lab.NotSent(err))
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	h, err := c.start(conn, database, params)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, c.fail(ctx, "connect", database, lab.NotSent(err))
	}
	if c.server.Counters != nil {
		c.server.Counters.Connections.Add(1)
	}
	return h, nil
}

func (c *client) dialer() lab.Dialer {
	if c.server.Boundary == nil {
		return (*lab.Boundary)(nil)
	}
	return c.server.Boundary
}

func (c *client) dial(ctx context.Context) (net.Conn, error) {
	network, address := c.server.address()
	conn, err := c.dialer().DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if c.server.TLS == nil {
		return conn, nil
	}
	secured, err := c.encrypt(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

const sslRequestCode = 80877103

func (c *client) encrypt(ctx context.Context, conn net.Conn) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	request := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), sslRequestCode)
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	answer := make([]byte, 1) // no more: what an attacker sends in clear ahead of the handshake must not be read as if it came after
	if _, err := io.ReadFull(conn, answer); err != nil {
		return nil, err
	}
	if answer[0] != 'S' {
		return nil, fmt.Errorf("%w: the server does not speak TLS", lab.ErrRefused)
	}
	config := c.server.TLS.Clone()
	if config.ServerName == "" {
		config.ServerName = c.server.Host
	}
	if len(config.NextProtos) == 0 {
		config.NextProtos = []string{"postgresql"}
	}
	t := tls.Client(conn, config)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// start logs in. It does itself what pgconn.Connect does because that reads the environment and files of the user, and stretches the password
// anew for each of a thousand connections.
func (c *client) start(conn net.Conn, database string, params map[string]string) (*pgconn.HijackedConn, error) {
	f := pgproto3.NewFrontend(conn, conn)
	f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: params})
	if err := f.Flush(); err != nil {
		return nil, err
	}
	h := &pgconn.HijackedConn{Conn: conn, ParameterStatuses: map[string]string{}, CustomData: map[string]any{}, Config: c.config(database)}
	if _, ok := conn.(*tls.Conn); ok {
		h.TLSConfig = c.server.TLS
	}
	for {
		message, err := f.Receive()
		if err != nil {
			return nil, err
		}
		switch m := message.(type) {
		case *pgproto3.AuthenticationOk, *pgproto3.NoticeResponse:
		case *pgproto3.AuthenticationSASL:
			if err := c.authenticate(f, conn, m.AuthMechanisms); err != nil {
				return nil, err
			}
		case *pgproto3.AuthenticationCleartextPassword, *pgproto3.AuthenticationMD5Password, *pgproto3.AuthenticationGSS:
			return nil, fmt.Errorf("%w: the server asks for a login other than SCRAM-SHA-256, which would give the password away", lab.ErrUnauthorized)
		case *pgproto3.ErrorResponse:
			return nil, pgconn.ErrorResponseToPgError(m)
		case *pgproto3.ParameterStatus:
			h.ParameterStatuses[m.Name] = m.Value
		case *pgproto3.BackendKeyData:
			h.PID, h.SecretKey = m.ProcessID, slices.Clone(m.SecretKey)
		case *pgproto3.ReadyForQuery:
			h.TxStatus = m.TxStatus
			return h, nil
		default:
			return nil, fmt.Errorf("unexpected answer %T while logging in", m)
		}
	}
}

// config is what pgconn needs of a connection that it did not make itself.
func (c *client) config(database string) *pgconn.Config {
	network, address := c.server.address()
	return &pgconn.Config{
		Host: c.server.Host, Port: uint16(c.server.port()), Database: database, User: c.server.user(),
		DialFunc: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.dialer().DialContext(ctx, network, address)
		}, // to cancel a statement
		BuildFrontend: pgproto3.NewFrontend,
		BuildContextWatcherHandler: func(p *pgconn.PgConn) ctxwatch.Handler {
			return &pgconn.DeadlineContextWatcherHandler{Conn: p.Conn()}
		},
		OnPgError: func(_ *pgconn.PgConn, e *pgconn.PgError) bool { return e.Severity != "FATAL" && e.Severity != "PANIC" },
	}
}

// versionNumber turns "17.10 (Debian 17.10-1)" into 170010, and "19beta1" into 190000.
func versionNumber(s string) int {
	var major, minor int
	if n, _ := fmt.Sscanf(s, "%d.%d", &major, &minor); n == 0 {
		_, _ = fmt.Sscanf(s, "%d", &major)
	}
	return major*10000 + minor
}

func (c *client) authenticate(f *pgproto3.Frontend, conn net.Conn, mechanisms []string) error {
	if c.server.Password.IsZero() {
		return fmt.Errorf("%w: the server asks for a password and none is given", lab.ErrUnauthorized)
	}
	t, secured := conn.(*tls.Conn)
	var binding []byte
	mechanism := scram.Mechanism
	if secured && slices.Contains(mechanisms, scram.MechanismPlus) {
		if certs := t.ConnectionState().PeerCertificates; len(certs) > 0 {
			if binding = certificateHash(certs[0]); binding != nil {
				mechanism = scram.MechanismPlus
			}
		}
	}
	if !slices.Contains(mechanisms, mechanism) {
		return fmt.Errorf("%w: the server offers %s and not SCRAM-SHA-256", lab.ErrUnauthorized, strings.Join(mechanisms, ", "))
	}
	// "y" would accuse a server that offers PLUS of having been tampered with when it is we who cannot hash its certificate
	x := scram.NewClient(c.password, binding, secured && !slices.Contains(mechanisms, scram.MechanismPlus))
	f.Send(&pgproto3.SASLInitialResponse{AuthMechanism: mechanism, Data: x.First()})
	if err := f.Flush(); err != nil {
		return err
	}
	next, err := receiveSASL[*pgproto3.AuthenticationSASLContinue](f)
	if err != nil {
		return err
	}
	final, err := x.Final(next.Data)
	if err != nil {
		return fmt.Errorf("%w: %w", lab.ErrUnauthorized, err)
	}
	f.Send(&pgproto3.SASLResponse{Data: final})
	if err := f.Flush(); err != nil {
		return err
	}
	end, err := receiveSASL[*pgproto3.AuthenticationSASLFinal](f)
	if err != nil {
		return err
	}
	if err := x.Check(end.Data); err != nil {
		return fmt.Errorf("%w: %w", lab.ErrUnauthorized, err)
	}
	return nil
}

func receiveSASL[T pgproto3.BackendMessage](f *pgproto3.Frontend) (t T, err error) {
	for {
		message, err := f.Receive()
		if err != nil {
			return t, err
		}
		switch m := message.(type) {
		case T:
			return m, nil
		case *pgproto3.NoticeResponse:
		case *pgproto3.ErrorResponse:
			return t, pgconn.ErrorResponseToPgError(m)
		default:
			return t, fmt.Errorf("unexpected answer %T while logging in", m)
		}
	}
}

// certificateHash is tls-server-end-point of RFC 5929: the certificate under its signature's hash, SHA-256 for MD5 and SHA-1; nil when
// the signature has none.
func certificateHash(cert *x509.Certificate) []byte {
	switch cert.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.SHA256WithRSA, x509.ECDSAWithSHA256, x509.SHA256WithRSAPSS:
		h := sha256.Sum256(cert.Raw)
		return h[:]
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		h := sha512.Sum384(cert.Raw)
		return h[:]
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		h := sha512.Sum512(cert.Raw)
		return h[:]
	}
	return nil
}

// close ends the session, and gives back its slot.
func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = s.conn.Close(ctx)
	if s.slot != nil {
		<-s.slot
	}
}

// beside opens a session that its caller's own slot stands for: one who holds a slot and waits for another could wait for ever.
func (c *client) beside(ctx context.Context, database string) (*session, error) {
	return c.open(ctx, database, parameters(c.server.user(), database))
}

// query is a query with parameters, each an array of names.
type query struct {
	sql   string
	names [][]string
}

// ask sends all queries at once and returns their rows.
func (s *session) ask(ctx context.Context, queries ...query) ([][][][]byte, error) {
	b := &pgconn.Batch{}
	for _, q := range queries {
		var values [][]byte
		for _, names := range q.names {
			values = append(values, textArray(names))
		}
		b.ExecParams(q.sql, values, nil, nil, nil)
	}
	return s.results(ctx, s.conn.ExecBatch(ctx, b))
}

// query sends statements without parameters, separated by semicolons, at once and returns their rows.
func (s *session) query(ctx context.Context, sql ...string) ([][][][]byte, error) {
	return s.results(ctx, s.conn.Exec(ctx, strings.Join(sql, ";\n")))
}

func (s *session) results(ctx context.Context, r *pgconn.MultiResultReader) ([][][][]byte, error) {
	if s.client.server.Counters != nil {
		s.client.server.Counters.RoundTrips.Add(1)
	}
	results, err := r.ReadAll()
	if err != nil {
		if s.conn.IsClosed() && !errors.As(err, new(*pgconn.PgError)) {
			err = fmt.Errorf("%w: the connection was lost: %w", lab.ErrUnreachable, err)
		}
		return nil, s.client.fail(ctx, "query", s.database, err)
	}
	out := make([][][][]byte, len(results))
	for i, r := range results {
		out[i] = r.Rows
	}
	return out, nil
}

// exec runs one statement that returns nothing.
func (s *session) exec(ctx context.Context, sql string) error {
	_, err := s.query(ctx, sql)
	return err
}

// rows reads the rows of one question.
func rows[T any](in [][][]byte) ([]T, error) {
	out := make([]T, len(in))
	for i, row := range in {
		if err := catalog.Decode(row, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// textArray writes names as PostgreSQL reads a text[].
func textArray(names []string) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, n := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		for _, c := range []byte(n) {
			if c == '"' || c == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		}
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.Bytes()
}
