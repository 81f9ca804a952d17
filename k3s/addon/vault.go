package addon

import (
	"cmp"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// toolsNamespace is where the lab's tools are.
const toolsNamespace = "tools"

// Vault is one Vault server, which keeps its data on a volume. It is sealed when it starts, whoever starts it. It is
// never removed.
type Vault struct {
	Version      string `yaml:"version"`      // of the chart; required
	Host         string `yaml:"host"`         // where it is, behind Traefik: "vault.arcodange.lab"; required
	StorageClass string `yaml:"storageClass"` // empty means the cluster's default
	Size         string `yaml:"size"`         // of the volume; empty means 10Gi
}

// Validate reports everything that is wrong.
func (v *Vault) Validate() error { return v.validate().Err() }

func (v *Vault) validate() (ps lab.Problems) {
	required(&ps, map[string]string{"version": v.Version})
	validDomain(&ps, "host", v.Host)
	validQuantity(&ps, "size", v.Size)
	return ps
}

// Objects returns the chart. Helm must not wait for it: a sealed Vault is not ready.
func (v *Vault) Objects() ([]kube.Object, error) {
	b := build("vault", v.validate())
	storage := map[string]any{"enabled": true, "size": cmp.Or(v.Size, "10Gi")}
	if v.StorageClass != "" {
		storage["storageClass"] = v.StorageClass
	}
	b.chart(kube.HelmChart{Name: "vault", Chart: "vault", Repo: "https://helm.releases.hashicorp.com", Version: v.Version,
		Namespace: toolsNamespace, Keep: true, Values: map[string]any{
			"injector": map[string]any{"enabled": false},
			"ui":       map[string]any{"enabled": true},
			"server": map[string]any{
				"standalone":  map[string]any{"enabled": true},
				"dataStorage": storage,
				"ingress": map[string]any{"enabled": true, "ingressClassName": "traefik",
					"hosts": []any{map[string]any{"host": v.Host}}},
			},
		}})
	return b.objects()
}

// SecretsOperator is HashiCorp's Vault Secrets Operator (VSO), which writes what Vault holds into Secrets.
type SecretsOperator struct {
	Version string `yaml:"version"` // of the chart; required

	// Address is that of Vault; empty means the one in this cluster.
	Address string `yaml:"address"`

	// Transit is the mount and key of Vault's transit engine with which the operator keeps its leases over a restart:
	// "transit/vso". Empty means that it does not: each restart issues all credentials again, and restarts the apps.
	TransitMount string `yaml:"transitMount"`
	TransitKey   string `yaml:"transitKey"`
}

// Validate reports everything that is wrong.
func (s *SecretsOperator) Validate() error { return s.validate().Err() }

func (s *SecretsOperator) validate() (ps lab.Problems) {
	required(&ps, map[string]string{"version": s.Version})
	if s.Address != "" {
		validURL(&ps, "address", s.Address, "https", "http")
	}
	if (s.TransitMount == "") != (s.TransitKey == "") {
		ps.Add("transitKey", "it needs a mount, and a mount needs a key")
	}
	return ps
}

// Objects returns the chart.
func (s *SecretsOperator) Objects() ([]kube.Object, error) {
	b := build("vault-secrets-operator", s.validate())
	cache := map[string]any{"persistenceModel": "none"}
	if s.TransitKey != "" {
		cache = map[string]any{"persistenceModel": "direct-encrypted", "storageEncryption": map[string]any{
			"enabled": true, "mount": "kubernetes", "transitMount": s.TransitMount, "keyName": s.TransitKey,
			"kubernetes": map[string]any{"role": "vso", "serviceAccount": "vault-secrets-operator-controller-manager",
				"tokenAudiences": []string{"vault"}}}}
	}
	b.chart(kube.HelmChart{Name: "vault-secrets-operator", Chart: "vault-secrets-operator", Repo: "https://helm.releases.hashicorp.com",
		Version: s.Version, Namespace: toolsNamespace, Provides: []string{"secrets.hashicorp.com"}, Values: map[string]any{
			"defaultVaultConnection": map[string]any{"enabled": true,
				"address": cmp.Or(s.Address, "http://vault."+toolsNamespace+".svc.cluster.local:8200")},
			"controller": map[string]any{"manager": map[string]any{"clientCache": cache}},
		}})
	return b.objects()
}
