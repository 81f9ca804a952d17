// Package login opens a connection to a PostgreSQL server that is ready for its first request. It
// does itself what pgconn.Connect does, because that reads the environment and files of the user,
// and stretches the password again for each of a thousand connections.
package login

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgproto3"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login/scram"
)

// Config says which server to log in to, and how. It is safe for concurrent use.
type Config struct {
	Boundary         lab.Dialer
	Network, Address string          // what Boundary dials
	Host             string          // by which the certificate is verified where TLS names no server
	Port             uint16          // for error messages of pgconn
	TLS              *tls.Config     // nil: the connection is not encrypted
	Password         *scram.Password // nil: none
}

// timeout is how long a login may take.
const timeout = 20 * time.Second

// Connect logs in. The parameters are those of the session, user and database among them. Whatever
// the error, it is safe to log in again; the connection is closed then. What PostgreSQL says is a
// [*pgconn.PgError].
func (c *Config) Connect(ctx context.Context, params map[string]string) (*pgconn.HijackedConn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w after %s", lab.ErrTimeout, timeout))
	defer cancel()
	conn, err := c.dial(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	h, err := c.start(conn, params)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return h, nil
}

func (c *Config) dial(ctx context.Context) (net.Conn, error) {
	conn, err := c.Boundary.DialContext(ctx, c.Network, c.Address)
	if err != nil {
		return nil, err
	}
	if c.TLS == nil {
		return conn, nil
	}
	secured, err := c.encrypt(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// start sends the startup packet and logs in.
func (c *Config) start(conn net.Conn, params map[string]string) (*pgconn.HijackedConn, error) {
	f := pgproto3.NewFrontend(conn, conn)
	f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: params})
	if err := f.Flush(); err != nil {
		return nil, err
	}
	h := &pgconn.HijackedConn{Conn: conn, Config: c.pgconn(params),
		ParameterStatuses: map[string]string{}, CustomData: map[string]any{}}
	if _, ok := conn.(*tls.Conn); ok {
		h.TLSConfig = c.TLS
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
		case *pgproto3.AuthenticationCleartextPassword, *pgproto3.AuthenticationMD5Password,
			*pgproto3.AuthenticationGSS:
			return nil, fmt.Errorf("%w: the server asks for a login other than SCRAM-SHA-256, "+
				"which would give the password away", lab.ErrUnauthorized)
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

// pgconn is what pgconn needs of a connection that it did not make itself.
func (c *Config) pgconn(params map[string]string) *pgconn.Config {
	return &pgconn.Config{
		Host: c.Host, Port: c.Port, Database: params["database"], User: params["user"],
		DialFunc: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.Boundary.DialContext(ctx, c.Network, c.Address)
		}, // to cancel a statement
		BuildFrontend: pgproto3.NewFrontend,
		BuildContextWatcherHandler: func(p *pgconn.PgConn) ctxwatch.Handler {
			return &pgconn.DeadlineContextWatcherHandler{Conn: p.Conn()}
		},
		OnPgError: func(_ *pgconn.PgConn, e *pgconn.PgError) bool {
			return e.Severity != "FATAL" && e.Severity != "PANIC"
		},
	}
}
