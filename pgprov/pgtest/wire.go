package pgtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login/scram"
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
	case *pgproto3.Bind:
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
	case *pgproto3.Describe:
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

type column struct {
	name string
	oid  uint32
}

func rowDescription(columns []column) *pgproto3.RowDescription {
	d := &pgproto3.RowDescription{}
	for _, c := range columns {
		size := int16(-1)
		switch c.oid {
		case oidBool:
			size = 1
		case oidInt4:
			size = 4
		}
		d.Fields = append(d.Fields, pgproto3.FieldDescription{Name: []byte(c.name), DataTypeOID: c.oid,
			DataTypeSize: size, TypeModifier: -1})
	}
	return d
}

const (
	oidBool      = 16
	oidInt4      = 23
	oidText      = 25
	oidTextArray = 1009
)

// startup logs in.
func (s *session) startup() error {
	var params map[string]string
	for params == nil {
		m, err := s.b.ReceiveStartupMessage()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *pgproto3.SSLRequest, *pgproto3.GSSEncRequest:
			if _, err := s.conn.Write([]byte("N")); err != nil {
				return err
			}
		case *pgproto3.CancelRequest:
			s.server.cancel(m)
			return errHangUp
		case *pgproto3.StartupMessage:
			params = m.Parameters
		}
	}
	s.user, s.database = params["user"], params["database"]
	if s.database == "" {
		s.database = s.user
	}
	s.server.mu.Lock()
	full := len(s.server.sessions) >= s.server.config.MaxConnections
	world := s.server.committed
	s.server.mu.Unlock()
	if s.server.faults.Refused() || full {
		return s.refuse(errorf("53300", "sorry, too many clients already"))
	}
	if err := s.authenticate(world); err != nil {
		return err
	}
	return s.enter(params)
}

func (s *session) authenticate(world *state) error {
	r, known := world.roles[s.user]
	v, stored := scram.ParseVerifier(r.Verifier)
	valid := known && stored && (r.until.IsZero() || r.until.After(time.Now()))
	if !stored {
		v = s.server.verifier
	}
	s.b.Send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{scram.Mechanism}})
	if err := s.b.Flush(); err != nil {
		return err
	}
	if err := s.b.SetAuthType(pgproto3.AuthTypeSASL); err != nil {
		return err
	}
	m, err := s.b.Receive()
	if err != nil {
		return err
	}
	first, ok := m.(*pgproto3.SASLInitialResponse)
	if !ok || first.AuthMechanism != scram.Mechanism {
		return s.refuse(errorf("08P01", "client selected an invalid SASL authentication mechanism"))
	}
	x := scram.NewServer(v)
	reply, err := x.First(first.Data)
	if err != nil {
		return s.refuse(errorf("08P01", "%v", err))
	}
	s.b.Send(&pgproto3.AuthenticationSASLContinue{Data: reply})
	if err := s.b.Flush(); err != nil {
		return err
	}
	if err := s.b.SetAuthType(pgproto3.AuthTypeSASLContinue); err != nil {
		return err
	}
	if m, err = s.b.Receive(); err != nil {
		return err
	}
	final, ok := m.(*pgproto3.SASLResponse)
	if !ok {
		return s.refuse(errorf("08P01", "expected SASL response"))
	}
	end, err := x.Final(final.Data)
	if err != nil || !valid {
		return s.refuse(errorf("28P01", "password authentication failed for user %q", s.user))
	}
	s.b.Send(&pgproto3.AuthenticationSASLFinal{Data: end})
	return nil
}

// startupParameters are those that a client may set in the startup packet here.
var startupParameters = strings.Fields(`user database application_name client_encoding datestyle timezone role
search_path standard_conforming_strings default_transaction_isolation default_transaction_read_only statement_timeout
lock_timeout idle_in_transaction_session_timeout idle_session_timeout quote_all_identifiers extra_float_digits`)

// enter admits a user who proved who he is.
func (s *session) enter(params map[string]string) error {
	s.server.mu.Lock()
	world := s.server.committed
	r, ok := world.roles[s.user]
	d := world.databases[s.database]
	s.server.mu.Unlock()
	if !ok || !r.Login {
		return s.refuse(errorf("28000", "role %q is not permitted to log in", s.user))
	}
	if d == nil {
		return s.refuse(errorf("3D000", "database %q does not exist", s.database))
	}
	if !d.AllowConnections {
		return s.refuse(errorf("55000", "database %q is not currently accepting connections", s.database))
	}
	if !world.may(s.user, "CONNECT", "database", object{d.Owner, d.acl}, s.server.config.Major) {
		e := denied("database", `"`+s.database+`"`)
		e.detail = "User does not have CONNECT privilege."
		return s.refuse(e)
	}
	s.role = s.user
	for _, set := range []map[string]string{d.settings, r.settings} {
		for name, value := range set {
			s.settings[name] = value
		}
	}
	for name, value := range params {
		name = strings.ToLower(name)
		known := false
		for _, p := range startupParameters {
			known = known || p == name
		}
		if !known {
			return s.refuse(errorf("42704", "unrecognized configuration parameter %q", name))
		}
		s.settings[name] = value
	}
	s.app = s.settings["application_name"]
	if to := s.settings["role"]; to != "" && to != "none" {
		if _, ok := world.roles[to]; ok && world.canSet(s.user, to) { // else PostgreSQL warns and goes on
			s.role = to
		}
	}
	s.server.mu.Lock()
	if len(s.server.sessions) >= s.server.config.MaxConnections { // others were quicker to prove who they are
		s.server.mu.Unlock()
		return s.refuse(errorf("53300", "sorry, too many clients already"))
	}
	s.server.nextPID++
	s.pid, s.key = s.server.nextPID, s.server.nextPID^0x5bd1e995
	s.server.sessions[s.pid] = s
	s.server.counters.Connections++
	s.server.counters.MostOpen = max(s.server.counters.MostOpen, len(s.server.sessions))
	s.server.mu.Unlock()
	s.b.Send(&pgproto3.AuthenticationOk{})
	for name, value := range map[string]string{"server_version": fmt.Sprintf("%d.0", s.server.config.Major),
		"server_encoding": d.Encoding, "client_encoding": "UTF8", "standard_conforming_strings": "on",
		"integer_datetimes": "on", "DateStyle": "ISO, YMD", "TimeZone": "UTC"} {
		s.b.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	s.b.Send(&pgproto3.BackendKeyData{ProcessID: s.pid, SecretKey: binary.BigEndian.AppendUint32(nil, s.key)})
	return s.ready()
}

// leave ends the session: what is not committed is undone, and locks are freed.
func (s *session) leave() {
	s.rollback()
	s.server.mu.Lock()
	delete(s.server.sessions, s.pid)
	for k, l := range s.server.advisory {
		if l.holder == s {
			delete(s.server.advisory, k)
		}
	}
	s.server.changed.Broadcast()
	s.server.mu.Unlock()
}

func (s *Server) cancel(m *pgproto3.CancelRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.sessions[m.ProcessID]; ok && len(m.SecretKey) == 4 && binary.BigEndian.Uint32(m.SecretKey) == c.key {
		c.cancelled = true
		s.changed.Broadcast()
	}
}

var _ io.Closer = (*Server)(nil)
