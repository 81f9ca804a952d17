package pgtest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// roleOptions are what CREATE ROLE and ALTER ROLE say.
type roleOptions struct {
	role
	said                     map[string]bool
	inRoles, members, admins []string
}

var roleFlags = map[string]func(*catalog.Role) *bool{
	"superuser":   func(r *catalog.Role) *bool { return &r.Superuser },
	"inherit":     func(r *catalog.Role) *bool { return &r.Inherit },
	"createrole":  func(r *catalog.Role) *bool { return &r.CreateRole },
	"createdb":    func(r *catalog.Role) *bool { return &r.CreateDB },
	"login":       func(r *catalog.Role) *bool { return &r.Login },
	"replication": func(r *catalog.Role) *bool { return &r.Replication },
	"bypassrls":   func(r *catalog.Role) *bool { return &r.BypassRLS },
}

func (p *parser) roleOptions(r role) roleOptions {
	o := roleOptions{role: r, said: map[string]bool{}}
	p.accept("with")
	for p.peek().kind != end {
		switch {
		case p.accept("password", "null"):
			o.said["password"], o.Verifier = true, ""
		case p.accept("password"):
			o.said["password"], o.Verifier = true, storedPassword(p.string())
		case p.accept("valid", "until"):
			text := p.string()
			o.said["valid until"], o.until, o.ValidUntil = true, time.Time{}, ""
			if text != "infinity" {
				o.until = parseTime(text)
				o.ValidUntil = o.until.UTC().Format("2006-01-02 15:04:05.999999") + "+00"
			}
		case p.accept("connection", "limit"):
			o.said["connection limit"], o.ConnectionLimit = true, int(p.number())
		case p.accept("in", "role"):
			o.inRoles = p.names()
		case p.accept("role"):
			o.members = p.names()
		case p.accept("admin"):
			o.admins = p.names()
		default:
			t := p.next()
			name := strings.TrimPrefix(t.text, "no")
			flag, ok := roleFlags[name]
			if !ok || t.kind != word {
				p.tokens = append([]token{t}, p.tokens...)
				p.fail()
			}
			o.said[name] = true
			*flag(&o.Role) = t.text == name
		}
	}
	return o
}

func parseTime(text string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05.999999999Z07:00",
		"2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05-0700", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	panic(errorf("22007", "invalid input syntax for type timestamp with time zone: %q", text))
}

func (s *session) createRole(p *parser) {
	name := p.name()
	o := p.roleOptions(role{Role: catalog.Role{Inherit: true, ConnectionLimit: -1}})
	world := s.view()
	me := world.roles[s.role]
	if !me.Superuser {
		if !me.CreateRole {
			panic(errorf(codeDenied, "permission denied to create role"))
		}
		for _, power := range []struct{ has, wants bool }{{false, o.Superuser},
			{me.Replication && s.major() >= 16, o.Replication}, {me.BypassRLS && s.major() >= 16, o.BypassRLS},
			{me.CreateDB || s.major() < 16, o.CreateDB}} {
			if power.wants && !power.has {
				panic(errorf(codeDenied, "permission denied to create role"))
			}
		}
	}
	checkRoleName(name)
	world = s.write()
	if _, ok := world.roles[name]; ok {
		panic(errorf(codeDuplicate, "role %q already exists", name))
	}
	o.Name = name
	world.roles[name] = o.role
	if !me.Superuser && s.major() >= 16 {
		world.members = append(world.members, catalog.Membership{Role: name, Member: s.role,
			Grantor: world.bootstrap(), Admin: true})
	}
	for _, r := range o.inRoles {
		s.grantMembership(r, name, "", membershipOptions{})
	}
	for _, m := range o.members {
		s.grantMembership(name, m, "", membershipOptions{})
	}
	for _, m := range o.admins {
		s.grantMembership(name, m, "", membershipOptions{admin: yes})
	}
}

func checkRoleName(name string) {
	switch {
	case strings.HasPrefix(name, "pg_"), name == "public", name == "none":
		panic(errorf("42939", "role name %q is reserved", name))
	}
	checkLength(name)
}

