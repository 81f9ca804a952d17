package ovhtest_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	vendor "github.com/ovh/go-ovh/ovh"
	"golang.org/x/oauth2/clientcredentials"

	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh/ovhtest"
)

// TestVendorsClient drives the server by OVH's own client, in both ways to log in: it is the witness that the server
// speaks the protocol, and not only our client's idea of it.
func TestVendorsClient(t *testing.T) {
	s := ovhtest.New(t, ovhtest.Config{Clock: time.Hour})
	s.AddZone("example.com", "www IN A 192.0.2.1")
	s.AddDomain("example.com", "dns104.ovh.net", "ns104.ovh.net")
	keys := s.Access()
	c := vendorsClient(t, s, &http.Client{})
	c.AppKey, c.AppSecret, c.ConsumerKey = keys.ApplicationKey, keys.ApplicationSecret.Reveal(), keys.ConsumerKey.Reveal()

	var made struct{ ClientID, ClientSecret string }
	must(t, c.Post("/me/api/oauth2/client", map[string]any{"name": "cms", "description": "x", "flow": "CLIENT_CREDENTIALS"}, &made))
	var client struct{ Identity string }
	must(t, c.Get("/me/api/oauth2/client/"+made.ClientID, &client))
	must(t, c.Post("/v2/iam/policy", map[string]any{"name": "cms", "identities": []string{client.Identity},
		"resources":   []map[string]string{{"urn": "urn:v1:eu:resource:dnsZone:example.com"}},
		"permissions": map[string]any{"allow": []map[string]string{{"action": "dnsZone:apiovh:record/get"}}}}, nil))

	login := clientcredentials.Config{ClientID: made.ClientID, ClientSecret: made.ClientSecret, TokenURL: s.URL() + "/auth/oauth2/token",
		Scopes: []string{"all"}}
	limited := vendorsClient(t, s, login.Client(t.Context()))
	var ids []int64
	must(t, limited.Get("/domain/zone/example.com/record?fieldType=A&subDomain=www", &ids))
	if len(ids) != 1 {
		t.Errorf("records %v", ids)
	}
	err := limited.Post("/domain/zone/example.com/refresh", nil, nil)
	var refused *vendor.APIError
	if !errors.As(err, &refused) || refused.Code != http.StatusForbidden || !strings.Contains(refused.Details["unauthorizedActionsByIAM"],
		"dnsZone:apiovh:refresh") || refused.QueryID == "" {
		t.Errorf("what it may not: %v", err)
	}

	var record struct{ Target string }
	must(t, c.Post("/domain/zone/example.com/record", map[string]any{"fieldType": "TXT", "subDomain": "a", "target": "b c"}, &record))
	if record.Target != `"b c"` {
		t.Errorf("target %s", record.Target)
	}
	must(t, c.Post("/domain/zone/example.com/refresh", nil, nil))
	var text string
	must(t, c.Get("/domain/zone/example.com/export", &text))
	if !strings.Contains(text, `"b c"`) || text != s.Served("example.com") {
		t.Error(text)
	}
	must(t, c.Put("/domain/example.com", map[string]any{"nameServerType": "external"}, nil))
	var task struct {
		ID     int64
		Status string
	}
	must(t, c.Post("/domain/example.com/nameServers/update", map[string]any{"nameServers": []map[string]string{{"host": "a.example.net"},
		{"host": "b.example.net"}}}, &task))
	if task.ID == 0 || task.Status != "todo" {
		t.Errorf("task %+v", task)
	}
}

// vendorsClient is made without a constructor: each reads the environment and three files.
func vendorsClient(tb testing.TB, s *ovhtest.Server, h *http.Client) *vendor.Client {
	tb.Helper()
	c := &vendor.Client{Client: h, Timeout: time.Minute}
	must(tb, c.SetEndpoint(s.URL()+"/1.0"))
	return c
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
