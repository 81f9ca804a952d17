package stack_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/compose/stack"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// bench is a machine with a Docker Engine.
type bench struct {
	machine *host.Machine
	address string // of the machine
	lock    compose.Lock
	look    func(t *testing.T, command string) string // runs a command without our code
	reboot  func(context.Context) error
}

// only is a boundary around one address.
func only(ip string) *lab.Boundary {
	return &lab.Boundary{Name: "test", Allow: []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr(ip), 32)}}
}

func TestPostgresReal(t *testing.T) {
	b := newBench(t, func(d *real.DockerEngine) (images []string) {
		for _, name := range []string{"postgres:16.14", pg17, "postgres:18.4"} {
			major, err := strconv.Atoi(name[len("postgres:"):][:2])
			if err != nil {
				t.Fatal(err)
			}
			d.ImportPostgres(t, major, name)
			images = append(images, name)
		}
		return images
	})
	testPostgres(t, b)
}

const pg17 = "postgres:17.10"

// newBench is a machine with a Docker Engine and the images that are imported into it. The test
// runs beside others.
func newBench(t *testing.T, images func(*real.DockerEngine) []string) bench {
	t.Helper()
	t.Parallel()
	d := real.Docker(t)
	names := images(d)
	known := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, []byte(d.KnownHosts()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := &host.Machine{Target: ssh.Target{Name: "pi2", Address: d.Addr, User: d.User, Boundary: only(d.Host),
		ConnectTimeout: time.Minute,
		Auth:           ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: d.KeyFile}}},
		HostKeys:       ssh.HostKeys{KnownHosts: []string{known}}}}
	t.Cleanup(func() { m.Close() })
	lock, err := compose.Resolve(t.Context(), m, names)
	if err != nil {
		t.Fatal(err)
	}
	return bench{m, d.Host, lock, func(t *testing.T, command string) string {
		t.Helper()
		out, err := d.Run(t.Context(), command)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}, d.Reboot}
}

// postgres is a PostgreSQL of the test's image, with one database, that lets in who has a password.
func (b bench) postgres(super lab.Secret, database stack.Database) stack.Postgres {
	return stack.Postgres{Image: pg17, Lock: b.lock, Listen: b.address + ":5432", Password: super, Timeout: patience,
		UID: 100,
		HBA: []stack.HBARule{{Type: "host", Database: "all", User: "all", Address: "all",
			Method: "scram-sha-256"}},
		Databases: []stack.Database{database}}
}

// patience is how long what should get healthy may take: on a slow machine, it takes minutes.
const patience = 5 * time.Minute

// apply plans and applies, and fails the test unless everything was done and nothing is left to do.
// It returns the plan's text.
func (b bench) apply(t *testing.T, want ...host.Resource) string {
	t.Helper()
	plan, err := b.machine.Plan(t.Context(), host.State(want))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Apply(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%s", err, plan)
	}
	if again, err := b.machine.Plan(t.Context(), host.State(want)); err != nil || !again.Empty() {
		t.Fatalf("the second plan: %v\n%s", err, again)
	}
	return plan.String()
}

