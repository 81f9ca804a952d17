package stepca

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Issuer is what the cluster needs to know of the CA, as data: for a StepClusterIssuer of step-issuer,
// an ACME issuer of cert-manager, and whatever trusts the root (a ConfigMap, registries.yaml). The
// password of the provisioner is in the sink as [ProvisionerPassword].
type Issuer struct {
	URL         string // "https://ca.arcodange.lab:9000"
	ACME        string // the ACME directory
	Root        string // the root certificate, PEM
	CABundle    string // the same in base64, as caBundle fields want it
	Fingerprint string // of the root
	Provisioner string // the JWK provisioner's name
	KeyID       string // and its key's, "kid"

	// Duration and RenewBefore are for a Certificate: cert-manager's own default, 2160h, is more than
	// the CA issues. What is renewed by them outlives a week without power at any time.
	Duration, RenewBefore time.Duration

	Expires time.Time // when the intermediate certificate expires, and all that it signed
}

// Issuer reads what the cluster needs to know from a machine of the CA.
func (c Config) Issuer(ctx context.Context, m *host.Machine) (Issuer, error) {
	h, err := look(ctx, m)
	if err != nil {
		return Issuer{}, err
	}
	s, err := readSettings(h.content[caJSON])
	if err != nil || s.keyID(c.provisioner()) == "" {
		return Issuer{}, &lab.Error{Op: "read the authority", Target: m.Name(), Path: caJSON,
			Hint: "apply the plan of the CA first", Err: fmt.Errorf("%w: a provisioner %s with a key", lab.ErrNotFound, c.provisioner())}
	}
	if have := h.fingerprint(); c.Fingerprint != "" && have != c.Fingerprint {
		return Issuer{}, h.refuse(c.Fingerprint)
	}
	intermediate, err := certificate(h.content[intermediateFile])
	if err != nil {
		return Issuer{}, &lab.Error{Op: "read the authority", Target: m.Name(), Path: intermediateFile,
			Hint: "restore it from another machine", Err: err}
	}
	root := string(h.content[rootFile])
	return Issuer{URL: c.URL(), ACME: c.URL() + "/acme/" + c.acme() + "/directory", Root: root,
		CABundle: base64.StdEncoding.EncodeToString([]byte(root)), Fingerprint: h.fingerprint(),
		Provisioner: c.provisioner(), KeyID: s.keyID(c.provisioner()),
		Duration: c.maxDuration(), RenewBefore: c.maxDuration() / 3,
		Expires: intermediate.NotAfter}, nil
}
