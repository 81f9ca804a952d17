package cloudflare_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
)

// TestLeftAsItIs: what the spec does not say of a record stays when something else of it changes. Others lose that a record is
// proxied, or its TTL (octodns 202 and 1090, external-dns 1463).
func TestLeftAsItIs(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	s := recordSpec(cloudflare.Record{Name: "a", Type: "A", Contents: []string{"192.0.2.1"}},
		cloudflare.Record{Name: "b", Type: "A", Contents: []string{"192.0.2.1"}})
	w.converge(t, s)
	for _, x := range w.records(t, "example.fr") {
		change := map[string]any{"ttl": 900, "comment": x.Comment + "; by hand"}
		if strings.HasPrefix(x.Name, "a") {
			change = map[string]any{"proxied": true, "comment": x.Comment + "; by hand"}
		}
		w.call(t, "PATCH", "/zones/"+w.zone(t, "example.fr")+"/dns_records/"+x.ID, change)
	}
	w.settled(t, s)
	s.Zones[0].Records[0].Contents[0], s.Zones[0].Records[1].Contents[0] = "192.0.2.2", "192.0.2.2"
	w.converge(t, s)
	for _, x := range w.records(t, "example.fr") {
		a := strings.HasPrefix(x.Name, "a")
		if x.Content != "192.0.2.2" || x.Proxied != a || !a && x.TTL != 900 || !strings.HasSuffix(x.Comment, "; by hand") {
			t.Errorf("%+v", x)
		}
	}
}

// TestRulesOfOthers: the rule that Cloudflare gives every bucket, and rules that somebody has added, stay beside ours, and go not with
// them either.
func TestRulesOfOthers(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	s := cloudflare.Spec{Buckets: []cloudflare.Bucket{{Name: "files", Lifecycle: []cloudflare.LifecycleRule{{Name: "tmp", DeleteAfter: 1}}}}}
	const at = "/accounts/{a}/r2/buckets/files/lifecycle"
	for range 2 {
		w.converge(t, s)
		if rules := string(w.call(t, "GET", at, nil)); !strings.Contains(rules, "Default Multipart Abort Rule") ||
			strings.Contains(rules, "lab-tmp") != (len(s.Buckets[0].Lifecycle) > 0) {
			t.Errorf("%s", rules)
		}
		s.Buckets[0].Lifecycle = []cloudflare.LifecycleRule{} // none of ours
	}
}

// TestBucketIsNoOther: neither the location, which is a hint, nor the order and case of what CORS rules list, nor the default
// jurisdiction in words is a difference (terraform-provider-cloudflare 5187, 5373, 5567, 5607).
func TestBucketIsNoOther(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	cors := func(methods, headers string) []cloudflare.CORSRule {
		return []cloudflare.CORSRule{{Origins: []string{"*"}, Methods: strings.Fields(methods), Headers: strings.Fields(headers)}}
	}
	w.converge(t, cloudflare.Spec{Buckets: []cloudflare.Bucket{{Name: "files", Location: "weur",
		CORS: cors("GET PUT", "Range content-type")}}})
	w.settled(t, cloudflare.Spec{Buckets: []cloudflare.Bucket{{Name: "files", Jurisdiction: "default", Location: "apac",
		CORS: cors("PUT GET", "Content-Type range")}}})
	eu := cloudflare.Spec{Buckets: []cloudflare.Bucket{{Name: "files", Jurisdiction: "eu"}, {Name: "files"}}} // both are wanted
	w.converge(t, eu)
}

// TestRisks: what lets everybody read a bucket, or deletes its objects, is confirmed, and a bucket is never removed.
func TestRisks(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	s := cloudflare.Spec{Prune: true, Owned: func(string) bool { return true }, Buckets: []cloudflare.Bucket{{Name: "files"}, {Name: "old"}}}
	w.converge(t, s)
	for _, b := range []cloudflare.Bucket{{Name: "files", DevURL: true}, {Name: "files",
		Lifecycle: []cloudflare.LifecycleRule{{Name: "a", DeleteAfter: 1}}}} {
		s.Buckets = []cloudflare.Bucket{b} // and old is not wanted any more
		p := w.plan(t, s)
		if c := p.Changes(); len(c) != 1 || c[0].Risk != lab.RiskDataLoss {
			t.Errorf("%v", p)
		}
		_, written := w.Total()
		if _, err := p.Apply(t.Context(), nil); err == nil {
			t.Error("it was applied without a confirmation")
		}
		if _, n := w.Total(); n != written {
			t.Error("something was written")
		}
	}
}

