package main

import (
	"context"
	"net/netip"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose/stack"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/dns"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
)

// DNSConfig is the name service of the lab. Every machine of the inventory has a record, NAME and NAME.DOMAIN, besides
// those that are written here. The password of the web interface is made once, and kept with the secrets of the stacks.
type DNSConfig struct {
	On         string `yaml:"on,required"` // a pattern that selects the machines of the Pi-holes: "pihole"
	dns.Config `yaml:",inline"`
}

const piHolePassword = "pihole"

// nameService returns the name service with what the program fills in.
func (l *Lab) nameService(password lab.Secret, from sources) dns.Config {
	c := l.DNS.Config
	c.Password, c.Lock = password, from.lock
	c.Hosts = slices.Clone(c.Hosts)
	for _, h := range l.Hosts {
		if ip, err := netip.ParseAddr(h.Address); err == nil {
			c.Hosts = append(c.Hosts, stack.PiHoleHost{Address: ip, Names: []string{h.Name + "." + l.Domain, h.Name}})
		}
	}
	for _, h := range l.hosts(component{on: l.DNS.On}) {
		ip, _ := netip.ParseAddr(h.Address) // one that is a name is reported by the config's Validate
		c.Servers = append(c.Servers, dns.Server{Name: h.Name, Address: ip})
	}
	return c
}

// piHoles returns the Pi-holes as a component.
func (l *Lab) piHoles() component {
	return component{place: "dns", on: l.DNS.On,
		validate: func() lab.Problems { return l.nameService(anySecret(""), l.dummies()).Validate() },
		pieces: func(ctx context.Context, h *inventory.Host, from sources) ([]piece, error) {
			secret, missing := asked(ctx, from.secrets)
			c := l.nameService(secret(piHolePassword), from)
			if err := missing(); err != nil {
				return nil, err
			}
			s, err := c.State(h.Name)
			return piecesAt("dns", s), err
		}}
}

// piHoleFleet changes the Pi-holes one after the other, each after the one before answers.
func (l *Lab) piHoleFleet(s *site, machines []*host.Machine) host.Fleet {
	return l.nameService(anySecret(""), sources{}).Fleet(machines, s.lan)
}

// resolvers returns the resolvers of all machines as a component.
func (l *Lab) resolvers() component {
	return component{place: "dns", everywhere: true, validate: func() lab.Problems { return nil },
		pieces: func(context.Context, *inventory.Host, sources) ([]piece, error) {
			return piecesAt("dns", l.nameService(anySecret(""), sources{}).Resolvers()), nil
		}}
}
