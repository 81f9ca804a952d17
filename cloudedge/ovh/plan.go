package ovh

import (
	"context"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// step is the name of the plan's only step, with which the IDs of its changes begin.
const step = "ovh"

// Plan compares the account with the spec and returns what must be done. It changes nothing. What cannot be planned is
// in the error, and the plan for the rest is returned beside it.
//
// Applying the plan reads the account again, makes what is both planned and still to be done, and notes what has become
// necessary meanwhile. An apply that was cut off is continued by the next plan.
func (a *Account) Plan(ctx context.Context, spec Spec) (*lab.Plan, error) {
	if err := append(a.Validate(), spec.Validate()...).Err(); err != nil {
		return nil, err
	}
	r := newRun(a, spec)
	defer r.close()
	return reconcile.Plan(ctx, reconcile.Options{Name: step, Parallel: a.parallel(), Prune: spec.Prune, MaxDeletes: spec.MaxDeletes,
		Before: func(context.Context) (func(context.Context) error, error) {
			r.reads.forget()
			r.made = &made{}
			return func(context.Context) error { r.close(); return nil }, nil
		}}, r.kinds()...)
}

// run is one plan and its apply.
type run struct {
	*client
	spec  Spec
	reads *reads
	made  *made

	readSpec sync.Once
	want     map[string]wantedRecord // see wantedRecords
	states   map[string]*zoneState   // of the wanted zones, as their records were listed

	current map[string]string   // identities of the clients whose secret is kept, by name, as the policies were listed
	unknown map[string][]string // actions of policies that OVH does not know
}

func newRun(a *Account, spec Spec) *run {
	return &run{client: a.client(), spec: spec, reads: &reads{}, made: &made{}}
}

// kinds are the collections, of which those that are named last are emptied first. Those of which nothing is wanted are
// left out, unless what is ours of them may have to be removed.
func (r *run) kinds() (all []reconcile.Kind) {
	s := &r.spec
	if len(s.Clients) > 0 || s.Prune {
		all = append(all, r.clients())
	}
	if len(s.Clients) > 0 {
		all = append(all, r.retirements())
	}
	if len(s.Policies) > 0 || s.Prune {
		all = append(all, r.policies())
	}
	if len(s.Zones) > 0 {
		all = append(all, r.recordSets(), r.refreshes())
	}
	if len(s.Delegations) > 0 {
		all = append(all, r.dsRecords(), r.delegations())
	}
	return all
}

// IDs returns the IDs of all changes that a plan may have to make what is wanted, each also without "ovh/".
func (s *Spec) IDs() []string { return reconcile.IDs(step, newRun(&Account{}, *s).kinds()...) }
