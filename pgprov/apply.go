package pgprov

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// lockClass is the first half of the advisory locks of this package: "pgpr". The second half is of
// the database, so that two copies of the tool wait for each other where they would work on the
// same instance, and nowhere else.
const lockClass = 0x70677072

func lockOf(database string) string {
	return fmt.Sprintf("%d, %d", lockClass, int32(lockNumber(database)))
}

func lockNumber(database string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(database))
	return h.Sum32()
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
	return s.transact(ctx, r, planned, finder{
		want: func(s *session, rd *reading) func() ([]op, error) {
			seen, check := s.wantServer(rd, p.spec.scopeOfShared())
			return func() ([]op, error) {
				if err := errors.Join(check(), p.client.validate(seen, p.spec.AllowPG15)); err != nil {
					return nil, err
				}
				return p.spec.diffShared(seen)
			}
		}}, nil)
}

// applyInstance makes what was planned of an instance. In a database that was made just now nobody can
// have done anything: what is in it is looked at once, before the transaction is committed.
func (p *reconciler) applyInstance(ctx context.Context, r *lab.Recorder, i Instance, planned []lab.Change, ops []op) error {
	defer p.maintenance.use()()
	made, err := p.applyEarly(ctx, r, i, planned)
	if err != nil {
		return err
	}
	var fresh []op
	if made {
		fresh = slices.DeleteFunc(slices.Clone(ops), func(o op) bool { return early(i.Instance, o.Change) })
	}
	s, err := p.connect(ctx, i.Database())
	if err != nil {
		return err
	}
	defer s.close()
	return s.transact(ctx, r, planned, finder{
		want: func(s *session, rd *reading) func() ([]op, error) {
			seen, check := s.wantServer(rd, p.spec.scopeOf(i))
			in, checkInside := s.wantInside(rd, len(i.Extensions) > 0)
			return func() ([]op, error) {
				if err := errors.Join(check(), p.client.validate(seen, p.spec.AllowPG15)); err != nil {
					return nil, err
				}
				if err := checkInside(seen.server.Identity); err != nil {
					return nil, err
				}
				return p.spec.diffInstance(i, seen, in)
			}
		}}, fresh)
}

// applyEarly makes the owner role and the database, and reports whether it made the database. CREATE
// DATABASE runs in no transaction; each of the two is there or is not, so that a run that was cut off
// between them is continued by the next.
func (p *reconciler) applyEarly(
	ctx context.Context, r *lab.Recorder, i Instance, planned []lab.Change,
) (made bool, err error) {
	planned = slices.DeleteFunc(slices.Clone(planned), func(c lab.Change) bool { return !early(i.Instance, c) })
	if len(planned) == 0 {
		return false, nil
	}
	s, err := p.maintenance.session(ctx, p.client)
	if err != nil {
		return false, err
	}
	defer func() { err = p.maintenance.leave(ctx, s, err) }()
	find := p.findEarly(i)
	found, err := s.lockAndFind(ctx, r, i.Database(), sessionLock, find)
	if err != nil {
		return false, err
	}
	todo := reconcile.Match(r, planned, found)
	for n, op := range todo {
		made = made || op.ID == databaseID(i.Instance)
		todo[n].Make = func(ctx context.Context, s *session) error { return makeEarly(ctx, s, find, op) }
	}
	err = reconcile.Run(ctx, r, s, todo)
	return made && err == nil, err
}

// findEarly returns what finds out what of the owner role and the database is still missing.
func (p *reconciler) findEarly(i Instance) finder {
	i.Connect, i.Extensions = nil, nil // which come later
	return finder{want: func(s *session, rd *reading) func() ([]op, error) {
		seen, check := s.wantServer(rd, p.spec.scopeOfEarly(i))
		return func() ([]op, error) {
			if err := errors.Join(check(), p.client.validate(seen, p.spec.AllowPG15)); err != nil {
				return nil, err
			}
			found, err := p.spec.diffInstance(i, seen, nil)
			return slices.DeleteFunc(found, func(o op) bool { return !early(i.Instance, o.Change) }), err
		}
	}}
}

