package cloudflare_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
)

func recordSpec(records ...cloudflare.Record) cloudflare.Spec {
	if records == nil {
		records = []cloudflare.Record{}
	}
	return cloudflare.Spec{Stack: "test", Zones: []cloudflare.Zone{{Name: "example.fr", Records: records}}}
}

// served are the records of a zone, "A www.example.fr 192.0.2.1".
func (w *world) served(tb testing.TB, zone string) (all []string) {
	tb.Helper()
	records, err := w.account.Records(tb.Context(), zone)
	if err != nil {
		tb.Fatal(err)
	}
	for _, r := range records {
		all = append(all, r.Type+" "+r.Name+" "+r.Content)
	}
	return all
}

// TestThousandRecords: a plan and an apply of 1,000 records cost 9 requests, where Terraform's provider sends one for each record to
// read it, and another to create it: 2,000.
func TestThousandRecords(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	var all []cloudflare.Record
	for n := range 1000 {
		all = append(all, cloudflare.Record{Name: fmt.Sprintf("r%d", n), Type: "A", Contents: []string{fmt.Sprintf("192.0.2.%d", n%250)}})
	}
	s := recordSpec(all...)
	s.Prune, s.MaxDeletes = true, 1000
	requests := func(f func()) int64 {
		before, _ := w.Total()
		f()
		after, _ := w.Total()
		return after - before
	}
	if n := requests(func() { _, err := w.apply(t, s); fatal(t, err) }); n != 2+2+5 {
		t.Errorf("to create them costs %d requests, want the zones and the records twice, and 5 batches", n)
	}
	if n := requests(func() { w.settled(t, s) }); n > 12 || n != 2 {
		t.Errorf("a plan of 1,000 records costs %d requests, want 2", n)
	}
	for n := range all {
		s.Zones[0].Records[n].TTL = 300
	}
	if n := requests(func() { _, err := w.apply(t, s); fatal(t, err) }); n > 12 {
		t.Errorf("to change all of them costs %d requests", n)
	}
	w.settled(t, s)
	s.Zones[0].Records = []cloudflare.Record{}
	if n := requests(func() { _, err := w.apply(t, s); fatal(t, err) }); n > 12 {
		t.Errorf("to remove all of them costs %d requests", n)
	}
	if left := w.served(t, "example.fr"); len(left) != 0 {
		t.Errorf("%d are left", len(left))
	}
}

