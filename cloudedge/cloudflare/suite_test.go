package cloudflare_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
)

// everything is one of each kind of object.
func everything(w *world) cloudflare.Spec {
	return cloudflare.Spec{Stack: "test", Prune: true, Sink: w.sink,
		Buckets: []cloudflare.Bucket{
			{Name: "state", Jurisdiction: "eu", StorageClass: "InfrequentAccess",
				Lifecycle: []cloudflare.LifecycleRule{{Name: "tmp", Prefix: "tmp/", DeleteAfter: 3, AbortAfter: 1}},
				CORS: []cloudflare.CORSRule{{Origins: []string{"https://example.fr"}, Methods: []string{"GET", "HEAD"},
					Headers: []string{"Range"}, MaxAge: 60}}},
			{Name: "files", Location: "weur", Domains: []cloudflare.BucketDomain{{Name: "files.example.fr", MinTLS: "1.2"}}},
		},
		Zones: []cloudflare.Zone{
			{Name: "example.fr", Settings: map[string]string{"ssl": "strict", "browser_cache_ttl": "1800",
				"security_header": `{"strict_transport_security": {"max_age": 60, "enabled": true}}`},
				Records: []cloudflare.Record{
					{Name: "www", Type: "CNAME", Contents: []string{"cms.pages.dev."}, Proxied: yes(), Comment: "the site"},
					{Name: "@", Type: "A", Contents: []string{"192.0.2.2", "192.0.2.1"}, Proxied: no(), TTL: 300},
					{Name: "@", Type: "AAAA", Contents: []string{"2001:DB8::0:1"}},
					{Name: "@", Type: "MX", Contents: []string{"20 mx2.zoho.eu", "10 mx.zoho.eu"}},
					{Name: "@", Type: "TXT", Contents: []string{"v=spf1 include:zohomail.eu ~all", `quoted "text" and \ more`}},
					{Name: "k1._domainkey", Type: "TXT", Contents: []string{"v=DKIM1; k=rsa; p=" + strings.Repeat("MIGfMA0G", 60)}},
					{Name: "_dmarc.example.fr", Type: "TXT", Contents: []string{"v=DMARC1; p=reject"}},
					{Name: "@", Type: "CAA", Contents: []string{`0 issue "letsencrypt.org"`, `0 iodef "mailto:a@example.fr"`}},
					{Name: "_xmpp._tcp", Type: "SRV", Contents: []string{"0 5 5269 xmpp.example.fr"}},
					{Name: "lab", Type: "NS", Contents: []string{"ns1.example.org"}},
					{Name: "app", Type: "CNAME", Contents: []string{"tunnel:home"}, Proxied: yes()},
					{Name: "*.dev", Type: "CNAME", Contents: []string{"bücher.example.org"}},
				}},
			{Name: "new.fr", Create: true, Settings: map[string]string{"always_use_https": "on"}, Records: []cloudflare.Record{
				{Name: "www", Type: "A", Contents: []string{"192.0.2.9"}}}},
			{Name: "other.fr"},
		},
		Tunnels: []cloudflare.Tunnel{{Name: "home", Ingress: []cloudflare.Ingress{
			{Hostname: "app.example.fr", Service: "https://traefik.kube-system.svc:443", ServerName: "app.example.fr"},
			{Hostname: "*.example.fr", Path: "/api", Service: "http://127.0.0.1:80", NoVerify: true}}},
			{Name: "bare"}},
		Pages:   []cloudflare.Page{{Name: "cms", Branch: "trunk", Domains: []string{"www.example.fr", "example.fr"}}, {Name: "docs"}},
		Widgets: []cloudflare.Widget{{Name: "login", Domains: []string{"www.example.fr"}, Mode: "invisible"}},
		Tokens: []cloudflare.Token{
			{Name: "zones", Grants: []cloudflare.Grant{{Permissions: []string{"DNS Write"}, Zones: []string{"new.fr", "other.fr"}}}},
			{Name: "cms", S3: true, AllowIPs: []string{"192.0.2.0/24"}, Expires: "2099-01-01T00:00:00+01:00", Grants: []cloudflare.Grant{
				{Permissions: []string{"Pages Write", "Cloudflare Tunnel Write"}, Account: true},
				{Permissions: []string{"DNS Write", "Zone Read"}, Zones: []string{"example.fr"}},
				{Permissions: []string{"Workers R2 Storage Bucket Item Write"}, Buckets: []string{"eu/state", "files"}}}},
			{Name: "reader", Secret: "reader", Grants: []cloudflare.Grant{{Permissions: []string{"Logs Read"}, Zones: []string{"*"}}}},
		},
	}
}

