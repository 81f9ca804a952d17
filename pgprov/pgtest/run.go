package pgtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login/scram"
)

// result is what a statement returns.
type result struct {
	tag     string
	columns []column
	rows    [][][]byte
}

// run runs one statement.
func (s *session) run(sql string, params [][]byte) (r result, e *sqlError) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case syntaxError:
			e = errorf("0A000", "this server does not know this statement, at %q: %s", v.near, sql)
		case *sqlError:
			e = v
		default:
			panic(v)
		}
		if e == nil && s.tx != nil && !s.block && !s.implicit {
			s.commit()
		}
	}()
	tokens, err := lex(sql)
	if err != nil {
		return r, errorf("42601", "%v", err)
	}
	p := &parser{tokens: tokens, sql: sql}
	if s.failed && !p.accept("rollback") && !p.accept("commit") {
		return r, errorf("25P02", "current transaction is aborted, commands ignored until end of transaction block")
	}
	p.tokens = tokens
	if q, ok := s.question(sql, params); ok {
		return q, nil
	}
	return result{tag: s.statement(p, params)}.orRows(s), nil
}

// orRows returns the rows that a SELECT left behind.
func (r result) orRows(s *session) result {
	if selected := s.takeSelected(); selected != nil {
		return *selected
	}
	return r
}

// statement runs a statement that is none of the fixed questions, and returns its tag. It panics
// with a *sqlError.
func (s *session) statement(p *parser, params [][]byte) string {
	switch {
	case p.accept("begin"), p.accept("start", "transaction"):
		p.done()
		s.block = true
		return "BEGIN"
	case p.accept("commit"):
		p.done()
		failed := s.failed
		s.block, s.failed = false, false
		if failed {
			s.rollback()
			return "ROLLBACK"
		}
		s.commit()
		return "COMMIT"
	case p.accept("rollback"):
		p.done()
		s.block, s.failed = false, false
		s.rollback()
		return "ROLLBACK"
	case p.accept("set"), p.accept("reset"):
		return s.set(p)
	case p.accept("select"):
		s.selectStatement(p, params)
		return "SELECT"
	case p.accept("create", "role"), p.accept("create", "user"):
		s.createRole(p)
		return "CREATE ROLE"
	case p.accept("alter", "role"), p.accept("alter", "user"):
		s.alterRole(p)
		return "ALTER ROLE"
	case p.accept("drop", "role"), p.accept("drop", "user"):
		s.dropRole(p)
		return "DROP ROLE"
	case p.accept("create", "database"):
		s.createDatabase(p)
		return "CREATE DATABASE"
	case p.accept("alter", "database"):
		s.alterDatabase(p)
		return "ALTER DATABASE"
	case p.accept("drop", "database"):
		s.dropDatabase(p)
		return "DROP DATABASE"
	case p.accept("grant"):
		return s.grant(p)
	case p.accept("revoke"):
		return s.revoke(p)
	case p.accept("create", "schema"):
		s.createSchema(p)
		return "CREATE SCHEMA"
	case p.accept("alter", "schema"):
		s.alterSchema(p)
		return "ALTER SCHEMA"
	case p.accept("drop", "schema"):
		s.dropSchema(p)
		return "DROP SCHEMA"
	case p.accept("create", "extension"):
		s.createExtension(p)
		return "CREATE EXTENSION"
	case p.accept("create", "or", "replace", "function"):
		s.createFunction(p, true)
		return "CREATE FUNCTION"
	case p.accept("create", "function"):
		s.createFunction(p, false)
		return "CREATE FUNCTION"
	case p.accept("alter", "function"):
		s.alterFunction(p)
		return "ALTER FUNCTION"
	case p.accept("drop", "function"), p.accept("drop", "routine"):
		s.dropFunction(p)
		return "DROP FUNCTION"
	case p.accept("create", "table"):
		s.createTable(p)
		return "CREATE TABLE"
	case p.accept("reassign", "owned", "by"):
		s.reassignOwned(p)
		return "REASSIGN OWNED"
	case p.accept("drop", "owned", "by"):
		s.dropOwned(p)
		return "DROP OWNED"
	}
	p.fail()
	return ""
}

