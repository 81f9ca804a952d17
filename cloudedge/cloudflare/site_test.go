package cloudflare_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
)

// site is that of the lab's cms, with the mail of its domain.
func site() cloudflare.Site {
	return cloudflare.Site{Name: "cms", Domain: "arcodange.fr", Bucket: "arcodange-tf",
		Hosts: []string{"app", "*"}, Service: "https://traefik.kube-system.svc.cluster.local:443",
		Settings: map[string]string{"tls_1_3": "on"},
		Records: []cloudflare.Record{
			{Name: "@", Type: "MX", Contents: []string{"10 mx.zoho.eu", "20 mx2.zoho.eu", "50 mx3.zoho.eu"}},
			{Name: "@", Type: "TXT", Contents: []string{"v=spf1 include:zohomail.eu -all"}},
			{Name: "_dmarc", Type: "TXT", Contents: []string{"v=DMARC1; p=reject; rua=mailto:dmarc@arcodange.fr"}},
			{Name: "zmail._domainkey", Type: "TXT", Contents: []string{"v=DKIM1; k=rsa; p=" + strings.Repeat("A", 392)}},
		}}
}

// memory is a sink with paths, as a mount of Vault is.
type memory struct {
	mu  sync.Mutex
	all map[string]lab.Secret
}

func (m *memory) String() string              { return "memory" }
func (m *memory) Prove(context.Context) error { return nil }

func (m *memory) Get(_ context.Context, name string) (lab.Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.all[name]; ok {
		return s, nil
	}
	return lab.Secret{}, lab.ErrNotFound
}

func (m *memory) Put(_ context.Context, name string, s lab.Secret) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if has, ok := m.all[name]; ok && !has.Equal(s) {
		return lab.ErrConflict
	}
	m.all[name] = s
	return nil
}

func (m *memory) Replace(_ context.Context, name string, old, s lab.Secret) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if has, ok := m.all[name]; !ok || !has.Equal(old) && !has.Equal(s) {
		return lab.ErrConflict
	}
	m.all[name] = s
	return nil
}

// TestSite converges the edge of the lab's site, by what Cloudflare publishes; what its repository needs is in the sink then.
func TestSite(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{Zones: []string{"arcodange.fr"}}).checked(t)
	sink := &memory{all: map[string]lab.Secret{}}
	s := site().Spec()
	s.Stack, s.Sink, s.Prune = "sandbox", sink, true
	w.converge(t, s)
	for _, name := range []string{"cms/cloudflare#token", "cms/cloudflare#account_id", "cms/cloudflare#access_key_id",
		"cms/cloudflare#secret_access_key", "cms/tunnel#token", "cms/turnstile#secret", "cms/turnstile#sitekey"} {
		if v := sink.all[name]; v.IsZero() {
			t.Errorf("the sink has no %s", name)
		}
	}
	if len(sink.all) != 7 {
		t.Errorf("the sink has %d secrets", len(sink.all))
	}
	tunnel := w.tunnels(t)[0].ID
	if served := w.served(t, "arcodange.fr"); !slices.Contains(served, "CNAME app.arcodange.fr "+tunnel+".cfargotunnel.com") ||
		!slices.Contains(served, "CNAME arcodange.fr cms.pages.dev") || !slices.Contains(served, "MX arcodange.fr 10 mx.zoho.eu") {
		t.Errorf("%q", served)
	}
	if _, err := base64.StdEncoding.DecodeString(sink.all["cms/tunnel#token"].Reveal()); err != nil {
		t.Errorf("the token of the tunnel: %v", err)
	}
	servers, err := w.account.NameServers(t.Context(), "arcodange.fr")
	if err != nil || len(servers) != 2 {
		t.Errorf("%q, %v", servers, err)
	}
}

// TestSecretsAgain: what Cloudflare shows again is put back where it was lost or changed, and never shown.
func TestSecretsAgain(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{Zones: []string{"arcodange.fr"}})
	sink := &memory{all: map[string]lab.Secret{}}
	s := site().Spec()
	s.Sink = sink
	w.converge(t, s)
	was := sink.all["cms/tunnel#token"]
	delete(sink.all, "cms/tunnel#token")
	sink.all["cms/turnstile#secret"] = lab.NewSecret("somebody-has-changed-it")
	delete(sink.all, "cms/cloudflare#secret_access_key")
	p := w.plan(t, s)
	if got := changes(p); !slices.Equal(got, []string{"update tunnel:cms", "update widget:cms", "update token:cms"}) {
		t.Errorf("%q", got)
	}
	r, err := apply(p)
	if err != nil || !sink.all["cms/tunnel#token"].Equal(was) {
		t.Errorf("%v\n%v", err, r)
	}
	w.settled(t, s)
	var secrets []lab.Secret
	for name, v := range sink.all {
		if name != "cms/cloudflare#account_id" && name != "cms/cloudflare#access_key_id" && name != "cms/turnstile#sitekey" { // which are none
			secrets = append(secrets, v)
		}
	}
	lawtest.NoSecret(t, secrets, fmt.Sprintf("%v %+v %#v %v", p, p.Changes(), p.Changes(), r))
}

