package vaultprov_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// sign returns a token with these claims.
func (x *suite) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: x.key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// jwt is who gets in by a role as it is made here, and by one that is not.
func (x *suite) jwt(t *testing.T) {
	x.clear(t)
	spec, n := x.spec(t)
	x.last = n
	x.apply(t, spec)
	mount := "auth/gitea_jwt-" + n
	login := func(role string, claims map[string]any) (int, string) {
		t.Helper()
		return x.call(t, "", "POST", mount+"/login", `{"role": "`+role+`", "jwt": "`+x.sign(t, claims)+`"}`)
	}
	now := time.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for _, test := range []struct {
		name   string
		change map[string]any // of the claims; nil takes one out
		status int
	}{
		{"as it should be", nil, 200},
		{"one of several audiences", map[string]any{"aud": []string{"x", "client"}}, 200},
		{"another audience", map[string]any{"aud": "clien"}, 400},
		{"no audience", map[string]any{"aud": nil}, 400},
		{"another issuer", map[string]any{"iss": "https://gitea.example.com"}, 400},
		{"an issuer with a slash", map[string]any{"iss": "https://gitea.arcodange.lab/"}, 400},
		{"another user", map[string]any{"preferred_username": "mallory"}, 400},
		{"no group", map[string]any{"groups": nil}, 400},
		{"another group", map[string]any{"groups": []string{"org:others"}}, 400},
		{"one of several groups", map[string]any{"groups": []string{"org:others", "org:team"}}, 200},
		{"expired", map[string]any{"exp": at(-100 * time.Second), "iat": at(-time.Hour)}, 400},
		{"not yet", map[string]any{"nbf": at(time.Hour)}, 400},
		{"no end, but a beginning", map[string]any{"exp": nil}, 200}, // so whoever asks for tokens must see that they end
		{"neither end nor beginning", map[string]any{"exp": nil, "iat": nil, "nbf": nil}, 400},
	} {
		claims := map[string]any{"iss": "https://gitea.arcodange.lab", "aud": "client", "sub": "7", "preferred_username": "ci",
			"groups": []string{"org:team"}, "iat": at(-time.Second), "nbf": at(-time.Second), "exp": at(time.Minute)}
		for claim, v := range test.change {
			if claims[claim] = v; v == nil {
				delete(claims, claim)
			}
		}
		status, answer := login("gitea_cicd_erp", claims)
		if status != test.status {
			t.Errorf("%s: %d, want %d: %s", test.name, status, test.status, answer)
		}
		if test.name != "as it should be" {
			continue
		}
		var in struct {
			Auth struct {
				Policies []string `json:"token_policies"`
				TTL      int      `json:"lease_duration"`
				Type     string   `json:"token_type"`
			} `json:"auth"`
		}
		unmarshal(t, answer, &in)
		if a := in.Auth; strings.Join(a.Policies, " ") != "erp"+n+"-ops" || a.TTL != 600 || a.Type != "service" {
			t.Errorf("%+v", a)
		}
		// a role without bound audiences takes no token that has one
		x.must(t, "POST", mount+"/role/open", `{"role_type": "jwt", "user_claim": "sub", "bound_subject": "7"}`)
		if status, answer := login("open", claims); status != 400 || !strings.Contains(answer, "audience") {
			t.Errorf("a role without audiences: %d %s", status, answer)
		}
	}
	if status, answer := x.call(t, x.token.Reveal(), "POST", mount+"/role/any", `{"role_type": "jwt", "user_claim": "sub"}`); status != 400 ||
		!strings.Contains(answer, "at least one bound constraint") {
		t.Errorf("a role that binds nothing: %d %s", status, answer)
	}
}

