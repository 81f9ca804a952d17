package vaultprov_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/vaulttest"
)

var update = flag.Bool("update", false, "rewrite testdata")

// apps is a lab of a few apps.
func apps(x *suite) vaultprov.Apps {
	return vaultprov.Apps{
		Instances: []lab.Instance{lab.App("erp").In(""), lab.App("erp").In("sandbox"), lab.App("dance-lessons-coach").In("")},
		Cluster:   &vaultprov.KubernetesConfig{Host: "https://192.0.2.1:6443", Outside: true},
		Issuer:    &vaultprov.JWTConfig{PublicKeys: []string{x.publicKey()}, Issuer: "https://gitea.arcodange.lab"},
		CI:        vaultprov.CI{Audience: "client", Subject: "7", BasePolicies: []string{"factory"}},
		Postgres:  &vaultprov.Postgres{Host: "192.168.1.202", EditorPassword: lab.NewSecret(editorSecret)},
		Longhorn:  &vaultprov.Longhorn{Key: map[string]lab.Secret{"AWS_SECRET_ACCESS_KEY": lab.NewSecret(valueSecret)}},
		Operator:  &vaultprov.Operator{},
	}
}

// appSpec is what the lab wants of its Vault.
func appSpec(x *suite) vaultprov.Spec {
	spec := vaultprov.Spec{Stack: "sandbox", Records: vaultprov.Records{Mount: "kvv2"}, FingerprintKey: lab.NewSecret(keySecret),
		Prune: true, Policies: []vaultprov.Policy{{Name: "factory", Text: `path "kvv1/*" { capabilities = ["read"] }`}},
		Mounts: []vaultprov.Mount{{Path: "kvv1", Type: "kv", Version: 1}}}.With(apps(x).Spec())
	for n := range spec.Connections {
		spec.Connections[n].Unverified = true
	}
	return spec
}

var publicKeyPEM = regexp.MustCompile(`(?s)-----BEGIN.*?-----END PUBLIC KEY-----`)

