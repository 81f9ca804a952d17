package addon

import (
	"cmp"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// CrowdSec finds who attacks, in the access log of Traefik. See [Bouncer] for what becomes of them.
type CrowdSec struct {
	Version string `yaml:"version"` // of the chart; required

	// Containerd says that containers run by containerd; usually they run by Docker, whose logs have another format.
	Containerd bool `yaml:"containerd"`

	PodNetwork string   `yaml:"podNetwork"` // whose agents may register; empty means 10.42.0.0/16, that of k3s
	Database   Database `yaml:"database"`   // PostgreSQL; required

	// BouncerKey is with what Traefik's bouncer asks; required.
	BouncerKey lab.Secret `yaml:"-"`
}

// Database is one of PostgreSQL.
type Database struct {
	Host     string     `yaml:"host"` // required
	Name     string     `yaml:"name"` // required
	User     string     `yaml:"user"` // required
	Password lab.Secret `yaml:"-"`    // required
}

const crowdsecNamespace = toolsNamespace

// Validate reports everything that is wrong.
func (c *CrowdSec) Validate() error { return c.validate().Err() }

func (c *CrowdSec) validate() (ps lab.Problems) {
	required(&ps, map[string]string{"version": c.Version, "database.host": c.Database.Host, "database.name": c.Database.Name,
		"database.user": c.Database.User})
	validSecret(&ps, "database.password", c.Database.Password)
	validSecret(&ps, "bouncer_key", c.BouncerKey)
	if c.PodNetwork != "" {
		validNetworks(&ps, "podNetwork", []string{c.PodNetwork})
	}
	return ps
}

// Objects returns the chart, and a Secret with its keys.
func (c *CrowdSec) Objects() ([]kube.Object, error) {
	b := build("crowdsec", c.validate())
	runtime := "docker"
	agent := map[string]any{"acquisition": []any{map[string]any{"namespace": traefikNamespace, "podName": "homelab-traefik-*",
		"program": "traefik"}}, "env": []any{map[string]any{"name": "COLLECTIONS", "value": "crowdsecurity/traefik crowdsecurity/http-cve"}}}
	if c.Containerd {
		runtime = "containerd"
	} else { // what is in /var/log/pods are links to where Docker keeps the logs
		agent["extraVolumes"] = []any{map[string]any{"name": "docker", "hostPath": map[string]any{"path": "/var/lib/docker/containers"}}}
		agent["extraVolumeMounts"] = []any{map[string]any{"name": "docker", "mountPath": "/var/lib/docker/containers", "readOnly": true}}
	}
	fromSecret := func(name, key string) map[string]any {
		return map[string]any{"name": name, "valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": "crowdsec-keys", "key": key}}}
	}
	local := map[string]any{
		"db_config": map[string]any{"type": "postgresql", "user": c.Database.User, "password": "${DB_PASSWORD}", "db_name": c.Database.Name,
			"host": c.Database.Host, "port": 5432, "sslmode": "require"},
		"api": map[string]any{"server": map[string]any{"auto_registration": map[string]any{"enabled": true,
			"token": "${REGISTRATION_TOKEN}", "allowed_ranges": []string{cmp.Or(c.PodNetwork, "10.42.0.0/16")}}}},
	}
	b.chart(kube.HelmChart{Name: "crowdsec", Chart: "crowdsec", Repo: "https://crowdsecurity.github.io/helm-charts",
		Version: c.Version, Namespace: crowdsecNamespace, Values: map[string]any{
			"container_runtime": runtime,
			"agent":             agent,
			"lapi": map[string]any{"env": []any{fromSecret("DB_PASSWORD", "db-password"),
				fromSecret("BOUNCER_KEY_traefik", "bouncer-key")}},
			"config": map[string]any{"config.yaml.local": b.yaml(local)},
		}})
	// The pods wait for it: it needs the namespace, which the chart creates.
	b.add(with(object("v1", "Secret", crowdsecNamespace, "crowdsec-keys"), "stringData", map[string]any{
		"db-password": c.Database.Password, "bouncer-key": c.BouncerKey}))
	return b.objects()
}
