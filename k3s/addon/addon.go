package addon

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

// Addon is one of this package, or somebody else's.
type Addon interface {
	// Objects returns what is to be applied. What is wrong with the config is an [lab.ErrInvalid].
	Objects() ([]kube.Object, error)
}

// All returns the objects of all add-ons. What is wrong with any of them is one error.
func All(addons ...Addon) (all []kube.Object, err error) {
	var errs []error
	for _, a := range addons {
		objects, err := a.Objects()
		errs = append(errs, err)
		all = append(all, objects...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

// builder collects objects, and the first error.
type builder struct {
	all []kube.Object
	err error
}

// build returns a builder, which makes nothing if there are problems.
func build(name string, ps lab.Problems) *builder {
	b := &builder{}
	if err := ps.Err(); err != nil {
		b.err = &lab.Error{Op: "describe add-on", Target: name, Err: err}
	}
	return b
}

// add adds an object that comes after others, and returns it.
func (b *builder) add(content map[string]any, after ...kube.Object) (o kube.Object) {
	if b.err != nil {
		return o
	}
	if o, b.err = kube.NewObject(content); b.err == nil {
		o = o.After(after...)
		b.all = append(b.all, o)
	}
	return o
}

// chart adds a chart, and returns its HelmChart.
func (b *builder) chart(c kube.HelmChart) (o kube.Object) {
	if b.err != nil {
		return o
	}
	objects, err := c.Objects()
	if b.err = err; err != nil {
		return o
	}
	b.all = append(b.all, objects...)
	return objects[len(objects)-1]
}

// yaml returns a value as YAML.
func (b *builder) yaml(v any) string {
	text, err := yaml.Marshal(v)
	if b.err == nil {
		b.err = err
	}
	return string(text)
}

func (b *builder) objects() ([]kube.Object, error) {
	if b.err != nil {
		return nil, b.err
	}
	return b.all, nil
}

// object returns the content of an object without its fields.
func object(apiVersion, kind, namespace, name string) map[string]any {
	meta := map[string]any{"name": name}
	if namespace != "" {
		meta["namespace"] = namespace
	}
	return map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": meta}
}

// with returns the content with a field.
func with(content map[string]any, field string, value any) map[string]any {
	content[field] = value
	return content
}

// required reports the fields that are empty.
func required(ps *lab.Problems, fields map[string]string) {
	for field, value := range fields {
		if value == "" {
			ps.Add(field, "empty")
		}
	}
}

func validSecret(ps *lab.Problems, field string, s lab.Secret) {
	if s.IsZero() {
		ps.Add(field, "empty")
	}
}

func validURL(ps *lab.Problems, field, text string, schemes ...string) {
	u, err := url.Parse(text)
	for _, scheme := range schemes {
		if err == nil && u.Scheme == scheme && u.Host != "" && u.User == nil {
			return
		}
	}
	*ps = append(*ps, lab.Problem{Path: field, Text: text, Message: "is not a URL", Hint: fmt.Sprintf("write %s://HOST", schemes[0])})
}

// validCA reports what is not certificates in PEM.
func validCA(ps *lab.Problems, field, text string) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		ps.Add(field, "is not a certificate in PEM")
		return
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil || block.Type != "CERTIFICATE" {
		ps.Add(field, "is not a certificate in PEM")
	}
}

var (
	domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	dnsLabel   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

func validDomain(ps *lab.Problems, field, text string) {
	if len(text) > 253 || !domainName.MatchString(text) {
		*ps = append(*ps, lab.Problem{Path: field, Text: text, Message: "is not a domain name in lowercase"})
	}
}

func validAddresses(ps *lab.Problems, field string, all []string) {
	for n, text := range all {
		if _, err := netip.ParseAddr(text); err != nil {
			*ps = append(*ps, lab.Problem{Path: fmt.Sprintf("%s[%d]", field, n), Text: text, Message: "is not an IP address"})
		}
	}
}

func validNetworks(ps *lab.Problems, field string, all []string) {
	for n, text := range all {
		if p, err := netip.ParsePrefix(text); err != nil || p != p.Masked() {
			*ps = append(*ps, lab.Problem{Path: fmt.Sprintf("%s[%d]", field, n), Text: text, Message: "is not a network",
				Hint: "write it as 192.168.1.0/24"})
		}
	}
}

func validQuantity(ps *lab.Problems, field, text string) {
	if text == "" {
		return
	}
	if _, err := resource.ParseQuantity(text); err != nil {
		*ps = append(*ps, lab.Problem{Path: field, Text: text, Message: "is not a size", Hint: "write it as 10Gi"})
	}
}
