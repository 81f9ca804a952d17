// Package reconcile is what the layers over an API do alike. A layer's comparison of what is wanted
// with what is observed yields ops; its plan holds their changes:
//
//	planned := reconcile.Changes(found)
//
// When the plan is applied, the layer observes and compares again, and what is left of the plan is
// made, one op after the other:
//
//	err := reconcile.Run(ctx, r, session, reconcile.Match(r, planned, found))
package reconcile

import (
	"context"
	"errors"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Op is one change with what makes it. T is what it is made through, a session or a client: the
// comparison that says what is to be done does without one.
type Op[T any] struct {
	lab.Change

	// Make makes the change, which may have been made already by a run that lost the answer. Its
	// error is a [lab.ErrUnreachable] where it is not known whether the change was made.
	Make func(context.Context, T) error

	// Ops of one group that are ready are made together by the batch of any of them, which gets their items.
	// An empty group means that Make makes it.
	group string
	item  any
	most  int // how many of them, 0 means any number
	batch func(ctx context.Context, items []any) error
}

// Changes returns the changes of the ops, for a step of a plan.
func Changes[T any](ops []Op[T]) []lab.Change {
	changes := make([]lab.Change, len(ops))
	for n, op := range ops {
		changes[n] = op.Change
	}
	return changes
}

// Match compares what was planned with what is found to be done when the plan is applied, by ID,
// and returns the ops that are both, as they are found. What was planned and needs no making any
// more is recorded as done. What is found and was not planned is noted, and left to the next plan.
func Match[T any](r *lab.Recorder, planned []lab.Change, found []Op[T]) []Op[T] {
	var todo []Op[T]
	for _, op := range found {
		if slices.ContainsFunc(planned, func(c lab.Change) bool { return c.ID == op.ID }) {
			todo = append(todo, op)
		} else {
			r.Note(op.ID + " has become necessary since the plan was made: plan again")
		}
	}
	for _, c := range planned {
		if !slices.ContainsFunc(todo, func(op Op[T]) bool { return op.ID == c.ID }) {
			r.Done(c.ID, nil)
		}
	}
	return todo
}

// Run makes the ops one after the other, each by itself, and records them. What comes after one
// that was not made is skipped; the others go on. It stops where nothing can be made any more: when
// ctx has ended, or when the server was lost, which leaves unknown whether the op was made. The
// error joins those of all ops.
func Run[T any](ctx context.Context, r *lab.Recorder, through T, ops []Op[T]) error {
	var errs []error
	missing := map[string]bool{} // IDs of ops that were not made
	for _, op := range ops {
		if ctx.Err() != nil {
			return errors.Join(append(errs, context.Cause(ctx))...)
		}
		if n := slices.IndexFunc(op.After, func(id string) bool { return missing[id] }); n >= 0 {
			missing[op.ID] = true
			r.Skip(op.ID, op.After[n]+" was not done")
			continue
		}
		r.Start(op.ID)
		err := op.Make(ctx, through)
		lost := err != nil && (ctx.Err() != nil || errors.Is(err, lab.ErrUnreachable))
		if !lost || lab.SafeToRetry(err) {
			r.Done(op.ID, err)
		}
		if err != nil {
			missing[op.ID] = true
			errs = append(errs, err)
		}
		if lost {
			break
		}
	}
	return errors.Join(errs...)
}
