package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5/pgproto3"
)

// session is one connection.
type session struct {
	server   *Server
	conn     net.Conn
	b        *pgproto3.Backend
	pid      uint32
	key      uint32
	user     string // session_user
	role     string // current_user
	database string
	settings map[string]string // of this session
	defaults map[string]string // of this session, before anything was set
	app      string

	tx        *state // what this transaction changed; nil: nothing
	block     bool   // between BEGIN and COMMIT
	implicit  bool   // several statements in one request, outside of a block
	failed    bool   // an error happened in the block
	cancelled bool

	prepared map[string]*prepared
	portals  map[string]*portal
	skip     bool // after an error in the extended protocol, until Sync
	selected *result
}

type prepared struct {
	sql    string
	params int
}

type portal struct {
	sql    string
	params [][]byte
}

var errHangUp = errors.New("hang up")

func (s *session) serve(ctx context.Context) {
	s.b = pgproto3.NewBackend(s.conn, s.conn)
	if err := s.startup(); err != nil {
		return
	}
	defer s.leave()
	for {
		m, err := s.b.Receive()
		if err != nil {
			return
		}
		if err := s.handle(m); err != nil {
			return
		}
	}
}

func (s *session) handle(m pgproto3.FrontendMessage) error {
	if s.skip {
		if _, sync := m.(*pgproto3.Sync); !sync {
			if _, bye := m.(*pgproto3.Terminate); bye {
				return errHangUp
			}
			return nil
		}
	}
	switch m := m.(type) {
	case *pgproto3.Query:
		s.request()
		if err := s.simple(m.String); err != nil {
			return err
		}
		return s.ready()
	case *pgproto3.Parse:
		return s.parse(m)
	case *pgproto3.Bind:
		return s.bind(m)
	case *pgproto3.Describe:
		return s.describe(m)
	case *pgproto3.Execute:
		p, ok := s.portals[m.Portal]
		if !ok {
			return s.broken(errorf("34000", "portal %q does not exist", m.Portal))
		}
		s.implicit = !s.block
		return s.execute(p.sql, p.params, false)
	case *pgproto3.Close:
		if m.ObjectType == 'S' {
			delete(s.prepared, m.Name)
		} else {
			delete(s.portals, m.Name)
		}
		s.b.Send(&pgproto3.CloseComplete{})
	case *pgproto3.Flush:
		return s.b.Flush()
	case *pgproto3.Sync:
		s.request()
		if s.implicit {
			s.implicit = false
			if s.skip {
				s.rollback()
			} else {
				s.commit()
			}
		}
		s.skip = false
		return s.ready()
	case *pgproto3.Terminate:
		return errHangUp
	default:
		return s.broken(errorf("0A000", "this server does not know the message %T", m))
	}
	return nil
}

// parse prepares a statement.
func (s *session) parse(m *pgproto3.Parse) error {
	n := 0
	tokens, err := lex(m.Query)
	if err != nil {
		return s.broken(errorf("42601", "%v", err))
	}
	for _, t := range tokens {
		var i int
		if t.kind == param {
			_, _ = fmt.Sscanf(t.text, "$%d", &i)
		}
		n = max(n, i)
	}
	s.prepared[m.Name] = &prepared{m.Query, n}
	s.b.Send(&pgproto3.ParseComplete{})
	return nil
}

// bind gives a prepared statement its parameters.
func (s *session) bind(m *pgproto3.Bind) error {
	p, ok := s.prepared[m.PreparedStatement]
	if !ok {
		return s.broken(errorf("26000", "prepared statement %q does not exist", m.PreparedStatement))
	}
	for _, f := range m.ParameterFormatCodes {
		if f != 0 {
			return s.broken(errorf("0A000", "this server takes parameters in text format only"))
		}
	}
	if len(m.Parameters) != p.params {
		return s.broken(errorf("08P01", "bind message supplies %d parameters, but prepared statement %q "+
			"requires %d", len(m.Parameters), m.PreparedStatement, p.params))
	}
	params := make([][]byte, len(m.Parameters))
	for i, v := range m.Parameters {
		params[i] = append([]byte(nil), v...)
	}
	s.portals[m.DestinationPortal] = &portal{p.sql, params}
	s.b.Send(&pgproto3.BindComplete{})
	return nil
}