// TestPlanText shows plans as people see them: of a new server, of one that is converged, of one that drifted, and of
// one that holds what is not wanted any more.
func TestPlanText(t *testing.T) {
	v := vaulttest.New(t, vaulttest.Config{})
	x := newSuite(t, v.Address(), v.Root().Reveal())
	spec := appSpec(x)
	var got []txtar.File
	plan := func(name string) {
		t.Helper()
		text := publicKeyPEM.ReplaceAllString(x.plan(t, spec).String(), "PUBLIC KEY")
		got = append(got, txtar.File{Name: name, Data: []byte(text)})
		x.apply(t, spec)
	}
	plan("new")
	plan("converged")
	x.must(t, "POST", "auth/kubernetes/role/erp",
		`{"bound_service_account_namespaces": ["*"], "token_period": "1h", "token_policies": ["erp", "root"]}`)
	x.must(t, "POST", "auth/gitea_jwt/role/gitea_cicd_erp",
		`{"role_type": "jwt", "user_claim": "sub", "bound_subject": "", "bound_claims": {"groups": "a"}}`)
	x.must(t, "POST", "postgres/roles/erp-sandbox",
		`{"db_name": "erp-sandbox", "creation_statements": "CREATE ROLE \"{{name}}\"", "max_ttl": "48h"}`)
	x.must(t, "POST", "postgres/config/erp",
		`{"connection_url": "postgresql://editor:`+foreignSecret+`@192.0.2.9:5432/erp"}`)
	x.must(t, "POST", "sys/policies/acl/erp-ops", `{"policy": "path \"*\" { capabilities = [\"sudo\"] }"}`)
	x.must(t, "POST", "sys/mounts/kvv2/tune", `{"default_lease_ttl": "15m"}`)
	x.must(t, "DELETE", "kvv2/data/longhorn/backup", "")
	plan("drifted")
	a := apps(x)
	a.Instances = a.Instances[:1]
	one := vaultprov.Spec{Stack: spec.Stack, Records: spec.Records, FingerprintKey: spec.FingerprintKey, Prune: true,
		MaxDeletes: 20, Policies: spec.Policies[:1], Mounts: spec.Mounts[:1]}
	spec = one.With(a.Spec())
	for n := range spec.Connections {
		spec.Connections[n].Unverified = true
	}
	plan("fewer apps")

	const file = "testdata/plans.txtar"
	if *update {
		if err := os.WriteFile(file, txtar.Format(&txtar.Archive{Files: got}), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for n, g := range got {
		if n >= len(want.Files) || want.Files[n].Name != g.Name || !bytes.Equal(want.Files[n].Data, g.Data) {
			t.Errorf("the plan %q is\n%s\nrewrite it with -update if it should be", g.Name, g.Data)
		}
	}
}

// TestApps compares what an instance has in all systems by name.
func TestApps(t *testing.T) {
	x := newSuite(t, "http://127.0.0.1:1", "")
	a := apps(x)
	a.CI.Organization = "arcodange-org"
	a.Postgres.EndSessions = true
	s := a.Spec()
	if ps := append(a.Validate(), s.Validate()...); len(ps) > 0 {
		t.Fatal(ps)
	}
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var names []string
	for _, p := range s.Policies {
		names = append(names, p.Name)
	}
	if got := strings.Join(names, " "); got != "gitea_cicd erp erp-ops erp-sandbox dance-lessons-coach "+
		"dance-lessons-coach-ops longhorn-backup vault-secrets-operator" {
		t.Errorf("policies %s", got)
	}
	for _, want := range []string{`kvv2/data/erp/*`, `kvv2/data/erp-sandbox/*`} {
		if !strings.Contains(s.Policies[2].Text, want) || strings.Contains(s.Policies[5].Text, want) {
			t.Errorf("%s is not of erp-ops alone:\n%s\n%s", want, s.Policies[2].Text, s.Policies[5].Text)
		}
	}
	if r := s.JWTRoles[1]; r.Name != "gitea_cicd_erp" || text(r.Claims) != `{"repository":["arcodange-org/erp"]}` {
		t.Errorf("%+v", r)
	}
	if r := s.JWTRoles[0]; r.Name != "gitea_cicd" || len(r.Claims) != 0 {
		t.Errorf("%+v", r)
	}
	if r := s.KubernetesRoles[1]; r.Name != "erp-sandbox" || text(r.ServiceAccounts) != `["erp-sandbox"]` ||
		r.Token.Period != 15*time.Minute || r.Token.MaxTTL != 0 {
		t.Errorf("%+v", r)
	}
	r := s.DatabaseRoles[1]
	if len(r.Creation) != 2 || !strings.Contains(r.Creation[0], `IN ROLE "erp_sandbox_role"`) ||
		!strings.Contains(r.Creation[1], `SET role TO 'erp_sandbox_role'`) ||
		!strings.HasPrefix(r.Revocation[0], "SELECT pg_terminate_backend") {
		t.Errorf("%+v", r)
	}
	if c := s.Connections[2]; c.URL != "postgresql://{{username}}:{{password}}@192.168.1.202:5432/dance-lessons-coach?sslmode=verify-full" {
		t.Errorf("%+v", c)
	}
}

func TestAppsProblems(t *testing.T) {
	a := vaultprov.Apps{Instances: []lab.Instance{{App: "My_App"}, {App: "a-b"}, {App: "a", Env: "b"}, {App: "longhorn"},
		{App: "vault-secrets-operator"}, {App: "lab"}},
		Issuer: &vaultprov.JWTConfig{}, Postgres: &vaultprov.Postgres{Host: "u:p@h", Port: 70000}}
	text := a.Validate().Error()
	for _, want := range []string{"instances[0].app", "instances[2]: instance a-b", "instances[3]", "instances[4]", "instances[5]",
		"ci.audience", "ci.subject", "postgres.host", "postgres.port"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
}

// TestManifests compares the manifests with the kinds, the references between them, and the patterns of the operator's
// own definitions.
func TestManifests(t *testing.T) {
	m := vaultprov.Manifests{Address: "http://vault.tools.svc:8200", Refresh: 90 * time.Second,
		Apps: vaultprov.Apps{Postgres: &vaultprov.Postgres{Host: "h"}}}
	b, err := json.MarshalIndent(m.For(lab.App("erp").In("sandbox")), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/manifests.json"
	if *update {
		if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(b) + "\n"; got != string(want) {
		t.Errorf("%s\nrewrite it with -update if it should be", got)
	}
}
