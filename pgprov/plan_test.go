package pgprov_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/rogpeppe/go-internal/txtar"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/pgtest"
)

var update = flag.Bool("update", false, "rewrite testdata")

// createOldLookup makes the function that older modules put into public.
const createOldLookup = "CREATE FUNCTION public.user_lookup(IN i_username text, OUT uname text, OUT phash text) " +
	"RETURNS record LANGUAGE sql SECURITY DEFINER AS '" + pgtest.OldBody + "'"

// TestPlanText shows plans as people see them: of a new server, of what drifted, and of a server of
// older times.
func TestPlanText(t *testing.T) {
	spec := pgprov.Spec{Editor: pgprov.Login{Password: lab.NewSecret("editor")},
		Pooler: pgprov.Login{Password: lab.NewSecret("pooler")}, AllowPG15: true,
		Instances: []pgprov.Instance{{Instance: lab.App("webapp").In(""), Extensions: []string{"citext"}}}}
	var got []txtar.File
	plan := func(name string, f *pgtest.Server, spec pgprov.Spec, apply bool) {
		t.Helper()
		s := f.Access()
		p, err := s.Plan(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, txtar.File{Name: name, Data: []byte(p.String())})
		if apply {
			if _, err := p.Apply(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	f := pgtest.New(t, pgtest.Config{Major: 17})
	plan("new", f, spec, true)
	plan("converged", f, spec, false)
	sql(t, f.DSN("webapp"), "ALTER ROLE webapp_role CREATEDB", "GRANT CONNECT ON DATABASE webapp TO PUBLIC",
		"ALTER FUNCTION pgbouncer.user_lookup(text) VOLATILE",
		"ALTER FUNCTION pgbouncer.user_lookup(text) OWNER TO webapp_role",
		"GRANT webapp_role TO credentials_editor WITH SET TRUE", "ALTER ROLE pgbouncer_auth PASSWORD 'another'")
	plan("drifted", f, spec, true)
	spec.DropOldLookup, spec.LookupMembersOnly = true, true
	sql(t, f.DSN("webapp"), createOldLookup)
	plan("moved", f, spec, true)
	old := pgtest.New(t, pgtest.Config{Major: 15})
	plan("PostgreSQL 15", old, spec, false)

	const file = "testdata/plans.txtar"
	if *update {
		if err := os.WriteFile(file, txtar.Format(&txtar.Archive{Files: got}), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for n, g := range got {
		if n >= len(want.Files) || want.Files[n].Name != g.Name || !bytes.Equal(want.Files[n].Data, g.Data) {
			t.Errorf("the plan %q is\n%s\nrewrite it with -update if it should be", g.Name, g.Data)
		}
	}
}

func textLogger(to io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(to, nil)) }

func TestWarnings(t *testing.T) {
	f := pgtest.New(t, pgtest.Config{Major: 15})
	s := f.Access()
	var log strings.Builder
	s.Logger = textLogger(&log)
	spec := pgprov.Spec{AllowPG15: true, Instances: []pgprov.Instance{{Instance: lab.App("webapp").In("")}}}
	p, err := s.Plan(t.Context(), spec)
	if err := apply(t, p, err); err != nil {
		t.Fatal(err)
	}
	sql(t, f.DSN("webapp"), createOldLookup)
	if p, err := s.Plan(t.Context(), spec); err != nil || !p.Empty() {
		t.Fatal(p, err)
	}
	for _, says := range []string{"PostgreSQL 15", "DropOldLookup", "database=webapp"} {
		if !strings.Contains(log.String(), says) {
			t.Errorf("no warning of %s in\n%s", says, log.String())
		}
	}
}

// TestSpecProblems wants everything that is wrong to be reported at once, each by its path.
func TestSpecProblems(t *testing.T) {
	s := pgprov.Server{Port: -1, MaxConns: -1, Password: lab.NewSecret("caf\u00e9")}
	app := func(name, env string) pgprov.Instance { return pgprov.Instance{Instance: lab.App(name).In(env)} }
	spec := pgprov.Spec{
		Editor: pgprov.Login{Name: "same"}, Pooler: pgprov.Login{Name: "same", Password: lab.NewSecret("a\x00b")},
		DynamicPrefix: "v",
		Instances: []pgprov.Instance{app("postgres", ""), app("pg", ""), app("pgbouncer", ""), app("a-b", ""),
			app("a", "b"), app("My_App", ""), app("erp", ""), app("erp", "prod"), app(strings.Repeat("a", 41), ""),
			{Instance: lab.App("x").In(""), Encoding: "UTF9", Extensions: []string{"", "citext", "citext"},
				Connect: []string{strings.Repeat("r", 64), "a\nb"}}},
	}
	_, err := s.Plan(t.Context(), spec)
	if !errors.Is(err, lab.ErrInvalid) {
		t.Fatal(err)
	}
	for _, says := range []string{"host: empty", "port: -1", "max_conns: ", "password: holds characters",
		"pooler.name: \"same\" is the editor's", "pooler.password: ", "dynamic_prefix: ",
		"instances[0]: a database cannot be called \"postgres\"", "instances[1]: its owner role \"pg_role\"",
		"instances[2]: ", "instances[4]: ", "instances[5].app: ",
		"instances[7]: instance erp in prod is named twice",
		"instances[8].app: ", "instances[9].encoding: ", "instances[9].extensions[0]: empty",
		"instances[9].extensions[2]: ", "instances[9].connect[0]: 64 bytes long", "instances[9].connect[1]: "} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("not reported: %s", says)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
	longest := app(strings.Repeat("a", 40), strings.Repeat("e", 15))
	ok := pgprov.Spec{Instances: []pgprov.Instance{longest, app("user", ""), app("dance-lessons-coach", "")}}
	if err := ok.Validate(); err != nil || len(longest.OwnerRole()) > 63 {
		t.Error(err)
	}
	shared := pgprov.Server{Host: "127.0.0.1", User: "credentials_editor", Database: "user"}
	_, err = shared.Plan(t.Context(), ok)
	if err == nil || !strings.Contains(err.Error(), `"credentials_editor" is a shared role`) ||
		!strings.Contains(err.Error(), "connect to first") {
		t.Error(err)
	}
}

// TestRoom plans where few connections are left: no more are opened than there is room for.
func TestRoom(t *testing.T) {
	const limit, others, apps = 12, 6, 30
	spec := pgprov.Spec{AllowPG15: true}
	for n := range apps {
		spec.Instances = append(spec.Instances, pgprov.Instance{Instance: lab.App(fmt.Sprintf("app-%d", n)).In("")})
	}
	check := func(t *testing.T, s pgprov.Server, dsn string, most func() int) {
		for range others {
			c, err := pgconn.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(t.Context())
		}
		for range 2 {
			p, err := s.Plan(t.Context(), spec)
			if err := apply(t, p, err); err != nil {
				t.Fatal(err)
			}
		}
		if p, err := s.Plan(t.Context(), spec); err != nil || !p.Empty() {
			t.Fatal(p, err)
		}
		if n := most(); n > limit {
			t.Errorf("%d connections were open", n)
		}
	}
	t.Run("fake", func(t *testing.T) {
		f := pgtest.New(t, pgtest.Config{MaxConnections: limit})
		check(t, f.Access(), f.DSN("postgres"), func() int { return f.Counters().MostOpen })
	})
	t.Run("real", func(t *testing.T) {
		pg := startReal(t, real.PGOptions{Settings: map[string]string{"max_connections": fmt.Sprint(limit),
			"max_wal_senders": "0"}})
		check(t, access(pg), pg.DSN("postgres"), func() int { return 0 })
	})
}

func TestStandby(t *testing.T) {
	f := pgtest.New(t, pgtest.Config{InRecovery: true})
	s := f.Access()
	if _, err := s.Plan(t.Context(), pgprov.Spec{}); !errors.Is(err, lab.ErrBlocked) {
		t.Errorf("a standby: %v", err)
	}
}

// TestTooManyConnections waits while the server has none left.
func TestTooManyConnections(t *testing.T) {
	f := pgtest.New(t, pgtest.Config{})
	s := f.Access()
	f.Refuse(2)
	if _, err := s.Plan(t.Context(), pgprov.Spec{}); err != nil {
		t.Error(err)
	}
}

// TestFaults fails at every statement of an apply, in the server: the next apply always ends it.
func TestFaults(t *testing.T) {
	spec := pgprov.Spec{Editor: pgprov.Login{Password: lab.NewSecret("editor")},
		Instances: []pgprov.Instance{{Instance: lab.App("webapp").In(""), Extensions: []string{"hstore"}}}}
	for _, how := range []pgtest.Failure{pgtest.LoseBefore, pgtest.LoseAfter, pgtest.Terminate} {
		n := 1
		for ; ; n++ {
			f := pgtest.New(t, pgtest.Config{})
			s := f.Access()
			p, err := s.Plan(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			f.FailAt(n, how)
			r, err := p.Apply(t.Context(), nil)
			before := f.Counters().Statements
			f.Reset()
			if err == nil {
				break
			}
			if !errors.Is(err, lab.ErrUnreachable) {
				t.Errorf("failure %d at statement %d: %v", how, n, err)
			}
			if r.Complete() || before == 0 {
				t.Errorf("failure %d at statement %d: the report says complete", how, n)
			}
			p, err = s.Plan(t.Context(), spec)
			if err := apply(t, p, err); err != nil {
				t.Fatalf("failure %d at statement %d: the next apply: %v", how, n, err)
			}
			if p, err = s.Plan(t.Context(), spec); err != nil || !p.Empty() {
				t.Fatalf("failure %d at statement %d: %v\n%v", how, n, err, p)
			}
			f.Close()
		}
		if n < 30 {
			t.Errorf("an apply took %d statements only", n)
		}
	}
}

// TestTLS logs in over TLS, with channel binding, and finds a server out that shows another certificate.
func TestTLS(t *testing.T) {
	pg := startReal(t, real.PGOptions{Major: 17, TLS: true})
	s, err := pgprov.ParseDSN(pg.DSN("postgres"))
	if err != nil || s.TLS == nil {
		t.Fatal(s.TLS, err)
	}
	if _, err := s.Plan(t.Context(), pgprov.Spec{}); err != nil {
		t.Error(err)
	}
	dsn := func(mode string) string {
		return fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%d/postgres?%s", pg.Password, pg.Port, mode)
	}
	for mode, want := range map[string]bool{"sslmode=require": true,
		"sslmode=verify-ca&sslrootcert=" + pg.CAFile: true, "sslmode=verify-full": false, "sslmode=verify-ca": false,
		"sslmode=disable": true} {
		s, err := pgprov.ParseDSN(dsn(mode))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Plan(t.Context(), pgprov.Spec{}); (err == nil) != want {
			t.Errorf("%s: %v", mode, err)
		}
	}
	plain := startReal(t, real.PGOptions{Major: 17})
	s, err = pgprov.ParseDSN(strings.Replace(plain.DSN("postgres"), "sslmode=disable", "sslmode=require", 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Plan(t.Context(), pgprov.Spec{}); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("a server without TLS: %v", err)
	}
}

func TestUnixSocket(t *testing.T) {
	pg := startReal(t, real.PGOptions{Major: 17})
	s, err := pgprov.ParseDSN(pg.SocketDSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Plan(t.Context(), pgprov.Spec{}); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("a socket that nobody allowed: %v", err)
	}
	s.Boundary = &lab.Boundary{Unix: []string{pg.Dir + "/"}}
	if _, err := s.Plan(t.Context(), pgprov.Spec{}); err != nil {
		t.Error(err)
	}
}
