package cloudflaretest

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// group is a permission group.
type group struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Scopes []string `json:"scopes,omitempty"`
}

const (
	scopeAccount = "com.cloudflare.api.account"
	scopeZone    = "com.cloudflare.api.account.zone"
	scopeBucket  = "com.cloudflare.edge.r2.bucket"
)

// newGroups returns some of Cloudflare's groups, each with an ID that no other server has: whoever knows IDs is wrong. Some
// names are there twice, in two scopes.
func newGroups() (all []group) {
	for scope, names := range map[string]string{
		scopeAccount: "Account API Tokens,Account Settings,Cloudflare Tunnel,Logs,Pages,Turnstile Sites,Workers R2 Storage,Workers Scripts",
		scopeZone:    "DNS,Logs,Page Rules,SSL and Certificates,Zone,Zone Settings",
		scopeBucket:  "Workers R2 Storage Bucket Item",
	} {
		for name := range strings.SplitSeq(names, ",") {
			for _, verb := range []string{"Read", "Write"} {
				all = append(all, group{ID: newID(), Name: name + " " + verb, Scopes: []string{scope}})
			}
		}
	}
	slices.SortFunc(all, func(a, b group) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// policy is a policy of a token.
type policy struct {
	ID        string                     `json:"id,omitempty"`
	Effect    string                     `json:"effect"`
	Groups    []group                    `json:"permission_groups"`
	Resources map[string]json.RawMessage `json:"resources"`
}

// token is an API token of the account.
type token struct {
	lag       `json:"-"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Status    string          `json:"status"`
	Policies  []policy        `json:"policies"`
	Condition json.RawMessage `json:"condition,omitempty"`
	Issued    time.Time       `json:"issued_on"`
	Modified  time.Time       `json:"modified_on"`
	LastUsed  *time.Time      `json:"last_used_on,omitempty"`
	Expires   *time.Time      `json:"expires_on,omitempty"`
	NotBefore *time.Time      `json:"not_before,omitempty"`

	value   string
	unknown int // proofs until its value is known everywhere
}

func newValue() string { return "cfat_" + newID() + newID() }

func (s *Server) tokenRoutes(mux *http.ServeMux) {
	const all, one = "/accounts/{a}/tokens", "/accounts/{a}/tokens/{token}"
	s.handle(mux, "GET "+all, func(c *call) answer {
		var found []*token
		for _, t := range c.state.tokens {
			if t.listed() {
				found = append(found, t)
			}
		}
		return page(c, found, 5, 20, 50)
	})
	s.handle(mux, "POST "+all, func(c *call) answer {
		t := &token{ID: newID(), Status: "active", Issued: now(), value: newValue(), lag: lag{c.config.Lag}, unknown: c.config.Lag}
		c.setToken(t)
		c.state.tokens = append(c.state.tokens, t)
		return ok(struct {
			*token
			Value string `json:"value"`
		}{t, t.value})
	})
	s.handle(mux, "GET "+all+"/permission_groups", func(c *call) answer { return ok(c.state.groups) })
	s.handle(mux, "GET "+all+"/verify", (*call).verify)
	s.handle(mux, "GET /user/tokens/verify", func(c *call) answer {
		if !slices.Contains(c.state.userTokens, c.bearer()) {
			return refuse(http.StatusUnauthorized, 1000, "Invalid API Token")
		}
		return ok(map[string]any{"id": newID(), "status": "active"})
	})
	s.handle(mux, "GET "+one, func(c *call) answer { return ok(c.tokenOf()) })
	s.handle(mux, "PUT "+one, func(c *call) answer {
		t := c.tokenOf()
		c.setToken(t)
		return ok(t)
	})
	s.handle(mux, "PUT "+one+"/value", func(c *call) answer {
		t := c.tokenOf()
		t.value = newValue()
		return ok(t.value)
	})
	s.handle(mux, "DELETE "+one, func(c *call) answer {
		t := c.tokenOf()
		c.state.tokens, _ = without(c.state.tokens, func(o *token) bool { return o == t })
		return ok(map[string]string{"id": t.ID})
	})
}

func (c *call) tokenOf() *token {
	for _, t := range c.state.tokens {
		if t.ID == c.req.PathValue("token") {
			return t
		}
	}
	panic(refuse(http.StatusNotFound, 1003, "Invalid or missing API Token ID"))
}

// verify says whose the value is that the request comes with.
func (c *call) verify() answer {
	for _, t := range c.state.tokens {
		if t.value != c.bearer() {
			continue
		}
		if t.unknown--; t.unknown >= 0 {
			break
		}
		used := now()
		t.LastUsed = &used
		return ok(map[string]any{"id": t.ID, "status": t.Status})
	}
	return refuse(http.StatusUnauthorized, 1000, "Invalid API Token")
}

// setToken makes a token what a request says, all of it: what is left out is removed.
func (c *call) setToken(t *token) {
	var in struct {
		Name      string          `json:"name"`
		Status    string          `json:"status"`
		Policies  []policy        `json:"policies"`
		Condition json.RawMessage `json:"condition"`
		Expires   *time.Time      `json:"expires_on"`
		NotBefore *time.Time      `json:"not_before"`
	}
	c.read(&in)
	if in.Name == "" || len(in.Name) > 120 || len(in.Policies) == 0 {
		panic(refuse(http.StatusBadRequest, 1002, "A name and policies are required"))
	}
	for n := range in.Policies {
		c.policy(&in.Policies[n])
	}
	if in.Condition != nil {
		c.condition(in.Condition)
	}
	slices.Reverse(in.Policies) // their order means nothing
	t.Name, t.Policies, t.Condition, t.Modified = in.Name, in.Policies, in.Condition, now()
	t.Expires, t.NotBefore = in.Expires, in.NotBefore
	if in.Status != "" {
		t.Status = in.Status
	}
}

func (c *call) condition(raw json.RawMessage) {
	var in struct {
		IP struct {
			In    []string `json:"in"`
			NotIn []string `json:"not_in"`
		} `json:"request_ip"`
	}
	if json.Unmarshal(raw, &in) != nil {
		panic(refuse(http.StatusBadRequest, 1002, "Invalid condition"))
	}
	for _, network := range append(in.IP.In, in.IP.NotIn...) {
		if _, err := netip.ParsePrefix(network); err != nil {
			panic(refuse(http.StatusBadRequest, 1002, "Invalid IP range %s", network))
		}
	}
}

// policy checks a policy, and makes it what the API keeps: groups with their names, in the order of their IDs.
func (c *call) policy(p *policy) {
	bad := func(format string, args ...any) { panic(refuse(http.StatusBadRequest, 1002, format, args...)) }
	if p.Effect != "allow" && p.Effect != "deny" || len(p.Groups) == 0 || len(p.Resources) == 0 {
		bad("Invalid policy")
	}
	scopes := map[string]bool{}
	for name, raw := range p.Resources {
		var below map[string]string
		if json.Unmarshal(raw, &below) == nil {
			for name := range below {
				scopes[scopeOf(name)] = true
			}
			continue
		}
		if string(raw) != `"*"` || name == scopeZone+".*" { // which stands below the account, of a token of an account
			bad("Invalid resource %s", name)
		}
		c.resource(name)
		scopes[scopeOf(name)] = true
	}
	if len(scopes) != 1 {
		bad("A policy cannot have resources of several scopes")
	}
	for n, g := range p.Groups {
		at := slices.IndexFunc(c.state.groups, func(known group) bool { return known.ID == g.ID })
		if at < 0 || !scopes[c.state.groups[at].Scopes[0]] {
			bad("Invalid permission group %s", g.ID)
		}
		p.Groups[n] = group{ID: g.ID, Name: c.state.groups[at].Name}
	}
	slices.SortFunc(p.Groups, func(a, b group) int { return strings.Compare(a.ID, b.ID) })
	p.ID = newID()
}

func scopeOf(resource string) string {
	switch {
	case strings.HasPrefix(resource, scopeZone+"."):
		return scopeZone
	case strings.HasPrefix(resource, scopeBucket+"."):
		return scopeBucket
	}
	return scopeAccount
}

// resource refuses one that there is not.
func (c *call) resource(name string) {
	switch scope := scopeOf(name); scope {
	case scopeZone:
		if c.state.zone(strings.TrimPrefix(name, scope+".")) != nil {
			return
		}
	case scopeBucket: // of which a token may be made before it
		if strings.HasPrefix(name, scope+"."+c.account+"_") {
			return
		}
	case scopeAccount:
		if name == scopeAccount+"."+c.account {
			return
		}
	}
	panic(refuse(http.StatusBadRequest, 1002, "Invalid resource %s", name))
}

// Age makes all tokens older by some hours.
func (s *Server) Age(hours int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.state.tokens {
		t.Issued = t.Issued.Add(-time.Duration(hours) * time.Hour)
	}
}

// AddUserToken makes a token of the user who owns the account, and returns its value.
func (s *Server) AddUserToken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	value := newValue()
	s.state.userTokens = append(s.state.userTokens, value)
	return value
}

// AddGroup makes a permission group for zones, of a name that may be there already.
func (s *Server) AddGroup(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.groups = append(s.state.groups, group{ID: newID(), Name: name, Scopes: []string{scopeZone}})
}