// makeEarly makes the owner role or the database. Somebody who does not know of our locks may make
// the same at the same time: then it is there.
func makeEarly(ctx context.Context, s *session, find finder, o op) error {
	for try := 1; ; try++ {
		err := o.Make(ctx, s)
		if err == nil || !raced(err) || try == tries {
			return err
		}
		missing, err := s.find(ctx, find)
		if err != nil || !slices.ContainsFunc(missing, func(m op) bool { return m.ID == o.ID }) {
			return err
		}
	}
}

// finder observes, and returns what is to be done now.
type finder struct {
	// want asks for what it needs, and returns what compares it when it was read.
	want func(*session, *reading) func() ([]op, error)

	known []op // what a look would find if nobody else works on it; nil when that has to be looked at
}

func (s *session) find(ctx context.Context, f finder) ([]op, error) {
	rd := &reading{}
	compare := f.want(s, rd)
	if len(rd.queries) > 0 {
		if err := s.read(ctx, rd); err != nil {
			return nil, err
		}
	}
	return compare()
}

// The kinds of advisory lock: one that ends with the session, and one that ends with the transaction.
const (
	sessionLock     = "advisory_lock"
	transactionLock = "advisory_xact_lock"
)

// lockAndFind runs the statements first, takes the advisory lock of a database and finds what is to be
// done, all of it in one round trip where the lock is free. It records that it waits where it is
// not; the server gives up after lock_timeout. Whoever can connect can take such a lock, so that one
// held by nobody who could be a run of ours is not waited for.
func (s *session) lockAndFind(
	ctx context.Context, r *lab.Recorder, database, kind string, f finder, first ...string,
) ([]op, error) {
	rd := &reading{}
	nothing := func([][][]byte) error { return nil }
	for _, sql := range first {
		rd.queries, rd.take = append(rd.queries, query{sql, nil}), append(rd.take, nothing)
	}
	free := false
	rd.queries = append(rd.queries, query{"SELECT pg_catalog.pg_try_" + kind + "(" + lockOf(database) + ")", nil})
	rd.take = append(rd.take, func(answer [][][]byte) error {
		free = len(answer) == 1 && string(answer[0][0]) == "t"
		return nil
	})
	compare := func() ([]op, error) { return f.known, nil }
	if f.known == nil {
		compare = f.want(s, rd)
	}
	if err := s.read(ctx, rd); err != nil {
		return nil, err
	}
	if free {
		return compare()
	}
	holder, ours, err := s.lockHolder(ctx, database)
	if err != nil {
		return nil, err
	}
	if !ours {
		r.Note(fmt.Sprintf("the lock of %s is held by %s, who is no superuser: it is not waited for", database, holder))
		return s.find(ctx, f)
	}
	r.Wait("another run that works on " + database + holder)
	if err := s.exec(ctx, "SELECT pg_catalog.pg_"+kind+"("+lockOf(database)+")"); err != nil {
		return nil, err
	}
	return s.find(ctx, f)
}

// lockHolder says who holds the advisory lock of a database, and whether that can be a run like this
// one: a superuser's, or one that has ended meanwhile.
func (s *session) lockHolder(ctx context.Context, database string) (holder string, ours bool, err error) {
	ours = true
	rd := &reading{}
	numbers := []string{fmt.Sprint(lockClass), fmt.Sprint(lockNumber(database))}
	want(rd, query{catalog.LockHoldersQuery, [][]string{numbers}}, func(h catalog.LockHolder) {
		if ours = h.Superuser; ours {
			holder = fmt.Sprintf(": %q (%s), connected since %s", h.User, h.Application, h.Since)
		} else {
			holder = ident(h.User)
		}
	})
	return holder, ours, s.read(ctx, rd)
}

