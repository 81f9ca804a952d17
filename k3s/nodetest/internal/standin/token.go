package standin

import (
	"encoding/json"
	"net/http"
)

// rotateToken is what "k3s token rotate" asks of a server (pkg/server/handlers, tokenRotate): the token of the servers is
// another then, for this server at once, and in the datastore. The other servers know only when they are restarted with it.
func (s *server) rotateToken(w http.ResponseWriter, r *http.Request) {
	var c struct {
		NewToken string `json:"newToken"`
	}
	if r.Method != http.MethodPut || json.NewDecoder(r.Body).Decode(&c) != nil || c.NewToken == "" {
		http.Error(w, "k3s stand-in: a request for a token that is not understood", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	old := s.password
	s.password = c.NewToken
	s.mu.Unlock()
	data := s.dataDir()
	fail := func(err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
	if err := s.m.WriteFile(data+"/server/cred/passwd", []byte(c.NewToken+",server,server,k3s:server\n"), 0o600); err != nil {
		fail(err)
		return
	}
	if err := s.m.WriteFile(data+"/server/token", []byte("K10"+hash(s.ca.pem)+"::server:"+c.NewToken+"\n"), 0o600); err != nil {
		fail(err)
		return
	}
	other := false
	err := s.store.change(func() {
		if other = s.store.Token != old && s.store.Token != c.NewToken; !other {
			s.store.Token = c.NewToken
		}
	})
	if err == nil && other {
		http.Error(w, "bootstrap data already found and encrypted with different token", http.StatusInternalServerError)
		return
	}
	fail(err)
}
