package cloudflaretest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cloudflare/cloudflare-go/v7/accounts"
	"github.com/cloudflare/cloudflare-go/v7/dns"
	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/r2"
	"github.com/cloudflare/cloudflare-go/v7/turnstile"
	"github.com/cloudflare/cloudflare-go/v7/zones"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
)

// TestSDK makes an account by package cloudflare, and reads it by cloudflare-go: the server answers what a client understands that
// was generated from Cloudflare's own description of its API.
func TestSDK(t *testing.T) {
	s := cloudflaretest.New(t, cloudflaretest.Config{Zones: []string{"example.fr"}})
	a := s.Access()
	dir := lab.SecretDir{Path: filepath.Join(t.TempDir(), "secrets")}
	fatal(t, os.Mkdir(dir.Path, 0o700))
	var records []cloudflare.Record
	for n := range 230 { // more than two pages as cloudflare-go has them
		records = append(records, cloudflare.Record{Name: fmt.Sprintf("r%d", n), Type: "A", Contents: []string{"192.0.2.1"}})
	}
	records = append(records, cloudflare.Record{Name: "@", Type: "MX", Contents: []string{"10 mx.example.org"}},
		cloudflare.Record{Name: "_a._tcp", Type: "SRV", Contents: []string{"1 5 5269 x.example.org"}},
		cloudflare.Record{Name: "@", Type: "CAA", Contents: []string{`0 issue "letsencrypt.org"`}},
		cloudflare.Record{Name: "@", Type: "TXT", Contents: []string{"v=spf1 -all"}})
	p, err := a.Plan(t.Context(), cloudflare.Spec{Sink: dir,
		Buckets: []cloudflare.Bucket{{Name: "state", Jurisdiction: "eu", Lifecycle: []cloudflare.LifecycleRule{{Name: "tmp", DeleteAfter: 1}}}},
		Zones:   []cloudflare.Zone{{Name: "example.fr", Records: records, Settings: map[string]string{"ssl": "strict"}}},
		Widgets: []cloudflare.Widget{{Name: "login", Domains: []string{"example.fr"}}},
		Tokens: []cloudflare.Token{{Name: "cms", Grants: []cloudflare.Grant{{Permissions: []string{"DNS Write"},
			Zones: []string{"example.fr"}}}}}})
	fatal(t, err)
	_, err = p.Apply(t.Context(), nil)
	fatal(t, err)
	options := []option.RequestOption{option.WithBaseURL(s.URL() + "/client/v4/"), option.WithAPIToken(a.Token.Reveal()),
		option.WithMaxRetries(0)}

	t.Run("Buckets", func(t *testing.T) { sdkBuckets(t, a.ID, options) })
	t.Run("Records", func(t *testing.T) { sdkRecords(t, a.ID, len(records), options) })
	t.Run("Tokens", func(t *testing.T) { sdkTokens(t, a.ID, dir, options) })
	t.Run("Widgets", func(t *testing.T) {
		c := turnstile.NewWidgetService(options...)
		var list turnstile.WidgetListParams
		list.AccountID.Value, list.AccountID.Present = a.ID, true
		pages := c.ListAutoPaging(t.Context(), list)
		if !pages.Next() || pages.Err() != nil {
			t.Fatal(pages.Err())
		}
		var get turnstile.WidgetGetParams
		get.AccountID.Value, get.AccountID.Present = a.ID, true
		w, err := c.Get(t.Context(), pages.Current().Sitekey, get)
		fatal(t, err)
		kept, err := dir.Get(t.Context(), "cloudflare-widget-login-secret")
		if err != nil || w.Secret != kept.Reveal() || w.Mode != turnstile.WidgetModeManaged {
			t.Errorf("%v, %v", w.Name, err)
		}
	})
}

