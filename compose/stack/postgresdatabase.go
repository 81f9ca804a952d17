package stack

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Database is a database and the role that owns it and may log in with a password: what a service outside the cluster, such as Gitea, needs before
// it starts. Databases of apps are those of package pgprov.
type Database struct {
	Name     string
	Owner    string // empty means Name
	Password lab.Secret
}

func (d Database) owner() string { return nameOr(d.Owner, d.Name) }

func (d Database) check() (ps lab.Problems) {
	for field, v := range map[string]string{"name": d.Name, "owner": d.owner()} {
		if v == "" || len(v) > 63 || strings.ContainsAny(v, "\x00\n ") {
			ps = append(ps, lab.Problem{Path: field, Text: v, Message: "is not a name of 1 to 63 bytes without spaces"})
		}
	}
	if d.Password.IsZero() {
		ps.Add("password", "is empty")
	}
	return ps
}

// postgresDatabase makes a database in a running server. The password goes there as what the server stores of it, so that no log of statements shows it.
type postgresDatabase struct {
	host.Order
	Database
	stack string
}

// ID implements [host.Resource].
func (d postgresDatabase) ID() string { return "postgres:" + d.stack + ":" + d.Name }

// Check implements [host.Resource].
func (d postgresDatabase) Validate() lab.Problems { return d.Database.check() }

// Secrets returns the password.
func (d postgresDatabase) Secrets() []lab.Secret { return []lab.Secret{d.Password} }

// Observe implements [host.Resource].
func (d postgresDatabase) Observe(q *host.Query) {
	q.Probe(d.ID(), container(d.stack, "postgres")+fmt.Sprintf(`%s <<'SQL'
SELECT 'role', rolcanlogin, coalesce(rolpassword, '-') FROM pg_authid WHERE rolname = %s;
SELECT 'database', pg_get_userbyid(datdba) = %s FROM pg_database WHERE datname = %s;
SQL`, psql, literal(d.owner()), literal(d.owner()), literal(d.Name)))
}

// Plan implements [host.Resource].
func (d postgresDatabase) Plan(o *host.Observation) ([]host.Op, error) {
	r := o.Probe(d.ID())
	login, stored, there, owned := false, "", false, false
	for line := range strings.Lines(string(r.Output)) {
		w := strings.Fields(line)
		switch {
		case len(w) == 3 && w[0] == "role":
			login, stored = w[1] == "t", w[2]
		case len(w) == 2 && w[0] == "database":
			there, owned = true, w[1] == "t"
		}
	}
	sql := func(text string) string {
		return container(d.stack, "postgres") + psql + " >/dev/null <<'SQL'\n" + text + "\\gexec\nSQL"
	}
	// The statements do what is missing, whatever is there: a server that does not run yet cannot tell.
	role := host.Op{Name: "role", Action: lab.Update, Script: sql(fmt.Sprintf("SELECT CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = %s) THEN 'ALTER' ELSE 'CREATE' END || %s",
		literal(d.owner()), literal(fmt.Sprintf(" ROLE %s LOGIN PASSWORD %s", ident(d.owner()), literal(verifier(d.owner(), d.Password))))))}
	database := host.Op{Name: "database", Action: lab.Update, Script: sql(fmt.Sprintf("SELECT CASE WHEN EXISTS (SELECT FROM pg_database WHERE datname = %s) THEN %s ELSE %s END", literal(d.Name),
		literal(fmt.Sprintf("ALTER DATABASE %s OWNER TO %s", ident(d.Name), ident(d.owner()))), literal(fmt.Sprintf("CREATE DATABASE %s OWNER %s", ident(d.Name), ident(d.owner())))))}
	var ops []host.Op
	add := func(op host.Op, missing bool, cause string) {
		switch {
		case r.Exit != 0:
			op.Action, op.Cause = lab.Create, "the server does not run, and cannot tell what it has"
		case missing:
			op.Action, op.Cause = lab.Create, "not found"
		default:
			op.Cause = cause
		}
		ops = append(ops, op)
	}
	switch {
	case stored == "":
		add(role, true, "")
	case !login:
		add(role, false, "may not log in")
	case !verifies(stored, d.Password):
		add(role, false, "its password is another")
	}
	if !there || !owned {
		add(database, !there, "its owner is another")
	}
	return ops, nil
}

func ident(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// literal quotes a string as SQL does with standard_conforming_strings, which is on by default.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

const scramIterations = 4096 // PostgreSQL's default, scram_iterations

// verifier returns what the server stores of a password (RFC 5803). Its salt is derived, so that the same password gives the same.
func verifier(role string, password lab.Secret) string {
	h := hmac.New(sha256.New, []byte(password.Reveal()))
	h.Write([]byte("lab scram salt " + role))
	return scram(h.Sum(nil)[:16], scramIterations, password)
}

func scram(salt []byte, iterations int, password lab.Secret) string {
	salted, err := pbkdf2.Key(sha256.New, password.Reveal(), salt, iterations, sha256.Size)
	if err != nil {
		return "" // a salt or a number that the FIPS mode of Go refuses: the server then refuses the empty password
	}
	mac := func(text string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(mac("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(mac("Server Key")))
}

// verifies reports whether what the server stores is of the password.
func verifies(stored string, password lab.Secret) bool {
	rest, ok := strings.CutPrefix(stored, "SCRAM-SHA-256$")
	head, _, _ := strings.Cut(rest, "$")
	n, salt64, _ := strings.Cut(head, ":")
	iterations, err := strconv.Atoi(n)
	salt, err2 := base64.StdEncoding.DecodeString(salt64)
	if !ok || err != nil || err2 != nil || iterations < 1 || iterations > 1e7 {
		return false
	}
	return hmac.Equal([]byte(stored), []byte(scram(salt, iterations, password)))
}
