package dns

import (
	"fmt"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// State returns what the machine with this name, one of [Config.Servers], should be: the stack of its Pi-hole and the
// guards of it. The error is a [lab.Problems] if the Config is wrong.
func (c Config) State(machine string) (host.State, error) {
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
	var running host.Resource
	for _, r := range s.Resources() {
		if r.ID() == s.Running() {
			running = r
		}
	}
	if running == nil {
		return nil, fmt.Errorf("%w: the stack has no %s", lab.ErrNotFound, s.Running())
	}
	guards := host.State{port{stack: s.Name, running: running}, peers{config: c, self: c.Servers[self], stack: s.Name, running: running}}
	for _, g := range guards {
		s.After = append(s.After, g.ID())
	}
	return append(guards, s), nil
}
