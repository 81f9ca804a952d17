package main

import (
	"context"
	"fmt"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// site is what a run works on: the real lab, or that of the sandbox.
type site struct {
	machines []*host.Machine
	stacks   *stackSource // nil when the lab has no stacks
	database *database    // nil when the lab has none, or the run is not about it
	close    func()
}

// The stages, by the names that the lab has always had.
const (
	systemStage   = "01_system"
	setupStage    = "02_setup"
	runnersStage  = "03_cicd"
	databaseStage = "postgres"
)

// stages returns the stages of the lab. Each comes after the one before it, but for the databases,
// which need no runners.
func (l *Lab) stages(s *site) []pipeline.Stage {
	stages := []pipeline.Stage{l.systemStage(s)}
	before := systemStage
	if l.Stacks != nil && (l.Stacks.Postgres != nil || l.Stacks.Gitea != nil) {
		stages = append(stages, l.stackStage(setupStage, s, l.setup, before))
		before = setupStage
	}
	if l.Stacks != nil && l.Stacks.Runner != nil {
		stages = append(stages, l.stackStage(runnersStage, s, l.runners, before))
	}
	if l.Postgres != nil {
		stages = append(stages, l.databaseStage(s, before))
	}
	return stages
}

// systemStage plans the base of every machine, and what is placed on it.
func (l *Lab) systemStage(s *site) pipeline.Stage {
	fleet := host.Fleet{Machines: s.machines}
	if l.System.Reboot {
		fleet.Serial = 1 // never two machines down at once
	}
	return pipeline.Stage{Name: systemStage, Plan: pipeline.Machines(fleet, func(m *host.Machine) (host.State, error) {
		h, err := l.inventory.Host(m.Name())
		if err != nil {
			return nil, err
		}
		return l.state(h)
	})}
}

// stacksOf returns the stacks of a stage by the machines that they are on, with secrets of the keyring.
type stacksOf func(context.Context, compose.Lock, *lab.Keyring) (map[string][]compose.Stack, error)

// stackStage plans the stacks on the machines that have any.
func (l *Lab) stackStage(name string, s *site, stacks stacksOf, after ...string) pipeline.Stage {
	plan := func(ctx context.Context, only *pipeline.Selection, k *lab.Keyring) (*lab.Plan, error) {
		placed, err := stacks(ctx, s.stacks.lock, k)
		if err != nil {
			return nil, err
		}
		f := host.Fleet{Machines: slices.DeleteFunc(slices.Clone(s.machines), func(m *host.Machine) bool {
			return len(placed[m.Name()]) == 0
		})}
		return pipeline.Machines(f, func(m *host.Machine) (host.State, error) {
			state := l.Stacks.engine()
			var engine []string
			for _, r := range state {
				engine = append(engine, r.ID())
			}
			for _, st := range placed[m.Name()] {
				st.After = append(slices.Clone(st.After), engine...)
				state = append(state, st)
			}
			return state, nil
		})(ctx, only)
	}
	return pipeline.Stage{Name: name, After: after, Plan: pipeline.Secrets(s.stacks.sink, plan)}
}

// databaseStage provisions the apps' databases.
func (l *Lab) databaseStage(s *site, after ...string) pipeline.Stage {
	st := pipeline.Stage{Name: databaseStage, After: after}
	if why := l.databaseElsewhere(); why != "" {
		st.Plan = func(context.Context, *pipeline.Selection) (*lab.Plan, error) { return nil, pipeline.LeftOut(why) }
		return st
	}
	var sink lab.Sink
	if s.stacks != nil {
		sink = s.stacks.sink
	}
	st.Plan = pipeline.Secrets(sink, s.database.plan)
	return st
}

// databaseElsewhere says why a run that is limited to some machines is not about the databases, ""
// when it is: their server is on none of the machines.
func (l *Lab) databaseElsewhere() string {
	if len(l.Limited) == 0 {
		return ""
	}
	for _, h := range l.Hosts {
		if l.Postgres.Host != h.Name && l.Postgres.Host != h.Address {
			continue
		}
		if slices.Contains(l.Limited, h) {
			return ""
		}
		return "the server is on " + h.Name
	}
	return fmt.Sprintf("the server, %s, is none of the machines", l.Postgres.Host)
}
