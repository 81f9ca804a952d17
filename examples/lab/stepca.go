package main

import (
	"context"
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

// authorityPlan plans the certificate authority on its machines.
func (l *Lab) authorityPlan(s *site) pipeline.Planner {
	return func(ctx context.Context, only *pipeline.Selection) (*lab.Plan, error) {
		var machines []*host.Machine
		primary := false
		for _, h := range l.hosts(component{on: l.StepCA.On}) {
			for _, m := range s.machines {
				if m.Name() == h.Name {
					machines = append(machines, m)
					primary = primary || h.Name == l.StepCA.Primary
				}
			}
		}
		if !primary {
			return nil, pipeline.LeftOut("its primary, " + l.StepCA.Primary + ", is not selected")
		}
		c := l.StepCA.Config
		if s.authority != nil {
			s.authority(&c)
		}
		p, err := stepca.Plan(ctx, machines, c, s.stacks.sink)
		if p == nil || len(only.Globs()) == 0 {
			return p, err
		}
		var ids []string
		for _, change := range p.Changes() {
			ids = append(ids, change.ID)
		}
		for _, m := range machines {
			ids = append(ids, "host/"+m.Name()+"/stepca:"+l.StepCA.Domain)
		}
		if !only.Reaches(ids...) {
			return nil, pipeline.LeftOut("nothing of it is selected")
		}
		chosen, refused := p.Only(only.Globs()...)
		if err == nil {
			err = refused
		}
		return chosen, err
	}
}
