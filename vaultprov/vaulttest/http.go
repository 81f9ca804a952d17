package vaulttest

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
)

// request is what was asked.
type request struct {
	method string // GET, LIST, POST, DELETE; PUT is POST
	path   string
	body   map[string]any
	query  map[string][]string
	token  *token // nil: none was sent
}

// reply is what is answered. The zero reply is a 204.
type reply struct {
	status   int
	data     any // nil: null
	plain    any // of the paths that have no envelope
	spread   bool
	warnings []string
	auth     map[string]any
	lease    *lease
	ttl      int64
	errors   []string
}

func fail(status int, messages ...string) reply {
	return reply{status: status, errors: append([]string{}, messages...)}
}

func ok(data any) reply { return reply{status: http.StatusOK, data: data} }

func notFound() reply { return fail(http.StatusNotFound) }

// denied are the two ways in which a request is refused.
func denied() reply { return fail(403, "1 error occurred:\n\t* permission denied\n\n") }

func badToken() reply {
	return fail(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	s.answer(w, s.serve(req))
}

func (s *Server) serve(req *http.Request) reply {
	path, under := strings.CutPrefix(req.URL.Path, "/v1/")
	if !under {
		return notFound()
	}
	r := &request{method: req.Method, path: path, query: req.URL.Query(), body: map[string]any{}}
	switch {
	case r.method == http.MethodPut:
		r.method = http.MethodPost
	case r.method == http.MethodGet && req.URL.Query().Get("list") == "true":
		r.method = "LIST"
	}
	if r.method == http.MethodPost {
		d := json.NewDecoder(req.Body)
		d.UseNumber()
		if err := d.Decode(&r.body); err != nil && err.Error() != "EOF" {
			return fail(400, "error parsing JSON")
		}
	}
	if r.method == "LIST" {
		r.path = strings.TrimSuffix(r.path, "/") + "/"
	}
	if answer, done := s.beforeUnseal(r); done {
		return answer
	}
	if req.Header.Get("X-Vault-Request") != "true" {
		return fail(412, "required 'X-Vault-Request' header is missing")
	}
	return s.authorized(r, req.Header.Get("X-Vault-Token"))
}

// authorized answers a request of an unsealed server, if its token may make it.
func (s *Server) authorized(r *request, id string) reply {
	if !s.seal.active() {
		return fail(500, "local node not active but active cluster node not found")
	}
	m, rest := s.mountOf(r.path)
	if id != "" {
		r.token = s.tokens[id]
	}
	switch {
	case unauthenticated(m, r, rest):
	case id == "":
		return fail(403, "permission denied")
	case r.token == nil:
		return badToken()
	case !s.may(r, m, rest):
		return denied()
	}
	if m == nil {
		return fail(404, "no handler for route "+quote(r.path)+". route entry not found.")
	}
	return s.route(m, r, rest)
}

// unauthenticated reports whether a request needs no token.
func unauthenticated(m *mount, r *request, rest string) bool {
	return m != nil && rest == "login" && strings.HasPrefix(r.path, "auth/") && r.method == http.MethodPost
}

func (s *Server) route(m *mount, r *request, rest string) reply {
	switch m.kind {
	case "system":
		return s.system(r, rest)
	case "token":
		return s.tokenStore(r, rest)
	case "kv":
		if m.version2() {
			return s.kv2(m, r, rest)
		}
		return s.kv1(m, r, rest)
	case "database":
		return s.database(m, r, rest)
	case "transit":
		return s.transit(m, r, rest)
	case "jwt":
		return s.jwt(m, r, rest)
	case "kubernetes":
		return s.kubernetes(m, r, rest)
	case "approle":
		return s.appRole(m, r, rest)
	}
	return unsupported()
}

func unsupported() reply { return fail(404, "1 error occurred:\n\t* unsupported path\n\n") }

func (s *Server) answer(w http.ResponseWriter, a reply) {
	w.Header().Set("Content-Type", "application/json")
	if a.status == 0 && len(a.warnings) > 0 {
		a.status = http.StatusOK
	}
	switch {
	case a.errors != nil:
		w.WriteHeader(a.status)
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": a.errors})
		return
	case a.status == 0:
		w.WriteHeader(http.StatusNoContent)
		return
	case a.plain != nil:
		w.WriteHeader(a.status)
		_ = json.NewEncoder(w).Encode(a.plain)
		return
	}
	out := map[string]any{"request_id": uuid(), "lease_id": "", "renewable": false, "lease_duration": a.ttl,
		"data":      a.data,
		"wrap_info": nil, "warnings": nil, "auth": nil}
	if data, isMap := a.data.(map[string]any); a.spread && isMap {
		maps.Copy(out, data)
	}
	if len(a.warnings) > 0 {
		out["warnings"] = a.warnings
	}
	if a.auth != nil {
		out["auth"] = a.auth
	}
	if a.lease != nil {
		out["lease_id"], out["renewable"], out["lease_duration"] = a.lease.id, true, int64(a.lease.ttl.Seconds())
	}
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(out)
}
