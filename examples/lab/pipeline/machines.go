package pipeline

import (
	"context"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Machines returns the Plan of a stage that plans machines, want saying what each should be, or why
// it must not be planned. A machine of which nothing is selected is not reached. Globs match the IDs of resources and of sets
// of them, by themselves, "file:*", and as plans have them, "host/pi1/file:*", see
// [host.Machine.Plan].
func Machines(f host.Fleet, want func(*host.Machine) (host.State, error)) Planner {
	return func(ctx context.Context, only *Selection) (*lab.Plan, error) {
		if len(f.Machines) == 0 {
			return nil, LeftOut("none of its machines is selected")
		}
		states, errs := map[*host.Machine]host.State{}, map[*host.Machine]error{}
		some := f
		some.Machines = nil
		for _, m := range f.Machines {
			states[m], errs[m] = want(m)
			unknown := errs[m] != nil && states[m] == nil // so that it cannot be said whether the run is about it
			if unknown || only.Reaches(Offered(m, states[m])...) {
				some.Machines = append(some.Machines, m)
			}
		}
		if len(some.Machines) == 0 {
			return nil, LeftOut("nothing of it is selected")
		}
		return some.Plan(ctx, func(m *host.Machine) (host.State, error) { return states[m], errs[m] }, only.Globs()...)
	}
}

// Offered returns the IDs of the resources of a machine, of sets and of their parts, by themselves
// and as plans have them.
func Offered(m *host.Machine, s host.State) (ids []string) {
	rest := slices.Clone(s)
	for len(rest) > 0 {
		r := rest[0]
		rest = rest[1:]
		ids = append(ids, r.ID(), "host/"+m.Name()+"/"+r.ID())
		if set, ok := r.(host.Set); ok {
			rest = append(rest, set.Resources()...)
		}
	}
	return ids
}
