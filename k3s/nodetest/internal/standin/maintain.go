package standin

import (
	"context"
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

// certificate is "k3s certificate rotate": the certificates are made again at the next start.
func (m *Machine) certificate(args []string) error {
	if len(args) == 0 || args[0] != "rotate" {
		return fmt.Errorf("k3s stand-in: unknown command: k3s certificate %s", strings.Join(args, " "))
	}
	return m.Remove(kubeconfigFile)
}

// etcdSnapshot is "k3s etcd-snapshot save".
func (m *Machine) etcdSnapshot(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "save" {
		return fmt.Errorf("k3s stand-in: unknown command: k3s etcd-snapshot %s", strings.Join(args, " "))
	}
	dir, name := option(args, "etcd-snapshot-dir"), option(args, "name")
	if dir == "" {
		dir = m.data() + "/server/db/snapshots"
	}
	file := dir + "/" + name + "-" + m.Hostname + "-1764540000"
	if m.Snapshot != nil {
		return m.Snapshot(ctx, file)
	}
	text, err := m.ReadFile(m.data() + "/server/db/etcd/member")
	if err != nil {
		return errors.New("fatal: etcd datastore disabled")
	}
	return m.WriteFile(file, text, 0o600)
}