func fatal(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// TestSets changes records of one name and type: what there is, what is wanted, and what is there in the end.
func TestSets(t *testing.T) {
	const mark = "managed-by=lab;owner=test/record/x"
	type has struct{ typ, name, content, comment string }
	a := func(name string, contents ...string) cloudflare.Record {
		return cloudflare.Record{Name: name, Type: "A", Contents: contents}
	}
	for name, test := range map[string]struct {
		has   []has
		want  []cloudflare.Record
		adopt bool
		end   []string
		kind  error
		says  string
	}{
		// OVH 251 and 292, and every tool that keys a record by its content: the address is changed, not added
		"Changed": {[]has{{"A", "www", "192.0.2.1", mark}}, []cloudflare.Record{a("www", "192.0.2.2")}, false,
			[]string{"A www.example.fr 192.0.2.2"}, nil, ""},
		"More": {[]has{{"A", "www", "192.0.2.1", mark}}, []cloudflare.Record{a("www", "192.0.2.2", "192.0.2.1")}, false,
			[]string{"A www.example.fr 192.0.2.1", "A www.example.fr 192.0.2.2"}, nil, ""},
		"Fewer": {[]has{{"A", "www", "192.0.2.1", mark}, {"A", "www", "192.0.2.2", mark}}, []cloudflare.Record{a("www", "192.0.2.2")}, false,
			[]string{"A www.example.fr 192.0.2.2"}, nil, ""},
		"EqualOfTheirs": {[]has{{"A", "www", "192.0.2.1", ""}}, []cloudflare.Record{a("www", "192.0.2.1")}, false,
			[]string{"A www.example.fr 192.0.2.1"}, nil, ""},
		"Theirs": {[]has{{"A", "www", "192.0.2.1", "by hand"}}, []cloudflare.Record{a("www", "192.0.2.2")}, false, nil,
			lab.ErrConflict, "take it over"},
		"OursAndTheirs": {[]has{{"A", "www", "192.0.2.1", mark}, {"A", "www", "192.0.2.9", ""}},
			[]cloudflare.Record{a("www", "192.0.2.1")}, false, nil, lab.ErrConflict, ""},
		"BesideTheirs": {[]has{{"A", "www", "192.0.2.9", ""}}, []cloudflare.Record{a("www", "192.0.2.9", "192.0.2.1")}, false,
			nil, lab.ErrConflict, ""},
		"Adopted": {[]has{{"A", "www", "192.0.2.1", "by hand"}, {"A", "www", "192.0.2.3", ""}},
			[]cloudflare.Record{a("www", "192.0.2.2")}, true, []string{"A www.example.fr 192.0.2.2"}, nil, ""},
		"OfAnotherStack": {[]has{{"A", "www", "192.0.2.1", "managed-by=lab;owner=prod/record/x"}},
			[]cloudflare.Record{a("www", "192.0.2.2")}, true, nil, lab.ErrConflict, "the stack prod"},
		// a TXT record of somebody else's says something else: it stays beside ours
		"Text": {[]has{{"TXT", "@", `"google-site-verification=x"`, ""}}, []cloudflare.Record{{Name: "@", Type: "TXT",
			Contents: []string{"v=spf1 -all"}}}, false,
			[]string{"TXT example.fr google-site-verification=x", "TXT example.fr v=spf1 -all"}, nil, ""},
		// of which a name has one: two of them would be none
		"SPF": {[]has{{"TXT", "@", `"v=spf1 include:theirs.example ~all"`, ""}},
			[]cloudflare.Record{{Name: "@", Type: "TXT", Contents: []string{"v=spf1 -all"}}}, false, nil, lab.ErrConflict, "take it over"},
		"DMARC": {[]has{{"TXT", "_dmarc", `v=DMARC1;p=none`, ""}},
			[]cloudflare.Record{{Name: "_dmarc", Type: "TXT", Contents: []string{"v=DMARC1; p=reject"}}}, false, nil, lab.ErrConflict, ""},
		"SPFAdopted": {[]has{{"TXT", "@", `"v=spf1 include:theirs.example ~all"`, ""}, {"TXT", "@", `"x=y"`, ""}},
			[]cloudflare.Record{{Name: "@", Type: "TXT", Contents: []string{"v=spf1 -all"}}}, true,
			[]string{"TXT example.fr v=spf1 -all", "TXT example.fr x=y"}, nil, ""},
		// in one batch, so that the name always has an answer
		"TypeChanged": {[]has{{"CNAME", "www", "a.example.org", mark}}, []cloudflare.Record{a("www", "192.0.2.2")}, false,
			[]string{"A www.example.fr 192.0.2.2"}, nil, ""},
		"ToAlias": {[]has{{"A", "www", "192.0.2.1", mark}, {"AAAA", "www", "2001:db8::1", mark}},
			[]cloudflare.Record{{Name: "www", Type: "CNAME", Contents: []string{"a.example.org"}}}, false,
			[]string{"CNAME www.example.fr a.example.org"}, nil, ""},
		"TypeOfTheirs": {[]has{{"CNAME", "www", "a.example.org", ""}}, []cloudflare.Record{a("www", "192.0.2.2")}, false, nil,
			lab.ErrConflict, ""},
		"Mail": {[]has{{"MX", "@", "mx.example.org", ""}}, []cloudflare.Record{{Name: "@", Type: "MX",
			Contents: []string{"20 mx2.example.org"}}}, false, nil, lab.ErrConflict, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, cloudflaretest.Config{})
			for _, h := range test.has {
				w.addRecord(t, "example.fr", h.typ, h.name, h.content, "comment", h.comment, "priority", 10)
			}
			before := w.records(t, "example.fr")
			s := recordSpec(test.want...)
			s.Adopt = test.adopt
			p, err := w.account.Plan(t.Context(), s)
			if test.kind != nil {
				if !errors.Is(err, test.kind) || !p.Empty() || !strings.Contains(fmt.Sprint(err, lab.Hints(err)), test.says) {
					t.Errorf("%v, %v, want %v", p, err, test.kind)
				}
				if after := w.records(t, "example.fr"); fmt.Sprint(after) != fmt.Sprint(before) {
					t.Errorf("it was\n%v\nand is\n%v", before, after)
				}
				return
			}
			fatal(t, err)
			_, written := w.Total()
			r, err := apply(p)
			if err != nil {
				t.Fatalf("%v\n%v", err, r)
			}
			if _, n := w.Total(); n-written > 1 {
				t.Errorf("%d requests write", n-written)
			}
			if end := w.served(t, "example.fr"); !slices.Equal(end, test.end) {
				t.Errorf("%q, want %q", end, test.end)
			}
			w.settled(t, s)
		})
	}
}

