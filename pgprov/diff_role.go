package pgprov

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login/scram"
)

const signalRole = "pg_signal_backend"

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
		usual := describeRole(catalog.Role{Inherit: true, ConnectionLimit: -1}) // is not shown
		after = slices.DeleteFunc(after, func(line string) bool {
			return slices.Contains(usual, line) && line != "NOLOGIN"
		})
		attributes := strings.Join(describeRole(want), " ")
		ops := create(id, after, "CREATE ROLE "+ident(want.Name)+" "+attributes+passwordClause(password))
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
	ops := update(id, "differs", before, after, "ALTER ROLE "+ident(want.Name)+" "+attributes+clause)
	lost := lostAttributes(have, want)
	if clause != "" && have.HasPassword {
		lost = append(lost, "the password that it has now")
	}
	if len(lost) == 0 {
		return ops
	}
	first := ""
	if have.Login && !want.Login {
		first = "give what logs in as it a user of its own first: see Adopting a running app"
	}
	return seen.disrupt(ops, "it loses "+strings.Join(lost, ", "),
		func(o catalog.Session) bool { return o.User == want.Name }, first)
}

func describeRole(r catalog.Role) []string {
	flag := func(on bool, name string) string {
		if on {
			return name
		}
		return "NO" + name
	}
	lines := []string{
		flag(r.Superuser, "SUPERUSER"), flag(r.Inherit, "INHERIT"), flag(r.CreateRole, "CREATEROLE"),
		flag(r.CreateDB, "CREATEDB"), flag(r.Login, "LOGIN"), flag(r.Replication, "REPLICATION"),
		flag(r.BypassRLS, "BYPASSRLS"), fmt.Sprintf("CONNECTION LIMIT %d", r.ConnectionLimit),
	}
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
			revokes = append(revokes,
				fmt.Sprintf("REVOKE %s FROM %s GRANTED BY %s CASCADE", ident(role), ident(member), ident(m.Grantor)))
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
