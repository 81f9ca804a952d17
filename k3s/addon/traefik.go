package addon

import (
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// Traefik is the cluster's ingress, with a wildcard certificate for what has none of its own. k3s must not install
// its own: disable traefik there.
type Traefik struct {
	Version string `yaml:"version"` // of the chart; required
	Domain  string `yaml:"domain"`  // of the certificate, which is for *.DOMAIN too; required

	// Duration is how long a certificate is valid, and RenewBefore how long before its end it is renewed; 0 means 168h
	// and a third of the duration. MaxDuration is the longest that the authority signs; 0 means that any is.
	Duration    time.Duration `yaml:"duration"`
	RenewBefore time.Duration `yaml:"renewBefore"`
	MaxDuration time.Duration `yaml:"maxDuration"`

	Bouncer *Bouncer `yaml:"bouncer"` // nil means that nobody is kept out
}

// Bouncer lets Traefik refuse whom CrowdSec has found to attack. Traefik downloads the plugin whenever it starts: without
// the Internet, nothing behind it is reached until it starts again.
type Bouncer struct {
	PluginVersion string `yaml:"pluginVersion"` // of crowdsec-bouncer-traefik-plugin: "v1.4.5"; required

	// Key is the bouncer's, of [CrowdSec.BouncerKey]; required.
	Key lab.Secret `yaml:"-"`

	// TrustedProxies are networks whose word is taken for the address of a client, and Clients those that are
	// always let in, such as the LAN; empty means none.
	TrustedProxies []string `yaml:"trustedProxies"`
	Clients        []string `yaml:"clients"`

	// FailClosed refuses everybody while CrowdSec does not answer. Usually everybody is let in then: CrowdSec needs its
	// database and Vault, whose own interfaces are behind Traefik, so that after a power cut nothing would start.
	FailClosed bool `yaml:"failClosed"`
}

const (
	traefikNamespace = "traefik"
	wildcardSecret   = "wildcard-tls"
	bouncerPlugin    = "bouncer"
)

// Validate reports everything that is wrong.
func (t *Traefik) Validate() error { return t.validate().Err() }

func (t *Traefik) duration() time.Duration {
	if t.Duration == 0 {
		return 168 * time.Hour
	}
	return t.Duration
}

func (t *Traefik) renewBefore() time.Duration {
	if t.RenewBefore == 0 {
		return t.duration() / 3
	}
	return t.RenewBefore
}

func (t *Traefik) validate() (ps lab.Problems) {
	required(&ps, map[string]string{"version": t.Version})
	validDomain(&ps, "domain", t.Domain)
	if t.duration() < time.Hour { // the shortest of cert-manager
		ps.Add("duration", "%s is shorter than an hour", t.duration())
	}
	if t.MaxDuration > 0 && t.duration() > t.MaxDuration {
		ps.Add("duration", "%s is longer than the %s that the authority signs", t.duration(), t.MaxDuration)
	}
	if t.renewBefore() >= t.duration() || t.renewBefore() < 5*time.Minute {
		ps.Add("renewBefore", "%s is not between 5m and the duration, %s", t.renewBefore(), t.duration())
	}
	if t.Bouncer != nil {
		ps = append(ps, t.Bouncer.validate().Under("bouncer")...)
	}
	return ps
}

func (c *Bouncer) validate() (ps lab.Problems) {
	required(&ps, map[string]string{"pluginVersion": c.PluginVersion})
	validSecret(&ps, "key", c.Key)
	validNetworks(&ps, "trustedProxies", c.TrustedProxies)
	validNetworks(&ps, "clients", c.Clients)
	return ps
}

// Objects returns the chart, the certificate, and the TLSStore that makes it the one for all. The chart is called
// homelab-traefik: k3s removes the one called traefik when its own is disabled.
func (t *Traefik) Objects() ([]kube.Object, error) {
	b := build("traefik", t.validate())
	values := map[string]any{
		"ingressClass": map[string]any{"enabled": true, "isDefaultClass": true},
		"logs":         map[string]any{"access": map[string]any{"enabled": true}},
		"ports": map[string]any{"web": map[string]any{"redirections": map[string]any{"entryPoint": map[string]any{
			"to": "websecure", "scheme": "https", "permanent": true}}}},
		"providers": map[string]any{"kubernetesCRD": map[string]any{"enabled": true}},
		// Cluster would hide the addresses of clients behind that of a node, which CrowdSec would then ban.
		"service": map[string]any{"spec": map[string]any{"externalTrafficPolicy": "Local"}},
	}
	if t.Bouncer != nil {
		values["experimental"] = map[string]any{"plugins": map[string]any{bouncerPlugin: map[string]any{
			"moduleName": "github.com/maxlerebourg/crowdsec-bouncer-traefik-plugin", "version": t.Bouncer.PluginVersion}}}
		values["additionalArguments"] = []string{
			"--entryPoints.websecure.http.middlewares=" + traefikNamespace + "-" + bouncerPlugin + "@kubernetescrd"}
	}
	b.chart(kube.HelmChart{Name: "homelab-traefik", Chart: "traefik", Repo: "https://traefik.github.io/charts", Version: t.Version,
		Namespace: traefikNamespace, Provides: []string{"traefik.io"}, Values: values})
	certificate := b.add(with(object("cert-manager.io/v1", "Certificate", traefikNamespace, "wildcard"), "spec", map[string]any{
		"secretName":  wildcardSecret,
		"dnsNames":    []string{t.Domain, "*." + t.Domain},
		"duration":    t.duration().String(),
		"renewBefore": t.renewBefore().String(),
		"issuerRef":   map[string]any{"group": stepGroup, "kind": "StepClusterIssuer", "name": IssuerName},
	}))
	b.add(with(object("traefik.io/v1alpha1", "TLSStore", traefikNamespace, "default"), "spec", map[string]any{
		"defaultCertificate": map[string]any{"secretName": wildcardSecret}}), certificate)
	if t.Bouncer != nil {
		t.Bouncer.add(b)
	}
	return b.objects()
}

// add adds the Middleware, and its key.
func (c *Bouncer) add(b *builder) {
	key := b.add(with(object("v1", "Secret", traefikNamespace, bouncerPlugin), "stringData", map[string]any{"key": c.Key}))
	config := map[string]any{
		"enabled":            true,
		"crowdsecMode":       "stream",
		"crowdsecLapiHost":   "crowdsec-service." + crowdsecNamespace + ":8080",
		"crowdsecLapiKey":    "urn:k8s:secret:" + bouncerPlugin + ":key", // Traefik puts the value there
		"streamStartupBlock": c.FailClosed,
		"updateMaxFailure":   -1, // never block because CrowdSec does not answer
	}
	if c.FailClosed {
		config["updateMaxFailure"] = 0
	}
	if len(c.TrustedProxies) > 0 {
		config["forwardedHeadersTrustedIPs"] = c.TrustedProxies
	}
	if len(c.Clients) > 0 {
		config["clientTrustedIPs"] = c.Clients
	}
	b.add(with(object("traefik.io/v1alpha1", "Middleware", traefikNamespace, bouncerPlugin), "spec",
		map[string]any{"plugin": map[string]any{bouncerPlugin: config}}), key)
}
