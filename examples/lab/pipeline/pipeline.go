package pipeline

import (
	"context"
	"errors"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Stage is one part of the lab that is planned and applied as a whole.
type Stage struct {
	Name  string
	After []string // stages that must stand first; those that are not in the pipeline are taken to

	// Plan plans the part of the stage that the selection is about. A plan may be there beside an
	// error: of what could be reached. A [LeftOut] is no failure.
	Plan Planner
}

// Planner plans a stage, or the part of it that is selected.
type Planner = func(context.Context, *Selection) (*lab.Plan, error)

// LeftOut is the error of a stage that a run is not about. It says why: "its server is on none of
// the machines".
type LeftOut string

// Error returns the reason.
func (l LeftOut) Error() string { return "left out: " + string(l) }

// Pipeline is stages in the order in which they are built.
type Pipeline struct {
	Stages []Stage
	Only   []string // globs of IDs, see [lab.Globs]; empty means everything
}

// Result is what became of a stage.
type Result struct {
	Stage   string
	Plan    *lab.Plan   // nil when it could not be planned, or was not reached
	Report  *lab.Report // nil when nothing was applied
	Err     error       // of planning and applying it
	Waits   string      // the stage that it waits for; empty when it waits for none
	LeftOut string      // why the run is not about it; empty when it is
}

// Pending reports whether the stage is not known to be as wanted.
func (r Result) Pending() bool { return r.Err != nil || r.Waits != "" || !r.Plan.Empty() }

// planned notes what planning the stage gave.
func (r *Result) planned(plan *lab.Plan, err error) {
	r.Plan, r.Err = plan, err
	var left LeftOut
	if errors.As(err, &left) {
		r.Err, r.LeftOut = nil, string(left)
	}
}

// Plan plans every stage. A stage that cannot be planned because one that it comes after has
// changes to be made says that it waits for it. The error is that of all stages that failed, and of
// each glob that selects nothing, see [lab.Globs.Unmatched].
func (p Pipeline) Plan(ctx context.Context) ([]Result, error) {
	var results []Result
	selection := &Selection{globs: p.Only}
	pending := map[string]bool{}
	for _, s := range p.Stages {
		r := Result{Stage: s.Name}
		r.planned(s.Plan(ctx, selection))
		pending[s.Name] = r.Pending()
		for _, before := range s.After {
			if r.Err != nil && pending[before] {
				r.Waits, r.Err = before, nil
			}
		}
		results = append(results, r)
	}
	return results, selection.failure(results)
}

// Options say how stages are applied. The zero value is good.
type Options struct {
	Apply *lab.ApplyOptions // of each stage's plan

	// Planned is called with each stage's plan before it is applied; an error of it is that of the
	// stage, which is not applied. Nil lets all be applied.
	Planned func(stage string, p *lab.Plan) error

	Done func(Result) // called with each stage at its end; nil means nothing is
}

// Apply plans and applies the stages in order. A stage that fails takes those that come after it
// with it, and no others; they say which one they wait for. The error is as that of
// [Pipeline.Plan].
func (p Pipeline) Apply(ctx context.Context, o Options) ([]Result, error) {
	var results []Result
	selection := &Selection{globs: p.Only}
	failed := map[string]bool{}
	for _, s := range p.Stages {
		r := Result{Stage: s.Name}
		for _, before := range s.After {
			if failed[before] {
				r.Waits = before
			}
		}
		switch {
		case ctx.Err() != nil:
			r.Err = &lab.Error{Op: "apply stage", Target: s.Name, Hint: "run it again: it continues from here",
				Err: context.Cause(ctx)}
		case r.Waits == "":
			r.planned(s.Plan(ctx, selection))
			r.apply(ctx, o)
		}
		failed[s.Name] = r.Err != nil || r.Waits != ""
		if o.Done != nil {
			o.Done(r)
		}
		results = append(results, r)
	}
	return results, selection.failure(results)
}

// apply applies the stage's plan, if there is one.
func (r *Result) apply(ctx context.Context, o Options) {
	if r.Plan == nil {
		return
	}
	var err error
	if o.Planned != nil {
		err = o.Planned(r.Stage, r.Plan)
	}
	if err == nil && !r.Plan.Empty() {
		r.Report, err = r.Plan.Apply(ctx, o.Apply)
	}
	r.Err = errors.Join(r.Err, err)
}
