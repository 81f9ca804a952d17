package ovh_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
)

// TestSpecProblems gives each field what it must not hold, and asks for the problem's path and message.
func TestSpecProblems(t *testing.T) {
	www := []string{"192.0.2.1"}
	record := func(r ovh.Record) ovh.Spec {
		return ovh.Spec{Zones: []ovh.Zone{{Name: domain, Records: []ovh.Record{r}}}}
	}
	a := ovh.Record{Type: "A", Name: "www", Targets: www}
	policy := func(p ovh.Policy) ovh.Spec { return ovh.Spec{Policies: []ovh.Policy{p}} }
	delegation := func(d ovh.Delegation) ovh.Spec { return ovh.Spec{Delegations: []ovh.Delegation{d}} }
	for _, test := range []struct {
		want string // "path: message"
		spec ovh.Spec
	}{
		{"clients: their secrets have no sink", ovh.Spec{Clients: []ovh.Client{{Name: "cms", Secret: "cms"}}}},
		{"clients[0].secret: is not the name of an entry", ovh.Spec{Clients: []ovh.Client{{Name: "cms", Secret: "a#b"}}}},
		{"clients[1].secret: is named twice", ovh.Spec{Clients: []ovh.Client{{Name: "cms"}, {Name: "b", Secret: "ovh-cms"}}}},
		{"clients[0].description: holds what a mark could be",
			ovh.Spec{Clients: []ovh.Client{{Name: "cms", Secret: "c", Description: "a;owner=x/y/z"}}}},
		{"policies[0].clients[0]: is no client of this spec", policy(ovh.Policy{Clients: []string{"cms"}})},
		{"policies[0].name: begins as OVH's own do", policy(ovh.Policy{Name: "ovh-default"})},
		{"policies[0].clients: the policy is nobody's", policy(ovh.Policy{})},
		{"policies[0].purposes[0]: is not a purpose", policy(ovh.Policy{Purposes: []string{"dns"}})},
		{"policies[0].purposes: the policy allows nothing", policy(ovh.Policy{})},
		{"policies[0].resources[0]: is not the URN of a resource", policy(ovh.Policy{Resources: []string{domain}})},
		{"policies[0].allow[0]: is not an action", policy(ovh.Policy{Allow: []string{"*"}})},
		{"policies[0].allow[0]: is not an action", policy(ovh.Policy{Allow: []string{"dnsZone:apiovh:*"}})},
		{"zones[0].records[0].name: holds the zone's name", record(ovh.Record{Type: "A", Name: domain, Targets: www})},
		{"zones[0].records[0].name: holds the zone's name",
			record(ovh.Record{Type: "A", Name: "www." + domain, Targets: www})},
		{"zones[0].records[0].name: holds the zone's name", record(ovh.Record{Type: "A", Name: "www.", Targets: www})},
		{"zones[0].records[0].name: is not a name", record(ovh.Record{Type: "A", Name: "a b", Targets: www})},
		{"zones[0].records[0].type: is OVH's own", record(ovh.Record{Type: "DKIM", Name: "x", Targets: []string{"x"}})},
		{"zones[0].records[0].type: is not a type of records",
			record(ovh.Record{Type: "CNMAE", Name: "x", Targets: []string{"x."}})},
		{"zones[0].records[0].type: cannot be that of the zone itself",
			record(ovh.Record{Type: "CNAME", Targets: []string{"x."}})},
		{"zones[0].records[0].type: cannot be that of the zone itself",
			record(ovh.Record{Type: "NS", Name: "@", Targets: []string{"x."}})},
		{"zones[0].records[0].ttl: is less than 60", record(ovh.Record{Type: "A", Name: "x", Targets: www, TTL: 30})},
		{"zones[0].records[0].targets: empty", record(ovh.Record{Type: "A", Name: "x"})},
		{"zones[0].records[0].targets: given, and there shall be none",
			record(ovh.Record{Type: "A", Name: "x", Targets: www, Absent: true})},
		{"zones[0].records[0].targets[0]: is no address of AAAA",
			record(ovh.Record{Type: "AAAA", Name: "x", Targets: www})},
		{"zones[0].records[0].targets[0]: does not end with a dot",
			record(ovh.Record{Type: "CNAME", Name: "x", Targets: []string{"example.com"}})},
		{"zones[0].records[0].targets[0]: has not 2 fields",
			record(ovh.Record{Type: "MX", Name: "x", Targets: []string{"mx.example.com."}})},
		{"zones[0].records[0].targets[0]: begins with no number",
			record(ovh.Record{Type: "MX", Name: "x", Targets: []string{"ten mx.example.com."}})},
		{"zones[0].records[0].targets[0]: is not a flag",
			record(ovh.Record{Type: "CAA", Name: "x", Targets: []string{"letsencrypt.org"}})},
		{"zones[0].records[0].targets[1]: is there twice",
			record(ovh.Record{Type: "TXT", Name: "x", Targets: []string{"x", `"x"`}})},
		{"zones[0].records[0].targets: has several",
			record(ovh.Record{Type: "CNAME", Name: "x", Targets: []string{"a.", "b."}})},
		{"zones[0].records[1]: is named twice", ovh.Spec{Zones: []ovh.Zone{{Name: domain, Records: []ovh.Record{a, a}}}}},
		{"zones[0].records: has a CNAME beside other records", ovh.Spec{Zones: []ovh.Zone{{Name: domain,
			Records: []ovh.Record{a, {Type: "CNAME", Name: "www", Targets: []string{"x."}}}}}}},
		{"zones[0].name: is not the name of a zone", ovh.Spec{Zones: []ovh.Zone{{Name: "Arcodange.fr."}}}},
		{"delegations[0].nameServers: are not two to eight", delegation(ovh.Delegation{Domain: domain, NameServers: []string{"a.example.com"}})},
		{"delegations[0].nameServers[0]: is below the domain", delegation(ovh.Delegation{Domain: domain, NameServers: []string{"ns." + domain}})},
		{"delegations[0].nameServers[1]: is there twice", delegation(ovh.Delegation{Domain: domain,
			NameServers: []string{"a.example.com", "A.example.com."}})},
		{"delegations[0].dropped[0]: is not a type and a name", delegation(ovh.Delegation{Domain: domain, Dropped: []string{"www"}})},
	} {
		ps := test.spec.Validate()
		if !strings.Contains("\n"+ps.Error(), "\n"+test.want) || !errors.Is(ps.Err(), lab.ErrInvalid) {
			t.Errorf("want %q among\n%v", test.want, ps)
		}
	}
	w := newWorld(t, defaults)
	if ps := w.spec.Validate(); len(ps) > 0 {
		t.Errorf("%v", ps)
	}
}

