package pgprov

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// wantedGrants are the privileges on an object: by grantee, "" being PUBLIC. The owner's own are
// not in it: the owner has them all.
type wantedGrants map[string]string

// grantKind is a kind of object that has grants.
type grantKind struct {
	on  string   // as GRANT says it: "DATABASE"
	all []string // what an owner has
}

var (
	onDatabase = grantKind{"DATABASE", []string{"CONNECT", "CREATE", "TEMPORARY"}}
	onSchema   = grantKind{"SCHEMA", []string{"CREATE", "USAGE"}}
	onFunction = grantKind{"FUNCTION", []string{"EXECUTE"}}
)

// describe writes grants as lines, sorted; what the owner has by being the owner is not written.
func (k grantKind) describe(owner string, grants []catalog.Grant) (lines []string) {
	var own []string
	for _, g := range grants {
		if string(g.Grantee) == owner {
			own = append(own, g.Privilege)
			continue
		}
		line := fmt.Sprintf("GRANT %s TO %s", g.Privilege, grantee(string(g.Grantee)))
		if g.Grantable {
			line += " WITH GRANT OPTION"
		}
		if string(g.Grantor) != owner {
			line += " GRANTED BY " + ident(string(g.Grantor))
		}
		lines = append(lines, line)
	}
	for _, p := range k.all {
		if !slices.Contains(own, p) {
			lines = append(lines, fmt.Sprintf("REVOKE %s FROM %s", p, ident(owner)))
		}
	}
	slices.Sort(lines)
	return lines
}

func (k grantKind) describeWanted(want wantedGrants) (lines []string) {
	for who, p := range want {
		lines = append(lines, fmt.Sprintf("GRANT %s TO %s", p, grantee(who)))
	}
	slices.Sort(lines)
	return lines
}

// repair returns the statements that leave the owner with everything and everybody else with what
// is wanted, and nothing when it is so. The statements hold for an object whose owner is right by
// then.
//
// A grantee whose grants differ loses them all, with those that he passed on, before he gets the
// right ones: REVOKE revokes what the owner granted, so that what others granted ends only with
// their own right to grant.
func (k grantKind) repair(name, owner string, grants []catalog.Grant, want wantedGrants) (stmts []string) {
	have := map[string][]catalog.Grant{}
	for _, g := range grants {
		have[string(g.Grantee)] = append(have[string(g.Grantee)], g)
	}
	var lost []string
	for who, gs := range have {
		right := who == owner ||
			len(gs) == 1 && gs[0].Privilege == want[who] && !gs[0].Grantable && string(gs[0].Grantor) == owner
		if !right {
			lost = append(lost, who)
		}
	}
	slices.Sort(lost)
	for _, who := range lost {
		stmts = append(stmts, fmt.Sprintf("REVOKE ALL ON %s %s FROM %s CASCADE", k.on, name, grantee(who)))
	}
	for _, p := range k.all {
		if !slices.ContainsFunc(have[owner], func(g catalog.Grant) bool { return g.Privilege == p }) {
			stmts = append(stmts, fmt.Sprintf("GRANT ALL ON %s %s TO %s", k.on, name, ident(owner)))
			break
		}
	}
	var missing []string
	for who := range want {
		if len(have[who]) == 0 || slices.Contains(lost, who) {
			missing = append(missing, who)
		}
	}
	slices.Sort(missing)
	for _, who := range missing {
		stmts = append(stmts, fmt.Sprintf("GRANT %s ON %s %s TO %s", want[who], k.on, name, grantee(who)))
	}
	return stmts
}

// moveTo is how grants look after the owner has changed: PostgreSQL puts the new one in the place
// of the old one.
func moveTo(owner, from string, grants []catalog.Grant) []catalog.Grant {
	out := make([]catalog.Grant, 0, len(grants))
	for _, g := range grants {
		if string(g.Grantee) == from {
			g.Grantee = catalog.Ident(owner)
		}
		if string(g.Grantor) == from {
			g.Grantor = catalog.Ident(owner)
		}
		if !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}

// defaults are the grants of an object that nobody changed the grants of.
func (k grantKind) defaults(owner string, public ...string) (grants []catalog.Grant) {
	for _, p := range k.all {
		own := catalog.Ident(owner)
		grants = append(grants, catalog.Grant{Grantee: own, Grantor: own, Privilege: p})
	}
	for _, p := range public {
		grants = append(grants, catalog.Grant{Grantor: catalog.Ident(owner), Privilege: p})
	}
	return grants
}

// withoutDynamic leaves out what short-lived users hold, except those in keep. What they can pass
// on is not left out: what they passed on is revoked only with it.
func withoutDynamic(grants []catalog.Grant, prefix string, keep wantedGrants, owner string) []catalog.Grant {
	return slices.DeleteFunc(slices.Clone(grants), func(g catalog.Grant) bool {
		who := string(g.Grantee)
		_, wanted := keep[who]
		return who != owner && !wanted && who != "" && strings.HasPrefix(who, prefix) && !g.Grantable
	})
}
