package pgprov_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestEventTriggers has triggers of the server's that change what is made, as it is made: once, which
// is put right in the same transaction, and each time that it is put right, which is rolled back.
func TestEventTriggers(t *testing.T) {
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			pg := startReal(t, real.PGOptions{Major: major})
			s := access(pg)
			spec := twoApps(t, s)
			trigger := func(tags, does string) {
				t.Helper()
				sql(t, pg.DSN("erp"), "DROP SCHEMA IF EXISTS pgbouncer CASCADE", "DROP EVENT TRIGGER IF EXISTS e",
					"CREATE OR REPLACE FUNCTION public.e() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "+does+"; END $$",
					"CREATE EVENT TRIGGER e ON ddl_command_end WHEN TAG IN ("+tags+") EXECUTE FUNCTION public.e()")
			}
			for _, does := range []string{"GRANT EXECUTE ON FUNCTION pgbouncer.user_lookup(text) TO PUBLIC",
				"GRANT CONNECT ON DATABASE erp TO PUBLIC", "ALTER SCHEMA pgbouncer OWNER TO erp_role",
				"ALTER FUNCTION pgbouncer.user_lookup(text) OWNER TO erp_role", "GRANT crm_role TO erp_role"} {
				trigger("'CREATE FUNCTION'", does)
				p, err := s.Plan(t.Context(), spec)
				if err := apply(t, p, err); err != nil {
					t.Errorf("%s: %v", does, err)
				}
				if p, err := s.Plan(t.Context(), spec); err != nil || !p.Empty() {
					t.Errorf("%s: %v\n%v", does, err, p)
				}
			}
			trigger("'CREATE FUNCTION'", "RAISE 'not this'")
			p, err := s.Plan(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			r, err := p.Apply(t.Context(), nil)
			if err == nil || !strings.Contains(r.String(), "failed      pg/erp/function:") ||
				!strings.Contains(r.String(), "skipped     pg/erp/schema:pgbouncer: rolled back") {
				t.Errorf("the function is what fails: %v\n%v", err, r)
			}
			trigger("'CREATE FUNCTION', 'REVOKE'", "IF current_query() LIKE '%user_lookup%' THEN "+
				"PERFORM set_config('session_replication_role', 'replica', true); "+ // or it would call itself
				"GRANT EXECUTE ON FUNCTION pgbouncer.user_lookup(text) TO PUBLIC; "+
				"PERFORM set_config('session_replication_role', 'origin', true); END IF")
			p, err = s.Plan(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			r, err = p.Apply(t.Context(), nil)
			if !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "GRANT EXECUTE TO PUBLIC") ||
				r.Count(lab.StatusDone) > 0 {
				t.Errorf("%v\n%v", err, r)
			}
			if got := sql(t, pg.DSN("erp"), "SELECT count(*) FROM pg_namespace WHERE nspname = 'pgbouncer'"); !slices.Equal(
				got, []string{"0"}) {
				t.Errorf("it was not rolled back: %q", got)
			}
		})
	}
}
