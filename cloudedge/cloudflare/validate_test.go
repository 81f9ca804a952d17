package cloudflare_test

import (
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
)

// TestWrongSpecs are specs that are wrong by themselves: every problem has its path, all are told at once, and nothing is asked.
func TestWrongSpecs(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	record := func(r cloudflare.Record) cloudflare.Spec {
		return cloudflare.Spec{Zones: []cloudflare.Zone{{Name: "example.fr", Records: []cloudflare.Record{r}}}}
	}
	token := func(g ...cloudflare.Grant) cloudflare.Spec {
		return cloudflare.Spec{Sink: w.sink, Tokens: []cloudflare.Token{{Name: "cms", Grants: g}}}
	}
	for name, test := range map[string]struct {
		spec cloudflare.Spec
		says string
	}{
		"BucketWithUnderscore": {cloudflare.Spec{Buckets: []cloudflare.Bucket{{Name: "arcodange_tf"}}}, "buckets[0].name"},
		"BucketInCapitals":     {cloudflare.Spec{Buckets: []cloudflare.Bucket{{Name: "Files"}}}, "buckets[0].name"},
		"BucketEnd":            {cloudflare.Spec{Buckets: []cloudflare.Bucket{{Name: "files-"}}}, "buckets[0].name"},
		"BucketTwice": {cloudflare.Spec{Buckets: []cloudflare.Bucket{{Name: "files"},
			{Name: "files", Jurisdiction: "default"}}}, "named twice"},
		"Jurisdiction": {cloudflare.Spec{Buckets: []cloudflare.Bucket{{Name: "files", Jurisdiction: "EU"}}},
			"write default, eu, fedramp"},
		"LocationInEU": {cloudflare.Spec{Buckets: []cloudflare.Bucket{{Name: "files", Jurisdiction: "eu",
			Location: "weur"}}}, "location"},
		"IdleRule": {cloudflare.Spec{Buckets: []cloudflare.Bucket{{Name: "files",
			Lifecycle: []cloudflare.LifecycleRule{{Name: "a"}}}}}, "does nothing"},
		"Origin": {cloudflare.Spec{Buckets: []cloudflare.Bucket{{Name: "files",
			CORS: []cloudflare.CORSRule{{Origins: []string{"https://a.fr/"}, Methods: []string{"GET"}}}}}}, "origins[0]"},
		"NoGrants": {token(), "may do nothing"},
		"GroupID":  {token(cloudflare.Grant{Permissions: []string{strings.Repeat("a", 32)}, Account: true}), "and no ID"},
		"TwoScopes": {token(cloudflare.Grant{Permissions: []string{"DNS Write"}, Account: true, Zones: []string{"*"}}),
			"several kinds"},
		"NoScope":       {token(cloudflare.Grant{Permissions: []string{"DNS Write"}}), "write one of"},
		"BucketOfGrant": {token(cloudflare.Grant{Permissions: []string{"x"}, Buckets: []string{"us/files"}}), "buckets[0]"},
		"NoSink": {cloudflare.Spec{Tokens: []cloudflare.Token{{Name: "cms",
			Grants: []cloudflare.Grant{{Permissions: []string{"x"}, Account: true}}}}}, "sink"},
		"SameEntry": {cloudflare.Spec{Sink: w.sink, Tunnels: []cloudflare.Tunnel{{Name: "a", Secret: "x"}},
			Widgets: []cloudflare.Widget{{Name: "b", Domains: []string{"a.fr"}, Secret: "x"}}}, "entry x is named twice"},
		"Address":       {record(cloudflare.Record{Name: "a", Type: "A", Contents: []string{"2001:db8::1"}}), "contents[0]"},
		"ZoneOfAddress": {record(cloudflare.Record{Name: "a", Type: "AAAA", Contents: []string{"fe80::1%eth0"}}), "contents[0]"},
		"NoPriority":    {record(cloudflare.Record{Name: "@", Type: "MX", Contents: []string{"mx.example.org"}}), `write "10 mx.example.com"`},
		"OneWord":       {record(cloudflare.Record{Name: "a", Type: "CNAME", Contents: []string{"www"}}), "one word"},
		"TwoAliases":    {record(cloudflare.Record{Name: "a", Type: "CNAME", Contents: []string{"a.b", "c.d"}}), "one CNAME"},
		"ProxiedText":   {record(cloudflare.Record{Name: "a", Type: "TXT", Contents: []string{"x"}, Proxied: yes()}), "cannot be proxied"},
		"ProxiedTTL": {record(cloudflare.Record{Name: "a", Type: "A", Contents: []string{"192.0.2.1"}, Proxied: yes(),
			TTL: 300}), "no effect"},
		"TTL":          {record(cloudflare.Record{Name: "a", Type: "A", Contents: []string{"192.0.2.1"}, TTL: 30}), "60 and 86400"},
		"OtherZone":    {record(cloudflare.Record{Name: "www.other.fr.", Type: "A", Contents: []string{"192.0.2.1"}}), "is not in example.fr"},
		"Label":        {record(cloudflare.Record{Name: "a b", Type: "A", Contents: []string{"192.0.2.1"}}), "records[0].name"},
		"OwnServers":   {record(cloudflare.Record{Name: "@", Type: "NS", Contents: []string{"ns.example.org"}}), "Cloudflare's"},
		"Type":         {record(cloudflare.Record{Name: "a", Type: "cname", Contents: []string{"a.b"}}), "write A, AAAA"},
		"ContentTwice": {record(cloudflare.Record{Name: "a", Type: "TXT", Contents: []string{"x", `"x"`}}), "there twice"},
		"TwoSPF": {record(cloudflare.Record{Name: "@", Type: "TXT", Contents: []string{"v=spf1 mx -all", "v=spf1 a -all"}}),
			"second of its kind"},
		"NoTunnel": {record(cloudflare.Record{Name: "a", Type: "CNAME", Contents: []string{"tunnel:home"}}), "no tunnel of the spec"},
		"Comment": {record(cloudflare.Record{Name: "a", Type: "A", Contents: []string{"192.0.2.1"},
			Comment: "x;owner=a/b/c"}), "comment"},
		"SameRecord": {cloudflare.Spec{Zones: []cloudflare.Zone{{Name: "example.fr", Records: []cloudflare.Record{
			{Name: "www", Type: "A", Contents: []string{"192.0.2.1"}}, {Name: "WWW.example.fr", Type: "A",
				Contents: []string{"192.0.2.2"}}}}}}, "named twice"},
		"AliasBeside": {cloudflare.Spec{Zones: []cloudflare.Zone{{Name: "example.fr", Records: []cloudflare.Record{
			{Name: "www", Type: "A", Contents: []string{"192.0.2.1"}}, {Name: "www", Type: "CNAME",
				Contents: []string{"a.b"}}}}}}, "cannot be beside"},
		"Service": {cloudflare.Spec{Sink: w.sink, Tunnels: []cloudflare.Tunnel{{Name: "a",
			Ingress: []cloudflare.Ingress{{Hostname: "a.fr", Service: "traefik:443"}}}}}, "service"},
		"Project": {cloudflare.Spec{Pages: []cloudflare.Page{{Name: "My Site"}}}, "pages[0].name"},
		"Widget":  {cloudflare.Spec{Sink: w.sink, Widgets: []cloudflare.Widget{{Name: "a"}}}, "1 to 10"},
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := w.Total()
			p, err := w.account.Plan(t.Context(), test.spec)
			if text := fmt.Sprint(err, lab.Hints(err)); p != nil || err == nil || !strings.Contains(text, test.says) {
				t.Errorf("%v, %s, want %q", p, text, test.says)
			}
			if after, _ := w.Total(); after != before {
				t.Error("something was asked")
			}
		})
	}
}

// TestWrongAccounts are accounts that are wrong by themselves.
func TestWrongAccounts(t *testing.T) {
	right := cloudflare.Account{ID: strings.Repeat("a", 32), Token: lab.NewSecret("hidden-token")}
	if ps := right.Validate(); len(ps) > 0 {
		t.Errorf("%v", ps)
	}
	for path, change := range map[string]func(*cloudflare.Account){
		"account":  func(a *cloudflare.Account) { a.ID = "../../zones" },
		"address":  func(a *cloudflare.Account) { a.Address = "http://192.0.2.1" },
		"address ": func(a *cloudflare.Account) { a.Address = "https://api.cloudflare.com/client/v4" },
		"token":    func(a *cloudflare.Account) { a.Token = lab.Secret{} },
		"token ":   func(a *cloudflare.Account) { a.Token = lab.NewSecret("hidden token\n") },
		"ca":       func(a *cloudflare.Account) { a.CA = "x" },
		"parallel": func(a *cloudflare.Account) { a.Parallel = -1 },
	} {
		a := right
		change(&a)
		_, err := a.Plan(t.Context(), cloudflare.Spec{})
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(path)) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
