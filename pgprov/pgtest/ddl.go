package pgtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// setting reads "name = value" or "name TO value, value".
func (p *parser) setting() (name, value string) {
	name = p.name()
	if !p.accept("=") {
		p.expect("to")
	}
	var values []string
	for {
		t := p.next()
		if t.kind == punct {
			p.fail()
		}
		values = append(values, t.text)
		if !p.accept(",") {
			break
		}
	}
	p.done()
	return name, strings.Join(values, ", ")
}

func (s *session) set(p *parser) string {
	if p.accept("role") {
		if p.accept("none") || p.peek().kind == end {
			s.role = s.user
			return "SET"
		}
		to := p.name()
		p.done()
		world := s.view()
		if _, ok := world.roles[to]; !ok {
			panic(errorf("22023", "role %q does not exist", to))
		}
		if !world.canSet(s.user, to) {
			panic(errorf(codeDenied, "permission denied to set role %q", to))
		}
		s.role = to
		return "SET"
	}
	p.accept("local") // settings of this session end with it, or are set again: nobody can tell
	name, value := p.setting()
	if !slices.Contains(startupParameters, name) && (name != "transaction_timeout" || s.major() < 17) {
		panic(errorf(codeUndefined, "unrecognized configuration parameter %q", name))
	}
	s.settings[name] = value
	return "SET"
}

func (s *session) outsideTransaction(what string) {
	if s.block || s.implicit {
		panic(errorf("25001", "%s cannot run inside a transaction block", what))
	}
}

func (s *session) needRole(world *state, name string) {
	if _, ok := world.roles[name]; !ok {
		panic(errorf(codeUndefined, "role %q does not exist", name))
	}
}

var knownEncodings = []string{"UTF8", "UTF-8", "SQL_ASCII", "LATIN1", "LATIN9"}

func (s *session) createDatabase(p *parser) {
	name := p.name()
	owner, encoding, locale, provider, icu := s.role, "UTF8", "C", "c", ""
	template := "template1"
	for p.peek().kind != end {
		switch {
		case p.accept("owner"):
			owner = p.name()
		case p.accept("template"):
			template = p.name()
		case p.accept("encoding"):
			encoding = strings.ToUpper(p.string())
		case p.accept("locale_provider"):
			switch name := p.name(); name {
			case "libc":
				provider = "c"
			case "icu":
				provider = "i"
			default:
				panic(errorf("42P17", "unrecognized locale provider: %s", name))
			}
		case p.accept("icu_locale"):
			icu = p.string()
		case p.accept("locale"):
			locale = p.string()
		default:
			p.fail()
		}
	}
	s.outsideTransaction("CREATE DATABASE")
	checkLength(name)
	world := s.view()
	s.needRole(world, owner)
	if !world.roles[s.role].Superuser && (!world.roles[s.role].CreateDB || !world.canSet(s.role, owner)) {
		panic(errorf(codeDenied, "permission denied to create database"))
	}
	if !slices.Contains(knownEncodings, encoding) {
		panic(errorf("42704", "%s is not a valid encoding name", encoding))
	}
	if world.databases[template] == nil {
		panic(errorf("3D000", "template database %q does not exist", template))
	}
	world = s.write()
	if world.databases[name] != nil {
		panic(errorf("42P04", "database %q already exists", name))
	}
	d := newDatabase(name, owner, strings.ReplaceAll(encoding, "UTF-8", "UTF8"), locale, s.major())
	if s.major() >= 16 {
		icu = strings.ReplaceAll(icu, "_", "-") // as a language tag
	}
	d.Provider, d.Locale = provider, icu
	world.databases[name] = d
}

func (s *session) databaseNamed(name string) *database {
	d := s.view().databases[name]
	if d == nil {
		panic(errorf("3D000", "database %q does not exist", name))
	}
	return d
}

// mustOwn panics unless the session has the rights of an object's owner.
func (s *session) mustOwn(what, name, owner string) {
	if !s.view().hasPrivilegesOf(s.role, owner, s.major()) {
		panic(errorf(codeDenied, "must be owner of %s %s", what, name))
	}
}

