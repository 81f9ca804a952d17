package host

import (
	"crypto/x509"
	"encoding/base64"
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
	composite

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

// trustedCertificate is the certificate as update-ca-certificates installs it: a link in
// /etc/ssl/certs and a copy in the bundle. Whether they are there is asked of themselves, not of the
// times of files, since a machine without a clock may have had any.
type trustedCertificate struct{ c CACertificate }

func (t trustedCertificate) ID() string { return t.c.ID() + "/trusted" }

func (trustedCertificate) Validate() lab.Problems { return nil }

func (t trustedCertificate) link() string { return "/etc/ssl/certs/" + t.c.Name + ".pem" }

func (t trustedCertificate) Relations() Relations {
	return Relations{Needs: []string{"path:" + t.c.file(), "package:ca-certificates"}}
}

func (t trustedCertificate) Observe(q *Query) {
	q.Link(t.link())
	if !t.c.Absent {
		q.Probe(t.ID(), shell("bundled", "certificate", t.body()))
	}
}

// body returns the base64 of the certificate in one line.
func (t trustedCertificate) body() string {
	block, _ := pem.Decode([]byte(t.c.PEM))
	if block == nil {
		return "" // Validate has reported it
	}
	return base64.StdEncoding.EncodeToString(block.Bytes)
}

func (t trustedCertificate) Plan(o *Observation) ([]Op, error) {
	linked := o.Link(t.link()) == t.c.file()
	cause := ""
	switch {
	case o.Pending("file:" + t.c.file()):
		cause = "notified by file:" + t.c.file()
	case t.c.Absent && linked:
		cause = "is still trusted"
	case !t.c.Absent && !linked:
		cause = "not trusted yet"
	case !t.c.Absent && o.Probe(t.ID()).Exit != 0:
		cause = "the bundle does not contain it"
	default:
		return nil, nil
	}
	script := "update-ca-certificates"
	if linked {
		// It leaves the link to a certificate that is gone, and makes the links by which OpenSSL finds a
		// certificate only if it makes or removes one of the others.
		script = "rm -f -- " + t.link() + "\n" + script
	}
	return []Op{{Action: lab.Run, Cause: cause, Script: script}}, nil
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
