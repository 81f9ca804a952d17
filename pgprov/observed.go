package pgprov

import (
	"context"
	"fmt"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// observed is what was read of a server.
type observed struct {
	server      catalog.Server
	room        catalog.Room
	superusers  map[string]bool // value: the one that initdb made
	roles       map[string]catalog.Role
	memberships []catalog.MembershipRow
	above       map[string][]string // by role: what it is a member of
	below       map[string][]string // by role: its members
	powers      map[string]string   // of roles that have members: see [catalog.MembershipRow]
	owners      map[string]bool     // the owner roles of the spec
	databases   map[string]catalog.Database
	grants      map[string][]catalog.Grant // on databases
	sessions    []catalog.Session
	belongings  []catalog.Belongings
	available   map[string]catalog.Extension
	inside      map[string]*inside // by database; of those that exist and could be read
}

// inside are what was read in one database.
type inside struct {
	place      catalog.Place
	schema     *object // nil: missing
	functions  []function
	extensions []string
}

// object is something with an owner and grants.
type object struct {
	owner  string
	grants []catalog.Grant
}

type function struct {
	catalog.FunctionGrant // without the grant
	object
}

// scope is what a reading of the server is about.
type scope struct {
	roles      []string // whose attributes are of interest
	members    []string // whose members and memberships are, however indirect
	owners     []string // every owner role of the spec
	verifiers  []string // roles whose verifiers are wanted
	databases  []string
	extensions []string
	people     bool // who owns tables in the databases, who is connected, and how many can be
	settings   bool // what the owners of databases have set for them
}

// scope returns everything that the spec is about.
func (s *Spec) scope() scope {
	shared := []string{s.editor(), s.pooler()}
	sc := scope{verifiers: shared, roles: shared, members: shared, people: true, settings: true}
	for _, i := range s.Instances {
		sc.owners = append(sc.owners, i.OwnerRole())
		sc.databases = append(sc.databases, i.Database())
		sc.add(i)
	}
	sc.roles = slices.Concat(sc.roles, sc.owners)
	sc.members = slices.Concat(sc.members, sc.owners)
	return sc
}

// scopeOf returns what one instance is about.
func (s *Spec) scopeOf(i Instance) scope {
	sc := scope{roles: []string{i.OwnerRole(), s.editor(), s.pooler()}, members: []string{i.OwnerRole()},
		databases: []string{i.Database()}}
	for _, o := range s.Instances {
		sc.owners = append(sc.owners, o.OwnerRole())
	}
	sc.add(i)
	return sc
}

// scopeOfEarly returns what its owner role and its database are about.
func (s *Spec) scopeOfEarly(i Instance) scope {
	return scope{roles: []string{i.OwnerRole()}, databases: []string{i.Database()}}
}

// scopeOfShared returns what the shared roles are about.
func (s *Spec) scopeOfShared() scope {
	sc := scope{roles: []string{s.editor(), s.pooler()}}
	sc.verifiers, sc.members = sc.roles, sc.roles
	for _, o := range s.Instances {
		sc.owners = append(sc.owners, o.OwnerRole())
	}
	return sc
}

func (sc *scope) add(i Instance) {
	sc.roles = append(slices.Clip(sc.roles), i.Connect...)
	for _, e := range i.Extensions {
		if !slices.Contains(sc.extensions, e) {
			sc.extensions = append(sc.extensions, e)
		}
	}
}

// reading is a request for rows of several kinds.
type reading struct {
	queries []query
	take    []func([][][]byte) error // what is done with the answers
}

// want adds a query, and says what is done with each of its rows.
func want[T any](r *reading, q query, each func(T)) {
	r.queries = append(r.queries, q)
	r.take = append(r.take, func(answer [][][]byte) error {
		decoded, err := rows[T](answer)
		for _, row := range decoded {
			each(row)
		}
		return err
	})
}

// read asks for everything at once. Where nothing has parameters it is a simple query, which is less
// work for the server.
func (s *session) read(ctx context.Context, r *reading) error {
	var plain []string
	for _, q := range r.queries {
		if len(q.names) == 0 {
			plain = append(plain, q.sql)
		}
	}
	ask := func() ([][][][]byte, error) { return s.ask(ctx, r.queries...) }
	if len(plain) == len(r.queries) {
		ask = func() ([][][][]byte, error) { return s.query(ctx, plain...) }
	}
	answers, err := ask()
	if err != nil {
		return err
	}
	if len(answers) != len(r.queries) {
		return fmt.Errorf("%d answers to %d queries", len(answers), len(r.queries))
	}
	for n, answer := range answers {
		if err := r.take[n](answer); err != nil {
			return err
		}
	}
	return nil
}

// observe reads the server, and refuses one that is not to be worked on.
func (s *session) observe(ctx context.Context, sc scope, allowPG15 bool) (*observed, error) {
	r := &reading{}
	seen, check := s.wantServer(r, sc)
	if err := s.read(ctx, r); err != nil {
		return nil, err
	}
	if err := check(); err != nil {
		return nil, err
	}
	return seen, s.client.validate(seen, allowPG15)
}

// wantServer asks for everything but the inside of databases, whatever the number of instances.
// check is to be called when it was read.
func (s *session) wantServer(r *reading, sc scope) (seen *observed, check func() error) {
	seen = &observed{
		superusers: map[string]bool{}, roles: map[string]catalog.Role{}, databases: map[string]catalog.Database{},
		above: map[string][]string{}, below: map[string][]string{}, powers: map[string]string{},
		owners: map[string]bool{}, available: map[string]catalog.Extension{},
		grants: map[string][]catalog.Grant{}, inside: map[string]*inside{},
	}
	for _, o := range sc.owners {
		seen.owners[o] = true
	}
	servers := 0
	want(r, query{catalog.ServerQuery, nil}, func(v catalog.Server) { seen.server = v; servers++ })
	want(r, query{catalog.SuperusersQuery, nil}, func(u catalog.Superuser) { seen.superusers[u.Name] = u.Bootstrap })
	want(r, query{catalog.RolesQuery, [][]string{sc.roles, sc.verifiers}},
		func(v catalog.Role) { seen.roles[v.Name] = v })
	if len(sc.members) > 0 {
		want(r, query{catalog.MembershipsQuery(s.version), [][]string{sc.members}}, seen.addMembership)
	}
	want(r, query{catalog.DatabasesQuery(s.version), [][]string{sc.databases}},
		func(d catalog.Database) { seen.databases[d.Name] = d })
	want(r, query{catalog.DatabaseGrantsQuery, [][]string{sc.databases}},
		func(g catalog.DatabaseGrant) { seen.grants[g.Database] = append(seen.grants[g.Database], g.Grant) })
	overrides := map[string]map[string]string{}
	if sc.settings {
		want(r, query{catalog.SettingsQuery, nil}, func(v catalog.Setting) {
			if overrides[v.Database] == nil {
				overrides[v.Database] = map[string]string{}
			}
			overrides[v.Database][v.Name] = v.Value
		})
	}
	if sc.people {
		want(r, query{catalog.RoomQuery, nil}, func(v catalog.Room) { seen.room = v })
		want(r, query{catalog.BelongingsQuery, [][]string{sc.databases}},
			func(b catalog.Belongings) { seen.belongings = append(seen.belongings, b) })
		want(r, query{catalog.SessionsQuery, [][]string{sc.databases, sc.owners}},
			func(v catalog.Session) { seen.sessions = append(seen.sessions, v) })
	}
	if len(sc.extensions) > 0 {
		want(r, query{catalog.AvailableExtensionsQuery, [][]string{sc.extensions}},
			func(e catalog.Extension) { seen.available[e.Name] = e })
	}
	return seen, func() error {
		if servers != 1 {
			return fmt.Errorf("the server described itself in %d rows", servers)
		}
		if sc.settings {
			s.client.override(overrides)
		}
		return nil
	}
}

func (seen *observed) addMembership(m catalog.MembershipRow) {
	seen.memberships = append(seen.memberships, m)
	seen.powers[m.Role] = m.Power
	if !slices.Contains(seen.above[m.Member], m.Role) { // several may have granted it
		seen.above[m.Member] = append(seen.above[m.Member], m.Role)
		if !m.Administrator {
			seen.below[m.Role] = append(seen.below[m.Role], m.Member)
		}
	}
}

// readInside asks for the inside of the session's database: one round trip.
func (s *session) readInside(ctx context.Context, identity string, extensions bool) (*inside, error) {
	r := &reading{}
	in, check := s.wantInside(r, extensions)
	if err := s.read(ctx, r); err != nil {
		return nil, err
	}
	return in, check(identity)
}

// wantInside asks for the inside of the session's database. check is to be called when it was read.
func (s *session) wantInside(r *reading, extensions bool) (in *inside, check func(identity string) error) {
	in = &inside{}
	var places []catalog.Place
	want(r, query{catalog.PlaceQuery, nil}, func(p catalog.Place) { places = append(places, p) })
	want(r, query{catalog.SchemaQuery, nil}, func(g catalog.SchemaGrant) {
		if in.schema == nil {
			in.schema = &object{owner: string(g.Owner)}
		}
		in.schema.add(g.Grant)
	})
	want(r, query{catalog.FunctionsQuery, nil}, func(g catalog.FunctionGrant) {
		n := slices.IndexFunc(in.functions, func(fn function) bool { return fn.Identity == g.Identity })
		if n < 0 {
			in.functions = append(in.functions, function{g, object{owner: string(g.Owner)}})
			n = len(in.functions) - 1
		}
		in.functions[n].add(g.Grant)
	})
	if extensions {
		want(r, query{catalog.ExtensionsQuery, nil},
			func(n catalog.Name) { in.extensions = append(in.extensions, n.Name) })
	}
	return in, func(identity string) error {
		if len(places) != 1 || places[0].Database != s.database || places[0].Identity != identity {
			return s.client.elsewhere(s.database, places, identity)
		}
		in.place = places[0]
		return nil
	}
}

// elsewhere is the error of a connection that did not reach the database, or the server, that all
// others did.
func (c *client) elsewhere(database string, places []catalog.Place, identity string) error {
	got := "nothing"
	if len(places) == 1 {
		got = fmt.Sprintf("database %q of system %s", places[0].Database, places[0].Identity)
	}
	return &lab.Error{Op: "connect", Target: c.server.target(), Path: database,
		Hint: "connect to the server itself, not to a pooler or a balancer",
		Err:  kindf(lab.ErrRefused, "reached %s instead of system %s", got, identity)}
}

func (o *object) add(g catalog.Grant) {
	if g.Privilege != "" { // an empty list is one row without a privilege
		o.grants = append(o.grants, g)
	}
}

// validate reports what forbids working on this server at all, and remembers which server it is.
func (c *client) validate(seen *observed, allowPG15 bool) error {
	e := &lab.Error{Op: "validate server", Target: c.server.target()}
	v := seen.server.Version / 10000
	switch {
	case c.identity != "" && seen.server.Identity != c.identity:
		e.Hint = "look at the address; if the server was recreated on purpose, give its new identity"
		e.Set.Name = SettingIdentity
		e.Err = kindf(lab.ErrRefused, "its system identifier is %s, not %s: it is another server",
			seen.server.Identity, c.identity)
	case seen.server.InRecovery:
		e.Hint = "connect to the primary, or wait until recovery has ended"
		e.Err = kindf(lab.ErrBlocked, "it is in recovery and takes no writes")
	case !seen.server.Superuser:
		e.Hint = "log in as a superuser"
		e.Err = kindf(lab.ErrUnauthorized, "%q is not a superuser", seen.server.User)
	case v < oldestVersion:
		e.Hint = "upgrade to PostgreSQL 16 or later"
		e.Err = kindf(lab.ErrRefused, "PostgreSQL %d is too old", v)
	case v == 15 && !allowPG15:
		e.Hint, e.Set.Name = "upgrade to PostgreSQL 16 or later, or accept PostgreSQL 15", SettingPG15
		e.Err = kindf(lab.ErrRefused, "on PostgreSQL 15 whoever holds the editor's password can join any role "+
			"but a superuser, run programs on the machine and change passwords, because CREATEROLE allows that")
	default:
		if c.identity == "" { // this is the first connection: others are made only later
			c.identity = seen.server.Identity
		}
		return nil
	}
	return e
}

// room is how many connections more than this one the server can take without using those kept for
// superusers.
func room(r catalog.Room) int { return r.MaxConnections - r.Reserved - r.Connections }
