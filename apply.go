package lab

import (
	"context"
)

// ApplyOptions say how a plan is applied. Nil means the zero value.
type ApplyOptions struct {
	// Parallel is how many steps may run at the same time; 0 means 8.
	Parallel int

	// FailFast starts no further step after one has failed. Otherwise steps that do not depend on
	// the failed one still run.
	FailFast bool

	// Confirmed has a confirmation for each change with [RiskDataLoss].
	Confirmed []Confirmation

	// Events receives the progress. Calls do not overlap, and there is none after Apply has
	// returned. Nil means that progress is not reported.
	Events func(Event)
}

// Apply does exactly what the plan says. It runs the steps as a graph, each as soon as those it
// comes after have succeeded. It returns a report even if the error is not nil; the error is the
// report's [Report.Err].
//
// Every change with [RiskDataLoss] needs a [Confirmation]. If one is missing, nothing is done, and
// the error, an [ErrRefused], names all of these changes. When ctx ends, no further step is
// started, the running steps see it through their context, and the report says for each change
// whether it was made.
func (p *Plan) Apply(ctx context.Context, o *ApplyOptions) (*Report, error) {
	if o == nil {
		o = &ApplyOptions{}
	}
	if p == nil {
		p = &Plan{}
	}
	e := newExecution(p, o)
	if err := e.unconfirmed(); err != nil {
		e.stopped = "the plan was refused"
		r := e.report()
		r.errs = []error{err}
		return r, r.Err()
	}
	e.send(Event{Kind: EventBegin, Total: int64(len(e.results)), Unit: "changes"})
	e.run(ctx)
	e.eventMu.Lock()
	e.returned = true
	e.eventMu.Unlock()
	r := e.report()
	return r, r.Err()
}