// cost is what a plan of everything costs when nothing is to be done: two lists of buckets, with r2.dev of two, lifecycle and
// CORS of one and domains of one; the tokens, proofs of three, the groups and the zones; the
// records of two zones, and four settings; the tunnels, their tokens and the configuration of one; two projects and the
// domains of one; the widgets and one by itself.
const cost = 2 + 2 + 2 + 1 + 1 + 3 + 1 + 1 + 2 + 4 + 1 + 2 + 1 + 2 + 1 + 1 + 1

// drift changes something of every kind.
func (w *world) drift(tb testing.TB) {
	tb.Helper()
	const eu = "cf-r2-jurisdiction: eu"
	w.call(tb, "PATCH", "/accounts/{a}/r2/buckets/state", nil, eu, "cf-r2-storage-class: Standard")
	w.call(tb, "PUT", "/accounts/{a}/r2/buckets/state/lifecycle", map[string]any{"rules": []any{
		map[string]any{"id": "theirs", "enabled": true, "conditions": map[string]any{"prefix": "x"},
			"deleteObjectsTransition": map[string]any{"condition": map[string]any{"type": "Age", "maxAge": 1000}}}}}, eu)
	w.call(tb, "DELETE", "/accounts/{a}/r2/buckets/state/cors", nil, eu)
	w.call(tb, "PUT", "/accounts/{a}/r2/buckets/state/domains/managed", map[string]any{"enabled": true}, eu)
	w.call(tb, "PUT", "/accounts/{a}/r2/buckets/files/domains/custom/files.example.fr", map[string]any{"enabled": false, "minTLS": "1.0"})
	for _, x := range w.tunnels(tb) {
		switch x.Name {
		case "lab/test/home":
			w.call(tb, "PUT", "/accounts/{a}/cfd_tunnel/"+x.ID+"/configurations", map[string]any{"config": map[string]any{
				"ingress": []any{map[string]any{"hostname": "", "service": "http_status:404"}}, "warp-routing": map[string]any{"enabled": true}}})
		case "lab/test/bare":
			w.call(tb, "DELETE", "/accounts/{a}/cfd_tunnel/"+x.ID, struct{}{})
		}
	}
	w.call(tb, "POST", "/accounts/{a}/cfd_tunnel", map[string]any{"name": "lab/test/old", "config_src": "cloudflare"})
	w.call(tb, "PATCH", "/accounts/{a}/pages/projects/cms", map[string]any{"production_branch": "x"})
	for _, x := range w.widgets(tb) {
		if x.Name == "login" {
			w.call(tb, "PUT", "/accounts/{a}/challenges/widgets/"+x.Sitekey, map[string]any{"name": "login", "domains": []string{"x.fr"},
				"mode": "managed", "clearance_level": "jschallenge"})
		}
	}
	zone := w.zone(tb, "example.fr")
	w.call(tb, "PATCH", "/zones/"+zone+"/settings/ssl", map[string]any{"value": "off"})
	for n, x := range w.records(tb, "example.fr") {
		if !strings.HasPrefix(x.Comment, "managed-by=lab;owner=test/") {
			continue
		}
		at := "/zones/" + zone + "/dns_records/" + x.ID
		switch n % 3 {
		case 0:
			w.call(tb, "DELETE", at, struct{}{})
		case 1:
			w.call(tb, "PATCH", at, map[string]any{"comment": x.Comment + "; touched", "ttl": 900})
		}
	}
	w.call(tb, "POST", "/zones/"+zone+"/dns_records", map[string]any{"name": "old.example.fr", "type": "A", "content": "192.0.2.7", "ttl": 1,
		"comment": "managed-by=lab;owner=test/record/A/old"}) // that is not wanted any more
	for _, x := range w.tokens(tb) {
		if strings.HasPrefix(x.Name, "lab/test/cms#") {
			w.call(tb, "PUT", "/accounts/{a}/tokens/"+x.ID, map[string]any{"name": x.Name, "status": "active", "policies": x.Policies[:1]})
		} else if strings.HasPrefix(x.Name, "lab/test/") {
			w.call(tb, "DELETE", "/accounts/{a}/tokens/"+x.ID, struct{}{})
		}
	}
}

func (w *world) tunnels(tb testing.TB) (all []struct{ ID, Name, Status string }) {
	tb.Helper()
	if err := json.Unmarshal(w.call(tb, "GET", "/accounts/{a}/cfd_tunnel?is_deleted=false", nil), &all); err != nil {
		tb.Fatal(err)
	}
	return all
}

