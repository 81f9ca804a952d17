package ovh_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh/ovhtest"
)

func TestForeignPolicy(t *testing.T) {
	urn := "urn:v1:eu:resource:dnsZone:" + domain
	w := clientsOnly(t, ovhtest.Config{})
	w.spec.Clients = nil
	w.spec.Policies = []ovh.Policy{{Name: "reader", Identities: []string{"urn:v1:eu:identity:account:x-ovh"}, Resources: []string{urn},
		Allow: []string{"dnsZone:apiovh:get"}}}
	w.AddPolicy("reader", "by hand", false, "urn:v1:eu:identity:account:x-ovh", urn, "dnsZone:apiovh:get")
	if p := w.plan(t); !p.Empty() { // it is equal
		t.Error(p)
	}
	w.spec.Policies[0].Allow = []string{"dnsZone:apiovh:export"}
	_, err := w.account.Plan(t.Context(), w.spec)
	var e *lab.Error
	if !errors.As(err, &e) || !errors.Is(err, lab.ErrConflict) || e.Set.Name != ovh.SettingAdopt {
		t.Fatalf("%v", err)
	}
	w.spec.Adopt = true
	w.converge(t)
	if p := w.Policies()["reader"]; !strings.Contains(p, "Europe/Paris") || strings.Contains(p, "apiovh:get") ||
		!strings.Contains(p, "owner=lab/policy/reader") {
		t.Errorf("what the spec says nothing of is kept, and the rest is as it is wanted: %s", p)
	}
}

func TestReadOnlyPolicy(t *testing.T) {
	w := clientsOnly(t, ovhtest.Config{})
	w.AddPolicy("cms", "OVH's own", true, "urn:v1:eu:identity:account:x", "urn:v1:eu:resource:vps:v", "vps:apiovh:reboot")
	if p := w.plan(t); !strings.Contains(p.String(), "create  policy:cms") {
		t.Error(p)
	}
}

func TestUnknownAction(t *testing.T) {
	w := clientsOnly(t, ovhtest.Config{})
	w.spec.Policies[0].Allow = []string{"dnsZone:apiovh:recrod/get"}
	_, err := w.account.Plan(t.Context(), w.spec)
	if !errors.Is(err, lab.ErrInvalid) || !strings.Contains(err.Error(), "dnsZone:apiovh:recrod/get") {
		t.Errorf("%v", err)
	}
	if _, written := w.Total(); written != 0 {
		t.Errorf("%d writes", written)
	}
}

// TestManyPolicies pages through more policies than a page holds.
func TestManyPolicies(t *testing.T) {
	w := clientsOnly(t, ovhtest.Config{})
	for _, n := range "abcdefghijkl" {
		w.AddPolicy("theirs-"+string(n), "", false, "urn:v1:eu:identity:account:x", "urn:v1:eu:resource:vps:v", "vps:apiovh:reboot")
	}
	w.converge(t)
	w.whole(t)
}

// TestLeastPrivilege does all that the purposes are for with the client's own credentials, with the actions of its
// policy, and then with each of them left out: none is missing, and none is too many.
func TestLeastPrivilege(t *testing.T) {
	of := []string{"zone-records", "delegation", "remove-ds"}
	for _, without := range append([]string{""}, ovh.Actions(of...)...) {
		w := newWorld(t, ovhtest.Config{})
		id, secret := w.AddClient("cms", "by hand", "CLIENT_CREDENTIALS")
		actions := slices.DeleteFunc(ovh.Actions(of...), func(a string) bool { return a == without })
		for _, kind := range []string{"dnsZone", "domain"} {
			w.AddPolicy("cms-"+kind, "", false, "urn:v1:eu:identity:credential:"+ovhtest.Nic+"/oauth2-"+id,
				"urn:v1:eu:resource:"+kind+":"+domain, actions...)
		}
		w.account = ovh.Account{Address: w.URL(), ClientID: id, ClientSecret: secret, PerSecond: 1e6, Poll: 1, Wait: w.account.Wait}
		w.spec.Clients, w.spec.Policies, w.spec.Prune = nil, nil, false
		w.spec.Delegations[0].RemoveDS = true
		life := func() error {
			w.Sign(domain)
			w.AddKey(domain)
			var errs []error
			for range 2 { // the DS record, and then the name servers
				p, err := w.account.Plan(t.Context(), w.spec)
				errs = append(errs, err)
				if p != nil {
					_, err = p.Apply(t.Context(), nil)
					errs = append(errs, err)
				}
			}
			w.ChangeRecords(domain, []string{"@ MX"}, []string{"@ 700 IN MX 10 mx.zoho.eu."}, false)
			p, err := w.account.Plan(t.Context(), w.spec)
			errs = append(errs, err)
			if p != nil {
				_, err = p.Apply(t.Context(), nil)
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		}
		err := life()
		switch {
		case without == "" && (strings.Contains(err.Error(), "Forbidden") || w.NameServers(domain)[0] != "ada.ns.cloudflare.com"):
			t.Errorf("with all actions: %v", err)
		case without != "" && (err == nil || !strings.Contains(err.Error(), without)):
			t.Errorf("without %s: %v", without, err)
		}
	}
}

// TestActionsAreTheSchemas compares the table with what the schemas say of each operation.
func TestActionsAreTheSchemas(t *testing.T) {
	table := readJSON[map[string]string](t, "actions.json")
	w := newWorld(t, ovhtest.Config{})
	contracts(t, w.Server) // which skips the test where there are no schemas
	seen := 0
	for _, doc := range []struct{ file, below string }{{"ovh-domain.json", "/v1"}, {"ovh-me.json", "/v1"}, {"ovh-iam.json", "/v2"}} {
		type operation struct {
			Actions []struct{ Name string } `json:"x-iam-actions"`
		}
		schema := readJSON[struct {
			Paths map[string]map[string]operation
		}](t, filepath.Join(cmp.Or(os.Getenv("LAB_CONTRACTS"), "../../../shared/contracts"), doc.file))
		for path, methods := range schema.Paths {
			for method, op := range methods {
				has, ok := table[strings.ToUpper(method)+" "+doc.below+path]
				if !ok {
					continue
				}
				seen++
				if want := op.Actions[0].Name; has != want && has != strings.Replace(want, "account:", "dnsZone:", 1) {
					t.Errorf("%s %s needs %s, and not %s", method, path, want, has)
				}
			}
		}
	}
	if seen < len(table)-2 { // export and dnssec are in none
		t.Errorf("%d of %d operations are in the schemas", seen, len(table))
	}
}

func readJSON[T any](tb testing.TB, file string) (v T) {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return v
}
