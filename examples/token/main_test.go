package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/programtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

var update = flag.Bool("update", false, "rewrite schema.json")

// TestSchemaIsInStep keeps the schema in step with the config and its comments.
func TestSchemaIsInStep(t *testing.T) {
	docs, err := strictyaml.ReadDocs(".", "../../cloudedge/cloudflare", "../..")
	if err != nil {
		t.Fatal(err)
	}
	want, err := strictyaml.Schema(config{}, docs)
	if err != nil {
		t.Fatal(err)
	}
	programtest.Schema(t, schema, want, *update)
}

// call runs the program and returns its exit code and what it printed; the error is printed too.
func call(t *testing.T, args ...string) (code int, text string) {
	t.Helper()
	t.Setenv("CLOUDFLARE_API_TOKEN", "ambient") // nothing ambient is read
	var out bytes.Buffer
	err := cli.Run(t.Context(), program(), args, &out, &out)
	cli.PrintError(&out, lab.Reword(err, say))
	return cli.Code(err), out.String()
}

// TestSandbox plans and applies the example in the sandbox.
func TestSandbox(t *testing.T) {
	if code, out := call(t, "plan", "tokens.yaml"); code != lab.ExitPending || !strings.Contains(out, "DNS Write on zone arcodange.fr") {
		t.Errorf("%d\n%s", code, out)
	}
	secrets := filepath.Join(t.TempDir(), "secrets")
	code, out := call(t, "apply", "--yes", "--secrets", secrets, "tokens.yaml")
	if code != 0 {
		t.Errorf("%d\n%s", code, out)
	}
	value, err := os.ReadFile(filepath.Join(secrets, "cms-token"))
	if err != nil || len(value) < 40 || strings.Contains(out, string(value)) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	t.Setenv("TOKEN", "s3cret-token")
	a := strings.Repeat("a", 32)
	for name, c := range map[string]struct {
		code int
		args []string
		says string
	}{
		"misspelt": {lab.ExitError, []string{write("a.yaml", "tokens:\n  - name: a\n    grant: []\n")}, "a.yaml:3:5"},
		"a group that there is not": {lab.ExitError, []string{write("b.yaml",
			"tokens:\n  - {name: a, grants: [{permissions: [DNS Wirte], zones: [a.fr]}]}\n")}, "DNS Write"},
		"no secrets":     {lab.ExitError, []string{"--account", a, "--token", "env:TOKEN", "tokens.yaml"}, "--secrets DIR"},
		"token in plain": {lab.ExitRefused, []string{"--account", a, "--token", "s3cret-token", "--secrets", dir, "tokens.yaml"}, "plain text"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			code, out := call(t, append([]string{"plan"}, c.args...)...)
			if code != c.code || !strings.Contains(out, c.says) || strings.Contains(out, "s3cret") {
				t.Errorf("ended in %d, want %d with %q\n%s", code, c.code, c.says, out)
			}
		})
	}
}
