package pgprov

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// A membership of whatever options counts as a way to a role: who is a member of one that
// administers another can make himself a member of that, whether or not he inherits or may SET ROLE
// (roles_is_member_of in PostgreSQL's acl.c, by ROLERECURSE_MEMBERS).

// route is how a role gets to another by memberships: every role on the way, both ends included.
type route []string

func (r route) String() string {
	quoted := make([]string, len(r))
	for n, role := range r {
		quoted[n] = ident(role)
	}
	return strings.Join(quoted, " is in ")
}

func (r route) end() string { return r[len(r)-1] }

// routes returns the shortest way from a role to each that it gets to, itself included. Those that
// are opaque are got to, and not passed through.
func (seen *observed) routes(from string, opaque func(role string) bool) []route {
	found := []route{{from}}
	known := map[string]bool{from: true}
	for n := 0; n < len(found); n++ {
		if n > 0 && opaque != nil && opaque(found[n].end()) {
			continue
		}
		for _, role := range seen.above[found[n].end()] {
			if !known[role] {
				known[role] = true
				found = append(found, append(slices.Clip(found[n]), role))
			}
		}
	}
	return found
}

func (seen *observed) isSuperuser(role string) bool {
	_, ok := seen.superusers[role]
	return ok
}

// usersOf returns the members of an owner role, however indirect: the users of its app. Those of the
// spec's own roles that are members, which none is to be, are not followed.
func (s *Spec) usersOf(owner string, seen *observed) (users []string) {
	known := map[string]bool{owner: true}
	for queue := []string{owner}; len(queue) > 0; queue = queue[1:] {
		for _, member := range seen.below[queue[0]] {
			if !known[member] && !s.shared(member) && !seen.owners[member] {
				known[member] = true
				users, queue = append(users, member), append(queue, member)
			}
		}
	}
	slices.Sort(users)
	return users
}

func (s *Spec) shared(role string) bool { return role == s.editor() || role == s.pooler() }

// beyond says what a role is that no user of an app may get to by a membership; "" when it is nothing
// of the kind.
func (s *Spec) beyond(role string, seen *observed) string {
	switch {
	case seen.isSuperuser(role):
		return "a superuser"
	case strings.HasPrefix(role, "pg_"):
		return "a predefined role"
	case role == s.editor():
		return "who makes the users of all apps"
	case role == s.pooler():
		return "who reads the verifiers of all users"
	case seen.powers[role] == catalog.PowerCluster:
		return "a role that makes roles or replicates"
	case seen.owners[role]:
		return "the owner role of another app"
	case seen.powers[role] == catalog.PowerOwner:
		return "the owner of another database"
	}
	return ""
}

// diffReach returns what revokes the memberships by which the owner role of an instance gets beyond
// its app, and with it all users of the app. Those by which a single user does are not ours to
// revoke: they are an error that names them.
func (s *Spec) diffReach(i Instance, seen *observed) (ops []op, err error) {
	step, owner := stepOf(i.Instance), i.OwnerRole()
	for _, role := range slices.Sorted(slices.Values(seen.above[owner])) {
		if way, what := s.wayBeyond(i, role, seen, nil); way != nil {
			revoke := diffMembership(step, role, owner, nil, seen)
			revoke[0].Cause = fmt.Sprintf("it gets every user of the app to %s, %s", ident(way.end()), what)
			if len(way) > 1 {
				revoke[0].Cause += ": " + way.String()
			}
			ops = append(ops, seen.disrupt(revoke, "", func(o catalog.Session) bool { return o.Database == i.Database() },
				"")...)
		}
	}
	users := s.usersOf(owner, seen)
	for _, user := range users {
		if slices.Contains(i.Connect, user) {
			continue // who operates the server said that it may
		}
		for _, role := range slices.Sorted(slices.Values(seen.above[user])) {
			if role == owner || s.shared(role) || slices.Contains(users, role) {
				continue // ours, or it has its own turn
			}
			ours := func(role string) bool { return seen.owners[role] || s.shared(role) }
			if way, what := s.wayBeyond(i, role, seen, ours); way != nil {
				err = errors.Join(err, &lab.Error{Op: "plan", Target: step, Path: user,
					Hint: fmt.Sprintf("REVOKE %s FROM %s, or name %s in what may connect to %s, if it is a person's or a backup's",
						ident(role), ident(user), ident(user), i.Database()),
					Err: kindf(lab.ErrRefused, "a user of the app gets to %s, %s: %s", ident(way.end()), what,
						append(route{user}, way...))})
			}
		}
	}
	return ops, err
}

