package addon_test

import (
	"errors"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/addon"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/k3stest"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

var update = flag.Bool("update", false, "write the golden manifests")

var secrets = map[string]lab.Secret{}

func secret(name string) lab.Secret {
	s := lab.NewSecret("the-" + name + "-that-is-secret")
	secrets[name] = s
	return s
}

// all is each add-on as the lab has it.
func all(t *testing.T) map[string]addon.Addon {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join("testdata", "root.crt"))
	if err != nil {
		t.Fatal(err)
	}
	key := secret("bouncer-key")
	return map[string]addon.Addon{
		"coredns":      &addon.CoreDNS{Domain: "arcodange.lab", Servers: []string{"192.168.1.201", "192.168.1.203"}},
		"cert-manager": &addon.CertManager{Version: "v1.19.1"},
		"step-issuer": &addon.StepIssuer{Version: "1.9.0", URL: "https://ca.arcodange.lab:9000", CA: string(ca), Provisioner: "cert-manager",
			KeyID: "q9x", Password: secret("provisioner-password")},
		"traefik": &addon.Traefik{Version: "37.4.0", Domain: "arcodange.lab", MaxDuration: 720 * time.Hour, Bouncer: &addon.Bouncer{
			PluginVersion: "v1.4.5", Key: key, TrustedProxies: []string{"10.42.0.0/16"}, Clients: []string{"192.168.1.0/24"}}},
		"longhorn": &addon.Longhorn{Version: "1.9.1", DataPath: "/mnt/arcodange/longhorn", Settings: map[string]string{"auto-salvage": "true"}},
		"backup-target": &addon.BackupTarget{URL: "s3://arcodange-backup@us/", Endpoint: "https://storage.googleapis.com",
			AccessKey: secret("access-key"), SecretKey: secret("secret-key")},
		"vault": &addon.Vault{Version: "0.31.0", Host: "vault.arcodange.lab", StorageClass: "longhorn"},
		"vso":   &addon.SecretsOperator{Version: "1.4.1", TransitMount: "transit", TransitKey: "vso"},
		"crowdsec": &addon.CrowdSec{Version: "0.21.0", BouncerKey: key, Database: addon.Database{Host: "192.168.1.202", Name: "crowdsec",
			User: "crowdsec", Password: secret("database-password")}},
		"pgbouncer": &addon.PgBouncer{Image: "edoburu/pgbouncer:v1.25.2-p0", Host: "pi2.arcodange.lab", CA: string(ca),
			Password: secret("pooler-password")},
	}
}

// TestGolden holds each add-on against what was reviewed, and shows no secret.
func TestGolden(t *testing.T) {
	for name, a := range all(t) {
		t.Run(name, func(t *testing.T) {
			objects, err := a.Objects()
			if err != nil {
				t.Fatal(err)
			}
			var text []string
			for _, o := range objects {
				text = append(text, o.YAML())
			}
			got := strings.Join(text, "---\n")
			for _, s := range secrets {
				if lab.Mask(got, s) != got {
					t.Errorf("a secret is in\n%s", got)
				}
			}
			file := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || string(want) != got {
				t.Errorf("%v\n%s", err, lab.Diff(file, want, []byte(got)))
			}
		})
	}
}

// TestApply applies all add-ons together, on the fake and on a real API server, with the real definitions of those that
// ship them in Go modules, and of Longhorn. No chart runs: its release is recorded as Helm would.
func TestApply(t *testing.T) {
	t.Run("Fake", func(t *testing.T) { applied(t, k3stest.NewServer(), "") })
	t.Run("Real", func(t *testing.T) { applied(t, real.KubeAPIServer(t).Handler(), real.CRDs(t, "k3s")) })
}

var template = regexp.MustCompile(`{{[^}]*}}`) // of the chart in which Longhorn ships its definitions

func applied(t *testing.T, api http.Handler, helm string) {
	t.Helper()
	front := k3stest.Start(t, k3stest.WithHelm(api, nil))
	cluster := front.Cluster()
	definitions := []string{helm, template.ReplaceAllString(real.CRDs(t, "longhorn"), "")}
	for _, name := range []string{"cert-manager", "step-issuer", "traefik"} {
		definitions = append(definitions, real.CRDs(t, name))
	}
	crds, err := kube.ParseObjects([]byte(strings.Join(definitions, "\n---\n")))
	if err != nil {
		t.Fatal(err)
	}
	apply(t, cluster, kube.Spec{Owner: "definitions", Objects: crds})
	var addons []addon.Addon
	for _, a := range all(t) {
		addons = append(addons, a)
	}
	objects, err := addon.All(addons...)
	if err != nil {
		t.Fatal(err)
	}
	spec := kube.Spec{Owner: "addons", Objects: objects, Prune: true}
	apply(t, cluster, spec)
	if p, err := cluster.Plan(t.Context(), spec); err != nil || !p.Empty() {
		t.Errorf("%v\n%v", err, p)
	}
	// Longhorn, and what else holds data, stays.
	a := all(t)
	delete(a, "longhorn")
	delete(a, "vault")
	delete(a, "pgbouncer")
	addons = nil
	for _, a := range a {
		addons = append(addons, a)
	}
	if spec.Objects, err = addon.All(addons...); err != nil {
		t.Fatal(err)
	}
	spec.MaxDeletes = 100
	p, err := cluster.Plan(t.Context(), spec)
	if !errors.Is(err, lab.ErrRefused) || strings.Count(err.Error(), "data would be lost") != 3 {
		t.Errorf("the error is %v", err)
	}
	for _, c := range p.Changes() {
		if strings.Contains(c.ID, "helmchart") || strings.Contains(c.ID, "namespace:") {
			t.Errorf("the plan has %s", c.ID)
		}
	}
}

