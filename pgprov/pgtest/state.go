package pgtest

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// state is what a cluster holds. A state that others can see is not changed: who changes something
// changes a copy.
type state struct {
	roles     map[string]role
	members   []catalog.Membership
	databases map[string]*database
	nextOID   int
}

type role struct {
	catalog.Role
	until     time.Time // zero: for ever
	bootstrap bool
	settings  map[string]string // ALTER ROLE ... SET
}

type database struct {
	catalog.Database
	acl        acl
	settings   map[string]string // ALTER DATABASE ... SET
	schemas    map[string]object
	functions  []function
	extensions []string
	tables     map[string]object
	made       map[madeBy]acl // default privileges: what is granted on what a role makes
}

// madeBy is what default privileges are about.
type madeBy struct{ role, kind string }

// initialACL is the list of a new object: nil without default privileges.
func (d *database) initialACL(kind, owner string) acl {
	granted := d.made[madeBy{owner, kind}]
	if granted == nil {
		return nil
	}
	return append(defaults(kind, owner), granted...)
}

type object struct {
	owner string
	acl   acl
}

type function struct {
	catalog.FunctionGrant // its grant is not used
	name                  string
	object
}

// acl is a list of grants; nil is the default one.
type acl []catalog.Grant

func (s *state) clone() *state {
	c := *s
	c.roles = maps.Clone(s.roles)
	c.members = slices.Clone(s.members)
	c.databases = maps.Clone(s.databases)
	return &c
}

// change returns the database for changing.
func (s *state) change(name string) *database {
	d := *s.databases[name]
	d.acl = slices.Clone(d.acl)
	d.schemas = maps.Clone(d.schemas)
	d.settings = maps.Clone(d.settings)
	d.tables = maps.Clone(d.tables)
	d.made = maps.Clone(d.made)
	d.functions = slices.Clone(d.functions)
	d.extensions = slices.Clone(d.extensions)
	s.databases[name] = &d
	return &d
}

// sqlError is an error as PostgreSQL reports it.
type sqlError struct {
	code, message, detail string
	fatal                 bool
}

func (e *sqlError) Error() string { return e.message }

func errorf(code, format string, args ...any) *sqlError {
	return &sqlError{code: code, message: fmt.Sprintf(format, args...)}
}

const (
	codeDenied     = "42501"
	codeUndefined  = "42704"
	codeDuplicate  = "42710"
	codeDependents = "2BP01"
)

func denied(what, name string) *sqlError {
	return errorf(codeDenied, "permission denied for %s %s", what, name)
}

// defaults is the list of grants that an object has that nobody changed the grants of.
func defaults(kind, owner string) acl {
	grant := func(to string, privileges ...string) (a acl) {
		for _, p := range privileges {
			a = append(a, catalog.Grant{Grantee: catalog.Ident(to), Grantor: catalog.Ident(owner), Privilege: p})
		}
		return a
	}
	switch kind {
	case "database":
		return append(grant("", "TEMPORARY", "CONNECT"), grant(owner, allPrivileges(kind)...)...)
	case "function":
		return append(grant("", "EXECUTE"), grant(owner, "EXECUTE")...)
	}
	return grant(owner, allPrivileges(kind)...)
}

func allPrivileges(kind string) []string {
	switch kind {
	case "database":
		return []string{"CREATE", "TEMPORARY", "CONNECT"}
	case "schema":
		return []string{"USAGE", "CREATE"}
	case "function":
		return []string{"EXECUTE"}
	}
	return []string{"INSERT", "SELECT", "UPDATE", "DELETE"}
}

func (a acl) or(kind, owner string) acl {
	if a == nil {
		return defaults(kind, owner)
	}
	return a
}

