package vaulttest

import (
	"slices"
	"strings"
)

var appRoleFields = slices.Concat(tokenFields, []field{
	{"bind_secret_id", truth, true}, {"local_secret_ids", truth, false}, {"secret_id_bound_cidrs", commas, nil},
	{"secret_id_num_uses", count, 0},
	{"secret_id_ttl", seconds, int64(0)},
})

func (s *Server) appRole(m *mount, r *request, rest string) reply {
	if rest == "login" {
		return s.appRoleLogin(m, r)
	}
	kind, name, _ := strings.Cut(rest, "/")
	if kind != "role" {
		return unsupported()
	}
	if name == "" {
		return m.names("role/")
	}
	name, more, _ := strings.Cut(name, "/")
	role := m.objects["role/"+name]
	switch {
	case more == "":
		return m.role(r, rest, appRoleFields, func(map[string]any) (string, []string) { return "", nil })
	case role == nil:
		return notFound()
	case more == "role-id" && r.method == "GET":
		return ok(map[string]any{"role_id": m.roleID(name)})
	case more == "secret-id" && r.method == "POST":
		id := uuid()
		m.hidden("secret-id/" + id)["role"] = name
		return ok(map[string]any{"secret_id": id, "secret_id_accessor": uuid(),
			"secret_id_num_uses": role["secret_id_num_uses"],
			"secret_id_ttl":      role["secret_id_ttl"]})
	}
	return unsupported()
}

// hidden is an object of the mount that no list has.
func (m *mount) hidden(path string) map[string]any {
	if m.private[path] == nil {
		m.private[path] = map[string]any{}
	}
	return m.private[path]
}

func (m *mount) roleID(name string) string {
	o := m.hidden("role-id/" + name)
	if o["id"] == nil {
		o["id"] = uuid()
	}
	return o["id"].(string)
}

func (s *Server) appRoleLogin(m *mount, r *request) reply {
	secret, _ := r.body["secret_id"].(string)
	name, _ := m.hidden("secret-id/" + secret)["role"].(string)
	if name == "" || r.body["role_id"] != m.roleID(name) || m.objects["role/"+name] == nil {
		return fail(400, "invalid role or secret ID")
	}
	return s.issue(m.grantOf(m.objects["role/"+name], r.path, "approle", map[string]any{"role_name": name}))
}
