package pgtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login/scram"
)

// Target is a server under [Conformance].
type Target struct {
	Server    pgprov.Server             // with a superuser
	Major     int                       // 15 to 18
	Extension string                    // one that the server has files of, and no database has yet
	Log       func() string             // everything that the server logged, statements and parameters included
	Writes    func(tb testing.TB) int64 // how many transactions have changed something
}

// Conformance checks that package pgprov does what it promises on a server, and that the server is what the package takes it for. The same
// suite runs on [Server] and on PostgreSQL itself. It leaves roles and databases behind.
func Conformance(t *testing.T, target Target) {
	x := &suite{Target: target}
	for _, c := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"Laws", x.laws}, {"CutOff", x.cutOff}, {"Together", x.together}, {"Drift", x.drift}, {"Grants", x.grants}, {"Foreign", x.foreign}, {"Hostile", x.hostile},
		{"Lookup", x.lookup}, {"MembersOnly", x.membersOnly}, {"OldLookup", x.oldLookup}, {"Editor", x.editor}, {"Matrix", x.matrix}, {"Login", x.logins},
		{"Passwords", x.passwords}, {"Refusals", x.refusals}, {"Sweep", x.sweep}, {"Drop", x.drop}, {"Secrets", x.secrets},
	} {
		t.Run(c.name, c.run)
	}
}

// suite numbers the names, so that every test has its own on a server that all share.
type suite struct {
	Target
	n int
}

// secrets of the suite, which must be seen nowhere.
const (
	editorSecret = "editor-s3cret/+%"
	poolerSecret = "pooler's \"s3cret\""
	userSecret   = "user-s3cret-0"
)

