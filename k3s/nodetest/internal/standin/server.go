package standin

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// server is a running server of the cluster: the one with the datastore, or one that joined it.
type server struct {
	m        *Machine
	name     string
	version  string
	ca       authority
	password string // of servers
	agent    string // of agents; empty means that of servers
	store    *datastore
	kube     http.Handler // the real API; nil if there is none
	started  int64        // when, by the clock of the machine: of the members of etcd that run, the one that runs longest leads
	client   *http.Client // for the other members

	mu       sync.Mutex
	attached map[string]int // nodes whose process runs
	asked    map[string]int // how often nodes were listed since a server became one
	leader   string         // the member that leads; empty while there is no quorum
	changed  chan struct{}  // closed when another leads
}

func (m *Machine) server(ctx context.Context, o options) error {
	data := o.get("data-dir", "/var/lib/rancher/k3s")
	if o.get("cluster-reset", "") == "true" {
		return m.reset(data, o)
	}
	token, err := m.token(o, "token")
	if err != nil {
		return err
	}
	if text, err := m.ReadFile(data + "/server/token"); err == nil && token == "" {
		token = strings.TrimSpace(string(text))
	}
	if token == "" {
		token = randomHex()
	}
	agent, err := m.token(o, "agent-token")
	if err != nil {
		return err
	}
	s := &server{m: m, version: m.Version, attached: map[string]int{}, asked: map[string]int{}, name: m.nodeName(o),
		started: time.Now().UnixNano(), changed: make(chan struct{})}
	caHash, _, password := credentials(token)
	s.password = password
	if _, _, p := credentials(agent); p != "" {
		s.agent = p
	}
	join := o.get("server", "")
	if _, err := m.ReadFile(data + "/server/db/etcd/member"); join != "" && err != nil { // later it is a member itself
		if err := s.join(ctx, data, join, caHash, o); err != nil {
			return err
		}
	} else if s.ca, err = m.readAuthority(data); err != nil {
		return err
	}
	if caHash != "" && caHash != hash(s.ca.pem) {
		return fmt.Errorf("fatal: token CA hash does not match the Cluster CA certificate hash: %s != %s", caHash, hash(s.ca.pem))
	}
	file := m.datastoreFile(data, o)
	if m.Kubernetes != nil {
		file = data + "/server/db/standin.json" // what k3s has in the datastore besides objects
	}
	if s.store, err = m.openDatastore(file, password); err != nil {
		return err
	}
	if err := s.meet(o); err != nil {
		return err
	}
	if err := s.writeFiles(data, token, o); err != nil {
		return err
	}
	hosts := append([]string{"127.0.0.1", "localhost", m.Hostname, o.get("node-ip", "127.0.0.1"), m.Address}, o["tls-san"]...)
	cert, key, err := s.ca.issue("k3s", hosts...)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return err
	}
	if m.Kubernetes != nil {
		if err := s.startKubernetes(ctx, data, o, cert, key); err != nil {
			return err
		}
	}
	port, _ := strconv.Atoi(o.get("https-listen-port", "6443"))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	own := fmt.Sprintf("https://127.0.0.1:%d", port)
	return m.Serve(ctx, port, s, pair, func() {
		go func() {
			if err := s.follow(ctx); err != nil {
				cancel(err)
			}
		}()
		go s.stay(ctx, own, o)
	})
}

