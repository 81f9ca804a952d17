package pgtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login/scram"
	"github.com/jackc/pgx/v5/pgconn"
)

// suite numbers the names, so that every test has its own on a server that all share.
type suite struct {
	Subject
	n int
}

// secrets of the suite, which must be seen nowhere.
const (
	editorSecret = "editor-s3cret/+%"
	poolerSecret = "pooler's \"s3cret\""
	userSecret   = "user-s3cret-0"
)

// suiteSecrets are all of them.
var suiteSecrets = []lab.Secret{lab.NewSecret(editorSecret), lab.NewSecret(poolerSecret), lab.NewSecret(userSecret)}

// spec returns a spec with names of its own and an app for each name.
func (x *suite) spec(apps ...string) pgprov.Spec {
	x.n++
	s := pgprov.Spec{
		Editor: pgprov.Login{Name: fmt.Sprintf("credentials_editor%d", x.n),
			Password: lab.NewSecret(editorSecret)},
		Pooler:        pgprov.Login{Name: fmt.Sprintf("pgbouncer_auth%d", x.n), Password: lab.NewSecret(poolerSecret)},
		AllowPG15:     true,
		DynamicPrefix: fmt.Sprintf("v%d-", x.n),
	}
	for _, a := range apps {
		name, env, _ := strings.Cut(a, ".")
		s.Instances = append(s.Instances, pgprov.Instance{Instance: lab.App(fmt.Sprintf("%s-%d", name, x.n)).In(env)})
	}
	return s
}

func (x *suite) plan(t testing.TB, s pgprov.Spec) *lab.Plan {
	t.Helper()
	p, err := x.Server.Plan(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// provision plans and applies, and wants nothing to be left.
func (x *suite) provision(t testing.TB, s pgprov.Spec) {
	t.Helper()
	if r, err := x.plan(t, s).Apply(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%v", err, r)
	}
	x.converged(t, s)
}

func (x *suite) converged(t testing.TB, s pgprov.Spec) {
	t.Helper()
	if p := x.plan(t, s); !p.Empty() {
		t.Fatalf("still to do:\n%v", p)
	}
}

// login connects as somebody; the superuser when user is empty.
func (x *suite) login(ctx context.Context, user, password, database string) (*pgconn.PgConn, error) {
	c, err := pgconn.ParseConfig("host=127.0.0.1 sslmode=disable")
	if err != nil {
		return nil, err
	}
	c.Host, c.Port, c.User, c.Password, c.Database = x.Server.Host, uint16(x.Server.Port), user, password, database
	if user == "" {
		c.User, c.Password = x.Server.User, x.Server.Password.Reveal()
	}
	if database == "" {
		c.Database = "postgres"
	}
	return pgconn.ConnectConfig(ctx, c)
}

func (x *suite) as(t testing.TB, user, password, database string) *pgconn.PgConn {
	t.Helper()
	c, err := x.login(t.Context(), user, password, database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// root runs statements as the superuser, each by itself.
func (x *suite) root(t testing.TB, database string, statements ...string) {
	t.Helper()
	c := x.as(t, "", "", database)
	defer c.Close(t.Context())
	for _, sql := range statements {
		if code := run(t.Context(), c, sql); code != "" {
			t.Fatalf("%s: %s", sql, code)
		}
	}
}

// run returns the SQLSTATE of a failed statement, with its message, or "".
func run(ctx context.Context, c *pgconn.PgConn, sql string) string {
	return sqlstate(exec(ctx, c, sql))
}

func exec(ctx context.Context, c *pgconn.PgConn, sql string) error {
	_, err := c.Exec(ctx, sql).ReadAll()
	return err
}

func sqlstate(err error) string {
	var e *pgconn.PgError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code + " " + e.Message
	}
	return err.Error()
}

// want runs a statement and compares how it ends: "" is success, otherwise the SQLSTATE.
func want(t testing.TB, c *pgconn.PgConn, code, sql string) {
	t.Helper()
	got := run(t.Context(), c, sql)
	if code == "" && got != "" || code != "" && !strings.HasPrefix(got, code+" ") {
		t.Errorf("%s\n  ended in %q, want %q", sql, got, code)
	}
}

// q quotes a name.
func q(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// users makes short-lived users as Vault does, through the editor.
func (x *suite) user(t testing.TB, s pgprov.Spec, i pgprov.Instance, name, until string) string {
	t.Helper()
	c := x.as(t, s.Editor.Name, editorSecret, i.Database())
	defer c.Close(t.Context())
	name = s.DynamicPrefix + name
	want(t, c, "", fmt.Sprintf("CREATE ROLE %s WITH LOGIN PASSWORD '%s' VALID UNTIL '%s' IN ROLE %s", q(name),
		scram.NewVerifier(userSecret), until, q(i.OwnerRole())))
	want(t, c, "", fmt.Sprintf("ALTER ROLE %s SET role TO '%s'", q(name), i.OwnerRole()))
	return name
}

func soon() string { return time.Now().Add(time.Hour).UTC().Format("2006-01-02 15:04:05") + "+00" }

const past = "2001-02-03 04:05:06+00"

// lookupAs asks user_lookup() as PgBouncer does: "" is null.
func lookupAs(ctx context.Context, c *pgconn.PgConn, function, user string) (name, hash string, err error) {
	r := c.ExecParams(ctx, "SELECT uname, phash FROM "+function+"($1)", [][]byte{[]byte(user)}, nil, nil, nil).Read()
	if r.Err != nil {
		return "", "", r.Err
	}
	if len(r.Rows) != 1 {
		return "", "", fmt.Errorf("%d rows", len(r.Rows))
	}
	return string(r.Rows[0][0]), string(r.Rows[0][1]), nil
}

// waitFor asks until it is so: a server notices the end of a session in its own time.
func waitFor(t testing.TB, ready func() bool) {
	t.Helper()
	err := lab.Wait(t.Context(), lab.Poll{What: "the server to notice", First: 10 * time.Millisecond,
		Timeout: 2 * time.Minute}, func(context.Context) (bool, error) { return ready(), nil })
	if err != nil {
		t.Fatal(err)
	}
}
