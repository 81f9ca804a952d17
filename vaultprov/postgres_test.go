package vaultprov_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/vaulttest"
)

// database is a PostgreSQL with the databases of apps, and a Vault beside it.
type database struct {
	*suite
	pg   *real.PG
	apps vaultprov.Apps
	spec vaultprov.Spec
	pgs  pgprov.Spec
}

func newDatabase(t *testing.T, major int) *database {
	t.Helper()
	pg, err := real.StartPostgres(t.Context(), real.PGOptions{Major: major, Fetch: true,
		Settings: map[string]string{"log_statement": "all", "autovacuum": "off"}})
	if errors.Is(err, real.ErrNoPostgres) {
		real.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pg.Close() })
	v := real.VaultDev(t)
	d := &database{suite: newSuite(t, v.Address, v.Token), pg: pg}
	instances := []lab.Instance{lab.App("webapp").In(""), lab.App("dance-lessons-coach").In("sandbox")}
	editor := lab.NewSecret(`e%d@t:a/?#[]!$&'()*+,;= "{{x}}`)
	d.pgs = pgprov.Spec{AllowPG15: true, EditorEndsSessions: major >= 16, Editor: pgprov.Login{Password: editor},
		Pooler: pgprov.Login{Password: lab.NewSecret("pooler")}}
	for _, i := range instances {
		d.pgs.Instances = append(d.pgs.Instances, pgprov.Instance{Instance: i})
	}
	s := pgprov.Server{Host: pg.Host, Port: pg.Port, User: pg.Superuser, Password: lab.NewSecret(pg.Password)}
	p, err := s.Plan(t.Context(), d.pgs)
	if err == nil {
		_, err = p.Apply(t.Context(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.apps = vaultprov.Apps{Instances: instances, Cluster: &vaultprov.KubernetesConfig{Host: "https://192.0.2.1", Outside: true},
		Postgres: &vaultprov.Postgres{Host: pg.Host, Port: pg.Port, SSLMode: "disable", EditorPassword: editor,
			EndSessions: major >= 16}}
	d.spec = vaultprov.Spec{Records: vaultprov.Records{Mount: "kvv2"}, FingerprintKey: lab.NewSecret(keySecret), Prune: true}
	d.apply(t, d.spec.With(d.apps.Spec()))
	return d
}

// user reads the credentials of an instance, as its pods do.
func (d *database) user(t *testing.T, i lab.Instance) (lease, name, password string) {
	t.Helper()
	var answer struct {
		LeaseID string `json:"lease_id"`
		Data    struct{ Username, Password string }
	}
	unmarshal(t, d.must(t, "GET", "postgres/creds/"+i.VaultDatabaseRole(), ""), &answer)
	return answer.LeaseID, answer.Data.Username, answer.Data.Password
}

// query connects and runs statements, and returns the first value of the last.
func query(t *testing.T, host string, port int, user, password, db string, statements ...string) (string, error) {
	t.Helper()
	c, err := pgconn.ParseConfig("sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	c.Host, c.Port, c.User, c.Password, c.Database = host, uint16(port), user, password, db
	conn, err := pgconn.ConnectConfig(t.Context(), c)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.Background())
	value := ""
	for _, sql := range statements {
		rs, err := conn.Exec(t.Context(), sql).ReadAll()
		if err != nil {
			return "", err
		}
		if last := rs[len(rs)-1]; len(last.Rows) > 0 {
			value = string(last.Rows[0][0])
		}
	}
	return value, nil
}

// TestUsersThroughPgBouncer is the life of an app's users from end to end: its database is made, its role, and users one
// after the other, that log in through PgBouncer, work on the same tables, and are refused when their time is over.
func TestUsersThroughPgBouncer(t *testing.T) {
	for _, major := range []int{15, 17, 18} {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			d := newDatabase(t, major)
			b := pgprov.PgBouncer{Spec: d.pgs, Host: d.pg.Host, Port: d.pg.Port, LeaseTTL: time.Hour, PlainServer: true}
			files, err := b.Files()
			if err != nil {
				t.Fatal(err)
			}
			pooler := real.PgBouncer(t, real.PgBouncerOptions{Config: files.INI, UserList: files.UserList.Reveal()})
			for _, i := range d.apps.Instances {
				lease, first, password := d.user(t, i)
				through := func(user, password string, statements ...string) (string, error) {
					t.Helper()
					return query(t, pooler.Host, pooler.Port, user, password, i.Database(), statements...)
				}
				got, err := through(first, password, "CREATE TABLE notes (text text)", "INSERT INTO notes VALUES ('first')",
					"SELECT session_user || ' as ' || current_user")
				if err != nil || got != first+" as "+i.OwnerRole() || !strings.HasPrefix(first, pgprov.DefaultDynamicPrefix) {
					t.Fatalf("the first user: %q, %v", got, err)
				}
				d.renewed(t, lease, first)
				ends := d.session(t, first, password, i)
				d.must(t, "POST", "sys/leases/revoke", `{"lease_id": "`+lease+`", "sync": true}`)
				if err := ends(); d.apps.Postgres.EndSessions != (err != nil) {
					t.Errorf("the session of a user that was revoked: %v, with EndSessions %v", err, d.apps.Postgres.EndSessions)
				}
				if _, err := through(first, password, "SELECT 1"); err == nil {
					t.Error("the first user was revoked, and is let in")
				}
				_, second, again := d.user(t, i)
				got, err = through(second, again, "INSERT INTO notes VALUES ('second')", "SELECT string_agg(text, ',') FROM notes")
				if err != nil || got != "first,second" || second == first {
					t.Errorf("the second user: %q, %v", got, err)
				}
				if _, err := query(t, d.pg.Host, d.pg.Port, d.pg.Superuser, d.pg.Password, "postgres",
					`ALTER ROLE "`+second+`" VALID UNTIL 'yesterday'`); err != nil {
					t.Fatal(err)
				}
				if _, err := through(second, again, "SELECT 1"); err == nil {
					t.Error("the second user has expired, and is let in")
				}
				for _, other := range d.apps.Instances {
					if other == i {
						continue
					}
					_, user, password := d.user(t, other)
					if _, err := through(user, password, "SELECT 1"); err == nil {
						t.Errorf("a user of %s is let in at %s", other, i)
					}
				}
			}
			if strings.Contains(d.pg.Log(), d.pgs.Editor.Password.Reveal()) {
				t.Error("the editor's password is in the server's log")
			}
			d.removeApp(t)
		})
	}
}

