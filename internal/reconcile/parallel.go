package reconcile

import (
	"context"
	"errors"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// runAll makes the ops, as many at once as parallel allows, each after those of its After. What removes
// something is made last, one after the other, and only if everything else was made. As [Run] does, it
// skips what comes after an op that was not made, goes on with the others, and starts no other once
// ctx has ended or the server was lost.
func runAll(ctx context.Context, r *lab.Recorder, ops []Op[struct{}], parallel int) error {
	removes := func(op Op[struct{}]) bool { return op.Action == lab.Delete }
	var puts, deletes []Op[struct{}]
	for _, op := range ops {
		if removes(op) {
			deletes = append(deletes, op)
		} else {
			puts = append(puts, op)
		}
	}
	if err := runPuts(ctx, r, puts, parallel); err != nil {
		for _, op := range deletes {
			r.Skip(op.ID, notAll)
		}
		return err
	}
	return Run(ctx, r, struct{}{}, deletes)
}

func runPuts(ctx context.Context, r *lab.Recorder, ops []Op[struct{}], parallel int) error {
	type ending struct {
		id   string
		err  error
		lost bool
	}
	endings := make(chan ending)
	waits := map[string]bool{} // IDs of ops that have not ended
	for _, op := range ops {
		waits[op.ID] = true
	}
	missing := map[string]bool{} // IDs of ops that were not made
	var errs []error
	running, stopped := 0, false
	for waiting := ops; len(waiting) > 0 || running > 0; {
		var still []Op[struct{}]
		for _, op := range waiting {
			failed := slices.IndexFunc(op.After, func(id string) bool { return missing[id] })
			blocked := slices.ContainsFunc(op.After, func(id string) bool { return waits[id] })
			switch {
			case stopped || ctx.Err() != nil: // it is reported as not run
			case failed >= 0:
				missing[op.ID], waits[op.ID] = true, false
				r.Skip(op.ID, op.After[failed]+" was not done")
			case blocked || running >= parallel:
				still = append(still, op)
			default:
				running++
				go func() {
					r.Start(op.ID)
					err := op.Make(ctx, struct{}{})
					lost := err != nil && (ctx.Err() != nil || errors.Is(err, lab.ErrUnreachable))
					if !lost || lab.SafeToRetry(err) {
						r.Done(op.ID, err)
					}
					endings <- ending{op.ID, err, lost}
				}()
			}
		}
		waiting = still
		if running == 0 {
			continue
		}
		end := <-endings
		running--
		waits[end.id] = false
		if end.err != nil {
			missing[end.id] = true
			errs = append(errs, end.err)
		}
		stopped = stopped || end.lost
	}
	if ctx.Err() != nil {
		errs = append(errs, context.Cause(ctx))
	}
	return errors.Join(errs...)
}
