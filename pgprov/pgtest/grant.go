package pgtest

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

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
	case p.accept("function"), p.accept("routine"):
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
// can: all in the owner's name; otherwise those that a role whose rights it has was allowed to pass on.
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

// alterDefaultPrivileges grants on what the session's role will make.
func (s *session) alterDefaultPrivileges(p *parser) {
	p.expect("grant")
	privilege := p.next()
	p.expect("on")
	kind := map[string]string{"functions": "function", "schemas": "schema"}[p.next().text]
	if kind == "" || privilege.kind != word {
		p.fail()
	}
	p.expect("to")
	to := p.grantee(s)
	p.done()
	c := s.write().change(s.database)
	k := madeBy{s.role, kind}
	c.made[k] = c.made[k].grant(to, s.role, false, strings.ToUpper(privilege.text))
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

// grantsOf are the rows of a left join with aclexplode: one without a grant when there are none.
func grantsOf(o object, kind string) []catalog.Grant {
	if grants := o.acl.or(kind, o.owner); len(grants) > 0 {
		return grants
	}
	return []catalog.Grant{{}}
}
