package pgprov

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// observed is what was read of a server.
type observed struct {
	server      catalog.Server
	superusers  map[string]bool // value: the one that initdb made
	roles       map[string]catalog.Role
	memberships []catalog.Membership
	databases   map[string]catalog.Database
	grants      map[string][]catalog.Grant // on databases
	available   []string                   // extensions
	inside      map[string]*inside         // by database; of those that exist
}

// inside are what was read in one database.
type inside struct {
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
	roles      []string // of interest: their attributes, and their memberships in any managed role
	managed    []string // every managed role
	verifiers  []string // roles whose verifiers are wanted
	pooler     string   // of whom every membership is of interest; empty: nobody
	databases  []string
	extensions []string
}

// scope returns everything that the spec is about.
func (s *Spec) scope() scope {
	sc := scope{verifiers: []string{s.editor(), s.pooler()}, pooler: s.pooler()}
	sc.managed = []string{s.editor(), s.pooler()}
	for _, i := range s.Instances {
		sc.managed = append(sc.managed, i.OwnerRole())
		sc.databases = append(sc.databases, i.Database())
		sc.add(i)
	}
	sc.roles = append(sc.roles, sc.managed...)
	return sc
}

// scopeOf returns what one instance is about.
func (s *Spec) scopeOf(i Instance) scope {
	sc := scope{roles: []string{i.OwnerRole(), s.editor(), s.pooler()}, databases: []string{i.Database()}}
	for _, o := range s.Instances {
		sc.managed = append(sc.managed, o.OwnerRole())
	}
	sc.add(i)
	return sc
}

// scopeOfShared returns what the shared roles are about.
func (s *Spec) scopeOfShared() scope {
	shared := []string{s.editor(), s.pooler()}
	return scope{roles: shared, verifiers: shared, managed: shared, pooler: s.pooler()}
}

func (sc *scope) add(i Instance) {
	sc.roles = append(sc.roles, i.Connect...)
	for _, e := range i.Extensions {
		if !slices.Contains(sc.extensions, e) {
			sc.extensions = append(sc.extensions, e)
		}
	}
}

// observe reads the server, and refuses one that is not to be worked on.
func (s *session) observe(ctx context.Context, sc scope, allowPG15 bool) (*observed, error) {
	seen, err := s.readServer(ctx, sc)
	if err != nil {
		return nil, err
	}
	return seen, s.client.validate(seen, allowPG15)
}

// readServer asks for everything but the inside of databases: one round trip, whatever the number
// of instances.
func (s *session) readServer(ctx context.Context, sc scope) (*observed, error) {
	var poolers []string
	if sc.pooler != "" {
		poolers = []string{sc.pooler}
	}
	queries := []query{
		{catalog.ServerQuery, nil},
		{catalog.SuperusersQuery, nil},
		{catalog.RolesQuery, [][]string{sc.roles, sc.verifiers}},
		{catalog.MembershipsQuery(s.version), [][]string{sc.roles, sc.managed, poolers}},
		{catalog.DatabasesQuery(s.version), [][]string{sc.databases}},
		{catalog.DatabaseGrantsQuery, [][]string{sc.databases}},
	}
	if len(sc.extensions) > 0 {
		queries = append(queries, query{catalog.AvailableExtensionsQuery, [][]string{sc.extensions}})
	}
	answers, err := s.ask(ctx, queries...)
	if err != nil {
		return nil, err
	}
	if len(answers) != len(queries) {
		return nil, fmt.Errorf("%d answers to %d queries", len(answers), len(queries))
	}
	seen := &observed{
		superusers: map[string]bool{}, roles: map[string]catalog.Role{}, databases: map[string]catalog.Database{},
		grants: map[string][]catalog.Grant{}, inside: map[string]*inside{},
	}
	servers, err0 := rows[catalog.Server](answers[0])
	superusers, err1 := rows[catalog.Superuser](answers[1])
	roles, err2 := rows[catalog.Role](answers[2])
	memberships, err3 := rows[catalog.Membership](answers[3])
	databases, err4 := rows[catalog.Database](answers[4])
	grants, err5 := rows[catalog.DatabaseGrant](answers[5])
	if err := errors.Join(err0, err1, err2, err3, err4, err5); err != nil {
		return nil, err
	}
	if len(servers) != 1 {
		return nil, fmt.Errorf("the server described itself in %d rows", len(servers))
	}
	seen.server = servers[0]
	for _, u := range superusers {
		seen.superusers[u.Name] = u.Bootstrap
	}
	for _, r := range roles {
		seen.roles[r.Name] = r
	}
	seen.memberships = memberships
	for _, d := range databases {
		seen.databases[d.Name] = d
	}
	for _, g := range grants {
		seen.grants[g.Database] = append(seen.grants[g.Database], g.Grant)
	}
	if len(answers) > 6 {
		names, err := rows[catalog.Name](answers[6])
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			seen.available = append(seen.available, n.Name)
		}
	}
	return seen, nil
}

// readInside asks for the inside of the session's database: one round trip.
func (s *session) readInside(ctx context.Context, identity string, extensions bool) (*inside, error) {
	sql := []string{catalog.PlaceQuery, catalog.SchemaQuery, catalog.FunctionsQuery}
	if extensions {
		sql = append(sql, catalog.ExtensionsQuery)
	}
	answers, err := s.query(ctx, sql...)
	if err != nil {
		return nil, err
	}
	if len(answers) != len(sql) {
		return nil, fmt.Errorf("%d answers to %d queries", len(answers), len(sql))
	}
	places, err0 := rows[catalog.Place](answers[0])
	schema, err1 := rows[catalog.SchemaGrant](answers[1])
	functions, err2 := rows[catalog.FunctionGrant](answers[2])
	if err := errors.Join(err0, err1, err2); err != nil {
		return nil, err
	}
	if len(places) != 1 || places[0].Database != s.database || places[0].Identity != identity {
		return nil, s.client.elsewhere(s.database, places, identity)
	}
	in := &inside{}
	for _, g := range schema {
		if in.schema == nil {
			in.schema = &object{owner: string(g.Owner)}
		}
		in.schema.add(g.Grant)
	}
	for _, g := range functions {
		n := slices.IndexFunc(in.functions, func(fn function) bool { return fn.Identity == g.Identity })
		if n < 0 {
			in.functions = append(in.functions, function{g, object{owner: string(g.Owner)}})
			n = len(in.functions) - 1
		}
		in.functions[n].add(g.Grant)
	}
	if extensions {
		names, err := rows[catalog.Name](answers[3])
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			in.extensions = append(in.extensions, n.Name)
		}
	}
	return in, nil
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
		e.Hint = "upgrade to PostgreSQL 16 or later, or accept it by AllowPG15"
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
func room(s catalog.Server) int { return s.MaxConnections - s.Reserved - s.Connections }