// stay keeps the server a node of the cluster: with whoever leads, and again when another does.
func (s *server) stay(ctx context.Context, own string, o options) {
	once := sync.OnceFunc(s.m.Ready)
	for ctx.Err() == nil {
		ended, err := s.m.attach(ctx, s.client, own, "", "", s.name, true, o)
		if err == nil {
			once()
			err = <-ended
		}
		if ctx.Err() == nil {
			fmt.Fprintln(s.m.Stderr, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// reset is "k3s server --cluster-reset": the server is the only one of etcd then, with what is in a snapshot.
func (m *Machine) reset(data string, o options) error {
	if m.Kubernetes != nil {
		return errors.New("k3s stand-in: a real etcd is not reset")
	}
	if o.get("server", "") != "" {
		return errors.New("fatal: cannot perform cluster-reset while server URL is set - remove server from configuration before resetting")
	}
	text, err := m.ReadFile(o.get("cluster-reset-restore-path", data+"/server/db/etcd/member"))
	if err != nil {
		return err
	}
	d := &datastore{m: m, file: data + "/server/db/etcd/member"}
	if err := json.Unmarshal(text, d); err != nil {
		return err
	}
	d.Members = map[string]memberOf{m.nodeName(o): {o.get("node-ip", m.Address), true}}
	if err := d.save(); err != nil {
		return err
	}
	fmt.Fprintln(m.Stderr, "Managed etcd cluster membership has been reset, restart without --cluster-reset flag now.")
	return nil
}

// datastoreFile returns where the datastore is: as k3s does, etcd is used if it was once.
func (m *Machine) datastoreFile(data string, o options) string {
	etcd := data + "/server/db/etcd/member"
	if _, err := m.ReadFile(etcd); err == nil || o.get("cluster-init", "") == "true" {
		return etcd
	}
	return data + "/server/db/state.db"
}

// join gets what a server needs of one that is there, and becomes a member of its etcd.
func (s *server) join(ctx context.Context, data, to, caHash string, o options) error {
	client, _, err := s.m.trust(ctx, to, caHash)
	if err != nil {
		return err
	}
	body, err := fetch(ctx, client, "GET", to+"/v1-k3s/bootstrap", "server", s.password, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	var keys struct{ Cert, Key []byte }
	if err := json.NewDecoder(body).Decode(&keys); err != nil {
		return err
	}
	if s.ca, err = parseAuthority(keys.Cert, keys.Key); err != nil {
		return err
	}
	if err := s.m.WriteFile(data+"/server/tls/server-ca.key", keys.Key, 0o600); err != nil {
		return err
	}
	if err := s.m.WriteFile(data+"/server/tls/server-ca.crt", keys.Cert, 0o644); err != nil {
		return err
	}
	q := url.Values{"name": {s.name}, "address": {o.get("node-ip", s.m.Address)}, "password": {s.m.nodePassword()}}
	member, err := fetch(ctx, client, "POST", to+"/v1-k3s/member?"+q.Encode(), "server", s.password, nil)
	if err != nil {
		return err
	}
	defer member.Close()
	text, err := io.ReadAll(member)
	if err != nil {
		return err
	}
	return s.m.WriteFile(data+"/server/db/etcd/member", text, 0o600)
}

// writeFiles writes what k3s does (pkg/server, printTokens and writeKubeConfig).
func (s *server) writeFiles(data, token string, o options) error {
	full := func(user, password string) []byte {
		return []byte("K10" + hash(s.ca.pem) + "::" + user + ":" + password + "\n")
	}
	if err := s.m.WriteFile(data+"/server/token", full("server", s.password), 0o600); err != nil {
		return err
	}
	if err := s.m.Symlink(data+"/server/token", data+"/server/node-token"); err != nil {
		return err
	}
	agent := data + "/server/agent-token"
	if s.agent == "" {
		if err := s.m.Symlink(data+"/server/token", agent); err != nil {
			return err
		}
	} else {
		_ = s.m.Remove(agent) // it may be a link
		if err := s.m.WriteFile(agent, full("node", s.agent), 0o600); err != nil {
			return err
		}
	}
	cert, key, err := s.ca.issue("system:admin")
	if err != nil {
		return err
	}
	if err := s.m.WriteFile(data+"/server/cred/passwd", []byte(s.password+",server,server,k3s:server\n"), 0o600); err != nil {
		return err
	}
	mode, err := strconv.ParseUint(o.get("write-kubeconfig-mode", "600"), 8, 32)
	if err != nil {
		return err
	}
	b64 := base64.StdEncoding.EncodeToString
	text := fmt.Sprintf(`apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: %s
    server: https://127.0.0.1:%s
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
users:
- name: default
  user:
    client-certificate-data: %s
    client-key-data: %s
`, b64(s.ca.pem), o.get("https-listen-port", "6443"), b64(cert), b64(key))
	return s.m.WriteFile(kubeconfigFile, []byte(text), fileMode(mode))
}

// nodePassword returns what tells the node from another of its name.
func (m *Machine) nodePassword() string {
	const file = "/etc/rancher/node/password"
	if text, err := m.ReadFile(file); err == nil {
		return strings.TrimSpace(string(text))
	}
	p := randomHex()
	_ = m.WriteFile(file, []byte(p+"\n"), 0o600)
	return p
}

func randomHex() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// register makes a node of the cluster, or the same again with another version.
func (s *server) register(ctx context.Context, name, version string, isServer bool, labels []string, password, address string) error {
	if s.kube != nil && s.forgotten(ctx, name) {
		if err := s.store.change(func() { delete(s.store.Nodes, name) }); err != nil {
			return err
		}
	}
	s.store.mu.Lock()
	have := s.store.Nodes[name]
	s.store.mu.Unlock()
	if have != nil && have.Password != password {
		return errors.New("node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' " +
			"may not match server node-passwd entry")
	}
	gone := false
	err := s.store.change(func() {
		if gone = ctx.Err() != nil; gone {
			return // its process was stopped meanwhile, and another may run in its place
		}
		if have == nil {
			have = &record{Annotations: map[string]string{}, Labels: labels, Password: password}
			s.store.Nodes[name] = have
		}
		have.Version, have.Server, have.Address = version, isServer, address
		if member, ok := s.store.Members[name]; ok && isServer {
			s.store.Members[name] = memberOf{member.Address, true}
		}
		s.store.Log = append(s.store.Log, "attach "+name+" "+version)
	})
	if gone {
		return ctx.Err()
	}
	if err == nil && s.kube != nil {
		err = s.registerNode(ctx, name, version, address, labels)
	}
	return err
}

// hold notes that the process of a node runs, or does not any more.
func (s *server) hold(name string, by int) {
	s.mu.Lock()
	s.attached[name] += by
	ready := s.attached[name] > 0
	s.mu.Unlock()
	if s.kube != nil {
		s.reportReady(name, ready)
	}
}

// fetch makes a request with a user's password.
func fetch(ctx context.Context, c *http.Client, method, at, user, password string, body io.Reader) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, method, at, body)
	if err != nil {
		return nil, err
	}
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	res, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 300 {
		defer res.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
		return nil, fmt.Errorf("%s: %s: %s", at, res.Status, strings.TrimSpace(string(text)))
	}
	return res.Body, nil
}
