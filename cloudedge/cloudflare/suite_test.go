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
		Tokens: []cloudflare.Token{
			{Name: "cms", S3: true, AllowIPs: []string{"192.0.2.0/24"}, Expires: "2099-01-01T00:00:00+01:00", Grants: []cloudflare.Grant{
				{Permissions: []string{"Pages Write", "Cloudflare Tunnel Write"}, Account: true},
				{Permissions: []string{"DNS Write", "Zone Read"}, Zones: []string{"example.fr"}},
				{Permissions: []string{"Workers R2 Storage Bucket Item Write"}, Buckets: []string{"eu/state", "files"}}}},
			{Name: "reader", Secret: "reader", Grants: []cloudflare.Grant{{Permissions: []string{"Logs Read"}, Zones: []string{"*"}}}},
		},
	}
}

// cost is what a plan of everything costs when nothing is to be done: two lists of buckets, with r2.dev of two, lifecycle and
// CORS of one and domains of one; the tokens, proofs of two, the groups and the zones.
const cost = 2 + 2 + 2 + 1 + 1 + 2 + 1 + 1

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
	for _, x := range w.tokens(tb) {
		if strings.HasPrefix(x.Name, "lab/test/cms#") {
			w.call(tb, "PUT", "/accounts/{a}/tokens/"+x.ID, map[string]any{"name": x.Name, "status": "active", "policies": x.Policies[:1]})
		} else if strings.HasPrefix(x.Name, "lab/test/") {
			w.call(tb, "DELETE", "/accounts/{a}/tokens/"+x.ID, struct{}{})
		}
	}
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
	if err := json.Unmarshal(w.call(tb, "POST", "/accounts/{a}/tokens", map[string]any{"name": name, "policies": []any{policy}}), &made); err != nil {
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
	return func() string {
		var b strings.Builder
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
