package stack

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// runnerForgotten removes a registration that the server no longer knows. It comes before the
// service: a runner with such a registration ends at its start, in a restart loop.
type runnerForgotten struct{ runnerRegistration }

// ID implements [host.Resource].
func (r runnerForgotten) ID() string { return "runner:" + r.stack + ":forgotten" }

// Plan implements [host.Resource].
func (r runnerForgotten) Plan(o *host.Observation) ([]host.Op, error) {
	if seen := r.seen(o); !slices.Contains(seen, "forgotten") || !slices.Contains(seen, "registered") {
		return nil, nil
	}
	return []host.Op{{Action: lab.Delete, Cause: "the server does not know this registration any more",
		Script: "rm -f -- " + ssh.Quote(r.file)}}, nil
}

// runnerRegistration lets a runner register again that the server has forgotten.
type runnerRegistration struct {
	host.Order
	stack, file string
}

// ID implements [host.Resource].
func (r runnerRegistration) ID() string { return "runner:" + r.stack }

// Validate implements [host.Resource].
func (r runnerRegistration) Validate() lab.Problems { return nil }

// Observe looks for what Gitea answers to a runner that it does not know
// (routers/api/actions/runner/interceptor.go), in what the runner said since it was registered, but
// not longer ago than a restarting container may rest: an idle runner asks every 5 s. What it said
// since its last start would be nothing yet, now and then, of one in a restart loop. A list of
// runners from Gitea's API would be old once the runner has registered again.
func (r runnerRegistration) Observe(q *host.Query) {
	v := script.Variables{"project": r.stack, "file": r.file}
	q.Probe("runner:"+r.stack, script.Join(scripts, v, "registration.sh"))
}

// seen returns what the probe saw: registered, forgotten, both or none.
func (r runnerRegistration) seen(o *host.Observation) []string {
	return strings.Fields(string(o.Probe("runner:" + r.stack).Output))
}

// Plan implements [host.Resource].
func (r runnerRegistration) Plan(o *host.Observation) ([]host.Op, error) {
	if !slices.Contains(r.seen(o), "forgotten") {
		return nil, nil
	}
	return []host.Op{{Name: "register", Action: lab.Run, Cause: "the server does not know it any more",
		Risk:   lab.RiskRestart,
		Script: inService(r.stack, "runner", script.Variables{"file": r.file}, "wait.sh", "register.sh")}}, nil
}
