package pgprov

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
)

var applyApps = flag.Int("apps", 100, "how many `apps` BenchmarkApply provisions")

var provider = flag.String("terraform", "", "the `directory` of a built terraform-provider-postgresql")

// fleet is a server and the apps that it is to hold.
type fleet struct {
	pg     *real.PG
	server pgprov.Server
	spec   pgprov.Spec
}

// newFleet starts a server with the settings given, and others that keep it quiet.
func newFleet(tb testing.TB, apps int, settings ...string) *fleet {
	tb.Helper()
	with := map[string]string{"autovacuum": "off"}
	for n := 0; n+1 < len(settings); n += 2 {
		with[settings[n]] = settings[n+1]
	}
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	pg, err := real.StartPostgres(ctx, real.PGOptions{Major: 17, Fetch: true, Settings: with})
	if errors.Is(err, real.ErrNoPostgres) {
		real.Missing(tb, err.Error())
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = pg.Close() })
	f := &fleet{pg: pg, server: pgprov.Server{Host: pg.Host, Port: pg.Port, User: pg.Superuser,
		Password: lab.NewSecret(pg.Password), Counters: &pgprov.Counters{}},
		spec: pgprov.Spec{Editor: pgprov.Login{Password: lab.NewSecret("editor")},
			Pooler: pgprov.Login{Password: lab.NewSecret("pooler")}}}
	for n := range apps {
		f.spec.Instances = append(f.spec.Instances, pgprov.Instance{Instance: lab.App(fmt.Sprintf("app-%d", n)).In("")})
	}
	return f
}

