package ovhtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
)

type named struct {
	Action string `json:"action"`
}

type resource struct {
	URN string `json:"urn"`
}

// policyIn is what is sent of a policy, which is the whole.
type policyIn struct {
	Name        string     `json:"name"`
	Description string     `json:"description"`
	Identities  []string   `json:"identities"`
	Resources   []resource `json:"resources"`
	Permissions struct {
		Allow  []named `json:"allow"`
		Except []named `json:"except"`
		Deny   []named `json:"deny"`
	} `json:"permissions"`
	PermissionsGroups []resource      `json:"permissionsGroups"`
	Conditions        json.RawMessage `json:"conditions,omitempty"`
	ExpiredAt         *string         `json:"expiredAt"`
}

type policy struct {
	policyIn
	ID        string `json:"id"`
	Owner     string `json:"owner"`
	ReadOnly  bool   `json:"readOnly"`
	CreatedAt string `json:"createdAt"`
	hidden    int
}

// shown is the policy as it is answered: in an order of its own.
func (p *policy) shown() policy {
	o := *p
	o.Identities = slices.Clone(p.Identities)
	slices.Reverse(o.Identities)
	o.Permissions.Allow = slices.Clone(p.Permissions.Allow)
	slices.Reverse(o.Permissions.Allow)
	if o.PermissionsGroups == nil {
		o.PermissionsGroups = []resource{}
	}
	return o
}

// AddPolicy creates a policy of somebody else. One that is read-only is OVH's.
func (s *Server) AddPolicy(name, description string, readOnly bool, identity, urn string, allow ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := policyIn{Name: name, Description: description, Identities: []string{identity}, Resources: []resource{{urn}},
		Conditions: json.RawMessage(`{"operator":"MATCH","values":{"date(Europe/Paris).hour":"8"}}`)}
	for _, a := range allow {
		in.Permissions.Allow = append(in.Permissions.Allow, named{a})
	}
	s.addPolicy(in).ReadOnly = readOnly
}

func (s *Server) addPolicy(in policyIn) *policy {
	p := &policy{policyIn: in, ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", s.next()), Owner: Nic,
		CreatedAt: time.Now().UTC().Format(time.RFC3339), hidden: s.config.Lag}
	s.policies = append(s.policies, p)
	return p
}

// Policies returns the policies as JSON, by name.
func (s *Server) Policies() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]string{}
	for _, p := range s.policies {
		b, _ := json.Marshal(p)
		all[p.Name] = string(b)
	}
	return all
}

func (s *Server) iamRoutes(mux *http.ServeMux) {
	const root, action = "/v2/iam/policy", "account:apiovh:iam/policy/"
	one := func(handler func(*call, *policy) answer) func(*call) answer {
		return func(c *call) answer {
			for _, p := range c.policies {
				if p.ID == c.req.PathValue("id") {
					return handler(c, p)
				}
			}
			return c.notFound("Policy not found")
		}
	}
	s.handle(mux, "GET "+root, action+"get", func(c *call) answer {
		all := []policy{}
		first := c.req.Header.Get("X-Pagination-Cursor") == ""
		for _, p := range c.policies {
			if p.hidden > 0 {
				if first {
					p.hidden--
				}
				continue
			}
			all = append(all, p.shown())
		}
		return page(c, all)
	})
	s.handle(mux, "POST "+root, action+"create", func(c *call) answer {
		in := c.policy("")
		return ok(c.addPolicy(in).shown())
	})
	s.handle(mux, "PUT "+root+"/{id}", action+"edit", one(func(c *call, p *policy) answer {
		in := c.policy(p.ID)
		if p.ReadOnly {
			return c.refuse(http.StatusForbidden, "Forbidden", "Policy is read-only")
		}
		p.policyIn = in
		return ok(p.shown())
	}))
	s.handle(mux, "DELETE "+root+"/{id}", action+"delete", one(func(c *call, p *policy) answer {
		c.policies = slices.DeleteFunc(c.policies, func(o *policy) bool { return o == p })
		return ok(nil)
	}))
	s.handle(mux, "GET /v2/iam/reference/action", anyone, func(c *call) answer {
		type action struct {
			Action       string `json:"action"`
			ResourceType string `json:"resourceType"`
		}
		all := []action{}
		for _, a := range append(ovh.Actions(ovh.Purposes()...), "domain:apiovh:task/accelerate", "vps:apiovh:reboot") {
			kind, _, _ := strings.Cut(a, ":")
			if t := c.req.URL.Query().Get("resourceType"); t == "" || t == kind {
				all = append(all, action{a, kind})
			}
		}
		return page(c, all)
	})
	s.handle(mux, "POST /v2/iam/resource/{urn}/tag", "dnsZone:apiovh:iam/resource/tag/add", func(c *call) answer {
		var in struct{ Key, Value string }
		c.read(&in)
		z := c.tagged()
		if _, there := z.tags[in.Key]; there {
			return c.refuse(http.StatusConflict, "Conflict", "Tag already exists")
		}
		z.tags[in.Key] = in.Value
		return ok(nil)
	})
	s.handle(mux, "DELETE /v2/iam/resource/{urn}/tag/{key}", "dnsZone:apiovh:iam/resource/tag/remove", func(c *call) answer {
		z := c.tagged()
		if _, there := z.tags[c.req.PathValue("key")]; !there {
			return c.notFound("Tag not found")
		}
		delete(z.tags, c.req.PathValue("key"))
		return ok(nil)
	})
}

// tagged is the zone that the path names by its URN.
func (c *call) tagged() *zone {
	name, _ := strings.CutPrefix(c.req.PathValue("urn"), zoneURN)
	if z := c.zones[name]; z != nil {
		return z
	}
	panic(c.notFound("Resource not found"))
}

// policy reads one that is sent, which must be whole, and have a name that no other has.
func (c *call) policy(id string) (in policyIn) {
	c.read(&in)
	if in.Name == "" || len(in.Identities) == 0 || len(in.Resources) == 0 {
		panic(c.refuse(http.StatusBadRequest, "BadRequest", "Missing parameter"))
	}
	for _, p := range c.policies {
		if p.Name == in.Name && p.ID != id {
			panic(c.refuse(http.StatusConflict, "Conflict", "Policy with name %s already exists", in.Name))
		}
	}
	for _, i := range in.Identities {
		if _, id, found := strings.Cut(i, "/oauth2-"); found && c.clientByID(id) == nil {
			panic(c.refuse(http.StatusBadRequest, "BadRequest", "Identity %s does not exist", i))
		}
	}
	return in
}