func (s *session) alterDatabase(p *parser) {
	name := p.name()
	d := s.databaseNamed(name)
	s.mustOwn("database", name, d.Owner)
	switch {
	case p.accept("owner", "to"):
		to := p.grantee(s)
		p.done()
		s.needRole(s.view(), to)
		if !s.superuser() && !(s.view().canSet(s.role, to) && s.view().roles[s.role].CreateDB) {
			panic(errorf(codeDenied, "must be able to SET ROLE %q", to))
		}
		c := s.write().change(name)
		c.acl, c.Owner = c.acl.moved(c.Owner, to), to
	case p.accept("set"):
		k, v := p.setting()
		s.write().change(name).settings[k] = v
	case p.accept("allow_connections"):
		s.write().change(name).AllowConnections = p.accept("true")
	case p.accept("is_template"):
		s.write().change(name).Template = p.accept("true")
	default:
		p.fail()
	}
}

func (s *session) dropDatabase(p *parser) {
	ifExists := p.accept("if", "exists")
	name := p.name()
	p.done()
	s.outsideTransaction("DROP DATABASE")
	if s.view().databases[name] == nil && ifExists {
		return
	}
	s.mustOwn("database", name, s.databaseNamed(name).Owner)
	if !s.deserted(name) {
		e := errorf("55006", "database %q is being accessed by other users", name)
		e.detail = "There are other sessions using the database."
		panic(e)
	}
	delete(s.write().databases, name)
}

// deserted waits for the sessions of a database to end, for as long as PostgreSQL does.
func (s *session) deserted(name string) bool {
	late := false
	t := time.AfterFunc(5*time.Second, func() {
		s.server.mu.Lock()
		late = true
		s.server.changed.Broadcast()
		s.server.mu.Unlock()
	})
	defer t.Stop()
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	inUse := func() bool {
		for _, o := range s.server.sessions {
			if o.database == name {
				return true
			}
		}
		return false
	}
	s.await(func() bool { return late || !inUse() })
	return !inUse()
}

// grantTarget is what GRANT and REVOKE are about.
type grantTarget struct {
	kind, name string
	privileges []string
}

// privileges reads "ALL ON DATABASE x" and the like; ok is false when it is about roles.
func (p *parser) privileges() (t grantTarget, ok bool) {
	save := p.tokens
	defer func() {
		if !ok {
			p.tokens = save
		}
	}()
	all := false
	for {
		w := p.next()
		if w.kind != word {
			return t, false
		}
		switch w.text {
		case "all":
			p.accept("privileges")
			all = true
		case "temp":
			t.privileges = append(t.privileges, "TEMPORARY")
		default:
			t.privileges = append(t.privileges, strings.ToUpper(w.text))
		}
		if !p.accept(",") {
			break
		}
	}
	if !p.accept("on") {
		return t, false
	}
	switch {
	case p.accept("database"):
		t.kind, t.name = "database", p.name()
	case p.accept("schema"):
		t.kind, t.name = "schema", p.name()
	case p.accept("function"):
		t.kind, t.name = "function", p.signature()
	case p.accept("table"):
		_, name := p.qualified()
		t.kind, t.name = "table", name
	default:
		p.fail()
	}
	if all {
		t.privileges = allPrivileges(t.kind)
	}
	for _, privilege := range t.privileges {
		if !slices.Contains(allPrivileges(t.kind), privilege) {
			panic(errorf("0LP01", "invalid privilege type %s for %s", privilege, t.kind))
		}
	}
	return t, true
}

// signature reads "schema.name(text, text)".
func (p *parser) signature() string {
	schema, name := p.qualified()
	if schema == "" {
		schema = "public"
	}
	var types []string
	if p.accept("(") {
		for !p.accept(")") {
			types = append(types, p.name())
			p.accept(",")
		}
	}
	return quote(schema) + "." + quote(name) + "(" + strings.Join(types, ",") + ")"
}

// target returns the object, for reading.
func (s *session) target(t grantTarget) object {
	d := s.view().databases[s.database]
	switch t.kind {
	case "database":
		d := s.databaseNamed(t.name)
		return object{d.Owner, d.acl}
	case "schema":
		o, ok := d.schemas[t.name]
		if !ok {
			panic(errorf("3F000", "schema %q does not exist", t.name))
		}
		return s.owned(d, o)
	case "table":
		o, ok := d.tables[t.name]
		if !ok {
			panic(errorf("42P01", "relation %q does not exist", t.name))
		}
		return o
	}
	return d.functions[s.functionIndex(t.name)].object
}

// owned returns the object with the role that pg_database_owner stands for; grants stay in its name.
func (s *session) owned(d *database, o object) object {
	if o.owner == "pg_database_owner" {
		o.acl = slices.Clone(o.acl).moved("pg_database_owner", d.Owner)
		o.owner = d.Owner
	}
	return o
}