func apply(t *testing.T, c *kube.Cluster, spec kube.Spec) {
	t.Helper()
	p, err := c.Plan(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Apply(t.Context(), nil); err != nil || !r.Complete() {
		t.Fatalf("%v\n%v", err, r)
	}
	if p, err := c.Plan(t.Context(), spec); err != nil || !p.Empty() {
		t.Fatalf("after the apply: %v\n%v", err, p)
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(map[string]addon.Addon) addon.Addon
		says   string
	}{
		{"one server", func(a map[string]addon.Addon) addon.Addon {
			c := a["coredns"].(*addon.CoreDNS)
			c.Servers = c.Servers[:1]
			return c
		}, "servers: fewer than two"},
		{"a server that is no address", func(a map[string]addon.Addon) addon.Addon {
			c := a["coredns"].(*addon.CoreDNS)
			c.Servers[1] = "1.2.3.4 }\n. { forward . 6.6.6.6"
			return c
		}, "servers[1]: is not an IP address"},
		{"a domain that is none", func(a map[string]addon.Addon) addon.Addon {
			c := a["coredns"].(*addon.CoreDNS)
			c.Domain = "arcodange.lab {\n}"
			return c
		}, "domain: is not a domain name"},
		{"the cluster's domain", func(a map[string]addon.Addon) addon.Addon {
			c := a["coredns"].(*addon.CoreDNS)
			c.Domain = "cluster.local"
			return c
		}, "domain: is the cluster's own"},
		{"no version", func(map[string]addon.Addon) addon.Addon { return &addon.CertManager{} }, "version: empty"},
		{"an authority that is no certificate", func(a map[string]addon.Addon) addon.Addon {
			s := a["step-issuer"].(*addon.StepIssuer)
			s.CA = "hello"
			return s
		}, "ca: is not a certificate"},
		{"longer than the authority signs", func(a map[string]addon.Addon) addon.Addon {
			s := a["traefik"].(*addon.Traefik)
			s.Duration = 2160 * time.Hour
			return s
		}, "duration: 2160h0m0s is longer than the 720h0m0s"},
		{"renewed too late", func(a map[string]addon.Addon) addon.Addon {
			s := a["traefik"].(*addon.Traefik)
			s.RenewBefore = 168 * time.Hour
			return s
		}, "renewBefore: 168h0m0s is not between"},
		{"a network with a host", func(a map[string]addon.Addon) addon.Addon {
			s := a["traefik"].(*addon.Traefik)
			s.Bouncer.Clients = []string{"192.168.1.1/24"}
			return s
		}, "bouncer.clients[0]: is not a network"},
		{"Longhorn may be uninstalled", func(a map[string]addon.Addon) addon.Addon {
			s := a["longhorn"].(*addon.Longhorn)
			s.Settings["deleting-confirmation-flag"] = "true"
			return s
		}, "settings.deleting-confirmation-flag"},
		{"two owners of the backup target", func(a map[string]addon.Addon) addon.Addon {
			s := a["longhorn"].(*addon.Longhorn)
			s.Settings["backup-target"] = "s3://x@y/"
			return s
		}, "settings.backup-target: is set by the add-on"},
		{"a bucket that is none", func(a map[string]addon.Addon) addon.Addon {
			s := a["backup-target"].(*addon.BackupTarget)
			s.URL = "https://bucket"
			return s
		}, "url: is not a bucket"},
		{"no key of the bouncer", func(a map[string]addon.Addon) addon.Addon {
			s := a["crowdsec"].(*addon.CrowdSec)
			s.BouncerKey = lab.Secret{}
			return s
		}, "bouncer_key: empty"},
		{"an image without a tag", func(a map[string]addon.Addon) addon.Addon {
			s := a["pgbouncer"].(*addon.PgBouncer)
			s.Image = "registry:5000/pgbouncer"
			return s
		}, "image: has no tag"},
		{"a host that is none", func(a map[string]addon.Addon) addon.Addon {
			s := a["pgbouncer"].(*addon.PgBouncer)
			s.Host = "pi2 user=postgres"
			return s
		}, "host: is not a domain name"},
		{"a size that is none", func(a map[string]addon.Addon) addon.Addon {
			s := a["vault"].(*addon.Vault)
			s.Size = "10 GB"
			return s
		}, "size: is not a size"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := addon.All(test.change(all(t)))
			if !errors.Is(err, lab.ErrInvalid) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error is %v, want %q", err, test.says)
			}
		})
	}
}