// TestAnswersThatAreNone are answers that are no success, in ways that others take for one or show in full.
func TestAnswersThatAreNone(t *testing.T) {
	const secret = "value-of-a-secret-that-nobody-shall-see"
	json := http.Header{"Content-Type": {"application/json"}}
	for name, test := range map[string]struct {
		how  cloudflaretest.Failure
		kind error
		says string
	}{
		"SuccessFalse": {cloudflaretest.Failure{Status: 200, Header: json,
			Body: `{"success":false,"errors":[{"code":10001,"message":"no"}],"result":null}`}, lab.ErrInvalid, "no (10001)"},
		"NoResult": {cloudflaretest.Failure{Status: 200, Header: json, Body: `{"success":true,"errors":[],"result":null}`},
			lab.ErrConflict, "no result"},
		"NoJSON": {cloudflaretest.Failure{Status: 200, Body: "<html>" + secret}, lab.ErrConflict, "proxy"},
		"OtherJSON": {cloudflaretest.Failure{Status: 200, Header: json, Body: `{"success":true,"result":"` + secret + `"}`},
			lab.ErrConflict, ""},
		"Gateway":    {cloudflaretest.Failure{Status: 502, Body: "<html>" + secret}, lab.ErrUnreachable, "502"},
		"Cloudflare": {cloudflaretest.Failure{Status: 520, Body: "<html>" + secret}, lab.ErrUnreachable, "520"},
		"Forbidden": {cloudflaretest.Failure{Status: 403, Header: json,
			Body: `{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"result":null}`},
			lab.ErrUnauthorized, "allowed to do this"},
		"Redirect": {cloudflaretest.Failure{Status: 302, Header: http.Header{"Location": {"https://192.0.2.1/"}}}, lab.ErrRefused, ""},
		"TooMany": {cloudflaretest.Failure{Status: 429, Header: http.Header{"Retry-After": {"300"}}, Body: "{}"},
			lab.ErrBlocked, "five minutes"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, cloudflaretest.Config{})
			s := w.tokenSpec()
			p := w.plan(t, s)
			w.FailAt(1, test.how)
			r, err := apply(p)
			text := fmt.Sprintf("%v %+v %v %v", err, err, r, lab.Hints(err))
			if !errors.Is(err, test.kind) || !strings.Contains(text, test.says) || strings.Contains(text, secret) {
				t.Errorf("%s, want %v and %q", text, test.kind, test.says)
			}
			w.converge(t, s)
			if live := w.live(t); len(live) != 1 {
				t.Errorf("%q are live", live)
			}
		})
	}
}

// TestWrongToken: a token that is of no use is said, and nothing is planned from empty lists.
func TestWrongToken(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	s := everything(w)
	w.converge(t, s)
	a := w.account
	a.Token = lab.NewSecret("wrong-token-0123456789")
	p, err := a.Plan(t.Context(), s)
	if !errors.Is(err, lab.ErrUnauthorized) || p == nil || !p.Empty() || strings.Contains(fmt.Sprint(err), "wrong-token") {
		t.Errorf("%v, %v", p, err)
	}
}

// TestManyPages: more zones, tokens and buckets than a page has are all read.
func TestManyPages(t *testing.T) {
	c := cloudflaretest.Config{}
	for n := range 120 {
		c.Zones = append(c.Zones, fmt.Sprintf("z%03d.fr", n))
	}
	w := newWorld(t, c)
	s := cloudflare.Spec{Stack: "test", Sink: w.sink, Zones: []cloudflare.Zone{{Name: "z119.fr", Records: []cloudflare.Record{
		{Name: "a", Type: "A", Contents: []string{"192.0.2.1"}}}}}}
	for n := range 45 {
		s.Buckets = append(s.Buckets, cloudflare.Bucket{Name: fmt.Sprintf("bucket-%d", n)})
	}
	for n := range 60 {
		s.Tokens = append(s.Tokens, cloudflare.Token{Name: fmt.Sprintf("t%d", n), Grants: []cloudflare.Grant{
			{Permissions: []string{"DNS Read"}, Zones: []string{"z118.fr"}}}})
	}
	w.converge(t, s)
}

