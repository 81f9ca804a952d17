package cloudflaretest

import (
	"net/http"
	"regexp"
	"slices"
	"time"
)

// zone is a domain.
type zone struct {
	lag               `json:"-"`
	ID                string         `json:"id"`
	Name              string         `json:"name"`
	Status            string         `json:"status"`
	Type              string         `json:"type"`
	Paused            bool           `json:"paused"`
	DevelopmentMode   int            `json:"development_mode"`
	NameServers       []string       `json:"name_servers"`
	OriginalServers   []string       `json:"original_name_servers"`
	OriginalRegistrar *string        `json:"original_registrar"`
	OriginalHost      *string        `json:"original_dnshost"`
	Created           time.Time      `json:"created_on"`
	Modified          time.Time      `json:"modified_on"`
	Activated         *time.Time     `json:"activated_on"`
	Account           map[string]any `json:"account"`
	Owner             map[string]any `json:"owner"`
	Meta              map[string]any `json:"meta"`

	records  []*record
	settings map[string]*setting
}

var zoneName = regexp.MustCompile(`^([a-zA-Z0-9][-a-zA-Z0-9]*\.)+[-a-zA-Z0-9]{2,20}$`)

func (s *state) addZone(account, name string) *zone {
	z := &zone{ID: newID(), Name: name, Status: "active", Type: "full", Created: now(), Modified: now(),
		NameServers:     []string{"ada.ns.cloudflare.com", "bob.ns.cloudflare.com"},
		OriginalServers: []string{"dns11.ovh.net", "ns11.ovh.net"},
		Account:         map[string]any{"id": account, "name": "The lab"},
		Owner:           map[string]any{"id": account, "type": "user", "name": "The owner"},
		Meta:            map[string]any{"step": 2, "custom_certificate_quota": 0, "page_rule_quota": 3, "phishing_detected": false},
		settings:        newSettings()}
	s.zones = append(s.zones, z)
	return z
}

func (s *state) zone(id string) *zone {
	n := slices.IndexFunc(s.zones, func(z *zone) bool { return z.ID == id })
	if n < 0 {
		return nil
	}
	return s.zones[n]
}

func (s *Server) zoneRoutes(mux *http.ServeMux) {
	s.handle(mux, "GET /zones", func(c *call) answer {
		q := c.req.URL.Query()
		var found []*zone
		for _, z := range c.state.zones {
			if (q.Get("account.id") == "" || q.Get("account.id") == c.account) && (q.Get("name") == "" || q.Get("name") == z.Name) && z.listed() {
				found = append(found, z)
			}
		}
		return page(c, found, 5, 20, 50)
	})
	s.handle(mux, "POST /zones", func(c *call) answer {
		var in struct {
			Name    string `json:"name"`
			Type    string `json:"type"`
			Account struct {
				ID string `json:"id"`
			} `json:"account"`
		}
		c.read(&in)
		switch {
		case in.Account.ID != c.account:
			return refuse(http.StatusForbidden, 10000, "Authentication error")
		case !zoneName.MatchString(in.Name):
			return refuse(http.StatusBadRequest, 1002, "Invalid domain")
		case slices.ContainsFunc(c.state.zones, func(z *zone) bool { return z.Name == in.Name }):
			return refuse(http.StatusBadRequest, 1061, "%s already exists", in.Name)
		}
		z := c.state.addZone(c.account, in.Name)
		z.Status, z.unlisted = "pending", c.config.Lag
		return ok(z)
	})
}

// zoneOf is the zone of a path.
func (c *call) zoneOf() *zone {
	z := c.state.zone(c.req.PathValue("zone"))
	if z == nil {
		panic(refuse(http.StatusForbidden, 9109, "Unauthorized to access requested resource"))
	}
	return z
}
