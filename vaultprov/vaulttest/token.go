package vaulttest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// token is who makes requests.
type token struct {
	policies []string
	accessor string
	path     string // by which it was made
	display  string
	meta     map[string]any
	parent   string
	orphan   bool
	batch    bool
	created  time.Time
	expires  time.Time // zero: never
	ttl      time.Duration
	period   time.Duration
	max      time.Duration // after created; 0: the system's
	explicit time.Duration
	fixed    bool // it cannot be renewed
	renewed  time.Time
}

const systemTTL = 768 * time.Hour

func (t *token) root() bool { return slices.Contains(t.policies, "root") }

// newToken returns the ID of a token, in the length of a root token of Vault's.
func newToken() string { return "hvs." + rand.Text()[:24] }

// grant is what a login method allows.
type grant struct {
	policies         []string
	ttl, max, period time.Duration
	explicit         time.Duration
	noDefault        bool
	kind             string // "service", "batch"; otherwise the mount's
	meta             map[string]any
	path, display    string
	parent           string
	fixed            bool
}

// issue makes a token.
func (s *Server) issue(g grant) reply {
	t := &token{policies: slices.Clone(g.policies), accessor: rand.Text()[:24], path: g.path, display: g.display,
		meta: g.meta, parent: g.parent,
		orphan: g.parent == "", batch: g.kind == "batch", created: s.now(), ttl: g.ttl, period: g.period, max: g.max,
		explicit: g.explicit,
		fixed:    g.fixed || g.kind == "batch"}
	if !g.noDefault && !slices.Contains(t.policies, "default") && !t.root() {
		t.policies = append([]string{"default"}, t.policies...)
	}
	slices.Sort(t.policies)
	id := newToken()
	if t.batch {
		id, t.accessor = "hvb."+id[4:], ""
	}
	if t.ttl = t.lifetime(t.created, t.ttl); t.ttl > 0 {
		t.expires = t.created.Add(t.ttl)
	}
	s.tokens[id] = t
	return s.authOf(id, t, nil)
}

// lifetime returns how long a token lives on from now, where ttl is asked for.
func (t *token) lifetime(now time.Time, ttl time.Duration) time.Duration {
	switch {
	case t.root() && ttl == 0:
		return 0
	case t.period > 0:
		ttl = t.period
	case ttl == 0:
		ttl = systemTTL
	}
	limit := systemTTL
	if t.max > 0 {
		limit = t.max
	}
	if t.period > 0 {
		limit = ttl + now.Sub(t.created)
	}
	if t.explicit > 0 {
		limit = min(limit, t.explicit)
	}
	return min(ttl, t.created.Add(limit).Sub(now))
}

func (s *Server) authOf(id string, t *token, warnings []string) reply {
	kind := "service"
	if t.batch {
		kind = "batch"
	}
	var meta any
	if t.meta != nil {
		meta = t.meta
	}
	return reply{status: 200, warnings: warnings, auth: map[string]any{"client_token": id, "accessor": t.accessor,
		"policies":       t.policies,
		"token_policies": t.policies, "metadata": meta, "lease_duration": s.left(t), "renewable": !t.fixed &&
			!t.expires.IsZero(),
		"entity_id": "", "token_type": kind, "orphan": t.orphan, "mfa_requirement": nil, "num_uses": 0}}
}

// left returns how many seconds a token has; 0: it does not end.
func (s *Server) left(t *token) int64 {
	if t.expires.IsZero() {
		return 0
	}
	return int64(t.expires.Sub(s.now()).Round(time.Second).Seconds())
}

func (s *Server) revokeToken(id string) {
	delete(s.tokens, id)
	for _, l := range s.leases {
		if l.token == id {
			s.endLease(l)
		}
	}
	for child, t := range s.tokens {
		if t.parent == id {
			s.revokeToken(child)
		}
	}
}

// expire ends what has come to its end.
func (s *Server) expire() {
	for id, t := range s.tokens {
		if !t.expires.IsZero() && !s.now().Before(t.expires) {
			s.revokeToken(id)
		}
	}
	for _, l := range s.leases {
		if l.failed == "" && !s.now().Before(l.expires) {
			s.endLease(l)
		}
	}
}

// id returns that of the token that made a request.
func (s *Server) id(t *token) string {
	for id, other := range s.tokens {
		if other == t {
			return id
		}
	}
	return ""
}

func (s *Server) tokenStore(r *request, rest string) reply {
	switch r.method + " " + strings.TrimSuffix(rest, "/") {
	case "POST create":
		return s.createToken(r)
	case "GET lookup-self":
		return ok(s.lookup(s.id(r.token), r.token))
	case "POST lookup":
		if t := s.tokens[fmt.Sprint(r.body["token"])]; t != nil {
			return ok(s.lookup(fmt.Sprint(r.body["token"]), t))
		}
		return fail(403, "bad token")
	case "POST renew-self":
		return s.renewToken(r)
	case "POST revoke-self":
		if r.token.batch {
			return fail(400, "batch tokens cannot be revoked")
		}
		s.revokeToken(s.id(r.token))
		return reply{}
	case "POST revoke":
		s.revokeToken(fmt.Sprint(r.body["token"]))
		return reply{}
	case "LIST accessors":
		var keys []string
		for _, t := range s.tokens {
			if t.accessor != "" {
				keys = append(keys, t.accessor)
			}
		}
		return keysOf(keys)
	}
	return unsupported()
}