// TestWrittenOtherwise are contents and names that people and Cloudflare write in different ways: there is nothing to do.
func TestWrittenOtherwise(t *testing.T) {
	long := strings.Repeat("0123456789", 50)
	for name, test := range map[string]struct {
		typ, name, content string // as the API has it
		want               cloudflare.Record
		more               []any
	}{
		"Quotes":   {"TXT", "a", `"v=spf1 -all"`, cloudflare.Record{Name: "a", Contents: []string{"v=spf1 -all"}}, nil},
		"NoQuotes": {"TXT", "a", `v=spf1 -all`, cloudflare.Record{Name: "a", Contents: []string{`"v=spf1 -all"`}}, nil},
		"Strings":  {"TXT", "a", `"` + long[:255] + `" "` + long[255:] + `"`, cloudflare.Record{Name: "a", Contents: []string{long}}, nil},
		"OtherStrings": {"TXT", "a", `"` + long[:100] + `" "` + long[100:300] + `"  "` + long[300:] + `"`,
			cloudflare.Record{Name: "a", Contents: []string{long}}, nil},
		"Escapes": {"TXT", "a", `"a\"b\\c\195\169"`, cloudflare.Record{Name: "a", Contents: []string{`a"b\cé`}}, nil},
		"Case":    {"CNAME", "WWW", "Example.ORG", cloudflare.Record{Name: "www.Example.fr.", Contents: []string{"example.org."}}, nil},
		"Unicode": {"CNAME", "bücher", "straße.example.org", cloudflare.Record{Name: "xn--bcher-kva",
			Contents: []string{"STRAßE.example.org"}}, nil},
		"IPv6": {"AAAA", "a", "2001:db8:0:0:0:0:0:1", cloudflare.Record{Name: "a", Contents: []string{"2001:DB8::1"}}, nil},
		"Apex": {"A", "example.fr", "192.0.2.1", cloudflare.Record{Name: "@", Contents: []string{"192.0.2.1"}}, nil},
		"MX": {"MX", "@", "MX.example.org", cloudflare.Record{Name: "@", Contents: []string{"10  mx.example.org."}},
			[]any{"priority", 10}},
		"CAA": {"CAA", "@", "", cloudflare.Record{Name: "@", Contents: []string{`0 ISSUE letsencrypt.org`}},
			[]any{"data", map[string]any{"flags": 0, "tag": "issue", "value": "letsencrypt.org"}}},
		"SRV": {"SRV", "_a._tcp", "", cloudflare.Record{Name: "_a._tcp", Contents: []string{"0 5 5269 x.example.org."}},
			[]any{"data", map[string]any{"priority": 0, "weight": 5, "port": 5269, "target": "X.example.org."}}},
		"TTLOfProxied": {"A", "a", "192.0.2.1", cloudflare.Record{Name: "a", Contents: []string{"192.0.2.1"}, Proxied: yes()},
			[]any{"proxied", true}},
		"NothingIsSaid": {"A", "a", "192.0.2.1", cloudflare.Record{Name: "a", Contents: []string{"192.0.2.1"}},
			[]any{"proxied", true, "comment", "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, cloudflaretest.Config{})
			w.addRecord(t, "example.fr", test.typ, test.name, test.content, test.more...)
			test.want.Type = test.typ
			w.settled(t, recordSpec(test.want))
		})
	}
}

// TestRecordOfCloudflare: the record that a custom domain of a bucket has made is neither changed nor removed.
func TestRecordOfCloudflare(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	s := recordSpec()
	s.Prune = true
	s.Buckets = []cloudflare.Bucket{{Name: "files", Domains: []cloudflare.BucketDomain{{Name: "files.example.fr"}}}}
	w.converge(t, s)
	for _, typ := range []string{"CNAME", "A"} {
		s.Adopt = true
		s.Zones[0].Records = []cloudflare.Record{{Name: "files", Type: typ,
			Contents: []string{map[string]string{"CNAME": "a.example.org", "A": "192.0.2.1"}[typ]}}}
		if p, err := w.account.Plan(t.Context(), s); !errors.Is(err, lab.ErrConflict) || !p.Empty() {
			t.Errorf("%v, %v", p, err)
		}
	}
}

