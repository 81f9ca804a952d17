package vaultprov

import (
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// TestProblems changes one thing of a spec that is right, and wants that to be found.
func TestProblems(t *testing.T) {
	right := func() Spec {
		return Spec{Records: Records{Mount: "kvv2"}, Prune: true, FingerprintKey: lab.NewSecret(strings.Repeat("k", 32)),
			Mounts:          []Mount{{Path: "kvv2", Type: "kv"}, {Path: "postgres", Type: "database"}},
			Auths:           []Auth{{Path: "gitea_jwt", Type: "jwt", JWT: &JWTConfig{JWKSURL: "https://h/keys"}}},
			Policies:        []Policy{{Name: "erp", Text: `path "a" { capabilities = ["read"] }`}},
			KubernetesRoles: []KubernetesRole{{Name: "erp", ServiceAccounts: []string{"erp"}, Namespaces: []string{"erp"}}},
			JWTRoles:        []JWTRole{{Name: "ci", Audiences: []string{"a"}, Subject: "1"}},
			AppRoles:        []AppRole{{Name: "admin"}},
			Connections: []Connection{{Name: "erp", Username: "editor", Password: lab.NewSecret("s3cret"),
				URL: "postgresql://{{username}}:{{password}}@h:5432/erp"}},
			DatabaseRoles: []DatabaseRole{{Name: "erp", Creation: []string{"{{name}} {{password}} {{expiration}}"}}},
			TransitKeys:   []TransitKey{{Name: "vso"}},
			Entries:       []Entry{{Path: "erp/config", Data: map[string]lab.Secret{"a": lab.NewSecret("b")}}},
			Audits:        []Audit{{Path: "file", Type: "file", Options: map[string]string{"file_path": "stdout"}}},
		}
	}
	if s := right(); len(s.Validate()) > 0 {
		t.Fatal(s.Validate())
	}
	for want, change := range map[string]func(*Spec){
		"stack: is not a name":               func(s *Spec) { s.Stack = "a/b" },
		"prune: nothing is known to be ours": func(s *Spec) { s.Records = Records{} },
		"records.mount: kvv2 is not mounted": func(s *Spec) { s.Mounts[0].Version = 1 },
		"fingerprintKey: 5 bytes":            func(s *Spec) { s.FingerprintKey = lab.NewSecret("short") },
		"maxDeletes: -1":                     func(s *Spec) { s.MaxDeletes = -1 },
		"mounts[0].path: sys is built in":    func(s *Spec) { s.Mounts[0].Path = "sys/x" },
		"mounts[1].version: 2: only a KV":    func(s *Spec) { s.Mounts[1].Version = 2 },
		"mounts[1].defaultLease: 1m0s is longer": func(s *Spec) {
			s.Mounts[1].DefaultLease, s.Mounts[1].MaxLease = time.Minute, time.Second
		},
		"mounts[1].maxLease: 1.5s is not in":       func(s *Spec) { s.Mounts[1].MaxLease = 1500 * time.Millisecond },
		"mounts[0].type: is what Vault shows":      func(s *Spec) { s.Mounts[0].Type = "kv-v2" },
		`kubernetesRoles[0].name: is not in lower`: func(s *Spec) { s.KubernetesRoles[0].Name = "ERP" },
		"entries[0].data.a: is not UTF-8":          func(s *Spec) { s.Entries[0].Data["a"] = lab.NewSecret("\xff") },
		"mounts[2]: is named twice":                func(s *Spec) { s.Mounts = append(s.Mounts, Mount{Path: "kvv2/", Type: "kv"}) },
		"connections[0]: it is in postgres":        func(s *Spec) { s.Mounts[1].Type = "transit" },
		"auths[0].path: token is built in":         func(s *Spec) { s.Auths[0].Path = "token" },
		"auths[0].jwt: want exactly one":           func(s *Spec) { s.Auths[0].JWT.DiscoveryURL = "https://h" },
		`auths[0].jwt: the type is "oidc"`:         func(s *Spec) { s.Auths[0].Type = "oidc" },
		"auths[0].kubernetes: the type is":         func(s *Spec) { s.Auths[0].Kubernetes = &KubernetesConfig{} },
		`it: ERP (write "erp")`:                    func(s *Spec) { s.Policies[0].Name = "ERP" },
		"policies[0].name: root is built in":       func(s *Spec) { s.Policies[0].Name = "root" },
		"policies[0].text: empty":                  func(s *Spec) { s.Policies[0].Text = " \n" },

		"policies[0].text: is neither HCL nor JSON":     func(s *Spec) { s.Policies[0].Text = `path "a" {` },
		`policies[0].text: "paths" is not known`:        func(s *Spec) { s.Policies[0].Text = `paths "a" {}` },
		`there is no capability "write"`:                func(s *Spec) { s.Policies[0].Text = `path "a" { capabilities = ["write"] }` },
		"deny takes all others away":                    func(s *Spec) { s.Policies[0].Text = `path "a" { capabilities = ["deny", "read"] }` },
		"kubernetesRoles[0].policies[0]: a role cannot": func(s *Spec) { s.KubernetesRoles[0].Token.Policies = []string{"root"} },
		"kubernetesRoles[0].period: a token with":       func(s *Spec) { s.KubernetesRoles[0].Token = RoleToken{Period: 1e9, MaxTTL: 1e9} },
		"kubernetesRoles[0].namespaces: empty":          func(s *Spec) { s.KubernetesRoles[0].Namespaces = nil },
		"kubernetesRoles[0].serviceAccounts: any service account": func(s *Spec) {
			s.KubernetesRoles[0].ServiceAccounts, s.KubernetesRoles[0].Namespaces = []string{"*"}, []string{"*"}
		},
		"jwtRoles[0].audiences: empty":                   func(s *Spec) { s.JWTRoles[0].Audiences = nil },
		"jwtRoles[0].subject: empty, and so":             func(s *Spec) { s.JWTRoles[0].Subject = "" },
		"jwtRoles[0].claims.groups: empty":               func(s *Spec) { s.JWTRoles[0].Claims = map[string][]string{"groups": nil} },
		`jwtRoles[0].type: "Service" is neither`:         func(s *Spec) { s.JWTRoles[0].Token.Type = "Service" },
		"appRoles[0].name: is not a name":                func(s *Spec) { s.AppRoles[0].Name = "a/b" },
		"appRoles[0].secretIDUses: -1":                   func(s *Spec) { s.AppRoles[0].SecretIDUses = -1 },
		"connections[0].url: does not leave the user":    func(s *Spec) { s.Connections[0].URL = "postgresql://u:s3cret@h/erp" },
		"connections[0].url: is not the URL":             func(s *Spec) { s.Connections[0].URL = "http://{{username}}:{{password}}@h/d" },
		"connections[0].username: empty":                 func(s *Spec) { s.Connections[0].Username = "" },
		"databaseRoles[0].creation: empty":               func(s *Spec) { s.DatabaseRoles[0].Creation = nil },
		"databaseRoles[0].creation: names no {{name}}":   func(s *Spec) { s.DatabaseRoles[0].Creation = []string{"CREATE"} },
		"databaseRoles[0].creation: names no {{expirati": func(s *Spec) { s.DatabaseRoles[0].Creation = []string{"{{name}} {{password}}"} },
		"entries[0].path: is not a path":                 func(s *Spec) { s.Entries[0].Path = "a/../b" },
		"entries[0].data: empty":                         func(s *Spec) { s.Entries[0].Data = nil },
		"entries[0].data.a: empty":                       func(s *Spec) { s.Entries[0].Data["a"] = lab.Secret{} },
		"entries[0]: kvv2 is not mounted as a KV engine": func(s *Spec) { s.Entries[0].Version = 1 },
		"audits[0].options.file_path: empty":             func(s *Spec) { s.Audits[0].Options = nil },
		`audits[0].type: "kafka" is none of`:             func(s *Spec) { s.Audits[0].Type = "kafka" },
	} {
		s := right()
		change(&s)
		got := s.Validate()
		if len(got) == 0 || !strings.Contains(got.Error(), want) || strings.Contains(got.Error(), "s3cret") {
			t.Errorf("want %q in\n%v", want, got)
		}
	}
}

// TestSamePolicy is which texts mean the same.
func TestSamePolicy(t *testing.T) {
	const one = `path "a/*" { capabilities = ["read", "list"] }  path "b" { capabilities = ["create"] max_wrapping_ttl = 60 }`
	for text, same := range map[string]bool{
		one:               true,
		"\n" + one + "\n": true,
		"# x\npath \"b\" {\n capabilities = [\"create\"]\n max_wrapping_ttl = 60 }\npath \"a/*\" { capabilities = [\"list\",\"read\",] }": true,

		`{"path": {"a/*": {"capabilities": ["list", "read"]}, "b": {"capabilities": ["create"], "max_wrapping_ttl": 60}}}`:     true,
		`{"path": [{"a/*": {"capabilities": ["list", "read"]}}, {"b": {"capabilities": ["create"], "max_wrapping_ttl": 60}}]}`: true,
		strings.Replace(one, "60", "61", 1):           false,
		strings.Replace(one, `"list"`, `"delete"`, 1): false,
		strings.Replace(one, `, "list"`, "", 1):       false,
		strings.Replace(one, `"b"`, `"a/*"`, 1):       false,
		strings.Replace(one, `"b"`, `"B"`, 1):         false,
		one + ` path "c" { capabilities = ["deny"] }`: false,
		`path "a/*" { policy = "read" }`:              false,
		"":                                            false,
		"what is no policy":                           false,
	} {
		if got := policyText(one).same(policyText(text)); got != same {
			t.Errorf("%v for\n%s", got, text)
		}
	}
}

// FuzzPolicy reads what it is given without an end in a panic, and finds every policy to be the same as itself.
func FuzzPolicy(f *testing.F) {
	f.Add(`path "a" { capabilities = ["read"] }`)
	f.Add(`{"path": {"a": [{"capabilities": [1, null, {}]}]}, "name": "x"}`)
	f.Add(`path { a { capabilities = "read" } }`)
	f.Add(`path = ["a"]`)
	f.Fuzz(func(t *testing.T, text string) {
		_ = Policy{Name: "p", Text: text}.validate()
		if !policyText(text).same(policyText(" " + text)) {
			t.Errorf("%q is not the same as itself", text)
		}
	})
}

// TestMaskURL takes passwords out of what others wrote.
func TestMaskURL(t *testing.T) {
	for text, want := range map[string]string{
		"postgresql://{{username}}:{{password}}@h:5432/d?sslmode=disable": "postgresql://{{username}}:{{password}}@h:5432/d?sslmode=disable",
		"postgresql://u:p@h:5432/d":                                       "postgresql://u:(secret)@h:5432/d",
		"postgresql://u:p@ss@h:5432/d":                                    "postgresql://u:(secret)@h:5432/d",
		"postgresql://u:p{{password}}@h:5432/d":                           "postgresql://u:(secret)@h:5432/d",
		"postgresql://u:a/b:c@h/d":                                        "postgresql://u:(secret)@h/d",
		"host=h user=u password=p{}x dbname=d":                            "host=h user=u password=(secret) dbname=d",
		"host=h user={{username}} password={{password}}":                  "host=h user={{username}} password={{password}}",
		"https://192.0.2.1:6443":                                          "https://192.0.2.1:6443",
		"https://h/a:b@c":                                                 "https://h/a:b@c",
	} {
		if got := maskURL(text); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
