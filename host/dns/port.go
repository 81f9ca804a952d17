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

// port refuses to start a Pi-hole where another program has port 53: its dnsmasq binds it for all addresses, which fails
// when somebody has it for any (pi-hole/docker-pi-hole #1221).
type port struct {
	stack   string
	running host.Resource // what Docker runs of the stack
}

// ID implements [host.Resource].
func (p port) ID() string { return "dns-port:" + p.stack }

// Validate implements [host.Resource].
func (p port) Validate() lab.Problems { return nil }

// Observe implements [host.Resource].
func (p port) Observe(q *host.Query) {
	p.running.Observe(q)
	q.Probe(p.ID(), script.Join(embedded, nil, "listeners.sh"))
}

// Plan implements [host.Resource].
func (p port) Plan(o *host.Observation) ([]host.Op, error) {
	ops, err := p.running.Plan(o)
	if err != nil || len(ops) == 0 {
		return nil, nil // an error is reported by that resource itself
	}
	engine, err := compose.ReadEngine(o)
	if err != nil {
		return nil, nil // the same
	}
	if engine.Missing && !o.CanDefer() {
		return nil, &lab.Error{Op: "check docker", Hint: "put what installs it into the same state, before the Pi-hole",
			Err: fmt.Errorf("%w: docker", lab.ErrNotFound)}
	}
	for _, c := range engine.Of(p.stack, "") {
		if c.Status == "running" {
			return nil, nil // it has the port
		}
	}
	programs := strings.Fields(string(o.Probe(p.ID()).Output))
	if len(programs) == 0 {
		return nil, nil
	}
	hint := "stop it, or keep it from listening on port 53: ss -lnup 'sport = 53'"
	if slices.ContainsFunc(programs, func(n string) bool { return strings.HasPrefix(n, "systemd-resolve") }) {
		hint = "write DNSStubListener=no into /etc/systemd/resolved.conf and restart systemd-resolved; " +
			"or, if nothing else needs it, apt-get remove systemd-resolved"
	}
	return nil, &lab.Error{Op: "start Pi-hole", Path: compose.Stack{Name: p.stack}.ID(), Hint: hint,
		Err: fmt.Errorf("%w: %s listens on port 53 of the machine", lab.ErrRefused,
			lab.Printable(strings.Join(programs, " and ")))}
}