func TestAccountProblems(t *testing.T) {
	s := lab.NewSecret("s")
	for _, test := range []struct {
		want    string
		account ovh.Account
	}{
		{"clientID: empty, and there are no keys", ovh.Account{}},
		{"clientID: given beside the keys", ovh.Account{ClientID: "a", ClientSecret: s, ConsumerKey: s}},
		{"clientID: an OAuth2 client needs", ovh.Account{ClientID: "a"}},
		{"applicationKey: an application needs", ovh.Account{ApplicationKey: "a"}},
		{"address: would send secrets in plain text", ovh.Account{Address: "http://192.0.2.1"}},
		{"login: would send secrets in plain text", ovh.Account{Login: "http://192.0.2.1/token"}},
		{"address: has a path", ovh.Account{Address: "https://eu.api.ovh.com/1.0"}},
		{"address: is not the address of a server", ovh.Account{Address: "https://u:p@eu.api.ovh.com"}},
		{"clientSecret: holds characters", ovh.Account{ClientID: "a", ClientSecret: lab.NewSecret("s\n")}},
		{"ca: holds no certificate", ovh.Account{CA: "x"}},
	} {
		_, err := test.account.Plan(context.Background(), ovh.Spec{})
		if !errors.Is(err, lab.ErrInvalid) || !strings.Contains("\n"+err.Error(), "\n"+test.want) {
			t.Errorf("want %q among\n%v", test.want, err)
		}
	}
}

// TestLoginStaysWithinTheBoundary refuses the login of an OAuth2 client, which may be at another host than the API.
func TestLoginStaysWithinTheBoundary(t *testing.T) {
	w := zoneOnly(t, defaults)
	id, secret := w.AddClient("x", "by hand", "CLIENT_CREDENTIALS")
	a := ovh.Account{Address: w.URL(), ClientID: id, ClientSecret: secret, Login: "https://192.0.2.1/auth/oauth2/token"}
	if _, err := a.Plan(t.Context(), w.spec); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("%v", err)
	}
}

// TestNothingIsReadOfTheEnvironment plans beside what go-ovh would read.
func TestNothingIsReadOfTheEnvironment(t *testing.T) {
	w := zoneOnly(t, defaults)
	for _, name := range []string{"OVH_ENDPOINT", "OVH_APPLICATION_KEY", "OVH_APPLICATION_SECRET", "OVH_CONSUMER_KEY", "OVH_CLIENT_ID",
		"OVH_CLIENT_SECRET", "HTTP_PROXY", "HTTPS_PROXY"} {
		t.Setenv(name, "http://192.0.2.1:1")
	}
	if p := w.plan(t); !p.Empty() {
		t.Error(p)
	}
}
