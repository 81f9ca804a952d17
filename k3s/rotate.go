package k3s

import (
	"context"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// PlanRotateCertificates plans that the certificates of all nodes are made again, servers first, one node at a time. The
// CA stays, and with it the tokens. k3s does the same at a start, for those with less than 90 days left: a cluster that
// is restarted once a quarter needs no rotation. An administrator's kubeconfig must be read again.
func PlanRotateCertificates(ctx context.Context, machines []*host.Machine, c Config, sink lab.Sink) (*lab.Plan, error) {
	p, err := newPlanner(machines, c, sink)
	if err != nil {
		return nil, err
	}
	nodes, away, err := p.look(ctx)
	if err != nil || away != nil {
		return nil, firstOf(err, away)
	}
	if nodes[0].members == nil {
		return nil, nodes[0].refuse(lab.ErrBlocked, "bring it up, and plan again", "the API of the cluster does not answer")
	}
	k := control{nodes[0].machine, c}
	var steps []lab.Step
	var before []string
	for _, i := range p.order(nodes, nodes[0].members, nil) {
		n := nodes[i]
		if !n.running() {
			continue
		}
		id := "k3s/certificates/" + n.name
		s := n.script(id, lab.Change{Action: lab.Update, Risk: lab.RiskRestart, Cause: "its certificates are made again"},
			shell("certificates", "unit", c.unit(n.name)+".service"), before...)
		gate := p.gate(k, n.name, id)
		steps, before = append(steps, k.guarded(s, n.name), gate), []string{gate.Name}
	}
	return lab.NewPlan(steps...)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
