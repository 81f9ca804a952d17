package pgprov_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/pgtest"
)

// TestLocales makes databases of every kind of locale, and finds them right afterwards.
func TestLocales(t *testing.T) {
	spec := pgprov.Spec{AllowPG15: true, Instances: []pgprov.Instance{{Instance: lab.App("plain").In(lab.Prod)},
		{Instance: lab.App("libc").In(lab.Prod), Locale: "C.UTF-8"},
		{Instance: lab.App("icu").In(lab.Prod), ICULocale: "fr_FR"},
		{Instance: lab.App("both").In(lab.Prod), ICULocale: "de-DE", Locale: "C"},
		// names that the server writes otherwise
		{Instance: lab.App("posix").In(lab.Prod), Locale: "POSIX"},
		{Instance: lab.App("phonebook").In(lab.Prod), ICULocale: "de@collation=phonebook"},
		{Instance: lab.App("upper").In(lab.Prod), ICULocale: "EN", Encoding: "utf-8"},
		{Instance: lab.App("computer").In(lab.Prod), ICULocale: "en_US_POSIX"},
		{Instance: lab.App("latin").In(lab.Prod), Encoding: "iso-8859-1", Locale: "C"},
		{Instance: lab.App("mule").In(lab.Prod), Encoding: "mule_internal", Locale: "C"},
		{Instance: lab.App("ascii").In(lab.Prod), Encoding: "SQL_ASCII", Locale: "POSIX"}}}
	check := func(t *testing.T, s pgprov.Server) {
		p, err := s.Plan(t.Context(), spec)
		if err := apply(t, p, err); err != nil {
			t.Fatal(err)
		}
		if p, err := s.Plan(t.Context(), spec); err != nil || !p.Empty() {
			t.Errorf("planned again: %v\n%v", err, p)
		}
		spec := spec
		spec.Instances = []pgprov.Instance{{Instance: lab.App("libc").In(lab.Prod), ICULocale: "fr-FR"}}
		if _, err := s.Plan(t.Context(), spec); !errors.Is(err, lab.ErrConflict) {
			t.Errorf("a libc database asked for as one of ICU: %v", err)
		}
	}
	for _, major := range majors {
		t.Run(fmt.Sprintf("fake-%d", major), func(t *testing.T) { check(t, pgtest.New(t, pgtest.Config{Major: major}).Access()) })
		t.Run(fmt.Sprintf("real-%d", major), func(t *testing.T) { check(t, access(startReal(t, real.PGOptions{Major: major}))) })
	}
	for _, name := range []string{"de@x=y", "i-klingon", "no_NO_NY", "de-x-private", "a"} {
		spec := pgprov.Spec{Instances: []pgprov.Instance{{Instance: lab.App("x").In(""), ICULocale: name}}}
		if err := spec.Validate(); !errors.Is(err, lab.ErrInvalid) || !strings.Contains(err.Error(), "icu_locale") {
			t.Errorf("%s is to be refused before anything is made: %v", name, err)
		}
	}
}

// TestTransactionTimeout proves that a timeout that the owner of a database has set for his app does
// not end a transaction of ours that waits. Older servers would refuse the setting.
func TestTransactionTimeout(t *testing.T) {
	for _, major := range majors {
		f := pgtest.New(t, pgtest.Config{Major: major})
		s := f.Access()
		p, err := s.Plan(t.Context(), pgprov.Spec{AllowPG15: true,
			Instances: []pgprov.Instance{{Instance: lab.App("erp").In(lab.Prod)}}})
		if err := apply(t, p, err); err != nil {
			t.Fatal(err)
		}
		begun, lifted := strings.Count("\n"+strings.Join(f.Log(), "\n"), "\nBEGIN"),
			strings.Count(strings.Join(f.Log(), "\n"), "SET LOCAL transaction_timeout = 0")
		if want := map[bool]int{true: begun}[major >= 17]; lifted != want || begun == 0 {
			t.Errorf("PostgreSQL %d: the timeout is lifted in %d of %d transactions", major, lifted, begun)
		}
	}
}

// TestSweepGoesOn has one role that cannot be dropped, and wants those after it to be dropped.
func TestSweepGoesOn(t *testing.T) {
	pg := startReal(t, real.PGOptions{Major: 18})
	s := access(pg)
	sql(t, pg.DSN("postgres"), `CREATE ROLE "v-a" LOGIN VALID UNTIL '2001-02-03'`,
		`CREATE ROLE "v-b" LOGIN VALID UNTIL '2001-02-03'`, "CREATE TABLE a (n int)", "CREATE TABLE b (n int)",
		`ALTER TABLE a OWNER TO "v-a"`, `ALTER TABLE b OWNER TO "v-b"`,
		`CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS
			$$ BEGIN IF current_query() LIKE '%v-a%' THEN RAISE 'not this one'; END IF; END $$`,
		"CREATE EVENT TRIGGER forbid ON ddl_command_start WHEN TAG IN ('DROP OWNED') EXECUTE FUNCTION forbid()")
	p, err := s.Sweep(t.Context(), pgprov.SweepSpec{})
	if err != nil || len(p.Changes()) != 2 {
		t.Fatalf("%v\n%v", err, p)
	}
	r, err := p.Apply(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "not this one") || strings.Contains(err.Error(), "25P02") ||
		r.Count(lab.StatusDone) != 1 {
		t.Errorf("%v\n%v", err, r)
	}
}