func (f *fleet) plan(tb testing.TB) *lab.Plan {
	tb.Helper()
	p, err := f.server.Plan(tb.Context(), f.spec)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func (f *fleet) apply(tb testing.TB) time.Duration {
	tb.Helper()
	start := time.Now()
	if r, err := f.plan(tb).Apply(tb.Context(), nil); err != nil {
		tb.Fatalf("%v\n%v", err, r)
	}
	return time.Since(start)
}

// noop plans the converged server, and counts.
func (f *fleet) noop(tb testing.TB) time.Duration {
	tb.Helper()
	connections, trips := f.server.Counters.Connections.Load(), f.server.Counters.RoundTrips.Load()
	start := time.Now()
	p := f.plan(tb)
	took := time.Since(start)
	if !p.Empty() {
		tb.Fatalf("there is to do:\n%v", p)
	}
	want := int64(len(f.spec.Instances) + 1)
	c, r := f.server.Counters.Connections.Load()-connections, f.server.Counters.RoundTrips.Load()-trips
	if c != want || r != want {
		tb.Fatalf("%d connections and %d round trips, want %d", c, r, want)
	}
	return took
}

// floor connects to each database with pgx and sends one query, 8 at a time.
func (f *fleet) floor(tb testing.TB) time.Duration {
	tb.Helper()
	config, err := pgconn.ParseConfig(f.pg.DSN("postgres"))
	if err != nil {
		tb.Fatal(err)
	}
	start := time.Now()
	var g errgroup.Group
	g.SetLimit(8)
	for _, i := range f.spec.Instances {
		g.Go(func() error {
			c := config.Copy()
			c.Database = i.Database()
			conn, err := pgconn.ConnectConfig(tb.Context(), c)
			if err != nil {
				return err
			}
			_, err = conn.Exec(tb.Context(), "SELECT 1").ReadAll()
			return errors.Join(err, conn.Close(tb.Context()))
		})
	}
	if err := g.Wait(); err != nil {
		tb.Fatal(err)
	}
	return time.Since(start)
}

// BenchmarkPlan plans a converged server; "floor" is measured in turn with it, and "ratio" is one
// by the other.
func BenchmarkPlan(b *testing.B) {
	for _, apps := range []int{100, 1000} {
		b.Run(strconv.Itoa(apps), func(b *testing.B) {
			f := newFleet(b, apps)
			b.Logf("provisioned %d apps in %v", apps, f.apply(b))
			f.noop(b)
			f.floor(b)
			var plan, floor time.Duration
			for b.Loop() {
				plan += f.noop(b)
				floor += f.floor(b)
			}
			b.ReportMetric(plan.Seconds()*1000/float64(b.N), "plan-ms")
			b.ReportMetric(floor.Seconds()*1000/float64(b.N), "floor-ms")
			b.ReportMetric(plan.Seconds()/floor.Seconds(), "ratio")
			b.ReportMetric(float64(apps+1), "connections")
		})
	}
}

// createFloor creates the same databases and nothing else, in the same order, 8 at a time, each with its owner
// role.
func (f *fleet) createFloor(tb testing.TB, strategy string) time.Duration {
	tb.Helper()
	start := time.Now()
	next := make(chan pgprov.Instance)
	g, ctx := errgroup.WithContext(tb.Context())
	for range 8 {
		g.Go(func() error {
			c, err := pgconn.Connect(ctx, f.pg.DSN("postgres"))
			if err != nil {
				return err
			}
			defer c.Close(ctx)
			for i := range next {
				for _, sql := range []string{fmt.Sprintf("CREATE ROLE %q", i.OwnerRole()),
					fmt.Sprintf("CREATE DATABASE %q OWNER %q TEMPLATE template0 ENCODING 'UTF8' STRATEGY %s", i.Database(),
						i.OwnerRole(), strategy)} {
					if _, err := c.Exec(ctx, sql).ReadAll(); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(next)
		for _, i := range f.spec.Instances {
			select {
			case next <- i:
			case <-ctx.Done():
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		tb.Fatal(err)
	}
	return time.Since(start)
}

// BenchmarkApply provisions apps on a new server. The floor is to create the databases and their owner
// roles, by each strategy that the server has, each on a new server of its own: one that does not
// sync to disk, as those of tests, and one that does, as those of people. What is made takes the
// server's own strategy, WAL_LOG: FILE_COPY is less work for the processor, and forces two checkpoints
// for each database, which all running apps wait for. "cpu-ratio" is of the server's processor time.
func BenchmarkApply(b *testing.B) {
	durable := []string{"fsync", "on", "full_page_writes", "on", "synchronous_commit", "on"}
	for name, settings := range map[string][]string{"test": nil, "durable": durable} {
		b.Run(name, func(b *testing.B) {
			spent := map[string]float64{}
			measure := func(name string, f *fleet, do func()) {
				before, start := f.cpu(), time.Now()
				do()
				spent[name+"-s"] += time.Since(start).Seconds() / float64(b.N)
				spent[name+"-cpu-s"] += (f.cpu() - before).Seconds() / float64(b.N)
			}
			for range b.N {
				f := newFleet(b, *applyApps, settings...)
				measure("apply", f, func() { f.apply(b) })
				b.ReportMetric(float64(f.server.Counters.Connections.Load()), "connections")
				b.ReportMetric(float64(f.server.Counters.RoundTrips.Load()), "round-trips")
				for name, strategy := range map[string]string{"wal-log": "WAL_LOG", "file-copy": "FILE_COPY"} {
					f := newFleet(b, *applyApps, settings...)
					measure(name, f, func() { f.createFloor(b, strategy) })
				}
			}
			for name, value := range spent {
				b.ReportMetric(value, name)
			}
			b.ReportMetric(spent["apply-cpu-s"]/spent["wal-log-cpu-s"], "cpu-ratio")
		})
	}
}

// TestTerraform provisions the same 100 apps with Terraform or OpenTofu.
func TestTerraform(t *testing.T) {
	if *provider == "" {
		t.Log("run with -terraform DIRECTORY to measure Terraform")
		return
	}
	tool := ""
	for _, name := range []string{"tofu", "terraform"} {
		if p, err := exec.LookPath(name); err == nil && tool == "" {
			tool = p
		}
	}
	if tool == "" {
		real.Missing(t, "terraform or tofu")
	}
	f := newFleet(t, 100)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rc", fmt.Sprintf("provider_installation {\n"+
		"  dev_overrides { \"cyrilgdn/postgresql\" = %q }\n  direct {}\n}\n", *provider))
	var names []string
	for _, i := range f.spec.Instances {
		names = append(names, strconv.Quote(i.ID()))
	}
	write("main.tf", fmt.Sprintf(terraformConfig, f.pg.Host, f.pg.Port, f.pg.Superuser, f.pg.Password,
		strings.Join(names, ", ")))
	run := func(args ...string) time.Duration {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), tool, append(args, "-no-color", "-input=false")...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "TF_CLI_CONFIG_FILE="+filepath.Join(dir, "rc"),
			"CHECKPOINT_DISABLE=1")
		start := time.Now()
		out, err := cmd.CombinedOutput()
		switch {
		case err != nil && args[0] == "plan" && cmd.ProcessState.ExitCode() == 2:
			t.Log("its plan after the apply is not empty")
		case err != nil:
			t.Fatalf("%s %v: %v\n%s", tool, args, err, out)
		}
		return time.Since(start)
	}
	first := run("apply", "-auto-approve")
	noop := run("plan", "-detailed-exitcode")
	own := f.apply(t) // adopts what is there
	var ours, floor time.Duration
	const times = 10
	for range times {
		ours += f.noop(t)
		floor += f.floor(t)
	}
	fresh := newFleet(t, 100).apply(t)
	t.Logf("%s: first apply %v, no-op plan %v\n"+
		"pgprov: first apply %v, adoption %v, no-op plan %v (floor %v)\n"+
		"no-op plan: %.0f times faster; %.2f of the floor",
		filepath.Base(tool), first, noop, fresh, own, ours/times, floor/times, noop.Seconds()/(ours/times).Seconds(),
		ours.Seconds()/floor.Seconds())
}

// terraformConfig is the same state in the provider's words: seven resources an app.
const terraformConfig = `
terraform {
  required_providers {
    postgresql = { source = "cyrilgdn/postgresql" }
  }
}
provider "postgresql" {
  host            = %q
  port            = %d
  username        = %q
  password        = %q
  sslmode         = "disable"
  max_connections = 8
}
locals { apps = toset([%s]) }
resource "postgresql_role" "editor" {
  name        = "credentials_editor"
  login       = true
  create_role = true
  inherit     = false
  password    = "editor"
  lifecycle { ignore_changes = [roles] }
}
resource "postgresql_role" "pooler" {
  name     = "pgbouncer_auth"
  login    = true
  inherit  = false
  password = "pooler"
}
resource "postgresql_role" "app" {
  for_each = local.apps
  name     = "${each.key}_role"
}
resource "postgresql_database" "app" {
  for_each = local.apps
  name     = each.key
  owner    = postgresql_role.app[each.key].name
  template = "template0"
}
resource "postgresql_grant_role" "editor" {
  for_each          = local.apps
  role              = postgresql_role.editor.name
  grant_role        = postgresql_role.app[each.key].name
  with_admin_option = true
}
resource "postgresql_schema" "pgbouncer" {
  for_each = local.apps
  name     = "pgbouncer"
  database = postgresql_database.app[each.key].name
  owner    = "postgres"
}
resource "postgresql_function" "lookup" {
  for_each         = local.apps
  name             = "user_lookup"
  database         = postgresql_database.app[each.key].name
  schema           = postgresql_schema.pgbouncer[each.key].name
  language         = "sql"
  returns          = "record"
  volatility       = "STABLE"
  strict           = true
  security_definer = true
  body             = "SELECT rolname::text, rolpassword FROM pg_catalog.pg_authid WHERE rolname = i_username"
  arg {
    name = "i_username"
    type = "text"
  }
  arg {
    mode = "OUT"
    name = "uname"
    type = "text"
  }
  arg {
    mode = "OUT"
    name = "phash"
    type = "text"
  }
}
resource "postgresql_grant" "connect" {
  for_each    = local.apps
  database    = postgresql_database.app[each.key].name
  role        = postgresql_role.pooler.name
  object_type = "database"
  privileges  = ["CONNECT"]
}
resource "postgresql_grant" "usage" {
  for_each    = local.apps
  database    = postgresql_database.app[each.key].name
  schema      = postgresql_schema.pgbouncer[each.key].name
  role        = postgresql_role.pooler.name
  object_type = "schema"
  privileges  = ["USAGE"]
}
`