// spec returns a spec with names of its own and an app for each name.
func (x *suite) spec(apps ...string) pgprov.Spec {
	x.n++
	s := pgprov.Spec{
		Editor:        pgprov.Login{Name: fmt.Sprintf("credentials_editor%d", x.n), Password: lab.NewSecret(editorSecret)},
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

// provision plans, applies, and checks that nothing is left.
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

// want checks what a statement ends in: "" is success, else the SQLSTATE.
func want(t testing.TB, c *pgconn.PgConn, code, sql string) {
	t.Helper()
	got := run(t.Context(), c, sql)
	if code == "" && got != "" || code != "" && !strings.HasPrefix(got, code+" ") {
		t.Errorf("%s\n  ended in %q, want %q", sql, got, code)
	}
}

// q quotes a name.
func q(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (x *suite) laws(t *testing.T) {
	s := x.spec("webapp", "erp", "erp.sandbox", "dance-lessons-coach", "user")
	s.Instances[0].Extensions = []string{x.Extension}
	s.Instances[0].Encoding, s.Instances[0].Locale = "utf-8", "C"
	s.EditorEndsSessions = x.Major >= 16
	counters := &pgprov.Counters{}
	server := x.Server
	server.Counters = counters
	plan := func() *lab.Plan {
		t.Helper()
		p, err := server.Plan(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	written := x.Writes(t)
	first, second := plan(), plan()
	if n := x.Writes(t) - written; n != 0 {
		t.Errorf("planning wrote %d times", n)
	}
	a, _ := json.Marshal(first)
	b, _ := json.Marshal(second)
	if string(a) != string(b) || first.Empty() {
		t.Errorf("two plans differ, or there is nothing to do:\n%s\n%s", a, b)
	}
	if c, r := counters.Connections.Load(), counters.RoundTrips.Load(); c != 2 || r != 2 {
		t.Errorf("planning twice for databases that do not exist took %d connections and %d round trips, want 2 and 2", c, r)
	}
	r, err := first.Apply(t.Context(), nil)
	if err != nil || !r.Complete() {
		t.Fatalf("%v\n%v", err, r)
	}
	counters.Connections.Store(0)
	counters.RoundTrips.Store(0)
	written = x.Writes(t)
	p := plan()
	if !p.Empty() {
		t.Errorf("after the apply there is more to do:\n%v", p)
	}
	want := int64(1 + len(s.Instances))
	if c, r := counters.Connections.Load(), counters.RoundTrips.Load(); c != want || r != want {
		t.Errorf("the plan took %d connections and %d round trips, want %d of both", c, r, want)
	}
	if _, err := p.Apply(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if c := counters.Connections.Load(); c != want {
		t.Errorf("applying nothing opened %d connections", c-want)
	}
	// the second plan was made before the first was applied: what it would do is done
	if r, err := second.Apply(t.Context(), nil); err != nil || !r.Complete() {
		t.Errorf("an old plan: %v\n%v", err, r)
	}
	if n := x.Writes(t) - written; n != 0 {
		t.Errorf("the second run wrote %d times", n)
	}
	for _, text := range []string{string(a), first.String(), r.String()} {
		noSecret(t, text)
	}
}

func noSecret(t testing.TB, text string) {
	t.Helper()
	for _, secret := range []string{editorSecret, poolerSecret, userSecret} {
		if masked := lab.Mask(text, lab.NewSecret(secret)); masked != text {
			t.Errorf("the secret %s is in:\n%s", secret[:6], masked)
		}
	}
}

// cutOff cuts an apply at every request, before it and after it: the next apply always ends it.
func (x *suite) cutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	for _, how := range []Failure{LoseBefore, LoseAfter} {
		n := 1
		for ; ; n++ {
			if n > 200 {
				t.Fatal("an apply that takes more than 200 requests")
			}
			s := x.spec("webapp")
			cutter := &Cutter{Boundary: x.Server.Boundary}
			server := x.Server
			server.Boundary = cutter
			p, err := server.Plan(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			cutter.Arm(n, how)
			r, err := p.Apply(t.Context(), &lab.ApplyOptions{Parallel: 1})
			if !cutter.Fired() {
				if err != nil {
					t.Fatalf("nothing was cut, and yet: %v", err)
				}
				break
			}
			if err == nil || r.Complete() {
				t.Errorf("cut at request %d, and the apply says it is complete", n)
			}
			again := x.plan(t, s)
			if lost := r.Count(lab.StatusDone); len(again.Changes()) > len(p.Changes())-lost {
				t.Errorf("cut at request %d: %d of %d changes were reported done, and %d are still to do", n, lost, len(p.Changes()), len(again.Changes()))
			}
			if r, err := again.Apply(t.Context(), nil); err != nil {
				t.Fatalf("cut at request %d: the next apply: %v\n%v", n, err, r)
			}
			x.converged(t, s)
		}
		if n < 15 {
			t.Errorf("an apply took %d requests only: the cuts did not reach it all", n)
		}
	}
}

// together lets two copies of the tool provision the same at once.
func (x *suite) together(t *testing.T) {
	for range 10 {
		s := x.spec("webapp", "erp.sandbox", "crowdsec")
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for n := range errs {
			wg.Go(func() {
				p, err := x.Server.Plan(t.Context(), s)
				if err == nil {
					_, err = p.Apply(t.Context(), nil)
				}
				errs[n] = err
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		x.converged(t, s)
	}
}

// drift changes one attribute at a time: it is found, shown and repaired, and nothing else is planned.
func (x *suite) drift(t *testing.T) {
	s := x.spec("webapp", "erp")
	s.Instances[0].Extensions = []string{x.Extension}
	s.Instances[0].Connect = []string{fmt.Sprintf("backup%d", x.n)}
	app, other := s.Instances[0], s.Instances[1]
	editor, pooler, owner, backup, stranger := s.Editor.Name, s.Pooler.Name, app.OwnerRole(), app.Connect[0], fmt.Sprintf("stranger%d", x.n)
	user := s.DynamicPrefix + "passes-on"
	x.root(t, "", "CREATE ROLE "+q(backup), "CREATE ROLE "+q(stranger))
	x.provision(t, s)
	step := "pg/" + app.Database() + "/"
	role, database, grants, membership := step+"role:"+owner, step+"database:"+app.Database(), step+"grants:"+app.Database(), step+"grant:"+owner+":"+editor
	schema, function := step+"schema:pgbouncer", step+"function:pgbouncer.user_lookup(text)"
	const fn = "pgbouncer.user_lookup(text)"
	body := `CREATE OR REPLACE FUNCTION pgbouncer.user_lookup(IN i_username text, OUT uname text, OUT phash text) RETURNS record LANGUAGE %s STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS '%s'`
	const good = "SELECT rolname::text, CASE WHEN rolvaliduntil < pg_catalog.now() THEN NULL ELSE rolpassword END FROM pg_catalog.pg_authid WHERE rolname = i_username AND rolcanlogin AND NOT rolsuper AND NOT rolreplication"
	for _, d := range []struct {
		name   string
		sql    string // separated by semicolons; "$" is quoted names
		where  string // the database; empty is the app's
		change string
		shows  string // part of the diff
		from   int    // the first version that has it
	}{
		{"owner role logs in", "ALTER ROLE %owner LOGIN", "", role, "-LOGIN", 0},
		{"owner role is superuser", "ALTER ROLE %owner SUPERUSER", "", role, "-SUPERUSER", 0},
		{"owner role makes roles", "ALTER ROLE %owner CREATEROLE", "", role, "-CREATEROLE", 0},
		{"owner role makes databases", "ALTER ROLE %owner CREATEDB", "", role, "-CREATEDB", 0},
		{"owner role replicates", "ALTER ROLE %owner REPLICATION", "", role, "-REPLICATION", 0},
		{"owner role bypasses", "ALTER ROLE %owner BYPASSRLS", "", role, "-BYPASSRLS", 0},
		{"owner role does not inherit", "ALTER ROLE %owner NOINHERIT", "", role, "-NOINHERIT", 0},
		{"owner role is limited", "ALTER ROLE %owner CONNECTION LIMIT 3", "", role, "-CONNECTION LIMIT 3", 0},
		{"owner role expires", "ALTER ROLE %owner VALID UNTIL '2001-02-03 00:00:00Z'", "", role, "-VALID UNTIL 2001-02-03", 0},
		{"owner role has a password", "ALTER ROLE %owner PASSWORD 'x'", "", role, "-PASSWORD", 0},
		{"editor cannot make roles", "ALTER ROLE %editor NOCREATEROLE", "", "pg/role:" + editor, "+CREATEROLE", 0},
		{"editor inherits", "ALTER ROLE %editor INHERIT", "", "pg/role:" + editor, "-INHERIT", 0},
		{"editor cannot log in", "ALTER ROLE %editor NOLOGIN", "", "pg/role:" + editor, "+LOGIN", 0},
		{"editor has another password", "ALTER ROLE %editor PASSWORD 'x'", "", "pg/role:" + editor, "PASSWORD (another)", 0},
		{"editor has no password", "ALTER ROLE %editor PASSWORD NULL", "", "pg/role:" + editor, "+PASSWORD", 0},
		{"editor expires", "ALTER ROLE %editor VALID UNTIL '2001-02-03 00:00:00Z'", "", "pg/role:" + editor, "-VALID UNTIL", 0},
		{"editor runs programs", "GRANT pg_execute_server_program TO %editor", "", "pg/grant:pg_execute_server_program:" + editor, "-ADMIN FALSE", 0},
		{"pooler makes databases", "ALTER ROLE %pooler CREATEDB", "", "pg/role:" + pooler, "-CREATEDB", 0},
		{"pooler is a member", "GRANT %stranger TO %pooler", "", "pg/grant:" + stranger + ":" + pooler, "-ADMIN FALSE", 0},
		{"pooler is gone from the grants", "REVOKE CONNECT ON DATABASE %db FROM %pooler", "", grants, "+GRANT CONNECT TO " + q(pooler), 0},
		{"editor is gone from the grants", "REVOKE CONNECT ON DATABASE %db FROM %editor", "", grants, "+GRANT CONNECT TO " + q(editor), 0},
		{"backup is gone from the grants", "REVOKE CONNECT ON DATABASE %db FROM %backup", "", grants, "+GRANT CONNECT TO " + q(backup), 0},
		{"everybody connects", "GRANT CONNECT ON DATABASE %db TO PUBLIC", "", grants, "-GRANT CONNECT TO PUBLIC", 0},
		{"a stranger connects", "GRANT CONNECT ON DATABASE %db TO %stranger", "", grants, "-GRANT CONNECT TO " + q(stranger), 0},
		{"the pooler creates", "GRANT CREATE ON DATABASE %db TO %pooler", "", grants, "-GRANT CREATE", 0},
		{"the pooler passes it on", "GRANT CONNECT ON DATABASE %db TO %pooler WITH GRANT OPTION", "", grants, "-GRANT CONNECT TO " + q(pooler) + " WITH GRANT OPTION", 0},
		{"the pooler passed it on", "GRANT CONNECT ON DATABASE %db TO %pooler WITH GRANT OPTION; SET ROLE %pooler; GRANT CONNECT ON DATABASE %db TO %stranger", "", grants, "GRANTED BY", 0},
		{"a user passed it on", "CREATE ROLE %user; GRANT CONNECT ON DATABASE %db TO %user WITH GRANT OPTION; SET ROLE %user; GRANT CONNECT ON DATABASE %db TO %stranger", "", grants, "GRANTED BY " + q(user), 0},
		{"the owner gave itself up", "REVOKE CONNECT ON DATABASE %db FROM %owner", "", grants, "-REVOKE CONNECT FROM", 0},
		{"database has another owner", "ALTER DATABASE %db OWNER TO %stranger", "", database, "-OWNER " + q(stranger), 0},
		{"editor is no member", "REVOKE %owner FROM %editor", "", membership, "+ADMIN TRUE", 0},
		{"editor lost ADMIN", "REVOKE ADMIN OPTION FOR %owner FROM %editor", "", membership, "-ADMIN FALSE", 0},
		{"editor inherits the app", "GRANT %owner TO %editor WITH INHERIT TRUE", "", membership, "INHERIT TRUE", 16},
		{"editor sets the app", "GRANT %owner TO %editor WITH SET TRUE", "", membership, "SET TRUE", 16},
		{"editor granted itself", "SET ROLE %editor; GRANT %owner TO %editor WITH SET TRUE GRANTED BY %editor", "", membership, "GRANTED BY", 16},
		{"app is a member of another", "GRANT %other TO %owner", "", step + "grant:" + other.OwnerRole() + ":" + owner, "-ADMIN FALSE", 0},
		{"app reads everything", "GRANT pg_read_all_data TO %owner", "", step + "grant:pg_read_all_data:" + owner, "-ADMIN FALSE", 0},
		{"schema has another owner", "ALTER SCHEMA pgbouncer OWNER TO %owner", "db", schema, "-OWNER " + q(owner), 0},
		{"everybody uses the schema", "GRANT USAGE ON SCHEMA pgbouncer TO PUBLIC", "db", schema, "-GRANT USAGE TO PUBLIC", 0},
		{"pooler does not use the schema", "REVOKE USAGE ON SCHEMA pgbouncer FROM %pooler", "db", schema, "+GRANT USAGE", 0},
		{"app creates in the schema", "GRANT CREATE ON SCHEMA pgbouncer TO %owner", "db", schema, "-GRANT CREATE", 0},
		{"function has another owner", "ALTER FUNCTION " + fn + " OWNER TO %owner", "db", function, "-OWNER " + q(owner), 0},
		{"everybody calls the function", "GRANT EXECUTE ON FUNCTION " + fn + " TO PUBLIC", "db", function, "-GRANT EXECUTE TO PUBLIC", 0},
		{"pooler does not call the function", "REVOKE EXECUTE ON FUNCTION " + fn + " FROM %pooler", "db", function, "+GRANT EXECUTE", 0},
		{"a stranger calls the function", "GRANT EXECUTE ON FUNCTION " + fn + " TO %stranger", "db", function, "-GRANT EXECUTE TO " + q(stranger), 0},
		{"function is volatile", "ALTER FUNCTION " + fn + " VOLATILE", "db", function, "-VOLATILE", 0},
		{"function takes null", "ALTER FUNCTION " + fn + " CALLED ON NULL INPUT", "db", function, "-CALLED ON NULL INPUT", 0},
		{"function runs as the caller", "ALTER FUNCTION " + fn + " SECURITY INVOKER", "db", function, "-SECURITY INVOKER", 0},
		{"function is parallel", "ALTER FUNCTION " + fn + " PARALLEL SAFE", "db", function, "-PARALLEL SAFE", 0},
		{"function is leakproof", "ALTER FUNCTION " + fn + " LEAKPROOF", "db", function, "-LEAKPROOF", 0},
		{"function has another path", "ALTER FUNCTION " + fn + " SET search_path = public", "db", function, "search_path=public", 0},
		{"function has no path", "ALTER FUNCTION " + fn + " RESET ALL", "db", function, "-SET nothing", 0},
		{"function has another body", fmt.Sprintf(body, "sql", strings.ReplaceAll(good, "NOT rolsuper AND ", "")), "db", function, "+  WHERE rolname = i_username AND rolcanlogin AND NOT rolsuper", 0},
		{"function is in another language", fmt.Sprintf(body, "plpgsql", "BEGIN RETURN;END"), "db", function, "+LANGUAGE sql", 0},
		{"function has another signature", "DROP FUNCTION " + fn + "; CREATE FUNCTION pgbouncer.user_lookup(IN who text, OUT a text, OUT b text) LANGUAGE sql AS 'SELECT who, who'", "db", function, "{who,a,b}", 0},
		{"function has a default", "DROP FUNCTION " + fn + "; CREATE FUNCTION pgbouncer.user_lookup(IN i_username text DEFAULT 'x', OUT uname text, OUT phash text) LANGUAGE sql AS 'SELECT i_username, i_username'", "db", function, "-DEFAULT of 1", 0},
		{"function is gone", "DROP FUNCTION " + fn, "db", function, "+FUNCTION", 0},
		{"function has a rival", "CREATE FUNCTION pgbouncer.user_lookup(name) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'", "db", step + "function:pgbouncer.user_lookup(name)", "-FUNCTION", 0},
	} {
		if d.from > x.Major {
			continue
		}
		t.Run(strings.ReplaceAll(d.name, " ", "_"), func(t *testing.T) {
			where := ""
			if d.where == "db" {
				where = app.Database()
			}
			sql := strings.NewReplacer("%owner", q(owner), "%other", q(other.OwnerRole()), "%editor", q(editor), "%pooler", q(pooler), "%stranger", q(stranger), "%backup", q(backup), "%user", q(user), "%db", q(app.Database())).Replace(d.sql)
			x.root(t, where, strings.Split(sql, "; ")...)
			p := x.plan(t, s)
			cs := p.Changes()
			if len(cs) != 1 || cs[0].ID != d.change || !strings.Contains(cs[0].Diff, d.shows) {
				t.Errorf("planned\n%v\nwant only %s, with %q in the diff", p, d.change, d.shows)
			}
			if r, err := p.Apply(t.Context(), nil); err != nil {
				t.Fatalf("%v\n%v", err, r)
			}
			x.converged(t, s)
		})
	}
	// white space is no drift
	x.root(t, app.Database(), fmt.Sprintf(body, "sql", strings.ReplaceAll(good, " ", "\n\t")))
	x.converged(t, s)
}

func (x *suite) grants(t *testing.T) { x.transcript(t) }

// Transcript grants and revokes at random, in the names of several roles, on a server that holds nothing of the suite yet. Whatever comes of it must be
// repaired by one apply. It returns every statement with what it ended in, and every plan: they are the same on all servers of a version.
func Transcript(t *testing.T, target Target) []string { return (&suite{Target: target}).transcript(t) }

func (x *suite) transcript(t *testing.T) (transcript []string) {
	s := x.spec("webapp")
	x.provision(t, s)
	app := s.Instances[0]
	stranger := fmt.Sprintf("stranger%d", x.n)
	x.root(t, "", "CREATE ROLE "+q(stranger))
	who := []string{q(s.Editor.Name), q(s.Pooler.Name), q(stranger), q(app.OwnerRole()), "PUBLIC"}
	objects := []struct {
		name       string
		privileges []string
	}{{"DATABASE " + q(app.Database()), []string{"ALL", "CONNECT", "CREATE", "TEMPORARY"}}, {"SCHEMA pgbouncer", []string{"ALL", "USAGE", "CREATE"}}, {"FUNCTION pgbouncer.user_lookup(text)", []string{"ALL", "EXECUTE"}}}
	const seed = 20260102
	random := rand.New(rand.NewPCG(seed, 1))
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	for round := range 15 {
		c := x.as(t, "", "", app.Database())
		var done []string
		for range 1 + random.IntN(12) {
			o := objects[random.IntN(len(objects))]
			grantee, as := pick(who), pick(append([]string{"NONE", "NONE"}, who[:4]...))
			sql := fmt.Sprintf("GRANT %s ON %s TO %s", pick(o.privileges), o.name, grantee)
			switch random.IntN(4) {
			case 0:
				if grantee != "PUBLIC" {
					sql += " WITH GRANT OPTION"
				}
			case 1:
				sql = fmt.Sprintf("REVOKE %s ON %s FROM %s", pick(o.privileges), o.name, grantee)
			}
			if as != "NONE" {
				want(t, c, "", "SET ROLE "+as)
			}
			done = append(done, as+": "+sql+": "+run(t.Context(), c, sql)) // many are denied
			want(t, c, "", "SET ROLE NONE")
		}
		c.Close(t.Context())
		p := x.plan(t, s)
		transcript = append(transcript, append(done, p.String())...)
		if r, err := p.Apply(t.Context(), nil); err != nil {
			t.Fatalf("round %d: %v\n%v\n%s", round, err, r, strings.Join(done, "\n"))
		}
		if p := x.plan(t, s); !p.Empty() {
			t.Fatalf("round %d: still to do:\n%v\nafter\n%s", round, p, strings.Join(done, "\n"))
		}
	}
	return transcript
}

// foreign makes things that are not ours: they are neither planned nor changed.
func (x *suite) foreign(t *testing.T) {
	s := x.spec("webapp")
	x.provision(t, s)
	app, n := s.Instances[0], x.n
	human, theirs, user := fmt.Sprintf("human%d", n), fmt.Sprintf("theirs%d", n), s.DynamicPrefix+"token-1"
	x.root(t, "", "CREATE ROLE "+q(human)+" LOGIN CREATEDB", "CREATE DATABASE "+q(theirs)+" OWNER "+q(human), "GRANT ALL ON DATABASE "+q(theirs)+" TO PUBLIC",
		"CREATE ROLE "+q(user)+" LOGIN IN ROLE "+q(app.OwnerRole()), "GRANT CONNECT ON DATABASE "+q(app.Database())+" TO "+q(user), "GRANT "+q(app.OwnerRole())+" TO "+q(human))
	x.root(t, app.Database(), "CREATE SCHEMA theirs", "CREATE FUNCTION theirs.user_lookup(text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'", "CREATE EXTENSION "+x.Extension, "CREATE FUNCTION public.user_lookup(name) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
		"ALTER FUNCTION public.user_lookup(name) OWNER TO "+q(app.OwnerRole()))
	x.converged(t, s)
	x.root(t, "", "ALTER ROLE "+q(app.OwnerRole())+" CREATEDB", "REVOKE CONNECT ON DATABASE "+q(app.Database())+" FROM "+q(s.Pooler.Name))
	x.provision(t, s)
	c := x.as(t, "", "", app.Database())
	want(t, c, "42723", "CREATE FUNCTION theirs.user_lookup(text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'")
	want(t, c, "42723", "CREATE FUNCTION public.user_lookup(name) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'")
	want(t, c, "42710", "CREATE EXTENSION "+x.Extension)
	want(t, c, "2BP01", "DROP ROLE "+q(user)) // its grant on the database is still there
	want(t, c, "2BP01", "DROP ROLE "+q(human))
}

// hostile is an app that prepared for us what it could.
func (x *suite) hostile(t *testing.T) {
	s := x.spec("webapp")
	app := s.Instances[0]
	owner, db := q(app.OwnerRole()), app.Database()
	x.root(t, "", "CREATE ROLE "+owner, "CREATE DATABASE "+q(db)+" OWNER "+owner,
		"ALTER DATABASE "+q(db)+" SET role = "+owner, "ALTER DATABASE "+q(db)+" SET search_path = public", "ALTER DATABASE "+q(db)+" SET standard_conforming_strings = off",
		"ALTER DATABASE "+q(db)+" SET quote_all_identifiers = on")
	x.root(t, db, "SET ROLE "+owner, "CREATE SCHEMA pgbouncer",
		"CREATE FUNCTION pgbouncer.user_lookup(IN i_username text, OUT uname text, OUT phash text) LANGUAGE sql SECURITY DEFINER AS 'SELECT i_username, i_username'",
		"CREATE FUNCTION pgbouncer.user_lookup(name) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'")
	x.provision(t, s)
	for _, sql := range []string{"DROP FUNCTION pgbouncer.user_lookup(text)", "ALTER FUNCTION pgbouncer.user_lookup(text) SECURITY INVOKER", "ALTER SCHEMA pgbouncer OWNER TO " + owner, "DROP SCHEMA pgbouncer CASCADE",
		"CREATE FUNCTION pgbouncer.user_lookup(name) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
		"CREATE OR REPLACE FUNCTION pgbouncer.user_lookup(IN i_username text, OUT uname text, OUT phash text) LANGUAGE sql AS 'SELECT i_username, i_username'"} {
		c := x.as(t, "", "", db)
		want(t, c, "", "SET ROLE "+owner)
		want(t, c, "42501", sql)
	}
	x.root(t, "", "ALTER DATABASE "+q(db)+" SET idle_session_timeout = 1") // a millisecond
	x.converged(t, s)
	x.root(t, "", "ALTER DATABASE "+q(db)+" SET idle_session_timeout = 0")
}

// users makes short-lived users as Vault does, through the editor.
func (x *suite) user(t testing.TB, s pgprov.Spec, i pgprov.Instance, name, until string) string {
	t.Helper()
	c := x.as(t, s.Editor.Name, editorSecret, i.Database())
	defer c.Close(t.Context())
	name = s.DynamicPrefix + name
	want(t, c, "", fmt.Sprintf("CREATE ROLE %s WITH LOGIN PASSWORD '%s' VALID UNTIL '%s' IN ROLE %s", q(name), scram.NewVerifier(userSecret), until, q(i.OwnerRole())))
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

func (x *suite) lookup(t *testing.T) {
	s := x.spec("webapp", "erp")
	x.provision(t, s)
	app, other := s.Instances[0], s.Instances[1]
	valid, expired, foreign := x.user(t, s, app, "valid", soon()), x.user(t, s, app, "expired", past), x.user(t, s, other, "other", soon())
	x.root(t, "", "CREATE ROLE "+q(s.DynamicPrefix+"repl")+" LOGIN REPLICATION PASSWORD 'x'")
	c := x.as(t, s.Pooler.Name, poolerSecret, app.Database())
	for _, u := range []struct {
		user       string
		name, hash bool
	}{{valid, true, true}, {expired, true, false}, {foreign, true, true}, {x.Server.User, false, false}, {"nobody", false, false}, {app.OwnerRole(), false, false}, {s.DynamicPrefix + "repl", false, false}} {
		name, hash, err := lookupAs(t.Context(), c, "pgbouncer.user_lookup", u.user)
		if err != nil || (name == u.user) != u.name || (hash != "") != u.hash {
			t.Errorf("user_lookup(%q) is %q, hash %t, %v; want name %t, hash %t", u.user, name, hash != "", err, u.name, u.hash)
		}
		if v, ok := scram.ParseVerifier(hash); u.hash && (!ok || !v.Matches(userSecret)) {
			t.Errorf("user_lookup(%q) has not the verifier", u.user)
		}
	}
	for user, code := range map[string]string{valid: "42501", s.Editor.Name: "42501"} {
		password := userSecret
		if user == s.Editor.Name {
			password = editorSecret
		}
		want(t, x.as(t, user, password, app.Database()), code, "SELECT uname, phash FROM pgbouncer.user_lookup('"+valid+"')")
	}
	if _, err := x.login(t.Context(), foreign, userSecret, app.Database()); !strings.HasPrefix(sqlstate(err), "42501 ") {
		t.Errorf("a user of another app connects: %v", err)
	}
}

func (x *suite) membersOnly(t *testing.T) {
	s := x.spec("webapp", "erp")
	x.provision(t, s)
	s.LookupMembersOnly = true
	if p := x.plan(t, s); len(p.Changes()) != 2 {
		t.Errorf("want the two functions to change:\n%v", p)
	}
	x.provision(t, s)
	mine, others := x.user(t, s, s.Instances[0], "mine", soon()), x.user(t, s, s.Instances[1], "others", soon())
	c := x.as(t, s.Pooler.Name, poolerSecret, s.Instances[0].Database())
	if _, hash, err := lookupAs(t.Context(), c, "pgbouncer.user_lookup", mine); err != nil || hash == "" {
		t.Errorf("a member is not found: %v", err)
	}
	if name, hash, err := lookupAs(t.Context(), c, "pgbouncer.user_lookup", others); err != nil || name+hash != "" {
		t.Errorf("another app's user is found: %q, %v", name, err)
	}
}

// oldLookup moves over from the function that older modules put into public.
func (x *suite) oldLookup(t *testing.T) {
	s := x.spec("webapp")
	app := s.Instances[0]
	x.provision(t, s)
	x.root(t, app.Database(), "CREATE FUNCTION public.user_lookup(IN i_username text, OUT uname text, OUT phash text) RETURNS record LANGUAGE sql SECURITY DEFINER AS '"+OldBody+"'",
		"REVOKE ALL ON FUNCTION public.user_lookup(text) FROM PUBLIC", "GRANT EXECUTE ON FUNCTION public.user_lookup(text) TO "+q(s.Pooler.Name))
	expired := x.user(t, s, app, "expired", past)
	c := x.as(t, s.Pooler.Name, poolerSecret, app.Database())
	if _, hash, err := lookupAs(t.Context(), c, "public.user_lookup", expired); err != nil || hash == "" {
		t.Errorf("the old function is to let an expired user in, as it does: %v", err)
	}
	x.converged(t, s)
	s.DropOldLookup = true
	p := x.plan(t, s)
	if cs := p.Changes(); len(cs) != 1 || cs[0].Action != lab.Delete || cs[0].Risk != lab.RiskDisrupt || !strings.HasSuffix(cs[0].ID, "/function:public.user_lookup(text)") {
		t.Errorf("want the old function to go, as a disruption:\n%v", p)
	}
	x.provision(t, s)
	// one that the app owns is the app's
	x.root(t, app.Database(), "CREATE FUNCTION public.user_lookup(IN i_username text, OUT uname text, OUT phash text) RETURNS record LANGUAGE sql SECURITY DEFINER AS '"+OldBody+"'",
		"ALTER FUNCTION public.user_lookup(text) OWNER TO "+q(app.OwnerRole()))
	x.converged(t, s)
}

// editor lives through the life of a short-lived user as Vault leads it.
func (x *suite) editor(t *testing.T) {
	s := x.spec("webapp")
	s.EditorEndsSessions = x.Major >= 16
	x.provision(t, s)
	app := s.Instances[0]
	user := x.user(t, s, app, "webapp-1", soon())
	c := x.as(t, user, userSecret, app.Database())
	r := c.ExecParams(t.Context(), "SELECT session_user, current_user", nil, nil, nil, nil).Read()
	if r.Err != nil || len(r.Rows) != 1 || string(r.Rows[0][0]) != user || string(r.Rows[0][1]) != app.OwnerRole() {
		t.Errorf("who am I: %q, %v", r.Rows, r.Err)
	}
	want(t, c, "", "CREATE TABLE notes (n integer)")
	e := x.as(t, s.Editor.Name, editorSecret, app.Database())
	want(t, e, "", fmt.Sprintf("ALTER ROLE %s VALID UNTIL '%s'", q(user), soon()))
	if s.EditorEndsSessions {
		want(t, e, "", "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = '"+user+"'")
	} else {
		want(t, e, "42501", "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = '"+user+"'")
	}
	want(t, e, "", "DROP ROLE IF EXISTS "+q(user)) // the table is the app's
	x.converged(t, s)
}

// matrix is what the editor can do, by version and by how it was granted the app's role: components.md 8.6.
func (x *suite) matrix(t *testing.T) {
	s := x.spec("webapp", "erp")
	x.provision(t, s)
	app, other := q(s.Instances[0].OwnerRole()), q(s.Instances[1].OwnerRole())
	stranger, editor := q(s.DynamicPrefix+"stranger"), q(s.Editor.Name)
	x.root(t, "", "CREATE ROLE "+stranger+" LOGIN PASSWORD 'x'")
	modern := x.Major >= 16
	on := func(pg15, pg16 string) string {
		if modern {
			return pg16
		}
		return pg15
	}
	const ok, no = "", "42501"
	// ADMIN on webapp, nothing on erp: the state that Plan makes, but for erp
	x.root(t, "", "REVOKE "+other+" FROM "+editor)
	v := func(n int) string { return q(fmt.Sprintf("%s%d", s.DynamicPrefix, n)) }
	c := x.as(t, s.Editor.Name, editorSecret, "")
	want(t, c, ok, "CREATE ROLE "+v(1)+" LOGIN IN ROLE "+app)
	want(t, c, on(ok, no), "CREATE ROLE "+v(2)+" LOGIN IN ROLE "+other)
	want(t, c, on(ok, no), "GRANT "+other+" TO "+v(1))
	want(t, c, ok, "ALTER ROLE "+v(1)+" SET role TO "+app)
	want(t, c, no, "REASSIGN OWNED BY "+v(1)+" TO "+app)
	want(t, c, no, "DROP OWNED BY "+v(1))
	want(t, c, on(ok, no), "GRANT pg_read_all_data TO "+editor)
	want(t, c, on(ok, no), "GRANT pg_execute_server_program TO "+editor)
	want(t, c, on(ok, no), "ALTER ROLE "+stranger+" PASSWORD 'y'")
	want(t, c, no, "ALTER ROLE "+q(x.Server.User)+" PASSWORD 'y'")
	want(t, c, no, "CREATE ROLE "+v(3)+" SUPERUSER")
	want(t, c, no, "GRANT "+q(x.Server.User)+" TO "+editor)
	want(t, c, on(ok, no), "DROP ROLE "+stranger)
	want(t, c, ok, "DROP ROLE "+v(1))
	if modern { // what the editor may grant itself, it may: ADMIN is a wall between apps, not around one
		want(t, c, ok, "CREATE ROLE "+v(4)+" LOGIN IN ROLE "+app)
		want(t, c, ok, "GRANT "+v(4)+" TO "+editor+" WITH INHERIT TRUE")
		want(t, c, ok, "DROP OWNED BY "+v(4))
		// a plain grant, as an upgrade from 15 leaves it, lets it make no users
		x.root(t, "", "REVOKE "+app+" FROM "+editor+" CASCADE", "GRANT "+app+" TO "+editor)
		want(t, c, no, "CREATE ROLE "+v(5)+" LOGIN IN ROLE "+app)
		want(t, c, no, "GRANT "+other+" TO "+v(4))
		want(t, c, no, "ALTER ROLE "+stranger+" PASSWORD 'y'")
	}
	p := x.plan(t, s)
	if len(p.Changes()) == 0 {
		t.Error("nothing to repair")
	}
	if _, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	x.converged(t, s)
}

// logins is who gets in.
func (x *suite) logins(t *testing.T) {
	s := x.spec("webapp")
	x.provision(t, s)
	app := s.Instances[0]
	valid, expired := x.user(t, s, app, "valid", soon()), x.user(t, s, app, "expired", past)
	for _, l := range []struct{ user, password, database, code string }{
		{valid, userSecret, app.Database(), ""},
		{valid, "wrong", app.Database(), "28P01"},
		{expired, userSecret, app.Database(), "28P01"},
		{"nobody", userSecret, app.Database(), "28P01"},
		{app.OwnerRole(), userSecret, app.Database(), "28P01"},
		{s.Editor.Name, editorSecret, app.Database(), ""},
		{s.Pooler.Name, poolerSecret, app.Database(), ""},
		{valid, userSecret, "no-such-database", "3D000"},
	} {
		c, err := x.login(t.Context(), l.user, l.password, l.database)
		if err == nil {
			c.Close(t.Context())
		}
		if got := sqlstate(err); l.code == "" && err != nil || l.code != "" && !strings.HasPrefix(got, l.code+" ") {
			t.Errorf("%s at %s: %q, want %q", l.user, l.database, got, l.code)
		}
	}
}

// passwords are set when a role is made, and when they differ, and else not.
func (x *suite) passwords(t *testing.T) {
	s := x.spec()
	s.Pooler.Password = lab.Secret{}
	x.provision(t, s)
	if _, err := x.login(t.Context(), s.Pooler.Name, poolerSecret, ""); err == nil {
		t.Error("a role without a password logs in")
	}
	s.Pooler.Password = lab.NewSecret(poolerSecret)
	if p := x.plan(t, s); len(p.Changes()) != 1 || p.Changes()[0].ID != "pg/role:"+s.Pooler.Name {
		t.Errorf("want the password to be set:\n%v", p)
	}
	x.provision(t, s)
	x.as(t, s.Pooler.Name, poolerSecret, "")
	s.Editor.Password = lab.NewSecret("rotated")
	if p := x.plan(t, s); len(p.Changes()) != 1 || p.Changes()[0].ID != "pg/role:"+s.Editor.Name {
		t.Errorf("want one password to change:\n%v", p)
	}
	x.provision(t, s)
	x.as(t, s.Editor.Name, "rotated", "")
	s.Editor.Password = lab.Secret{} // not ours to say: left as it is
	x.converged(t, s)
	s.Editor.Password = lab.NewSecret("not ascii: \u00e9")
	if _, err := x.Server.Plan(t.Context(), s); !errors.Is(err, lab.ErrInvalid) {
		t.Errorf("a password that clients disagree about: %v", err)
	}
}

// refusals are the servers that are not worked on, and the specs that are not taken.
func (x *suite) refusals(t *testing.T) {
	s := x.spec("webapp")
	x.provision(t, s)
	app := s.Instances[0]
	refused := func(name string, server pgprov.Server, s pgprov.Spec, kind error) {
		t.Helper()
		_, err := server.Plan(t.Context(), s)
		if !errors.Is(err, kind) {
			t.Errorf("%s: %v, want %v", name, err, kind)
		}
		if err != nil {
			noSecret(t, err.Error())
		}
	}
	server := x.Server
	server.Identity = "1"
	refused("another server", server, s, lab.ErrRefused)
	server = x.Server
	server.Password = lab.NewSecret("wrong")
	refused("a wrong password", server, s, lab.ErrUnauthorized)
	server.Password = lab.Secret{}
	refused("no password", server, s, lab.ErrUnauthorized)
	server = x.Server
	server.User, server.Password, server.Database = s.Editor.Name, lab.NewSecret(editorSecret), app.Database()
	other := s
	other.Editor.Name, other.Instances = "somebody", nil
	refused("no superuser", server, other, lab.ErrUnauthorized)
	server = x.Server
	server.Boundary = &lab.Boundary{Ports: []uint16{1}}
	refused("outside the boundary", server, s, lab.ErrRefused)
	server = x.Server
	server.Database = "no-such-database"
	refused("no such database", server, s, lab.ErrNotFound)
	older := s
	older.AllowPG15 = false
	if x.Major == 15 {
		refused("PostgreSQL 15", x.Server, older, lab.ErrRefused)
	} else if _, err := x.Server.Plan(t.Context(), older); err != nil {
		t.Error(err)
	}
	conflict := s
	conflict.Instances = slices.Clone(s.Instances)
	conflict.Instances[0].Encoding = "LATIN1"
	conflict.Instances[0].Locale = "C.nothing"
	_, err := x.Server.Plan(t.Context(), conflict)
	if !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "encoding") || !strings.Contains(err.Error(), "LC_COLLATE") {
		t.Errorf("another encoding and locale: want both told: %v", err)
	}
	missing := s
	missing.Instances = slices.Clone(s.Instances)
	missing.Instances[0].Extensions = []string{"no_such_extension"}
	missing.Instances[0].Connect = []string{"no_such_role"}
	_, err = x.Server.Plan(t.Context(), missing)
	if !errors.Is(err, lab.ErrNotFound) || !strings.Contains(err.Error(), "no_such_extension") || !strings.Contains(err.Error(), "no_such_role") {
		t.Errorf("want the missing extension and role told: %v", err)
	}
	x.root(t, "", "ALTER DATABASE "+q(app.Database())+" ALLOW_CONNECTIONS false")
	refused("a closed database", x.Server, s, lab.ErrBlocked)
	x.root(t, "", "ALTER DATABASE "+q(app.Database())+" ALLOW_CONNECTIONS true", "ALTER DATABASE "+q(app.Database())+" IS_TEMPLATE true")
	refused("a template", x.Server, s, lab.ErrConflict)
	x.root(t, "", "ALTER DATABASE "+q(app.Database())+" IS_TEMPLATE false")
	x.converged(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Server.Plan(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func (x *suite) sweep(t *testing.T) {
	s := x.spec("webapp", "erp")
	x.provision(t, s)
	app := s.Instances[0]
	alive, orphan, owning := x.user(t, s, app, "alive", soon()), x.user(t, s, app, "orphan", past), x.user(t, s, app, "owning", past)
	recent := x.user(t, s, app, "recent", time.Now().Add(-time.Minute).UTC().Format("2006-01-02 15:04:05")+"+00")
	busy := x.user(t, s, app, "busy", soon())
	x.as(t, busy, userSecret, app.Database())
	nologin := s.DynamicPrefix + "group"
	x.root(t, "", "ALTER ROLE "+q(busy)+" VALID UNTIL '"+past+"'", "CREATE ROLE "+q(nologin)+" VALID UNTIL '"+past+"'", "GRANT CONNECT ON DATABASE "+q(s.Instances[1].Database())+" TO "+q(owning))
	x.root(t, app.Database(), "CREATE TABLE theirs (n integer)", "CREATE SCHEMA theirs AUTHORIZATION "+q(owning))
	p, err := x.Server.Sweep(t.Context(), pgprov.SweepSpec{Prefix: s.DynamicPrefix})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range p.Changes() {
		ids = append(ids, strings.TrimPrefix(c.ID, "pg/sweep/role:"))
	}
	if !slices.Equal(ids, []string{orphan, owning}) {
		t.Errorf("would sweep %q, want %q (not %q)", ids, []string{orphan, owning}, []string{alive, recent, busy, nologin})
	}
	written := x.Writes(t)
	if r, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%v", err, r)
	}
	if x.Writes(t) == written {
		t.Error("nothing was written")
	}
	c := x.as(t, "", "", app.Database())
	for _, gone := range []string{orphan, owning} {
		want(t, c, "42704", "DROP ROLE "+q(gone))
	}
	want(t, c, "42P06", "CREATE SCHEMA theirs")
	want(t, c, "2BP01", "DROP ROLE "+q(app.OwnerRole())) // it owns the schema now, among others
	if p, err := x.Server.Sweep(t.Context(), pgprov.SweepSpec{Prefix: s.DynamicPrefix}); err != nil || !p.Empty() {
		t.Errorf("swept, and yet: %v\n%v", err, p)
	}
	if _, err := x.Server.Sweep(t.Context(), pgprov.SweepSpec{Prefix: "v"}); !errors.Is(err, lab.ErrInvalid) {
		t.Errorf("a prefix of one character: %v", err)
	}
	x.converged(t, s)
}

func (x *suite) drop(t *testing.T) {
	s := x.spec("webapp", "erp")
	x.provision(t, s)
	app, other := s.Instances[0], s.Instances[1]
	user := x.user(t, s, app, "valid", soon())
	// the role has left things in another database
	x.root(t, other.Database(), "CREATE SCHEMA leftover AUTHORIZATION "+q(app.OwnerRole()), "GRANT USAGE ON SCHEMA pgbouncer TO "+q(app.OwnerRole()))
	drop := pgprov.DropSpec{Instances: []lab.Instance{app.Instance}}
	c := x.as(t, user, userSecret, app.Database())
	if _, err := x.Server.Drop(t.Context(), drop); !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), user) {
		t.Errorf("a session is open: %v", err)
	}
	c.Close(t.Context())
	waitFor(t, func() bool { _, err := x.Server.Drop(t.Context(), drop); return !errors.Is(err, lab.ErrRefused) })
	p, err := x.Server.Drop(t.Context(), drop)
	if err != nil {
		t.Fatal(err)
	}
	if p.Risk() != lab.RiskDataLoss {
		t.Errorf("the risk is %v", p.Risk())
	}
	if _, err := p.Apply(t.Context(), nil); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("unconfirmed: %v", err)
	}
	o := &lab.ApplyOptions{}
	for _, change := range p.Changes() {
		o.Confirmed = append(o.Confirmed, lab.Confirm(change.ID))
	}
	if r, err := p.Apply(t.Context(), o); err != nil {
		t.Fatalf("%v\n%v", err, r)
	}
	root := x.as(t, "", "", other.Database())
	want(t, root, "42704", "DROP ROLE "+q(app.OwnerRole()))
	want(t, root, "3D000", "ALTER DATABASE "+q(app.Database())+" IS_TEMPLATE false")
	want(t, root, "42P06", "CREATE SCHEMA leftover")
	if p, err := x.Server.Drop(t.Context(), drop); err != nil || !p.Empty() {
		t.Errorf("dropped, and yet: %v\n%v", err, p)
	}
	s.Instances = s.Instances[1:]
	x.converged(t, s)
}

// waitFor asks until it is so: a server notices the end of a session in its own time.
func waitFor(t testing.TB, ready func() bool) {
	t.Helper()
	err := lab.Wait(t.Context(), lab.Poll{What: "the server to notice", First: 10 * time.Millisecond, Timeout: 2 * time.Minute}, func(context.Context) (bool, error) { return ready(), nil })
	if err != nil {
		t.Fatal(err)
	}
}

// secrets looks for the passwords in everything that the server was sent. Those that the suite itself set in the clear are others.
func (x *suite) secrets(t *testing.T) {
	text := x.Log()
	if !strings.Contains(text, "CREATE DATABASE") || !strings.Contains(text, "SCRAM-SHA-256$4096:") {
		t.Fatal("the log does not hold the statements")
	}
	noSecret(t, text)
}