// lock takes the advisory lock of a database for the session.
func (s *session) lock(ctx context.Context, r *lab.Recorder, database string) error {
	_, err := s.lockAndFind(ctx, r, database, sessionLock, finder{
		want: func(*session, *reading) func() ([]op, error) { return func() ([]op, error) { return nil, nil } }})
	return err
}

// transact makes the planned changes that are still to be done in one transaction, under the lock of
// the session's database. fresh are what is to be done first, if that is known without a look.
func (s *session) transact(ctx context.Context, r *lab.Recorder, planned []lab.Change, f finder, fresh []op) error {
	for try := 1; ; try++ {
		known := fresh
		if try > 1 {
			known = nil
		}
		err := s.attempt(ctx, r, planned, f, known, try == tries)
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
func (s *session) attempt(
	ctx context.Context, r *lab.Recorder, planned []lab.Change, f finder, known []op, last bool,
) error {
	begin := []string{"BEGIN"}
	if s.version >= 170000 { // older servers refuse it
		begin = append(begin, "SET LOCAL transaction_timeout = 0")
	}
	f.known = known
	found, err := s.lockAndFind(ctx, r, s.database, transactionLock, f, begin...)
	if err != nil {
		return err
	}
	todo := reconcile.Match(r, planned, found)
	fail := func(failed string, err error) error {
		if raced(err) && !last {
			return err
		}
		r.Done(failed, err)
		for _, o := range todo { // the word about the one that failed stands
			r.Skip(o.ID, "rolled back, because "+failed+" failed")
		}
		return err
	}
	for _, op := range todo {
		r.Start(op.ID)
	}
	if failed, err := s.makeAll(ctx, todo); err != nil {
		return fail(failed, err)
	}
	if len(todo) > 0 {
		if failed, err := s.readBack(ctx, f, todo, found); err != nil {
			return fail(failed, err)
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

// makeAll makes ops of statements, all in one round trip, and returns the ID of the one that failed.
func (s *session) makeAll(ctx context.Context, ops []op) (failed string, err error) {
	script := *s
	var sql, owners []string // owners: which op each of the statements belongs to
	for _, op := range ops {
		script.record = func(more []string) {
			for range more {
				owners = append(owners, op.ID)
			}
			sql = append(sql, more...)
		}
		if err := op.Make(ctx, &script); err != nil {
			return op.ID, err
		}
	}
	if len(sql) == 0 {
		return "", nil
	}
	done, err := s.query(ctx, sql...)
	if err != nil {
		return owners[min(len(done), len(owners)-1)], err
	}
	return "", nil
}

// readBack looks at what the server made of the ops that were made: default privileges and event
// triggers, of which we know nothing, may have made it otherwise. That is put right once, and an
// error if it does not stay so. What was found before and not made is left to the next plan.
func (s *session) readBack(ctx context.Context, f finder, made, before []op) (failed string, err error) {
	has := func(ops []op, id string) bool { return slices.ContainsFunc(ops, func(o op) bool { return o.ID == id }) }
	for try := 1; ; try++ {
		found, err := s.find(ctx, f)
		if err != nil {
			return made[0].ID, err
		}
		wrong := slices.DeleteFunc(found, func(o op) bool { return has(before, o.ID) && !has(made, o.ID) })
		switch {
		case len(wrong) == 0:
			return "", nil
		case try == 2:
			failed = wrong[0].ID
			if !has(made, failed) {
				failed = made[len(made)-1].ID
			}
			return failed, &lab.Error{Op: "read back", Target: s.client.server.target(), Path: wrong[0].ID,
				Hint: "look at the event triggers and default privileges of " + s.database + `: \dy and \ddp in psql`,
				Err: kindf(lab.ErrConflict, "the server makes it otherwise than it is told to; it was rolled back\n%s",
					wrong[0].Diff)}
		}
		if failed, err := s.makeAll(ctx, wrong); err != nil {
			return failed, err
		}
	}
}
