package pgprov

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login/scram"
)

// op is a change with what makes it, over a session in the database that it is about.
type op = reconcile.Op[*session]

// statements makes a change by statements that are sent at once.
func statements(sql ...string) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		_, err := s.query(ctx, sql...)
		return err
	}
}

// stepShared is the name of the step that makes what all instances share.
const stepShared = "pg"

func stepOf(i lab.Instance) string { return stepShared + "/" + i.Database() }

// update returns the op that turns the lines before into the lines after, or nil when they are equal.
func update(id, cause string, before, after []string, stmts ...string) []op {
	diff := lab.Diff(id[strings.LastIndex(id, "/")+1:], text(before), text(after))
	if diff == "" {
		return nil
	}
	return []op{{Change: lab.Change{ID: id, Action: lab.Update, Cause: cause, Diff: diff}, Make: statements(stmts...)}}
}

func create(id string, after []string, stmts ...string) []op {
	diff := lab.Diff(id[strings.LastIndex(id, "/")+1:], nil, text(after))
	return []op{{Change: lab.Change{ID: id, Action: lab.Create, Cause: "not found", Diff: diff}, Make: statements(stmts...)}}
}

func text(lines []string) []byte {
	if len(lines) == 0 {
		return nil
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// diffShared returns what the shared roles lack.
func (s *Spec) diffShared(seen *observed) (ops []op, err error) {
	editor := catalog.Role{Name: s.editor(), Login: true, CreateRole: true, ConnectionLimit: -1}
	pooler := catalog.Role{Name: s.pooler(), Login: true, ConnectionLimit: -1}
	if s.EditorEndsSessions && seen.server.Version < 160000 {
		err = &lab.Error{Op: "plan", Path: s.editor(), Hint: "upgrade to PostgreSQL 16 or later, or leave it out",
			Err: kindf(lab.ErrRefused, "on PostgreSQL 15 a role inherits all of its memberships or none, so the editor cannot be let end sessions alone")}
	}
	ops = append(ops, diffRole(stepShared, editor, s.Editor.Password, seen)...)
	ops = append(ops, diffRole(stepShared, pooler, s.Pooler.Password, seen)...)
	var signal *options
	if s.EditorEndsSessions {
		signal = &options{inherit: true}
		ops = append(ops, diffMembership(stepShared, signalRole, s.editor(), signal, seen)...)
	}
	owners := map[string]bool{}
	for _, i := range s.Instances {
		owners[i.OwnerRole()] = true
	}
	for _, member := range []string{s.editor(), s.pooler()} {
		for _, role := range seen.rolesOf(member) {
			if member == s.editor() && (owners[role] || role == signalRole && signal != nil) {
				continue
			}
			ops = append(ops, diffMembership(stepShared, role, member, nil, seen)...)
		}
	}
	return ops, err
}

const signalRole = "pg_signal_backend"

// rolesOf returns the roles that member is a member of, as far as they were read.
func (seen *observed) rolesOf(member string) (roles []string) {
	for _, m := range seen.memberships {
		if m.Member == member && !slices.Contains(roles, m.Role) {
			roles = append(roles, m.Role)
		}
	}
	slices.Sort(roles)
	return roles
}

// diffRole returns what turns a role into the wanted one. An empty password leaves that as it is
// for a role that logs in.
func diffRole(step string, want catalog.Role, password lab.Secret, seen *observed) []op {
	id := step + "/role:" + want.Name
	after := describeRole(want)
	if !password.IsZero() {
		after = append(after, "PASSWORD (as wanted)")
	}
	have, ok := seen.roles[want.Name]
	if !ok {
		plain := describeRole(catalog.Role{Inherit: true, ConnectionLimit: -1}) // what goes without saying
		after = slices.DeleteFunc(after, func(line string) bool { return slices.Contains(plain, line) && line != "NOLOGIN" })
		ops := create(id, after, "CREATE ROLE "+ident(want.Name)+" "+strings.Join(describeRole(want), " ")+passwordClause(password))
		if want.Login && password.IsZero() {
			ops[0].Cause += "; it cannot log in until it is given a password"
		}
		return ops
	}
	before := describeRole(have)
	clause := ""
	switch v, ok := scram.ParseVerifier(have.Verifier); {
	case !want.Login && have.HasPassword:
		before, clause = append(before, "PASSWORD (not needed)"), " PASSWORD NULL"
	case password.IsZero():
	case ok && v.Matches(password.Reveal()):
		before = append(before, "PASSWORD (as wanted)")
	case ok:
		before, clause = append(before, "PASSWORD (another)"), passwordClause(password)
	case have.HasPassword:
		before, clause = append(before, "PASSWORD (not stored for SCRAM-SHA-256)"), passwordClause(password)
	default:
		clause = passwordClause(password)
	}
	attributes := strings.Join(describeRole(want), " ")
	if have.ValidUntil != "" {
		attributes += " VALID UNTIL 'infinity'"
	}
	return update(id, "differs", before, after, "ALTER ROLE "+ident(want.Name)+" "+attributes+clause)
}

func describeRole(r catalog.Role) []string {
	flag := func(on bool, name string) string {
		if on {
			return name
		}
		return "NO" + name
	}
	lines := []string{flag(r.Superuser, "SUPERUSER"), flag(r.Inherit, "INHERIT"), flag(r.CreateRole, "CREATEROLE"), flag(r.CreateDB, "CREATEDB"),
		flag(r.Login, "LOGIN"), flag(r.Replication, "REPLICATION"), flag(r.BypassRLS, "BYPASSRLS"), fmt.Sprintf("CONNECTION LIMIT %d", r.ConnectionLimit)}
	if r.ValidUntil != "" {
		lines = append(lines, "VALID UNTIL "+r.ValidUntil)
	}
	return lines
}

// options are those of a membership.
type options struct{ admin, inherit, set bool }

func (o options) String() string {
	word := func(b bool) string { return strings.ToUpper(fmt.Sprint(b)) }
	return fmt.Sprintf("ADMIN %s, INHERIT %s, SET %s", word(o.admin), word(o.inherit), word(o.set))
}

// diffMembership returns what makes member a member of role with exactly these options, granted by
// the superuser of initdb, in whose name superusers grant; nil: no member at all. From PostgreSQL
// 16 on the same membership can have been granted by several.
func diffMembership(step, role, member string, want *options, seen *observed) []op {
	id := step + "/grant:" + role + ":" + member
	modern := seen.server.Version >= 160000
	describe := func(o options) string {
		if !modern {
			o.inherit, o.set = false, true // decided by the member's attribute, and always
		}
		return o.String()
	}
	var before, after, revokes []string
	right := false
	for _, m := range seen.memberships {
		if m.Role != role || m.Member != member {
			continue
		}
		line := describe(options{m.Admin, m.Inherit, m.Set})
		ours := !modern || seen.superusers[m.Grantor]
		if !ours {
			line += " GRANTED BY " + ident(m.Grantor)
		}
		before = append(before, line)
		switch {
		case ours && want != nil:
			right = line == describe(*want)
		case modern:
			revokes = append(revokes, fmt.Sprintf("REVOKE %s FROM %s GRANTED BY %s CASCADE", ident(role), ident(member), ident(m.Grantor)))
		default:
			revokes = append(revokes, fmt.Sprintf("REVOKE %s FROM %s CASCADE", ident(role), ident(member)))
		}
	}
	slices.Sort(before)
	var stmts []string
	if want != nil {
		after = []string{describe(*want)}
		switch {
		case right:
		case modern:
			stmts = append(stmts, fmt.Sprintf("GRANT %s TO %s WITH %s", ident(role), ident(member), want))
		default:
			stmts = append(stmts, fmt.Sprintf("GRANT %s TO %s WITH ADMIN OPTION", ident(role), ident(member)))
		}
	}
	stmts = append(stmts, revokes...)
	switch {
	case len(before) == 0 && want != nil:
		return create(id, after, stmts...)
	case want == nil && len(before) > 0:
		ops := update(id, "not wanted", before, after, stmts...)
		ops[0].Action = lab.Delete
		return ops
	}
	return update(id, "differs", before, after, stmts...)
}

// diffInstance returns what an instance lacks. in is what was read in its database; nil when that
// does not exist.
func (s *Spec) diffInstance(i Instance, seen *observed, in *inside) ([]op, error) {
	step, owner := stepOf(i.Instance), i.OwnerRole()
	var errs []error
	ops := diffRole(step, catalog.Role{Name: owner, Inherit: true, ConnectionLimit: -1}, lab.Secret{}, seen)
	database, err := s.diffDatabase(i, seen)
	ops, errs = append(ops, database...), append(errs, err)
	ops = append(ops, diffMembership(step, owner, s.editor(), &options{admin: true}, seen)...)
	for _, role := range seen.rolesOf(owner) {
		ops = append(ops, diffMembership(step, role, owner, nil, seen)...)
	}
	ops = append(ops, s.diffConnect(i, seen)...)
	for _, role := range i.Connect {
		if _, ok := seen.roles[role]; !ok {
			errs = append(errs, &lab.Error{Op: "plan", Target: step, Path: role, Hint: "create the role, or leave it out", Err: kindf(lab.ErrNotFound, "the role that is to connect")})
		}
	}
	if in == nil {
		in = &inside{}
	}
	extensions, err := diffExtensions(i, seen, in)
	ops, errs = append(ops, extensions...), append(errs, err)
	ops = append(ops, s.diffSchema(step, seen, in)...)
	ops = append(ops, s.diffLookup(i, seen, in)...)
	for _, fn := range in.functions {
		ops = append(ops, s.diffOther(step, seen, fn)...)
	}
	// what is done in the database comes after it, and that after its owner
	var before []string
	for n := range ops {
		ops[n].After = slices.Clone(before)
		if early(i.Instance, ops[n].Change) {
			before = []string{ops[n].ID}
		}
	}
	return ops, errors.Join(errs...)
}

// early reports whether the change is made outside of the database, before that exists: of its
// owner role, and of itself.
func early(i lab.Instance, c lab.Change) bool {
	return c.Action == lab.Create && (c.ID == stepOf(i)+"/role:"+i.OwnerRole() || c.ID == stepOf(i)+"/database:"+i.Database())
}

func (s *Spec) diffDatabase(i Instance, seen *observed) ([]op, error) {
	step, name, owner := stepOf(i.Instance), i.Database(), i.OwnerRole()
	id := step + "/database:" + name
	want := []string{"OWNER " + ident(owner)}
	have, ok := seen.databases[name]
	if !ok {
		sql := "CREATE DATABASE " + ident(name) + " OWNER " + ident(owner) + " TEMPLATE template0 ENCODING " + literal(cmp.Or(i.Encoding, "UTF8"))
		want = append(want, "ENCODING "+cmp.Or(i.Encoding, "UTF8"))
		switch {
		case i.ICULocale != "":
			sql += " LOCALE_PROVIDER icu ICU_LOCALE " + literal(i.ICULocale)
			want = append(want, "ICU_LOCALE "+i.ICULocale)
		case i.Locale != "": // a server of another provider would take LOCALE for a locale of that
			sql += " LOCALE_PROVIDER libc"
		}
		if i.Locale != "" {
			sql += " LOCALE " + literal(i.Locale)
			want = append(want, "LOCALE "+i.Locale)
		}
		return create(id, want, sql), nil
	}
	var errs []error
	conflict := func(kind error, hint, format string, args ...any) {
		errs = append(errs, &lab.Error{Op: "plan", Target: step, Path: "database " + name, Hint: hint, Err: kindf(kind, format, args...)})
	}
	const recreate = "a database keeps what it was made with: dump it, drop it and restore it, or ask for what it has"
	if i.Encoding != "" && encodingKey(i.Encoding) != encodingKey(have.Encoding) {
		conflict(lab.ErrConflict, recreate, "its encoding is %s, not %s", have.Encoding, i.Encoding)
	}
	if i.Locale != "" && (localeKey(i.Locale) != localeKey(have.Collate) || localeKey(i.Locale) != localeKey(have.CType)) {
		conflict(lab.ErrConflict, recreate, "its LC_COLLATE is %s and its LC_CTYPE %s, not %s", have.Collate, have.CType, i.Locale)
	}
	if i.ICULocale != "" && (have.Provider != "i" || icuKey(have.Locale) != icuKey(i.ICULocale)) {
		conflict(lab.ErrConflict, recreate, "its locale is %s of provider %q, not %s of ICU",
			cmp.Or(have.Locale, have.Collate), have.Provider, i.ICULocale)
	}
	switch {
	case have.ConnectionLimit == -2:
		conflict(lab.ErrBlocked, "DROP DATABASE "+ident(name), "somebody's DROP DATABASE was cut off, and it cannot be used any more")
	case !have.AllowConnections:
		conflict(lab.ErrBlocked, "ALTER DATABASE "+ident(name)+" ALLOW_CONNECTIONS true", "it was closed to connections, and cannot be looked into")
	case have.Template:
		conflict(lab.ErrConflict, "ALTER DATABASE "+ident(name)+" IS_TEMPLATE false", "it is a template: any role with CREATEDB can copy it")
	}
	return update(id, "its owner is "+have.Owner, []string{"OWNER " + ident(have.Owner)}, want,
		"ALTER DATABASE "+ident(name)+" OWNER TO "+ident(owner)), errors.Join(errs...)
}

// diffConnect compares who may connect to the database.
func (s *Spec) diffConnect(i Instance, seen *observed) []op {
	step, name, owner := stepOf(i.Instance), i.Database(), i.OwnerRole()
	want := wantedGrants{s.editor(): "CONNECT", s.pooler(): "CONNECT"}
	for _, role := range i.Connect {
		want[role] = "CONNECT"
	}
	delete(want, owner)
	grants := onDatabase.defaults(owner, "CONNECT", "TEMPORARY")
	if have, ok := seen.databases[name]; ok {
		grants = moveTo(owner, have.Owner, withoutDynamic(seen.grants[name], s.dynamicPrefix(), want, have.Owner))
	}
	return update(step+"/grants:"+name, "differ", onDatabase.describe(owner, grants), onDatabase.describeWanted(want), onDatabase.repair(ident(name), owner, grants, want)...)
}

func diffExtensions(i Instance, seen *observed, in *inside) (ops []op, err error) {
	step := stepOf(i.Instance)
	for _, name := range i.Extensions {
		if slices.Contains(in.extensions, name) {
			continue
		}
		if !slices.Contains(seen.available, name) {
			err = errors.Join(err, &lab.Error{Op: "plan", Target: step, Path: "extension " + name, Hint: "install the package that holds it on the server", Err: kindf(lab.ErrNotFound, "the server has no such extension")})
			continue
		}
		// An extension without a schema of its own goes where the app looks for it.
		ops = append(ops, create(step+"/extension:"+name, []string{"EXTENSION " + ident(name)},
			"SET LOCAL search_path = public", "CREATE EXTENSION IF NOT EXISTS "+ident(name)+" CASCADE", "SET LOCAL search_path = pg_catalog, pg_temp")...)
	}
	return ops, err
}

// superuserOr returns who owns what superusers own: whoever does, when that is a superuser, else
// who is logged in.
func (seen *observed) superuserOr(owner string) string {
	if _, ok := seen.superusers[owner]; ok {
		return owner
	}
	return seen.server.User
}

func (s *Spec) diffSchema(step string, seen *observed, in *inside) []op {
	id := step + "/schema:" + lookupSchema
	want := wantedGrants{s.pooler(): "USAGE"}
	if in.schema == nil {
		owner := seen.server.User
		stmts := append([]string{"CREATE SCHEMA " + ident(lookupSchema)}, onSchema.repair(ident(lookupSchema), owner, onSchema.defaults(owner), want)...)
		return create(id, append([]string{"OWNER " + ident(owner)}, onSchema.describeWanted(want)...), stmts...)
	}
	owner := seen.superuserOr(in.schema.owner)
	grants := in.schema.grants
	var stmts []string
	if owner != in.schema.owner {
		stmts = append(stmts, "ALTER SCHEMA "+ident(lookupSchema)+" OWNER TO "+ident(owner))
		grants = moveTo(owner, in.schema.owner, grants)
	}
	stmts = append(stmts, onSchema.repair(ident(lookupSchema), owner, grants, want)...)
	return update(id, "differs", append([]string{"OWNER " + ident(in.schema.owner)}, onSchema.describe(in.schema.owner, in.schema.grants)...),
		append([]string{"OWNER " + ident(owner)}, onSchema.describeWanted(want)...), stmts...)
}

// wantedLookup is user_lookup() as it must be, grants and owner aside.
func (s *Spec) wantedLookup(i Instance) function {
	return function{FunctionGrant: catalog.FunctionGrant{
		Identity: lookupFunction, Schema: lookupSchema, Arguments: "25", Kind: "f", Language: "14", Volatility: "s", Parallel: "u", Strict: true, Definer: true,
		Result: "2249", Names: "{i_username,uname,phash}", Modes: "{i,o,o}", Types: "{25,25,25}", Config: `{"search_path=pg_catalog, pg_temp"}`,
		Source: s.lookupBody(i), Support: "-",
	}}
}

func (s *Spec) lookupBody(i Instance) string {
	if s.LookupMembersOnly {
		return catalog.LookupBody(i.OwnerRole())
	}
	return catalog.LookupBody("")
}

func (s *Spec) diffLookup(i Instance, seen *observed, in *inside) []op {
	step := stepOf(i.Instance)
	id := step + "/function:" + lookupFunction
	member := ""
	if s.LookupMembersOnly {
		member = i.OwnerRole()
	}
	want := s.wantedLookup(i)
	grants := wantedGrants{s.pooler(): "EXECUTE"}
	describeWanted := func(owner string) []string {
		return append(append(want.describe(), "OWNER "+ident(owner)), onFunction.describeWanted(grants)...)
	}
	made := func(owner string) []string { // the grants of a new function
		return onFunction.repair(lookupFunction, owner, onFunction.defaults(owner, "EXECUTE"), grants)
	}
	n := slices.IndexFunc(in.functions, func(fn function) bool { return fn.Identity == lookupFunction })
	if n < 0 {
		return create(id, describeWanted(seen.server.User), append([]string{createLookup(member)}, made(seen.server.User)...)...)
	}
	have := in.functions[n]
	if catalog.Squash(have.Source) == catalog.Squash(want.Source) {
		have.Source = want.Source
	}
	before := append(append(have.describe(), "OWNER "+ident(have.owner)), onFunction.describe(have.owner, have.grants)...)
	if have.shape() != want.shape() { // CREATE OR REPLACE keeps the kind and what is returned
		ops := update(id, "its signature differs", before, describeWanted(seen.server.User),
			append([]string{"DROP ROUTINE " + lookupFunction, createLookup(member)}, made(seen.server.User)...)...)
		ops[0].Action = lab.Replace
		return ops
	}
	owner := seen.superuserOr(have.owner)
	var stmts []string
	if strings.Join(have.describe(), "\n") != strings.Join(want.describe(), "\n") {
		stmts = append(stmts, createLookup(member))
	}
	has := have.grants
	if owner != have.owner {
		stmts = append(stmts, "ALTER FUNCTION "+lookupFunction+" OWNER TO "+ident(owner))
		has = moveTo(owner, have.owner, has)
	}
	stmts = append(stmts, onFunction.repair(lookupFunction, owner, has, grants)...)
	return update(id, "differs", before, describeWanted(owner), stmts...)
}

// shape is what CREATE OR REPLACE FUNCTION cannot change.
func (fn *function) shape() [7]string {
	return [7]string{fn.Kind, fn.Result, fn.Names, fn.Modes, fn.Types, fmt.Sprint(fn.ReturnsSet), fmt.Sprint(fn.Defaults)}
}

var (
	languages    = map[string]string{"12": "internal", "13": "c", "14": "sql"}
	volatilities = map[string]string{"i": "IMMUTABLE", "s": "STABLE", "v": "VOLATILE"}
	parallels    = map[string]string{"s": "SAFE", "r": "RESTRICTED", "u": "UNSAFE"}
	kindNames    = map[string]string{"f": "FUNCTION", "p": "PROCEDURE", "a": "AGGREGATE", "w": "WINDOW FUNCTION"}
)

// describe writes everything of a function but its owner and grants, as lines.
func (fn *function) describe() []string {
	when := func(on bool, yes, no string) string {
		if on {
			return yes
		}
		return no
	}
	lines := []string{
		kindNames[fn.Kind] + " " + fn.Identity,
		fmt.Sprintf("RETURNS %s%s, arguments %s %s %s", when(fn.ReturnsSet, "SETOF ", ""), when(fn.Result == "2249", "record", "type "+fn.Result), fn.Names, fn.Modes, fn.Types),
		"LANGUAGE " + cmp.Or(languages[fn.Language], "number "+fn.Language),
		volatilities[fn.Volatility],
		when(fn.Strict, "STRICT", "CALLED ON NULL INPUT"),
		when(fn.Definer, "SECURITY DEFINER", "SECURITY INVOKER"),
		"PARALLEL " + parallels[fn.Parallel],
		when(fn.Leakproof, "LEAKPROOF", "NOT LEAKPROOF"),
		"SET " + cmp.Or(fn.Config, "nothing"),
	}
	if fn.Defaults > 0 {
		lines = append(lines, fmt.Sprintf("DEFAULT of %d arguments", fn.Defaults))
	}
	if fn.Support != "-" {
		lines = append(lines, "SUPPORT "+fn.Support)
	}
	if fn.Standard {
		lines = append(lines, "BEGIN ATOMIC ... END")
	}
	lines = append(lines, "AS")
	for line := range strings.Lines(fn.Source) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, "  "+line)
		}
	}
	return lines
}

// diffOther deals with what else is called user_lookup.
func (s *Spec) diffOther(step string, seen *observed, fn function) []op {
	_, superuser := seen.superusers[fn.owner]
	drop := func(cause string, risk lab.Risk) []op {
		id := step + "/function:" + fn.Identity
		return []op{{Change: lab.Change{ID: id, Action: lab.Delete, Cause: cause, Risk: risk, Diff: lab.Diff(fn.Identity, text(append(fn.describe(), "OWNER "+ident(fn.owner))), nil)},
			Make: statements("DROP ROUTINE " + fn.Identity)}}
	}
	switch {
	case fn.Schema == lookupSchema && fn.Identity != lookupFunction:
		return drop("PgBouncer's question could be answered by it", lab.RiskNone)
	case fn.Identity == oldFunction && superuser && s.DropOldLookup:
		return drop("replaced by "+lookupFunction+": whoever still asks it lets nobody in any more", lab.RiskDisrupt)
	}
	return nil
}
