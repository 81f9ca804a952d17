package gcs

import (
	"context"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// step is the name of the plan's only step, with which the IDs of its changes begin.
const step = "gcs"

// Plan compares the project with the spec and returns what must be done. It changes nothing. What cannot be planned is in the
// error, and the plan for the rest is returned beside it.
//
// Applying the plan reads the project again, makes what is both planned and still to be done, and notes what has become
// necessary meanwhile. An apply that was cut off is continued by the next plan.
func (p *Project) Plan(ctx context.Context, spec Spec) (*lab.Plan, error) {
	if err := append(p.Validate(), spec.Validate()...).Err(); err != nil {
		return nil, err
	}
	r := newRun(p, spec)
	defer r.close()
	return reconcile.Plan(ctx, reconcile.Options{Name: step, Parallel: p.parallel(), Prune: spec.Prune, MaxDeletes: spec.MaxDeletes,
		Before: func(context.Context) (func(context.Context) error, error) {
			r.reads.Forget()
			return func(context.Context) error { r.close(); return nil }, nil
		}}, r.kinds()...)
}

// run is one plan and its apply.
type run struct {
	*client
	spec  Spec
	reads *reconcile.Reads
}

func newRun(p *Project, spec Spec) *run {
	return &run{client: p.client(), spec: spec, reads: &reconcile.Reads{}}
}

// kinds are the collections, of which those that are named last are emptied first. Those of which nothing is wanted are left
// out, unless what is ours of them may have to be removed.
func (r *run) kinds() (all []reconcile.Kind) {
	s := &r.spec
	if len(s.Accounts) > 0 || s.Prune {
		all = append(all, r.accounts())
	}
	if len(s.Buckets) > 0 {
		all = append(all, r.buckets(), r.grants())
	}
	if len(r.wantedKeys()) > 0 || s.Prune {
		all = append(all, r.keys(), r.predecessors())
	}
	return all
}

// IDs returns the IDs of all changes that a plan may have to make what is wanted, each also without "gcs/".
func (s *Spec) IDs() []string { return reconcile.IDs(step, newRun(&Project{}, *s).kinds()...) }
