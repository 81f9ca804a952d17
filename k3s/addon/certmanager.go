package addon

import (
	"encoding/base64"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// CertManager is cert-manager.
type CertManager struct {
	Version string `yaml:"version"` // of the chart: "v1.19.1"; required
}

// Validate reports everything that is wrong.
func (c *CertManager) Validate() error { return c.validate().Err() }

func (c *CertManager) validate() (ps lab.Problems) {
	required(&ps, map[string]string{"version": c.Version})
	return ps
}

// Objects returns the chart. Its definitions stay when it is uninstalled: all certificates would go with them.
func (c *CertManager) Objects() ([]kube.Object, error) {
	b := build("cert-manager", c.validate())
	b.chart(kube.HelmChart{Name: "cert-manager", Chart: "cert-manager", Repo: "https://charts.jetstack.io", Version: c.Version,
		Namespace: "cert-manager", Provides: []string{"cert-manager.io", "acme.cert-manager.io"},
		Values: map[string]any{"crds": map[string]any{"enabled": true, "keep": true}}})
	return b.objects()
}

// StepIssuer lets cert-manager get certificates of step-ca: also of a wildcard, for which ACME would need a DNS
// server that it can write to.
type StepIssuer struct {
	Version     string     `yaml:"version"`     // of the chart; required
	URL         string     `yaml:"url"`         // of step-ca: "https://ca.arcodange.lab:9000"; required
	CA          string     `yaml:"ca"`          // its root certificate in PEM; required
	Provisioner string     `yaml:"provisioner"` // a JWK provisioner; required
	KeyID       string     `yaml:"keyID"`       // of the provisioner's key, as GET /provisioners says; required
	Password    lab.Secret `yaml:"-"`           // of the provisioner's key; required
}

// IssuerName is the name of the StepClusterIssuer.
const IssuerName = "step-ca"

const (
	stepNamespace = "step-issuer"
	stepGroup     = "certmanager.step.sm"
)

// Validate reports everything that is wrong.
func (s *StepIssuer) Validate() error { return s.validate().Err() }

func (s *StepIssuer) validate() (ps lab.Problems) {
	required(&ps, map[string]string{"version": s.Version, "provisioner": s.Provisioner, "keyID": s.KeyID})
	validURL(&ps, "url", s.URL, "https")
	validCA(&ps, "ca", s.CA)
	validSecret(&ps, "password", s.Password)
	return ps
}

// Objects returns the chart, the password and the StepClusterIssuer, and lets cert-manager approve what is asked of it:
// by itself it approves requests to its own kinds of issuers alone (github.com/smallstep/step-issuer, issue 23).
func (s *StepIssuer) Objects() ([]kube.Object, error) {
	b := build("step-issuer", s.validate())
	b.chart(kube.HelmChart{Name: "step-issuer", Chart: "step-issuer", Repo: "https://smallstep.github.io/helm-charts",
		Version: s.Version, Namespace: stepNamespace, Provides: []string{stepGroup}})
	password := b.add(with(object("v1", "Secret", stepNamespace, "step-provisioner"), "stringData",
		map[string]any{"password": s.Password}))
	b.add(with(object(stepGroup+"/v1beta1", "StepClusterIssuer", "", IssuerName), "spec", map[string]any{
		"url":      s.URL,
		"caBundle": base64.StdEncoding.EncodeToString([]byte(s.CA)),
		"provisioner": map[string]any{"name": s.Provisioner, "kid": s.KeyID,
			"passwordRef": map[string]any{"name": "step-provisioner", "key": "password", "namespace": stepNamespace}},
	}), password)
	const approver = "cert-manager-approves-step-ca"
	role := b.add(with(object("rbac.authorization.k8s.io/v1", "ClusterRole", "", approver), "rules", []any{map[string]any{
		"apiGroups": []string{"cert-manager.io"}, "resources": []string{"signers"}, "verbs": []string{"approve"},
		"resourceNames": []string{"stepissuers." + stepGroup + "/*", "stepclusterissuers." + stepGroup + "/*"}}}))
	binding := with(object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", approver), "roleRef",
		map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": approver})
	b.add(with(binding, "subjects", []any{map[string]any{"kind": "ServiceAccount", "name": "cert-manager",
		"namespace": "cert-manager"}}), role)
	return b.objects()
}
