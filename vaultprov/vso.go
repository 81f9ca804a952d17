package vaultprov

import (
	"fmt"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Manifests says how the Vault Secrets Operator brings the secrets of an instance into its namespace. The objects are
// those of its API secrets.hashicorp.com/v1beta1, as data: [Manifests.For] reads and writes nothing.
type Manifests struct {
	Address string `yaml:"address,required"` // of Vault, as pods reach it: "http://vault.tools.svc:8200"

	// CASecret is the name of a secret in the namespace whose key ca.crt holds the certificates of Vault; empty means
	// that it is reached without TLS, or by a certificate that the operator trusts.
	CASecret string `yaml:"caSecret"`

	// Apps names the mounts, and says with Postgres whether there are users of a database.
	Apps Apps `yaml:"-"`

	// Restart are the workloads that are restarted when a secret changes; empty means the deployment that is called as
	// the instance.
	Restart []RestartTarget `yaml:"restart"`

	// Refresh is how often the configuration is read again; 0 means 5 minutes.
	Refresh time.Duration `yaml:"refresh"`
}

// RestartTarget is a workload that reads a secret when it starts.
type RestartTarget struct {
	Kind string `yaml:"kind,required"` // Deployment, StatefulSet or DaemonSet
	Name string `yaml:"name,required"`
}

// renewalPercent is how much of the life of a lease may be over when it is renewed, at most 90.
const renewalPercent = 67

// For returns the manifests of an instance: a VaultConnection, a VaultAuth for its service account, a
// VaultStaticSecret with its configuration (the secret is called ID-config), and, where there are databases, a
// VaultDynamicSecret with a user of its own (ID-database).
func (m Manifests) For(i lab.Instance) []map[string]any {
	name, restart := i.ID(), []any{}
	for _, target := range m.Restart {
		restart = append(restart, map[string]any{"kind": target.Kind, "name": target.Name})
	}
	if len(restart) == 0 {
		restart = append(restart, map[string]any{"kind": "Deployment", "name": name})
	}
	object := func(kind, name string, spec map[string]any) map[string]any {
		return map[string]any{"apiVersion": "secrets.hashicorp.com/v1beta1", "kind": kind,
			"metadata": map[string]any{"name": name, "namespace": i.Namespace()}, "spec": spec}
	}
	connection := map[string]any{"address": m.Address, "skipTLSVerify": false}
	if m.CASecret != "" {
		connection["caCertSecretRef"] = m.CASecret
	}
	refresh := m.Refresh
	if refresh == 0 {
		refresh = 5 * time.Minute
	}
	all := []map[string]any{
		object("VaultConnection", name, connection),
		object("VaultAuth", name, map[string]any{"vaultConnectionRef": name, "method": "kubernetes",
			"mount": mountOr(m.Apps.Kubernetes, DefaultKubernetes),
			"kubernetes": map[string]any{"role": i.VaultKubernetesRole(), "serviceAccount": i.ServiceAccount(),
				"audiences": []any{"vault"}, "tokenExpirationSeconds": int64(600)}}),
		object("VaultStaticSecret", name+"-config", map[string]any{"vaultAuthRef": name, "type": "kv-v2",
			"mount": mountOr(m.Apps.KV, DefaultKV), "path": i.VaultConfigPath(),
			"refreshAfter": fmt.Sprintf("%ds", refresh/time.Second), // in one unit: 5m0s is refused
			"destination":  map[string]any{"name": name + "-config", "create": true}, "rolloutRestartTargets": restart}),
	}
	if m.Apps.Postgres != nil {
		all = append(all, object("VaultDynamicSecret", name+"-database", map[string]any{"vaultAuthRef": name,
			"mount": mountOr(m.Apps.Database, DefaultDatabase), "path": "creds/" + i.VaultDatabaseRole(),
			"renewalPercent": int64(renewalPercent), "revoke": true,
			"destination": map[string]any{"name": name + "-database", "create": true}, "rolloutRestartTargets": restart}))
	}
	return all
}
