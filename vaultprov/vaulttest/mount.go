package vaulttest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// mount is an engine at a path.
type mount struct {
	kind        string
	description string
	accessor    string
	uuid        string
	local       bool
	options     map[string]any
	tune        map[string]any
	objects     map[string]map[string]any // by path in the mount
	private     map[string]map[string]any // what no list has
	upgrading   int                       // how many requests yet find it not ready
}

// builtIn are the mounts that every Vault has, with their descriptions.
var builtIn = map[string]string{"system": "system endpoints used for control, policy and debugging",
	"identity":  "identity store",
	"cubbyhole": "per-token private secret storage", "token": "token based credentials"}

// kinds are the engines that there are, those of auth methods aside.
var (
	kinds     = []string{"kv", "database", "transit"}
	authKinds = []string{"jwt", "kubernetes", "approle"}
)

func (s *Server) newMount(path, kind string, options map[string]any) *mount {
	m := &mount{kind: kind, accessor: kind + "_" + randomHex(4), uuid: uuid(), options: options,
		objects: map[string]map[string]any{}, private: map[string]map[string]any{},
		tune: map[string]any{"default_lease_ttl": int64(0), "force_no_cache": false, "max_lease_ttl": int64(0)}}
	m.description, m.local = builtIn[kind], kind == "cubbyhole"
	if strings.HasPrefix(path, "auth/") {
		m.accessor = "auth_" + m.accessor
		m.tune["token_type"] = "default-service"
	}
	if m.version2() {
		m.upgrading = 1
	}
	return m
}

func (m *mount) version2() bool { return m.kind == "kv" && m.options["version"] == "2" }

// mountOf returns the mount of a path, and the rest of the path.
func (s *Server) mountOf(path string) (m *mount, rest string) {
	best := ""
	for at := range s.mounts {
		if len(at) > len(best) && strings.HasPrefix(path, at) {
			best = at
		}
	}
	if best == "" {
		return nil, path
	}
	return s.mounts[best], strings.TrimPrefix(path, best)
}

func (m *mount) describe() map[string]any {
	var options any
	if m.options != nil {
		options = m.options
	}
	return map[string]any{"type": m.kind, "description": m.description, "accessor": m.accessor, "uuid": m.uuid,
		"local":     m.local,
		"seal_wrap": m.kind == "system", "external_entropy_access": false, "options": options, "plugin_version": "",
		"running_sha256":         "",
		"running_plugin_version": "v" + version + "+builtin.vault", "config": maps.Clone(m.tune)}
}

// system answers what is below sys/.
func (s *Server) system(r *request, rest string) reply {
	first, more, _ := strings.Cut(rest, "/")
	switch first {
	case "mounts":
		return s.mountAPI(r, "", more)
	case "auth":
		return s.mountAPI(r, "auth/", more)
	case "policies":
		if kind, name, _ := strings.Cut(more, "/"); kind == "acl" {
			return s.policies(r, name)
		}
	case "audit":
		return s.audit(r, more)
	case "leases":
		return s.leaseAPI(r, more)
	case "capabilities-self":
		return s.capabilitiesSelf(r)
	case "seal":
		if r.method == "POST" {
			s.seal.close()
			return reply{}
		}
	}
	return unsupported()
}

// mountAPI answers sys/mounts and sys/auth.
func (s *Server) mountAPI(r *request, below, path string) reply {
	if path == "" {
		out := map[string]any{}
		for at, m := range s.mounts {
			if name, auth := strings.CutPrefix(at, "auth/"); auth == (below != "") {
				out[name] = m.describe()
			}
		}
		return reply{status: 200, data: out, spread: true}
	}
	name, tunes := strings.CutSuffix(path, "/tune")
	name = strings.TrimSuffix(name, "/") + "/"
	m := s.mounts[below+name]
	switch {
	case tunes && m == nil:
		return fail(400, "cannot fetch sysview for path "+quote(below+name))
	case tunes && r.method == "GET":
		return reply{status: 200, data: m.tuned(), spread: true}
	case tunes:
		return m.retune(r.body)
	case r.method == "GET" && m == nil && below == "":
		return fail(400, "No secret engine mount at "+name)
	case r.method == "GET" && m == nil:
		return fail(400, "No auth engine at "+name)
	case r.method == "GET":
		return reply{status: 200, data: m.describe(), spread: true}
	case r.method == "DELETE":
		delete(s.mounts, below+name)
		return reply{}
	}
	return s.enable(r, below, name)
}