func (s *session) setACL(t grantTarget, a acl) {
	if a == nil {
		a = acl{}
	}
	world := s.write()
	switch t.kind {
	case "database":
		world.change(t.name).acl = a
	case "schema":
		c := world.change(s.database)
		o := c.schemas[t.name]
		if o.owner == "pg_database_owner" {
			a = a.moved(c.Owner, o.owner)
		}
		o.acl = a
		c.schemas[t.name] = o
	case "table":
		c := world.change(s.database)
		o := c.tables[t.name]
		o.acl = a
		c.tables[t.name] = o
	default:
		world.change(s.database).functions[s.functionIndex(t.name)].acl = a
	}
}

func (s *session) functionIndex(identity string) int {
	n := slices.IndexFunc(s.view().databases[s.database].functions,
		func(f function) bool { return f.Identity == identity })
	if n < 0 {
		panic(errorf("42883", "function %s does not exist", identity))
	}
	return n
}

// grantingAs returns in whose name the session grants on an object, and which of the privileges it
// can: all in the owner's name; else those that a role whose rights it has was allowed to pass on.
// Who has some privilege on the object, and may pass on none, is only warned.
func (s *session) grantingAs(t grantTarget, o object) (by string, privileges []string) {
	world := s.view()
	if t.kind == "function" {
		schema, _, _ := strings.Cut(t.name, ".")
		if !world.may(s.role, "USAGE", "schema", s.target(grantTarget{kind: "schema", name: schema}), s.major()) {
			panic(denied("schema", schema))
		}
	}
	if world.hasPrivilegesOf(s.role, o.owner, s.major()) {
		return o.owner, t.privileges
	}
	grants := o.acl.or(t.kind, o.owner)
	has := false
	for _, g := range grants {
		who := string(g.Grantee)
		if who != "" && !world.hasPrivilegesOf(s.role, who, s.major()) {
			continue
		}
		has = true
		if !g.Grantable || who == "" {
			continue
		}
		var can []string
		for _, p := range t.privileges {
			if slices.ContainsFunc(grants, func(g catalog.Grant) bool {
				return string(g.Grantee) == who && g.Privilege == p && g.Grantable
			}) {
				can = append(can, p)
			}
		}
		if len(can) > len(privileges) {
			by, privileges = who, can
		}
	}
	if !has {
		name := t.name
		if t.kind == "function" {
			_, name, _ = strings.Cut(name[:strings.Index(name, "(")], ".")
		}
		panic(denied(t.kind, name))
	}
	return by, privileges
}

func (s *session) grant(p *parser) string {
	if t, ok := p.privileges(); ok {
		p.expect("to")
		var to []string
		for {
			to = append(to, p.grantee(s))
			if !p.accept(",") {
				break
			}
		}
		option := p.accept("with", "grant", "option")
		p.done()
		o := s.target(t)
		by, privileges := s.grantingAs(t, o)
		a := slices.Clone(o.acl.or(t.kind, o.owner))
		for _, who := range to {
			if who != "" {
				s.needRole(s.view(), who)
			}
			a = a.grant(who, by, option, privileges...)
		}
		s.setACL(t, a)
		return "GRANT"
	}
	roles := p.names()
	p.expect("to")
	members := []string{p.grantee(s)}
	for p.accept(",") {
		members = append(members, p.grantee(s))
	}
	o := p.membershipOptions(s.major())
	by := ""
	if p.accept("granted", "by") {
		by = p.grantee(s)
	}
	p.done()
	for _, r := range roles {
		for _, m := range members {
			s.grantMembership(r, m, by, o)
		}
	}
	return "GRANT ROLE"
}

func (s *session) revoke(p *parser) string {
	optionOnly := p.accept("grant", "option", "for")
	if t, ok := p.privileges(); ok {
		p.expect("from")
		var from []string
		for {
			from = append(from, p.grantee(s))
			if !p.accept(",") {
				break
			}
		}
		cascade := p.accept("cascade")
		p.done()
		o := s.target(t)
		by, privileges := s.grantingAs(t, o)
		a := slices.Clone(o.acl.or(t.kind, o.owner))
		for _, who := range from {
			if who != "" {
				s.needRole(s.view(), who)
			}
			var e *sqlError
			if a, e = a.revoke(who, by, o.owner, optionOnly, cascade, privileges...); e != nil {
				panic(e)
			}
		}
		s.setACL(t, a)
		return "REVOKE"
	}
	option := ""
	for _, w := range []string{"admin", "inherit", "set"} {
		if p.accept(w, "option", "for") {
			option = w
		}
	}
	role := p.name()
	p.expect("from")
	member := p.grantee(s)
	by := ""
	if p.accept("granted", "by") {
		by = p.grantee(s)
	}
	cascade := p.accept("cascade")
	p.done()
	s.revokeMembership(role, member, by, option, cascade)
	return "REVOKE ROLE"
}