// view is what this session sees.
func (s *session) view() *state {
	if s.tx != nil {
		return s.tx
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	return s.server.committed
}

// write returns the state for changing. One session changes it at a time: the others wait for its
// commit, as they would on a real server for the rows that it has locked.
func (s *session) write() *state {
	if s.server.config.InRecovery {
		panic(errorf("25006", "cannot execute this statement in a read-only transaction"))
	}
	if s.tx != nil {
		return s.tx
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.await(func() bool { return s.server.writer == nil })
	s.server.writer = s
	s.tx = s.server.committed.clone()
	return s.tx
}

// await waits, with the server locked, until ready, or panics as PostgreSQL would end the statement.
func (s *session) await(ready func() bool) {
	limit := s.lockTimeout()
	var late bool
	if limit > 0 && !ready() {
		t := time.AfterFunc(limit, func() {
			s.server.mu.Lock()
			late = true
			s.server.changed.Broadcast()
			s.server.mu.Unlock()
		})
		defer t.Stop()
	}
	for !ready() {
		switch {
		case s.server.closed:
			panic(&sqlError{code: "57P01", message: "terminating connection due to administrator command", fatal: true})
		case s.cancelled:
			s.cancelled = false
			panic(errorf("57014", "canceling statement due to user request"))
		case late:
			panic(errorf("55P03", "canceling statement due to lock timeout"))
		}
		s.server.changed.Wait()
	}
}

func (s *session) lockTimeout() time.Duration {
	v := s.settings["lock_timeout"]
	if d, err := time.ParseDuration(v); err == nil {
		return d
	}
	n, _ := strconv.Atoi(v)
	return time.Duration(n) * time.Millisecond
}

func (s *session) commit() {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.tx != nil {
		s.server.committed = s.tx
		s.server.counters.Writes++
	}
	s.release()
}

func (s *session) rollback() {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.release()
}

// release ends the transaction, with the server locked.
func (s *session) release() {
	s.tx = nil
	if s.server.writer == s {
		s.server.writer = nil
	}
	for k, l := range s.server.advisory {
		if l.holder == s && l.transaction {
			delete(s.server.advisory, k)
		}
	}
	s.server.changed.Broadcast()
}

func (s *session) superuser() bool { return s.view().roles[s.role].Superuser }
func (s *session) major() int      { return s.server.config.Major }

// question answers one of the questions of package catalog, which are known by their text.
func (s *session) question(sql string, params [][]byte) (result, bool) {
	f, ok := questions[s.majorText(sql)]
	if !ok {
		return result{}, false
	}
	arrays := make([][]string, len(params))
	for n, v := range params {
		arrays[n] = readArray(string(v))
	}
	rows := f(s, s.view(), arrays)
	r := result{tag: fmt.Sprintf("SELECT %d", len(rows)), columns: questionColumns(sql)}
	for _, row := range rows {
		r.rows = append(r.rows, catalog.Encode(row))
	}
	return r, true
}

// majorText is the text, or nothing when it asks for columns that this version does not have.
func (s *session) majorText(sql string) string {
	version := s.major() * 10000
	switch {
	case sql == catalog.MembershipsQuery(160000) && s.major() < 16,
		sql == catalog.DatabasesQuery(170000) && s.major() < 17,
		sql == catalog.DatabasesQuery(150000) && s.major() >= 17:
		return ""
	case sql == catalog.MembershipsQuery(version):
		return catalog.MembershipsQuery(180000)
	case sql == catalog.DatabasesQuery(version):
		return catalog.DatabasesQuery(180000)
	}
	return sql
}

// readArray reads a text[] in the form in which package pgprov writes it.
func readArray(text string) []string {
	var out []string
	var b strings.Builder
	inside := false
	for i := 1; i < len(text)-1; i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == '"' && inside:
			out = append(out, b.String())
			b.Reset()
			inside = false
		case c == '"':
			inside = true
		case inside:
			b.WriteByte(c)
		}
	}
	return out
}

type answerer func(s *session, world *state, params [][]string) []any

