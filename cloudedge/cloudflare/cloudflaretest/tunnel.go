package cloudflaretest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// tunnel is a Cloudflare tunnel.
type tunnel struct {
	lag         `json:"-"`
	ID          string     `json:"id"`
	Account     string     `json:"account_tag"`
	Name        string     `json:"name"`
	Status      string     `json:"status"`
	Remote      bool       `json:"remote_config"`
	Type        string     `json:"tun_type"`
	Created     time.Time  `json:"created_at"`
	Deleted     *time.Time `json:"deleted_at,omitempty"`
	Connections []any      `json:"connections"`

	config  map[string]json.RawMessage
	version int
	secret  string
}

// newUUID returns an ID as those of tunnels are.
func newUUID() string {
	h := newID()
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

func (s *Server) tunnelRoutes(mux *http.ServeMux) {
	const all, one = "/accounts/{a}/cfd_tunnel", "/accounts/{a}/cfd_tunnel/{tunnel}"
	s.handle(mux, "GET "+all, func(c *call) answer {
		q := c.req.URL.Query()
		var found []*tunnel
		for _, t := range c.state.tunnels { // those that were deleted are listed too
			if strings.HasPrefix(t.Name, q.Get("include_prefix")) && (q.Get("name") == "" || q.Get("name") == t.Name) &&
				(q.Get("is_deleted") != "false" || t.Deleted == nil) && t.listed() {
				found = append(found, t)
			}
		}
		return page(c, found, 1, 20, 1000)
	})
	s.handle(mux, "POST "+all, (*call).createTunnel)
	s.handle(mux, "DELETE "+one, func(c *call) answer {
		t := c.tunnelOf()
		if len(t.Connections) > 0 {
			return refuse(http.StatusBadRequest, 1022, "Cannot delete tunnel because it has active connections")
		}
		at := now()
		t.Deleted = &at
		return ok(t)
	})
	s.handle(mux, "GET "+one+"/token", func(c *call) answer {
		t := c.tunnelOf()
		return ok(base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"a":%q,"t":%q,"s":%q}`, t.Account, t.ID, t.secret)))
	})
	s.handle(mux, "GET "+one+"/configurations", func(c *call) answer { return ok(c.tunnelOf().configuration()) })
	s.handle(mux, "PUT "+one+"/configurations", (*call).configureTunnel)
}

func (c *call) tunnelOf() *tunnel {
	for _, t := range c.state.tunnels {
		if t.ID == c.req.PathValue("tunnel") && t.Deleted == nil {
			return t
		}
	}
	panic(refuse(http.StatusNotFound, 1003, "Tunnel not found"))
}

func (t *tunnel) configuration() any {
	return map[string]any{"tunnel_id": t.ID, "version": t.version, "config": t.config, "source": "cloudflare", "created_at": t.Created}
}

func (c *call) createTunnel() answer {
	var in struct {
		Name   string `json:"name"`
		Source string `json:"config_src"`
	}
	c.read(&in)
	if in.Name == "" {
		return refuse(http.StatusBadRequest, 1001, "A name is required")
	}
	for _, t := range c.state.tunnels {
		if t.Name == in.Name && t.Deleted == nil {
			return refuse(http.StatusConflict, 1013, "You already have a tunnel with this name")
		}
	}
	t := &tunnel{ID: newUUID(), Account: c.account, Name: in.Name, Status: "inactive", Remote: in.Source == "cloudflare", Type: "cfd_tunnel",
		Created: now(), Connections: []any{}, secret: newID() + newID(), lag: lag{c.config.Lag}}
	c.state.tunnels = append(c.state.tunnels, t)
	return ok(t)
}

// configureTunnel replaces the whole configuration. The last rule must be for all names, and no other may be.
func (c *call) configureTunnel() answer {
	t := c.tunnelOf()
	var in struct {
		Config map[string]json.RawMessage `json:"config"`
	}
	c.read(&in)
	var rules []struct{ Hostname, Path, Service string }
	if json.Unmarshal(in.Config["ingress"], &rules) != nil || len(rules) == 0 {
		return refuse(http.StatusBadRequest, 1056, "Bad Configuration: there are no ingress rules")
	}
	for n, r := range rules {
		if everything := r.Hostname == "" && r.Path == ""; everything != (n == len(rules)-1) || r.Service == "" {
			return refuse(http.StatusBadRequest, 1056, "Bad Configuration: The last ingress rule must match all URLs")
		}
	}
	if !t.Remote {
		return refuse(http.StatusBadRequest, 1057, "The tunnel is configured locally")
	}
	t.config = in.Config
	t.version++
	return ok(t.configuration())
}

// Connect makes a tunnel of this name have a connection, as cloudflared does.
func (s *Server) Connect(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.state.tunnels {
		if t.Name == name {
			t.Connections, t.Status = append(t.Connections, map[string]any{"colo_name": "CDG", "id": newUUID()}), "healthy"
		}
	}
}
