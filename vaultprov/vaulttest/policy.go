package vaulttest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// defaultPolicy is what matters here of the policy that every token has unless its role says otherwise.
const defaultPolicy = `
# Allow tokens to look up their own properties
path "auth/token/lookup-self" {
    capabilities = ["read"]
}

# Allow tokens to renew themselves
path "auth/token/renew-self" {
    capabilities = ["update"]
}

# Allow tokens to revoke themselves
path "auth/token/revoke-self" {
    capabilities = ["update"]
}

# Allow a token to look up its own capabilities on a path
path "sys/capabilities-self" {
    capabilities = ["update"]
}
`

var capabilities = []string{"deny", "create", "read", "update", "delete", "list", "sudo", "patch", "subscribe",
	"recover"}

var (
	comment = regexp.MustCompile(`(?m)^\s*(#|//).*$`)
	stanza  = regexp.MustCompile(`^\s*path\s+"([^"]*)"\s*\{((?:[^{}"]|"[^"]*")*)\}`)
	granted = regexp.MustCompile(`(?s)\bcapabilities\s*=\s*\[([^\]]*)\]`)
	quoted  = regexp.MustCompile(`"([^"]*)"`)
)

// parsePolicy returns the capabilities by path. It reads the HCL that our layer and people write, and JSON.
func parsePolicy(source string) (map[string][]string, error) {
	paths := map[string][]string{}
	var object struct {
		Path map[string]struct {
			Capabilities []string `json:"capabilities"`
		} `json:"path"`
	}
	if json.Unmarshal([]byte(source), &object) == nil {
		for path, rule := range object.Path {
			paths[path] = rule.Capabilities
		}
	} else {
		rest := comment.ReplaceAllString(source, "")
		for strings.TrimSpace(rest) != "" {
			m := stanza.FindStringSubmatch(rest)
			if m == nil {
				word, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
				//lint:ignore ST1005 Vault says it so
				return nil, fmt.Errorf("failed to parse policy: 1 error occurred:\n\t* invalid key %q on line 0\n\n", word)
			}
			if caps := granted.FindStringSubmatch(m[2]); caps != nil {
				for _, c := range quoted.FindAllStringSubmatch(caps[1], -1) {
					paths[m[1]] = append(paths[m[1]], c[1])
				}
			}
			rest = rest[len(m[0]):]
		}
	}
	for path, caps := range paths {
		for _, c := range caps {
			if !slices.Contains(capabilities, c) {
				return nil, fmt.Errorf("failed to parse policy: path %q: invalid capability %q", path, c)
			}
		}
	}
	return paths, nil
}

// capabilitiesOf returns what a token may do at a path, sorted: of the rules of all of its policies, those of the path
// that fits best.
func (s *Server) capabilitiesOf(t *token, path string) []string {
	if t.root() {
		return []string{"root"}
	}
	best, caps := "", []string(nil)
	for _, name := range t.policies {
		rules, _ := parsePolicy(s.acl[name])
		for pattern, granted := range rules {
			switch {
			case !fits(pattern, path):
			case pattern == best:
				caps = append(caps, granted...)
			case best == "" || closer(pattern, best):
				best, caps = pattern, slices.Clone(granted)
			}
		}
	}
	slices.Sort(caps)
	caps = slices.Compact(caps)
	if len(caps) == 0 || slices.Contains(caps, "deny") {
		return []string{"deny"}
	}
	return caps
}

// fits reports whether a pattern is for a path: + is one part of it, * at the end is any end.
func fits(pattern, path string) bool {
	glob := strings.HasSuffix(pattern, "*")
	pattern = strings.TrimSuffix(pattern, "*")
	for pattern != "" {
		want, more, slash := strings.Cut(pattern, "/")
		have, rest, haveSlash := strings.Cut(path, "/")
		last := !slash
		switch {
		case want == "+" && have != "":
		case last && glob && strings.HasPrefix(path, want):
			return true
		case want != have:
			return false
		}
		if last {
			return !haveSlash || glob
		}
		if !haveSlash {
			return false
		}
		pattern, path = more, rest
	}
	return glob || path == ""
}

// closer reports whether a pattern fits better than another that fits too.
func closer(pattern, other string) bool {
	wild := func(p string) int {
		if n := strings.IndexAny(p, "+*"); n >= 0 {
			return n
		}
		return len(p) + 1
	}
	if wild(pattern) != wild(other) {
		return wild(pattern) > wild(other)
	}
	return len(pattern) > len(other)
}

// protected are the paths of sys that need sudo.
var protected = []string{"sys/auth/", "sys/audit", "sys/leases/revoke-prefix/", "sys/leases/revoke-force/",
	"sys/leases/lookup/", "auth/token/accessors"}

// may reports whether the token of a request may make it.
func (s *Server) may(r *request, m *mount, rest string) bool {
	caps := s.capabilitiesOf(r.token, r.path)
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(caps, n) })
	}
	if has("root") {
		return true
	}
	if slices.ContainsFunc(protected, func(p string) bool { return strings.HasPrefix(r.path, p) }) && !has("sudo") {
		return false
	}
	switch r.method {
	case "GET":
		return has("read")
	case "LIST":
		return has("list") || slices.Contains(s.capabilitiesOf(r.token, strings.TrimSuffix(r.path, "/")), "list")
	case "DELETE":
		return has("delete")
	}
	if m != nil && m.kind == "kv" {
		if m.exists(rest) {
			return has("update")
		}
		return has("create")
	}
	return has("update", "create")
}

func (s *Server) policies(r *request, name string) reply {
	lower := strings.ToLower(name)
	switch r.method {
	case "LIST":
		keys := []string{"root"}
		for name := range s.acl {
			keys = append(keys, name)
		}
		return keysOf(keys)
	case "GET":
		if lower == "root" {
			return ok(map[string]any{"name": "root", "policy": ""})
		}
		if source, has := s.acl[lower]; has {
			return ok(map[string]any{"name": lower, "policy": source})
		}
		return notFound()
	case "DELETE":
		if lower == "default" || lower == "root" {
			return fail(400, "cannot delete "+lower+" policy")
		}
		delete(s.acl, lower)
		return reply{}
	}
	source, _ := r.body["policy"].(string)
	if plain, err := base64.StdEncoding.DecodeString(source); err == nil {
		source = string(plain)
	}
	switch {
	case source == "":
		return fail(400, "'policy' parameter not supplied or empty")
	case lower == "root":
		return fail(400, `cannot update "root" policy`)
	}
	if _, err := parsePolicy(source); err != nil {
		return fail(400, err.Error())
	}
	s.acl[lower] = source
	if lower != name {
		return reply{warnings: []string{"policy name was converted to " + lower}}
	}
	return reply{}
}

func (s *Server) capabilitiesSelf(r *request) reply {
	paths, err := texts(r.body["paths"], true)
	if err != nil || len(paths) == 0 {
		return fail(400, "paths must be supplied")
	}
	out := map[string]any{}
	for _, path := range paths {
		out[path] = s.capabilitiesOf(r.token, path)
	}
	return reply{status: 200, data: out, spread: true}
}
