package vaultprov

import (
	"cmp"
	"context"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// planner is one plan and its apply.
type planner struct {
	client  *client
	spec    Spec
	cluster string // the ID of the one that was read

	users sync.Map // a role that was removed, and whose users could not be, by the mount of its engine

	changing sync.RWMutex // is held while a change is made, and by one that is made alone exclusively
}

func (s *Server) parallel() int { return cmp.Or(s.Parallel, defaultParallel) }

// Plan reads what the Vault has of what is wanted, and returns what must be done so that it holds what spec says. It
// writes nothing.
//
// Where something cannot become what is wanted, such as a mount that is there with another type, or something cannot
// be read, the plan for everything else is returned beside the error; then nothing is removed. The errors wrap
// [lab.ErrInvalid] (the spec or the server's fields), [lab.ErrUnreachable], [lab.ErrUnauthorized],
// [lab.ErrBlocked] (it is sealed, or not the active server), [lab.ErrRefused] (another cluster, or more to
// remove than may be) and [lab.ErrConflict].
//
// Applying the plan proves that the cluster is the one that was read, reads again, and makes what is both
// planned and still to be done, as many changes at once as [Server.Parallel] says; what has become necessary
// meanwhile is noted.
func (s *Server) Plan(ctx context.Context, spec Spec) (*lab.Plan, error) {
	ps := spec.Validate()
	if s.Token == nil {
		ps = append(ps, lab.Problem{Path: "token", Message: "empty: without one nothing can be read",
			Hint: "name a token", Set: lab.Setting{Name: SettingToken}})
	}
	if err := s.invalid("plan", ps); err != nil {
		return nil, err
	}
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	defer c.close()
	p := &planner{client: c, spec: spec}
	if p.cluster, err = c.prove(ctx, ""); err != nil {
		return nil, err
	}
	before := func(ctx context.Context) (func(context.Context) error, error) {
		_, err := c.prove(ctx, p.cluster)
		return func(context.Context) error { c.close(); return nil }, err
	}
	return reconcile.Plan(ctx, reconcile.Options{Name: planStep, Parallel: s.parallel(), Prune: spec.Prune,
		MaxDeletes: spec.MaxDeletes, Before: before}, p.kinds()...)
}

// kinds are all collections, in the order in which they stand on each other: what is removed is removed the other way
// round.
func (p *planner) kinds() []reconcile.Kind {
	kinds := []reconcile.Kind{}
	for _, k := range []kind{p.audits(), p.mounts(), p.auths(), p.authConfigs(), p.policies(), p.kubernetesRoles(),
		p.jwtRoles(), p.appRoles(), p.connections(), p.databaseRoles(), p.transitKeys()} {
		if len(k.want) > 0 || k.prunes && p.spec.Prune {
			kinds = append(kinds, p.collection(k))
		}
	}
	if len(p.spec.Entries) > 0 {
		kinds = append(kinds, p.entries())
	}
	return kinds
}

// planStep is the name of the plan's only step, with which the IDs of its changes begin.
const planStep = "vault"

// IDs returns the IDs of all changes that a plan may have to make what is wanted, each also without "vault/".
func (s Spec) IDs() []string { return reconcile.IDs(planStep, (&planner{spec: s}).kinds()...) }
