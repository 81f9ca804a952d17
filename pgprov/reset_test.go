package pgprov_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
)

// dumpable starts a server of the version that this machine's pg_dump can dump.
func dumpable(t *testing.T) *real.PG {
	t.Helper()
	out, err := exec.Command("pg_dump", "--version").Output()
	m := regexp.MustCompile(`\(PostgreSQL\) (\d+)`).FindSubmatch(out)
	if err != nil || m == nil {
		real.Missing(t, "pg_dump in PATH")
	}
	var major int
	_, _ = fmt.Sscan(string(m[1]), &major)
	return startReal(t, real.PGOptions{Major: min(major, 18)})
}

// sql runs statements, each by itself, and returns the first column of the last one's rows.
func sql(t testing.TB, dsn string, statements ...string) (values []string) {
	t.Helper()
	c, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp(c)
	for _, s := range statements {
		rs, err := c.Exec(t.Context(), s).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		values = nil
		for _, r := range rs {
			for _, row := range r.Rows {
				values = append(values, string(row[0]))
			}
		}
	}
	return values
}

// hangUp ends a session, and waits until the server has ended it too: until then it counts as one
// that is open.
func hangUp(c *pgconn.PgConn) {
	h, err := c.Hijack()
	if err != nil { // it broke off
		c.Close(context.Background())
		return
	}
	defer h.Conn.Close()
	h.Frontend.Send(&pgproto3.Terminate{})
	if h.Frontend.Flush() == nil {
		// the server's end of it is closed with the process, which has left the list by then
		_, _ = io.Copy(io.Discard, h.Conn)
	}
}

func apply(t testing.TB, p *lab.Plan, err error) error {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	o := &lab.ApplyOptions{}
	for _, c := range p.Changes() {
		o.Confirmed = append(o.Confirmed, lab.Confirm(c.ID))
	}
	_, err = p.Apply(t.Context(), o)
	return err
}

