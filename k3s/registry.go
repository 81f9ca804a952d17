package k3s

import (
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Registry is a registry of images, as containerd reaches it (docs.k3s.io/installation/private-registry).
type Registry struct {
	Host      string        `yaml:"host,required"` // as in the names of its images, with the port if they have one; "*" means all
	Endpoints []string      `yaml:"endpoints"`     // URLs that are asked for its images instead; empty means the registry itself
	CA        string        `yaml:"ca"`            // certificates of the CA that signed its certificate, in PEM; empty means the machine's
	Username  string        `yaml:"username"`      // empty means none
	Password  lab.SecretRef `yaml:"password"`      // of that user; empty means none

	Value lab.Secret `yaml:"-"` // the password, if the program holds it
}

var registryPattern = regexp.MustCompile(`^(\*|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?)$`)

// validate returns what is wrong with the registry.
func (r Registry) validate() (ps lab.Problems) {
	if !registryPattern.MatchString(r.Host) {
		ps = append(ps, lab.Problem{Path: "host", Text: r.Host, Message: "is not the name of a registry",
			Hint: `"gitea.arcodange.lab" or "gitea.arcodange.lab:3000", without https://`})
	}
	for _, e := range r.Endpoints {
		if !strings.HasPrefix(e, "https://") && !strings.HasPrefix(e, "http://") || strings.Contains(e, "@") {
			ps = append(ps, lab.Problem{Path: "endpoints", Text: e, Message: "is not a URL without a password"})
		}
	}
	if r.CA != "" {
		block, _ := pem.Decode([]byte(r.CA))
		if block == nil || block.Type != "CERTIFICATE" {
			ps.Add("ca", "is not a certificate in PEM")
		} else if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			ps.Add("ca", "%v", err)
		}
	}
	if (r.Username == "") != (r.Password.IsZero() && r.Value.IsZero()) {
		ps.Add("password", "username and password belong together")
	}
	return ps
}

// caFile returns where the registry's CA is.
func (r Registry) caFile() string {
	return etc + "/registries.d/" + strings.NewReplacer("*", "all", ":", "-").Replace(r.Host) + ".crt"
}

// registries returns the files of the registries; none if there are no registries.
func (c Config) registries() (s host.State) {
	if len(c.Registries) == 0 {
		return nil
	}
	mirrors, configs := map[string]any{}, map[string]any{}
	for _, r := range c.Registries {
		mirror := map[string]any{}
		if len(r.Endpoints) > 0 {
			mirror["endpoint"] = r.Endpoints
		}
		mirrors[r.Host] = mirror
		config := map[string]any{}
		if r.CA != "" {
			s = append(s, host.File{Path: r.caFile(), Content: strings.TrimSpace(r.CA) + "\n"})
			config["tls"] = map[string]any{"ca_file": r.caFile()}
		}
		if r.Username != "" {
			config["auth"] = map[string]any{"username": r.Username, "password": r.Value.Reveal()}
		}
		if len(config) > 0 {
			configs[r.Host] = config
		}
	}
	document := map[string]any{"mirrors": mirrors}
	if len(configs) > 0 {
		document["configs"] = configs
	}
	text, err := yaml.Marshal(document)
	if err != nil {
		panic(err) // of strings alone
	}
	if len(s) > 0 {
		s = append(host.State{host.Directory{Path: etc + "/registries.d"}}, s...)
	}
	return append(s, host.File{Path: registryFile, Value: lab.NewSecret(string(text))})
}