var questions = map[string]answerer{
	catalog.ServerQuery: func(s *session, world *state, _ [][]string) []any {
		s.server.mu.Lock()
		n := len(s.server.sessions)
		s.server.mu.Unlock()
		return []any{catalog.Server{Version: s.major() * 10000, Identity: s.server.config.Identity,
			InRecovery: s.server.config.InRecovery, User: s.role,
			Superuser: world.roles[s.role].Superuser, MaxConnections: s.server.config.MaxConnections, Reserved: 3,
			Connections: n}}
	},
	catalog.SuperusersQuery: func(s *session, world *state, _ [][]string) (out []any) {
		s.needSuperuser("table pg_authid")
		for _, n := range sortedKeys(world.roles) {
			if r := world.roles[n]; r.Superuser {
				out = append(out, catalog.Superuser{Name: n, Bootstrap: r.bootstrap})
			}
		}
		return out
	},
	catalog.RolesQuery: func(s *session, world *state, params [][]string) (out []any) {
		s.needSuperuser("table pg_authid")
		for _, n := range sortedKeys(world.roles) {
			r := world.roles[n].Role
			r.HasPassword = r.Verifier != ""
			asked := slices.Contains(params[1], n)
			if !asked {
				r.Verifier = ""
			}
			if asked || slices.Contains(params[0], n) {
				out = append(out, r)
			}
		}
		return out
	},
	catalog.MembershipsQuery(180000): func(s *session, world *state, params [][]string) (out []any) {
		s.needSuperuser("table pg_authid")
		for _, m := range world.members {
			interesting := slices.Contains(params[1], m.Role) || strings.HasPrefix(m.Role, "pg_") ||
				world.roles[m.Role].Superuser
			if slices.Contains(params[0], m.Member) && interesting || slices.Contains(params[2], m.Member) {
				if s.major() < 16 {
					m.Inherit, m.Set = false, true
				}
				out = append(out, m)
			}
		}
		return out
	},
	catalog.DatabasesQuery(180000): func(_ *session, world *state, params [][]string) (out []any) {
		for _, n := range sortedKeys(world.databases) {
			if slices.Contains(params[0], n) {
				out = append(out, world.databases[n].Database)
			}
		}
		return out
	},
	catalog.DatabaseGrantsQuery: func(_ *session, world *state, params [][]string) (out []any) {
		for _, n := range sortedKeys(world.databases) {
			if d := world.databases[n]; slices.Contains(params[0], n) {
				for _, g := range d.acl.or("database", d.Owner) {
					out = append(out, catalog.DatabaseGrant{Database: n, Grant: g})
				}
			}
		}
		return out
	},
	catalog.AvailableExtensionsQuery: func(s *session, _ *state, params [][]string) (out []any) {
		for _, n := range append([]string{"plpgsql"}, s.server.config.Extensions...) {
			if slices.Contains(params[0], n) {
				out = append(out, catalog.Name{Name: n})
			}
		}
		return out
	},
	catalog.PlaceQuery: func(s *session, _ *state, _ [][]string) []any {
		return []any{catalog.Place{Identity: s.server.config.Identity, Database: s.database}}
	},
	catalog.SchemaQuery: func(s *session, world *state, _ [][]string) (out []any) {
		o, ok := world.databases[s.database].schemas["pgbouncer"]
		if !ok {
			return nil
		}
		for _, g := range grantsOf(o, "schema") {
			out = append(out, catalog.SchemaGrant{Owner: catalog.Ident(o.owner), Grant: g})
		}
		return out
	},
	catalog.FunctionsQuery: func(s *session, world *state, _ [][]string) (out []any) {
		for _, f := range world.databases[s.database].functions {
			if f.name != "user_lookup" {
				continue
			}
			for _, g := range grantsOf(f.object, "function") {
				row := f.FunctionGrant
				if s.settings["quote_all_identifiers"] == "on" {
					row.Identity = quoteAll(string(f.Schema)) + "." + quoteAll(f.name) +
						row.Identity[strings.Index(row.Identity, "("):]
				}
				row.Owner, row.Grant = catalog.Ident(f.owner), g
				out = append(out, row)
			}
		}
		return out
	},
	catalog.ExtensionsQuery: func(s *session, world *state, _ [][]string) (out []any) {
		for _, n := range world.databases[s.database].extensions {
			out = append(out, catalog.Name{Name: n})
		}
		return out
	},
	catalog.ExpiredQuery: func(s *session, world *state, params [][]string) (out []any) {
		s.needSuperuser("table pg_authid")
		seconds, _ := strconv.ParseFloat(params[1][0], 64)
		before := time.Now().Add(-time.Duration(seconds * float64(time.Second)))
		for _, n := range sortedKeys(world.roles) {
			r := world.roles[n]
			power := r.Superuser || r.CreateRole || r.CreateDB || r.Replication || r.BypassRLS
			if strings.HasPrefix(n, params[0][0]) && r.Login && !power && !r.until.IsZero() && r.until.Before(before) {
				out = append(out, catalog.Expired{Name: n, ValidUntil: r.ValidUntil,
					Sessions: s.count(func(o *session) bool { return o.user == n })})
			}
		}
		return out
	},
	catalog.HoldingsQuery: func(s *session, world *state, params [][]string) (out []any) {
		s.needSuperuser("table pg_authid")
		for _, n := range params[0] {
			held := world.holdings(n)
			for _, d := range sortedKeys(held) {
				h := catalog.Holding{Role: n, Database: d}
				if d != "" {
					h.Owner = world.databases[d].Owner
				}
				out = append(out, h)
			}
		}
		return out
	},
	catalog.SessionsQuery: func(s *session, world *state, params [][]string) (out []any) {
		s.needSuperuser("table pg_authid")
		found := map[catalog.Session]int{}
		s.server.mu.Lock()
		for _, o := range s.server.sessions {
			member := slices.ContainsFunc(world.members, func(m catalog.Membership) bool {
				u := world.roles[m.Member]
				return m.Member == o.user && slices.Contains(params[1], m.Role) && !u.CreateRole && !u.Superuser
			})
			if !(o.user == s.user && o.app == s.app) && (member || slices.Contains(params[0], o.database)) {
				found[catalog.Session{Database: o.database, User: o.user, Application: o.app}]++
			}
		}
		s.server.mu.Unlock()
		sorted := slices.SortedFunc(maps.Keys(found), func(a, b catalog.Session) int {
			return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(a.User, b.User),
				cmp.Compare(a.Application, b.Application))
		})
		for _, k := range sorted {
			k.Count = found[k]
			out = append(out, k)
		}
		return out
	},
}

