package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/programtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/pgtest"
)

var update = flag.Bool("update", false, "rewrite schema.json")

// TestSchemaIsInStep keeps the schema in step with the configuration and its comments.
func TestSchemaIsInStep(t *testing.T) {
	docs, err := strictyaml.ReadDocs(".", "../..")
	if err != nil {
		t.Fatal(err)
	}
	want, err := strictyaml.Schema(Config{}, docs)
	if err != nil {
		t.Fatal(err)
	}
	programtest.Schema(t, schema, want, *update)
}

// call runs the program and returns its exit code and what it printed; the error is printed too.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	err := cli.Run(t.Context(), program(), args, &out, &errs)
	cli.PrintError(&errs, err)
	return cli.Code(err), out.String(), errs.String()
}

func TestPlanApplyPlan(t *testing.T) {
	f := pgtest.New(t, pgtest.Config{Major: 17})
	t.Setenv("CREDENTIALS_EDITOR_PASSWORD", "editor-s3cret")
	t.Setenv("PGBOUNCER_AUTH_PASSWORD", "pooler-s3cret")
	t.Setenv("PGHOST", "192.0.2.1") // nothing ambient is read
	t.Setenv("PGSERVICE", "elsewhere")
	t.Setenv("PGPASSWORD", "wrong")
	dsn := f.DSN("postgres")
	want := func(code int, args ...string) string {
		t.Helper()
		got, out, errs := call(t, args...)
		if got != code {
			t.Fatalf("%q ended in %d, want %d\n%s%s", args, got, code, out, errs)
		}
		if text := out + errs; strings.Contains(text, "s3cret") {
			t.Errorf("a secret is in what %q printed:\n%s", args, text)
		}
		return out + errs
	}
	if out := want(2, "plan", "--dsn", dsn, "apps.yaml"); !strings.Contains(out, `role:dance-lessons-coach_role`) {
		t.Error(out)
	}
	want(0, "apply", "--yes", "--dsn", dsn, "apps.yaml")
	if out := want(0, "plan", "--dsn", dsn, "apps.yaml"); out != "nothing to do\n" {
		t.Error(out)
	}
	out := want(0, "apply", "--yes", "--dsn", dsn, "--output", "json", "apps.yaml")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var last struct {
		Type            string
		Changes, Failed int
		Connections     int
	}
	for _, l := range lines {
		if !json.Valid([]byte(l)) {
			t.Errorf("not JSON: %s", l)
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	if last.Type != "summary" || last.Changes != 0 || last.Connections != 7 {
		t.Errorf("the last line is %+v", last)
	}
	t.Setenv("LAB_DSN", dsn)
	want(2, "plan", "--dsn", "env:LAB_DSN", "--app", "url-shortener")
	want(0, "apply", "--yes", "--dsn", dsn, "--app", "url-shortener", "--output", "json")
	want(0, "plan", "--dsn", dsn, "--app", "erp", "--app", "webapp", "apps.yaml")
	out = want(1, "plan", "--dsn", dsn, "--app", "web-app", "apps.yaml")
	if !strings.Contains(out, "did you mean webapp") {
		t.Error(out)
	}

	// what was reviewed, and no more
	reviewed := filepath.Join(t.TempDir(), "plan.json")
	plan := want(2, "plan", "--dsn", dsn, "--app", "one", "--output", "json")
	if err := os.WriteFile(reviewed, []byte(plan), 0o600); err != nil {
		t.Fatal(err)
	}
	want(1, "apply", "--dsn", dsn, "--plan", reviewed, "--app", "one", "--app", "two")
	want(0, "apply", "--yes", "--dsn", dsn, "--plan", reviewed, "--app", "one")

	want(0, "sweep", "--dsn", dsn)
	want(2, "drop", "--dsn", dsn, "--app", "one")
	want(4, "drop", "--dsn", dsn, "--app", "one", "--confirm", "pg/two/database:two")
	want(0, "drop", "--dsn", dsn, "--app", "one", "--confirm", "pg/one/database:one")
	want(0, "drop", "--dsn", dsn, "--app", "one")
}

func TestRefusals(t *testing.T) {
	f := pgtest.New(t, pgtest.Config{Major: 15})
	here := func(s string) string { return strings.Replace(f.DSN("postgres"), "127.0.0.1", s, 1) }
	for name, c := range map[string]struct {
		code int
		args []string
		says string
	}{
		"elsewhere": {lab.ExitRefused, []string{"plan", "--dsn",
			"postgres://postgres@192.0.2.1/postgres?sslmode=disable", "--app", "x"}, "--allow"},
		"not in -allow": {lab.ExitRefused, []string{"plan", "--dsn",
			"postgres://postgres@192.0.2.1/postgres?sslmode=disable", "--allow", "198.51.100.0/24", "--app", "x"},
			"outside the boundary"},
		"PostgreSQL 15": {lab.ExitRefused, []string{"plan", "--dsn", here("127.0.0.1"), "--app", "x"}, "PostgreSQL 15"},
		"wrong password": {lab.ExitError, []string{"plan", "--dsn",
			fmt.Sprintf("postgres://postgres:wr0ng-one@127.0.0.1:%d/postgres", f.Port()), "--app", "x"}, "28P01"},
		"another server": {lab.ExitRefused, []string{"plan", "--dsn", here("127.0.0.1"), "--identity", "1", "--app", "x"},
			"another server"},
		"no verb":      {lab.ExitError, nil, "plan, reset"},
		"a wrong verb": {lab.ExitError, []string{"plann"}, "nearest: plan"},
		"no server":    {lab.ExitError, []string{"plan", "apps.yaml"}, "--dsn"},
		"no apps":      {lab.ExitError, []string{"plan", "--dsn", here("127.0.0.1")}, "APPS.yaml"},
		"no file":      {lab.ExitError, []string{"plan", "--dsn", here("127.0.0.1"), "nowhere.yaml"}, "nowhere.yaml"},
		"a DSN's secret": {lab.ExitError, []string{"plan", "--dsn", "postgres://u:wr0ng-one@h:x/", "--app", "x"},
			"the port is not a number"},
		"a DSN's secret in a parameter": {lab.ExitError, []string{"plan", "--dsn",
			"postgres://postgres:12?wr0ng-one@h/db", "--app", "x"}, "write / as %2F, ? as %3F"},
		"a DSN's secret in the database": {lab.ExitError, []string{"plan", "--dsn",
			"postgres://postgres:12/wr0ng-one@h/db", "--app", "x"}, "@"},
		"a DSN that the shell cut": {lab.ExitError, []string{"plan", "--dsn", "postgres://u:a", "wr0ng-one@h/db",
			"apps.yaml"}, "quote the DSN"},
		"reset to prod": {lab.ExitRefused, []string{"reset", "--dsn", here("127.0.0.1"), "--app", "erp", "--file", "x"},
			"production"},
		"a bad app": {lab.ExitError, []string{"plan", "--dsn", here("127.0.0.1"), "--app", "My_App"},
			"not an app name"},
		"a reserved name": {lab.ExitError, []string{"plan", "--dsn", here("127.0.0.1"), "--app", "postgres"},
			"cannot be called"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			code, out, errs := call(t, c.args...)
			if code != c.code || !strings.Contains(errs, c.says) {
				t.Errorf("ended in %d, want %d with %q\n%s%s", code, c.code, c.says, out, errs)
			}
			if strings.Contains(out+errs, "wr0ng-one") {
				t.Errorf("the password is shown:\n%s%s", out, errs)
			}
		})
	}
	code, _, errs := call(t, "plan", "--dsn", here("localhost"), "--allow-pg15", "--app", "x")
	if code != lab.ExitPending || !strings.Contains(errs, "level=WARN") {
		t.Errorf("PostgreSQL 15 on request: %d\n%s", code, errs)
	}
}

// TestOneAppFails applies what can be, and says what cannot.
func TestOneAppFails(t *testing.T) {
	f := pgtest.New(t, pgtest.Config{})
	dsn := f.DSN("postgres")
	if code, out, errs := call(t, "apply", "--yes", "--dsn", dsn, "--app", "erp"); code != 0 {
		t.Fatalf("%d\n%s%s", code, out, errs)
	}
	c, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if _, err := c.Exec(t.Context(), "ALTER DATABASE erp ALLOW_CONNECTIONS false").ReadAll(); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"plan", "to create"}, {"apply --yes", "done"}} {
		verb, says := c[0], c[1]
		code, out, errs := call(t, append(strings.Fields(verb), "--dsn", dsn, "--app", "erp", "--app", "crm")...)
		if code != lab.ExitBlocked || !strings.Contains(errs, "ALLOW_CONNECTIONS") || !strings.Contains(out, says) {
			t.Errorf("%s: %d\n%s%s", verb, code, out, errs)
		}
	}
	if code, out, errs := call(t, "plan", "--dsn", dsn, "--app", "crm"); code != 0 {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	if code, out, errs := call(t, "plan", "--dsn", dsn, "--app", "erp"); code != lab.ExitBlocked || out != "" {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
}

func TestConfigProblems(t *testing.T) {
	file := filepath.Join(t.TempDir(), "apps.yaml")
	const text = `shared:
  pgbouncer_auth: {password: env:LAB_NO_SUCH_VARIABLE}
apps:
  - name: erp
    envs: [prod, Sandbox]
  - name: my_app
    encoding: UTF9
  - name: erp
    extension: [citext]
`
	for _, c := range []struct{ text, says string }{
		{text, "apps.yaml:9:5: apps[2]: unknown key: extension (nearest: extensions)"},
		{strings.Replace(text, "extension:", "extensions:", 1), "apps.yaml:2:30: shared.pgbouncer_auth.password"},
		{strings.Replace(text, "extension:", "extensions:", 1), "not an environment name"},
		{strings.Replace(text, "extension:", "extensions:", 1), "apps.yaml:6:11: apps[1].name"},
		{strings.Replace(text, "extension:", "extensions:", 1), "apps.yaml:7:15: apps[1].encoding"},
		{strings.Replace(text, "extension:", "extensions:", 1), "named twice"},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readSpec(file, nil)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("want %q in\n%v", c.says, err)
		}
	}
}