func (w *world) widgets(tb testing.TB) (all []struct{ Sitekey, Name, Mode string }) {
	tb.Helper()
	if err := json.Unmarshal(w.call(tb, "GET", "/accounts/{a}/challenges/widgets", nil), &all); err != nil {
		tb.Fatal(err)
	}
	return all
}

// apiRecord is a record as the API lists it.
type apiRecord struct {
	ID, Name, Type, Content, Comment string
	TTL                              int
	Proxied                          bool
	Priority                         int
	Meta                             map[string]any
}

func (w *world) zone(tb testing.TB, name string) (id string) {
	tb.Helper()
	var all []struct{ ID, Name string }
	if err := json.Unmarshal(w.call(tb, "GET", "/zones?per_page=50&name="+name, nil), &all); err != nil || len(all) != 1 {
		tb.Fatalf("%v %v", all, err)
	}
	return all[0].ID
}

func (w *world) records(tb testing.TB, zone string) (all []apiRecord) {
	tb.Helper()
	if err := json.Unmarshal(w.call(tb, "GET", "/zones/"+w.zone(tb, zone)+"/dns_records?per_page=1000", nil), &all); err != nil {
		tb.Fatal(err)
	}
	return all
}

func (w *world) addRecord(tb testing.TB, zone, typ, name, content string, more ...any) {
	tb.Helper()
	in := map[string]any{"type": typ, "name": name, "content": content, "ttl": 1}
	for n := 0; n+1 < len(more); n += 2 {
		in[more[n].(string)] = more[n+1]
	}
	w.call(tb, "POST", "/zones/"+w.zone(tb, zone)+"/dns_records", in)
}

// listedToken is a token as the API lists it.
type listedToken struct {
	ID, Name, Status string
	Policies         []map[string]any
}

func (w *world) tokens(tb testing.TB) (all []listedToken) {
	tb.Helper()
	if err := json.Unmarshal(w.call(tb, "GET", "/accounts/{a}/tokens?per_page=50", nil), &all); err != nil {
		tb.Fatal(err)
	}
	return all
}

// group returns the ID of a permission group of zones.
func (w *world) group(tb testing.TB, name string) string {
	tb.Helper()
	var all []struct {
		ID, Name string
		Scopes   []string
	}
	if err := json.Unmarshal(w.call(tb, "GET", "/accounts/{a}/tokens/permission_groups", nil), &all); err != nil {
		tb.Fatal(err)
	}
	for _, g := range all {
		if g.Name == name && strings.HasSuffix(g.Scopes[0], "zone") {
			return g.ID
		}
	}
	tb.Fatalf("no group %s", name)
	return ""
}

// addToken makes a token as somebody does in the dashboard.
func (w *world) addToken(tb testing.TB, name string) (id, value string) {
	tb.Helper()
	var made struct{ ID, Value string }
	policy := map[string]any{"effect": "allow", "permission_groups": []any{map[string]any{"id": w.group(tb, "DNS Read")}},
		"resources": map[string]any{"com.cloudflare.api.account." + w.account.ID: map[string]any{"com.cloudflare.api.account.zone.*": "*"}}}
	if err := json.Unmarshal(w.call(tb, "POST", "/accounts/{a}/tokens", map[string]any{"name": name, "policies": []any{policy}}),
		&made); err != nil {
		tb.Fatal(err)
	}
	return made.ID, made.Value
}

