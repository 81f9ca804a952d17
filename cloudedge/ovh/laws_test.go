package ovh_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh/ovhtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
)

// cost is what a plan of everything costs when nothing is to be done: the API's time; the IDs of clients, the one of
// ours, and the login that proves its secret; the policies; the zone and its export; the domain, the IDs of its name
// servers, and the two.
const cost = 1 + 3 + 1 + 2 + 4

func TestLaws(t *testing.T) {
	lawtest.Laws(t, func(t *testing.T) lawtest.World { return lawful(t) })
}

// lawful is a new account, whose clock is an hour behind, as the laws see it.
func lawful(tb testing.TB) lawtest.World {
	tb.Helper()
	w := newWorld(tb, ovhtest.Config{Clock: -time.Hour})
	contracts(tb, w.Server)
	return lawtest.World{
		Plan:       func(ctx context.Context) (*lab.Plan, error) { return w.account.Plan(ctx, w.spec) },
		Writes:     func(testing.TB) int64 { _, n := w.Total(); return n },
		RoundTrips: func() int64 { n, _ := w.Total(); return n },
		Cost:       cost,
		Drift:      w.drift,
		Foreign:    w.foreign,
		Secrets:    []lab.Secret{w.account.ApplicationSecret, w.account.ConsumerKey},
		Within: func(ctx context.Context, b *lab.Boundary) error {
			a := w.account
			a.Boundary = b
			_, err := a.Plan(ctx, w.spec)
			return err
		},
		Again: func(tb testing.TB) lawtest.World { return lawful(tb) },
		Cuts: []lawtest.Cut{
			{Name: "NotDone", Least: 12, Arm: w.cut(ovhtest.Failure{})},
			{Name: "LostAnswer", Least: 12, Arm: w.cut(ovhtest.Failure{Done: true})},
		},
	}
}

func (w *world) cut(how ovhtest.Failure) func(testing.TB, int) func(error) bool {
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

// drift changes something of every kind.
func (w *world) drift(tb testing.TB) {
	tb.Helper()
	w.ChangeClients(func(name, description, _ *string) {
		if strings.Contains(*description, "edits") {
			*name, *description = "renamed", strings.Replace(*description, "edits", "reads", 1)
		}
	})
	w.ChangeRecords(domain, []string{"@ MX"}, []string{"@ IN MX 30 mx9.example.com.", "www IN CNAME cms.pages.dev."}, true)
	w.AddDomain(domain, "ada.ns.cloudflare.com", "dns104.ovh.net")
}

// foreign creates things that are not ours.
func (w *world) foreign(tb testing.TB) func() string {
	tb.Helper()
	w.AddClient("theirs", "managed-by=lab2;owner=lab/client/theirs", "CLIENT_CREDENTIALS")
	w.AddClient("cms", "managed-by=lab;owner=another/client/cms", "CLIENT_CREDENTIALS")
	w.AddPolicy("theirs", "managed-by=lab;owner=another/policy/theirs", false, "urn:v1:eu:identity:account:x",
		"urn:v1:eu:resource:vps:v", "vps:apiovh:reboot")
	w.AddPolicy("ovh-default", "managed-by=lab;owner=lab/policy/ovh-default", true, "urn:v1:eu:identity:account:x", "urn:v1:eu:resource:vps:v",
		"vps:apiovh:reboot")
	w.theirs = []ovh.Record{{Type: "A", Name: "theirs", Targets: []string{"192.0.2.9"}}, {Type: "TXT", Name: "theirs", Targets: []string{"x"}}}
	w.ChangeRecords(domain, nil, []string{"theirs IN A 192.0.2.9", "theirs IN TXT \"x\""}, false)
	return func() string {
		var b strings.Builder
		for _, c := range w.Clients() {
			if strings.Contains(c, "lab2") || strings.Contains(c, "another") {
				b.WriteString(c + "\n")
			}
		}
		b.WriteString(w.Policies()["theirs"] + w.Policies()["ovh-default"])
		for line := range strings.Lines(w.Served(domain)) {
			if strings.HasPrefix(line, "theirs") || strings.Contains(line, "spf1") {
				b.WriteString(line)
			}
		}
		return b.String()
	}
}
