package pgprov_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
)

func ExamplePgBouncer() {
	b := pgprov.PgBouncer{
		Spec: pgprov.Spec{
			Pooler:    pgprov.Login{Password: lab.NewSecret("correct horse")},
			Instances: []pgprov.Instance{{Instance: lab.App("erp").In("")}, {Instance: lab.App("erp").In("sandbox")}},
		},
		Host: "192.168.1.202", LeaseTTL: time.Hour, ServerCA: "/etc/ssl/lab/root.pem",
	}
	files, err := b.Files()
	fmt.Print(files.INI, err, " ", files.UserList, "\n")
	// Output:
	// [databases]
	// erp = host='192.168.1.202' port=5432 dbname='erp'
	// erp-sandbox = host='192.168.1.202' port=5432 dbname='erp-sandbox'
	//
	// [pgbouncer]
	// listen_addr = 0.0.0.0
	// listen_port = 6432
	// auth_type = scram-sha-256
	// auth_file = /etc/pgbouncer/userlist.txt
	// auth_user = pgbouncer_auth
	// auth_query = SELECT uname, phash FROM pgbouncer.user_lookup($1)
	// pool_mode = transaction
	// server_lifetime = 3600
	// server_idle_timeout = 600
	// ignore_startup_parameters = extra_float_digits
	// server_tls_sslmode = verify-full
	// server_tls_ca_file = /etc/ssl/lab/root.pem
	// <nil> (secret)
}

func TestPgBouncerProblems(t *testing.T) {
	b := pgprov.PgBouncer{PoolMode: "transactions", Port: -1, PoolSize: -1, ClientCert: "x", Host: "h\nauth_type=any"}
	err := b.Validate()
	if !errors.Is(err, lab.ErrInvalid) {
		t.Fatal(err)
	}
	for _, path := range []string{"spec.pooler.password", "lease_ttl", "pool_mode", "port", "pool_size",
		"client_cert", "server_ca", "host"} {
		if !strings.Contains(err.Error(), path+": ") {
			t.Errorf("%s is not reported in\n%v", path, err)
		}
	}
}

// TestThroughPgBouncer is who gets in through a real PgBouncer.
func TestThroughPgBouncer(t *testing.T) {
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			pg := startReal(t, real.PGOptions{Major: major})
			webapp, other := lab.App("dance-lessons-coach").In(""), lab.App("user").In("")
			s := access(pg)
			spec := pgprov.Spec{AllowPG15: true, Pooler: pgprov.Login{Password: lab.NewSecret(`a "quoted" one`)},
				Editor:    pgprov.Login{Password: lab.NewSecret("editor")},
				Instances: []pgprov.Instance{{Instance: webapp}, {Instance: other}}}
			p, err := s.Plan(t.Context(), spec)
			if err := apply(t, p, err); err != nil {
				t.Fatal(err)
			}
			b := pgprov.PgBouncer{Spec: spec, Host: pg.Host, Port: pg.Port, LeaseTTL: time.Hour, PlainServer: true}
			files, err := b.Files()
			if err != nil {
				t.Fatal(err)
			}
			pooler := real.PgBouncer(t, real.PgBouncerOptions{Config: files.INI, UserList: files.UserList.Reveal()})
			user := func(i lab.Instance, name string) {
				sql(t, pg.DSNAs("credentials_editor", "editor", i.Database()),
					fmt.Sprintf(`CREATE ROLE "v-%s" WITH LOGIN PASSWORD 'secret' VALID UNTIL 'infinity' IN ROLE "%s"`,
						name, i.OwnerRole()),
					fmt.Sprintf(`ALTER ROLE "v-%s" SET role TO '%s'`, name, i.OwnerRole()))
			}
			user(webapp, "one")
			user(other, "two")
			who := func(user, password string, i lab.Instance) (string, error) {
				c, err := pgconn.ParseConfig("sslmode=disable")
				if err != nil {
					t.Fatal(err)
				}
				c.Host, c.Port, c.User, c.Password, c.Database = pooler.Host, uint16(pooler.Port), user, password,
					i.Database()
				conn, err := pgconn.ConnectConfig(t.Context(), c)
				if err != nil {
					return "", err
				}
				defer conn.Close(t.Context())
				rs, err := conn.Exec(t.Context(), "SELECT session_user || ' as ' || current_user").ReadAll()
				if err != nil {
					return "", err
				}
				return string(rs[0].Rows[0][0]), nil
			}
			in := func(user, password string, i lab.Instance) {
				t.Helper()
				if got, err := who(user, password, i); err != nil || got != user+" as "+i.OwnerRole() {
					t.Errorf("%s at %s: %q, %v", user, i, got, err)
				}
			}
			out := func(user, password string, i lab.Instance, says string) {
				t.Helper()
				if got, err := who(user, password, i); err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("%s at %s: %q, %v; want %q", user, i, got, err, says)
				}
			}
			in("v-one", "secret", webapp)
			in("v-one", "secret", webapp) // over the connection that is there
			in("v-two", "secret", other)
			out("v-one", "wrong", webapp, "SASL authentication failed")
			out("postgres", pg.Password, webapp, "")
			out("nobody", "secret", webapp, "")
			out(webapp.OwnerRole(), "secret", webapp, "")
			out("v-two", "secret", webapp, "permission denied for database") // it proved who it is, and may not connect
			sql(t, pg.DSN("postgres"), `ALTER ROLE "v-one" VALID UNTIL 'yesterday'`)
			out("v-one", "secret", webapp, "") // though a connection of its own waits in the pool
			if strings.Contains(pg.Log(), "quoted") {
				t.Error("the pooler's password is in the server's log")
			}
		})
	}
}
