package main

import (
	"context"
	"errors"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
	"gitea.arcodange.lab/arcodange-org/lab/host/stepca"
)

// StepCAConfig is the certificate authority of the lab. What it is, its root key among it, is kept with the secrets of
// the stacks.
type StepCAConfig struct {
	On            string `yaml:"on,required"` // a pattern that selects its machines: "step_ca"
	stepca.Config `yaml:",inline"`
}

// authorityProblems returns what is wrong with the certificate authority.
func (l *Lab) authorityProblems() (ps lab.Problems) {
	hosts := l.hosts(component{on: l.StepCA.On})
	if !slices.ContainsFunc(hosts, func(h *inventory.Host) bool { return h.Name == l.StepCA.Primary }) && l.StepCA.Primary != "" &&
		len(hosts) > 0 {
		ps = append(ps, lab.Problem{Path: "stepca.primary", Text: l.StepCA.Primary, Message: "is none of its machines",
			Hint: "name a machine that stepca.on selects"})
	}
	return append(ps, l.StepCA.Validate().Under("stepca")...)
}

// authorityPlan plans the certificate authority on its machines. A selection is about it if it is about what the machines
// have in common, "step-ca/*": what one machine has of it follows from the others.
func (l *Lab) authorityPlan(s *site) pipeline.Planner {
	return func(ctx context.Context, only *pipeline.Selection) (*lab.Plan, error) {
		var machines []*host.Machine
		ids := []string{"step-ca/root/certificate", "step-ca/root-key/" + l.StepCA.Primary}
		primary := false
		for _, h := range l.hosts(component{on: l.StepCA.On}) {
			for _, m := range s.machines {
				if m.Name() == h.Name {
					machines, ids = append(machines, m), append(ids, "step-ca/"+h.Name+"/authority")
					primary = primary || h.Name == l.StepCA.Primary
				}
			}
		}
		if !primary {
			return nil, pipeline.LeftOut("its primary, " + l.StepCA.Primary + ", is not selected")
		}
		if !only.Reaches(ids...) {
			return nil, pipeline.LeftOut("nothing of it is selected")
		}
		c := l.StepCA.Config
		if s.authority != nil {
			s.authority(&c)
		}
		p, err := stepca.Plan(ctx, machines, c, s.stacks.sink)
		if p == nil || len(only.Globs()) == 0 {
			return p, err
		}
		chosen, refused := p.Only(only.Globs()...)
		return chosen, errors.Join(err, refused)
	}
}
