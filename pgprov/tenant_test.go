package pgprov_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
)

// twoApps provisions a tenant and a neighbour, and returns the spec of both.
func twoApps(t *testing.T, s pgprov.Server) pgprov.Spec {
	t.Helper()
	spec := pgprov.Spec{AllowPG15: true, Instances: []pgprov.Instance{{Instance: lab.App("erp").In("")},
		{Instance: lab.App("crm").In("")}}}
	p, err := s.Plan(t.Context(), spec)
	if err := apply(t, p, err); err != nil {
		t.Fatal(err)
	}
	return spec
}

// TestTenantSettings lets the owner of a database set whatever the server lets him, to whatever it
// takes, by the server's own list: plan and apply are as before.
func TestTenantSettings(t *testing.T) {
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			pg := startReal(t, real.PGOptions{Major: major, Settings: map[string]string{"log_statement": "none"}})
			s := access(pg)
			spec := twoApps(t, s)
			c, err := pgconn.Connect(t.Context(), pg.DSN("postgres"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(t.Context())
			tenant := func(sql string) bool {
				t.Helper()
				r := c.Exec(t.Context(), "BEGIN; SET LOCAL ROLE erp_role; "+sql+"; COMMIT")
				if _, err := r.ReadAll(); err != nil {
					sqlOn(t, c, "ROLLBACK")
					return false
				}
				return true
			}
			converged := func(what string) {
				t.Helper()
				if p, err := s.Plan(t.Context(), spec); err != nil || !p.Empty() {
					t.Errorf("with %s: %v\n%v", what, err, p)
				}
			}
			drifts := []string{"ALTER FUNCTION pgbouncer.user_lookup(text) VOLATILE",
				"GRANT CREATE ON SCHEMA pgbouncer TO erp_role"}
			repaired := func(what string) {
				t.Helper()
				sql(t, pg.DSN("postgres"), "GRANT CONNECT ON DATABASE erp TO PUBLIC")
				p, err := s.Plan(t.Context(), spec)
				if err := apply(t, p, err); err != nil {
					t.Errorf("with %s: %v", what, err)
				}
				converged(what)
			}
			const settings = `SELECT name, vartype, coalesce(min_val, ''), coalesce(max_val, ''),
				coalesce(array_to_string(enumvals, ','), '') FROM pg_settings WHERE context IN ('user', 'superuser') ORDER BY 1`
			taken := 0
			var last []string // one value of each that was taken
			for _, row := range rowsOn(t, c, settings) {
				values := []string{"nonsense", "", row[2], row[3], "1", "on", "off"}
				if row[4] != "" {
					values = strings.Split(row[4], ",")
				}
				for _, v := range values {
					set := fmt.Sprintf("ALTER DATABASE erp SET %q = '%s'", row[0], v)
					if !tenant(set) {
						continue
					}
					taken++
					converged(set)
					last = append(last, set)
				}
				sqlOn(t, c, "ALTER DATABASE erp RESET ALL")
			}
			if taken < 100 {
				t.Errorf("the owner could set %d values only", taken)
			}
			for _, set := range []string{"ALTER DATABASE erp SET role = erp_role",
				"ALTER DATABASE erp SET plpgsql.extra_errors = 'all'",
				"ALTER DATABASE erp SET session_authorization = erp_role", "ALTER DATABASE erp SET SESSION AUTHORIZATION erp_role",
				"ALTER ROLE ALL IN DATABASE erp SET local_preload_libraries = 'nonsense'", "ALTER DATABASE erp SET a.b = 'c'"} {
				if tenant(set) {
					t.Log("the owner can: ", set)
					repaired(set)
				}
			}
			for _, set := range last {
				if !tenant(set) {
					t.Errorf("could not do again: %s", set)
				}
			}
			repaired("all of it")
			sql(t, pg.DSN("postgres"), "ALTER DATABASE erp RESET ALL")
			sql(t, pg.DSN("erp"), drifts...)
			for _, set := range last {
				tenant(set)
			}
			repaired("all of it, in the database")
		})
	}
}

func sqlOn(t *testing.T, c *pgconn.PgConn, sql string) {
	t.Helper()
	if _, err := c.Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func rowsOn(t *testing.T, c *pgconn.PgConn, sql string) (out [][]string) {
	t.Helper()
	results, err := c.Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	for _, row := range results[len(results)-1].Rows {
		var texts []string
		for _, v := range row {
			texts = append(texts, string(v))
		}
		out = append(out, texts)
	}
	return out
}

// TestOneFailsAlone makes one database unreadable, in the ways that its owner has: the plan for the
// others is there, and the error names the one.
func TestOneFailsAlone(t *testing.T) {
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			pg := startReal(t, real.PGOptions{Major: major})
			s := access(pg)
			spec := twoApps(t, s)
			for _, c := range []struct {
				name, breaks, mends string
				kind                error
			}{
				{"closed", "ALTER DATABASE erp ALLOW_CONNECTIONS false", "ALTER DATABASE erp ALLOW_CONNECTIONS true", lab.ErrBlocked},
				{"template", "ALTER DATABASE erp IS_TEMPLATE true", "ALTER DATABASE erp IS_TEMPLATE false", lab.ErrConflict},
				{"library", "ALTER DATABASE erp SET session_preload_libraries = 'nonsense'", "ALTER DATABASE erp RESET ALL",
					lab.ErrNotFound},
				{"user", "GRANT crm_role, erp_role TO \"both\"", "REVOKE crm_role FROM \"both\"", lab.ErrRefused},
			} {
				t.Run(c.name, func(t *testing.T) {
					if c.name == "user" {
						sql(t, pg.DSN("postgres"), "CREATE ROLE \"both\"")
						spec.Instances[1].Connect = []string{"both"}
						defer func() { spec.Instances[1].Connect = nil }()
						p, err := s.Plan(t.Context(), spec)
						if err := apply(t, p, err); err != nil {
							t.Fatal(err)
						}
					}
					sql(t, pg.DSN("postgres"), c.breaks, "GRANT CONNECT ON DATABASE crm TO PUBLIC")
					p, err := s.Plan(t.Context(), spec)
					if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), "erp") {
						t.Errorf("%v, want %v", err, c.kind)
					}
					if cs := p.Changes(); len(cs) != 1 || cs[0].ID != "pg/crm/grants:crm" {
						t.Errorf("planned\n%v", p)
					}
					if err := apply(t, p, nil); err != nil {
						t.Error(err)
					}
					sql(t, pg.DSN("postgres"), c.mends)
					if p, err := s.Plan(t.Context(), spec); err != nil || !p.Empty() {
						t.Errorf("%v\n%v", err, p)
					}
				})
			}
		})
	}
}