// TestExtensionsWithoutPublic asks for an extension where the app has dropped the schema public.
func TestExtensionsWithoutPublic(t *testing.T) {
	spec := pgprov.Spec{AllowPG15: true, Instances: []pgprov.Instance{{Instance: lab.App("erp").In("")},
		{Instance: lab.App("crm").In(""), Extensions: []string{"citext"}}}}
	check := func(t *testing.T, s pgprov.Server, erp string) {
		first := spec
		first.Instances = spec.Instances[:1]
		p, err := s.Plan(t.Context(), first)
		if err := apply(t, p, err); err != nil {
			t.Fatal(err)
		}
		sql(t, erp, "DROP SCHEMA public CASCADE")
		wanted := spec
		wanted.Instances = slices.Clone(spec.Instances)
		wanted.Instances[0].Extensions = []string{"hstore"}
		p, err = s.Plan(t.Context(), wanted)
		if !errors.Is(err, lab.ErrBlocked) || !strings.Contains(strings.Join(lab.Hints(err), ""), "SCHEMA") {
			t.Errorf("no schema to make it in: %v", err)
		}
		if err := apply(t, p, nil); err != nil { // the other's
			t.Error(err)
		}
		sql(t, erp, "CREATE SCHEMA app", "SET search_path = app", "CREATE EXTENSION hstore")
		if p, err := s.Plan(t.Context(), wanted); err != nil || !p.Empty() {
			t.Errorf("it is there now: %v\n%v", err, p)
		}
	}
	for _, major := range majors {
		t.Run(fmt.Sprintf("fake-%d", major), func(t *testing.T) {
			f := pgtest.New(t, pgtest.Config{Major: major})
			check(t, f.Access(), f.DSN("erp"))
		})
		t.Run(fmt.Sprintf("real-%d", major), func(t *testing.T) {
			pg := startReal(t, real.PGOptions{Major: major})
			check(t, access(pg), pg.DSN("erp"))
			if major < 17 { // its control file says where it is made
				sql(t, pg.DSN("erp"), "DROP EXTENSION IF EXISTS adminpack")
				s, fixed := access(pg), spec
				fixed.Instances = []pgprov.Instance{{Instance: lab.App("erp").In(""), Extensions: []string{"adminpack"}}}
				p, err := s.Plan(t.Context(), fixed)
				if err := apply(t, p, err); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestNamesOutsideASCII has roles with such names, and databases in every kind of encoding: names of
// roles are the whole cluster's, and no database's encoding may change them.
func TestNamesOutsideASCII(t *testing.T) {
	for _, major := range majors {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			pg := startReal(t, real.PGOptions{Major: major})
			s := access(pg)
			spec := pgprov.Spec{AllowPG15: true, Editor: pgprov.Login{Name: "éditeur"}, Pooler: pgprov.Login{Name: "プーラー"}}
			for name, encoding := range map[string]string{"latin": "LATIN1", "latin9": "LATIN9", "utf": "UTF8", "ascii": "SQL_ASCII",
				"koi": "KOI8R", "win": "WIN1252", "mule": "MULE_INTERNAL"} {
				spec.Instances = append(spec.Instances, pgprov.Instance{Instance: lab.App(name).In(""), Encoding: encoding,
					Locale: "C", Connect: []string{"café", `x"ÿ`}})
			}
			sql(t, pg.DSN("postgres"), `CREATE ROLE "café" LOGIN PASSWORD 'x'`, `CREATE ROLE "x""ÿ"`, `CREATE ROLE "étranger"`)
			p, err := s.Plan(t.Context(), spec)
			if err := apply(t, p, err); err != nil {
				t.Fatal(err)
			}
			if p, err := s.Plan(t.Context(), spec); err != nil || !p.Empty() {
				t.Errorf("planned again: %v\n%v", err, p)
			}
			for _, i := range spec.Instances {
				sql(t, pg.DSN("postgres"), "GRANT CONNECT ON DATABASE "+i.Database()+` TO "étranger"`,
					`GRANT pg_read_all_data TO `+i.OwnerRole())
			}
			p, err = s.Plan(t.Context(), spec)
			if err := apply(t, p, err); err != nil || len(p.Changes()) != 2*len(spec.Instances) {
				t.Errorf("%v\n%v", err, p)
			}
			if p, err := s.Plan(t.Context(), spec); err != nil || !p.Empty() {
				t.Errorf("planned again: %v\n%v", err, p)
			}
			for _, i := range spec.Instances {
				if i.Encoding != "MULE_INTERNAL" { // which this client, that speaks UTF8, cannot connect to
					sql(t, pg.DSNAs("café", "x", i.Database()), "SELECT 1")
				}
			}
		})
	}
}

// TestDumpStaysInItsDirectory dumps a database whose name is a path.
func TestDumpStaysInItsDirectory(t *testing.T) {
	pg := dumpable(t)
	root := access(pg)
	sql(t, pg.DSN("postgres"), `CREATE DATABASE "../a/b"`)
	dir := t.TempDir()
	file, err := root.Dump(t.Context(), "../a/b", pgprov.Dump{Dir: dir})
	if err != nil || filepath.Dir(file) != dir {
		t.Errorf("dumped into %q: %v", file, err)
	}
}

// TestDropNames names what goes with a database, and what forbids to drop it.
func TestDropNames(t *testing.T) {
	for _, major := range majors {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			pg := startReal(t, real.PGOptions{Major: major, Settings: map[string]string{"wal_level": "logical",
				"max_prepared_transactions": "2"}})
			s := access(pg)
			twoApps(t, s)
			drop := pgprov.DropSpec{Instances: []lab.Instance{lab.App("erp").In("")}}
			refused := func(says, hint string) {
				t.Helper()
				p, err := s.Drop(t.Context(), drop)
				if !errors.Is(err, lab.ErrBlocked) || !strings.Contains(err.Error(), says) ||
					!strings.Contains(strings.Join(lab.Hints(err), ""), hint) {
					t.Errorf("%v, want %q\n%v", err, says, p)
				}
			}
			sql(t, pg.DSN("erp"), "CREATE TABLE t (n int)", "CREATE PUBLICATION p FOR ALL TABLES",
				"SELECT pg_create_logical_replication_slot('erp_slot', 'pgoutput')", "SELECT lo_create(0)",
				"CREATE EXTENSION postgres_fdw", "CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw",
				"ALTER ROLE erp_role IN DATABASE erp SET work_mem = '1MB'",
				"CREATE SUBSCRIPTION sub CONNECTION 'host=127.0.0.1' PUBLICATION p WITH (connect = false)")
			refused("subscription sub", `DROP SUBSCRIPTION "sub"`)
			sql(t, pg.DSN("erp"), "ALTER SUBSCRIPTION sub SET (slot_name = NONE)", "DROP SUBSCRIPTION sub", "BEGIN",
				"CREATE TABLE other ()", "PREPARE TRANSACTION 'half'")
			refused("prepared transaction half", "ROLLBACK PREPARED 'half'")
			sql(t, pg.DSN("erp"), "ROLLBACK PREPARED 'half'")
			var p *lab.Plan
			err := lab.Wait(t.Context(), lab.Poll{What: "the session to end"}, func(ctx context.Context) (_ bool, err error) {
				p, err = s.Drop(ctx, drop)
				return err == nil, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, says := range []string{"replication slot erp_slot", "publication p", "foreign server elsewhere", "tables 1",
				"large objects 1", "extension postgres_fdw", "setting erp_role: work_mem=1MB"} {
				if !strings.Contains(p.String(), "-"+says+"\n") {
					t.Errorf("the plan does not name %q:\n%v", says, p)
				}
			}
			if err := apply(t, p, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDropCutOff drops a database whose DROP DATABASE was cut off: nobody can connect to it any
// more to make a dump.
func TestDropCutOff(t *testing.T) {
	pg := dumpable(t)
	root := access(pg)
	app := lab.App("erp").In(lab.Prod)
	p, err := root.Plan(t.Context(), pgprov.Spec{AllowPG15: true, Instances: []pgprov.Instance{{Instance: app}}})
	if err := apply(t, p, err); err != nil {
		t.Fatal(err)
	}
	sql(t, pg.DSN("postgres"), "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'erp'")
	p, err = root.Drop(t.Context(), pgprov.DropSpec{Instances: []lab.Instance{app},
		Dump: &pgprov.Dump{Dir: t.TempDir()}})
	if err := apply(t, p, err); err != nil {
		t.Fatal(err)
	}
	if p, err := root.Drop(t.Context(), pgprov.DropSpec{Instances: []lab.Instance{app}}); err != nil || !p.Empty() {
		t.Errorf("dropped, and yet: %v\n%v", err, p)
	}
}