// TestRenamedRecord: a record of ours that somebody has given another name is made again under its own, and pruned under the other.
func TestRenamedRecord(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	s := recordSpec(cloudflare.Record{Name: "www", Type: "A", Contents: []string{"192.0.2.1"}})
	s.Prune = true
	w.converge(t, s)
	w.call(t, "PATCH", "/zones/"+w.zone(t, "example.fr")+"/dns_records/"+w.records(t, "example.fr")[0].ID,
		map[string]any{"name": "web.example.fr"})
	if p := w.plan(t, s); !slices.Equal(changes(p), []string{"create record:example.fr/A/www", "delete record:example.fr/A/web"}) {
		t.Errorf("%v", p)
	}
	w.converge(t, s)
}

// TestMarkFits: no mark is longer than the comment of a zone with the free plan, and what people say stands after it.
func TestMarkFits(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	long := strings.Repeat("a.", 60) + "www"
	w.converge(t, recordSpec(cloudflare.Record{Name: long, Type: "A", Contents: []string{"192.0.2.1"}, Comment: "for people"}))
	c := w.records(t, "example.fr")[0].Comment
	if len(c) > 100 || !strings.HasPrefix(c, "managed-by=lab;owner=test/record/") || !strings.HasSuffix(c, "; for people") {
		t.Errorf("%q", c)
	}
	s := recordSpec(cloudflare.Record{Name: "www", Type: "A", Contents: []string{"192.0.2.1"}, Comment: strings.Repeat("x", 90)})
	if _, err := w.account.Plan(t.Context(), s); err == nil || !strings.Contains(fmt.Sprint(err, lab.Hints(err)), "write up to") {
		t.Errorf("%v", err)
	}
}

// TestBulkDeletion: a spec that lost its records removes nothing.
func TestBulkDeletion(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	var all []cloudflare.Record
	for n := range 20 {
		all = append(all, cloudflare.Record{Name: fmt.Sprintf("r%d", n), Type: "A", Contents: []string{"192.0.2.1"}})
	}
	s := recordSpec(all...)
	s.Prune = true
	w.converge(t, s)
	s.Zones[0].Records = []cloudflare.Record{}
	if p, err := w.account.Plan(t.Context(), s); !errors.Is(err, lab.ErrRefused) || !p.Empty() {
		t.Errorf("%v, %v", p, err)
	}
}

// TestOneBadRecord: a batch is done whole or not at all, and the error says what Cloudflare does not take.
func TestOneBadRecord(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	w.FailAt(1, cloudflaretest.Failure{Status: 400,
		Body: `{"success":false,"errors":[{"code":9005,"message":"Content for A record is invalid."}],"messages":[],"result":null}`})
	r, err := w.apply(t, recordSpec(cloudflare.Record{Name: "a", Type: "A", Contents: []string{"192.0.2.1"}},
		cloudflare.Record{Name: "b", Type: "A", Contents: []string{"192.0.2.1"}}))
	if !errors.Is(err, lab.ErrInvalid) || !strings.Contains(err.Error(), "(9005)") || r.Count(lab.StatusFailed) != 2 ||
		len(w.served(t, "example.fr")) != 0 {
		t.Errorf("%v\n%v", err, r)
	}
}

// TestPrunedBesideTheirs removes a text of ours, and not that of somebody else beside it.
func TestPrunedBesideTheirs(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	s := recordSpec(cloudflare.Record{Name: "@", Type: "TXT", Contents: []string{"v=spf1 -all"}})
	s.Prune = true
	w.converge(t, s)
	w.addRecord(t, "example.fr", "TXT", "@", `"google-site-verification=x"`)
	s.Zones[0].Records = []cloudflare.Record{}
	w.converge(t, s)
	if served := w.served(t, "example.fr"); !slices.Equal(served, []string{"TXT example.fr google-site-verification=x"}) {
		t.Errorf("%q", served)
	}
}
