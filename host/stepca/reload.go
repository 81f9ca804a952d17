package stepca

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// reload makes a server read ca.json again that could not use it the last time. It goes on with the
// earlier one then, which is better than a restart that fails, so it is not restarted either.
type reload struct{}

// ID returns "reload:step-ca.service".
func (reload) ID() string { return "reload:" + unitName }

// Validate implements [host.Resource].
func (reload) Validate() lab.Problems { return nil }

// ComesAfter implements [host.Ordered].
func (reload) ComesAfter() []string { return []string{host.Unit{Name: unitName}.ID()} }

// Observe implements [host.Resource].
func (r reload) Observe(q *host.Query) {
	q.Unit(unitName)
	q.Probe(r.ID(), shell("reload"))
}

// Plan implements [host.Resource].
func (r reload) Plan(o *host.Observation) ([]host.Op, error) {
	why := strings.TrimSpace(string(o.Probe(r.ID()).Output))
	if why == "" || o.Unit(unitName).Active != "active" || o.Pending(host.Unit{Name: unitName}.ID()) {
		return nil, nil // a start or a reload of this plan reads it
	}
	return []host.Op{{Action: lab.Run, Cause: "it runs with an earlier ca.json: " + why,
		Script: "systemctl reload -- " + unitName}}, nil
}
