package base

import (
	"fmt"
	"regexp"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Machine is what differs between machines with the same [Config].
type Machine struct {
	Name   string // its host name: "pi1"
	Domain string // of its full name, "arcodange.lab"; empty means that it has none
	User   string // who logs in over SSH, and has the keys; empty when there are none
	Peers  []Peer // the other machines, which it knows by name without DNS; empty means none
}

// Peer is another machine.
type Peer struct {
	Name    string
	Address string // an IP address; a peer with a name instead is left to DNS
}

// Validate returns everything that is wrong with the Machine's own names. Paths name its fields.
func (m Machine) Validate() lab.Problems {
	return host.Hostname{Name: m.Name, Domain: m.Domain}.Validate()
}

// names returns the resources of the machine's own name and of those of its peers.
func (m Machine) names() host.State {
	s := host.State{host.Hostname{Name: m.Name, Domain: m.Domain}}
	for _, p := range m.Peers {
		if !isIP(p.Address) {
			continue
		}
		names := p.Name
		if m.Domain != "" {
			names = p.Name + "." + m.Domain + " " + p.Name
		}
		s = append(s, host.Line{
			Path: "/etc/hosts", Match: `\s` + regexp.QuoteMeta(p.Name) + `$`, Line: fmt.Sprintf("%s %s", p.Address,
				names),
		})
	}
	return s
}
