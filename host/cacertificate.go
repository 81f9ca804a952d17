package host

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// CACertificate is a certificate authority that the machine trusts: a file in
// /usr/local/share/ca-certificates, processed by update-ca-certificates(8). Running services keep
// using the certificates that they have already read.
type CACertificate struct {
	Order `yaml:",inline"`

	Name   string `yaml:"name,required"` // of the file, without ".crt"
	PEM    string `yaml:"pem"`           // one certificate
	Absent bool   `yaml:"absent"`
}

// ID returns "cacertificate:NAME".
func (c CACertificate) ID() string { return "cacertificate:" + c.Name }

// Validate implements [Resource].
func (c CACertificate) Validate() (ps lab.Problems) {
	if !fileNamePattern.MatchString(c.Name) || len(c.Name) > 200 {
		ps = append(ps, lab.Problem{Path: "name", Text: c.Name, Message: "is not a file name: letters, digits, - _ and ."})
	}
	if c.Absent {
		return ps
	}
	if err := checkCertificate(c.PEM); err != nil {
		ps = append(ps, lab.Problem{Path: "pem", Message: err.Error()})
	}
	return ps
}

func (c CACertificate) file() string { return "/usr/local/share/ca-certificates/" + c.Name + ".crt" }

// Resources implements [Set].
func (c CACertificate) Resources() []Resource {
	f := File{Path: c.file(), Content: c.PEM, Absent: c.Absent}
	return []Resource{f, trustedCertificate{c}}
}

// Observe implements [Resource]; the members of the set observe.
func (CACertificate) Observe(*Query) {}

// Plan implements [Resource]; the members of the set plan.
func (CACertificate) Plan(*Observation) ([]Op, error) { return nil, nil }

// trustedCertificate is the certificate as update-ca-certificates installs it: a link in
// /etc/ssl/certs and a copy in the bundle, which is newer than the file if it includes it.
type trustedCertificate struct{ c CACertificate }

func (t trustedCertificate) ID() string { return t.c.ID() + "/trusted" }

func (trustedCertificate) Validate() lab.Problems { return nil }

const caBundle = "/etc/ssl/certs/ca-certificates.crt"

func (t trustedCertificate) link() string { return "/etc/ssl/certs/" + t.c.Name + ".pem" }

func (t trustedCertificate) Needs() []string {
	return []string{"path:" + t.c.file(), "package:ca-certificates"}
}

func (t trustedCertificate) Observe(q *Query) {
	q.Path(t.link())
	q.Path(caBundle)
	q.Path(t.c.file())
}

func (t trustedCertificate) Plan(o *Observation) ([]Op, error) {
	link, bundle, file := o.Stat(t.link()), o.Stat(caBundle), o.Stat(t.c.file())
	cause := ""
	switch {
	case o.Pending("file:" + t.c.file()):
		cause = "notified by file:" + t.c.file()
	case t.c.Absent && link.Type != NoFile:
		cause = "is still trusted"
	case !t.c.Absent && link.Type == NoFile:
		cause = "not trusted yet"
	case !t.c.Absent && bundle.Changed.Before(file.Modified):
		cause = "the bundle is older than the certificate"
	default:
		return nil, nil
	}
	return []Op{{Action: lab.Run, Cause: cause, Script: "update-ca-certificates\ntouch -- " + caBundle}}, nil
}

// checkCertificate returns the problem of the text of a CA certificate, nil if it has none.
// update-ca-certificates reads one certificate from each file.
func checkCertificate(text string) error {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return errors.New("is not exactly one certificate in PEM")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	if c.BasicConstraintsValid && !c.IsCA {
		return errors.New("is not a CA certificate")
	}
	return nil
}