// checkLength refuses what PostgreSQL would cut with a notice only: package pgprov promises never
// to send it.
func checkLength(name string) {
	if len(name) > 63 {
		panic(errorf("42622", "identifier %q will be truncated", name))
	}
}

// mayAlter reports whether the session may change a role.
func (s *session) mayAlter(world *state, name string) bool {
	me, target := world.roles[s.role], world.roles[name]
	switch {
	case me.Superuser:
		return true
	case target.Superuser || !me.CreateRole:
		return false
	case s.major() < 16:
		return !target.Replication && !target.BypassRLS
	}
	return world.administers(s.role, name)
}

func (s *session) alterRole(p *parser) {
	name := p.name()
	world := s.view()
	have, ok := world.roles[name]
	if !ok {
		panic(errorf(codeUndefined, "role %q does not exist", name))
	}
	if p.accept("set") || p.peek().text == "reset" {
		if !s.mayAlter(world, name) && name != s.role {
			panic(errorf(codeDenied, "permission denied to alter role"))
		}
		world = s.write()
		settings := map[string]string{}
		for k, v := range have.settings {
			settings[k] = v
		}
		if p.accept("reset") {
			p.expect("all")
			p.done()
			settings = nil
		} else {
			k, v := p.setting()
			s.mayKeep(k)
			settings[k] = v
		}
		have.settings = settings
		world.roles[name] = have
		return
	}
	o := p.roleOptions(have)
	ownPassword := name == s.role && len(o.said) == 1 && o.said["password"]
	if !ownPassword && !s.mayAlter(world, name) {
		panic(errorf(codeDenied, "permission denied to alter role"))
	}
	if !world.roles[s.role].Superuser {
		for _, power := range []string{"superuser", "replication", "bypassrls"} {
			if o.said[power] {
				panic(errorf(codeDenied, "permission denied to alter role"))
			}
		}
	}
	if have.bootstrap && !o.Superuser {
		panic(errorf("0A000", "permission denied to alter role"))
	}
	s.write().roles[name] = o.role
}

func (s *session) dropRole(p *parser) {
	ifExists := p.accept("if", "exists")
	names := p.names()
	p.done()
	for _, name := range names {
		world := s.view()
		if _, ok := world.roles[name]; !ok {
			if ifExists {
				continue
			}
			panic(errorf(codeUndefined, "role %q does not exist", name))
		}
		if name == s.role || name == s.user {
			panic(errorf("55006", "current user cannot be dropped"))
		}
		if !s.mayAlter(world, name) {
			panic(errorf(codeDenied, "permission denied to drop role"))
		}
		if held := world.holdings(name); len(held) > 0 {
			e := errorf(codeDependents, "role %q cannot be dropped because some objects depend on it", name)
			for _, d := range sortedKeys(held) {
				if d == "" || d == s.database {
					e.detail = strings.Join(append(strings.Split(e.detail, "\n"), held[d]...), "\n")
				} else {
					e.detail += "\n" + plural(len(held[d])) + " in database " + d
				}
			}
			e.detail = strings.Trim(e.detail, "\n")
			panic(e)
		}
		if s.major() >= 16 && world.grantedBy(name) {
			panic(errorf(codeDependents, "role %q cannot be dropped because some objects depend on it", name))
		}
		world = s.write()
		delete(world.roles, name)
		world.members = slices.DeleteFunc(world.members,
			func(m catalog.Membership) bool { return m.Role == name || m.Member == name })
	}
}

func plural(n int) string {
	if n == 1 {
		return "1 object"
	}
	return strconv.Itoa(n) + " objects"
}

// tristate is an option that was or was not said.
type tristate int

const (
	unsaid tristate = iota
	yes
	no
)

func (t tristate) or(otherwise bool) bool {
	if t == unsaid {
		return otherwise
	}
	return t == yes
}

type membershipOptions struct{ admin, inherit, set tristate }

func (p *parser) membershipOptions(major int) (o membershipOptions) {
	if !p.accept("with") {
		return o
	}
	for {
		var t *tristate
		switch {
		case p.accept("admin"):
			t = &o.admin
		case major >= 16 && p.accept("inherit"):
			t = &o.inherit
		case major >= 16 && p.accept("set"):
			t = &o.set
		default:
			p.fail()
		}
		switch {
		case p.accept("option"), major >= 16 && p.accept("true"):
			*t = yes
		case major >= 16 && p.accept("false"):
			*t = no
		default:
			p.fail()
		}
		if !p.accept(",") {
			return o
		}
	}
}

