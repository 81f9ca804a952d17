package main

import (
	"fmt"
	"net/netip"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose/stack"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/dns"
)

// piHoleComponent is a Pi-hole on the machine, see package dns. Its image has a digest:
// "pihole/pihole:2025.08.0@sha256:...". It comes after what installs Docker: after: ["docker:machine"].
type piHoleComponent struct {
	host.Order `yaml:",inline"`
	whole

	Address    netip.Addr    `yaml:"address,required"`  // of the machine in the LAN
	Others     []netip.Addr  `yaml:"others"`            // of the machines with the other Pi-holes, two at most; empty means none
	Secret     lab.SecretRef `yaml:"password,required"` // of the web interface: "file:PATH" or "env:NAME"
	dns.Config `yaml:",inline"`
}

// thisMachine is what the machine is called among those with Pi-holes.
const thisMachine = "this machine"

func (piHoleComponent) ID() string { return "pihole:machine" }

// config returns the Config with what the component has besides.
func (c piHoleComponent) config() dns.Config {
	all := c.Config
	if all.Password.IsZero() && !c.Secret.IsZero() {
		all.Password = lab.NewSecret(strings.Repeat("x", 43)) // to validate with, until it is resolved
	}
	all.Servers = []dns.Server{{Name: thisMachine, Address: c.Address}}
	for _, a := range c.Others {
		all.Servers = append(all.Servers, dns.Server{Name: a.String(), Address: a})
	}
	return all
}

func (c piHoleComponent) Validate() lab.Problems {
	ps := c.config().Validate()
	for i, p := range ps {
		var n int
		if _, err := fmt.Sscanf(p.Path, "servers[%d]", &n); err != nil {
			continue
		}
		if ps[i].Path = "address"; n > 0 {
			ps[i].Path = fmt.Sprintf("others[%d]", n-1)
		}
	}
	return append(ps, pinned("image", c.Image)...)
}

// pinned returns a problem unless the image has a digest: there is no lock file here.
func pinned(path, image string) (ps lab.Problems) {
	if !strings.Contains(image, "@sha256:") {
		ps = append(ps, lab.Problem{Path: path, Text: image, Message: "has no digest, so that it could be another one tomorrow",
			Hint: "append @sha256:..., see docker buildx imagetools inspect " + image})
	}
	return ps
}

// Resolve implements [host.Resolver].
func (c piHoleComponent) Resolve(read func(string, lab.SecretRef) lab.Secret) host.Resource {
	c.Password = read("password", c.Secret)
	return c
}

// Resources returns nothing when the component is not valid.
func (c piHoleComponent) Resources() []host.Resource {
	s, err := c.config().State(thisMachine)
	if err != nil {
		return nil
	}
	return s
}

// resolversComponent are the Pi-holes that the machine asks, see package dns.
type resolversComponent struct {
	whole

	Servers []netip.Addr       `yaml:"servers,required"` // of the Pi-holes, three at most
	Hosts   []stack.PiHoleHost `yaml:"hosts,required"`   // one that all of them know, or more: the first is asked for
	Outside string             `yaml:"outside"`          // a name of the Internet that they must resolve; empty means example.com
	Search  []string           `yaml:"search"`           // domains that are tried for names without a dot; empty means none
}

func (c resolversComponent) config() dns.Config {
	all := dns.Config{PiHole: stack.PiHole{Hosts: c.Hosts}, Outside: c.Outside, Search: c.Search}
	for _, a := range c.Servers {
		all.Servers = append(all.Servers, dns.Server{Name: a.String(), Address: a})
	}
	return all
}

func (resolversComponent) ID() string { return "resolvers:machine" }

func (c resolversComponent) Validate() (ps lab.Problems) {
	for _, r := range c.Resources() {
		ps = append(ps, r.Validate()...)
	}
	return ps
}

func (c resolversComponent) Resources() []host.Resource { return c.config().Resolvers() }