func quoteAll(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (s *session) count(is func(*session) bool) (n int) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	for _, o := range s.server.sessions {
		if is(o) {
			n++
		}
	}
	return n
}

// grantsOf are the rows of a left join with aclexplode: one without a grant when there are none.
func grantsOf(o object, kind string) []catalog.Grant {
	if grants := o.acl.or(kind, o.owner); len(grants) > 0 {
		return grants
	}
	return []catalog.Grant{{}}
}

func (s *session) needSuperuser(what string) {
	if !s.superuser() {
		panic(errorf(codeDenied, "permission denied for %s", what))
	}
}

// shapes are the rows that answer the fixed questions.
var shapes = map[string]any{
	catalog.ServerQuery: catalog.Server{}, catalog.SuperusersQuery: catalog.Superuser{},
	catalog.RolesQuery:               catalog.Role{},
	catalog.MembershipsQuery(150000): catalog.Membership{}, catalog.MembershipsQuery(180000): catalog.Membership{},
	catalog.DatabasesQuery(150000): catalog.Database{}, catalog.DatabasesQuery(180000): catalog.Database{},
	catalog.DatabaseGrantsQuery: catalog.DatabaseGrant{}, catalog.AvailableExtensionsQuery: catalog.Name{},
	catalog.PlaceQuery:  catalog.Place{},
	catalog.SchemaQuery: catalog.SchemaGrant{}, catalog.FunctionsQuery: catalog.FunctionGrant{},
	catalog.ExtensionsQuery: catalog.Name{},
	catalog.ExpiredQuery:    catalog.Expired{}, catalog.HoldingsQuery: catalog.Holding{},
	catalog.SessionsQuery: catalog.Session{},
}

// questionColumns describes the rows of a fixed question: all columns are of type text here, which
// clients that read text cannot tell.
func questionColumns(sql string) []column {
	shape, ok := shapes[sql]
	if !ok {
		return nil
	}
	columns := make([]column, len(catalog.Encode(shape)))
	for i := range columns {
		columns[i] = column{fmt.Sprintf("column%d", i+1), oidText}
	}
	return columns
}

// columnsOf describes the rows of a statement that is not run yet; nil when it returns none.
func columnsOf(sql string) []column {
	if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(sql)), "select") {
		return nil
	}
	if strings.Contains(sql, "user_lookup(") && !strings.Contains(sql, "pg_proc") {
		return lookupColumns
	}
	return questionColumns(sql)
}

// paramTypes are the types of a statement's parameters.
func paramTypes(sql string, n int) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		out[i] = oidText
		if strings.Contains(sql, fmt.Sprintf("$%d::text[]", i+1)) {
			out[i] = oidTextArray
		}
	}
	return out
}

var lookupColumns = []column{{"uname", oidText}, {"phash", oidText}}

// selected holds the rows of the SELECT that is being run.
func (s *session) takeSelected() *result {
	r := s.selected
	s.selected = nil
	return r
}

func (s *session) answer(columns []column, rows ...[][]byte) {
	s.selected = &result{tag: fmt.Sprintf("SELECT %d", len(rows)), columns: columns, rows: rows}
}

// selectStatement runs the few SELECTs that are not fixed questions.
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
