package ovh_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh/ovhtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// zoneOnly wants records alone.
func zoneOnly(tb testing.TB, c ovhtest.Config, records ...ovh.Record) *world {
	tb.Helper()
	w := newWorld(tb, c)
	contracts(tb, w.Server)
	w.spec = ovh.Spec{Adopt: true, Zones: []ovh.Zone{{Name: domain, Records: records}}}
	return w
}

// serves returns the lines that are served with a text in them, without spaces.
func (w *world) serves(text string) (all []string) {
	for line := range strings.Lines(w.Served(domain)) {
		if strings.Contains(line, text) {
			all = append(all, strings.Join(strings.Fields(line), " "))
		}
	}
	return all
}

func (w *world) wantServed(tb testing.TB, text string, want ...string) {
	tb.Helper()
	if has := w.serves(text); fmt.Sprintf("%q", has) != fmt.Sprintf("%q", want) {
		tb.Errorf("served is %q, want %q", has, want)
	}
}

// Complaints of users of the peers, of which edge rows are in docs/edge-ovh.md. The numbers are issues of
// ovh/terraform-provider-ovh unless it is said otherwise.

// 292, 251: a second A record was added, and the first stayed.
func TestComplaintSecondRecord(t *testing.T) {
	w := zoneOnly(t, ovhtest.Config{}, ovh.Record{Type: "A", Targets: []string{"203.0.113.7"}})
	w.converge(t)
	w.wantServed(t, "IN A", "IN A 203.0.113.7")
}

// 211, 214, 275: IDs change when a zone is edited as a text, and the ID of a record that does not exist stays listed.
func TestComplaintIDs(t *testing.T) {
	w := zoneOnly(t, ovhtest.Config{}, ovh.Record{Type: "A", Name: "www2", Targets: []string{"203.0.113.7"}})
	w.converge(t)
	w.ChangeRecords(domain, nil, nil, true)
	if p := w.plan(t); !p.Empty() {
		t.Errorf("other IDs are no difference: %v", p)
	}
	w.AddGhost(domain, "www2")
	w.spec.Zones[0].Records[0].Targets = []string{"203.0.113.8"}
	w.converge(t)
	w.wantServed(t, "www2", "www2 IN A 203.0.113.8")
}

// 76, 930, 1290: a refresh that collides with another is lost in silence, and the records are never served.
func TestComplaintRefresh(t *testing.T) {
	w := zoneOnly(t, ovhtest.Config{}, ovh.Record{Type: "A", Name: "a", Targets: []string{"203.0.113.7"}},
		ovh.Record{Type: "A", Name: "b", Targets: []string{"203.0.113.7"}})
	w.Busy(domain, 3)
	w.converge(t)
	w.wantServed(t, "203.0.113.7", "a IN A 203.0.113.7", "b IN A 203.0.113.7")
	if n := w.Requests()["POST /v1/domain/zone/"+domain+"/refresh"]; n != 4 {
		t.Errorf("%d refreshes", n)
	}
}

// A run that is cut off before the refresh leaves records that nobody serves and that look right: the next run knows.
func TestCutOffBeforeRefresh(t *testing.T) {
	w := zoneOnly(t, ovhtest.Config{}, ovh.Record{Type: "A", Name: "a", Targets: []string{"203.0.113.7"}})
	w.FailAt(3, ovhtest.Failure{}) // the tag, the record, the refresh
	if _, err := w.plan(t).Apply(t.Context(), nil); !errors.Is(err, lab.ErrUnreachable) {
		t.Fatal(err)
	}
	w.wantServed(t, "203.0.113.7")
	p := w.converge(t)
	if len(p.Changes()) != 1 || !strings.Contains(p.Changes()[0].Cause, "not refreshed") {
		t.Error(p)
	}
	w.wantServed(t, "203.0.113.7", "a IN A 203.0.113.7")
	if tags := w.Tags(domain); tags != "map[]" {
		t.Error(tags)
	}
}

// 666: a TTL of 0 and the zone's own are the same.
func TestComplaintTTL(t *testing.T) {
	w := zoneOnly(t, ovhtest.Config{}, ovh.Record{Type: "A", Name: "a", Targets: []string{"203.0.113.7"}, TTL: 3600})
	w.converge(t)
	w.spec.Zones[0].Records[0].TTL = 0
	if p := w.plan(t); !p.Empty() {
		t.Error(p)
	}
	w.spec.Zones[0].Records[0].TTL = 300
	w.converge(t)
	w.wantServed(t, "203.0.113.7", "a 300 IN A 203.0.113.7")
	w.ChangeRecords(domain, nil, []string{"a IN A 203.0.113.8"}, false)
	w.spec.Zones[0].Records[0].Targets = []string{"203.0.113.7", "203.0.113.8"}
	w.converge(t) // one had another than the other
	w.wantServed(t, "203.0.113", "a 300 IN A 203.0.113.7", "300 IN A 203.0.113.8")
}

