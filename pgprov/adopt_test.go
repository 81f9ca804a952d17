package pgprov_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/pgtest"
)

var erpOnly = pgprov.Spec{AllowPG15: true, Instances: []pgprov.Instance{{Instance: lab.App("erp").In("")}}}

// TestAdoptionSaysWhom plans to take over an app that is running: what would cut somebody off has a
// risk, and names who is connected.
func TestAdoptionSaysWhom(t *testing.T) {
	check := func(t *testing.T, s pgprov.Server, dsn func(database string) string, as func(role, database string) string) {
		sql(t, dsn("postgres"), "CREATE ROLE erp_role LOGIN PASSWORD 'x'", "CREATE ROLE legacy LOGIN PASSWORD 'x'",
			"CREATE ROLE oldpool LOGIN PASSWORD 'x'", "CREATE DATABASE erp OWNER legacy")
		sql(t, dsn("erp"), "GRANT CREATE ON SCHEMA public TO legacy", "SET ROLE legacy", "CREATE TABLE notes (n integer)",
			"SET ROLE NONE", "CREATE SCHEMA pgbouncer", "ALTER SCHEMA pgbouncer OWNER TO oldpool",
			"CREATE FUNCTION pgbouncer.user_lookup(IN i_username text, OUT uname text, OUT phash text) LANGUAGE sql "+
				"SECURITY DEFINER AS 'SELECT i_username, i_username'")
		for _, role := range []string{"erp_role", "legacy", "oldpool"} {
			c, err := pgconn.Connect(t.Context(), as(role, "erp"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(t.Context())
		}
		var log strings.Builder
		s.Logger = textLogger(&log)
		p, err := s.Plan(t.Context(), erpOnly)
		if err != nil {
			t.Fatal(err)
		}
		for id, says := range map[string][]string{
			"pg/erp/role:erp_role": {"LOGIN", "the password", `1 of "erp_role" at "erp"`, "Adopting"},
			"pg/erp/database:erp": {"legacy", `1 of "legacy" at "erp"`,
				`REASSIGN OWNED BY "legacy" TO "erp_role"`},
			"pg/erp/grants:erp": {"PUBLIC", `1 of "legacy" at "erp"`,
				`1 of "oldpool" at "erp"`, "connect"},
			"pg/erp/schema:pgbouncer":                     {"changes hands", "pgbouncer_auth"},
			"pg/erp/function:pgbouncer.user_lookup(text)": {"PUBLIC", `1 of "oldpool" at "erp"`},
			"pg/erp/grant:erp_role:credentials_editor":    nil,
			"pg/role:credentials_editor":                  nil, "pg/role:pgbouncer_auth": nil,
		} {
			found := false
			for _, c := range p.Changes() {
				if c.ID != id {
					continue
				}
				found = true
				if (c.Risk == lab.RiskDisrupt) != (says != nil) {
					t.Errorf("%s has risk %v", id, c.Risk)
				}
				for _, text := range says {
					if !strings.Contains(c.Cause, text) {
						t.Errorf("%s does not say %q: %s", id, text, c.Cause)
					}
				}
			}
			if !found {
				t.Errorf("%s is not planned:\n%v", id, p)
			}
		}
		if !strings.Contains(log.String(), "legacy") || !strings.Contains(log.String(), "REASSIGN OWNED") {
			t.Errorf("no warning of the tables: %s", log.String())
		}
	}
	for _, major := range majors {
		t.Run("fake-"+strconv.Itoa(major), func(t *testing.T) {
			f := pgtest.New(t, pgtest.Config{Major: major})
			check(t, f.Access(), f.DSN, func(role, database string) string {
				return strings.Replace(f.DSN(database), "postgres:"+password(f.Access()), role+":x", 1)
			})
		})
		t.Run("real-"+strconv.Itoa(major), func(t *testing.T) {
			pg := startReal(t, real.PGOptions{Major: major})
			check(t, access(pg), pg.DSN, func(role, database string) string { return pg.DSNAs(role, "x", database) })
		})
	}
}

func password(s pgprov.Server) string { return s.Password.Reveal() }

// TestAdopting follows the order of the documentation: after each step the app can do what it did,
// over the connection that it has and over a new one.
func TestAdopting(t *testing.T) {
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			pg := startReal(t, real.PGOptions{Major: major})
			s := access(pg)
			sql(t, pg.DSN("postgres"), "CREATE ROLE erp_login LOGIN PASSWORD 'x'",
				"CREATE ROLE backup LOGIN PASSWORD 'x' IN ROLE pg_read_all_data",
				"CREATE DATABASE erp OWNER erp_login")
			app := pg.DSNAs("erp_login", "x", "erp")
			sql(t, pg.DSN("erp"), "ALTER SCHEMA public OWNER TO erp_login")
			sql(t, app, "CREATE TABLE notes (n serial)", "CREATE VIEW v AS SELECT * FROM notes", "CREATE SCHEMA more",
				"CREATE TABLE more.notes (n int)")
			held, err := pgconn.Connect(t.Context(), app)
			if err != nil {
				t.Fatal(err)
			}
			defer held.Close(t.Context())
			work := []string{"INSERT INTO notes DEFAULT VALUES", "SELECT * FROM v", "INSERT INTO more.notes VALUES (1)",
				"CREATE TABLE IF NOT EXISTS later (n int)", "ALTER TABLE notes ADD COLUMN IF NOT EXISTS m int", "DROP TABLE later"}
			works := func(step string) {
				t.Helper()
				for _, w := range work {
					if _, err := held.Exec(t.Context(), w).ReadAll(); err != nil {
						t.Errorf("after %s, the app cannot %s: %v", step, w, err)
					}
				}
				sql(t, app, work...)
				sql(t, pg.DSNAs("backup", "x", "erp"), "SELECT * FROM notes")
			}
			works("nothing")
			if _, err := s.Plan(t.Context(), erpOnly); err != nil {
				t.Fatal(err)
			}
			sql(t, pg.DSN("postgres"), "CREATE ROLE erp_role NOLOGIN")
			works("step 2")
			sql(t, pg.DSN("postgres"), "GRANT erp_role TO erp_login")
			works("step 3")
			sql(t, pg.DSN("erp"), "REASSIGN OWNED BY erp_login TO erp_role")
			works("step 4")
			sql(t, pg.DSN("erp"), "ALTER ROLE erp_login SET role TO erp_role", "REASSIGN OWNED BY erp_login TO erp_role")
			works("step 5")
			spec := erpOnly
			spec.Instances = []pgprov.Instance{{Instance: lab.App("erp").In(""), Connect: []string{"backup"}}}
			p, err := s.Plan(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range p.Changes() {
				if c.Risk != lab.RiskNone && (c.ID != "pg/erp/grants:erp" || strings.Contains(c.Cause, "connected now:")) {
					t.Errorf("%s has risk %s: %s", c.ID, c.Risk, c.Cause)
				}
			}
			if err := apply(t, p, nil); err != nil {
				t.Fatal(err)
			}
			works("step 7")
			if p, err := s.Plan(t.Context(), spec); err != nil || !p.Empty() {
				t.Errorf("%v\n%v", err, p)
			}
			hangUp(held)
			sql(t, pg.DSN("postgres"), "DROP ROLE erp_login")
		})
	}
}