// renewed renews a lease, and wants its user to live longer.
func (d *database) renewed(t *testing.T, lease, user string) {
	t.Helper()
	until := func() string {
		t.Helper()
		got, err := query(t, d.pg.Host, d.pg.Port, d.pg.Superuser, d.pg.Password, "postgres",
			"SELECT extract(epoch FROM rolvaliduntil - now()) > 3700 FROM pg_roles WHERE rolname = '"+user+"'")
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	before := until()
	d.must(t, "POST", "sys/leases/renew", `{"lease_id": "`+lease+`", "increment": 7200}`)
	if after := until(); before != "f" || after != "t" {
		t.Errorf("it lives for longer than an hour: before a renewal %q, after one of two hours %q", before, after)
	}
}

// session logs in, and returns a function that says how a statement of that session ends.
func (d *database) session(t *testing.T, user, password string, i lab.Instance) func() error {
	t.Helper()
	c, err := pgconn.ParseConfig("sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	c.Host, c.Port, c.User, c.Password, c.Database = d.pg.Host, uint16(d.pg.Port), user, password, i.Database()
	conn, err := pgconn.ConnectConfig(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return func() error {
		_, err := conn.Exec(t.Context(), "SELECT 1").ReadAll()
		return err
	}
}

// removeApp takes the second app out: its users go with its role, before the connection that removes them.
func (d *database) removeApp(t *testing.T) {
	t.Helper()
	gone := d.apps.Instances[1]
	_, user, _ := d.user(t, gone)
	d.apps.Instances = d.apps.Instances[:1]
	d.apply(t, d.spec.With(d.apps.Spec()))
	left, err := query(t, d.pg.Host, d.pg.Port, d.pg.Superuser, d.pg.Password, "postgres",
		"SELECT count(*) FROM pg_roles WHERE rolname = '"+user+"'")
	if err != nil || left != "0" {
		t.Errorf("%s users are left of the app that was removed, %v", left, err)
	}
}

// TestRotatedRoot is a connection whose password Vault has changed, on both servers.
func TestRotatedRoot(t *testing.T) {
	t.Run("Fake", func(t *testing.T) {
		v := vaulttest.New(t, vaulttest.Config{})
		v.SetDatabaseUser("credentials_editor", lab.NewSecret(editorSecret))
		x := newSuite(t, v.Address(), v.Root().Reveal())
		a := vaultprov.Apps{Instances: []lab.Instance{lab.App("webapp").In("")},
			Cluster:  &vaultprov.KubernetesConfig{Host: "https://192.0.2.1", Outside: true},
			Postgres: &vaultprov.Postgres{Host: "127.0.0.1", EditorPassword: lab.NewSecret(editorSecret)}}
		spec := vaultprov.Spec{Records: vaultprov.Records{Mount: "kvv2"}, FingerprintKey: lab.NewSecret(keySecret)}.With(a.Spec())
		x.apply(t, spec)
		x.rotatedRoot(t, spec)
	})
	t.Run("Real", func(t *testing.T) {
		d := newDatabase(t, 17)
		d.rotatedRoot(t, d.spec.With(d.apps.Spec()))
		if _, err := query(t, d.pg.Host, d.pg.Port, "credentials_editor", d.pgs.Editor.Password.Reveal(), "postgres"); err == nil {
			t.Error("the password was not rotated")
		}
		i := d.apps.Instances[0]
		_, user, password := d.user(t, i)
		if _, err := query(t, d.pg.Host, d.pg.Port, user, password, i.Database(), "SELECT 1"); err != nil {
			t.Error(err)
		}
	})
}

// rotatedRoot rotates the password of the first connection: it is kept, and no plan sends the old one.
func (x *suite) rotatedRoot(t *testing.T, spec vaultprov.Spec) {
	t.Helper()
	connection, creds := &spec.Connections[0], "postgres/creds/"+spec.Connections[0].Name
	x.must(t, "GET", creds, "")
	x.must(t, "POST", "postgres/rotate-root/"+connection.Name, "")
	if p := x.plan(t, spec); !p.Empty() {
		t.Errorf("after rotate-root there is to do:\n%v", p)
	}
	connection.Roles = append(connection.Roles, "more")
	connection.URL += "&application_name=vault"
	x.apply(t, spec)
	x.must(t, "GET", creds, "")
	// A password that is not the editor's any more is refused by the database, and the connection stays as it is.
	connection.Password = lab.NewSecret(valueSecret)
	_, err := x.plan(t, spec).Apply(t.Context(), nil)
	if !errors.Is(err, lab.ErrUnauthorized) || !strings.Contains(err.Error(), "28P01") || strings.Contains(err.Error(), valueSecret) {
		t.Errorf("a wrong password: %v", err)
	}
	if hints := strings.Join(lab.Hints(err), ""); !strings.Contains(hints, "after rotate-root Vault alone knows it") {
		t.Errorf("the hint is %q", hints)
	}
	x.must(t, "GET", creds, "")
}
