package vaulttest

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

var databaseFields = []field{
	{"allowed_roles", commas, []string{}}, {"plugin_name", text, ""}, {"plugin_version", text, ""},
	{"password_policy", text, ""},
	{"verify_connection", truth, true}, {"root_rotation_statements", list, []string{}},
	{"skip_static_role_import_rotation", truth, false},
	{"disable_automated_rotation", truth, false}, {"rotation_period", seconds, int64(0)},
	{"rotation_schedule", text, ""},
	{"rotation_window", seconds, int64(0)},
}

// connectionFields are those of a connection to PostgreSQL.
var connectionFields = []string{"connection_url", "username", "password", "password_authentication",
	"max_open_connections",
	"max_idle_connections", "max_connection_lifetime", "username_template", "disable_escaping", "tls_ca",
	"tls_certificate", "private_key"}

var databaseRoleFields = []field{
	{"creation_statements", list, []string{}}, {"credential_type", text, "password"},
	{"credential_config", mapping, nil}, {"db_name", text, ""},
	{"default_ttl", seconds, int64(0)}, {"max_ttl", seconds, int64(0)}, {"renew_statements", list, []string{}},
	{"revocation_statements", list, []string{}}, {"rollback_statements", list, []string{}},
}

func (s *Server) database(m *mount, r *request, rest string) reply {
	kind, name, _ := strings.Cut(rest, "/")
	if r.method == "LIST" && (kind == "config" || kind == "roles") {
		return m.names(kind + "/")
	}
	switch kind + " " + r.method {
	case "config GET":
		return m.readConnection(rest)
	case "config POST":
		return s.writeConnection(m, rest, r)
	case "roles GET":
		if role := m.objects[rest]; role != nil {
			out := maps.Clone(role)
			delete(out, "credential_config")
			return ok(out)
		}
		return notFound()
	case "roles POST":
		return m.writeDatabaseRole(rest, r)
	case "config DELETE", "roles DELETE":
		delete(m.objects, rest)
		return reply{}
	case "creds GET":
		return s.credentials(m, r, name)
	case "rotate-root POST":
		return s.rotateRoot(m, name)
	}
	return unsupported()
}

func (m *mount) readConnection(rest string) reply {
	config := m.objects[rest]
	if config == nil {
		return notFound()
	}
	out, details := maps.Clone(config), map[string]any{}
	for _, name := range connectionFields {
		if v, given := out[name]; given && name != "password" && name != "private_key" {
			details[name] = v
		}
		delete(out, name)
	}
	out["connection_details"] = details
	out["root_credentials_rotate_statements"] = out["root_rotation_statements"]
	delete(out, "root_rotation_statements")
	return ok(out)
}

// writeConnection keeps what is left out of a connection that is there, its password too.
func (s *Server) writeConnection(m *mount, rest string, r *request) reply {
	config := maps.Clone(m.objects[rest])
	if config == nil {
		config = map[string]any{}
	}
	body, given := map[string]any{}, map[string]any{}
	for name, v := range r.body {
		if slices.Contains(connectionFields, name) {
			given[name] = v
		} else {
			body[name] = v
		}
	}
	delete(config, "verify_connection") // it is of one request
	if err := merge(config, databaseFields, body); err != nil {
		return fail(400, err.Error())
	}
	maps.Copy(config, given)
	plugin, _ := config["plugin_name"].(string)
	url, _ := config["connection_url"].(string)
	switch {
	case plugin == "":
		return fail(400, "empty plugin name")
	case plugin != "postgresql-database-plugin":
		return fail(400, "error creating database object: invalid database version: 2 errors occurred:\n\t* plugin "+
			"not found in the catalog: "+
			plugin+"\n\t* plugin not found in the catalog: "+plugin+"\n\n")
	case url == "":
		return fail(400, "error creating database object: error initializing database: connection_url cannot be empty")
	}
	if auth, _ := config["password_authentication"].(string); !slices.Contains([]string{"", "password",
		"scram-sha-256"}, auth) {
		return fail(400, "error creating database object: error initializing database: '"+auth+"' is not a valid "+
			"password authentication type")
	}
	if config["verify_connection"] == true {
		if why := s.logIn(config); why != "" {
			return fail(400, "error creating database object: error verifying connection: ping failed: "+why)
		}
	}
	m.objects[rest] = config
	return reply{}
}

// logIn says why the user of a connection cannot log in; empty: he can.
func (s *Server) logIn(config map[string]any) string {
	user, _ := config["username"].(string)
	if password, known := s.users[user]; known && config["password"] != password {
		return fmt.Sprintf("failed to connect to `user=%s`: failed SASL auth: FATAL: password authentication failed "+
			"for user %q (SQLSTATE 28P01)", user, user)
	}
	return ""
}

func (m *mount) writeDatabaseRole(rest string, r *request) reply {
	role := maps.Clone(m.objects[rest])
	if role == nil {
		role = map[string]any{}
	}
	err := merge(role, databaseRoleFields, r.body)
	switch {
	case err != nil:
		return fail(400, err.Error())
	case role["db_name"] == "":
		return fail(400, "database name is required")
	case role["credential_type"] != "password":
		return fail(400, "invalid credential type "+quote(role["credential_type"].(string)))
	}
	m.objects[rest] = role
	return reply{}
}

// credentials issues those of a role. It makes nobody in a database.
func (s *Server) credentials(m *mount, r *request, name string) reply {
	role := m.objects["roles/"+name]
	if role == nil {
		return fail(400, "unknown role: "+name)
	}
	config := m.objects["config/"+role["db_name"].(string)]
	if config == nil {
		return fail(500, "1 error occurred:\n\t* failed to find entry for connection with name: "+
			""+quote(role["db_name"].(string))+"\n\n")
	}
	if allowed := config["allowed_roles"].([]string); !slices.Contains(allowed, name) &&
		!slices.Contains(allowed, "*") {
		return fail(500, "1 error occurred:\n\t* "+quote(name)+" is not an allowed role\n\n")
	}
	if why := s.logIn(config); why != "" {
		return fail(500, "1 error occurred:\n\t* unable to start transaction: "+why+"\n\n")
	}
	ttl := time.Duration(role["default_ttl"].(int64)) * time.Second
	if ttl == 0 {
		ttl = systemTTL
	}
	if most := time.Duration(role["max_ttl"].(int64)) * time.Second; most > 0 {
		ttl = min(ttl, most)
	}
	a := ok(map[string]any{"username": "v-root-" + name + "-" + rand.Text()[:20], "password": rand.Text()})
	a.lease = s.newLease(r.path, s.id(r.token), ttl)
	return a
}

// rotateRoot gives the user of a connection a password that nobody knows.
func (s *Server) rotateRoot(m *mount, name string) reply {
	config := m.objects["config/"+name]
	if config == nil {
		return fail(500, "1 error occurred:\n\t* failed to find entry for connection with name: "+quote(name)+"\n\n")
	}
	if why := s.logIn(config); why != "" {
		return fail(500, "1 error occurred:\n\t* "+why+"\n\n")
	}
	config["password"] = rand.Text()
	s.users[config["username"].(string)] = config["password"].(string)
	return reply{}
}
