package real_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func query(t *testing.T, dsn, sql string) (string, error) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		return "", err
	}
	defer c.Close(t.Context())
	var s string
	return s, c.QueryRow(t.Context(), sql, pgx.QueryExecModeExec).Scan(&s)
}

func TestPostgres(t *testing.T) {
	for _, major := range []int{15, 16, 17, 18} {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			p := real.Postgres(t, major)
			if again := real.Postgres(t, major); again != p {
				t.Error("the process has two shared servers")
			}
			for _, dsn := range []string{p.DSN("postgres"), p.SocketDSN("postgres")} {
				got, err := query(t, dsn, "SELECT current_setting('server_version_num') || ' ' || current_user")
				if err != nil || !strings.HasPrefix(got, fmt.Sprint(major)) || !strings.HasSuffix(got, " postgres") {
					t.Errorf("%s: got %q, %v", dsn, got, err)
				}
			}
			if _, err := query(t, p.DSNAs("postgres", "wrong", "postgres"), "SELECT 'in'"); err == nil {
				t.Error("logged in with a wrong password")
			}
		})
	}
}

func TestPostgresAlone(t *testing.T) {
	p := real.PostgresWith(t, real.PGOptions{TLS: true, Settings: map[string]string{"work_mem": "5MB"}})
	got, err := query(t, p.DSN("postgres"),
		"SELECT current_setting('work_mem') || ' ' || version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
	if err != nil || !strings.HasPrefix(got, "5MB TLS") {
		t.Errorf("got %q, %v", got, err)
	}
	if err := p.SetHBA(t.Context(), "hostssl all all 127.0.0.1/32 reject", "local all all scram-sha-256"); err != nil {
		t.Fatal(err)
	}
	if _, err := query(t, p.DSN("postgres"), "SELECT 'in'"); err == nil ||
		!strings.Contains(err.Error(), "pg_hba.conf rejects") {
		t.Errorf("a rejected host: got %v", err)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := query(t, p.SocketDSN("postgres"), "SELECT 'back'"); err != nil || got != "back" {
		t.Errorf("after a restart: got %q, %v", got, err)
	}
	dir := p.Dir
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

func TestPgBouncer(t *testing.T) {
	p := real.Postgres(t, 15)
	b := real.PgBouncer(t, real.PgBouncerOptions{
		Config: fmt.Sprintf("[databases]\nalias = host=%s port=%d dbname=postgres\n[pgbouncer]\n"+
			"auth_type = scram-sha-256\npool_mode = transaction\n", p.Host, p.Port),
		UserList: fmt.Sprintf("%q %q\n", p.Superuser, p.Password),
	})
	dsn := fmt.Sprintf("postgres://%s:%s@%s:%d/alias?sslmode=disable", p.Superuser, p.Password, b.Host, b.Port)
	if got, err := query(t, dsn, "SELECT current_database()"); err != nil || got != "postgres" {
		t.Errorf("through PgBouncer: got %q, %v", got, err)
	}
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := query(t, dsn, "SELECT 'in'"); err == nil {
		t.Error("a stopped PgBouncer answers")
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := query(t, dsn, "SELECT 'in'"); err != nil {
		t.Error(err)
	}
}

// TestPostgresAfterKill kills a second process that has started a server.
func TestPostgresAfterKill(t *testing.T) {
	if os.Getenv("LAB_REAL_TEST_CHILD") != "" {
		p := real.Postgres(t, 15)
		fmt.Println("\nup", p.Dir, p.DSN("postgres"))
		select {}
	}
	real.Postgres(t, 15) // skips the test if it is missing
	child := exec.Command(os.Args[0], "-test.run=^TestPostgresAfterKill$")
	child.Env = append(os.Environ(), "LAB_REAL_TEST_CHILD=yes")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	var dir, dsn string
	for lines := bufio.NewScanner(out); dsn == "" && lines.Scan(); {
		fmt.Sscanf(lines.Text(), "up %s %s", &dir, &dsn)
	}
	if dsn == "" {
		t.Fatal("the other process started no server")
	}
	// A connection shows the end of this server, even if another has its port by then.
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.WaitForNotification(t.Context()); !conn.IsClosed() { // limited by the test's timeout
		t.Errorf("the server's connection: %v", err)
	}
	for tick := time.Tick(50 * time.Millisecond); ; <-tick {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return
		}
	}
}