func testPostgres(t *testing.T, b bench) {
	const password, webPassword = "su-4711-hidden", "web-0815-hidden"
	config := b.postgres(lab.NewSecret(password), stack.Database{Name: "web", Password: lab.NewSecret(webPassword)})
	build := func(change func(*stack.Postgres)) compose.Stack {
		t.Helper()
		c := config
		if change != nil {
			change(&c)
		}
		s, err := c.Stack()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	query := func(sql string) (out string, err error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://web:%s@%s:5432/web?sslmode=disable", webPassword,
			b.address))
		if err != nil {
			return "", err
		}
		defer conn.Close(ctx)
		return out, conn.QueryRow(ctx, sql).Scan(&out)
	}
	first := b.apply(t, build(nil))
	if got, err := query("SELECT current_setting('server_version_num')"); err != nil || !strings.HasPrefix(got, "17") {
		t.Fatalf("SQL: got %q, %v", got, err)
	}
	started := func() string {
		return b.look(t, "sudo docker inspect --format '{{.State.StartedAt}}' postgres-postgres-1")
	}
	since := started()

	t.Run("pg_hba reloads", func(t *testing.T) {
		text := b.apply(t, build(func(p *stack.Postgres) {
			p.HBA = append([]stack.HBARule{{Type: "host", Database: "web", User: "web", Address: "all",
				Method: "reject"}}, p.HBA...)
		}))
		if !strings.Contains(text, "/reload") || strings.Contains(text, "replace") ||
			strings.Contains(text, "restart") {
			t.Errorf("the plan:\n%s", text)
		}
		if _, err := query("SELECT 'x'"); err == nil || !strings.Contains(err.Error(), "reject") {
			t.Errorf("who is rejected now: %v", err)
		}
		b.apply(t, build(nil))
		if _, err := query("SELECT 'x'"); err != nil {
			t.Error(err)
		}
		if started() != since {
			t.Error("the server was restarted")
		}
	})
	t.Run("a bad pg_hba is refused", func(t *testing.T) {
		before := b.look(t, "sudo cat /opt/stacks/postgres/conf/pg_hba.conf")
		plan, err := b.machine.Plan(t.Context(), host.State{build(func(p *stack.Postgres) {
			p.HBA = []stack.HBARule{{Type: "host", Database: "all", User: "all", Address: "all",
				Method: "oauth"}} // which came with PostgreSQL 18
		})})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "oauth") {
			t.Errorf("got %v", err)
		}
		if after := b.look(t, "sudo cat /opt/stacks/postgres/conf/pg_hba.conf"); after != before {
			t.Errorf("the file is now:\n%s", after)
		}
		b.apply(t, build(nil))
	})
	t.Run("settings reload or restart", func(t *testing.T) {
		set := func(name, value string) compose.Stack {
			return build(func(p *stack.Postgres) { p.Settings = map[string]string{name: value} })
		}
		if text := b.apply(t, set("work_mem", "9MB")); !strings.Contains(text, "/reload") {
			t.Errorf("work_mem:\n%s", text)
		}
		if got, err := query("SHOW work_mem"); err != nil || got != "9MB" {
			t.Errorf("work_mem is %q, %v", got, err)
		}
		text := b.apply(t, set("max_connections", "57"))
		if !strings.Contains(text, "max_connections cannot be changed") {
			t.Errorf("max_connections:\n%s", text)
		}
		if got, err := query("SHOW max_connections"); err != nil || got != "57" {
			t.Errorf("max_connections is %q, %v", got, err)
		}
		plan, err := b.machine.Plan(t.Context(),
			host.State{build(func(p *stack.Postgres) { p.Settings = map[string]string{"max_connections": "many"} })})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "max_connections") {
			t.Errorf("a bad setting: %v", err)
		}
		b.apply(t, build(nil))
	})
	t.Run("TLS", func(t *testing.T) {
		serial := func(want *stack.TLS) string {
			t.Helper()
			c, err := pgx.ParseConfig(fmt.Sprintf("postgres://web:%s@%s:5432/web?sslmode=verify-full", webPassword,
				b.address))
			if err != nil {
				t.Fatal(err)
			}
			c.TLSConfig.RootCAs = x509.NewCertPool()
			c.TLSConfig.RootCAs.AppendCertsFromPEM([]byte(want.Certificate))
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			conn, err := pgx.ConnectConfig(ctx, c)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(ctx)
			tlsConn, ok := conn.PgConn().Conn().(*tls.Conn)
			if !ok {
				t.Fatalf("a %T", conn.PgConn().Conn())
			}
			return tlsConn.ConnectionState().PeerCertificates[0].SerialNumber.String()
		}
		with := func(pair *stack.TLS) compose.Stack {
			return build(func(p *stack.Postgres) {
				p.TLS, p.HBA = pair, []stack.HBARule{{Type: "hostssl", Database: "all", User: "all", Address: "all",
					Method: "scram-sha-256"}}
			})
		}
		before := started()
		pair := func(serial int64) *stack.TLS {
			key, err := ecdsa.GenerateKey(elliptic.P256(),
				rand.Reader) // as step-ca's: SCRAM binds to no connection whose certificate is of Ed25519
			if err != nil {
				t.Fatal(err)
			}
			return certificate(t, key, serial, b.address)
		}
		first, second := pair(1), pair(2)
		b.apply(t, with(first))
		if got := serial(first); got != "1" {
			t.Errorf("certificate %s", got)
		}
		if _, err := query("SELECT 'x'"); err == nil {
			t.Error("connected without TLS")
		}
		if text := b.apply(t, with(second)); !strings.Contains(text, "/reload") ||
			strings.Contains(text, "PRIVATE KEY") {
			t.Errorf("the plan:\n%s", text)
		}
		if got := serial(second); got != "2" {
			t.Errorf("renewed, and certificate %s", got)
		}
		b.apply(t, build(nil))
		if _, err := query("SELECT 'x'"); err != nil || started() != before {
			t.Errorf("without TLS again: %v; started %s, %s", err, before, started())
		}
	})
	t.Run("a password that changes", func(t *testing.T) {
		b.look(t, `sudo docker exec -u postgres postgres-postgres-1 psql -U postgres -c "ALTER ROLE web PASSWORD 'other'"`)
		if text := b.apply(t, build(nil)); !strings.Contains(text, "its password is another") {
			t.Errorf("the plan:\n%s", text)
		}
		if _, err := query("SELECT 'x'"); err != nil {
			t.Error(err)
		}
	})
	t.Run("rolled back", func(t *testing.T) {
		at := func(port string) host.State {
			return host.State{build(func(p *stack.Postgres) { p.ShmSize = "64mb"; p.Listen = b.address + ":" + port })}
		}
		if _, err := b.machine.Plan(t.Context(), at("22")); !errors.Is(err, lab.ErrConflict) {
			t.Errorf("at the port of sshd: %v", err)
		}
		plan, err := b.machine.Plan(t.Context(), at("2022"))
		if err != nil {
			t.Fatal(err)
		}
		b.look(t, "sudo /usr/sbin/sshd -p 2022 -o PidFile=/run/taken.pid") // taken since it was planned
		if _, err := plan.Apply(t.Context(), nil); err == nil ||
			!strings.Contains(err.Error(), "rolled back: the former stack runs") {
			t.Errorf("got %v", err)
		}
		b.look(t, "sudo kill $(cat /run/taken.pid)")
		if _, err := query("SELECT 'x'"); err != nil {
			t.Error(err)
		}
		b.apply(t, build(nil))
	})
	t.Run("guards", func(t *testing.T) {
		for name, image := range map[string]string{"older": "postgres:16.14", "newer": "postgres:18.4"} {
			_, err := b.machine.Plan(t.Context(), host.State{build(func(p *stack.Postgres) { p.Image = image })})
			if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), "the data is of PostgreSQL 17") ||
				len(lab.Hints(err)) == 0 {
				t.Errorf("%s: got %v", name, err)
			}
		}
		b.look(t, "sudo docker stop postgres-postgres-1 && cd /opt && sudo mv stacks/postgres/data moved && sudo "+
			"mkdir stacks/postgres/data")
		if _, err := b.machine.Plan(t.Context(), host.State{build(nil)}); !errors.Is(err, lab.ErrRefused) ||
			!strings.Contains(err.Error(), "it is empty") {
			t.Errorf("empty: %v", err)
		}
		b.look(t, "cd /opt && sudo rmdir stacks/postgres/data && sudo mv moved stacks/postgres/data")
		b.apply(t, build(nil))
	})
	t.Run("reboot", func(t *testing.T) {
		// while the server is made anew
		plan, err := b.machine.Plan(t.Context(), host.State{build(func(p *stack.Postgres) { p.ShmSize = "128mb" })})
		if err != nil {
			t.Fatal(err)
		}
		var rebooted error
		_, err = plan.Apply(t.Context(), &lab.ApplyOptions{Events: func(e lab.Event) {
			if e.Kind == lab.EventStart && strings.HasSuffix(e.Change, "/service:postgres") {
				rebooted = b.reboot(t.Context())
			}
		}})
		if rebooted != nil {
			t.Fatal(rebooted)
		}
		t.Logf("the apply that was cut off: %v", err)
		b.apply(t, build(func(p *stack.Postgres) { p.ShmSize = "128mb" }))
		if _, err := query("SELECT 'x'"); err != nil {
			t.Error(err)
		}
		b.apply(t, build(nil))
	})
	t.Run("no secret shows", func(t *testing.T) {
		shown := first + b.look(t, "sudo docker inspect $(sudo docker ps -aq); sudo docker image inspect $(sudo "+
			"docker image ls -q); sudo docker logs postgres-postgres-1 2>&1; ps -ef; sudo cat /opt/stacks/postgres/compose.yaml")
		for _, secret := range []string{password, webPassword} {
			if strings.Contains(shown, secret) {
				t.Errorf("%s shows in %d bytes", secret, len(shown))
			}
		}
	})
	t.Run("18", func(t *testing.T) {
		s := build(func(p *stack.Postgres) { p.Name, p.Image, p.Listen = "pg18", "postgres:18.4", b.address+":5433" })
		b.apply(t, s)
		if got := b.look(t, "sudo cat /opt/stacks/pg18/data/18/docker/PG_VERSION"); got != "18" {
			t.Errorf("PG_VERSION is %q", got)
		}
		plan, err := b.machine.Plan(t.Context(), host.State{compose.Absent{Name: "pg18"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.Apply(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
}