func (s *Server) createToken(r *request) reply {
	policies, err := texts(r.body["policies"], true)
	ttl, wrongTTL := duration(r.body["ttl"])
	period, wrongPeriod := duration(r.body["period"])
	explicit, wrongMax := duration(r.body["explicit_max_ttl"])
	for _, e := range []error{err, wrongTTL, wrongPeriod, wrongMax} {
		if e != nil {
			return fail(400, e.Error())
		}
	}
	if len(policies) == 0 {
		policies = r.token.policies
	}
	for _, p := range policies {
		if !r.token.root() && p != "default" && !slices.Contains(r.token.policies, p) {
			return fail(400, "child policies must be subset of parent")
		}
	}
	g := grant{policies: policies, ttl: time.Duration(ttl) * time.Second, period: time.Duration(period) * time.Second,
		explicit: time.Duration(explicit) * time.Second, path: "auth/token/create", display: "token",
		parent: s.id(r.token)}
	g.kind, _ = r.body["type"].(string)
	g.meta, _ = r.body["meta"].(map[string]any)
	g.noDefault, _ = r.body["no_default_policy"].(bool)
	if orphan, _ := r.body["no_parent"].(bool); orphan || g.kind == "batch" {
		g.parent = ""
	}
	if renewable, given := r.body["renewable"].(bool); given {
		g.fixed = !renewable
	}
	return s.issue(g)
}

func (s *Server) renewToken(r *request) reply {
	t := r.token
	switch {
	case t.batch:
		return fail(400, "batch tokens cannot be renewed")
	case t.fixed || t.expires.IsZero():
		return fail(400, "lease is not renewable")
	}
	increment, err := duration(r.body["increment"])
	if err != nil {
		return fail(400, err.Error())
	}
	ttl := t.ttl
	if increment > 0 && t.period == 0 {
		ttl = time.Duration(increment) * time.Second
	}
	var warnings []string
	now := s.now()
	d := t.lifetime(now, ttl)
	if d < ttl {
		warnings = append(warnings, fmt.Sprintf("TTL of %q exceeded the effective max_ttl; TTL value is capped "+
			"accordingly", ttl))
	}
	t.expires, t.renewed = now.Add(d), now
	return s.authOf(s.id(t), t, warnings)
}

func (s *Server) lookup(id string, t *token) map[string]any {
	kind := "service"
	if t.batch {
		kind = "batch"
	}
	var meta any
	if t.meta != nil {
		meta = t.meta
	}
	out := map[string]any{"accessor": t.accessor, "creation_time": t.created.Unix(),
		"creation_ttl": int64(t.ttl.Seconds()), "display_name": t.display,
		"entity_id": "", "expire_time": nil, "explicit_max_ttl": int64(t.explicit.Seconds()), "id": id,
		"issue_time": stamp(t.created), "meta": meta,
		"num_uses": 0, "orphan": t.orphan, "path": t.path, "policies": t.policies, "renewable": !t.fixed &&
			!t.expires.IsZero(),
		"ttl": s.left(t), "type": kind}
	if !t.expires.IsZero() {
		out["expire_time"] = stamp(t.expires)
	}
	if t.period > 0 {
		out["period"] = int64(t.period.Seconds())
	}
	if !t.renewed.IsZero() {
		out["last_renewal"], out["last_renewal_time"] = stamp(t.renewed), t.renewed.Unix()
	}
	return out
}

// tokenFields are those of every role that gives tokens.
var tokenFields = []field{
	{"token_bound_cidrs", commas, []string{}}, {"token_explicit_max_ttl", seconds, int64(0)},
	{"token_max_ttl", seconds, int64(0)},
	{"token_no_default_policy", truth, false}, {"token_num_uses", count, 0}, {"token_period", seconds, int64(0)},
	{"token_policies", commas, []string{}}, {"token_ttl", seconds, int64(0)}, {"token_type", text, "default"},
}

// checkToken says what is wrong with the fields of the tokens of a role; empty: nothing.
func checkToken(role map[string]any) string {
	kind := role["token_type"].(string)
	if kind == "" {
		role["token_type"], kind = "default", "default"
	}
	ttl, most := role["token_ttl"].(int64), role["token_max_ttl"].(int64)
	switch {
	case !slices.Contains([]string{"default", "service", "batch", "default-service", "default-batch"}, kind):
		return "invalid 'token_type' value " + quote(kind)
	case kind == "batch" && role["token_period"].(int64) > 0:
		return "'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens"
	case ttl > 0 && most > 0 && ttl > most:
		return "'token_ttl' cannot be greater than 'token_max_ttl'"
	}
	for n, p := range role["token_policies"].([]string) {
		role["token_policies"].([]string)[n] = strings.ToLower(p)
	}
	return ""
}

// grantOf returns what a role of the method allows.
func (m *mount) grantOf(role map[string]any, path, display string, meta map[string]any) grant {
	long := func(name string) time.Duration { return time.Duration(role[name].(int64)) * time.Second }
	kind := role["token_type"].(string)
	switch tuned := m.tune["token_type"]; {
	case tuned == "batch", tuned == "default-batch" && kind == "default":
		kind = "batch"
	case tuned == "service":
		kind = "service"
	}
	return grant{policies: role["token_policies"].([]string), ttl: long("token_ttl"), max: long("token_max_ttl"),
		period:   long("token_period"),
		explicit: long("token_explicit_max_ttl"), noDefault: role["token_no_default_policy"].(bool), kind: kind,
		meta: meta, path: path, display: display}
}

// keysOf answers a LIST.
func keysOf(keys []string) reply {
	if len(keys) == 0 {
		return notFound()
	}
	slices.Sort(keys)
	return ok(map[string]any{"keys": keys})
}

// clone returns an object as it is answered.
func clone(object map[string]any) map[string]any {
	b, _ := json.Marshal(object)
	out := map[string]any{}
	_ = json.Unmarshal(b, &out)
	return out
}
