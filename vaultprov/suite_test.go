package vaultprov_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// suite proves what is planned and applied on one Vault, behind a server that loses requests and answers. Each of its
// worlds has mounts and names of its own.
type suite struct {
	server vaultprov.Server
	token  lab.Secret
	front  *fake.HTTP
	key    *rsa.PrivateKey // of those who log in by JWT

	fails atomic.Pointer[func(*http.Request) bool] // which requests have faults; nil: those that write

	every int // which of the places to cut an apply off are tried, see lawtest.World

	mu   sync.Mutex
	n    int
	last string   // the suffix of the last world
	sent []string // requests, each as METHOD PATH BODY
}

// newSuite returns a suite on the Vault at an address.
func newSuite(t *testing.T, address, token string) *suite {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	x := &suite{token: lab.NewSecret(token)}
	x.front = &fake.HTTP{Handler: httputil.NewSingleHostReverseProxy(u),
		Counts: func(req *http.Request) bool {
			if f := x.fails.Load(); f != nil {
				return (*f)(req)
			}
			return !httpx.Reads(req.Method)
		},
		Check: func(req *http.Request, sent []byte, _ *http.Response, _ []byte) error {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.sent = append(x.sent, req.Method+" "+strings.TrimPrefix(req.URL.Path, "/v1/")+" "+string(sent))
			return nil
		}}
	front := httptest.NewServer(x.front)
	t.Cleanup(front.Close)
	if x.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	x.server = vaultprov.Server{Address: front.URL, Token: vaultprov.StaticToken(x.token)}
	return x
}

