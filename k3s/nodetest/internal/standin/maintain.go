package standin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// data returns the data directory that the server is configured with.
func (m *Machine) data() string {
	file, _ := m.ReadFile(configFile)
	o, err := readOptions("server", nil, file, m.Env)
	if err != nil {
		return "/var/lib/rancher/k3s"
	}
	return o.get("data-dir", "/var/lib/rancher/k3s")
}

// rotate is "k3s token rotate": the datastore is encrypted with a new token, which servers must be started with then.
func (m *Machine) rotate(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "rotate" {
		return fmt.Errorf("k3s stand-in: unknown command: k3s token %s", strings.Join(args, " "))
	}
	old, next := option(args, "token"), option(args, "new-token")
	if old == "" {
		old = m.Env("K3S_TOKEN")
	}
	_, _, have := credentials(old)
	_, _, want := credentials(next)
	body, err := json.Marshal(map[string]string{"old": have, "new": want})
	if err != nil {
		return err
	}
	_ = body
	return errors.New("k3s stand-in: token rotate is not there yet")
}

// certificate is "k3s certificate rotate": the certificates are made again at the next start.
func (m *Machine) certificate(args []string) error {
	if len(args) == 0 || args[0] != "rotate" {
		return fmt.Errorf("k3s stand-in: unknown command: k3s certificate %s", strings.Join(args, " "))
	}
	return m.Remove(kubeconfigFile)
}

// etcdSnapshot is "k3s etcd-snapshot save".
func (m *Machine) etcdSnapshot(args []string) error {
	if len(args) == 0 || args[0] != "save" {
		return fmt.Errorf("k3s stand-in: unknown command: k3s etcd-snapshot %s", strings.Join(args, " "))
	}
	dir, name := option(args, "etcd-snapshot-dir"), option(args, "name")
	if dir == "" {
		dir = m.data() + "/server/db/snapshots"
	}
	text, err := m.ReadFile(m.data() + "/server/db/etcd/member")
	if err != nil {
		return errors.New("fatal: etcd datastore disabled")
	}
	return m.WriteFile(dir+"/"+name+"-"+m.Hostname+"-1764540000", text, 0o600)
}