// normal is what is the same although Vault says it otherwise.
func (x *suite) normal(t *testing.T) {
	x.clear(t)
	spec, n := x.spec(t)
	x.last = n
	x.apply(t, spec)
	for path, body := range map[string]string{
		"auth/gitea_jwt-" + n + "/role/gitea_cicd_erp": `{"role_type": "jwt", "token_ttl": "10m",
			"token_max_ttl": 1200, "bound_audiences": "client", "claim_mappings": {},
			"bound_claims": {"preferred_username": ["bot", "ci"], "groups": "org:team"}}`,
		"auth/kubernetes-" + n + "/role/erp": `{"token_period": "900", "bound_service_account_names": "erp",
			"token_policies": "erp` + n + `"}`,
		"auth/approle-" + n + "/role/admin": `{"secret_id_ttl": "60m", "token_policies": []}`,
		"postgres-" + n + "/roles/erp":      `{"default_ttl": "3600s", "max_ttl": "1440m", "db_name": "erp"}`,
		"sys/policies/acl/erp" + n:          `{"policy": "# of the apps\npath \"kvv2-` + n + `/data/erp/*\" { capabilities=[\"read\"] }"}`,
		"sys/policies/acl/erp" + n + "-ops": `{"policy": "path \"kvv2-` + n +
			`/data/erp/*\" {\n  capabilities = [\"create\",\n \"update\"]\n}\n"}`,
		"sys/mounts/kvv2-" + n + "/tune":           `{"default_lease_ttl": "60m"}`,
		"sys/auth/kubernetes-" + n + "/tune":       `{"description": "theirs"}`,
		"kvv2-" + n + "/metadata/erp/config":       `{"custom_metadata": {"a": "b"}}`,
		"auth/gitea_jwt-" + n + "/role/no_default": `{"role_type": "jwt", "user_claim": "sub", "bound_subject": "1"}`,
	} {
		x.must(t, "POST", path, body)
		if p := x.plan(t, spec); !p.Empty() {
			t.Errorf("%s %s is the same, and yet there is to do:\n%v", path, body, p)
			x.apply(t, spec)
		}
	}
	// what other tools were told of: an address, an audience or a policy that is changed by hand
	for path, body := range map[string]string{
		"postgres-" + n + "/config/erp": `{"verify_connection": false,
			"connection_url": "postgresql://{{username}}:{{password}}@127.0.0.1:2/erp"}`,
		"auth/kubernetes-" + n + "/role/erp": `{"audience": "",
			"bound_service_account_names": ["erp", "default"], "bound_service_account_namespaces": "erp"}`,
		"sys/policies/acl/erp" + n: `{"policy": "path \"kvv2-` + n +
			`/data/erp/*\" { capabilities=[\"read\"] }\npath \"a\" { capabilities=[\"deny\"] }"}`,
	} {
		x.must(t, "POST", path, body)
		if x.apply(t, spec).Empty() {
			t.Errorf("%s %s was not noticed", path, body)
		}
	}
}

// odd are inputs that other tools were told of: what Vault keeps otherwise than it is sent is no change for ever.
func (x *suite) odd(t *testing.T) {
	x.clear(t)
	spec, n := x.spec(t)
	x.last = n
	spec.Mounts = append(spec.Mounts, vaultprov.Mount{Path: "/Apps" + n + "/KV/", Type: "kv", Description: "a \"b\"\n\u00e9"})
	spec.Policies = append(spec.Policies, vaultprov.Policy{Name: "team" + n + "/erp", Text: "path \"a\" { capabilities = [\"read\"] }\r\n \n"})
	spec.Auths[1].JWT.PublicKeys[0] = "\n" + spec.Auths[1].JWT.PublicKeys[0] + "\n"
	spec.JWTRoles[0].Audiences = []string{"b", "a,b", "A", "b"}
	spec.JWTRoles[0].Claims = map[string][]string{"n": {"12345678", "true"}, "/nested/claim": {"a b", "cn=example,ou=security"}}
	spec.JWTRoles[0].Token.Policies = []string{"team" + n + "/erp", "default", "erp" + n}
	spec.KubernetesRoles[0].ServiceAccounts = []string{"*"}
	spec.DatabaseRoles[0].Creation = []string{"  -- of \u00e9\nCREATE ROLE \"{{name}}\" PASSWORD '{{password}}';\n", " ",
		"ALTER ROLE \"{{name}}\" VALID UNTIL '{{expiration}}'\n"}
	spec.DatabaseRoles[0].Revocation = []string{""}
	spec.DatabaseRoles = append(spec.DatabaseRoles, vaultprov.DatabaseRole{Mount: "postgres-" + n, Name: "ERP.x_1", Connection: "erp",
		Creation: spec.DatabaseRoles[0].Creation})
	spec.TransitKeys = append(spec.TransitKeys, vaultprov.TransitKey{Mount: "transit-" + n, Name: "VSO", Type: "ed25519"})
	spec.Entries[0].Path = "/a/b.c/\u00e9-_/"
	spec.Entries[0].Data = map[string]lab.Secret{"a.b \"c\"": lab.NewSecret("line\nfeed\u2028<&>\x01"),
		"n": lab.NewSecret("12345678901234567890"), "j": lab.NewSecret(`{"a": [1, null]}`)}
	x.apply(t, spec)
	x.must(t, "POST", "kvv2-"+n+"/config", `{"cas_required": true, "max_versions": 1}`)
	spec.Entries[0].Data["n"] = lab.NewSecret("1")
	x.apply(t, spec)
	spec.Policies, spec.JWTRoles, spec.KubernetesRoles = spec.Policies[:2], nil, nil
	p := x.apply(t, spec)
	if got := ids(p); got != "-jwt-role:gitea_jwt-"+n+"/gitea_cicd_erp -kubernetes-role:kubernetes-"+n+"/erp -policy:team"+n+"/erp" {
		t.Errorf("planned %s", got)
	}
}

