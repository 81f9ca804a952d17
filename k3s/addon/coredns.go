package addon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// CoreDNS lets the cluster's CoreDNS ask other servers for a domain. k3s imports the ConfigMap coredns-custom into
// its Corefile, and CoreDNS reads it again within two minutes. The ConfigMap coredns is k3s' own, and rewritten
// whenever a server starts.
type CoreDNS struct {
	Domain  string   `yaml:"domain"`  // "arcodange.lab"; required
	Servers []string `yaml:"servers"` // IP addresses, asked in this order; at least two, so that one may be down

	// Check tries the cluster's DNS after the ConfigMap was applied, see [Resolves]: if it does not succeed in time,
	// the ConfigMap is put back as it was. Nil means that it is not tried.
	Check func(context.Context) error `yaml:"-"`
}

// Resolves returns a check that the DNS server at an address, such as 10.43.0.10:53, that of k3s' CoreDNS, knows all
// the names. It is asked over TCP through the dialer: an SSH connection to a node, which reaches the cluster's
// addresses.
func Resolves(through lab.Dialer, server string, names ...string) func(context.Context) error {
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return through.DialContext(ctx, "tcp", server)
	}}
	return func(ctx context.Context) error {
		var errs []error
		for _, name := range names {
			_, err := resolver.LookupHost(ctx, strings.TrimSuffix(name, ".")+".")
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
}

// Validate reports everything that is wrong.
func (c *CoreDNS) Validate() error { return c.validate().Err() }

func (c *CoreDNS) validate() (ps lab.Problems) {
	validDomain(&ps, "domain", c.Domain)
	if c.Domain == "cluster.local" || strings.HasSuffix(c.Domain, ".cluster.local") {
		ps.Add("domain", "is the cluster's own: no service would be found any more")
	}
	validAddresses(&ps, "servers", c.Servers)
	if len(c.Servers) < 2 {
		ps = append(ps, lab.Problem{Path: "servers", Message: "fewer than two: the domain is gone while one is down"})
	}
	for n, s := range c.Servers {
		if strings.HasPrefix(s, "127.") || s == "::1" {
			ps.Add(fmt.Sprintf("servers[%d]", n), "is the pod of CoreDNS itself")
		}
	}
	return ps
}

// Objects returns the ConfigMap.
func (c *CoreDNS) Objects() ([]kube.Object, error) {
	b := build("coredns-custom", c.validate())
	o := b.add(with(object("v1", "ConfigMap", "kube-system", "coredns-custom"), "data",
		map[string]string{strings.ReplaceAll(c.Domain, ".", "-") + ".server": c.serverBlock()}))
	if b.err == nil && c.Check != nil {
		return []kube.Object{o.Probe(c.Check)}, nil
	}
	return b.objects()
}

// serverBlock is the part of a Corefile: addresses and a domain, so that nothing in it can break the rest.
func (c *CoreDNS) serverBlock() string {
	return fmt.Sprintf(`%s:53 {
    errors
    cache 30
    forward . %s {
        max_fails 2
        health_check 5s
        policy sequential
    }
}
`, c.Domain, strings.Join(c.Servers, " "))
}
