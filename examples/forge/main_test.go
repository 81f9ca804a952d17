package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/forge/forgetest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/programtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

var update = flag.Bool("update", false, "rewrite schema.json")

// TestSchemaIsInStep keeps the schema in step with the spec and its comments.
func TestSchemaIsInStep(t *testing.T) {
	docs, err := strictyaml.ReadDocs("../../forge", "../..")
	if err != nil {
		t.Fatal(err)
	}
	want, err := strictyaml.Schema(forge.Spec{}, docs)
	if err != nil {
		t.Fatal(err)
	}
	programtest.Schema(t, schema, want, *update)
}

// call runs the program and returns its exit code and what it printed; the error is printed too.
func call(t *testing.T, args ...string) (code int, text string) {
	t.Helper()
	var out bytes.Buffer
	err := cli.Run(t.Context(), program(), args, &out, &out)
	cli.PrintError(&out, lab.Reword(err, say))
	return cli.Code(err), out.String()
}

// values sets the environment that forge.yaml refers to.
func values(t *testing.T) {
	t.Helper()
	for _, name := range []string{"HOMELAB_CA_CERT", "TERRAFORM_SSH_KEY", "VAULT_OAUTH", "CMS_CLOUDFLARE_API_TOKEN",
		"CMS_CLOUDFLARE_ACCOUNT_ID", "CMS_OVH_CLIENT_ID", "CMS_OVH_CLIENT_SECRET", "GITEA_CICD_PASSWORD"} {
		t.Setenv(name, "s3cret-of-"+name)
	}
	for _, name := range []string{"GITEA_TOKEN", "GITEA_SERVER_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://192.0.2.1:9") // nothing ambient is read
	}
}

// TestLab converges the lab's own set, and finds nothing to do then.
func TestLab(t *testing.T) {
	f := forgetest.New(t, forgetest.Config{})
	theLab(t, f.URL(), f.Access().Token.Reveal())
}

// TestRealLab does the same with a real Gitea.
func TestRealLab(t *testing.T) {
	real.Long(t)
	g := real.Gitea(t)
	theLab(t, g.URL, g.Token)
}

func theLab(t *testing.T, address, token string) {
	t.Helper()
	values(t)
	t.Setenv("TOKEN", token)
	secrets := filepath.Join(t.TempDir(), "secrets")
	want := func(code int, verb string, args ...string) string {
		t.Helper()
		args = append([]string{verb, "--server", address, "--token", "env:TOKEN", "--secrets", secrets}, append(args, "forge.yaml")...)
		got, out := call(t, args...)
		if got != code {
			t.Fatalf("%q ended in %d, want %d\n%s", args, got, code, out)
		}
		if strings.Contains(out, "s3cret") || strings.Contains(out, token) {
			t.Errorf("a secret is in what %q printed:\n%s", args, out)
		}
		return out
	}
	out := want(2, "plan")
	for _, change := range []string{"repository:arcodange/dance-lessons-coach", "forge-fingerprints", "job-identity:gitea_cicd",
		"registration-token:runner-registration"} {
		if !strings.Contains(out, change) {
			t.Errorf("no %s in\n%s", change, out)
		}
	}
	want(0, "apply", "--yes")
	if out := want(0, "plan"); out != "nothing to do\n" {
		t.Error(out)
	}
	t.Setenv("CMS_CLOUDFLARE_API_TOKEN", "s3cret-that-is-new")
	if out := want(2, "plan"); !strings.Contains(out, "1 change") || !strings.Contains(out, "secret:arcodange-org/cms/CLOUDFLARE_API_TOKEN") {
		t.Error(out)
	}
	out = want(0, "apply", "--yes", "--output", "json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var last struct {
		Type                      string
		Changes, Failed, Requests int
	}
	err := json.Unmarshal([]byte(lines[len(lines)-1]), &last)
	if err != nil || last.Type != "summary" || last.Changes != 1 || last.Failed != 0 || last.Requests == 0 {
		t.Errorf("%v: %s", err, lines[len(lines)-1])
	}
}

