package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs/gcstest"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ledger"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ledger/ledgertest"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh/ovhtest"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/internal/contract"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// clouds are the clouds of a test, which are as the sandbox has them.
type clouds struct {
	cloudflare *cloudflaretest.Server
	ovh        *ovhtest.Server
	google     *gcstest.Server
	ledger     *ledgertest.Server
}

// cloudsOf starts the clouds, all requests and answers of which are held against what the vendors publish.
func cloudsOf(t *testing.T, l *Lab) (*clouds, *edge) {
	t.Helper()
	c := &clouds{cloudflaretest.New(t, cloudflaretest.Config{Zones: l.givenZones()}), ovhtest.New(t, ovhtest.Config{}),
		gcstest.New(t, gcstest.Config{}), ledgertest.New(t)}
	c.cloudflare.SetCheck(contract.Cloudflare(t))
	c.ovh.SetCheck(contract.OVH(t))
	c.google.SetCheck(contract.Google(t))
	for _, d := range l.dummyOVH().Delegations {
		c.ovh.AddZone(d.Domain)
		c.ovh.AddDomain(d.Domain, "dns10.ovh.net", "ns10.ovh.net")
	}
	return c, &edge{
		close:      func() {},
		cloudflare: func() (cloudflare.Account, error) { return c.cloudflare.Access(), nil },
		ovh:        func() (ovh.Account, error) { return c.ovh.Access(), nil },
		google:     func() (gcs.Project, error) { return c.google.Access(), nil },
		ledger: func() (*ledger.Ledger, error) {
			led := l.ledger()
			own := c.ledger.Ledger(led.Instance, led.Holder)
			return own, nil
		},
	}
}

// TestEdge provisions the edge of the lab beside a Gitea and a Vault: every request is as the vendors say, a second plan is empty, the
// secrets are where they are looked for, and name servers are not changed while a record is missing.
func TestEdge(t *testing.T) {
	l, err := ReadConfig("lab.yaml", defaultConfig)
	if err != nil {
		t.Fatal(err)
	}
	l.Environment = sandboxName
	l.K3s, l.Cluster, l.Postgres, l.Edge.Backup = nil, nil, nil, nil // what takes machines
	s := &site{stacks: &stackSource{sink: lab.SecretDir{Path: t.TempDir() + "/secrets"}}}
	c, e := cloudsOf(t, l)
	s.edge = e
	if s.forge, err = sandboxGitea(); err != nil {
		t.Fatal(err)
	}
	if s.vault, err = l.sandboxVault(s.stacks, nil, s.forge); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.shut)
	var p pipeline.Pipeline
	for _, st := range l.stages(s) {
		if st.Name == forgeStage || strings.HasPrefix(st.Name, "04_tools/vault") || strings.HasPrefix(st.Name, "edge/") {
			p.Stages = append(p.Stages, st)
		}
	}
	c.ovh.ChangeRecords("arcodange.fr", nil, []string{"old IN A 192.0.2.7"}, false)
	_, err = p.Apply(t.Context(), pipeline.Options{})
	if err == nil || !strings.Contains(err.Error(), "A old 192.0.2.7") {
		t.Fatalf("a record that OVH serves is missing at Cloudflare: %v", err)
	}
	if got := c.ovh.NameServers("arcodange.fr"); !slices.Contains(got, "dns10.ovh.net") {
		t.Errorf("the name servers are %q", got)
	}
	c.ovh.ChangeRecords("arcodange.fr", []string{"old A"}, nil, false)
	if _, err = p.Apply(t.Context(), pipeline.Options{}); err != nil {
		t.Fatalf("%v\n%v", err, lab.Hints(err))
	}
	results, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !r.Plan.Empty() {
			t.Errorf("%s: %v", r.Stage, r.Plan)
		}
	}
	delivered(t, l, s)
	if got := c.ovh.NameServers("arcodange.fr"); slices.Contains(got, "dns10.ovh.net") {
		t.Errorf("the name servers are still %q", got)
	}
	if text := string(c.ledger.Object("factory-sandbox/main/ownership.json")); !strings.Contains(text, `"cloudflare/page:cms"`) ||
		!strings.Contains(text, `"ovh/client:cms"`) {
		t.Errorf("the ledger has %s", text)
	}
}

// delivered proves that the secrets of the edge are in the Vault, and those of the workflows in Gitea.
func delivered(t *testing.T, l *Lab, s *site) {
	t.Helper()
	sink, err := l.edgeSink(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cms/cloudflare#token", "cms/cloudflare#account_id", "cms/ovh#client_secret", "cms/tunnel#token",
		"cms/turnstile#secret", "longhorn/backup#access_id", "longhorn/backup#secret"} {
		if _, err := sink.Get(t.Context(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, ok := sink.(vaultprov.KV); !ok {
		t.Errorf("they are in %s", sink)
	}
	server, err := s.forge.server()
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet,
		server.Address+"/api/v1/repos/arcodange-org/cms/actions/secrets", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+server.Token.Reveal())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var text strings.Builder
	if err := resp.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, d := range l.Edge.Deliver {
		if !strings.Contains(text.String(), `"`+d.As+`"`) {
			t.Errorf("Gitea has no %s: %s", d.As, text.String())
		}
	}
}
