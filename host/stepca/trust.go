package stepca

import (
	"context"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Trust returns what makes a machine trust the root certificate, PEM: Debian's own programs, and
// Docker for the Registries, whose daemon reads these files at each pull and needs no restart. It is
// for any machine, also one that is not of the CA. Containers and pods have their own certificates,
// see [Issuer].
func (c Config) Trust(root string) host.State {
	s := host.State{
		host.Package{Name: "ca-certificates"},
		host.CACertificate{Name: c.trustName(), PEM: root},
	}
	for _, r := range c.Registries {
		dir := "/etc/docker/certs.d/" + r
		s = append(s, host.Directory{Path: dir}, host.File{Path: dir + "/ca.crt", Content: root})
	}
	return s
}

// trustName returns the name of the root's file in /usr/local/share/ca-certificates:
// "arcodange-root" of arcodange.lab.
func (c Config) trustName() string {
	name, _, _ := strings.Cut(c.Domain, ".")
	return name + "-root"
}

// Root returns the root certificate, PEM, that the sink keeps. The error is an [lab.ErrNotFound]
// before the first apply.
func Root(ctx context.Context, sink lab.Sink) (string, error) {
	s, err := sink.Get(ctx, RootCertificate)
	return s.Reveal(), err
}