func TestDumpResetAndDropWithDump(t *testing.T) {
	pg := dumpable(t)
	tmp, err := os.MkdirTemp("", "pg") // a short name: the relay's socket is in it
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	t.Setenv("TMPDIR", tmp) // what is left behind in it is of this test
	root := access(pg)
	prod, sandbox := lab.App("erp").In(lab.Prod), lab.App("erp").In("sandbox")
	spec := pgprov.Spec{AllowPG15: true, Instances: []pgprov.Instance{{Instance: prod,
		Extensions: []string{"citext"}}, {Instance: sandbox}}}
	p, err := root.Plan(t.Context(), spec)
	if err := apply(t, p, err); err != nil {
		t.Fatal(err)
	}
	for _, i := range []lab.Instance{prod, sandbox} {
		sql(t, pg.DSN("postgres"), fmt.Sprintf(`CREATE ROLE "v-%[1]s" LOGIN PASSWORD 'secret' IN ROLE "%[2]s"`,
			i.ID(), i.OwnerRole()), fmt.Sprintf(`ALTER ROLE "v-%s" SET role TO '%s'`, i.ID(), i.OwnerRole()))
	}
	as := func(i lab.Instance) *pgprov.Server {
		s := access(pg)
		s.User, s.Password = "v-"+i.ID(), lab.NewSecret("secret")
		return &s
	}
	inProd, inSandbox := pg.DSNAs("v-erp", "secret", "erp"), pg.DSNAs("v-erp-sandbox", "secret", "erp-sandbox")
	sql(t, inProd, "CREATE TABLE llx_user (id int PRIMARY KEY, name citext)",
		"INSERT INTO llx_user SELECT n, 'user ' || n FROM generate_series(1, 1000) n",
		"CREATE VIEW llx_names AS SELECT name FROM llx_user", "CREATE SCHEMA more",
		"CREATE TABLE more.notes (t text)", "SELECT lo_from_bytea(0, 'large')")
	sql(t, inSandbox, "CREATE TABLE old (n int)", "INSERT INTO old VALUES (7)")

	dir := filepath.Join(t.TempDir(), "dumps")
	file, err := root.Dump(t.Context(), "erp", pgprov.Dump{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 || st.Size() == 0 {
		t.Errorf("the dump: %v, %v", st, err)
	}
	box, err := pgprov.SandboxOf(sandbox)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pgprov.SandboxOf(prod); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("production is a sandbox: %v", err)
	}
	reset := pgprov.ResetSpec{Sandbox: box, File: file}

	refused := func(name string, s *pgprov.Server, spec pgprov.ResetSpec, kind error) {
		t.Helper()
		if _, err := s.Reset(t.Context(), spec); !errors.Is(err, kind) {
			t.Errorf("%s: %v, want %v", name, err, kind)
		}
	}
	refused("a superuser", &root, reset, lab.ErrRefused)
	refused("production's user", as(prod), reset, lab.ErrUnauthorized) // may not even connect
	refused("no sandbox", as(sandbox), pgprov.ResetSpec{File: file}, lab.ErrInvalid)
	refused("a missing extension", as(sandbox), reset, lab.ErrNotFound)
	spec.Instances[1].Extensions = []string{"citext"}
	p, err = root.Plan(t.Context(), spec)
	if err := apply(t, p, err); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(dir, "half.dump")
	if err := os.WriteFile(half, content[:len(content)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := as(sandbox).Reset(t.Context(), pgprov.ResetSpec{Sandbox: box, File: half}); err == nil {
		t.Error("half a dump was planned with")
	}
	sql(t, pg.DSN("postgres"), `GRANT erp_role TO "v-erp-sandbox"`)
	refused("a member of production's owner role too", as(sandbox), reset, lab.ErrRefused)
	sql(t, pg.DSN("postgres"), `REVOKE erp_role FROM "v-erp-sandbox"`)
	busy, err := pgconn.Connect(t.Context(), inSandbox)
	if err != nil {
		t.Fatal(err)
	}
	refused("a session that is open", as(sandbox), reset, lab.ErrRefused)
	hangUp(busy)
	server := as(sandbox)
	settled := lab.Wait(t.Context(), lab.Poll{What: "the session to end"}, func(ctx context.Context) (bool, error) {
		_, err := server.Reset(ctx, reset)
		return err == nil, nil
	})
	if settled != nil {
		t.Fatal(settled)
	}

	p, err = server.Reset(t.Context(), reset)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), nil); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("unconfirmed: %v", err)
	}
	if got := sql(t, inSandbox, "SELECT n FROM old"); !slices.Equal(got, []string{"7"}) {
		t.Errorf("planning changed something: %q", got)
	}
	if err := apply(t, p, nil); err != nil {
		t.Fatal(err)
	}
	if got := sql(t, inSandbox, "SELECT count(*) FROM llx_names"); !slices.Equal(got, []string{"1000"}) {
		t.Errorf("restored %q rows", got)
	}
	if got := sql(t, inSandbox, "SELECT to_regclass('old') IS NULL AND (SELECT tableowner = 'erp_sandbox_role' "+
		"FROM pg_tables WHERE tablename = 'notes')"); !slices.Equal(got, []string{"t"}) {
		t.Errorf("the old table is still there, or a new one is not the owner role's")
	}
	if p, err := root.Plan(t.Context(), spec); err != nil || !p.Empty() {
		t.Errorf("after the reset there is to do: %v\n%v", err, p)
	}
	if got := sql(t, inProd, "SELECT count(*) FROM llx_user"); !slices.Equal(got, []string{"1000"}) {
		t.Errorf("production has %q rows", got)
	}

	// a restore that fails leaves what was there: only a superuser can make an event trigger
	sql(t, pg.DSN("erp"), "CREATE FUNCTION public.f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
		"CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION public.f()")
	bad, err := root.Dump(t.Context(), "erp", pgprov.Dump{Dir: filepath.Join(dir, "bad")})
	if err != nil {
		t.Fatal(err)
	}
	sql(t, inSandbox, "CREATE TABLE precious (n int)")
	p, err = server.Reset(t.Context(), pgprov.ResetSpec{Sandbox: box, File: bad})
	if err := apply(t, p, err); err == nil || !strings.Contains(err.Error(), "event trigger") {
		t.Errorf("want the failure of the restore: %v", err)
	}
	if got := sql(t, inSandbox, "SELECT count(*) FROM llx_user, (SELECT count(*) FROM precious) p"); !slices.Equal(
		got, []string{"1000"}) {
		t.Errorf("a restore that failed left %q rows", got)
	}

	// a drop dumps first
	d := pgprov.DropSpec{Instances: []lab.Instance{sandbox}, Dump: &pgprov.Dump{Dir: filepath.Join(dir, "last")}}
	settled = lab.Wait(t.Context(), lab.Poll{What: "the sessions to end"},
		func(ctx context.Context) (bool, error) { _, err := root.Drop(ctx, d); return err == nil, nil })
	if settled != nil {
		t.Fatal(settled)
	}
	p, err = root.Drop(t.Context(), d)
	if err := apply(t, p, err); err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "last", "erp-sandbox-*.dump")); len(found) != 1 {
		t.Errorf("dumps: %q", found)
	}
	if strings.Contains(pg.Log(), pg.Password) {
		t.Error("the superuser's password is in the log")
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "pgprov-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
