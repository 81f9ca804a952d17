package pgprov

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// superuserOr returns who is to own what a superuser must own: its owner when that is a superuser,
// otherwise the user who is logged in.
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
		grant := onSchema.repair(ident(lookupSchema), owner, onSchema.defaults(owner), want)
		return create(id, append([]string{"OWNER " + ident(owner)}, onSchema.describeWanted(want)...),
			append([]string{"CREATE SCHEMA " + ident(lookupSchema)}, grant...)...)
	}
	owner := seen.superuserOr(in.schema.owner)
	grants := in.schema.grants
	var stmts []string
	if owner != in.schema.owner {
		stmts = append(stmts, "ALTER SCHEMA "+ident(lookupSchema)+" OWNER TO "+ident(owner))
		grants = moveTo(owner, in.schema.owner, grants)
	}
	stmts = append(stmts, onSchema.repair(ident(lookupSchema), owner, grants, want)...)
	before := append([]string{"OWNER " + ident(in.schema.owner)},
		onSchema.describe(in.schema.owner, in.schema.grants)...)
	after := append([]string{"OWNER " + ident(owner)}, onSchema.describeWanted(want)...)
	ops := update(id, "differs", before, after, stmts...)
	return s.disruptLookup(ops, seen, owner != in.schema.owner, lostGrants(in.schema.owner, in.schema.grants, want))
}

// disruptLookup marks an op on what a pooler asks as one that may turn it away: when it changes
// hands, or when somebody loses a grant.
func (s *Spec) disruptLookup(ops []op, seen *observed, moves bool, lost []string) []op {
	var loses []string
	if moves {
		loses = append(loses, "it changes hands")
	}
	if len(lost) > 0 {
		loses = append(loses, "what was granted to "+strings.Join(lost, ", ")+" is revoked")
	}
	if len(loses) == 0 {
		return ops
	}
	return seen.disrupt(ops, strings.Join(loses, ", and "), func(o catalog.Session) bool {
		return slices.ContainsFunc(lost, func(who string) bool { return who == "PUBLIC" || who == ident(o.User) }) &&
			o.User != s.pooler() && !seen.isSuperuser(o.User)
	}, "let PgBouncer log in as "+ident(s.pooler())+" first")
}

// wantedLookup is user_lookup() as it must be, grants and owner aside.
func (s *Spec) wantedLookup(i Instance) function {
	return function{FunctionGrant: catalog.FunctionGrant{
		Identity: lookupFunction, Schema: lookupSchema, Arguments: "25", Kind: "f", Language: "14",
		Volatility: "s", Parallel: "u", Strict: true, Definer: true,
		Result: "2249", Names: "{i_username,uname,phash}", Modes: "{i,o,o}", Types: "{25,25,25}",
		Config: `{"search_path=pg_catalog, pg_temp"}`, Source: s.lookupBody(i), Support: "-",
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
		return create(id, describeWanted(seen.server.User),
			append([]string{createLookup(member)}, made(seen.server.User)...)...)
	}
	have := in.functions[n]
	if catalog.Squash(have.Source) == catalog.Squash(want.Source) {
		have.Source = want.Source
	}
	before := append(have.describe(), "OWNER "+ident(have.owner))
	before = append(before, onFunction.describe(have.owner, have.grants)...)
	if have.shape() != want.shape() { // CREATE OR REPLACE keeps the kind and what is returned
		ops := update(id, "its signature differs", before, describeWanted(seen.server.User),
			append([]string{"DROP ROUTINE " + lookupFunction, createLookup(member)}, made(seen.server.User)...)...)
		ops[0].Action = lab.Replace
		return s.disruptLookup(ops, seen, true, lostGrants(have.owner, have.grants, grants))
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
	ops := update(id, "differs", before, describeWanted(owner), stmts...)
	return s.disruptLookup(ops, seen, owner != have.owner, lostGrants(have.owner, have.grants, grants))
}

// shape is what CREATE OR REPLACE FUNCTION cannot change.
func (fn *function) shape() [7]string {
	return [7]string{fn.Kind, fn.Result, fn.Names, fn.Modes, fn.Types,
		fmt.Sprint(fn.ReturnsSet), fmt.Sprint(fn.Defaults)}
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
		fmt.Sprintf("RETURNS %s%s, arguments %s %s %s", when(fn.ReturnsSet, "SETOF ", ""),
			when(fn.Result == "2249", "record", "type "+fn.Result), fn.Names, fn.Modes, fn.Types),
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

// diffOther returns what removes another function called user_lookup, when it must not be there.
func (s *Spec) diffOther(step string, seen *observed, fn function) []op {
	_, superuser := seen.superusers[fn.owner]
	drop := func(cause string, risk lab.Risk) []op {
		id := step + "/function:" + fn.Identity
		diff := lab.Diff(fn.Identity, text(append(fn.describe(), "OWNER "+ident(fn.owner))), nil)
		return []op{{Change: lab.Change{ID: id, Action: lab.Delete, Cause: cause, Risk: risk, Diff: diff},
			Make: statements("DROP ROUTINE " + fn.Identity)}}
	}
	switch {
	case fn.Schema == lookupSchema && fn.Identity != lookupFunction:
		return drop("PgBouncer's auth_query could be answered by it", lab.RiskNone)
	case fn.Identity == oldFunction && superuser && s.DropOldLookup:
		return drop("replaced by "+lookupFunction+": whoever still asks it lets nobody in any more", lab.RiskDisrupt)
	}
	return nil
}