// mayCreateIn panics unless the session may create in a schema.
func (s *session) mayCreateIn(schema string) {
	world := s.view()
	d := world.databases[s.database]
	o, ok := d.schemas[schema]
	if !ok {
		panic(errorf("3F000", "schema %q does not exist", schema))
	}
	if !world.may(s.role, "CREATE", "schema", s.owned(d, o), s.major()) {
		panic(denied("schema", schema))
	}
}

func (s *session) createSchema(p *parser) {
	ifNotExists := p.accept("if", "not", "exists")
	name := p.name()
	owner := s.role
	if p.accept("authorization") {
		owner = p.grantee(s)
	}
	p.done()
	world := s.view()
	d := world.databases[s.database]
	if !world.may(s.role, "CREATE", "database", object{d.Owner, d.acl}, s.major()) {
		panic(denied("database", s.database))
	}
	s.needRole(world, owner)
	if owner != s.role && !world.canSet(s.role, owner) {
		panic(errorf(codeDenied, "must be able to SET ROLE %q", owner))
	}
	c := s.write().change(s.database)
	if _, ok := c.schemas[name]; ok {
		if ifNotExists {
			return
		}
		panic(errorf("42P06", "schema %q already exists", name))
	}
	c.schemas[name] = object{owner: owner}
}

func (s *session) alterSchema(p *parser) {
	name := p.name()
	p.expect("owner", "to")
	to := p.grantee(s)
	p.done()
	o := s.target(grantTarget{kind: "schema", name: name})
	s.mustOwn("schema", name, o.owner)
	s.needRole(s.view(), to)
	if !s.view().canSet(s.role, to) {
		panic(errorf(codeDenied, "must be able to SET ROLE %q", to))
	}
	c := s.write().change(s.database)
	o = c.schemas[name]
	c.schemas[name] = object{to, o.acl.moved(o.owner, to)}
}

func (s *session) dropSchema(p *parser) {
	name := p.name()
	cascade := p.accept("cascade")
	p.done()
	o := s.target(grantTarget{kind: "schema", name: name})
	s.mustOwn("schema", name, o.owner)
	inside := func(f function) bool { return string(f.Schema) == name }
	if !cascade && slices.ContainsFunc(s.view().databases[s.database].functions, inside) {
		panic(errorf(codeDependents, "cannot drop schema %s because other objects depend on it", name))
	}
	c := s.write().change(s.database)
	delete(c.schemas, name)
	c.functions = slices.DeleteFunc(c.functions, inside)
}

func (s *session) createExtension(p *parser) {
	ifNotExists := p.accept("if", "not", "exists")
	name := p.name()
	p.accept("cascade")
	p.done()
	if !s.superuser() {
		panic(errorf(codeDenied, "permission denied to create extension %q", name))
	}
	if !slices.Contains(s.server.config.Extensions, name) {
		panic(errorf("0A000", "extension %q is not available", name))
	}
	if slices.Contains(s.view().databases[s.database].extensions, name) {
		if ifNotExists {
			return
		}
		panic(errorf(codeDuplicate, "extension %q already exists", name))
	}
	if path := s.searchPath(); len(path) == 0 || path[0] == "pg_catalog" ||
		s.view().databases[s.database].schemas[path[0]].owner == "" {
		panic(errorf("3F000", "no schema has been selected to create in"))
	}
	c := s.write().change(s.database)
	c.extensions = append(c.extensions, name)
}

func (s *session) createTable(p *parser) {
	_, name := p.qualified()
	p.expect("(")
	for depth := 1; depth > 0; {
		switch p.next().text {
		case "(":
			depth++
		case ")":
			depth--
		}
	}
	p.done()
	s.mayCreateIn("public")
	c := s.write().change(s.database)
	if _, ok := c.tables[name]; ok {
		panic(errorf("42P07", "relation %q already exists", name))
	}
	c.tables[name] = object{owner: s.role}
}

var typeOIDs = map[string]string{"text": "25", "name": "19", "integer": "23", "int": "23", "varchar": "1043",
	"record": "2249", "void": "2278"}
