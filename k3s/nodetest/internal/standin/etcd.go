package standin

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"maps"
	"math"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"
)

// What is here stands for etcd: each server has the whole datastore, a change counts when most members have it, and
// without most of them nothing is answered. There is no Raft in it: of the members that run, the one that runs longest
// leads, so that a network that is cut in two is not told from machines that are down.

// at returns where a member is asked.
func at(address string) string { return "https://" + net.JoinHostPort(address, "6443") }

// members returns the members of etcd, by their names; empty for SQLite.
func (d *datastore) members() map[string]memberOf {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.Members)
}

// meet prepares the server for the other members of etcd, of which it is the first if there is none.
func (s *server) meet(o options) error {
	if s.etcd() && len(s.store.Members) == 0 {
		s.store.Members = map[string]memberOf{s.name: {o.get("node-ip", s.m.Address), true}}
		if err := s.store.save(); err != nil {
			return err
		}
	}
	if s.etcd() {
		s.store.push = s.push
	}
	cert, key, err := s.ca.issue("system:admin")
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return err
	}
	s.client = s.m.Client(s.ca.pem, &pair)
	return nil
}

// push gives a change to the other members; the datastore is locked. Most voters, this one included, must take it.
func (s *server) push(text []byte) error {
	taken, voters := 1, 1
	for name, member := range s.store.Members {
		if name == s.name {
			continue
		}
		if member.Voter {
			voters++
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		body, err := fetch(ctx, s.client, "PUT", at(member.Address)+"/v1-k3s/replica", "", "", bytes.NewReader(text))
		if err == nil {
			_ = body.Close()
			if member.Voter {
				taken++
			}
		}
		cancel()
	}
	if taken <= voters/2 {
		return errors.New("etcdserver: request timed out")
	}
	return nil
}

// peer is what a member says of itself.
type peer struct {
	Started  int64
	Revision int
}

// peerHandler answers the other members.
func (s *server) peerHandler(w http.ResponseWriter, r *http.Request) {
	if !s.allows(w, r, false) {
		return
	}
	if r.Method == http.MethodPut {
		text, err := io.ReadAll(r.Body)
		if err == nil {
			err = s.store.adopt(text)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
		return
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if r.URL.Path == "/v1-k3s/peer" {
		_ = json.NewEncoder(w).Encode(peer{s.started, s.store.Revision})
		return
	}
	_ = json.NewEncoder(w).Encode(s.store)
}

// follow finds out who leads, again and again, until the context ends.
func (s *server) follow(ctx context.Context) error {
	for {
		leader := s.elect(ctx)
		s.mu.Lock()
		if leader != s.leader {
			s.leader = leader
			close(s.changed)
			s.changed = make(chan struct{})
		}
		s.mu.Unlock()
		if !s.etcd() {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// etcd reports whether the datastore is that of etcd.
func (s *server) etcd() bool { return strings.HasSuffix(s.store.file, "/db/etcd/member") }

// elect returns the member that leads; empty without a quorum. What another member knows better is taken over first.
func (s *server) elect(ctx context.Context) string {
	if !s.etcd() {
		return s.name
	}
	members := s.store.members()
	if _, ok := members[s.name]; !ok {
		return "" // it was removed
	}
	s.store.mu.Lock()
	revision := s.store.Revision
	s.store.mu.Unlock()
	best, since, alive, voters := "", int64(math.MaxInt64), 0, 0
	if members[s.name].Voter {
		best, since, alive, voters = s.name, s.started, 1, 1
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if name == s.name {
			continue
		}
		if members[name].Voter {
			voters++
		}
		var p peer
		if err := s.ask(ctx, members[name].Address, "/v1-k3s/peer", &p); err != nil {
			continue
		}
		if members[name].Voter {
			alive++
		}
		if members[name].Voter && p.Started < since {
			best, since = name, p.Started
		}
		if p.Revision > revision {
			var text json.RawMessage
			if s.ask(ctx, members[name].Address, "/v1-k3s/replica", &text) == nil {
				_ = s.store.adopt(text) // it is asked again soon
			}
		}
	}
	if alive <= voters/2 {
		return ""
	}
	return best
}

func (s *server) ask(ctx context.Context, address, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	body, err := fetch(ctx, s.client, "GET", at(address)+path, "", "", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	return json.NewDecoder(body).Decode(into)
}

// lead lets the leader answer: this server, or another.
func (s *server) lead(w http.ResponseWriter, r *http.Request, answer http.HandlerFunc) {
	s.mu.Lock()
	leader := s.leader
	s.mu.Unlock()
	switch leader {
	case s.name:
		answer(w, r)
		return
	case "":
		http.Error(w, "etcdserver: no leader", http.StatusServiceUnavailable)
		return
	}
	target, err := url.Parse(at(s.store.members()[leader].Address))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	ctx, stop := s.whileLeader(r.Context())
	defer stop()
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport, proxy.ErrorHandler = s.client.Transport, func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	defer func() { _ = recover() }() // the proxy ends an answer that was cut off so
	proxy.ServeHTTP(w, r.WithContext(ctx))
}

// whileLeader returns a context that ends when another server leads.
func (s *server) whileLeader(ctx context.Context) (context.Context, context.CancelFunc) {
	s.mu.Lock()
	changed := s.changed
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-changed:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// memberHandler makes a server a member of etcd, and answers with the datastore.
func (s *server) memberHandler(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	name, address := q.Get("name"), q.Get("address")
	refused := ""
	err := s.store.change(func() {
		n, known := s.store.Nodes[name]
		switch {
		case known && n.Password != q.Get("password"):
			refused = "node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match server node-passwd entry"
		case s.store.Members[name].Address != "":
			refused = "etcd cluster join failed: duplicate node name found, please use a unique name for this node"
		case s.store.Members == nil:
			refused = "k3s stand-in: the datastore is not etcd"
		default:
			s.store.Members[name] = memberOf{Address: address}
		}
	})
	switch {
	case refused != "":
		http.Error(w, refused, http.StatusForbidden)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		s.store.mu.Lock()
		defer s.store.mu.Unlock()
		_ = json.NewEncoder(w).Encode(s.store)
	}
}