func (x *suite) publicKey() string {
	der, err := x509.MarshalPKIXPublicKey(x.key.Public())
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

const (
	editorSecret   = "editor-s3cret-0"
	valueSecret    = "value-s3cret-1"
	reviewerSecret = "reviewer-s3cret-2"
	keySecret      = "fingerprint-s3cret-3-0123456789abcdef"
	foreignSecret  = "foreign-s3cret-4"
)

// secrets must be seen nowhere.
func (x *suite) secrets() (all []lab.Secret) {
	for _, s := range []string{editorSecret, valueSecret, reviewerSecret, keySecret, foreignSecret} {
		all = append(all, lab.NewSecret(s))
	}
	return all
}

// spec returns one of every kind, under names of its own, and the suffix of those.
func (x *suite) spec(t testing.TB) (vaultprov.Spec, string) {
	t.Helper()
	x.mu.Lock()
	x.n++
	n := fmt.Sprint(x.n)
	x.mu.Unlock()
	policy := "erp" + n
	return vaultprov.Spec{
		Stack: "suite" + n, Records: vaultprov.Records{Mount: "kvv2-" + n}, FingerprintKey: lab.NewSecret(keySecret), Prune: true,
		Audits: []vaultprov.Audit{{Path: "file" + n, Type: "file", Options: map[string]string{
			"file_path": filepath.Join(t.TempDir(), "audit.log")}}},
		Mounts: []vaultprov.Mount{
			{Path: "kvv1-" + n, Type: "kv", Version: 1},
			{Path: "kvv2-" + n, Type: "kv", Description: "of the apps", DefaultLease: time.Hour, MaxLease: 24 * time.Hour},
			{Path: "postgres-" + n, Type: "database"}, {Path: "transit-" + n, Type: "transit"},
		},
		Auths: []vaultprov.Auth{
			{Path: "kubernetes-" + n, Type: "kubernetes", Kubernetes: &vaultprov.KubernetesConfig{Host: "https://192.0.2.1:6443",
				Outside: true, Reviewer: lab.NewSecret(reviewerSecret)}},
			{Path: "gitea_jwt-" + n, Type: "jwt", DefaultLease: 15 * time.Minute, JWT: &vaultprov.JWTConfig{
				PublicKeys: []string{x.publicKey()}, Issuer: "https://gitea.arcodange.lab"}},
			{Path: "approle-" + n, Type: "approle"},
		},
		Policies: []vaultprov.Policy{
			{Name: policy, Text: "path \"kvv2-" + n + "/data/erp/*\" {\n  capabilities = [\"read\"]\n}\n"},
			{Name: policy + "-ops", Text: `{"path": {"kvv2-` + n + `/data/erp/*": {"capabilities": ["update", "create"]}}}`},
		},
		KubernetesRoles: []vaultprov.KubernetesRole{{Mount: "kubernetes-" + n, Name: "erp", ServiceAccounts: []string{"erp"},
			Namespaces: []string{"erp"}, Token: vaultprov.RoleToken{Policies: []string{policy}, Period: 15 * time.Minute}}},
		JWTRoles: []vaultprov.JWTRole{{Mount: "gitea_jwt-" + n, Name: "gitea_cicd_erp", Audiences: []string{"client"},
			UserClaim: "preferred_username", Claims: map[string][]string{"preferred_username": {"ci", "bot"}, "groups": {"org:team"}},
			Token: vaultprov.RoleToken{Policies: []string{policy + "-ops"}, TTL: 10 * time.Minute, MaxTTL: 20 * time.Minute,
				NoDefaultPolicy: true, Type: "service"}}},
		AppRoles: []vaultprov.AppRole{{Mount: "approle-" + n, Name: "admin", SecretIDTTL: time.Hour, SecretIDUses: 3}},
		Connections: []vaultprov.Connection{{Mount: "postgres-" + n, Name: "erp", Username: "credentials_editor",
			URL:      "postgresql://{{username}}:{{password}}@127.0.0.1:1/erp?sslmode=disable",
			Password: lab.NewSecret(editorSecret), Roles: []string{"erp"}, Unverified: true}},
		DatabaseRoles: []vaultprov.DatabaseRole{{Mount: "postgres-" + n, Name: "erp",
			Creation:   []string{`CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`},
			Revocation: []string{`DROP ROLE IF EXISTS "{{name}}"`}, TTL: time.Hour, MaxTTL: 24 * time.Hour}},
		TransitKeys: []vaultprov.TransitKey{{Mount: "transit-" + n, Name: "vso"}},
		Entries: []vaultprov.Entry{
			{Mount: "kvv2-" + n, Path: "erp/config", Data: map[string]lab.Secret{"admin_password": lab.NewSecret(valueSecret)}},
			{Mount: "kvv1-" + n, Path: "legacy", Version: 1, Data: map[string]lab.Secret{"key": lab.NewSecret(valueSecret)}},
		},
	}, n
}

// world returns one of every kind, for the laws.
func (x *suite) world(t testing.TB) lawtest.World {
	t.Helper()
	x.clear(t)
	spec, n := x.spec(t)
	x.last = n
	counters := &httpx.Counters{}
	server := x.server
	server.Counters = counters
	return lawtest.World{
		Plan:       func(ctx context.Context) (*lab.Plan, error) { x.front.Faults.Reset(); return server.Plan(ctx, spec) },
		Writes:     func(testing.TB) int64 { return counters.Writes.Load() },
		RoundTrips: func() int64 { n, _ := x.front.Total(); return n },
		Cost:       cost,
		Drift: func(tb testing.TB) {
			tb.Helper()
			x.must(tb, "POST", "auth/kubernetes-"+n+"/role/erp", `{"bound_service_account_namespaces": "*", "token_ttl": "1h"}`)
			x.must(tb, "POST", "postgres-"+n+"/config/erp", `{"allowed_roles": "*", "verify_connection": false}`)
			x.must(tb, "DELETE", "sys/policies/acl/erp"+n, "")
			x.must(tb, "POST", "kvv2-"+n+"/data/erp/config", `{"data": {"admin_password": "x", "theirs": {"n": 12345678901234}}}`)
		},
		Foreign: func(tb testing.TB) func() string { tb.Helper(); return x.foreign(tb, n) },
		Secrets: x.secrets(),
		Within: func(ctx context.Context, b *lab.Boundary) error {
			outside := server
			outside.Boundary = b
			_, err := outside.Plan(ctx, spec)
			return err
		},
		Every: x.every,
		Again: func(tb testing.TB) lawtest.World { tb.Helper(); return x.world(tb) },
		Cuts:  x.cuts(30),
	}
}

// cuts lose the n-th request that writes, or the answer to it.
func (x *suite) cuts(least int) (cuts []lawtest.Cut) {
	for name, how := range map[string]fake.HTTPFault{"Request": {}, "Answer": {Done: true}} {
		cuts = append(cuts, lawtest.Cut{Name: name, Least: least, Arm: func(_ testing.TB, at int) func(error) bool {
			x.front.Faults.Reset()
			x.front.Faults.At(at, how)
			return func(error) bool { return x.front.Faults.Fired() > 0 }
		}})
	}
	return cuts
}

// removal returns a world in which most of what is ours is not wanted any more.
func (x *suite) removal(t testing.TB) lawtest.World {
	t.Helper()
	x.clear(t)
	spec, n := x.spec(t)
	x.last = n
	x.apply(t, spec)
	spec = vaultprov.Spec{Stack: spec.Stack, Records: spec.Records, Prune: true, MaxDeletes: 30,
		Mounts: spec.Mounts[1:], Auths: spec.Auths[1:]}
	return lawtest.World{
		Plan:  func(ctx context.Context) (*lab.Plan, error) { x.front.Faults.Reset(); return x.server.Plan(ctx, spec) },
		Every: x.every,
		Again: func(tb testing.TB) lawtest.World { tb.Helper(); return x.removal(tb) },
		Cuts:  x.cuts(15),
	}
}

// fail gives the next request of these a fault; which is nil: none.
func (x *suite) fail(which func(*http.Request) bool, how fake.HTTPFault) {
	x.front.Faults.Reset()
	if which == nil {
		x.fails.Store(nil)
		return
	}
	x.fails.Store(&which)
	x.front.Faults.At(1, how)
}

// requests returns those that were sent since the last call, whose path has this in it.
func (x *suite) requests(part string) (found []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range x.sent {
		if strings.Contains(r, part) {
			found = append(found, r)
		}
	}
	x.sent = nil
	return found
}

// clear removes what the last world has made that costs every other request: each audit device writes it.
func (x *suite) clear(tb testing.TB) {
	tb.Helper()
	x.front.Faults.Reset()
	if n := x.last; n != "" {
		for _, path := range []string{"audit/file" + n, "mounts/kvv1-" + n, "mounts/kvv2-" + n, "mounts/postgres-" + n,
			"mounts/transit-" + n, "auth/kubernetes-" + n, "auth/gitea_jwt-" + n, "auth/approle-" + n} {
			x.call(tb, x.token.Reveal(), "DELETE", "sys/"+path, "")
		}
	}
}

// cost is what a plan of one of every kind asks for when it is converged: 1 for the health of the cluster; 6 for the audit
// devices, mounts and auth methods, with our records of each; 4 for two configs of auth methods; 4 for two policies; 3
// for each of four kinds of roles; 4 for the connection; 2 for the transit key; 2 entries.
const cost = 35

// foreign makes objects beside those of a world that are not ours.
func (x *suite) foreign(tb testing.TB, n string) func() string {
	tb.Helper()
	paths := []string{}
	put := func(path, body string, read ...string) {
		x.must(tb, "POST", path, body)
		paths = append(paths, append(read, path)[0])
	}
	put("auth/kubernetes-"+n+"/role/theirs",
		`{"bound_service_account_names": "a", "bound_service_account_namespaces": "a", "audience": "vault"}`)
	put("auth/gitea_jwt-"+n+"/role/theirs", `{"role_type": "jwt", "user_claim": "sub", "bound_subject": "1"}`)
	put("auth/approle-"+n+"/role/theirs", `{}`)
	put("postgres-"+n+"/config/theirs", `{"plugin_name": "postgresql-database-plugin", "verify_connection": false,
		"connection_url": "postgresql://u:`+foreignSecret+`@127.0.0.1:1/x"}`)
	put("postgres-"+n+"/roles/theirs", `{"db_name": "theirs", "creation_statements": "CREATE ROLE x"}`)
	put("sys/policies/acl/theirs"+n, `{"policy": "path \"x\" { capabilities = [\"read\"] }"}`)
	put("kvv2-"+n+"/data/theirs", `{"data": {"a": "b"}}`)
	put("transit-"+n+"/keys/theirs", `{}`)
	x.must(tb, "POST", "sys/mounts/theirs"+n, `{"type": "kv"}`)
	x.must(tb, "POST", "kvv2-"+n+"/data/erp/config", `{"data": {"admin_password": "`+valueSecret+`", "theirs": {"n": 12345678901234}}}`)
	return func() string {
		tb.Helper()
		var b strings.Builder
		for _, path := range paths {
			b.WriteString(x.must(tb, "GET", path, "") + "\n")
		}
		var mounts struct{ Data map[string]any }
		unmarshal(tb, x.must(tb, "GET", "sys/mounts", ""), &mounts)
		fmt.Fprintln(&b, mounts.Data["theirs"+n+"/"])
		var entry struct {
			Data struct{ Data map[string]json.RawMessage }
		}
		unmarshal(tb, x.must(tb, "GET", "kvv2-"+n+"/data/erp/config", ""), &entry)
		fmt.Fprintf(&b, "theirs: %s\n", entry.Data.Data["theirs"])
		return b.String()
	}
}

func unmarshal(tb testing.TB, text string, into any) {
	tb.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		tb.Fatal(err)
	}
}

