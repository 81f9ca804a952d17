package addon

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// PgBouncer is a pool of connections to PostgreSQL for all apps. It knows their users by pgbouncer.user_lookup(), which
// package pgprov puts into each database.
type PgBouncer struct {
	Image    string     `yaml:"image"`    // of PgBouncer 1.25.2 or later, with its tag; required
	Host     string     `yaml:"host"`     // of PostgreSQL; required
	Port     int        `yaml:"port"`     // 0 means 5432
	User     string     `yaml:"user"`     // who looks users up; empty means pgbouncer_auth
	Password lab.Secret `yaml:"-"`        // of that user; required
	CA       string     `yaml:"ca"`       // that signs the server's certificate, in PEM; empty means that TLS is used and not verified
	PoolSize int        `yaml:"poolSize"` // connections of a user to a database; 0 means 10
	Replicas int        `yaml:"replicas"` // 0 means 1
}

// Validate reports everything that is wrong.
func (p *PgBouncer) Validate() error { return p.validate().Err() }

func (p *PgBouncer) validate() (ps lab.Problems) {
	required(&ps, map[string]string{"image": p.Image})
	if i := strings.LastIndexAny(p.Image, ":/@"); p.Image != "" && (i < 0 || p.Image[i] == '/') {
		ps.Add("image", "has no tag: it would be another one each time")
	}
	validDomain(&ps, "host", p.Host)
	if p.User != "" && !domainName.MatchString(strings.ReplaceAll(p.User, "_", "-")) {
		ps = append(ps, lab.Problem{Path: "user", Text: p.User, Message: "is not a role of lowercase letters, digits, _ and -"})
	}
	validSecret(&ps, "password", p.Password)
	if strings.ContainsAny(p.Password.Reveal(), "\r\n\x00") {
		ps.Add("password", "has more than one line")
	}
	if p.CA != "" {
		validCA(&ps, "ca", p.CA)
	}
	for field, n := range map[string]int{"port": p.Port, "poolSize": p.PoolSize, "replicas": p.Replicas} {
		if n < 0 || n > 65535 {
			ps.Add(field, "%d is not 1 to 65535", n)
		}
	}
	return ps
}

func (p *PgBouncer) user() string { return cmp.Or(p.User, "pgbouncer_auth") }

// config is pgbouncer.ini. The function is named in full: CVE-2025-12819.
func (p *PgBouncer) config() string {
	tls := "server_tls_sslmode = require\n"
	if p.CA != "" {
		tls = "server_tls_sslmode = verify-full\nserver_tls_ca_file = /etc/pgbouncer/ca.crt\n"
	}
	return fmt.Sprintf(`[databases]
* = host=%s port=%d

[pgbouncer]
listen_addr = *
listen_port = 5432
unix_socket_dir =
auth_type = scram-sha-256
auth_user = %s
auth_file = /etc/pgbouncer-users/userlist.txt
auth_query = SELECT uname, phash FROM pgbouncer.user_lookup($1)
pool_mode = transaction
default_pool_size = %d
max_prepared_statements = 100
ignore_startup_parameters = extra_float_digits
server_idle_timeout = 300
server_lifetime = 1800
%s`, p.Host, cmp.Or(p.Port, 5432), p.user(), cmp.Or(p.PoolSize, 10), tls)
}

// users is userlist.txt, in which quotes are doubled.
func (p *PgBouncer) users() lab.Secret {
	return lab.NewSecret(fmt.Sprintf("\"%s\" \"%s\"\n", p.user(), strings.ReplaceAll(p.Password.Reveal(), `"`, `""`)))
}

// Objects returns the Deployment with what it reads, and the Service pgbouncer.
func (p *PgBouncer) Objects() ([]kube.Object, error) {
	b := build("pgbouncer", p.validate())
	const name = "pgbouncer"
	data := map[string]string{"pgbouncer.ini": p.config()}
	if p.CA != "" {
		data["ca.crt"] = p.CA
	}
	space := object("v1", "Namespace", "", toolsNamespace)
	space["metadata"].(map[string]any)["annotations"] = map[string]any{kube.KeepAnnotation: "true"} // Vault is there too
	namespace := b.add(space)
	config := b.add(with(object("v1", "ConfigMap", toolsNamespace, name), "data", data), namespace)
	users := b.add(with(object("v1", "Secret", toolsNamespace, name), "stringData", map[string]any{"userlist.txt": p.users()}), namespace)
	labels := map[string]any{"app.kubernetes.io/name": name}
	b.add(with(object("v1", "Service", toolsNamespace, name), "spec", map[string]any{"selector": labels,
		"ports": []any{map[string]any{"name": "postgres", "port": 5432, "targetPort": "postgres"}}}))
	b.add(with(object("apps/v1", "Deployment", toolsNamespace, name), "spec", map[string]any{
		"replicas": cmp.Or(p.Replicas, 1),
		"selector": map[string]any{"matchLabels": labels},
		"template": map[string]any{
			// Pods are made anew when the configuration changes: PgBouncer does not see it by itself.
			"metadata": map[string]any{"labels": labels, "annotations": map[string]any{
				"lab.arcodange.lab/config": fmt.Sprintf("%x", sha256.Sum256([]byte(p.config()+p.CA)))[:16]}},
			"spec": map[string]any{
				"automountServiceAccountToken": false,
				"securityContext":              map[string]any{"runAsNonRoot": true, "runAsUser": int64(70)},
				"containers": []any{map[string]any{
					"name": name, "image": p.Image, "args": []string{"/etc/pgbouncer/pgbouncer.ini"},
					"ports":          []any{map[string]any{"name": "postgres", "containerPort": 5432}},
					"readinessProbe": map[string]any{"tcpSocket": map[string]any{"port": "postgres"}},
					"securityContext": map[string]any{"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
						"capabilities": map[string]any{"drop": []string{"ALL"}}},
					"volumeMounts": []any{map[string]any{"name": "config", "mountPath": "/etc/pgbouncer", "readOnly": true},
						map[string]any{"name": "users", "mountPath": "/etc/pgbouncer-users", "readOnly": true}},
				}},
				"volumes": []any{map[string]any{"name": "config", "configMap": map[string]any{"name": name}},
					map[string]any{"name": "users", "secret": map[string]any{"secretName": name}}},
			},
		},
	}), config, users)
	return b.objects()
}
