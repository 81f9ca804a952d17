package pgprov_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
)

// TestReportedOfOthers has what people reported of other tools that do the same.
func TestReportedOfOthers(t *testing.T) {
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			pg := startReal(t, real.PGOptions{Major: major})
			s := access(pg)
			root := pg.DSN("postgres")
			spec := twoApps(t, s)
			spec.Editor.Password, spec.Pooler.Password = lab.NewSecret(`50%_of 'it'\"$`), lab.NewSecret("{}[]&=+~`")
			converged := func(t *testing.T, s pgprov.Server, spec pgprov.Spec) {
				t.Helper()
				if p, err := s.Plan(t.Context(), spec); err != nil || !p.Empty() {
					t.Errorf("%v\n%v", err, p)
				}
			}
			provision := func(t *testing.T, s pgprov.Server, spec pgprov.Spec) {
				t.Helper()
				p, err := s.Plan(t.Context(), spec)
				if err := apply(t, p, err); err != nil {
					t.Fatal(err)
				}
				converged(t, s, spec)
			}
			provision(t, s, spec)
			// passwords that URLs, shells and formats break (terraform-provider-postgresql)
			sql(t, pg.DSNAs("credentials_editor", spec.Editor.Password.Reveal(), "erp"), "SELECT 1")
			sql(t, pg.DSNAs("pgbouncer_auth", spec.Pooler.Password.Reveal(), "crm"), "SELECT 1")

			// roles whose names need quotes (ansible/ansible issues 18937 and 1813, community.general 1058)
			odd := []string{"www-carto", "Foo Bar", "user", `a"b'c`, "50%", "PUBLIC",
				"back\\slash", "a,b", "{x}", "a=b", "v1.2/3", "pgx_"}
			for _, name := range odd {
				sql(t, root, fmt.Sprintf(`CREATE ROLE "%s" LOGIN PASSWORD 'x'`, strings.ReplaceAll(name, `"`, `""`)))
			}
			spec.Instances[0].Connect = odd
			provision(t, s, spec)

			// a database that another tool made, with the locale in other letters (ansible-role-postgresql 151)
			sql(t, root, "CREATE ROLE made_role", "CREATE DATABASE made OWNER made_role TEMPLATE template0 LOCALE_PROVIDER libc "+
				"ENCODING 'utf8' LOCALE 'C.utf8'")
			made := pgprov.Instance{Instance: lab.App("made").In(""), Encoding: "UTF-8", Locale: "C.UTF-8"}
			spec.Instances = append(spec.Instances, made)
			provision(t, s, spec)

			// roles that the editor made, with or without the prefix, stay its own (cloudnative-pg 11448)
			editor := pg.DSNAs("credentials_editor", spec.Editor.Password.Reveal(), "postgres")
			sql(t, editor, `CREATE ROLE "v-one" LOGIN IN ROLE erp_role`, "CREATE ROLE reporting LOGIN IN ROLE erp_role")
			converged(t, s, spec)
			sql(t, editor, `ALTER ROLE reporting VALID UNTIL '2100-01-01'`, `DROP ROLE "v-one"`)

			// another superuser than the first one has the server now
			sql(t, root, "CREATE ROLE admin2 SUPERUSER LOGIN PASSWORD 'x'")
			other := s
			other.User, other.Password = "admin2", lab.NewSecret("x")
			converged(t, other, spec)
			spec.Instances = append(spec.Instances, pgprov.Instance{Instance: lab.App("second").In("")})
			provision(t, other, spec)
			converged(t, s, spec)

			// the owner's limits do not lock a superuser out, and what a role or a database has set is its own
			sql(t, root, "ALTER DATABASE erp CONNECTION LIMIT 0", "ALTER ROLE erp_role SET search_path = nowhere",
				"ALTER ROLE credentials_editor SET statement_timeout = 1", "COMMENT ON DATABASE erp IS 'theirs'")
			converged(t, s, spec)

			// default privileges of the owner role, for tables of its own, are left (postgres-operator 2068)
			sql(t, pg.DSN("erp"), "ALTER DEFAULT PRIVILEGES FOR ROLE erp_role GRANT SELECT ON TABLES TO crm_role",
				"ALTER DEFAULT PRIVILEGES FOR ROLE erp_role IN SCHEMA public GRANT ALL ON FUNCTIONS TO PUBLIC",
				"SET ROLE erp_role", "CREATE TABLE t (n int)")
			converged(t, s, spec)

			// an extension that somebody else made, elsewhere (postgres-operator 1534)
			sql(t, pg.DSN("erp"), "CREATE SCHEMA ext AUTHORIZATION erp_role", "SET ROLE erp_role",
				"CREATE EXTENSION citext SCHEMA ext")
			spec.Instances[0].Extensions = []string{"citext"}
			converged(t, s, spec)

			// users whose rights somebody else granted them (the order that Vault's own revocation lacks)
			sql(t, root, `CREATE ROLE "v-old" LOGIN VALID UNTIL '2001-01-01'`, "CREATE ROLE granter")
			sql(t, pg.DSN("erp"), "GRANT SELECT ON t TO granter WITH GRANT OPTION", "SET ROLE granter",
				`GRANT SELECT ON t TO "v-old"`, "RESET ROLE",
				`ALTER DEFAULT PRIVILEGES FOR ROLE "v-old" GRANT SELECT ON TABLES TO erp_role`,
				`ALTER DEFAULT PRIVILEGES FOR ROLE erp_role GRANT SELECT ON TABLES TO "v-old"`, "SELECT lo_create(42)",
				`ALTER LARGE OBJECT 42 OWNER TO "v-old"`, "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
				`CREATE POLICY p ON t TO "v-old" USING (true)`)
			p, err := s.Sweep(t.Context(), pgprov.SweepSpec{})
			if err := apply(t, p, err); err != nil {
				t.Error(err)
			}
			if got := sql(t, root, "SELECT count(*) FROM pg_roles WHERE rolname = 'v-old'"); got[0] != "0" {
				t.Error("a user whose rights somebody else granted is still there")
			}
			converged(t, s, spec)
		})
	}
}
