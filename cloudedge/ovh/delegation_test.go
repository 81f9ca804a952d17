package ovh_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh/ovhtest"
)

// cutover wants the name servers alone, with all records on the other side.
func cutover(tb testing.TB, c ovhtest.Config) *world {
	tb.Helper()
	w := newWorld(tb, c)
	contracts(tb, w.Server)
	other := []ovh.Record{{Type: "A", Name: "@", Targets: []string{"192.0.2.1"}}, {Type: "CNAME", Name: "www", Targets: []string{domain}},
		{Type: "TXT", Targets: []string{"v=spf1 include:zoho.eu -all"}}, {Type: "MX", Targets: []string{"10 mx.zoho.eu"}}}
	w.spec = ovh.Spec{Delegations: []ovh.Delegation{{Domain: domain, NameServers: []string{"Bob.ns.cloudflare.com.", "ada.ns.cloudflare.com"},
		Other: func(context.Context) ([]ovh.Record, error) { return other, nil }}}}
	return w
}

const atCloudflare = "[ada.ns.cloudflare.com bob.ns.cloudflare.com]"

func (w *world) delegated() string { return "[" + strings.Join(w.NameServers(domain), " ") + "]" }

func TestDelegation(t *testing.T) {
	for _, lag := range []int{0, 2} {
		w := cutover(t, ovhtest.Config{Lag: lag})
		w.converge(t)
		if w.delegated() != atCloudflare {
			t.Error(w.delegated())
		}
		w.spec.Delegations[0].NameServers = []string{"dns104.ovh.net", "ns104.ovh.net"} // and back, which needs no other side
		w.spec.Delegations[0].Other = nil
		w.converge(t)
		if w.delegated() != "[dns104.ovh.net ns104.ovh.net]" {
			t.Error(w.delegated())
		}
	}
}

// TestDelegationNamesWhatIsMissing takes one record after the other away from the other side.
func TestDelegationNamesWhatIsMissing(t *testing.T) {
	for n, name := range []string{"A @ 192.0.2.1", "CNAME www arcodange.fr.", `TXT @ "v=spf1 include:zoho.eu -all"`, "MX @ 10 mx.zoho.eu."} {
		w := cutover(t, ovhtest.Config{})
		other, _ := w.spec.Delegations[0].Other(t.Context())
		w.spec.Delegations[0].Other = func(context.Context) ([]ovh.Record, error) {
			return append(append([]ovh.Record{}, other[:n]...), other[n+1:]...), nil
		}
		p, err := w.account.Plan(t.Context(), w.spec)
		if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), "1 records that OVH serves are not on the other side: "+name) ||
			!p.Empty() {
			t.Errorf("%v", err)
		}
		w.spec.Delegations[0].Dropped = []string{strings.Join(strings.Fields(name)[:2], " ")}
		w.converge(t)
	}
}

// TestDelegationTakesWholeNames lists the other side as an API does: each record by itself, by its whole name.
func TestDelegationTakesWholeNames(t *testing.T) {
	w := cutover(t, ovhtest.Config{})
	w.ChangeRecords(domain, nil, []string{"@ IN MX 20 mx2.zoho.eu.", "_dmarc IN DMARC \"v=DMARC1; p=none\""}, false)
	w.spec.Delegations[0].Other = func(context.Context) ([]ovh.Record, error) {
		return []ovh.Record{{Type: "A", Name: domain, Targets: []string{"192.0.2.1"}}, {Type: "CNAME", Name: "WWW." + domain + ".",
			Targets: []string{domain}}, {Type: "TXT", Name: domain, Targets: []string{`"v=spf1 include:zoho.eu" " -all"`}},
			{Type: "MX", Name: domain, Targets: []string{"10 mx.zoho.eu"}}, {Type: "MX", Name: domain, Targets: []string{"20 mx2.zoho.eu"}},
			{Type: "TXT", Name: "_dmarc." + domain, Targets: []string{"v=DMARC1; p=none"}},
			{Type: "HTTPS", Name: domain, Targets: []string{"1 ."}}}, nil
	}
	w.converge(t)
}

// TestDelegationWithoutOther refuses what nobody can judge.
func TestDelegationWithoutOther(t *testing.T) {
	w := cutover(t, ovhtest.Config{})
	w.spec.Delegations[0].Other = nil
	if _, err := w.account.Plan(t.Context(), w.spec); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("%v", err)
	}
	w.spec.Delegations[0].Other = func(context.Context) ([]ovh.Record, error) { return nil, errors.New("cloudflare is away") }
	if _, err := w.account.Plan(t.Context(), w.spec); err == nil || !strings.Contains(err.Error(), "cloudflare is away") {
		t.Errorf("%v", err)
	}
}

// TestDelegationLooksAgain loses a record on the other side between the plan and the apply.
func TestDelegationLooksAgain(t *testing.T) {
	w := cutover(t, ovhtest.Config{})
	p := w.plan(t)
	w.ChangeRecords(domain, nil, []string{"late IN A 192.0.2.9"}, false)
	r, err := p.Apply(t.Context(), nil)
	if !errors.Is(err, lab.ErrRefused) || r.Complete() || w.delegated() == atCloudflare {
		t.Errorf("%v %v %s", err, r, w.delegated())
	}
}