// grantMembership makes member a member of role, or changes the options of what the same grantor granted.
func (s *session) grantMembership(roleName, member, by string, o membershipOptions) {
	world := s.view()
	for _, n := range []string{roleName, member} {
		if _, ok := world.roles[n]; !ok {
			panic(errorf(codeUndefined, "role %q does not exist", n))
		}
	}
	grantor := s.grantor(world, roleName, by, true)
	if world.reaches(roleName, member, anyMembership) {
		panic(errorf("0LP01", "role %q is a member of role %q", roleName, member))
	}
	world = s.write()
	n := slices.IndexFunc(world.members, func(m catalog.Membership) bool {
		return m.Role == roleName && m.Member == member && (s.major() < 16 || m.Grantor == grantor)
	})
	if n < 0 {
		inherit := world.roles[member].Inherit
		world.members = append(world.members, catalog.Membership{Role: roleName, Member: member, Grantor: grantor,
			Admin: o.admin.or(false), Inherit: o.inherit.or(inherit), Set: o.set.or(true)})
		return
	}
	m := &world.members[n]
	m.Admin, m.Inherit, m.Set = o.admin.or(m.Admin), o.inherit.or(m.Inherit), o.set.or(m.Set)
}

// grantor returns in whose name the session grants or revokes a role, and panics where it may not.
func (s *session) grantor(world *state, roleName, by string, grant bool) string {
	me := world.roles[s.role]
	if world.roles[roleName].Superuser && !me.Superuser {
		panic(errorf(codeDenied, "permission denied to grant role %q", roleName))
	}
	if s.major() < 16 {
		if !me.CreateRole && !world.administers(s.role, roleName) {
			panic(errorf(codeDenied, "must have admin option on role %q", roleName))
		}
		if by != "" && by != s.role {
			panic(errorf("0A000", "grantor must be current user"))
		}
		return s.role
	}
	if !me.Superuser && !world.administers(s.role, roleName) {
		e := errorf(codeDenied, "permission denied to grant role %q", roleName)
		e.detail = "Only roles with the ADMIN option on role \"" + roleName + "\" may grant this role."
		panic(e)
	}
	switch {
	case by == "" && me.Superuser:
		return world.bootstrap()
	case by == "":
		return s.role
	case !me.Superuser && !world.hasPrivilegesOf(s.role, by, s.major()):
		panic(errorf(codeDenied, "permission denied to grant privileges as role %q", by))
	case grant && !world.roles[by].bootstrap && !world.administers(by, roleName):
		panic(errorf(codeDenied, "permission denied to grant privileges as role %q", by))
	}
	return by
}

// revokeMembership revokes what a grantor granted, or some of its options.
func (s *session) revokeMembership(roleName, member, by, option string, cascade bool) {
	world := s.view()
	for _, n := range []string{roleName, member} {
		if _, ok := world.roles[n]; !ok {
			panic(errorf(codeUndefined, "role %q does not exist", n))
		}
	}
	grantor := s.grantor(world, roleName, by, false)
	find := func() int {
		return slices.IndexFunc(s.view().members, func(m catalog.Membership) bool {
			return m.Role == roleName && m.Member == member && (s.major() < 16 || m.Grantor == grantor)
		})
	}
	n := find()
	if n < 0 {
		return // a warning
	}
	world = s.write()
	switch m := &world.members[n]; option {
	case "admin":
		m.Admin = false
	case "inherit":
		m.Inherit = false
	case "set":
		m.Set = false
	default:
		world.members = slices.Delete(world.members, n, n+1)
	}
	if s.major() < 16 || world.administers(member, roleName) {
		return
	}
	for {
		k := slices.IndexFunc(world.members, func(m catalog.Membership) bool {
			return m.Role == roleName && m.Grantor == member
		})
		if k < 0 {
			return
		}
		if !cascade {
			panic(errorf(codeDependents, "dependent privileges exist"))
		}
		world.members = slices.Delete(world.members, k, k+1)
	}
}
