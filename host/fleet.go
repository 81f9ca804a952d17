package host

import (
	"context"
	"errors"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Fleet is machines that are planned and changed together.
type Fleet struct {
	Machines []*Machine

	Parallel int // machines that are asked at once; 0 means 16

	// Serial is how many machines are changed at once: 1 changes one after the other. 0 means that they do not wait for each other.
	Serial int

	// Gate must return nil after a machine was changed before the next batch of Serial machines is begun: that the machine is healthy. It is
	// called for machines that were changed only. Nil means that the end of the changes is enough.
	Gate func(context.Context, *Machine) error

	// ContinueOnFailure lets the next batch begin though a machine of an earlier one failed, or its gate did. False stops there, so that what breaks one
	// machine does not break all.
	ContinueOnFailure bool
}

// Plan plans every machine, want saying what each should be, and returns one plan of all. Machines that could not be planned do not stop the
// others: the plan is of those that could, and the error, joined in the order of Machines, names the rest. The plan is nil only when no
// machine could be planned.
func (f Fleet) Plan(ctx context.Context, want func(*Machine) (State, error), globs ...string) (*lab.Plan, error) {
	plans := make([]*lab.Plan, len(f.Machines))
	errs := make([]error, len(f.Machines))
	parallel := f.Parallel
	if parallel <= 0 {
		parallel = 16
	}
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for i, m := range f.Machines {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			s, err := want(m)
			if err == nil {
				plans[i], err = m.Plan(ctx, s, globs...)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	var steps []lab.Step
	planned, batch := 0, 0
	var before, current []string // the gates, or steps, of the batch before, and of this one
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
				m := f.Machines[i]
				last = "gate/" + m.name()
				steps = append(steps, lab.Step{Name: last, After: []string{s.Name}, Run: func(ctx context.Context, _ *lab.Recorder) error { return f.Gate(ctx, m) }})
			}
			current = append(current, last)
		}
	}
	if planned == 0 {
		return nil, errors.Join(errs...)
	}
	p, err := lab.NewPlan(steps...)
	if err != nil {
		return nil, err
	}
	return p, errors.Join(errs...)
}

// Close closes the connections of all machines.
func (f Fleet) Close() error {
	var errs []error
	for _, m := range f.Machines {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
