package vaultprov

import (
	"context"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Auth is an auth method.
type Auth struct {
	// Path is where it is mounted, below auth/: "gitea_jwt". It is required.
	Path string `yaml:"path,required"`

	// Type is "jwt", "kubernetes" or "approle", or another whose config is not kept here. It is required, and does
	// not change.
	Type string `yaml:"type,required"`

	Description string `yaml:"description"` // empty means as it is

	// DefaultLease and MaxLease are how long its tokens last that say nothing else, and at most; 0 means the server's own.
	DefaultLease time.Duration `yaml:"defaultLease"`
	MaxLease     time.Duration `yaml:"maxLease"`

	Kubernetes *KubernetesConfig `yaml:"kubernetes"` // nil: left as it is
	JWT        *JWTConfig        `yaml:"jwt"`        // nil: left as it is
}

// KubernetesConfig is how an auth method of type kubernetes asks a cluster about the tokens of its service accounts.
type KubernetesConfig struct {
	// Host is the URL of the API server; empty means "https://kubernetes.default.svc", for a Vault in the cluster.
	Host string `yaml:"host"`

	// CA are the certificates of the API server in PEM; empty means those that a Vault in the cluster finds.
	CA string `yaml:"ca"`

	// Outside says that Vault does not run in the cluster: it then has neither a certificate nor a token of its own.
	Outside bool `yaml:"outside"`

	// Reviewer is a token that may review others (system:auth-delegator). Empty means the one of Vault's own pod, or,
	// outside, the token that logs in.
	Reviewer    lab.Secret    `yaml:"-"`
	ReviewerRef lab.SecretRef `yaml:"reviewer"` // a reference to it, see [Spec.Resolve]
}

// JWTConfig is whose tokens an auth method of type jwt takes. Exactly one of DiscoveryURL, JWKSURL and PublicKeys
// says by which keys.
type JWTConfig struct {
	// DiscoveryURL is the issuer, which serves its keys by OpenID Connect Discovery. Vault asks it when this is written,
	// and at each login.
	DiscoveryURL string   `yaml:"discoveryURL"`
	JWKSURL      string   `yaml:"jwksURL"`
	PublicKeys   []string `yaml:"publicKeys"` // in PEM

	// CA are the certificates of the server of DiscoveryURL or JWKSURL in PEM; empty means the system's.
	CA string `yaml:"ca"`

	// Issuer is the claim iss that tokens must have, to the letter: a slash at the end counts. Empty means any with
	// the right key, or the issuer that DiscoveryURL says.
	Issuer string `yaml:"issuer"`
}

func (a Auth) validate() (ps lab.Problems) {
	ps = append(ps, validateMount("path", a.Path)...)
	if a.Type == "" {
		ps.Add("type", "empty: name the method")
	}
	if a.Type == "token" || strings.Trim(a.Path, "/") == "token" {
		ps.Add("path", "token is built in, and is mounted once")
	}
	if a.Kubernetes != nil && a.Type != "kubernetes" {
		ps.Add("kubernetes", "the type is %q", a.Type)
	}
	if j := a.JWT; j != nil {
		if a.Type != "jwt" {
			ps.Add("jwt", "the type is %q", a.Type)
		}
		n := 0
		for _, given := range []bool{j.DiscoveryURL != "", j.JWKSURL != "", len(j.PublicKeys) > 0} {
			if given {
				n++
			}
		}
		if n != 1 {
			ps.Add("jwt", "want exactly one of discoveryURL, jwksURL and publicKeys")
		}
		if j.CA != "" && len(j.PublicKeys) > 0 {
			ps.Add("jwt.ca", "no server is asked for publicKeys")
		}
	}
	return append(ps, validateLeases("defaultLease", a.DefaultLease, "maxLease", a.MaxLease)...)
}

// auths are the auth methods, all read at once.
func (p *planner) auths() kind {
	k := kind{name: "auth", want: map[string]object{}, prunes: true, loss: lab.RiskDisrupt,
		path: func(key string) string { return "sys/auth/" + key },
		all:  func(ctx context.Context) (map[string]map[string]any, error) { return p.readMounts(ctx, "sys/auth") },
	}
	for _, a := range p.spec.Auths {
		k.want[strings.Trim(a.Path, "/")] = object{want: tuned(a.Type, a.Description, a.DefaultLease, a.MaxLease),
			fixed: []string{"type"}}
	}
	k.write = func(ctx context.Context, key string, send fields, there bool) error {
		return p.writeMount(ctx, k.path(key), send, there)
	}
	return k
}

// authConfigs are the configs of the auth methods.
func (p *planner) authConfigs() kind {
	k := kind{name: "auth-config", want: map[string]object{}, flat: trimmed, whole: true,
		path: func(key string) string { return "auth/" + key + "/config" }, readOnly: []string{reviewerSet}}
	for _, a := range p.spec.Auths {
		path := strings.Trim(a.Path, "/")
		w := object{after: []string{"auth:" + path}}
		switch {
		case a.Kubernetes != nil:
			w.want, w.secrets = a.Kubernetes.fields()
		case a.JWT != nil:
			w.want = a.JWT.fields()
		default:
			continue
		}
		k.want[path] = w
	}
	return k
}

// reviewerSet is the field by which Vault says that it has a token that reviews others.
const reviewerSet = "token_reviewer_jwt_set"

func (c KubernetesConfig) fields() (fields, map[string]lab.Secret) {
	host := c.Host
	if host == "" {
		host = "https://kubernetes.default.svc"
	}
	f := fields{"kubernetes_host": host, "kubernetes_ca_cert": strings.TrimSpace(c.CA), "disable_local_ca_jwt": c.Outside,
		reviewerSet: !c.Reviewer.IsZero()}
	if c.Reviewer.IsZero() {
		return f, nil
	}
	return f, map[string]lab.Secret{"token_reviewer_jwt": c.Reviewer}
}

func (c JWTConfig) fields() fields {
	f := fields{"oidc_discovery_url": c.DiscoveryURL, "oidc_discovery_ca_pem": "", "jwks_url": c.JWKSURL, "jwks_ca_pem": "",
		"jwt_validation_pubkeys": list(c.PublicKeys), "bound_issuer": c.Issuer}
	if c.DiscoveryURL != "" {
		f["oidc_discovery_ca_pem"] = strings.TrimSpace(c.CA)
	} else if c.JWKSURL != "" {
		f["jwks_ca_pem"] = strings.TrimSpace(c.CA)
	}
	return f
}

// trimmed returns a config without the space around its texts: certificates end with a line feed or not.
func trimmed(has map[string]any) map[string]any {
	for key, v := range has {
		if text, ok := v.(string); ok {
			has[key] = strings.TrimSpace(text)
		}
	}
	return has
}