// moved is the list after the owner changed.
func (a acl) moved(from, to string) acl {
	if a == nil {
		return nil
	}
	out := acl{}
	for _, g := range a {
		if string(g.Grantee) == from {
			g.Grantee = catalog.Ident(to)
		}
		if string(g.Grantor) == from {
			g.Grantor = catalog.Ident(to)
		}
		if !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}

// grant adds privileges; the option to pass them on is added to what is there, and never removed.
func (a acl) grant(to, by string, option bool, privileges ...string) acl {
	for _, p := range privileges {
		n := slices.IndexFunc(a, func(g catalog.Grant) bool {
			return string(g.Grantee) == to && string(g.Grantor) == by && g.Privilege == p
		})
		if n < 0 {
			a = append(a, catalog.Grant{Grantee: catalog.Ident(to), Grantor: catalog.Ident(by), Privilege: p,
				Grantable: option})
		} else if option {
			a[n].Grantable = true
		}
	}
	return a
}

// revoke takes privileges back that by granted, or only the option to pass them on; what was passed
// on is revoked too, or is an error without cascade.
func (a acl) revoke(from, by, owner string, optionOnly, cascade bool, privileges ...string) (acl, *sqlError) {
	for _, p := range privileges {
		n := slices.IndexFunc(a, func(g catalog.Grant) bool {
			return string(g.Grantee) == from && string(g.Grantor) == by && g.Privilege == p
		})
		if n < 0 {
			continue
		}
		had := a[n].Grantable
		if optionOnly {
			a[n].Grantable = false
		} else {
			a = slices.Delete(a, n, n+1)
		}
		still := from == owner || slices.ContainsFunc(a,
			func(g catalog.Grant) bool { return string(g.Grantee) == from && g.Privilege == p && g.Grantable })
		if !had || still || from == "" {
			continue
		}
		for {
			k := slices.IndexFunc(a, func(g catalog.Grant) bool {
				return string(g.Grantor) == from && g.Privilege == p && string(g.Grantee) != from
			})
			if k < 0 {
				break
			}
			if !cascade {
				return a, errorf(codeDependents, "dependent privileges exist")
			}
			var err *sqlError
			if a, err = a.revoke(string(a[k].Grantee), from, owner, false, true, p); err != nil {
				return a, err
			}
		}
	}
	return a, nil
}

// forget removes what the owner granted to a role from the list, and what came of it.
func (a acl) forget(role, owner, kind string) acl {
	a, _ = slices.Clone(a).revoke(role, owner, owner, false, true, allPrivileges(kind)...)
	return a
}

func (a acl) mentions(role, owner string) bool {
	return role != owner && slices.ContainsFunc(a,
		func(g catalog.Grant) bool { return string(g.Grantee) == role || string(g.Grantor) == role })
}

// reaches reports whether member is, directly or not, a member of role by memberships that pass;
// everybody is a member of himself.
func (s *state) reaches(member, role string, pass func(catalog.Membership) bool) bool {
	seen := map[string]bool{member: true}
	for queue := []string{member}; len(queue) > 0; queue = queue[1:] {
		if queue[0] == role {
			return true
		}
		for _, m := range s.members {
			if m.Member == queue[0] && !seen[m.Role] && pass(m) {
				seen[m.Role] = true
				queue = append(queue, m.Role)
			}
		}
	}
	return false
}

// closure returns the roles that are got to from some by the memberships that edge gives a direction.
func (s *state) closure(roles []string, edge func(catalog.Membership) (from, to string)) []string {
	found := slices.Clone(roles)
	for n := 0; n < len(found); n++ {
		for _, m := range s.members {
			if from, to := edge(m); from == found[n] && !slices.Contains(found, to) {
				found = append(found, to)
			}
		}
	}
	return found
}

// grantedBy reports whether a role has granted roles to others.
func (s *state) grantedBy(role string) bool {
	return slices.ContainsFunc(s.members, func(m catalog.Membership) bool {
		return m.Grantor == role && m.Role != role && m.Member != role
	})
}

// power is what a role can do by itself, as [catalog.MembershipRow] has it.
func (s *state) power(name string) string {
	r := s.roles[name]
	switch {
	case r.Superuser:
		return catalog.PowerSuperuser
	case r.CreateRole, r.Replication:
		return catalog.PowerCluster
	}
	for _, d := range s.databases {
		if d.Owner == name {
			return catalog.PowerOwner
		}
	}
	return ""
}

func anyMembership(catalog.Membership) bool { return true }

// hasPrivilegesOf reports whether member may use what role has.
func (s *state) hasPrivilegesOf(member, role string, version int) bool {
	return s.roles[member].Superuser || s.reaches(member, role, func(m catalog.Membership) bool {
		if version < 16 {
			return s.roles[m.Member].Inherit
		}
		return m.Inherit
	})
}

func (s *state) canSet(member, role string) bool {
	return s.roles[member].Superuser || s.reaches(member, role, func(m catalog.Membership) bool { return m.Set })
}

// administers reports whether member has the ADMIN option on role.
func (s *state) administers(member, role string) bool {
	if s.roles[member].Superuser {
		return true
	}
	for _, m := range s.members {
		if m.Role == role && m.Admin && s.reaches(member, m.Member, anyMembership) {
			return true
		}
	}
	return false
}

func (s *state) bootstrap() string {
	for _, r := range s.roles {
		if r.bootstrap {
			return r.Name
		}
	}
	return ""
}

// may reports whether a role has a privilege on an object.
func (s *state) may(who, privilege, kind string, o object, version int) bool {
	if s.roles[who].Superuser {
		return true
	}
	for _, g := range o.acl.or(kind, o.owner) {
		if g.Privilege == privilege && (g.Grantee == "" || s.hasPrivilegesOf(who, string(g.Grantee), version)) {
			return true
		}
	}
	return false
}

// holdings returns where a role owns or was granted something: by database, "" for what belongs to none.
func (s *state) holdings(role string) map[string][]string {
	out := map[string][]string{}
	add := func(db, format string, args ...any) { out[db] = append(out[db], fmt.Sprintf(format, args...)) }
	for _, d := range s.databases {
		if d.Owner == role {
			add("", "owner of database %s", d.Name)
		}
		if d.acl.mentions(role, d.Owner) {
			add("", "privileges for database %s", d.Name)
		}
		objects := func(kind, name string, o object) {
			if o.owner == role {
				add(d.Name, "owner of %s %s", kind, name)
			}
			if o.acl.mentions(role, o.owner) {
				add(d.Name, "privileges for %s %s", kind, name)
			}
		}
		for n, o := range d.schemas {
			objects("schema", n, o)
		}
		for n, o := range d.tables {
			objects("table", n, o)
		}
		for _, f := range d.functions {
			objects("function", f.Identity, f.object)
		}
	}
	for _, list := range out {
		sort.Strings(list)
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// quote writes a name as PostgreSQL's reg types do.
func quote(name string) string {
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c == '_' || i > 0 && isDigit(c)) {
			return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		}
	}
	return name
}
