package host

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Fleet is a group of machines that are planned and changed together.
type Fleet struct {
	Machines []*Machine

	Parallel int // machines that are planned at once; 0 means 16

	// Serial is how many machines are changed at once: 1 changes one after the other. 0 means all of
	// them.
	Serial int

	// Gate is called after a machine has been changed, and must return nil before the next batch of
	// Serial machines starts; it may verify that the machine is healthy. It is not called for
	// machines without changes. Nil means no gate.
	Gate func(context.Context, *Machine) error

	// ContinueOnFailure starts the next batch even if a machine of an earlier one, or its gate,
	// failed. False stops there, so that a bad change does not break all machines.
	ContinueOnFailure bool
}

// Plan plans every machine, with want returning the desired state of each, and returns one plan for
// all of them. A machine that cannot be planned does not stop the others: the plan covers those
// that can, and the error, joined in the order of Machines, names the rest. The plan is nil only if
// no machine could be planned.
func (f Fleet) Plan(
	ctx context.Context, want func(*Machine) (State, error), globs ...string,
) (*lab.Plan, error) {
	plans, err := f.planEach(ctx, want, globs)
	steps, planned := f.steps(plans)
	if planned == 0 {
		return nil, err
	}
	p, invalid := lab.NewPlan(steps...)
	if invalid != nil {
		return nil, invalid
	}
	return p, err
}

// planEach returns the plans of the machines, nil for those that could not be planned, and the
// errors of these.
func (f Fleet) planEach(
	ctx context.Context, want func(*Machine) (State, error), globs []string,
) ([]*lab.Plan, error) {
	plans := make([]*lab.Plan, len(f.Machines))
	errs := make([]error, len(f.Machines))
	var g errgroup.Group
	g.SetLimit(16)
	if f.Parallel > 0 {
		g.SetLimit(f.Parallel)
	}
	for i, m := range f.Machines {
		g.Go(func() error {
			s, err := want(m)
			if err == nil {
				plans[i], err = m.Plan(ctx, s, globs...)
			}
			errs[i] = err
			return nil // one machine does not stop the others
		})
	}
	_ = g.Wait()
	return plans, errors.Join(errs...)
}

// steps returns the steps of the plans in batches of Serial machines, with their gates, and how many
// of the plans are not nil.
func (f Fleet) steps(plans []*lab.Plan) (steps []lab.Step, planned int) {
	var before, current []string // names of the last steps, or gates, of the previous and the current batch
	batch := 0                   // machines in the current batch
	for i, p := range plans {
		if p == nil {
			continue
		}
		planned++
		for _, s := range p.Steps() {
			if f.Serial > 0 && batch == f.Serial {
				before, current, batch = current, nil, 0
			}
			batch++
			if f.ContinueOnFailure {
				s.AfterAny = append(s.AfterAny, before...)
			} else {
				s.After = append(s.After, before...)
			}
			steps = append(steps, s)
			last := s.Name
			if f.Gate != nil {
				gate := f.gate(f.Machines[i], s.Name)
				steps, last = append(steps, gate), gate.Name
			}
			current = append(current, last)
		}
	}
	return steps, planned
}

// gate returns the step that calls the gate for a machine after another step.
func (f Fleet) gate(m *Machine, after string) lab.Step {
	return lab.Step{
		Name:  "gate/" + m.Name(),
		After: []string{after},
		Run:   func(ctx context.Context, _ *lab.Recorder) error { return f.Gate(ctx, m) },
	}
}

// Close closes the connections of all machines.
func (f Fleet) Close() error {
	var errs []error
	for _, m := range f.Machines {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
