package pgtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login/scram"
)

// selected holds the rows of the SELECT that is being run.
func (s *session) takeSelected() *result {
	r := s.selected
	s.selected = nil
	return r
}

func (s *session) answer(columns []column, rows ...[][]byte) {
	s.selected = &result{tag: fmt.Sprintf("SELECT %d", len(rows)), columns: columns, rows: rows}
}

// selectStatement runs the few SELECTs that are not fixed queries.
func (s *session) selectStatement(p *parser, params [][]byte) {
	switch {
	case p.accept("1"):
		p.done()
		s.answer([]column{{"?column?", oidInt4}}, [][]byte{[]byte("1")})
		return
	case p.accept("session_user", ",", "current_user"):
		p.done()
		s.answer([]column{{"session_user", oidText}, {"current_user", oidText}},
			[][]byte{[]byte(s.user), []byte(s.role)})
		return
	case p.accept("pg_catalog", "."):
		s.selectFunction(p)
		return
	}
	// SELECT uname, phash FROM pgbouncer.user_lookup($1)
	if !p.accept("*") && !p.accept("uname", ",", "phash") {
		p.fail()
	}
	p.expect("from")
	schema, name := p.qualified()
	p.expect("(")
	argument := p.next()
	p.expect(")")
	p.done()
	value := argument.text
	switch {
	case argument.kind == param && argument.text == "$1" && len(params) == 1:
		value = string(params[0])
	case argument.kind != str:
		p.fail()
	}
	s.lookup(schema, name, value)
}

func (s *session) selectFunction(p *parser) {
	name := p.name()
	switch name {
	case "pg_try_advisory_lock", "pg_try_advisory_xact_lock", "pg_advisory_lock", "pg_advisory_xact_lock":
		p.expect("(")
		a := p.number()
		p.expect(",")
		b := p.number()
		p.expect(")")
		p.done()
		got := s.advisoryLock(advisoryKey{s.database, a, b}, strings.Contains(name, "_try_"),
			strings.Contains(name, "_xact_"))
		if strings.Contains(name, "_try_") {
			s.answer([]column{{name, oidBool}}, [][]byte{[]byte(strconv.FormatBool(got)[:1])})
		} else {
			s.answer([]column{{name, oidText}}, [][]byte{{}})
		}
	case "pg_advisory_unlock_all":
		p.expect("(", ")")
		p.done()
		s.server.mu.Lock()
		s.unlock(func(l advisoryLock) bool { return !l.transaction })
		s.server.mu.Unlock()
		s.answer([]column{{name, oidText}}, [][]byte{{}})
	case "pg_terminate_backend":
		p.expect("(", "pid", ")", "from", "pg_catalog", ".", "pg_stat_activity", "where", "usename", "=")
		user := p.string()
		p.done()
		s.terminate(user)
	default:
		p.fail()
	}
}

func (p *parser) number() int32 {
	t := p.next()
	n, err := strconv.ParseInt(t.text, 10, 32)
	if t.kind != number || err != nil {
		p.fail()
	}
	return int32(n)
}

// advisoryLock takes a lock; only the functions that try can fail to.
func (s *session) advisoryLock(k advisoryKey, try, transaction bool) bool {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	free := func() bool { l, held := s.server.advisory[k]; return !held || l.holder == s }
	if try && !free() {
		return false
	}
	s.await(free)
	l := s.server.advisory[k]
	s.server.advisory[k] = advisoryLock{s, l.count + 1, transaction && (l.count == 0 || l.transaction)}
	return true
}

// unlock frees the session's advisory locks of a kind, with the server locked.
func (s *session) unlock(which func(advisoryLock) bool) {
	for k, l := range s.server.advisory {
		if l.holder == s && which(l) {
			delete(s.server.advisory, k)
		}
	}
	s.server.changed.Broadcast()
}