// wayBeyond returns how a role, by itself or by a membership, gets beyond the app of an instance; nil
// when it does not.
func (s *Spec) wayBeyond(i Instance, role string, seen *observed, opaque func(string) bool) (route, string) {
	for _, way := range seen.routes(role, func(r string) bool { return opaque != nil && opaque(r) }) {
		if end := way.end(); end == i.OwnerRole() || end == seen.databases[i.Database()].Owner && !seen.isSuperuser(end) {
			continue // the latter is to lose it
		}
		if what := s.beyond(way.end(), seen); what != "" && !(opaque != nil && s.shared(way.end())) {
			return way, what
		}
		for _, o := range s.Instances {
			if o.Instance != i.Instance && slices.Contains(o.Connect, way.end()) && !slices.Contains(i.Connect, way.end()) {
				return way, "who may connect to " + o.Database()
			}
		}
	}
	return nil, ""
}

// diffSharedReach returns what revokes every membership of the pooler, those of the editor that get
// it further than to the users of apps, and those of others in the two. Users that the editor made
// stay its own: see [Spec.refusedUsers].
func (s *Spec) diffSharedReach(seen *observed) (ops []op) {
	revoke := func(role, member, cause string) {
		found := diffMembership(stepShared, role, member, nil, seen)
		found[0].Cause = cause
		ops = append(ops, seen.disrupt(found, "", func(o catalog.Session) bool { return o.User == member }, "")...)
	}
	for _, role := range slices.Sorted(slices.Values(seen.above[s.editor()])) {
		if way, what := s.editorBeyond(role, seen); way != nil && !s.notOurs(way, seen) {
			cause := fmt.Sprintf("it gets to %s, %s", ident(way.end()), what)
			if len(way) > 1 {
				cause += ": " + way.String()
			}
			revoke(role, s.editor(), cause)
		}
	}
	for _, role := range slices.Sorted(slices.Values(seen.above[s.pooler()])) {
		revoke(role, s.pooler(), "not wanted")
	}
	for _, shared := range []string{s.editor(), s.pooler()} {
		for _, member := range slices.Sorted(slices.Values(seen.below[shared])) {
			if !s.shared(member) && !seen.owners[member] { // these have their own turn
				revoke(shared, member, "it gets to "+ident(shared)+", "+s.beyond(shared, seen))
			}
		}
	}
	return ops
}

// refusedUsers names users that the editor made, and owner roles of apps that the spec does not name,
// by which the editor gets further than to the users of apps: it could take them. Their memberships
// are not ours to revoke.
func (s *Spec) refusedUsers(seen *observed) (err error) {
	for _, role := range slices.Sorted(slices.Values(seen.above[s.editor()])) {
		if way, what := s.editorBeyond(role, seen); way != nil && s.notOurs(way, seen) {
			err = errors.Join(err, &lab.Error{Op: "plan", Target: stepShared, Path: role,
				Hint: fmt.Sprintf("REVOKE %s FROM %s", ident(way[1]), ident(role)),
				Err: kindf(lab.ErrRefused, "whoever holds the password of %s gets to %s, %s: %s", ident(s.editor()),
					ident(way.end()), what, append(route{s.editor()}, way...))})
		}
	}
	return err
}

// notOurs reports whether the way of the editor beyond the apps begins with a membership that it
// needs.
func (s *Spec) notOurs(way route, seen *observed) bool {
	return len(way) > 1 && (s.madeByEditor(way[0], seen) || seen.powers[way[0]] == catalog.PowerOwner)
}

// madeByEditor reports whether a role is a user that the editor made, of which it is a member to
// administer it.
func (s *Spec) madeByEditor(role string, seen *observed) bool {
	return strings.HasPrefix(role, s.dynamicPrefix()) ||
		!slices.ContainsFunc(seen.memberships, func(m catalog.MembershipRow) bool {
			return m.Role == role && m.Member == s.editor() && (!m.Admin || m.Inherit || m.Set)
		})
}

// editorBeyond returns how a role that the editor is a member of gets it further than to make users
// of apps; nil when it does not. It is to get to the owner roles directly, and by the users that it
// made; what owns databases that the spec does not name is somebody else's.
func (s *Spec) editorBeyond(role string, seen *observed) (route, string) {
	if seen.owners[role] || role == signalRole && s.EditorEndsSessions {
		return nil, ""
	}
	made := s.madeByEditor(role, seen)
	for _, way := range seen.routes(role, func(r string) bool { return seen.owners[r] }) {
		end := way.end()
		what := s.beyond(end, seen)
		switch {
		case what == "", end == s.editor():
		case made && (seen.owners[end] || s.shared(end)): // what it is in of the shared roles is revoked
		case !seen.owners[end] && seen.powers[end] == catalog.PowerOwner && !strings.HasPrefix(end, "pg_"):
		case slices.ContainsFunc(s.Instances, func(i Instance) bool { return slices.Contains(i.Connect, role) }):
		default:
			return way, what
		}
	}
	return nil, ""
}