// requestID is what differs between two reads of the same.
var requestID = regexp.MustCompile(`"request_id":"[^"]*",?`)

// call sends a request past the package.
func (x *suite) call(tb testing.TB, token, method, path, body string) (int, string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, x.server.Address+"/v1/"+path, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("X-Vault-Token", token)
	req.Header.Set("X-Vault-Request", "true")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, requestID.ReplaceAllString(string(b), "")
}

func (x *suite) must(tb testing.TB, method, path, body string) string {
	tb.Helper()
	status, answer := x.call(tb, x.token.Reveal(), method, path, body)
	if status >= 300 {
		tb.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	return answer
}

func (x *suite) plan(tb testing.TB, spec vaultprov.Spec) *lab.Plan {
	tb.Helper()
	p, err := x.server.Plan(tb.Context(), spec)
	if err != nil {
		tb.Fatalf("%v\n%v", err, p)
	}
	return p
}

// apply plans and applies, confirming everything, and wants nothing to be left.
func (x *suite) apply(tb testing.TB, spec vaultprov.Spec) *lab.Plan {
	tb.Helper()
	p := x.plan(tb, spec)
	o := &lab.ApplyOptions{}
	for _, c := range p.Changes() {
		o.Confirmed = append(o.Confirmed, lab.Confirm(c.ID))
	}
	if r, err := p.Apply(tb.Context(), o); err != nil {
		tb.Fatalf("%v\n%v", err, r)
	}
	if left := x.plan(tb, spec); !left.Empty() {
		tb.Fatalf("still to do:\n%v", left)
	}
	return p
}

// ids are what a plan does, each as "+policy:erp".
func ids(p *lab.Plan) string {
	var all []string
	for _, c := range p.Changes() {
		all = append(all, c.Action.Sign()+strings.TrimPrefix(c.ID, "vault/"))
	}
	return strings.Join(all, " ")
}

func (x *suite) run(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"Prune", x.prune}, {"BrokenRecord", x.brokenRecord}, {"Adopt", x.adopt}, {"StuckUsers", x.stuckUsers}, {"Together", x.together},
		{"Passwords", x.passwords}, {"JWT", x.jwt}, {"Entries", x.entriesAreMerged},
		{"Normal", x.normal}, {"Odd", x.odd}, {"Conflicts", x.conflicts}, {"Outside", x.outside},
		{"Removal", func(t *testing.T) { lawtest.CutOff(t, x.removal(t)) }},
		{"Laws", func(t *testing.T) {
			lawtest.Laws(t, func(t *testing.T) lawtest.World { t.Helper(); return x.world(t) })
		}},
	} {
		t.Run(c.name, c.run)
	}
}
