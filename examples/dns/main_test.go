package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh/ovhtest"
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
	if code, out := call(t, "plan", "zones.yaml"); code != lab.ExitPending || !strings.Contains(out, "record:arcodange.fr/CAA/@") {
		t.Errorf("%d\n%s", code, out)
	}
	if code, out := call(t, "apply", "--yes", "zones.yaml"); code != 0 {
		t.Errorf("%d\n%s", code, out)
	}
}

// TestDelegation gives the domain of the example the name servers of Cloudflare, in the sandbox.
func TestDelegation(t *testing.T) {
	if code, out := call(t, "delegate", "plan", "zones.yaml"); code != lab.ExitPending || !strings.Contains(out, "ada.ns.cloudflare.com") {
		t.Errorf("%d\n%s", code, out)
	}
	if code, out := call(t, "delegate", "apply", "--yes", "zones.yaml"); code != 0 {
		t.Errorf("%d\n%s", code, out)
	}
}

// TestMissingRecord: while one record of the zone at OVH is not at Cloudflare, the name servers stay, and the error has its name.
func TestMissingRecord(t *testing.T) {
	c, err := read("zones.yaml")
	if err != nil {
		t.Fatal(err)
	}
	a, leave, err := (&access{}).account(c)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	f := ovhtest.New(t, ovhtest.Config{})
	f.AddDomain("arcodange.fr", "dns104.ovh.net", "ns104.ovh.net")
	f.AddZone("arcodange.fr", "@ IN MX 10 mx.zoho.eu.", "@ IN MX 20 mx2.zoho.eu.", "@ IN MX 50 mx3.zoho.eu.", "www IN CNAME cms.pages.dev.",
		`@ IN TXT "v=spf1 include:zohomail.eu -all"`, `_dmarc IN TXT "v=DMARC1; p=reject; rua=mailto:dmarc@arcodange.fr"`,
		`@ IN CAA 0 issue "letsencrypt.org"`, `zmail._domainkey IN TXT "v=DKIM1; k=rsa; p=AAAA"`)
	registrar := f.Access()
	zones, err := a.Plan(t.Context(), c.spec())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := zones.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	p, err := c.plan(t.Context(), a, &registrar)
	if err == nil || !strings.Contains(err.Error(), "zmail._domainkey") || strings.Contains(err.Error(), "mx.zoho") || !p.Empty() {
		t.Fatalf("%v, %v", p, err)
	}
	c.Zones[0].Records = append(c.Zones[0].Records, cloudflare.Record{Name: "zmail._domainkey", Type: "TXT",
		Contents: []string{"v=DKIM1; k=rsa; p=AAAA"}})
	if zones, err = a.Plan(t.Context(), c.spec()); err != nil {
		t.Fatal(err)
	}
	if _, err := zones.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if p, err = c.plan(t.Context(), a, &registrar); err != nil || len(p.Changes()) != 1 {
		t.Fatalf("%v, %v", p, err)
	}
	o := &lab.ApplyOptions{Confirmed: []lab.Confirmation{lab.Confirm(p.Changes()[0].ID)}}
	if r, err := p.Apply(t.Context(), o); err != nil || strings.Join(f.NameServers("arcodange.fr"),
		" ") != "ada.ns.cloudflare.com bob.ns.cloudflare.com" {
		t.Errorf("%v, %v", r, err)
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
	for name, c := range map[string]struct {
		code int
		args []string
		says string
	}{
		"misspelt": {lab.ExitError, []string{write("a.yaml", "zones:\n  - name: a.fr\n    record: []\n")}, "a.yaml:3:5"},
		"wrong content": {lab.ExitError, []string{write("b.yaml",
			"zones:\n  - name: a.fr\n    records:\n      - {name: w, type: A, contents: [x]}\n")}, "b.yaml:4:"},
		"no file":    {lab.ExitError, []string{"nowhere.yaml"}, "nowhere.yaml"},
		"no account": {lab.ExitError, []string{"--account", "x", "--token", "env:TOKEN", "zones.yaml"}, "32 hexadecimal digits"},
		"token in plain": {lab.ExitRefused, []string{"--account", strings.Repeat("a", 32), "--token", "s3cret-token", "zones.yaml"},
			"plain text"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			code, out := call(t, append([]string{"plan"}, c.args...)...)
			if code != c.code || !strings.Contains(out, c.says) || strings.Contains(out, "s3cret") {
				t.Errorf("ended in %d, want %d with %q\n%s", code, c.code, c.says, out)
			}
		})
	}
}
