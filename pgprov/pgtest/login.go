package pgtest

import (
	"encoding/binary"
	"fmt"
	"maps"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login/scram"
	"github.com/jackc/pgx/v5/pgproto3"
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
	for name := range settings {
		if k, ok := s.knownSetting(name); ok {
			s.settings[name] = k.usual
		}
	}
	given := map[string]bool{}
	for name, value := range params {
		name = strings.ToLower(name)
		given[name] = true
		if _, ok := s.knownSetting(name); !ok && name != "user" && name != "database" && name != "role" {
			return s.refuse(errorf("42704", "unrecognized configuration parameter %q", name))
		}
		s.settings[name] = value
	}
	s.defaults = maps.Clone(s.settings)
	for _, set := range []map[string]string{d.settings, r.settings} {
		for name, value := range set {
			if !given[name] { // the client's own come first
				s.settings[name] = value
			}
		}
	}
	if lib := s.settings["local_preload_libraries"]; lib != "" {
		return s.refuse(errorf("58P01", "could not access file %q: No such file or directory", "$libdir/plugins/"+lib))
	}
	s.app = s.settings["application_name"]
	if to := s.settings["role"]; to != "" && to != "none" {
		if _, ok := world.roles[to]; ok && world.canSet(s.user, to) { // otherwise PostgreSQL warns, and ignores it
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

func (s *Server) cancel(m *pgproto3.CancelRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.sessions[m.ProcessID]; ok && len(m.SecretKey) == 4 && binary.BigEndian.Uint32(m.SecretKey) == c.key {
		c.cancelled = true
		s.changed.Broadcast()
	}
}
