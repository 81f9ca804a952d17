package k3s

import (
	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// succeeded ends a run of a unit that the API of the cluster shows with another release than the program on the machine
// has: a run that was cut off has replaced the program, or somebody by hand. That the program is newer than its start
// does not say it, where k3s was started within the same second.
type succeeded struct {
	unit       host.Unit
	invocation string // the run, as systemd calls it; empty means none
}

func (s succeeded) ID() string { return "release:" + s.unit.Name }

func (succeeded) Validate() lab.Problems { return nil }

// ComesAfter implements [host.Ordered].
func (s succeeded) ComesAfter() []string { return []string{s.unit.ID()} }

// Observe implements [host.Resource].
func (s succeeded) Observe(q *host.Query) { q.Unit(s.unit.Name) }

// Plan implements [host.Resource].
func (s succeeded) Plan(o *host.Observation) ([]host.Op, error) {
	if s.invocation == "" || o.Unit(s.unit.Name).InvocationID != s.invocation || o.Pending(s.unit.ID()) {
		return nil, nil
	}
	return []host.Op{{Name: "restart", Action: lab.Run, Cause: "runs another release than the program has", Risk: lab.RiskRestart,
		Script: "systemctl restart -- " + s.unit.Name}}, nil
}