func (s *Server) enable(r *request, below, name string) reply {
	kind, _ := r.body["type"].(string)
	known := kinds
	if below != "" {
		known = authKinds
	}
	for at := range s.mounts {
		if strings.HasPrefix(below+name, at) || strings.HasPrefix(at, below+name) {
			return fail(400, "path is already in use at "+strings.TrimPrefix(at, "auth/"))
		}
	}
	if kind == "kv-v2" || kind == "kv-v1" {
		r.body["options"] = map[string]any{"version": kind[len(kind)-1:]}
		kind = "kv"
	}
	if !slices.Contains(known, kind) {
		return fail(400, "plugin not found in the catalog: "+kind)
	}
	options, _ := r.body["options"].(map[string]any)
	if options == nil {
		options = map[string]any{}
	}
	if v := options["version"]; kind == "kv" && v != nil && v != "1" && v != "2" {
		return fail(400, `nil backend of type "kv" returned from factory`)
	}
	m := s.newMount(below+name, kind, options)
	m.description, _ = r.body["description"].(string)
	m.local, _ = r.body["local"].(bool)
	if config, _ := r.body["config"].(map[string]any); config != nil {
		if e := m.retune(config); e.errors != nil {
			return e
		}
	}
	s.mounts[below+name] = m
	return reply{}
}

// tuneFields are what can be tuned.
var tuneFields = []field{
	{"default_lease_ttl", seconds, nil}, {"max_lease_ttl", seconds, nil}, {"force_no_cache", truth, nil},
	{"listing_visibility", text, nil},
	{"token_type", text, nil}, {"audit_non_hmac_request_keys", commas, nil},
	{"audit_non_hmac_response_keys", commas, nil},
	{"passthrough_request_headers", commas, nil}, {"allowed_response_headers", commas, nil},
}

func (m *mount) retune(body map[string]any) reply {
	body = maps.Clone(body)
	description, described := body["description"].(string)
	options, _ := body["options"].(map[string]any)
	delete(body, "description")
	delete(body, "options")
	tune := maps.Clone(m.tune)
	err := merge(tune, tuneFields, body)
	if err != nil {
		return fail(400, err.Error())
	}
	maps.DeleteFunc(tune, func(_ string, v any) bool {
		empty, isList := v.([]string)
		return v == nil || v == "" || isList && len(empty) == 0
	})
	if ttl, most := tune["default_lease_ttl"].(int64), tune["max_lease_ttl"].(int64); most > 0 && ttl > most {
		return fail(400, fmt.Sprintf("backend max lease TTL of %d would be less than backend default lease TTL of "+
			"%d", most, ttl))
	}
	var warnings []string
	if v := options["version"]; v != nil && v != m.options["version"] {
		if m.kind != "kv" || v != "2" {
			return fail(400, "cannot downgrade mount from version 2")
		}
		m.options, m.upgrading = options, 1
		warnings = append(warnings, "Upgrading mount from version 0 to version 2. This mount will be unavailable for "+
			"a brief "+
			"period and will resume service shortly.")
	}
	if described {
		m.description = description
	}
	m.tune = tune
	return reply{warnings: warnings}
}

// tuned answers what is in force.
func (m *mount) tuned() map[string]any {
	out := maps.Clone(m.tune)
	out["description"] = m.description
	for _, name := range []string{"default_lease_ttl", "max_lease_ttl"} {
		if out[name] == int64(0) {
			out[name] = int64(systemTTL.Seconds())
		}
	}
	if len(m.options) > 0 {
		out["options"] = m.options
	}
	return out
}

// audit answers sys/audit.
func (s *Server) audit(r *request, name string) reply {
	name = strings.TrimSuffix(name, "/") + "/"
	switch r.method {
	case "GET":
		out := map[string]any{}
		for at, device := range s.audits {
			out[at] = device
		}
		return reply{status: 200, data: out, spread: true}
	case "DELETE":
		delete(s.audits, name)
		return reply{}
	}
	kind, _ := r.body["type"].(string)
	options, _ := r.body["options"].(map[string]any)
	switch {
	case s.audits[name] != nil:
		return fail(400, "path already in use: invalid configuration")
	case !slices.Contains([]string{"file", "socket", "syslog"}, kind):
		return fail(400, "unknown backend type: "+quote(kind)+": invalid configuration")
	case kind == "file" && options["file_path"] == nil:
		return fail(400, `unable to create new audit backend: "file_path" is required: invalid configuration`)
	}
	description, _ := r.body["description"].(string)
	local, _ := r.body["local"].(bool)
	s.audits[name] = map[string]any{"path": name, "type": kind, "description": description, "local": local,
		"options": options}
	return reply{}
}

// names returns the objects below a prefix, as a LIST answers them.
func (m *mount) names(prefix string) reply {
	var keys []string
	for path := range m.objects {
		name, below := strings.CutPrefix(path, prefix)
		if !below {
			continue
		}
		if dir, _, deeper := strings.Cut(name, "/"); deeper {
			name = dir + "/"
		}
		if !slices.Contains(keys, name) {
			keys = append(keys, name)
		}
	}
	return keysOf(keys)
}
