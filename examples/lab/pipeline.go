package main

import (
	"context"
	"errors"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Stage is one part of the lab that is planned and applied as a whole.
type Stage struct {
	Name  string
	After []string // stages that must stand first
	Plan  func(context.Context) (*lab.Plan, error)
}

// Pipeline is stages in the order in which they are built.
type Pipeline []Stage

// StageResult is what became of a stage.
type StageResult struct {
	Stage  string
	Plan   *lab.Plan   // nil when it could not be planned, or was not reached
	Report *lab.Report // nil when nothing was applied
	Err    error
	Waits  string // the stage that it waits for; empty when it waits for none
}

// Plan plans every stage. A stage that cannot be planned because one it comes after is not there yet says that it waits for it.
func (p Pipeline) Plan(ctx context.Context) []StageResult {
	var results []StageResult
	pending := map[string]bool{}
	for _, s := range p {
		plan, err := s.Plan(ctx)
		r := StageResult{Stage: s.Name, Plan: plan, Err: err}
		for _, before := range s.After {
			if err != nil && pending[before] {
				r.Waits, r.Err = before, nil
			}
		}
		pending[s.Name] = err != nil || !plan.Empty()
		results = append(results, r)
	}
	return results
}

// Apply plans and applies the stages in order. It calls each between the two; an error of it ends the run. A stage that fails takes those that
// come after it with it, and no others.
func (p Pipeline) Apply(ctx context.Context, o *lab.ApplyOptions, each func(string, *lab.Plan) error, done func(StageResult)) []StageResult {
	var results []StageResult
	failed := map[string]bool{}
	for _, s := range p {
		r := StageResult{Stage: s.Name}
		for _, before := range s.After {
			if failed[before] {
				r.Waits = before
			}
		}
		switch {
		case ctx.Err() != nil:
			r.Err = &lab.Error{Op: "apply stage", Target: s.Name, Hint: "run it again: it goes on from here", Err: context.Cause(ctx)}
		case r.Waits == "":
			// a plan may be there beside an error: of the machines that could be reached
			if r.Plan, r.Err = s.Plan(ctx); r.Plan != nil {
				err := each(s.Name, r.Plan)
				if err == nil && !r.Plan.Empty() {
					r.Report, err = r.Plan.Apply(ctx, o)
				}
				r.Err = errors.Join(r.Err, err)
			}
		}
		failed[s.Name] = r.Err != nil || r.Waits != ""
		done(r)
		results = append(results, r)
	}
	return results
}

// failure joins what failed, in the order of the stages. That a stage waits is no failure of its own: the one that it waits for failed, or has
// changes to be made.
func failure(results []StageResult) error {
	var errs []error
	for _, r := range results {
		errs = append(errs, r.Err)
	}
	return errors.Join(errs...)
}
