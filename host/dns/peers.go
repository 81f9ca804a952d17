package dns

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// peers refuses to replace or restart the Pi-hole of a machine, which answers, while no other one does. It is a change
// of the plan before that of the Pi-hole, so that the others are asked again right before.
type peers struct {
	config  Config
	self    Server
	stack   string
	running host.Resource // what Docker runs of the stack
}

// ID implements [host.Resource].
func (p peers) ID() string { return "dns-peers:" + p.stack }

// Validate implements [host.Resource].
func (p peers) Validate() lab.Problems { return nil }

// others returns the addresses of the other instances.
func (p peers) others() (out []Server) {
	return slices.DeleteFunc(slices.Clone(p.config.Servers), func(s Server) bool { return s == p.self })
}

func (p peers) variables() script.Variables {
	var addresses []string
	for _, s := range p.others() {
		addresses = append(addresses, s.Address.String())
	}
	v := p.config.asking()
	v["self"], v["others"] = p.self.Address.String(), strings.Join(addresses, " ")
	return v
}

// Observe implements [host.Resource].
func (p peers) Observe(q *host.Query) {
	p.running.Observe(q)
	if len(p.others()) > 0 {
		q.Probe(p.ID(), script.Join(embedded, p.variables(), "ask.sh", "peers.sh"))
	}
}

// Plan implements [host.Resource].
func (p peers) Plan(o *host.Observation) ([]host.Op, error) {
	ops, err := p.running.Plan(o)
	interrupts := slices.ContainsFunc(ops, func(op host.Op) bool { return op.Risk >= lab.RiskRestart })
	if err != nil || !interrupts || len(p.others()) == 0 {
		return nil, nil // an error is reported by that resource itself
	}
	up := addresses(o.Probe(p.ID()).Output, "up ")
	if !slices.Contains(up, p.self.Address.String()) {
		return nil, nil // it does not answer anyhow
	}
	var names []string
	for _, s := range p.others() {
		names = append(names, s.Name)
		if slices.Contains(up, s.Address.String()) {
			return []host.Op{{Action: lab.Run, Cause: "while the Pi-hole here is replaced, " + s.Name + " must answer",
				Script: script.Join(embedded, p.variables(), "ask.sh", "peeranswers.sh")}}, nil
		}
	}
	return nil, &lab.Error{Op: "replace Pi-hole", Path: compose.Stack{Name: p.stack}.ID(),
		Hint: "bring the Pi-hole of " + strings.Join(names, " or ") + " up first: plan that machine alone",
		Err: fmt.Errorf("%w: the one here answers, and %s does not: there would be no DNS", lab.ErrRefused,
			strings.Join(names, " nor "))}
}

// addresses returns the second words of lines with a prefix.
func addresses(output []byte, prefix string) (out []string) {
	for line := range strings.Lines(string(output)) {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			address, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			out = append(out, address)
		}
	}
	return out
}