var typeNames = map[string]string{"int": "integer", "varchar": "character varying"}

func (p *parser) typeOID() (name, oid string) {
	t := p.name()
	oid, ok := typeOIDs[t]
	if !ok {
		panic(errorf(codeUndefined, "type %q does not exist", t))
	}
	if n, ok := typeNames[t]; ok {
		t = n
	}
	return t, oid
}

func (s *session) createFunction(p *parser, replace bool) {
	schema, name := p.qualified()
	if schema == "" {
		schema = "public"
	}
	f := function{name: name, FunctionGrant: catalog.FunctionGrant{Schema: catalog.Ident(schema), Kind: "f",
		Volatility: "v", Parallel: "u", Support: "-"}}
	var inTypes, inOIDs, names, modes, all, outs []string
	named, out := false, false
	p.expect("(")
	for !p.accept(")") {
		mode := "i"
		switch {
		case p.accept("out"):
			mode, out = "o", true
		case p.accept("in"):
		}
		argument := ""
		if len(p.tokens) > 1 && p.tokens[1].text != "," && p.tokens[1].text != ")" {
			argument, named = p.name(), true
		}
		typeName, oid := p.typeOID()
		if p.accept("default") {
			p.string()
			f.Defaults++
		}
		names, modes, all = append(names, argument), append(modes, mode), append(all, oid)
		if mode == "i" {
			inTypes, inOIDs = append(inTypes, typeName), append(inOIDs, oid)
		} else {
			outs = append(outs, oid)
		}
		p.accept(",")
	}
	f.Identity = quote(schema) + "." + quote(name) + "(" + strings.Join(inTypes, ",") + ")"
	f.Arguments = strings.Join(inOIDs, " ")
	if named {
		f.Names = "{" + strings.Join(names, ",") + "}"
	}
	if out {
		f.Modes, f.Types = "{"+strings.Join(modes, ",")+"}", "{"+strings.Join(all, ",")+"}"
		f.Result = outs[0]
		if len(outs) > 1 {
			f.Result = typeOIDs["record"]
		}
	}
	if p.accept("returns") {
		f.ReturnsSet = p.accept("setof")
		_, oid := p.typeOID()
		if out && oid != f.Result {
			panic(errorf("42P13", "function result type must be %s because of OUT parameters", f.Result))
		}
		f.Result = oid
	}
	for p.peek().kind != end {
		switch {
		case p.accept("language"):
			switch l := p.name(); l {
			case "sql":
				f.Language = "14"
			case "plpgsql":
				f.Language = "13500"
			default:
				panic(errorf(codeUndefined, "language %q does not exist", l))
			}
		case p.accept("as"):
			f.Source = p.string()
		default:
			f.attribute(p)
		}
	}
	s.mayCreateIn(schema)
	n := slices.IndexFunc(s.view().databases[s.database].functions,
		func(o function) bool { return o.Identity == f.Identity })
	if n < 0 {
		f.owner = s.role
		c := s.write().change(s.database)
		c.functions = append(c.functions, f)
		return
	}
	if !replace {
		panic(errorf("42723", "function %q already exists with same argument types", name))
	}
	old := s.view().databases[s.database].functions[n]
	s.mustOwn("function", name, old.owner)
	if old.Kind != f.Kind || old.Result != f.Result || old.ReturnsSet != f.ReturnsSet || old.Names != f.Names ||
		old.Modes != f.Modes || old.Types != f.Types {
		panic(errorf("42P13", "cannot change return type of existing function"))
	}
	if f.Defaults < old.Defaults {
		panic(errorf("42P13", "cannot remove parameter defaults from existing function"))
	}
	f.object = old.object
	s.write().change(s.database).functions[n] = f
}

// attribute reads what CREATE FUNCTION and ALTER FUNCTION both say.
func (f *function) attribute(p *parser) {
	switch {
	case p.accept("immutable"):
		f.Volatility = "i"
	case p.accept("stable"):
		f.Volatility = "s"
	case p.accept("volatile"):
		f.Volatility = "v"
	case p.accept("strict"), p.accept("returns", "null", "on", "null", "input"):
		f.Strict = true
	case p.accept("called", "on", "null", "input"):
		f.Strict = false
	case p.accept("security", "definer"):
		f.Definer = true
	case p.accept("security", "invoker"):
		f.Definer = false
	case p.accept("leakproof"):
		f.Leakproof = true
	case p.accept("not", "leakproof"):
		f.Leakproof = false
	case p.accept("parallel", "safe"):
		f.Parallel = "s"
	case p.accept("parallel", "restricted"):
		f.Parallel = "r"
	case p.accept("parallel", "unsafe"):
		f.Parallel = "u"
	case p.accept("reset", "all"):
		f.Config = ""
	case p.accept("set", "search_path"):
		if !p.accept("=") {
			p.expect("to")
		}
		path := p.names()
		f.Config = fmt.Sprintf("{search_path=%s}", path[0])
		if len(path) > 1 {
			f.Config = fmt.Sprintf(`{"search_path=%s"}`, strings.Join(path, ", "))
		}
	default:
		p.fail()
	}
}

