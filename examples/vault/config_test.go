package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/programtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

var update = flag.Bool("update", false, "rewrite schema.json")

// TestSchemaIsInStep keeps the schema in step with the configuration and its comments.
func TestSchemaIsInStep(t *testing.T) {
	docs, err := strictyaml.ReadDocs(".", "../../vaultprov", "../..")
	if err != nil {
		t.Fatal(err)
	}
	want, err := strictyaml.Schema(Config{}, docs)
	if err != nil {
		t.Fatal(err)
	}
	programtest.Schema(t, schema, want, *update)
}

// env is what the example names.
func env(name string) (string, bool) { return name + "-0123456789abcdef0123456789abcdef", true }

func TestExample(t *testing.T) {
	spec, err := readSpec("vault.yaml", env)
	if err != nil {
		t.Fatal(err)
	}
	if len(spec.Connections) != 3 || spec.Connections[0].Password.IsZero() || spec.FingerprintKey.IsZero() ||
		spec.Entries[0].Data["admin_password"].IsZero() {
		t.Errorf("%+v", spec)
	}
}

// TestProblems are found by file and line, all at once.
func TestProblems(t *testing.T) {
	text, err := os.ReadFile("vault.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "vault.yaml")
	for _, c := range []struct{ old, new, says string }{
		{"version: 1", "versoin: 1", "vault.yaml:6:28: mounts[0]: unknown key: versoin (nearest: version)"},
		{"version: 1", "version: 3", "vault.yaml:6:37: mounts[0].version: 3"},
		{`["read"]`, `["raed"]`, `policies[0].text: path "kvv1/*": there is no capability "raed"`},
		{"env:ERP_ADMIN_PASSWORD", "hunter2", "a secret in plain text"},
		{"host: 192.168.1.202", `host: "a b"`, "perApp.postgres.host"},
		{"name: webapp", "name: Web_App", "vault.yaml:17:11: apps[0].name: not an app name"},
	} {
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), c.old, c.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readSpec(file, env)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("want %q in\n%v", c.says, err)
		}
	}
}

// TestConfigInDocs: the config on the page is a whole one, and is right.
func TestConfigInDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/vault.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	text, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("there is none")
	}
	key := filepath.Join(t.TempDir(), "key")
	file := filepath.Join(t.TempDir(), "vault.yaml")
	text = strings.Replace(text, "~/.mylab/vault-fingerprints", key, 1)
	if err := os.WriteFile(key, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if spec, err := readSpec(file, env); err != nil || len(spec.Connections) != 2 || spec.FingerprintKey.IsZero() {
		t.Errorf("%v %v", spec.Connections, err)
	}
}
