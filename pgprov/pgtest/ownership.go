package pgtest

import (
	"fmt"
	"slices"
)

// mustOwn panics unless the session has the rights of an object's owner.
func (s *session) mustOwn(what, name, owner string) {
	if !s.view().hasPrivilegesOf(s.role, owner, s.major()) {
		panic(errorf(codeDenied, "must be owner of %s %s", what, name))
	}
}

func (s *session) needRole(world *state, name string) {
	if _, ok := world.roles[name]; !ok {
		panic(errorf(codeUndefined, "role %q does not exist", name))
	}
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
		for _, m := range slices.Clone(world.members) {
			if s.major() >= 16 && m.Grantor == role {
				s.revokeMembership(m.Role, m.Member, role, "", true)
			}
		}
		for _, name := range sortedKeys(world.databases) {
			if d := world.databases[name]; d.acl.mentions(role, d.Owner) {
				c := world.change(name)
				c.acl = c.acl.forget(role, d.Owner, "database")
			}
		}
		c := world.change(s.database)
		for n, o := range c.schemas {
			if o.owner == role {
				delete(c.schemas, n)
			} else if o.acl.mentions(role, o.owner) {
				c.schemas[n] = object{o.owner, o.acl.forget(role, o.owner, "schema")}
			}
		}
		for n, o := range c.tables {
			if o.owner == role {
				delete(c.tables, n)
			} else if o.acl.mentions(role, o.owner) {
				c.tables[n] = object{o.owner, o.acl.forget(role, o.owner, "table")}
			}
		}
		c.functions = slices.DeleteFunc(c.functions, func(f function) bool { return f.owner == role })
		for n, f := range c.functions {
			if f.acl.mentions(role, f.owner) {
				c.functions[n].acl = f.acl.forget(role, f.owner, "function")
			}
		}
	}
}