// 1193, 1225: texts come back quoted, and long ones in pieces, which was a difference for ever. octodns 114: OVH has
// types of its own for some.
func TestComplaintTexts(t *testing.T) {
	long := "v=DKIM1; k=rsa; p=" + strings.Repeat("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A", 16)
	w := zoneOnly(t, ovhtest.Config{}, ovh.Record{Type: "TXT", Name: "_challenge", Targets: []string{"ae7075db8b68ad8d9a16faa3ead22a"}},
		ovh.Record{Type: "TXT", Name: "google._domainkey", Targets: []string{long}},
		ovh.Record{Type: "TXT", Name: "odd", Targets: []string{`say "no"; \ (é)`, `"in" " pieces"`}},
		ovh.Record{Type: "TXT", Name: "zmail._domainkey", Targets: []string{"v=DKIM1; p=new"}},
		ovh.Record{Type: "TXT", Name: "kept._domainkey", Targets: []string{"v=DKIM1; p=kept"}})
	w.ChangeRecords(domain, nil, []string{`zmail._domainkey IN DKIM "v=DKIM1; p=old"`, `kept._domainkey IN DKIM "v=DKIM1; p=kept"`}, false)
	w.converge(t)
	w.wantServed(t, "kept", `kept._domainkey IN TXT "v=DKIM1; p=kept"`)
	w.wantServed(t, "zmail", `zmail._domainkey IN TXT "v=DKIM1; p=new"`)
	w.wantServed(t, "pieces", `odd IN TXT "in pieces"`)
}

// external-dns 2403, 5711, 6088, octodns 832, ansible 19198: the zone's name doubled, and the dots at the ends of
// targets.
func TestComplaintDots(t *testing.T) {
	w := zoneOnly(t, ovhtest.Config{},
		ovh.Record{Type: "SRV", Name: "_imaps._tcp", Targets: []string{"0 1 993 imap.zoho.eu."}},
		ovh.Record{Type: "A", Name: "@", Targets: []string{"203.0.113.7"}},
		ovh.Record{Type: "CNAME", Name: "*.apps", Targets: []string{"Apps.Example.com."}})
	w.converge(t)
	w.wantServed(t, "_imaps", "_imaps._tcp IN SRV 0 1 993 imap.zoho.eu.")
	w.wantServed(t, "apps", "*.apps IN CNAME apps.example.com.")
}

// A new record cannot be read for a while, and its ID may be 0 in the answer.
func TestComplaintYoungRecords(t *testing.T) {
	w := zoneOnly(t, ovhtest.Config{Lag: 3})
	for n := range 7 {
		w.spec.Zones[0].Records = append(w.spec.Zones[0].Records,
			ovh.Record{Type: "TXT", Name: fmt.Sprintf("_a%d", n), Targets: []string{"x", "y"}})
	}
	w.converge(t)
	for n := range w.spec.Zones[0].Records {
		w.spec.Zones[0].Records[n].Targets = []string{"y", "z"}
	}
	w.converge(t)
	if y, z := w.serves(`"y"`), w.serves(`"z"`); len(y) != 7 || len(z) != 7 || len(w.serves(`"x"`)) != 0 {
		t.Errorf("%q %q", y, z)
	}
}

// TestTwoWritersOfAZone lets two runs add the same: one record too many is removed by the next.
func TestTwoWritersOfAZone(t *testing.T) {
	w := zoneOnly(t, ovhtest.Config{}, ovh.Record{Type: "A", Name: "a", Targets: []string{"203.0.113.7"}})
	ends := make(chan error, 2)
	for range 2 {
		p := w.plan(t)
		go func() {
			_, err := p.Apply(context.Background(), nil)
			ends <- err
		}()
	}
	<-ends
	<-ends
	w.ChangeRecords(domain, nil, []string{"a IN A 203.0.113.7"}, false)
	w.converge(t)
	w.wantServed(t, "203.0.113.7", "a IN A 203.0.113.7")
	if tags := w.Tags(domain); tags != "map[]" {
		t.Error(tags)
	}
}

// TestNotAsAccepted finds that OVH keeps something else than it has accepted.
func TestNotAsAccepted(t *testing.T) {
	w := zoneOnly(t, ovhtest.Config{Lag: 1000}, ovh.Record{Type: "A", Name: "a", Targets: []string{"203.0.113.7"}})
	if _, err := w.plan(t).Apply(t.Context(), nil); !errors.Is(err, lab.ErrDrift) || !strings.Contains(err.Error(), "A a") {
		t.Errorf("%v", err)
	}
	if tags := w.Tags(domain); tags == "map[]" {
		t.Error("the next run would not refresh")
	}
}