// foreign creates things that are not ours among those that are.
func (w *world) foreign(tb testing.TB) (describe func() string) {
	tb.Helper()
	w.call(tb, "POST", "/accounts/{a}/r2/buckets", map[string]any{"name": "theirs"})
	w.call(tb, "POST", "/accounts/{a}/r2/buckets", map[string]any{"name": "state"}) // in another jurisdiction
	for _, name := range []string{"cms", "lab/other/cms#1", "lab/test", "lab/test2/cms#1"} {
		w.addToken(tb, name)
	}
	w.addRecord(tb, "example.fr", "A", "theirs", "192.0.2.50")
	w.addRecord(tb, "example.fr", "TXT", "@", "google-site-verification=x")
	w.addRecord(tb, "example.fr", "A", "theirs2", "192.0.2.50", "comment", "managed-by=lab;owner=other/record/A/theirs2")
	w.addRecord(tb, "example.fr", "A", "theirs3", "192.0.2.50", "comment", "managed-by=lab2;owner=test/record/A/theirs3")
	w.addRecord(tb, "other.fr", "A", "theirs", "192.0.2.50", "comment", "managed-by=lab;owner=test/record/A/theirs")
	w.call(tb, "POST", "/accounts/{a}/cfd_tunnel", map[string]any{"name": "home", "config_src": "cloudflare"})
	w.call(tb, "POST", "/accounts/{a}/cfd_tunnel", map[string]any{"name": "lab/other/home", "config_src": "cloudflare"})
	w.call(tb, "POST", "/accounts/{a}/challenges/widgets", map[string]any{"name": "theirs", "domains": []string{"x.fr"}, "mode": "managed"})
	w.call(tb, "POST", "/accounts/{a}/pages/projects", map[string]any{"name": "theirs", "production_branch": "main"})
	return func() string {
		var b strings.Builder
		for _, x := range w.tunnels(tb) {
			if !strings.HasPrefix(x.Name, "lab/test/") {
				fmt.Fprintln(&b, x)
			}
		}
		for _, x := range w.widgets(tb) {
			if x.Name != "login" {
				fmt.Fprintln(&b, x)
			}
		}
		b.Write(w.call(tb, "GET", "/accounts/{a}/pages/projects/theirs", nil))
		for _, zone := range []string{"example.fr", "other.fr"} {
			for _, x := range w.records(tb, zone) {
				if x.Meta["read_only"] == true || !strings.Contains(x.Comment, "managed-by=lab;owner=test/") || zone == "other.fr" {
					fmt.Fprintln(&b, x)
				}
			}
		}
		for _, x := range w.tokens(tb) {
			if !strings.HasPrefix(x.Name, "lab/test/") {
				fmt.Fprintln(&b, x)
			}
		}
		for _, path := range []string{"/accounts/{a}/r2/buckets/theirs", "/accounts/{a}/r2/buckets/theirs/lifecycle",
			"/accounts/{a}/r2/buckets/state", "/accounts/{a}/r2/buckets/state/lifecycle"} {
			b.WriteString(path + " " + string(w.call(tb, "GET", path, nil)) + "\n")
		}
		return b.String()
	}
}

// lawful describes a new account with everything.
func lawful(tb testing.TB, start func(testing.TB) *world) lawtest.World {
	tb.Helper()
	w := start(tb)
	spec := everything(w)
	return lawtest.World{
		Plan:       func(ctx context.Context) (*lab.Plan, error) { return w.account.Plan(ctx, spec) },
		Writes:     func(testing.TB) int64 { _, n := w.Total(); return n },
		RoundTrips: func() int64 { n, _ := w.Total(); return n },
		Cost:       cost,
		Drift:      w.drift,
		Foreign:    w.foreign,
		Secrets:    []lab.Secret{w.account.Token},
		Within: func(ctx context.Context, b *lab.Boundary) error {
			a := w.account
			a.Boundary = b
			_, err := a.Plan(ctx, spec)
			return err
		},
		Again: func(tb testing.TB) lawtest.World { return lawful(tb, start) },
		Cuts: []lawtest.Cut{
			{Name: "NotDone", Least: 5, Arm: w.cut(cloudflaretest.Failure{})},
			{Name: "LostAnswer", Least: 5, Arm: w.cut(cloudflaretest.Failure{Done: true})},
		},
	}
}

func (w *world) cut(how cloudflaretest.Failure) func(testing.TB, int) func(error) bool {
	return func(_ testing.TB, n int) func(error) bool {
		w.Reset()
		w.FailAt(n, how)
		return func(error) bool {
			fired := w.Fired() > 0
			w.Reset()
			return fired
		}
	}
}

func TestLaws(t *testing.T) {
	lawtest.Laws(t, func(t *testing.T) lawtest.World {
		return lawful(t, func(tb testing.TB) *world { return newWorld(tb, cloudflaretest.Config{}) })
	})
}

// TestContract holds everything that is sent and answered while an account is made, has drifted, and is repaired
// against what Cloudflare publishes.
func TestContract(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{}).checked(t)
	spec := everything(w)
	w.converge(t, spec)
	w.drift(t)
	w.converge(t, spec)
}

// TestListedLate is an account whose lists do not have new objects at once: nothing is made twice.
func TestListedLate(t *testing.T) {
	for lag := range 4 {
		w := newWorld(t, cloudflaretest.Config{Lag: lag})
		spec := everything(w)
		for range 6 {
			if r, err := w.apply(t, spec); err != nil {
				t.Fatalf("lag %d: %v\n%v", lag, err, r)
			}
		}
		w.settled(t, spec)
	}
}