// TestLogin gets a token by a password, which the other commands work with.
func TestLogin(t *testing.T) {
	f := forgetest.New(t, forgetest.Config{})
	values(t)
	t.Setenv("PASSWORD", f.Login().Password.Reveal())
	dir := filepath.Join(t.TempDir(), "secrets")
	args := []string{"login", "--server", f.URL(), "--user", f.Login().User, "--password", "env:PASSWORD", "--secrets", dir}
	name, err := tokenName()
	if err != nil {
		t.Fatal(err)
	}
	file := "file:" + filepath.Join(dir, forge.TokenName(f.Login().User, name))
	for _, changes := range []string{"1 change", "nothing to do"} { // the second time, it is there
		if code, out := call(t, args...); code != 0 || !strings.Contains(out, changes) || !strings.Contains(out, "use --token "+file) {
			t.Fatalf("%d\n%s", code, out)
		}
	}
	for range 2 {
		if code, out := call(t, "apply", "--server", f.URL(), "--token", file, "--secrets", dir, "--yes", "forge.yaml"); code != 0 {
			t.Fatalf("apply ended in %d\n%s", code, out)
		}
	}
	t.Setenv("PASSWORD", "another")
	if code, out := call(t, args...); code != lab.ExitError || !strings.Contains(out, "the right password") {
		t.Errorf("with a wrong password: %d\n%s", code, out)
	}
}

func TestRefusals(t *testing.T) {
	f := forgetest.New(t, forgetest.Config{})
	values(t)
	t.Setenv("TOKEN", f.Access().Token.Reveal())
	t.Setenv("WRONG", "wr0ng-one")
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	mirror := write("mirror.yaml", "repositories:\n  - owner: a\n    name: b\n    mirror: {address: \"https://evil.example/x.git\"}\n")
	misspelt := write("misspelt.yaml", "repositories:\n  - owner: a\n    name: b\n    topic: [x]\n")
	for name, c := range map[string]struct {
		code int
		args []string
		says string
	}{
		"elsewhere": {lab.ExitRefused, []string{"--server", "https://192.0.2.1:3000", "--token", "env:TOKEN", "--secrets", dir + "/s",
			"forge.yaml"}, "--allow"},
		"readable on its way": {lab.ExitError, []string{"--server", "http://192.0.2.1:3000", "--allow", "192.0.2.1", "--token", "env:TOKEN",
			"--secrets", dir + "/s", "forge.yaml"}, "--plaintext"},
		"allowed to be": {lab.ExitRefused, []string{"--server", "http://192.0.2.1:3000", "--plaintext", "--token", "env:TOKEN",
			"--secrets", dir + "/s", "forge.yaml"}, "--allow"},
		"not in allow": {lab.ExitRefused, []string{"--server", f.URL(), "--allow", "192.0.2.0/24", "--token", "env:TOKEN", "--secrets",
			dir + "/s", "forge.yaml"}, "outside the boundary"},
		"wrong token": {lab.ExitError, []string{"--server", f.URL(), "--token", "env:WRONG", "--secrets", dir + "/s",
			"forge.yaml"}, "token that is valid"},
		"token in plain": {lab.ExitRefused, []string{"--server", f.URL(), "--token", "wr0ng-one", "forge.yaml"}, "plain text"},
		"no secrets":     {lab.ExitError, []string{"--server", f.URL(), "--token", "env:TOKEN", "forge.yaml"}, "--secrets DIR"},
		"no server":      {lab.ExitError, []string{"--token", "env:TOKEN", "forge.yaml"}, "--server"},
		"a remote":       {lab.ExitError, []string{"--server", f.URL(), "--token", "env:TOKEN", mirror}, "remotes: [evil.example]"},
		"misspelt":       {lab.ExitError, []string{"--server", f.URL(), "--token", "env:TOKEN", misspelt}, "misspelt.yaml:4:5"},
		"no file":        {lab.ExitError, []string{"--server", f.URL(), "--token", "env:TOKEN", "nowhere.yaml"}, "nowhere.yaml"},
		"identity": {lab.ExitRefused, []string{"--server", f.URL(), "--token", "env:TOKEN", "--identity", "x", "--secrets", dir + "/s",
			"forge.yaml"}, "prove identity"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			code, out := call(t, append([]string{"plan"}, c.args...)...)
			if code != c.code || !strings.Contains(out, c.says) {
				t.Errorf("ended in %d, want %d with %q\n%s", code, c.code, c.says, out)
			}
			if strings.Contains(out, "wr0ng-one") {
				t.Errorf("the token is shown:\n%s", out)
			}
		})
	}
}
