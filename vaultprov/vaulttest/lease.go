package vaulttest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// lease is a credential that ends.
type lease struct {
	id      string
	path    string // of the role, with its mount
	token   string // by which it was asked for
	ttl     time.Duration
	issued  time.Time
	expires time.Time
	failed  string // why it could not be revoked; empty: it can be
}

func (s *Server) newLease(path, token string, ttl time.Duration) *lease {
	l := &lease{id: path + "/" + newToken()[4:], path: path, token: token, ttl: ttl, issued: s.now(),
		expires: s.now().Add(ttl)}
	s.leases[l.id] = l
	return l
}

// endLease revokes a lease, which becomes irrevocable where that fails (after six tries, which take no time here).
func (s *Server) endLease(l *lease) {
	if s.stuck {
		l.failed = "failed to revoke entry: resp: (*logical.Response)(nil) err: unable to drop the user"
		return
	}
	delete(s.leases, l.id)
}

// leaseAPI answers sys/leases.
func (s *Server) leaseAPI(r *request, rest string) reply {
	if prefix, looks := strings.CutPrefix(rest, "lookup/"); looks && r.method == "LIST" {
		m := mount{objects: map[string]map[string]any{}}
		for id := range s.leases {
			m.objects[id] = map[string]any{}
		}
		return m.names(strings.TrimSuffix(prefix, "/") + "/")
	}
	id, _ := r.body["lease_id"].(string)
	switch r.method + " " + rest {
	case "GET ":
		return s.irrevocable(r)
	case "POST lookup":
		l := s.leases[id]
		if l == nil {
			return fail(400, "invalid lease")
		}
		return ok(map[string]any{"id": l.id, "issue_time": stamp(l.issued), "expire_time": stamp(l.expires),
			"last_renewal": nil,
			"renewable":    true, "ttl": int64(l.expires.Sub(s.now()).Seconds())})
	case "POST revoke":
		if l := s.leases[id]; l != nil {
			l.failed = ""
			if s.endLease(l); l.failed != "" {
				return fail(400, l.failed)
			}
		}
		return reply{}
	case "POST tidy":
		return reply{status: 202, warnings: []string{"Tidy operation successfully started. Any information from the " +
			"operation will be printed " +
			"to Vault's server logs."}}
	}
	if prefix, force := strings.CutPrefix(rest, "revoke-force/"); force && r.method == "POST" {
		maps.DeleteFunc(s.leases, func(id string, _ *lease) bool { return strings.HasPrefix(id, prefix) })
		return reply{}
	}
	return unsupported()
}

func (s *Server) irrevocable(r *request) reply {
	if !slices.Equal(r.query["type"], []string{"irrevocable"}) {
		return notFound()
	}
	leases := []any{}
	for _, id := range slices.Sorted(maps.Keys(s.leases)) {
		if l := s.leases[id]; l.failed != "" {
			leases = append(leases, map[string]any{"lease_id": id, "mount_id": "", "error": l.failed})
		}
	}
	return ok(map[string]any{"lease_count": len(leases), "leases": leases})
}
