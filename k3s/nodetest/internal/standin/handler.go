package standin

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"
)

func fileMode(m uint64) fs.FileMode { return fs.FileMode(m) }

// ServeHTTP answers who joins, and who asks the API.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == "/cacerts":
		_, _ = w.Write(s.ca.pem)
	case path == "/v1-k3s/peer", path == "/v1-k3s/replica":
		s.peerHandler(w, r)
	case path == "/v1-k3s/bootstrap":
		if !s.allows(w, r, false) {
			return
		}
		key, err := s.m.ReadFile(strings.TrimSuffix(s.dataDir(), "/") + "/server/tls/server-ca.key")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(struct{ Cert, Key []byte }{s.ca.pem, key})
	case path == "/v1-k3s/apiservers":
		if s.allows(w, r, true) {
			for _, member := range s.store.members() {
				fmt.Fprintln(w, at(member.Address))
			}
		}
	case path == "/v1-k3s/token":
		if s.allows(w, r, false) {
			s.rotateToken(w, r)
		}
	case strings.HasPrefix(path, "/v1-k3s/"):
		// Whoever is asked looks at the token; to the one that leads it says who it is by its certificate.
		if !s.allows(w, r, r.URL.Query().Get("server") != "true" && path == "/v1-k3s/attach") {
			return
		}
		s.lead(w, r, func(w http.ResponseWriter, r *http.Request) {
			switch path {
			case "/v1-k3s/attach":
				s.attachHandler(w, r)
			case "/v1-k3s/member":
				s.memberHandler(w, r)
			default:
				http.NotFound(w, r)
			}
		})
	case !s.admin(r):
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
	case s.kube != nil && path != "/standin/log":
		s.kube.ServeHTTP(w, r)
	case path == "/readyz":
		s.lead(w, r, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	default:
		s.lead(w, r, s.api)
	}
}

// dataDir returns the data directory, of the datastore's file.
func (s *server) dataDir() string {
	dir, _, _ := strings.Cut(s.store.file, "/server/db/")
	return dir
}

// admin reports whether who asks has a certificate of the CA.
func (s *server) admin(r *http.Request) bool {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return false
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.ca.pem)
	_, err := r.TLS.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err == nil
}

// allows reports whether who asks knows a token: that of servers or, for agents, theirs. Servers have a certificate too.
func (s *server) allows(w http.ResponseWriter, r *http.Request, agents bool) bool {
	if s.admin(r) {
		return true
	}
	_, p, _ := r.BasicAuth()
	s.mu.Lock()
	defer s.mu.Unlock()
	if p != "" && (p == s.password || agents && s.agent != "" && p == s.agent) {
		return true
	}
	http.Error(w, "not authorized", http.StatusForbidden)
	return false
}

// attachHandler makes who asks a node that is ready until it hangs up.
func (s *server) attachHandler(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	name, isServer := q.Get("name"), q.Get("server") == "true"
	if newer(q.Get("version"), s.version) && !isServer {
		http.Error(w, "k3s stand-in: the agent is newer than its server", http.StatusBadRequest)
		return
	}
	if err := s.register(r.Context(), name, q.Get("version"), isServer, q["label"], q.Get("password"), q.Get("address")); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	s.hold(name, 1)
	defer s.hold(name, -1)
	ctx, stop := s.whileLeader(r.Context())
	defer stop()
	_, _ = io.WriteString(w, "attached\n")
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	<-ctx.Done()
}

// newer reports whether a version is newer than another.
func newer(a, b string) bool {
	number := func(v string) (n [4]int) {
		_, _ = fmt.Sscanf(v, "v%d.%d.%d+k3s%d", &n[0], &n[1], &n[2], &n[3])
		return n
	}
	x, y := number(a), number(b)
	return slices.Compare(x[:], y[:]) > 0
}

// api answers the API of Kubernetes, as far as it is asked.
func (s *server) api(w http.ResponseWriter, r *http.Request) {
	name, one := strings.CutPrefix(r.URL.Path, "/api/v1/nodes/")
	var err error
	switch {
	case r.URL.Path == "/api/v1/nodes" && r.Method == http.MethodGet:
		err = json.NewEncoder(w).Encode(s.list())
	case r.URL.Path == "/standin/log":
		s.store.mu.Lock()
		defer s.store.mu.Unlock()
		_, err = io.WriteString(w, strings.Join(s.store.Log, "\n")+"\n")
	case one:
		err = s.changeNode(r, name)
	case r.Method == http.MethodPut:
		text, readErr := io.ReadAll(r.Body)
		if err = readErr; err == nil {
			err = s.store.change(func() { s.store.Objects[r.URL.Path] = text })
		}
	default:
		s.store.mu.Lock()
		text, ok := s.store.Objects[r.URL.Path]
		s.store.mu.Unlock()
		if !ok {
			http.Error(w, "404 page not found", http.StatusNotFound)
			return
		}
		_, err = w.Write(text)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// nodeChange is what kubectl changes of a node.
type nodeChange struct {
	Annotations map[string]*string
	Cordon      *bool
	Log         string
}

// changeNode changes a node, or removes it.
func (s *server) changeNode(r *http.Request, name string) error {
	var c nodeChange
	if r.Method == http.MethodPatch {
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			return err
		}
	}
	found := false
	err := s.store.change(func() {
		n := s.store.Nodes[name]
		if found = n != nil; !found {
			return
		}
		if r.Method == http.MethodDelete {
			delete(s.store.Nodes, name)
			delete(s.store.Members, name) // the controller of k3s does (pkg/etcd, member controller)
			s.store.Log = append(s.store.Log, "delete "+name)
			return
		}
		for k, v := range c.Annotations {
			delete(n.Annotations, k)
			if v != nil {
				n.Annotations[k] = *v
			}
		}
		if c.Cordon != nil {
			n.Cordoned = *c.Cordon
		}
		if c.Log != "" {
			s.store.Log = append(s.store.Log, c.Log)
		}
	})
	if err == nil && !found {
		//lint:ignore ST1005 kubectl says it so
		err = fmt.Errorf(`Error from server (NotFound): nodes %q not found`, name)
	}
	return err
}

// list returns the nodes as the API does.
func (s *server) list() map[string]any {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	items := []any{}
	truth := map[bool]string{true: "True", false: "False"}
	for _, name := range slices.Sorted(maps.Keys(s.store.Nodes)) {
		n := s.store.Nodes[name]
		conditions := []any{map[string]any{"type": "Ready", "status": truth[s.attached[name] > 0]}}
		if n.Server && strings.Contains(s.store.file, "/etcd/") {
			// A member that has just joined is a learner for a while.
			conditions = append(conditions, map[string]any{"type": "EtcdIsVoter", "status": truth[s.asked[name] > 0]})
			s.asked[name]++
		}
		items = append(items, map[string]any{"metadata": map[string]any{"name": name, "annotations": n.Annotations},
			"spec": map[string]any{"unschedulable": n.Cordoned},
			"status": map[string]any{"conditions": conditions, "nodeInfo": map[string]any{"kubeletVersion": n.Version},
				"addresses": []any{map[string]any{"type": "InternalIP", "address": n.Address}, map[string]any{"type": "Hostname", "address": name}}}})
	}
	return map[string]any{"kind": "NodeList", "apiVersion": "v1", "items": items}
}