// describe sends what a statement takes and returns.
func (s *session) describe(m *pgproto3.Describe) error {
	sql := ""
	if m.ObjectType == 'S' {
		p, ok := s.prepared[m.Name]
		if !ok {
			return s.broken(errorf("26000", "prepared statement %q does not exist", m.Name))
		}
		s.b.Send(&pgproto3.ParameterDescription{ParameterOIDs: paramTypes(p.sql, p.params)})
		sql = p.sql
	} else if p, ok := s.portals[m.Name]; ok {
		sql = p.sql
	}
	if columns := columnsOf(sql); columns != nil {
		s.b.Send(rowDescription(columns))
	} else {
		s.b.Send(&pgproto3.NoData{})
	}
	return nil
}

// broken sends an error in the extended protocol.
func (s *session) broken(e *sqlError) error {
	s.sendError(e)
	s.skip = true
	s.failed = s.block
	return s.b.Flush()
}

func (s *session) request() {
	s.server.mu.Lock()
	s.server.counters.Requests++
	s.server.mu.Unlock()
	s.server.faults.Delay()
}

// simple runs the statements of a simple query. More than one are one transaction, unless they say
// otherwise.
func (s *session) simple(sql string) error {
	statements, err := split(sql)
	if err != nil {
		s.sendError(errorf("42601", "%v", err))
		return nil
	}
	if len(statements) == 0 {
		s.b.Send(&pgproto3.EmptyQueryResponse{})
		return nil
	}
	s.implicit = len(statements) > 1 && !s.block
	for _, one := range statements {
		if err := s.execute(one, nil, true); err != nil {
			return err
		}
		if s.skip { // an error ends the whole query
			s.skip = false
			if s.implicit && !s.block {
				s.rollback()
			}
			s.implicit = false
			return nil
		}
	}
	if s.implicit && !s.block {
		s.commit()
	}
	s.implicit = false
	return nil
}

// execute runs one statement and sends its result. An error of the statement is sent; an error
// returned ends the connection.
func (s *session) execute(sql string, params [][]byte, describe bool) error {
	how, fails := s.server.due(sql, params)
	if fails && how != LoseAfter {
		if how == Terminate {
			s.sendError(&sqlError{code: "57P01", message: "terminating connection due to administrator command",
				fatal: true})
			_ = s.b.Flush()
		}
		return errHangUp
	}
	result, e := s.run(sql, params)
	if fails {
		return errHangUp
	}
	if e != nil {
		s.sendError(e)
		s.skip = true
		if s.block {
			s.failed = true
		} else if !s.implicit {
			s.rollback()
		}
		if e.fatal {
			_ = s.b.Flush()
			return errHangUp
		}
		return nil
	}
	if result.columns != nil {
		if describe {
			s.b.Send(rowDescription(result.columns))
		}
		for _, row := range result.rows {
			s.b.Send(&pgproto3.DataRow{Values: row})
		}
	}
	s.b.Send(&pgproto3.CommandComplete{CommandTag: []byte(result.tag)})
	return nil
}

func (s *session) ready() error {
	status := byte('I')
	switch {
	case s.block && s.failed:
		status = 'E'
	case s.block:
		status = 'T'
	}
	s.b.Send(&pgproto3.ReadyForQuery{TxStatus: status})
	return s.b.Flush()
}

func (s *session) sendError(e *sqlError) {
	severity := "ERROR"
	if e.fatal {
		severity = "FATAL"
	}
	s.b.Send(&pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: e.code,
		Message: e.message, Detail: e.detail})
}

func (s *session) refuse(e *sqlError) error {
	e.fatal = true
	s.sendError(e)
	_ = s.b.Flush()
	return e
}

// leave ends the session: what is not committed is rolled back, and locks are freed.
func (s *session) leave() {
	s.rollback()
	s.server.mu.Lock()
	delete(s.server.sessions, s.pid)
	s.unlock(func(advisoryLock) bool { return true })
	s.server.mu.Unlock()
}
