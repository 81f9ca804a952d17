package pgprov

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// lockClass is the first half of the advisory locks of this package: "pgpr". The second half is of the database, so that two copies of the tool
// wait for each other where they would work on the same instance, and nowhere else.
const lockClass = 0x70677072

func lockOf(database string) string {
	h := fnv.New32a()
	h.Write([]byte(database))
	return fmt.Sprintf("%d, %d", lockClass, int32(h.Sum32()))
}

// tries is how often a transaction is begun that somebody else, who does not know of our locks, got in the way of.
const tries = 5

func (p *reconciler) applyShared(ctx context.Context, r *lab.Recorder, planned []lab.Change) error {
	s, err := p.connect(ctx, p.server.database())
	if err != nil {
		return err
	}
	defer s.close()
	return s.transact(ctx, r, planned, func(ctx context.Context) ([]op, error) {
		seen, err := s.readServer(ctx, p.spec.scopeOfShared())
		if err != nil {
			return nil, err
		}
		if err := p.check(seen, p.spec.AllowPG15); err != nil {
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
		seen, err := s.readServer(ctx, p.spec.scopeOf(i))
		if err != nil {
			return nil, err
		}
		if err := p.check(seen, p.spec.AllowPG15); err != nil {
			return nil, err
		}
		in, err := s.readInside(ctx, seen.server.Identity, len(i.Extensions) > 0)
		if err != nil {
			return nil, err
		}
		return p.spec.diffInstance(i, seen, in)
	})
}

// applyEarly makes the owner role and the database. CREATE DATABASE runs in no transaction; each of the two is there or is not, so that a run that was cut
// off between them is continued by the next.
func (p *reconciler) applyEarly(ctx context.Context, r *lab.Recorder, i Instance, planned []lab.Change) error {
	early := []string{stepOf(i.Instance) + "/role:" + i.OwnerRole(), stepOf(i.Instance) + "/database:" + i.Database()}
	wanted := planned[:0:0]
	for _, c := range planned {
		if c.Action == lab.Create && slices.Contains(early, c.ID) {
			wanted = append(wanted, c)
		}
	}
	if len(wanted) == 0 {
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
	for try := 1; ; try++ {
		seen, err := s.readServer(ctx, p.spec.scopeOf(i))
		if err != nil {
			return err
		}
		if err := p.check(seen, p.spec.AllowPG15); err != nil {
			return err
		}
		ops, err := p.spec.diffInstance(i, seen, nil)
		if err != nil {
			return err
		}
		err = s.makeEarly(ctx, r, ops, wanted)
		if err == nil || !raced(err) || try == tries {
			return err
		}
	}
}

func (s *session) makeEarly(ctx context.Context, r *lab.Recorder, ops []op, wanted []lab.Change) error {
	for _, c := range wanted {
		if n := slices.IndexFunc(ops, func(o op) bool { return o.early && o.ID == c.ID }); n >= 0 {
			r.Start(c.ID)
			if err := s.exec(ctx, ops[n].stmts[0]); err != nil {
				if !raced(err) && !errors.Is(err, lab.ErrUnreachable) && ctx.Err() == nil {
					r.Done(c.ID, err)
				}
				return err
			}
		}
		r.Done(c.ID, nil)
	}
	return nil
}

// lock takes an advisory lock by the function named, and says so when it has to wait for it. The server gives up after lock_timeout.
func (s *session) lock(ctx context.Context, r *lab.Recorder, database, function string) error {
	answers, err := s.query(ctx, "SELECT pg_catalog."+strings.Replace(function, "pg_", "pg_try_", 1)+"("+lockOf(database)+")")
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

// transact makes the planned changes in one transaction, under the lock of the session's database: those that look, which reads the world, still
// finds to be made. What look finds beyond is left to the next plan.
func (s *session) transact(ctx context.Context, r *lab.Recorder, planned []lab.Change, look func(context.Context) ([]op, error)) error {
	for try := 1; ; try++ {
		err := s.attempt(ctx, r, planned, look, try == tries)
		if err == nil {
			for _, c := range planned {
				r.Done(c.ID, nil)
			}
			return nil
		}
		if !raced(err) || try == tries {
			return err
		}
		if err := s.exec(ctx, "ROLLBACK"); err != nil {
			return err
		}
	}
}

func (s *session) attempt(ctx context.Context, r *lab.Recorder, planned []lab.Change, look func(context.Context) ([]op, error), last bool) error {
	begin := "BEGIN"
	if s.version >= 170000 { // the owner may have set it for what his app does; older servers refuse a parameter that they do not know
		begin += "; SET LOCAL transaction_timeout = 0"
	}
	if err := s.exec(ctx, begin); err != nil {
		return err
	}
	if err := s.lock(ctx, r, s.database, "pg_advisory_xact_lock"); err != nil {
		return err
	}
	ops, err := look(ctx)
	if err != nil {
		return err
	}
	var todo []op
	for _, op := range ops {
		if slices.ContainsFunc(planned, func(c lab.Change) bool { return c.ID == op.ID }) {
			todo = append(todo, op)
		} else {
			r.Note(op.ID + " has drifted since the plan was made: plan again")
		}
	}
	for _, op := range todo {
		r.Start(op.ID)
		if _, err := s.query(ctx, op.stmts...); err != nil {
			if raced(err) && !last {
				return err
			}
			r.Done(op.ID, err)
			for _, o := range planned {
				if o.ID != op.ID {
					r.Skip(o.ID, "rolled back, because "+op.ID+" failed") // what was made before the transaction keeps its end
				}
			}
			return err
		}
	}
	return s.exec(ctx, "COMMIT")
}