func TestTypeOfANameChanges(t *testing.T) {
	w := zoneOnly(t, ovhtest.Config{}, ovh.Record{Type: "A", Name: "www", Targets: []string{"203.0.113.7"}},
		ovh.Record{Type: "CNAME", Name: "www", Absent: true})
	w.converge(t)
	w.wantServed(t, "www", "www IN A 203.0.113.7")

	w.spec.Zones[0].Records = []ovh.Record{{Type: "CNAME", Name: "www", Targets: []string{"a.example.com."}}}
	w.spec.Prune, w.spec.Owned = true, func(id string) bool { return strings.Contains(id, "/www") }
	w.converge(t)
	w.wantServed(t, "www", "www IN CNAME a.example.com.")

	w.spec.Adopt, w.spec.Owned = false, nil // and now it is somebody else's
	w.spec.Zones[0].Records = []ovh.Record{{Type: "A", Name: "www", Targets: []string{"203.0.113.7"}}}
	for range 2 {
		p, err := w.account.Plan(t.Context(), w.spec)
		if !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "beside CNAME www") || !p.Empty() {
			t.Errorf("%v %v", p, err)
		}
		w.spec.Zones[0].Records = append(w.spec.Zones[0].Records, ovh.Record{Type: "CNAME", Name: "www", Absent: true})
	}
}

func TestForeignRecords(t *testing.T) {
	w := zoneOnly(t, ovhtest.Config{}, ovh.Record{Type: "A", Targets: []string{"203.0.113.7"}},
		ovh.Record{Type: "MX", Targets: []string{"10 mx.zoho.eu."}})
	w.spec.Adopt = false
	_, err := w.account.Plan(t.Context(), w.spec)
	var e *lab.Error
	if !errors.As(err, &e) || e.Set.Name != ovh.SettingAdopt || !strings.Contains(err.Error(), "arcodange.fr/A/@: conflict: it exists") ||
		strings.Contains(err.Error(), "MX") {
		t.Fatalf("%v", err)
	}
	w.spec.Owned = func(id string) bool {
		return id == ovh.RecordID(domain, "A", "@") && id == "ovh/record:arcodange.fr/A/@"
	}
	w.converge(t)
}

func TestPrunedRecords(t *testing.T) {
	w := zoneOnly(t, ovhtest.Config{})
	w.spec.Prune, w.spec.Adopt = true, false
	var lines []string
	for n := range 7 {
		lines = append(lines, fmt.Sprintf("old%d IN A 192.0.2.9", n))
	}
	w.ChangeRecords(domain, nil, lines, false)
	w.spec.Zones[0].Records = []ovh.Record{{Type: "MX", Targets: []string{"10 mx.zoho.eu."}}}
	w.spec.Owned = func(id string) bool { return strings.Contains(id, "/A/old") || strings.Contains(id, "/NS/@") }
	_, err := w.account.Plan(t.Context(), w.spec)
	var e *lab.Error
	if !errors.As(err, &e) || !errors.Is(err, lab.ErrRefused) || e.Set != (lab.Setting{Name: reconcile.SettingMaxDeletes, Value: "7"}) {
		t.Fatalf("%v", err)
	}
	w.spec.MaxDeletes = 7
	w.converge(t)
	if n := w.Requests()["POST /v1/domain/zone/"+domain+"/refresh"]; n != 1 {
		t.Errorf("%d refreshes", n)
	}
	w.wantServed(t, "old")
	if n := len(w.serves("IN NS")); n != 2 {
		t.Errorf("%d name servers", n)
	}
}

func TestBackup(t *testing.T) {
	w := zoneOnly(t, ovhtest.Config{}, ovh.Record{Type: "A", Targets: []string{"203.0.113.7"}})
	before := w.Served(domain)
	w.spec.Backup = func(_ context.Context, _, text string) error {
		if text != before {
			t.Errorf("it is not the zone as it was: %s", text)
		}
		return errors.New("the bucket is gone")
	}
	_, err := w.plan(t).Apply(t.Context(), nil)
	if _, written := w.Total(); err == nil || !strings.Contains(err.Error(), "bucket is gone") || written != 0 {
		t.Errorf("%v, and %d writes", err, written)
	}
}

func TestNoSuchZone(t *testing.T) {
	w := zoneOnly(t, ovhtest.Config{})
	w.spec.Zones[0].Name = "nobodys.fr"
	if _, err := w.account.Plan(t.Context(), w.spec); !errors.Is(err, lab.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// TestCostOfManyRecords plans a zone of 1,000 records: Terraform asks for each.
func TestCostOfManyRecords(t *testing.T) {
	w := zoneOnly(t, ovhtest.Config{})
	var lines []string
	for n := range 1000 {
		lines = append(lines, fmt.Sprintf("host%d IN A 192.0.2.%d", n, n%256))
		w.spec.Zones[0].Records = append(w.spec.Zones[0].Records,
			ovh.Record{Type: "A", Name: fmt.Sprintf("host%d", n), Targets: []string{fmt.Sprintf("192.0.2.%d", n%256)}})
	}
	w.ChangeRecords(domain, nil, lines, false)
	before, _ := w.Total()
	if p := w.plan(t); !p.Empty() {
		t.Fatal(p)
	}
	after, _ := w.Total()
	t.Logf("%d requests, beside the 1,000 of Terraform's ovh_domain_zone_record", after-before)
	if after-before != 3 { // the time, the zone, its export
		t.Errorf("%d requests", after-before)
	}
}