func fatal(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func sdkBuckets(t *testing.T, account string, options []option.RequestOption) {
	c := r2.NewBucketService(options...)
	var list r2.BucketListParams
	list.AccountID.Value, list.AccountID.Present = account, true
	all, err := c.List(t.Context(), list)
	if err != nil || len(all.Buckets) != 0 {
		t.Errorf("in the default jurisdiction: %v, %v", all, err)
	}
	list.Jurisdiction.Value, list.Jurisdiction.Present = "eu", true
	if all, err = c.List(t.Context(), list); err != nil || len(all.Buckets) != 1 || all.Buckets[0].Name != "state" {
		t.Errorf("in eu: %v, %v", all, err)
	}
	var get r2.BucketLifecycleGetParams
	get.AccountID.Value, get.AccountID.Present = account, true
	get.Jurisdiction.Value, get.Jurisdiction.Present = "eu", true
	rules, err := c.Lifecycle.Get(t.Context(), "state", get)
	fatal(t, err)
	if n := slices.IndexFunc(rules.Rules, func(r r2.BucketLifecycleGetResponseRule) bool { return r.ID == "lab-tmp" }); n < 0 ||
		len(rules.Rules) != 2 {
		t.Errorf("%+v", rules.Rules)
	}
}

func sdkRecords(t *testing.T, account string, want int, options []option.RequestOption) {
	var query zones.ZoneListParams
	query.Account.Present = true
	query.Account.Value.ID.Value, query.Account.Value.ID.Present = account, true
	found, err := zones.NewZoneService(options...).List(t.Context(), query)
	if err != nil || len(found.Result) != 1 || len(found.Result[0].NameServers) != 2 {
		t.Fatalf("%v, %v", found, err)
	}
	zone := found.Result[0].ID
	var get zones.SettingGetParams
	get.ZoneID.Value, get.ZoneID.Present = zone, true
	ssl, err := zones.NewSettingService(options...).Get(t.Context(), "ssl", get)
	if err != nil || fmt.Sprint(ssl.Value) != "strict" {
		t.Errorf("%v, %v", ssl, err)
	}
	var list dns.RecordListParams
	list.ZoneID.Value, list.ZoneID.Present = zone, true
	seen := map[string]int{}
	pages := dns.NewRecordService(options...).ListAutoPaging(t.Context(), list)
	for pages.Next() {
		r := pages.Current()
		seen[string(r.Type)]++
		if !strings.HasPrefix(r.Comment, "managed-by=lab;owner=lab/record/") {
			t.Errorf("%s has the comment %q", r.Name, r.Comment)
		}
		if d, ok := r.AsUnion().(dns.RecordResponseSRVRecord); ok && (d.Data.Target != "x.example.org" || d.Data.Priority != 1) {
			t.Errorf("%+v", d.Data)
		}
	}
	if total := seen["A"] + seen["MX"] + seen["SRV"] + seen["CAA"] + seen["TXT"]; pages.Err() != nil || total != want || seen["A"] != 230 {
		t.Errorf("%v, %v", seen, pages.Err())
	}
}

func sdkTokens(t *testing.T, account string, sink lab.Sink, options []option.RequestOption) {
	c := accounts.NewTokenService(options...)
	value, err := sink.Get(t.Context(), "cloudflare-cms-token")
	fatal(t, err)
	var verify accounts.TokenVerifyParams
	verify.AccountID.Value, verify.AccountID.Present = account, true
	is, err := c.Verify(t.Context(), verify, option.WithAPIToken(value.Reveal()))
	fatal(t, err)
	if is.Status != accounts.TokenVerifyResponseStatusActive {
		t.Errorf("it is %s", is.Status)
	}
	var list accounts.TokenListParams
	list.AccountID.Value, list.AccountID.Present = account, true
	pages := c.ListAutoPaging(t.Context(), list)
	n := 0
	for pages.Next() {
		x := pages.Current()
		if n++; x.ID != is.ID || x.Name != "lab/lab/cms#1" || len(x.Policies) != 1 || x.Policies[0].PermissionGroups[0].Name != "DNS Write" {
			t.Errorf("%+v", x)
		}
	}
	if pages.Err() != nil || n != 1 {
		t.Errorf("%d tokens, %v", n, pages.Err())
	}
	var groups accounts.TokenPermissionGroupListParams
	groups.AccountID.Value, groups.AccountID.Present = account, true
	all, err := c.PermissionGroups.List(t.Context(), groups)
	if err != nil || len(all.Result) < 20 {
		t.Errorf("%v", err)
	}
}
