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
	if err := runBatches(ctx, r, puts, parallel); err != nil {
		for _, op := range deletes {
			r.Skip(op.ID, notAll)
		}
		return err
	}
	return runBatches(ctx, r, deletes, 1)
}

// runBatches makes the ops, those of one group that are ready together as one.
func runBatches(ctx context.Context, r *lab.Recorder, ops []Op[struct{}], parallel int) error {
	type ending struct {
		ops  []Op[struct{}]
		err  error
		lost bool
	}
	endings := make(chan ending)
	waits := map[string]bool{} // IDs of ops that have not ended
	for _, op := range ops {
		waits[op.ID] = true
	}
	missing := map[string]bool{} // IDs of ops that were not made
	busy := map[string]bool{}    // groups of which a batch is being made
	var errs []error
	running, stopped := 0, false
	for waiting := ops; len(waiting) > 0 || running > 0; {
		var still []Op[struct{}]
		var ready [][]Op[struct{}]
		at := map[string]int{} // where in ready a group is
		for _, op := range waiting {
			failed := slices.IndexFunc(op.After, func(id string) bool { return missing[id] })
			blocked := slices.ContainsFunc(op.After, func(id string) bool { return waits[id] })
			switch {
			case stopped || ctx.Err() != nil: // it is reported as not run
			case failed >= 0:
				missing[op.ID], waits[op.ID] = true, false
				r.Skip(op.ID, op.After[failed]+" was not done")
			case blocked || busy[op.group]:
				still = append(still, op)
			default:
				n, begun := at[op.group]
				switch {
				case begun && op.group != "" && op.most > 0 && len(ready[n]) == op.most:
					still = append(still, op)
				case begun && op.group != "":
					ready[n] = append(ready[n], op)
				case running+len(ready) < parallel:
					at[op.group] = len(ready)
					ready = append(ready, []Op[struct{}]{op})
				default:
					still = append(still, op)
				}
			}
		}
		for _, together := range ready {
			running++
			busy[together[0].group] = together[0].group != ""
			go func() {
				lost, err := makeBatch(ctx, r, together)
				endings <- ending{together, err, lost}
			}()
		}
		waiting = still
		if running == 0 {
			continue
		}
		end := <-endings
		running--
		busy[end.ops[0].group] = false
		for _, op := range end.ops {
			waits[op.ID] = false
			missing[op.ID] = end.err != nil
		}
		if end.err != nil {
			errs = append(errs, end.err)
		}
		stopped = stopped || end.lost
	}
	if ctx.Err() != nil {
		errs = append(errs, context.Cause(ctx))
	}
	return errors.Join(errs...)
}

// makeBatch makes ops of one group together, or one op without a group, and records them. lost says that the server
// was lost.
func makeBatch(ctx context.Context, r *lab.Recorder, ops []Op[struct{}]) (lost bool, err error) {
	var items []any
	for _, op := range ops {
		r.Start(op.ID)
		items = append(items, op.item)
	}
	if ops[0].group == "" {
		err = ops[0].Make(ctx, struct{}{})
	} else {
		err = ops[0].batch(ctx, items)
	}
	lost = err != nil && (ctx.Err() != nil || errors.Is(err, lab.ErrUnreachable))
	if !lost || lab.SafeToRetry(err) {
		for _, op := range ops {
			r.Done(op.ID, err)
		}
	}
	return lost, err
}