// TestDelegationCountsWantedRecords refuses while the other side lacks what the same plan is about to add at OVH.
func TestDelegationCountsWantedRecords(t *testing.T) {
	w := cutover(t, ovhtest.Config{})
	w.spec.Zones = []ovh.Zone{{Name: domain, Records: []ovh.Record{{Type: "A", Name: "new", Targets: []string{"192.0.2.7"}}}}}
	_, err := w.account.Plan(t.Context(), w.spec)
	if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), "A new 192.0.2.7") {
		t.Errorf("%v", err)
	}
}

func TestDNSSEC(t *testing.T) {
	for name, sign := range map[string]func(*world){
		"OVH":    func(w *world) { w.Sign(domain) },
		"Others": func(w *world) { w.AddKey(domain) },
	} {
		t.Run(name, func(t *testing.T) {
			w := cutover(t, ovhtest.Config{})
			sign(w)
			p, err := w.account.Plan(t.Context(), w.spec)
			var e *lab.Error
			if !errors.As(err, &e) || !errors.Is(err, lab.ErrRefused) || e.Set.Name != ovh.SettingRemoveDS || !p.Empty() {
				t.Fatalf("%v %v", p, err)
			}

			w.spec.Delegations[0].RemoveDS = true
			p, err = w.account.Plan(t.Context(), w.spec)
			if !errors.Is(err, lab.ErrBlocked) || len(p.Changes()) != 1 || p.Changes()[0].ID != "ovh/ds:"+domain {
				t.Fatalf("%v %v", p, err)
			}
			r, err := p.Apply(t.Context(), nil)
			if !errors.Is(err, lab.ErrBlocked) || r.Results[0].Status != lab.StatusDone {
				t.Errorf("%v %v", r, err)
			}
			if state, keys := w.DNSSEC(domain); state != "disabled" || keys != 0 || w.delegated() == atCloudflare {
				t.Errorf("%s, %d keys, %s", state, keys, w.delegated())
			}
			w.converge(t) // the later run
			if w.delegated() != atCloudflare {
				t.Error(w.delegated())
			}
			w.AddKey(domain) // that of the other side, which signs the zone now
			if p := w.plan(t); !p.Empty() {
				t.Errorf("it would be removed: %v", p)
			}
		})
	}
}

// TestDNSSECIsEnding continues what a run that was cut off has begun. While DNSSEC is ending, OVH says that it is
// activated, and refuses to end it (terraform-provider-ovh 1146).
func TestDNSSECIsEnding(t *testing.T) {
	w := cutover(t, ovhtest.Config{})
	w.Sign(domain)
	w.spec.Delegations[0].RemoveDS = true
	for n := range 3 {
		p, err := w.account.Plan(t.Context(), w.spec)
		if !errors.Is(err, lab.ErrBlocked) && n < 2 {
			t.Fatal(err)
		}
		if n == 0 {
			w.FailAt(1, ovhtest.Failure{Done: true})
		}
		r, err := p.Apply(t.Context(), nil)
		if n == 0 && !errors.Is(err, lab.ErrUnreachable) || n == 1 && r.Results[0].Status != lab.StatusDone {
			t.Errorf("%d: %v %v", n, r, err)
		}
	}
	if w.delegated() != atCloudflare {
		t.Error(w.delegated())
	}
}

func TestTaskThatFails(t *testing.T) {
	for _, status := range []string{"error", "problem", "cancelled"} {
		w := cutover(t, ovhtest.Config{})
		w.EndTask(domain, status)
		_, err := w.plan(t).Apply(t.Context(), nil)
		if !errors.Is(err, lab.ErrBlocked) || !strings.Contains(err.Error(), status+": the registry refuses it") ||
			w.delegated() == atCloudflare {
			t.Errorf("%v", err)
		}
		w.converge(t)
	}
}

// TestTaskUnderWay continues what a run that was cut off has asked for, and asks for it once.
func TestTaskUnderWay(t *testing.T) {
	w := cutover(t, ovhtest.Config{})
	w.FailAt(2, ovhtest.Failure{Done: true}) // the type, the name servers
	if _, err := w.plan(t).Apply(t.Context(), nil); !errors.Is(err, lab.ErrUnreachable) {
		t.Fatal(err)
	}
	if p := w.converge(t); !strings.Contains(p.String(), "its name servers are being changed") {
		t.Error(p)
	}
	if n := w.Requests()["POST /v1/domain/"+domain+"/nameServers/update"]; n != 1 || w.delegated() != atCloudflare {
		t.Errorf("asked %d times: %s", n, w.delegated())
	}
}

func TestTaskThatTakesTooLong(t *testing.T) {
	w := cutover(t, ovhtest.Config{Lag: 1 << 30}) // it is never to be seen
	w.account.Wait = 20e6
	if _, err := w.plan(t).Apply(t.Context(), nil); !errors.Is(err, lab.ErrTimeout) {
		t.Errorf("%v", err)
	}
}
