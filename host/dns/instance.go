package dns

import (
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// State returns what the machine with this name, one of [Config.Servers], should be: the stack of its Pi-hole and the
// guards of it. The Pi-hole comes after the resources with the IDs in after, such as those that install Docker. The error
// is a [lab.Problems] if the Config is wrong.
func (c Config) State(machine string, after ...string) (host.State, error) {
	ps := c.Validate()
	self := slices.IndexFunc(c.Servers, func(s Server) bool { return s.Name == machine })
	if self < 0 {
		ps = append(ps, lab.Problem{Path: "servers", Text: machine, Message: "has no Pi-hole"})
	}
	if len(ps) > 0 {
		return nil, ps
	}
	s, err := c.PiHole.Stack()
	if err != nil {
		return nil, err
	}
	port, peers := port{stack: s.Name}, peers{config: c, self: c.Servers[self], stack: s.Name}
	s.After = slices.Concat(s.After, after, []string{port.ID(), peers.ID()})
	for _, r := range s.Resources() {
		if r.ID() == s.Running() {
			port.running, peers.running = r, r
		}
	}
	return host.State{port, peers, s}, nil
}