func (s *session) alterFunction(p *parser) {
	identity := p.signature()
	n := s.functionIndex(identity)
	f := s.view().databases[s.database].functions[n]
	s.mustOwn("function", f.name, f.owner)
	if p.accept("owner", "to") {
		to := p.grantee(s)
		p.done()
		s.needRole(s.view(), to)
		if !s.view().canSet(s.role, to) {
			panic(errorf(codeDenied, "must be able to SET ROLE %q", to))
		}
		f.acl, f.owner = f.acl.moved(f.owner, to), to
	} else {
		for p.peek().kind != end {
			f.attribute(p)
		}
	}
	s.write().change(s.database).functions[n] = f
}

func (s *session) dropFunction(p *parser) {
	ifExists := p.accept("if", "exists")
	identity := p.signature()
	p.done()
	if ifExists && !slices.ContainsFunc(s.view().databases[s.database].functions,
		func(f function) bool { return f.Identity == identity }) {
		return
	}
	n := s.functionIndex(identity)
	f := s.view().databases[s.database].functions[n]
	schema := s.target(grantTarget{kind: "schema", name: string(f.Schema)})
	if !s.view().hasPrivilegesOf(s.role, schema.owner, s.major()) {
		s.mustOwn("function", f.name, f.owner)
	}
	c := s.write().change(s.database)
	c.functions = slices.Delete(c.functions, n, n+1)
}

// mustHave panics unless the session has the privileges of a role.
func (s *session) mustHave(role, toDo string) {
	world := s.view()
	s.needRole(world, role)
	if !world.hasPrivilegesOf(s.role, role, s.major()) {
		e := errorf(codeDenied, "permission denied to %s objects", toDo)
		e.detail = fmt.Sprintf("Only roles with privileges of role %q may %s objects owned by it.", role, toDo)
		panic(e)
	}
}

func (s *session) reassignOwned(p *parser) {
	from := p.names()
	p.expect("to")
	to := p.grantee(s)
	p.done()
	s.mustHave(to, "reassign")
	for _, role := range from {
		s.mustHave(role, "reassign")
		world := s.write()
		for _, name := range sortedKeys(world.databases) {
			if world.databases[name].Owner == role {
				c := world.change(name)
				c.acl, c.Owner = c.acl.moved(role, to), to
			}
		}
		c := world.change(s.database)
		move := func(o object) object {
			if o.owner == role {
				return object{to, o.acl.moved(role, to)}
			}
			return o
		}
		for n, o := range c.schemas {
			c.schemas[n] = move(o)
		}
		for n, o := range c.tables {
			c.tables[n] = move(o)
		}
		for n := range c.functions {
			c.functions[n].object = move(c.functions[n].object)
		}
	}
}

func (s *session) dropOwned(p *parser) {
	roles := p.names()
	p.accept("cascade")
	p.done()
	for _, role := range roles {
		s.mustHave(role, "drop")
		world := s.write()
		for _, name := range sortedKeys(world.databases) {
			if d := world.databases[name]; d.acl.mentions(role, d.Owner) {
				c := world.change(name)
				c.acl = c.acl.forget(role)
			}
		}
		c := world.change(s.database)
		for n, o := range c.schemas {
			if o.owner == role {
				delete(c.schemas, n)
			} else if o.acl.mentions(role, o.owner) {
				c.schemas[n] = object{o.owner, o.acl.forget(role)}
			}
		}
		for n, o := range c.tables {
			if o.owner == role {
				delete(c.tables, n)
			} else if o.acl.mentions(role, o.owner) {
				c.tables[n] = object{o.owner, o.acl.forget(role)}
			}
		}
		c.functions = slices.DeleteFunc(c.functions, func(f function) bool { return f.owner == role })
		for n, f := range c.functions {
			if f.acl.mentions(role, f.owner) {
				c.functions[n].acl = f.acl.forget(role)
			}
		}
	}
}
