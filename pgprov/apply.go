package pgprov

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// lockClass is the first half of the advisory locks of this package: "pgpr". The second half is of
// the database, so that two copies of the tool wait for each other where they would work on the
// same instance, and nowhere else.
const lockClass = 0x70677072

func lockOf(database string) string {
	h := fnv.New32a()
	h.Write([]byte(database))
	return fmt.Sprintf("%d, %d", lockClass, int32(h.Sum32()))
}

// tries is how often a transaction is begun at most. Somebody who does not know of our locks may get
// in its way.
const tries = 5

func (p *reconciler) applyShared(ctx context.Context, r *lab.Recorder, planned []lab.Change) error {
	s, err := p.connect(ctx, p.server.database())
	if err != nil {
		return err
	}
	defer s.close()
	return s.transact(ctx, r, planned, func(ctx context.Context) ([]op, error) {
		seen, err := s.observe(ctx, p.spec.scopeOfShared(), p.spec.AllowPG15)
		if err != nil {
			return nil, err
		}
		return p.spec.diffShared(seen)
	})
}

func (p *reconciler) applyInstance(ctx context.Context, r *lab.Recorder, i Instance, planned []lab.Change) error {
	if err := p.applyEarly(ctx, r, i, planned); err != nil {
		return err
	}
	s, err := p.connect(ctx, i.Database())
	if err != nil {
		return err
	}
	defer s.close()
	return s.transact(ctx, r, planned, func(ctx context.Context) ([]op, error) {
		seen, err := s.observe(ctx, p.spec.scopeOf(i), p.spec.AllowPG15)
		if err != nil {
			return nil, err
		}
		in, err := s.readInside(ctx, seen.server.Identity, len(i.Extensions) > 0)
		if err != nil {
			return nil, err
		}
		return p.spec.diffInstance(i, seen, in)
	})
}

// applyEarly makes the owner role and the database. CREATE DATABASE runs in no transaction; each of
// the two is there or is not, so that a run that was cut off between them is continued by the next.
func (p *reconciler) applyEarly(ctx context.Context, r *lab.Recorder, i Instance, planned []lab.Change) error {
	planned = slices.DeleteFunc(slices.Clone(planned), func(c lab.Change) bool { return !early(i.Instance, c) })
	if len(planned) == 0 {
		return nil
	}
	s, err := p.connect(ctx, p.server.database())
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.lock(ctx, r, i.Database(), "pg_advisory_lock"); err != nil {
		return err
	}
	found, err := p.findEarly(ctx, s, i)
	if err != nil {
		return err
	}
	todo := reconcile.Match(r, planned, found)
	for n, op := range todo {
		todo[n].Make = func(ctx context.Context, s *session) error { return p.makeEarly(ctx, s, i, op) }
	}
	return reconcile.Run(ctx, r, s, todo)
}

// findEarly returns what of the owner role and the database is still missing.
func (p *reconciler) findEarly(ctx context.Context, s *session, i Instance) ([]op, error) {
	seen, err := s.observe(ctx, p.spec.scopeOf(i), p.spec.AllowPG15)
	if err != nil {
		return nil, err
	}
	found, err := p.spec.diffInstance(i, seen, nil)
	return slices.DeleteFunc(found, func(o op) bool { return !early(i.Instance, o.Change) }), err
}

// makeEarly makes the owner role or the database. Somebody who does not know of our locks may make
// the same at the same time: then it is there.
func (p *reconciler) makeEarly(ctx context.Context, s *session, i Instance, o op) error {
	for try := 1; ; try++ {
		err := o.Make(ctx, s)
		if err == nil || !raced(err) || try == tries {
			return err
		}
		missing, err := p.findEarly(ctx, s, i)
		if err != nil || !slices.ContainsFunc(missing, func(m op) bool { return m.ID == o.ID }) {
			return err
		}
	}
}

// lock takes an advisory lock by the named function, and records that it waits when it has to. The
// server gives up after lock_timeout.
func (s *session) lock(ctx context.Context, r *lab.Recorder, database, function string) error {
	try := strings.Replace(function, "pg_", "pg_try_", 1)
	answers, err := s.query(ctx, "SELECT pg_catalog."+try+"("+lockOf(database)+")")
	if err != nil {
		return err
	}
	if len(answers) == 1 && len(answers[0]) == 1 && string(answers[0][0][0]) == "t" {
		return nil
	}
	r.Wait("another run that works on " + database)
	_, err = s.query(ctx, "SELECT pg_catalog."+function+"("+lockOf(database)+")")
	return err
}

// finder observes again and returns what is to be done now.
type finder func(context.Context) ([]op, error)

// transact makes the planned changes that are still to be done in one transaction, under the lock of
// the session's database.
func (s *session) transact(ctx context.Context, r *lab.Recorder, planned []lab.Change, find finder) error {
	for try := 1; ; try++ {
		err := s.attempt(ctx, r, planned, find, try == tries)
		if err == nil || !raced(err) || try == tries {
			return err
		}
		if err := s.exec(ctx, "ROLLBACK"); err != nil {
			return err
		}
	}
}

// attempt is one try of a transaction. An error that comes of a race is not recorded unless it is the
// last try.
func (s *session) attempt(ctx context.Context, r *lab.Recorder, planned []lab.Change, find finder, last bool) error {
	begin := "BEGIN"
	if s.version >= 170000 { // the owner of the database may have set it for his app; older servers refuse it
		begin += "; SET LOCAL transaction_timeout = 0"
	}
	if err := s.exec(ctx, begin); err != nil {
		return err
	}
	if err := s.lock(ctx, r, s.database, "pg_advisory_xact_lock"); err != nil {
		return err
	}
	found, err := find(ctx)
	if err != nil {
		return err
	}
	todo := reconcile.Match(r, planned, found)
	for _, op := range todo {
		r.Start(op.ID)
		if err := op.Make(ctx, s); err != nil {
			if raced(err) && !last {
				return err
			}
			r.Done(op.ID, err)
			for _, o := range todo { // the word about the one that failed stands
				r.Skip(o.ID, "rolled back, because "+op.ID+" failed")
			}
			return err
		}
	}
	if err := s.exec(ctx, "COMMIT"); err != nil {
		return err
	}
	for _, op := range todo {
		r.Done(op.ID, nil)
	}
	return nil
}