// terminate ends the sessions of a user, if this one may.
func (s *session) terminate(user string) {
	world := s.view()
	if !s.superuser() && (world.roles[user].Superuser ||
		!world.hasPrivilegesOf(s.role, "pg_signal_backend", s.major()) &&
			!world.hasPrivilegesOf(s.role, user, s.major())) {
		if s.count(func(o *session) bool { return o.user == user }) > 0 {
			panic(errorf(codeDenied, "permission denied to terminate process"))
		}
	}
	s.server.mu.Lock()
	var rows [][][]byte
	for _, o := range s.server.sessions {
		if o.user == user && o != s {
			o.conn.Close()
			rows = append(rows, [][]byte{[]byte("t")})
		}
	}
	s.server.mu.Unlock()
	s.answer([]column{{"pg_terminate_backend", oidBool}}, rows...)
}

// lookup calls user_lookup(). Only bodies that are known can be run.
func (s *session) lookup(schema, name, value string) {
	world := s.view()
	d := world.databases[s.database]
	candidates := []string{schema}
	if schema == "" {
		candidates = s.searchPath()
	}
	for _, candidate := range candidates {
		o, ok := d.schemas[candidate]
		if !ok {
			continue
		}
		if !world.may(s.role, "USAGE", "schema", s.owned(d, o), s.major()) {
			if schema == "" {
				continue
			}
			panic(denied("schema", candidate))
		}
		n := slices.IndexFunc(d.functions, func(f function) bool {
			return string(f.Schema) == candidate && f.name == name && f.Arguments == "25"
		})
		if n < 0 {
			continue
		}
		f := d.functions[n]
		if !world.may(s.role, "EXECUTE", "function", f.object, s.major()) {
			panic(denied("function", name))
		}
		as := s.role
		if f.Definer {
			as = f.owner
		}
		s.answer(lookupColumns, lookupRows(world, f, as, value, s.major())...)
		return
	}
	if _, ok := d.schemas[schema]; schema != "" && !ok {
		panic(errorf("3F000", "schema %q does not exist", schema))
	}
	panic(errorf("42883", "function %s(text) does not exist", strings.TrimPrefix(schema+"."+name, ".")))
}

func (s *session) searchPath() (out []string) {
	path, ok := s.settings["search_path"]
	if !ok {
		path = "public"
	}
	for _, p := range strings.Split(path, ",") {
		out = append(out, strings.Trim(strings.TrimSpace(p), `"`))
	}
	return out
}

// OldBody is the body of the user_lookup() that older modules installed in the schema public: it
// lets expired users in.
const OldBody = `SELECT usename::text, passwd::text FROM pg_catalog.pg_shadow WHERE usename = i_username`

// lookupRows is what a known body of user_lookup() returns, run as a role.
func lookupRows(world *state, f function, as, value string, version int) [][][]byte {
	body := catalog.Squash(f.Source)
	nothing := [][][]byte{{nil, nil}} // a function that returns a record and not a set returns one in any case
	if !world.roles[as].Superuser {
		table := "pg_authid"
		if body == catalog.Squash(OldBody) {
			table = "pg_shadow"
		}
		panic(denied("table", table))
	}
	r, ok := world.roles[value]
	if !ok || !r.Login {
		return nothing
	}
	row := [][]byte{[]byte(r.Name), []byte(r.Verifier)}
	if r.Verifier == "" {
		row[1] = nil
	}
	if body == catalog.Squash(OldBody) {
		return [][][]byte{row}
	}
	const membersOnly = " AND pg_catalog.pg_has_role(oid, '"
	if i := strings.Index(body, membersOnly); i >= 0 {
		owner := strings.TrimSuffix(body[i+len(membersOnly):], "', 'MEMBER')")
		if body != catalog.Squash(catalog.LookupBody(owner)) {
			panic(errorf("0A000", "this server cannot run the body of %s", f.Identity))
		}
		if !world.reaches(value, owner, anyMembership) {
			return nothing
		}
	} else if body != catalog.Squash(catalog.LookupBody("")) {
		panic(errorf("0A000", "this server cannot run the body of %s", f.Identity))
	}
	switch {
	case r.Superuser || r.Replication:
		return nothing
	case !r.until.IsZero() && r.until.Before(time.Now()):
		row[1] = nil
	}
	return [][][]byte{row}
}

// storedPassword is what a server stores of a password that it is given.
func storedPassword(text string) string {
	if _, ok := scram.ParseVerifier(text); ok || text == "" {
		return text
	}
	return scram.NewVerifier(text).String()
}
