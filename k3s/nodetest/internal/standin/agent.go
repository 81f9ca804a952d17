package standin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// trust returns a client for a server whose CA has the hash, and the CA; without a hash, of any CA.
func (m *Machine) trust(ctx context.Context, to, caHash string) (*http.Client, []byte, error) {
	body, err := fetch(ctx, m.Client(nil, nil), "GET", to+"/cacerts", "", "", nil)
	if err != nil {
		return nil, nil, fmt.Errorf("failed to get CA certs: %w", err)
	}
	defer body.Close()
	ca, err := io.ReadAll(body)
	if err != nil {
		return nil, nil, err
	}
	if caHash != "" && caHash != hash(ca) {
		return nil, nil, fmt.Errorf("fatal: token CA hash does not match the Cluster CA certificate hash: %s != %s", caHash, hash(ca))
	}
	return m.Client(ca, nil), ca, nil
}

// attach makes this machine a node that is ready while the connection stands. The channel has the error that ended it.
func (m *Machine) attach(ctx context.Context, c *http.Client, to, user, password, name string,
	isServer bool, o options) (<-chan error, error) {
	q := url.Values{"name": {name}, "version": {m.Version}, "label": o["node-label"], "password": {m.nodePassword()},
		"address": {o.get("node-ip", m.Address)}}
	if isServer {
		q.Set("server", "true")
	}
	body, err := fetch(ctx, c, "POST", to+"/v1-k3s/attach?"+q.Encode(), user, password, nil)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReader(body)
	if _, err := lines.ReadString('\n'); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() {
		defer body.Close()
		_, err := lines.ReadString('\n')
		ended <- errors.Join(errors.New("the connection to the server was lost"), err)
	}()
	return ended, nil
}

// agent is a node without a control plane. As k3s does, it asks until its server answers, and again when that restarts.
func (m *Machine) agent(ctx context.Context, o options) error {
	to := o.get("server", "")
	token, err := m.token(o, "token")
	switch {
	case err != nil:
		return err
	case to == "":
		return errors.New("fatal: --server is required")
	case token == "":
		return errors.New("fatal: --token is required")
	}
	caHash, user, password := credentials(token)
	if user == "" {
		user = "node"
	}
	for i := 0; ; i++ {
		// It knows all servers once it has joined, and asks another when one does not answer (pkg/agent/loadbalancer).
		servers := []string{to}
		if text, err := m.ReadFile(m.balancer(o)); err == nil {
			servers = append(servers, strings.Fields(string(text))...)
		}
		err := m.attachOnce(ctx, servers[i%len(servers)], caHash, user, password, o)
		if ctx.Err() != nil {
			return nil
		}
		fmt.Fprintln(m.Stderr, err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// balancer returns the file in which an agent keeps the addresses of the servers.
func (m *Machine) balancer(o options) string {
	return o.get("data-dir", "/var/lib/rancher/k3s") + "/agent/etc/k3s-agent-load-balancer"
}

// attachOnce is a node until the server hangs up.
func (m *Machine) attachOnce(ctx context.Context, to, caHash, user, password string, o options) error {
	client, ca, err := m.trust(ctx, to, caHash)
	if err != nil {
		return err
	}
	ended, err := m.attach(ctx, client, to, user, password, m.nodeName(o), false, o)
	if err != nil {
		return err
	}
	if err := m.WriteFile(o.get("data-dir", "/var/lib/rancher/k3s")+"/agent/server-ca.crt", ca, 0o600); err != nil {
		return err
	}
	if body, err := fetch(ctx, client, "GET", to+"/v1-k3s/apiservers", user, password, nil); err == nil {
		text, _ := io.ReadAll(body)
		_ = body.Close()
		if err := m.WriteFile(m.balancer(o), text, 0o600); err != nil {
			return err
		}
	}
	m.Ready()
	return <-ended
}
