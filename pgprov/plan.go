package pgprov

import (
	"context"
	"errors"
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
	"golang.org/x/sync/errgroup"
)

// Plan reads the server and returns what must be done so that it holds what spec says. It writes
// nothing. It reads the cluster over one connection, in one round trip, then each database that
// exists over one of its own, in one round trip, no more than [Server.MaxConns] at once.
//
// What cannot be repaired, such as a database in another encoding, is an error; all such are
// returned at once. Where it is one of an instance alone, such as a database that cannot be read,
// the plan for the others is returned beside it, so that no app stops all; with any other error
// there is no plan. The errors wrap [lab.ErrInvalid] (the spec or the server's fields),
// [lab.ErrUnreachable], [lab.ErrUnauthorized] (login, or no superuser), [lab.ErrRefused] (the
// identity, PostgreSQL 15, or a user that gets beyond its app), [lab.ErrBlocked] (a standby, no
// connection left) and [lab.ErrConflict].
//
// Apply may be called from several copies of the tool at once. It does exactly what was planned:
// under the lock of each database it observes again, leaves out what has been done meanwhile,
// and notes what has drifted since and is not in the plan. A database that it has just made itself is
// looked at once, when its content is made. What the server made is read back before
// the transaction is committed: what default privileges or event triggers made otherwise is put
// right, or rolled back with an error.
func (s *Server) Plan(ctx context.Context, spec Spec) (*lab.Plan, error) {
	p, err := s.provision(spec)
	if err != nil {
		return nil, err
	}
	seen, unread, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	return p.plan(seen, unread)
}

// reconciler is one plan and its apply.
type reconciler struct {
	*client
	spec Spec
}

func (s *Server) provision(spec Spec) (*reconciler, error) {
	ps := append(s.validate(), spec.validate()...)
	for _, shared := range []string{spec.editor(), spec.pooler()} {
		if shared == s.user() {
			ps.Add("user", "%q is a shared role, which this would make no superuser", shared)
		}
	}
	for n, i := range spec.Instances {
		if i.Database() == s.database() {
			ps.Add(fmt.Sprintf("instances[%d]", n), "its database %q is the one to connect to first", i.Database())
		}
		if i.OwnerRole() == s.user() {
			ps.Add(fmt.Sprintf("instances[%d]", n), "its owner role %q is who logs in", i.OwnerRole())
		}
	}
	if err := s.invalid(ps); err != nil {
		return nil, err
	}
	return &reconciler{client: s.client(), spec: spec}, nil
}

// read reads everything. unread are the errors of databases that could not be read, by instance.
func (p *reconciler) read(ctx context.Context) (seen *observed, unread []error, err error) {
	seen, err = p.readCluster(ctx)
	if err != nil {
		return nil, nil, err
	}
	insides := make([]*inside, len(p.spec.Instances))
	errs := make([]error, len(p.spec.Instances))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(cap(p.slots))
	for n, i := range p.spec.Instances {
		if d, ok := seen.databases[i.Database()]; !ok || !d.AllowConnections || d.ConnectionLimit == -2 {
			continue
		}
		g.Go(func() error {
			insides[n], errs[n] = p.readDatabase(gctx, i, seen.server.Identity)
			if errors.Is(errs[n], lab.ErrUnreachable) {
				return errs[n] // the others would wait for the same
			}
			return nil
		})
	}
	lost := g.Wait()
	if ctx.Err() != nil {
		lost = context.Cause(ctx)
	}
	if lost != nil {
		return nil, nil, lost
	}
	for n, i := range p.spec.Instances {
		seen.inside[i.Database()] = insides[n]
	}
	return seen, errs, nil
}

func (p *reconciler) readCluster(ctx context.Context) (*observed, error) {
	s, err := p.connect(ctx, p.server.database())
	if err != nil {
		return nil, err
	}
	defer s.close()
	seen, err := s.observe(ctx, p.spec.scope(), p.spec.AllowPG15)
	if err != nil {
		return nil, err
	}
	if seen.server.Version < 160000 {
		p.server.log().Warn("PostgreSQL 15 is accepted: whoever holds the editor's password can join any role "+
			"but a superuser, run programs on the machine and change passwords", "server", p.server.target())
	}
	p.limit(room(seen.room) + 1)
	return seen, nil
}

func (p *reconciler) readDatabase(ctx context.Context, i Instance, identity string) (*inside, error) {
	s, err := p.connect(ctx, i.Database())
	if err != nil {
		return nil, err
	}
	defer s.close()
	return s.readInside(ctx, identity, len(i.Extensions) > 0)
}

// plan is the pure part: from what was read to what must be done.
func (p *reconciler) plan(seen *observed, unread []error) (*lab.Plan, error) {
	var errs []error
	var steps []lab.Step
	shared, err := p.spec.diffShared(seen)
	if err != nil {
		return nil, err
	}
	errs = append(errs, p.spec.refusedUsers(seen))
	var after []string
	if len(shared) > 0 {
		planned := reconcile.Changes(shared)
		run := func(ctx context.Context, r *lab.Recorder) error { return p.applyShared(ctx, r, planned) }
		steps = append(steps, lab.Step{Name: stepShared, Changes: planned, Run: run})
		after = []string{stepShared}
	}
	for n, i := range p.spec.Instances {
		if unread[n] != nil {
			errs = append(errs, unread[n])
			continue
		}
		in := seen.inside[i.Database()]
		ops, err := p.spec.diffInstance(i, seen, in)
		if in != nil {
			p.warn(i, seen, in)
		}
		if err != nil || len(ops) == 0 {
			errs = append(errs, err)
			continue
		}
		planned := reconcile.Changes(ops)
		run := func(ctx context.Context, r *lab.Recorder) error { return p.applyInstance(ctx, r, i, planned, ops) }
		steps = append(steps, lab.Step{Name: stepOf(i.Instance), After: after, Changes: planned, Run: run})
	}
	plan, err := lab.NewPlan(steps...)
	return plan, errors.Join(append(errs, err)...)
}

// warn reports an old function that is left where it is, and what is not the app's.
func (p *reconciler) warn(i Instance, seen *observed, in *inside) {
	if others := p.spec.others(i, seen); others != "" {
		p.server.log().Warn(others, "database", i.Database())
	}
	for _, fn := range in.functions {
		if _, superuser := seen.superusers[fn.owner]; fn.Identity == oldFunction && superuser && !p.spec.DropOldLookup {
			p.server.log().Warn("the old user_lookup is still there: the app can replace it, and it may let expired "+
				"users in; let PgBouncer ask "+lookupFunction+", then drop it with DropOldLookup",
				"database", i.Database(), "function", fn.Identity)
		}
	}
}