// TestTunnelInUse: a tunnel that cloudflared is connected to is not removed, and the error says what to do.
func TestTunnelInUse(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	s := cloudflare.Spec{Stack: "test", Prune: true, Sink: w.sink, Tunnels: []cloudflare.Tunnel{{Name: "home"}}}
	w.converge(t, s)
	w.Connect("lab/test/home")
	s.Tunnels = []cloudflare.Tunnel{}
	if _, err := w.apply(t, s); !errors.Is(err, lab.ErrBlocked) || !strings.Contains(fmt.Sprint(lab.Hints(err)), "cloudflared") {
		t.Errorf("%v", err)
	}
}

// TestRestOfTunnel: what else a tunnel is configured with stays.
func TestRestOfTunnel(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	s := cloudflare.Spec{Stack: "test", Sink: w.sink, Tunnels: []cloudflare.Tunnel{{Name: "home",
		Ingress: []cloudflare.Ingress{{Hostname: "a.example.fr", Service: "http://127.0.0.1:1"}}}}}
	w.converge(t, s)
	at := "/accounts/{a}/cfd_tunnel/" + w.tunnels(t)[0].ID + "/configurations"
	w.call(t, "PUT", at, map[string]any{"config": map[string]any{"warp-routing": map[string]any{"enabled": true}, "ingress": []any{
		map[string]any{"hostname": "a.example.fr", "service": "http://127.0.0.1:2",
			"originRequest": map[string]any{"connectTimeout": 7, "noTLSVerify": true}},
		map[string]any{"hostname": "", "service": "http_status:404"}}}})
	w.converge(t, s)
	has := string(w.call(t, "GET", at, nil))
	for _, part := range []string{`"warp-routing":{"enabled":true}`, `"connectTimeout":7`, `"service":"http://127.0.0.1:1"`} {
		if !strings.Contains(has, part) {
			t.Errorf("no %s in %s", part, has)
		}
	}
	if strings.Contains(has, "noTLSVerify") {
		t.Errorf("%s", has)
	}
}

// TestRefusedOfOthers are states that a plan says and leaves as they are.
func TestRefusedOfOthers(t *testing.T) {
	never := func(string) bool { return false }
	for name, test := range map[string]struct {
		prepare func(*testing.T, *world)
		spec    cloudflare.Spec
		kind    error
		says    string
	}{
		// the lab's own incident: an EU bucket that was read in the default jurisdiction was taken for one that is gone
		"BucketElsewhere": {func(t *testing.T, w *world) {
			w.call(t, "POST", "/accounts/{a}/r2/buckets", map[string]any{"name": "arcodange-tf"}, "cf-r2-jurisdiction: eu")
		}, cloudflare.Spec{Buckets: []cloudflare.Bucket{{Name: "arcodange-tf"}}}, lab.ErrConflict, "jurisdiction: eu"},
		"BucketOfOthers": {func(t *testing.T, w *world) {
			w.call(t, "POST", "/accounts/{a}/r2/buckets", map[string]any{"name": "files"})
		}, cloudflare.Spec{Owned: never, Buckets: []cloudflare.Bucket{{Name: "files",
			StorageClass: "InfrequentAccess"}}}, lab.ErrConflict, "take it over"},
		"NoZone": {nil, cloudflare.Spec{Zones: []cloudflare.Zone{{Name: "nowhere.fr"}}}, lab.ErrNotFound, "created"},
		"NotEditable": {nil, cloudflare.Spec{Zones: []cloudflare.Zone{{Name: "example.fr",
			Settings: map[string]string{"image_resizing": "on"}}}}, lab.ErrBlocked, "plan of the zone"},
		"NotJSON": {nil, cloudflare.Spec{Zones: []cloudflare.Zone{{Name: "example.fr",
			Settings: map[string]string{"browser_cache_ttl": "long"}}}}, lab.ErrInvalid, "14400"},
		"NoSetting": {nil, cloudflare.Spec{Zones: []cloudflare.Zone{{Name: "example.fr",
			Settings: map[string]string{"sll": "strict"}}}}, lab.ErrInvalid, "Unrecognized zone setting"},
		"WidgetTwice": {func(t *testing.T, w *world) {
			for range 2 {
				w.call(t, "POST", "/accounts/{a}/challenges/widgets", map[string]any{"name": "login", "domains": []string{"x.fr"}, "mode": "managed"})
			}
		}, cloudflare.Spec{Widgets: []cloudflare.Widget{{Name: "login", Domains: []string{"x.fr"}}}}, lab.ErrConflict, "several"},
		"ZoneOfDomain": {nil, cloudflare.Spec{Buckets: []cloudflare.Bucket{{Name: "files",
			Domains: []cloudflare.BucketDomain{{Name: "a.nowhere.fr"}}}}}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, cloudflaretest.Config{})
			if test.prepare != nil {
				test.prepare(t, w)
			}
			_, written := w.Total()
			test.spec.Sink = w.sink
			p, err := w.account.Plan(t.Context(), test.spec)
			if test.kind == nil { // found out when it is applied
				_, err = apply(p)
				if !errors.Is(err, lab.ErrNotFound) {
					t.Errorf("%v", err)
				}
				return
			}
			if !errors.Is(err, test.kind) || p != nil && !p.Empty() || !strings.Contains(fmt.Sprint(err, lab.Hints(err)), test.says) {
				t.Errorf("%v, %v, want %v and %q", p, err, test.kind, test.says)
			}
			if _, n := w.Total(); n != written {
				t.Errorf("%d requests write", n-written)
			}
		})
	}
}
