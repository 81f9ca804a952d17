package pgprov

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// disrupt marks an op, if there is one, as one that takes something from somebody: its cause says
// what, who of those that may notice is connected now, and what to do first. What is empty is left
// out.
func (seen *observed) disrupt(ops []op, loses string, who func(catalog.Session) bool, first string) []op {
	if len(ops) == 0 {
		return nil
	}
	c := &ops[0].Change
	c.Risk = max(c.Risk, lab.RiskDisrupt)
	for _, part := range []string{loses, seen.connected(who), first} {
		if part != "" {
			c.Cause += "; " + part
		}
	}
	return ops
}

// connected says who of those that it is about is connected.
func (seen *observed) connected(who func(catalog.Session) bool) string {
	var about []catalog.Session
	for _, o := range seen.sessions {
		if who(o) {
			about = append(about, o)
		}
	}
	if len(about) == 0 {
		return "nobody whom it concerns is connected now"
	}
	return "connected now: " + describeSessions(about)
}

// describeSessions names who is connected, at most a few.
func describeSessions(sessions []catalog.Session) string {
	const most = 5
	var who []string
	for n, o := range sessions {
		if n == most {
			who = append(who, fmt.Sprintf("and %d others", len(sessions)-most))
			break
		}
		who = append(who, fmt.Sprintf("%d of %q at %q (%s)", o.Count, o.User, o.Database, cmp.Or(o.Application, "unnamed")))
	}
	return strings.Join(who, ", ")
}

// lostAttributes names what a role has and is not to have.
func lostAttributes(have, want catalog.Role) (lost []string) {
	for _, a := range []struct {
		name      string
		has, kept bool
	}{
		{"LOGIN", have.Login, want.Login}, {"SUPERUSER", have.Superuser, want.Superuser},
		{"CREATEROLE", have.CreateRole, want.CreateRole}, {"CREATEDB", have.CreateDB, want.CreateDB},
		{"REPLICATION", have.Replication, want.Replication}, {"BYPASSRLS", have.BypassRLS, want.BypassRLS},
		{"INHERIT", have.Inherit, want.Inherit},
	} {
		if a.has && !a.kept {
			lost = append(lost, a.name)
		}
	}
	return lost
}

// lostGrants names who loses a privilege on an object, each once: not its owner, who keeps them all.
func lostGrants(owner string, have []catalog.Grant, want wantedGrants) (who []string) {
	for _, g := range have {
		name := grantee(string(g.Grantee))
		if string(g.Grantee) != owner && want[string(g.Grantee)] != g.Privilege && !slices.Contains(who, name) {
			who = append(who, name)
		}
	}
	slices.Sort(who)
	return who
}

// others says who but the owner role owns tables of an instance's database, and how to give them away;
// "" when nobody does. What superusers and short-lived users own does not count.
func (s *Spec) others(i Instance, seen *observed) string {
	var parts []string
	for _, b := range seen.belongings {
		if b.Database != i.Database() || b.Owner == i.OwnerRole() || seen.isSuperuser(b.Owner) ||
			strings.HasPrefix(b.Owner, s.dynamicPrefix()) {
			continue
		}
		parts = append(parts, fmt.Sprintf("%s owns %d tables, views and sequences, which users of the app cannot use until "+
			"REASSIGN OWNED BY %s TO %s is done in it", ident(b.Owner), b.Count, ident(b.Owner), ident(i.OwnerRole())))
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}
