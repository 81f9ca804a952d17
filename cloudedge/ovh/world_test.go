package ovh_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh/ovhtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/contract"
)

// memory is a sink.
type memory struct {
	mu     sync.Mutex
	values map[string]lab.Secret
	broken error // of the next Put or Replace
}

func (m *memory) String() string { return "the memory" }

func (m *memory) Prove(context.Context) error { return nil }

func (m *memory) Get(_ context.Context, name string) (lab.Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.values[name]
	if !ok {
		return v, fmt.Errorf("%w: %s", lab.ErrNotFound, name)
	}
	return v, nil
}

func (m *memory) Put(_ context.Context, name string, s lab.Secret) error {
	return m.set(name, lab.Secret{}, s)
}

func (m *memory) Replace(_ context.Context, name string, old, s lab.Secret) error {
	return m.set(name, old, s)
}

func (m *memory) set(name string, old, s lab.Secret) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.broken; err != nil {
		m.broken = nil
		return err
	}
	if has, ok := m.values[name]; ok && !has.Equal(s) && !has.Equal(old) {
		return fmt.Errorf("%w: %s", lab.ErrConflict, name)
	}
	if m.values == nil {
		m.values = map[string]lab.Secret{}
	}
	m.values[name] = s
	return nil
}

func (m *memory) remove(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, name)
}

func (m *memory) all() (secrets []lab.Secret) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, v := range m.values {
		if strings.HasSuffix(name, "#client_secret") {
			secrets = append(secrets, v)
		}
	}
	return secrets
}

// world is an account with the lab's domain, and what is wanted there.
type world struct {
	*ovhtest.Server
	account ovh.Account
	sink    *memory
	spec    ovh.Spec
	theirs  []ovh.Record // what somebody else has on the other side
}

const domain = "arcodange.fr"

var defaults ovhtest.Config

// newWorld is a new account, held to the vendor's schemas where those are.
func newWorld(tb testing.TB, c ovhtest.Config) *world {
	tb.Helper()
	s := ovhtest.New(tb, c)
	w := &world{Server: s, account: s.Access(), sink: &memory{}}
	w.account.Counters = &ovh.Counters{}
	s.AddZone(domain, "@ IN A 192.0.2.1", "www IN CNAME "+domain+".", `@ IN TXT "v=spf1 include:zoho.eu -all"`, "@ IN MX 10 mx.zoho.eu.")
	s.AddDomain(domain, "dns104.ovh.net", "ns104.ovh.net")
	w.spec = ovh.Spec{Stack: "lab", Sink: w.sink, Adopt: true, Prune: true,
		Clients: []ovh.Client{{Name: "cms", Description: "edits the zone", Secret: "cms/ovh"}},
		Policies: []ovh.Policy{{Name: "cms", Clients: []string{"cms"}, Purposes: []string{"zone-records", "delegation"},
			Resources: []string{"urn:v1:eu:resource:dnsZone:" + domain, "urn:v1:eu:resource:domain:" + domain}}},
		Zones: []ovh.Zone{{Name: domain, Records: []ovh.Record{
			{Type: "CNAME", Name: "www", Targets: []string{"cms.pages.dev."}},
			{Type: "MX", Targets: []string{"10 mx.zoho.eu.", "20 mx2.zoho.eu."}, TTL: 600},
			{Type: "TXT", Name: "_dmarc", Targets: []string{"v=DMARC1; p=reject"}},
		}}},
		Delegations: []ovh.Delegation{{Domain: domain, NameServers: []string{"ada.ns.cloudflare.com", "bob.ns.cloudflare.com"},
			Other: func(context.Context) ([]ovh.Record, error) { return w.there(), nil }}},
	}
	return w
}

// there is what the other side has: all that the zone shall have.
func (w *world) there() []ovh.Record {
	all := append([]ovh.Record{
		{Type: "A", Name: "@", Targets: []string{"192.0.2.1"}},
		{Type: "TXT", Targets: []string{"v=spf1 include:zoho.eu -all"}},
	}, w.theirs...)
	return append(all, w.spec.Zones[0].Records...)
}

// contracts holds an account to the vendor's schemas, which lack the logins, the export of a zone and DNSSEC of a zone.
func contracts(tb testing.TB, s *ovhtest.Server) {
	tb.Helper()
	s.SetCheck(contract.OVH(tb))
}

func (w *world) plan(tb testing.TB) *lab.Plan {
	tb.Helper()
	p, err := w.account.Plan(tb.Context(), w.spec)
	if err != nil {
		tb.Fatalf("plan: %v\n%v", err, lab.Hints(err))
	}
	return p
}

func (w *world) apply(tb testing.TB) *lab.Plan {
	tb.Helper()
	p := w.plan(tb)
	if r, err := p.Apply(tb.Context(), nil); err != nil || !r.Complete() {
		tb.Fatalf("apply: %v\n%v", err, r)
	}
	return p
}

// converge applies, and proves that nothing is left to do.
func (w *world) converge(tb testing.TB) *lab.Plan {
	tb.Helper()
	first := w.apply(tb)
	if p := w.plan(tb); !p.Empty() {
		tb.Fatalf("after the apply there is to do:\n%v", p)
	}
	return first
}
