package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/programtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

var update = flag.Bool("update", false, "rewrite schema.json")

// TestSchemaIsInStep keeps the schema in step with the spec and its comments.
func TestSchemaIsInStep(t *testing.T) {
	docs, err := strictyaml.ReadDocs("../../cloudedge/gcs", "../..")
	if err != nil {
		t.Fatal(err)
	}
	want, err := strictyaml.Schema(gcs.Spec{}, docs)
	if err != nil {
		t.Fatal(err)
	}
	programtest.Schema(t, schema, want, *update)
}

// call runs the program and returns its exit code and what it printed; the error is printed too.
func call(t *testing.T, args ...string) (code int, text string) {
	t.Helper()
	for _, name := range []string{"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CREDENTIALS", "STORAGE_EMULATOR_HOST", "HTTPS_PROXY"} {
		t.Setenv(name, "http://192.0.2.1:9") // nothing ambient is read
	}
	var out bytes.Buffer
	err := cli.Run(t.Context(), program(), args, &out, &out)
	cli.PrintError(&out, lab.Reword(err, say))
	return cli.Code(err), out.String()
}

// TestSandbox plans and applies the example in the sandbox.
func TestSandbox(t *testing.T) {
	if code, out := call(t, "plan", "buckets.yaml"); code != lab.ExitPending || !strings.Contains(out, "grant:arcodange-backup/longhorn-backup") {
		t.Errorf("%d\n%s", code, out)
	}
	secrets := filepath.Join(t.TempDir(), "secrets")
	code, out := call(t, "apply", "--yes", "--secrets", secrets, "buckets.yaml")
	if code != 0 {
		t.Errorf("%d\n%s", code, out)
	}
	value, err := os.ReadFile(filepath.Join(secrets, "longhorn-secret"))
	id, missing := os.ReadFile(filepath.Join(secrets, "longhorn-access_id"))
	if err != nil || missing != nil || len(value) < 40 || len(id) != 61 || strings.Contains(out, string(value)) {
		t.Errorf("%v %v\n%s", err, missing, out)
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
	t.Setenv("KEY", `{"type": "s3cret"}`)
	for name, c := range map[string]struct {
		code int
		args []string
		says string
	}{
		"misspelt":     {lab.ExitError, []string{write("a.yaml", "buckets:\n  - name: aaa\n    locaton: EU\n")}, "a.yaml:3:5"},
		"a rule":       {lab.ExitError, []string{write("b.yaml", "buckets:\n  - name: aaa\n    location: EU\n    softDelete: 0s\n    lifecycle:\n      - {action: Delete, age: 3}\n")}, "would remove live objects"},
		"no secrets":   {lab.ExitError, []string{"--project", "arcodange", "--key", "env:KEY", "buckets.yaml"}, "--secrets DIR"},
		"no key":       {lab.ExitError, []string{"--project", "arcodange", "--key", "env:KEY", "--secrets", dir, "buckets.yaml"}, "not of a service account"},
		"key in plain": {lab.ExitRefused, []string{"--project", "arcodange", "--key", `{"private_key": "s3cret"}`, "buckets.yaml"}, "plain text"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			code, out := call(t, append([]string{"plan"}, c.args...)...)
			if code != c.code || !strings.Contains(out, c.says) || strings.Contains(out, `"s3cret"`) {
				t.Errorf("ended in %d, want %d with %q\n%s", code, c.code, c.says, out)
			}
		})
	}
}
