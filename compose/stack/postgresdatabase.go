package stack

import (
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// Database is a database and the role that owns it and may log in with a password: what a service
// outside the cluster, such as Gitea, needs before it starts. Databases of apps are those of
// package pgprov.
type Database struct {
	Name     string
	Owner    string // empty means Name
	Password lab.Secret
}

func (d Database) owner() string { return nameOr(d.Owner, d.Name) }

func (d Database) validate() (ps lab.Problems) {
	for _, f := range []struct{ name, value string }{{"name", d.Name}, {"owner", d.owner()}} {
		if f.value == "" || len(f.value) > 63 || strings.ContainsAny(f.value, "\x00\n ") {
			ps = append(ps, lab.Problem{Path: f.name, Text: f.value,
				Message: "is not a name of 1 to 63 bytes without spaces"})
		}
	}
	if d.Password.IsZero() {
		ps.Add("password", "is empty")
	}
	return ps
}

// postgresDatabase makes a database in a running server. The password goes there as what the server
// stores of it, so that no log of statements shows it.
type postgresDatabase struct {
	host.Order
	Database
	stack string
}

// ID implements [host.Resource].
func (d postgresDatabase) ID() string { return "postgres:" + d.stack + ":" + d.Name }

// Validate implements [host.Resource].
func (d postgresDatabase) Validate() lab.Problems { return d.Database.validate() }

// Secrets returns the password.
func (d postgresDatabase) Secrets() []lab.Secret { return []lab.Secret{d.Password} }

// databaseQuery asks for a role by its name, and for a database by its name and its owner, each as
// a literal.
const databaseQuery = `SELECT 'role', rolcanlogin, coalesce(rolpassword, '-') FROM pg_authid WHERE rolname = %[1]s;
SELECT 'database', pg_get_userbyid(datdba) = %[1]s FROM pg_database WHERE datname = %[2]s;`

// The statements do what is missing, whatever is there: a server that does not run yet cannot tell.
// psql runs what they return.
const (
	makeRole = `SELECT CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = %[1]s) ` +
		`THEN 'ALTER' ELSE 'CREATE' END || %[2]s\gexec`
	makeBase = `SELECT CASE WHEN EXISTS (SELECT FROM pg_database WHERE datname = %[1]s) ` +
		`THEN %[2]s ELSE %[3]s END\gexec`
)

// sql returns a script that runs SQL in the server.
func (d postgresDatabase) sql(text string) string {
	return inService(d.stack, "postgres", script.Variables{"sql": text}, "query.sh") + `query "$sql"`
}

// Observe implements [host.Resource].
func (d postgresDatabase) Observe(q *host.Query) {
	q.Probe(d.ID(), d.sql(fmt.Sprintf(databaseQuery, literal(d.owner()), literal(d.Name))))
}

// databaseFacts is what is known of a database and its owner.
type databaseFacts struct {
	stored string // what the server stores of the password; empty when there is no such role
	login  bool   // the role may log in
	there  bool   // the database is there
	owned  bool   // and is the role's
}

func readDatabase(output []byte) (f databaseFacts) {
	for line := range strings.Lines(string(output)) {
		w := strings.Fields(line)
		switch {
		case len(w) == 3 && w[0] == "role":
			f.login, f.stored = w[1] == "t", w[2]
		case len(w) == 2 && w[0] == "database":
			f.there, f.owned = true, w[1] == "t"
		}
	}
	return f
}

// Plan implements [host.Resource].
func (d postgresDatabase) Plan(o *host.Observation) ([]host.Op, error) {
	r := o.Probe(d.ID())
	f := readDatabase(r.Output)
	var ops []host.Op
	add := func(op host.Op, missing bool, cause string) {
		switch {
		case r.Exit != 0:
			op.Action, op.Cause = lab.Create, "the server does not run, and cannot say what it has"
		case missing:
			op.Action, op.Cause = lab.Create, "not found"
		default:
			op.Action, op.Cause = lab.Update, cause
		}
		ops = append(ops, op)
	}
	switch role := d.makeRole(); {
	case f.stored == "":
		add(role, true, "")
	case !f.login:
		add(role, false, "may not log in")
	case !verifies(f.stored, d.Password):
		add(role, false, "its password is another")
	}
	if !f.there || !f.owned {
		add(d.makeDatabase(), !f.there, "its owner is another")
	}
	return ops, nil
}

func (d postgresDatabase) makeRole() host.Op {
	definition := fmt.Sprintf(" ROLE %s LOGIN PASSWORD %s", ident(d.owner()), literal(verifier(d.owner(), d.Password)))
	return host.Op{Name: "role",
		Script: d.sql(fmt.Sprintf(makeRole, literal(d.owner()), literal(definition))) + " >/dev/null"}
}

func (d postgresDatabase) makeDatabase() host.Op {
	alter := fmt.Sprintf("ALTER DATABASE %s OWNER TO %s", ident(d.Name), ident(d.owner()))
	create := fmt.Sprintf("CREATE DATABASE %s OWNER %s", ident(d.Name), ident(d.owner()))
	return host.Op{Name: "database",
		Script: d.sql(fmt.Sprintf(makeBase, literal(d.Name), literal(alter), literal(create))) + " >/dev/null"}
}

func ident(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// literal quotes a string as SQL does with standard_conforming_strings, which is on by default.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
