package pgprov

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// kinds are the SQLSTATEs that say what kind of failure it is, and what to do about it.
var kinds = map[string]struct {
	kind error
	hint string
}{
	"28000": {lab.ErrUnauthorized, "check the role and the server's pg_hba.conf"},
	"28P01": {lab.ErrUnauthorized, "check the password"},
	"42501": {lab.ErrUnauthorized, "log in as a superuser"},
	"3D000": {lab.ErrNotFound, ""},
	"53300": {lab.ErrBlocked, "raise max_connections, or end sessions that nobody needs"},
	"55006": {lab.ErrBlocked, "end the sessions that use it"},
	"55P03": {lab.ErrBlocked, "see in pg_stat_activity and pg_locks who holds the lock"},
	"57P01": {lab.ErrUnreachable, "run it again: it continues from here"},
	"57P02": {lab.ErrUnreachable, "run it again: it continues from here"},
	"57P03": {lab.ErrBlocked, "wait until the server has started, and run it again"},
	"25006": {lab.ErrBlocked, "connect to the primary"},
	"42704": {lab.ErrNotFound, ""},
	"42710": {lab.ErrConflict, ""},
	"42P04": {lab.ErrConflict, ""},
	"2BP01": {lab.ErrConflict, "look at what depends on it, and remove that first"},
	"58P01": {lab.ErrNotFound, "install the package that holds the extension"},
	"0A000": {lab.ErrInvalid, ""},
	"22023": {lab.ErrInvalid, "check encoding and locale"},
}

// kindf returns an error of a kind: what format says, behind the kind.
func kindf(kind error, format string, args ...any) error {
	return fmt.Errorf("%w: %w", kind, fmt.Errorf(format, args...))
}

// invalid returns the problems of what the server was given as an error, nil when there are none.
func (s *Server) invalid(ps lab.Problems) error {
	if len(ps) == 0 {
		return nil
	}
	return &lab.Error{Op: "validate spec", Target: s.target(), Err: ps.Err()}
}

// fail returns err as a [lab.Error] of an operation in a database, of the kind of its SQLSTATE. An
// error that is one already is returned as it is.
func (c *client) fail(ctx context.Context, op, database string, err error) error {
	if err == nil {
		return nil
	}
	if already := (*lab.Error)(nil); errors.As(err, &already) && !errors.Is(err, lab.ErrInvalid) {
		return err
	}
	e := &lab.Error{Op: op, Target: c.server.target(), Path: database, Err: err}
	var pg *pgconn.PgError
	var network net.Error
	switch {
	case ctx.Err() != nil:
		e.Err = context.Cause(ctx)
	case errors.As(err, &pg):
		k := kinds[pg.Code]
		e.Hint = k.hint
		e.Err = &ServerError{Code: pg.Code, Message: pg.Message, Detail: pg.Detail, kind: k.kind, cause: err}
	case errors.Is(err, lab.ErrUnauthorized), errors.Is(err, lab.ErrRefused):
	case errors.Is(err, lab.ErrUnreachable):
		e.Hint = "run it again: it continues from here"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &network), pgconn.Timeout(err):
		e.Hint = "check that the server runs and accepts connections there"
		e.Err = fmt.Errorf("%w: %w", lab.ErrUnreachable, err)
	}
	return e
}

// ServerError is what PostgreSQL said. It wraps the sentinel of package lab that fits, and a
// *pgconn.PgError with every field.
type ServerError struct {
	Code    string // SQLSTATE
	Message string
	Detail  string // empty when there is none
	kind    error
	cause   error
}

// Error returns the message, the detail and the SQLSTATE.
func (e *ServerError) Error() string {
	s := e.Message
	if e.Detail != "" {
		s += " (" + strings.ReplaceAll(e.Detail, "\n", "; ") + ")"
	}
	return s + " [" + e.Code + "]"
}

// Unwrap returns the kind, when it is known, and the cause.
func (e *ServerError) Unwrap() []error {
	if e.kind == nil {
		return []error{e.cause}
	}
	return []error{e.kind, e.cause}
}

// raced reports an error that comes of somebody else doing the same at the same time: nothing was
// done, and the next try sees what they did.
func raced(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case "40001", "40P01", // serialization_failure, deadlock_detected
		"42710", "42P04", "42P06", "42723", // duplicate object, database, schema, function
		"23505": // a unique index of a catalog
		return true
	case "XX000":
		return strings.HasPrefix(e.Message, "tuple concurrently ") // of a catalog; it has no SQLSTATE of its own
	}
	return false
}
