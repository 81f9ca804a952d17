package host

import (
	"context"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Plan observes the machine with one exec and returns the changes that bring it to the wanted state.
// It writes nothing. With globs, only the resources are planned whose ID matches one of them (see
// [lab.Globs]), by itself or as plans show it: "file:*", "host/pi1/file:*".
//
// An invalid state is [lab.Problems], and nothing is dialled. A machine that belongs to another
// environment is [lab.ErrRefused].
func (m *Machine) Plan(ctx context.Context, want State, globs ...string) (*lab.Plan, error) {
	if err := want.Validate(); err != nil {
		return nil, err
	}
	globs = slices.Concat(globs, lab.Globs(globs).After("host/"+m.Name()+"/")) // IDs as plans show them
	own := m.own()
	for _, r := range own {
		if len(globs) > 0 {
			globs = append(globs, r.ID())
		}
	}
	w, err := newWanted(append(own, want...), globs)
	if err != nil {
		return nil, err
	}
	j := &job{m: m, want: w, masker: lab.NewMasker(w.secrets...)}
	o, err := m.observe(ctx, w.query(), j.masker)
	if err != nil {
		return nil, err
	}
	changes, faults := j.plan(o, false)
	if err := j.joined(faults); err != nil {
		return nil, err
	}
	j.changes = changes
	j.boot = o.Facts.BootID
	step := lab.Step{Name: j.step(), Run: j.run}
	for _, c := range j.changes {
		lc := lab.Change{
			ID: c.id, Action: c.op.Action, Cause: j.masker.Mask(c.op.Cause), Diff: j.masker.Mask(c.op.Diff),
			Risk: c.op.Risk, Deferred: c.deferred,
		}
		for _, d := range c.after {
			lc.After = append(lc.After, j.changes[d].id)
		}
		step.Changes = append(step.Changes, lc)
	}
	if len(step.Changes) == 0 {
		return lab.NewPlan()
	}
	return lab.NewPlan(step)
}
