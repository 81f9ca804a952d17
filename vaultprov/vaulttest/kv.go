package vaulttest

import (
	"encoding/json"
	"maps"
	"strings"
	"time"
)

func (s *Server) kv1(m *mount, r *request, rest string) reply {
	switch r.method {
	case "LIST":
		prefix := strings.Trim(rest, "/")
		if prefix != "" {
			prefix += "/"
		}
		return m.names(prefix)
	case "GET":
		if object := m.objects[rest]; object != nil {
			return reply{status: 200, data: object, ttl: int64(systemTTL.Seconds())}
		}
		return notFound()
	case "DELETE":
		delete(m.objects, rest)
		return reply{}
	}
	if len(r.body) == 0 {
		return fail(400, "missing data fields")
	}
	m.objects[rest] = r.body
	return reply{}
}

// entry is a secret of KV v2.
type entry struct {
	versions []version2
	custom   map[string]any
	cas      bool
	created  time.Time
	updated  time.Time
}

type version2 struct {
	data      map[string]any
	created   time.Time
	deleted   time.Time
	destroyed bool
}

// exists reports whether what is written to is there already.
func (m *mount) exists(rest string) bool {
	if !m.version2() {
		return m.objects[rest] != nil
	}
	_, name, _ := strings.Cut(rest, "/")
	e := m.entry(name)
	return e != nil && (len(e.versions) > 0 || strings.HasPrefix(rest, "metadata/"))
}

func (m *mount) entry(name string) *entry {
	if o := m.objects[name]; o != nil {
		return o["entry"].(*entry)
	}
	return nil
}

func (s *Server) kv2(m *mount, r *request, rest string) reply {
	kind, name, _ := strings.Cut(rest, "/")
	if m.upgrading > 0 {
		m.upgrading--
		return fail(400, "Upgrading from non-versioned to versioned data. This backend will be unavailable for a "+
			"brief period and will "+
			"resume service shortly.")
	}
	switch kind + " " + r.method {
	case "config GET":
		return ok(clone(m.config()))
	case "config POST":
		for _, field := range []string{"cas_required", "max_versions", "delete_version_after"} {
			if v, given := r.body[field]; given {
				m.config()[field] = v
			}
		}
		return reply{}
	case "metadata LIST":
		prefix := strings.Trim(name, "/")
		if prefix != "" {
			prefix += "/"
		}
		return m.names(prefix)
	case "data GET":
		return m.readVersion(name)
	case "data POST":
		return s.writeVersion(m, name, r)
	case "data DELETE":
		if e := m.entry(name); e != nil && len(e.versions) > 0 {
			e.versions[len(e.versions)-1].deleted = s.now()
		}
		return reply{}
	case "metadata GET":
		if e := m.entry(name); e != nil {
			return ok(e.metadata())
		}
		return notFound()
	case "metadata POST":
		return s.writeMetadata(m, name, r)
	case "metadata DELETE":
		delete(m.objects, name)
		return reply{}
	}
	return reply{status: 404, warnings: []string{"Invalid path for a versioned K/V secrets engine. See the API docs " +
		"for the appropriate API " +
		"endpoints to use. If using the Vault CLI, use 'vault kv get' for this operation."}}
}

func (m *mount) config() map[string]any {
	config := m.hidden("config")
	if len(config) == 0 {
		config["cas_required"], config["delete_version_after"], config["max_versions"] = false, "0s", 0
	}
	return config
}

func (e *entry) describe(n int) map[string]any {
	v := e.versions[n]
	deleted := ""
	if !v.deleted.IsZero() {
		deleted = stamp(v.deleted)
	}
	var custom any
	if e.custom != nil {
		custom = e.custom
	}
	return map[string]any{"created_time": stamp(v.created), "custom_metadata": custom, "deletion_time": deleted,
		"destroyed": v.destroyed, "version": n + 1}
}

func (m *mount) readVersion(name string) reply {
	e := m.entry(name)
	if e == nil || len(e.versions) == 0 {
		return notFound()
	}
	last := len(e.versions) - 1
	var data any = e.versions[last].data
	status := 200
	if !e.versions[last].deleted.IsZero() {
		data, status = nil, 404
	}
	return reply{status: status, data: map[string]any{"data": data, "metadata": e.describe(last)}}
}

func (s *Server) writeVersion(m *mount, name string, r *request) reply {
	data, isMap := r.body["data"].(map[string]any)
	options, _ := r.body["options"].(map[string]any)
	cas, checked := options["cas"]
	e := m.entry(name)
	current := 0
	if e != nil {
		current = len(e.versions)
	}
	switch required, _ := m.config()["cas_required"].(bool); {
	case !isMap:
		return fail(400, "no data provided")
	case !checked && (required || e != nil && e.cas):
		return fail(400, "check-and-set parameter required for this call")
	case checked && number(cas) != current:
		return fail(400, "check-and-set parameter did not match the current version")
	}
	if e == nil {
		e = &entry{created: s.now()}
		m.objects[name] = map[string]any{"entry": e}
	}
	e.updated = s.now()
	e.versions = append(e.versions, version2{data: maps.Clone(data), created: s.now()})
	return ok(e.describe(len(e.versions) - 1))
}

func (e *entry) metadata() map[string]any {
	versions := map[string]any{}
	for n := range e.versions {
		v := e.describe(n)
		delete(v, "custom_metadata")
		delete(v, "version")
		versions[itoa(n+1)] = v
	}
	var custom any
	if e.custom != nil {
		custom = e.custom
	}
	return map[string]any{"cas_required": e.cas, "created_time": stamp(e.created),
		"current_version": len(e.versions), "custom_metadata": custom,
		"delete_version_after": "0s", "max_versions": 0, "oldest_version": 0, "updated_time": stamp(e.updated),
		"versions": versions}
}

// writeMetadata replaces what it is given of an entry's metadata. The limits are those of KV (64 keys, of 128 bytes,
// with values of 512).
func (s *Server) writeMetadata(m *mount, name string, r *request) reply {
	e := m.entry(name)
	if e == nil {
		e = &entry{created: s.now(), updated: s.now()}
	}
	if custom, given := r.body["custom_metadata"].(map[string]any); given {
		for key, v := range custom {
			value, isText := v.(string)
			if !isText || value == "" || len(value) > 512 || len(key) > 128 || len(custom) > 64 {
				return fail(400, "custom_metadata validation failed: key "+quote(key)+" or its value is too long, or "+
					"empty")
			}
		}
		e.custom = custom
	}
	if cas, given := r.body["cas_required"].(bool); given {
		e.cas = cas
	}
	m.objects[name] = map[string]any{"entry": e}
	return reply{}
}

func itoa(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}
