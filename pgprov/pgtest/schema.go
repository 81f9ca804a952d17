package pgtest

import "slices"

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
	c.schemas[name] = object{owner: owner, acl: c.initialACL("schema", owner)}
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
	if !slices.ContainsFunc(s.searchPath(), func(schema string) bool {
		return s.view().databases[s.database].schemas[schema].owner != ""
	}) {
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