// outside is what Vault asks others for as it is written: the rest is made, and what is missing is said.
func (x *suite) outside(t *testing.T) {
	x.clear(t)
	spec, n := x.spec(t)
	x.last = n
	spec.Auths[0].Kubernetes = &vaultprov.KubernetesConfig{} // as in a cluster, which this is not
	for what, config := range map[string]*vaultprov.JWTConfig{
		"discovery": {DiscoveryURL: "http://127.0.0.1:1"}, "keys": {JWKSURL: "http://127.0.0.1:1/keys"},
	} {
		spec.Auths[1].JWT = config
		p := x.plan(t, spec)
		r, err := p.Apply(t.Context(), nil)
		hints := strings.Join(lab.Hints(err), "\n")
		if lab.Kind(err) != lab.ErrBlocked || !strings.Contains(hints, "whether Vault resolves its name") ||
			!strings.Contains(hints, "runs in no cluster") {
			t.Errorf("%s: %v\n%s", what, err, hints)
		}
		if r.Count(lab.StatusDone) != len(p.Changes())-2 {
			t.Errorf("%s: %v", what, r)
		}
	}
}

// conflicts are what cannot become what is wanted: everything else is planned.
func (x *suite) conflicts(t *testing.T) {
	x.clear(t)
	spec, n := x.spec(t)
	x.last = n
	x.must(t, "POST", "sys/mounts/kvv1-"+n, `{"type": "kv", "options": {"version": "2"}}`)
	x.must(t, "POST", "sys/auth/approle-"+n, `{"type": "kubernetes"}`)
	p, err := x.server.Plan(t.Context(), spec)
	if !errors.Is(err, lab.ErrConflict) {
		t.Fatal(err)
	}
	for _, want := range []string{"mount:kvv1-" + n + ": conflict: its version is 2, which cannot be changed to 1",
		"auth:approle-" + n + ": conflict: its type is kubernetes"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in\n%v", want, err)
		}
	}
	got := ids(p)
	if strings.Contains(got, "approle") || strings.Contains(got, "kvv1") || !strings.Contains(got, "+database-role:postgres-"+n+"/erp") {
		t.Errorf("planned %s", got)
	}
	if r, err := p.Apply(t.Context(), nil); !errors.Is(err, lab.ErrConflict) || r.Count(lab.StatusDone) != len(p.Changes()) {
		t.Errorf("%v\n%v", err, r)
	}
	another := x.server
	another.Cluster = "00000000-0000-0000-0000-000000000000"
	if _, err := another.Plan(t.Context(), spec); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("another cluster: %v", err)
	}
	none := vaultprov.Spec{}
	if p := x.plan(t, none); !p.Empty() {
		t.Errorf("nothing is wanted:\n%v", p)
	}
}