// TestIDs: what a plan may do is known before anything is asked.
func TestIDs(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	s := everything(w)
	ids := s.IDs()
	for _, c := range w.plan(t, s).Changes() {
		if !slices.Contains(ids, c.ID) || !slices.Contains(ids, strings.TrimPrefix(c.ID, "cloudflare/")) {
			t.Errorf("%s is not known", c.ID)
		}
	}
	if n, _ := w.Total(); n == 0 || len(ids) != 2*len(w.plan(t, s).Changes())+2*2 { // two zones are there already
		t.Errorf("%d IDs of %d changes", len(ids), len(w.plan(t, s).Changes()))
	}
}

// TestDomainOfAnother: a host name that another project has is an error, and one that was added meanwhile is none.
func TestDomainOfAnother(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	s := cloudflare.Spec{Pages: []cloudflare.Page{{Name: "cms", Domains: []string{"www.example.fr"}}}}
	p := w.plan(t, s)
	w.call(t, "POST", "/accounts/{a}/pages/projects", map[string]any{"name": "theirs", "production_branch": "main"})
	w.call(t, "POST", "/accounts/{a}/pages/projects/theirs/domains", map[string]any{"name": "www.example.fr"})
	if _, err := apply(p); !errors.Is(err, lab.ErrConflict) {
		t.Errorf("%v", err)
	}
	s.Pages[0].Domains = []string{"docs.example.fr"}
	w.FailAt(1, cloudflaretest.Failure{Done: true}) // the answer to adding it
	if _, err := w.apply(t, s); !errors.Is(err, lab.ErrUnreachable) {
		t.Errorf("%v", err)
	}
	w.settled(t, s)
	s.Pages[0].Domains = append(s.Pages[0].Domains, "new.example.fr")
	w.FailAt(1, cloudflaretest.Failure{Done: true, Status: 409, // as if another run had just added it
		Body: `{"success":false,"errors":[{"code":8000018,"message":"You have already added this custom domain."}],"result":null}`})
	if r, err := w.apply(t, s); err != nil {
		t.Errorf("%v\n%v", err, r)
	}
	w.settled(t, s)
}

// TestEcho: a server that says the token that it was sent does not make us say it.
func TestEcho(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	token := w.account.Token.Reveal()
	w.FailAt(1, cloudflaretest.Failure{Status: 400, Header: http.Header{"Content-Type": {"application/json"}},
		Body: `{"success":false,"errors":[{"code":1000,"message":"Bearer ` + token + ` is wrong"}],"result":null}`})
	_, err := w.apply(t, w.tokenSpec())
	if err == nil || strings.Contains(fmt.Sprintf("%v %+v", err, err), token) || !strings.Contains(err.Error(), "is wrong") {
		t.Errorf("%v", err)
	}
}

// TestWidgetsOfOneName: of several widgets of one name, ours is the one whose key is kept; the others are left.
func TestWidgetsOfOneName(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	add := func() {
		w.call(t, "POST", "/accounts/{a}/challenges/widgets", map[string]any{"name": "login", "domains": []string{"x.fr"}, "mode": "managed"})
	}
	s := cloudflare.Spec{Sink: w.sink, Widgets: []cloudflare.Widget{{Name: "login", Domains: []string{"a.fr"}}}}
	w.converge(t, s)
	key := w.value(t, "cloudflare-widget-login-sitekey")
	for range 3 {
		add()
		w.settled(t, s)
	}
	s.Widgets[0].Domains = []string{"b.fr"}
	w.converge(t, s)
	if w.value(t, "cloudflare-widget-login-sitekey") != key {
		t.Error("it is another one")
	}
	// One that comes first in the list is not taken for ours either.
	other := newWorld(t, cloudflaretest.Config{})
	for range 2 {
		other.call(t, "POST", "/accounts/{a}/challenges/widgets", map[string]any{"name": "login", "domains": []string{"x.fr"}, "mode": "managed"})
	}
	second := lab.NewSecret(other.widgets(t)[1].Sitekey)
	fatal(t, other.sink.Put(t.Context(), "cloudflare-widget-login-sitekey", second))
	s.Sink = other.sink
	other.converge(t, s)
	if other.value(t, "cloudflare-widget-login-sitekey") != second.Reveal() {
		t.Error("the first one is taken for ours")
	}
}
