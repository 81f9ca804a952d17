package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fingerprint"
)

// Book is the record as it was read, for the plans of one run. It is safe for concurrent use.
type Book struct {
	l *Ledger

	mu         sync.Mutex
	record     record
	generation int64 // of the record; 0: there is none yet
}

// Read reads the record. One that is not there is empty. The error is a [lab.ErrConflict] when it cannot be understood, and a
// [lab.ErrRefused] when it is that of another app or was written by a newer version.
func (l *Ledger) Read(ctx context.Context) (*Book, error) {
	if err := l.Validate().Err(); err != nil {
		return nil, &lab.Error{Op: "read ledger", Target: "gs://" + l.Bucket, Err: err}
	}
	s := l.store()
	defer s.close()
	b := &Book{l: l}
	o, err := s.read(ctx, recordName)
	if err != nil {
		return nil, err
	}
	b.record, b.generation = l.newRecord(), o.generation
	if o.generation != 0 {
		if b.record, err = l.parse(o.text); err != nil {
			return nil, &lab.Error{Op: "read ledger", Target: "gs://" + l.Bucket, Path: l.object(recordName),
				Hint: "use the version that wrote it, or restore an earlier generation of the object", Err: err}
		}
	}
	return b, nil
}

// Owns reports whether an object is ours, by the ID of its changes: we have created it, or were about to when a run was cut
// off. It is for the field Owned of specs.
func (b *Book) Owns(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.record.owns(id)
}

// Entries returns what is recorded, in the order of the IDs.
func (b *Book) Entries() []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.record.Resources)
}

// Same reports whether a secret value is the one that was recorded for an object with [Book.Rebuild] or a guarded plan. It is false
// without a [Ledger].Key.
func (b *Book) Same(id string, value lab.Secret) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, ok := b.record.entry(id)
	return ok && !b.l.Key.IsZero() && b.record.Resources[n].Fingerprint == fingerprint.Of(b.l.Key, id, value)
}

// Wanted is what the plans that are guarded want.
type Wanted struct {
	// IDs are those of all that is wanted, changed or not, as the method IDs of a spec returns them.
	IDs []string

	// Pruned says that the plan looks at everything and removes what is ours and not wanted. Then what is recorded and is
	// not wanted has gone when the plan was made completely, and is recorded no more. A kind that the plan did not look at,
	// or never removes, is forgotten too, and is nobody's then.
	Pruned bool

	// Values are secret values that the server does not show, by the IDs of their objects. Their fingerprints are recorded.
	Values map[string]lab.Secret
}

// Guard returns a plan that makes the same changes under the lock, and records them. The error is a [lab.ErrRefused] when nothing
// is wanted, or more is to be removed than may be.
//
// Applying the plan fails before anything is changed with a [lab.ErrBlocked] while somebody else has the lock, or OpenTofu its own,
// and with a [lab.ErrDrift] when the record has been written since it was read.
func (b *Book) Guard(p *lab.Plan, want Wanted) (*lab.Plan, error) {
	if err := b.brake(p, want); err != nil {
		return nil, err
	}
	if p.Empty() {
		return p, nil
	}
	steps := p.Steps()
	left := map[string]bool{} // steps that are not complete
	for _, s := range steps {
		left[s.Name] = len(s.Changes) > 0
	}
	for n, s := range steps {
		if len(s.Changes) == 0 {
			continue
		}
		steps[n].Run = func(ctx context.Context, r *lab.Recorder) error {
			b.l.applying.Lock()
			defer b.l.applying.Unlock()
			return b.step(ctx, r, s, want, left)
		}
	}
	return lab.NewPlan(steps...)
}

// brake refuses what is probably a mistake.
func (b *Book) brake(p *lab.Plan, want Wanted) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	refuse := func(hint, format string, args ...any) error {
		return &lab.Error{Op: "guard plan", Target: "gs://" + b.l.Bucket, Path: b.l.object(recordName), Hint: hint,
			Set: lab.Setting{Name: SettingMaxDeletes}, Err: fmt.Errorf("%w: "+format, append([]any{lab.ErrRefused}, args...)...)}
	}
	removed := 0
	for _, c := range p.Changes() {
		if c.Action == lab.Delete {
			removed++
		}
	}
	most := b.l.MaxDeletes
	if most == 0 {
		most = max(5, len(b.record.Resources)/5)
	}
	switch {
	case len(want.IDs) == 0 && len(b.record.Resources) > 0:
		return refuse("see why the spec is empty", "nothing is wanted, and %d objects are recorded", len(b.record.Resources))
	case removed > most:
		return refuse("see why so much is no longer wanted, or allow it", "%d objects would be removed, and no more than %d may be",
			removed, most)
	}
	return nil
}

// step makes one step of a guarded plan.
func (b *Book) step(ctx context.Context, r *lab.Recorder, s lab.Step, want Wanted, left map[string]bool) (err error) {
	st := b.l.store()
	defer st.close()
	held, k, err := st.take(ctx, r.Wait)
	if err != nil {
		return err
	}
	// Whatever happens, what was made is recorded, and the lock ends.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	defer func() { err = errors.Join(err, k.release(after)) }()
	if err := st.tofu(held); err != nil {
		return err
	}
	run := rand.Text()
	if err := b.update(held, st, func(rec *record) {
		for _, c := range s.Changes {
			rec.Intents = slices.DeleteFunc(rec.Intents, func(i intent) bool { // but that of its creation
				return i.ID == c.ID && (i.Action != lab.Create || c.Action == lab.Create)
			})
			rec.Intents = append(rec.Intents, intent{ID: c.ID, Action: c.Action, Run: run, Started: now()})
		}
	}); err != nil {
		return err
	}
	failed := s.Run(held, r)
	if cause := context.Cause(held); failed != nil && cause != nil && ctx.Err() == nil {
		failed = errors.Join(failed, cause)
	}
	status := func(id string) lab.Status {
		is := r.Status(id)
		if failed == nil && (is == lab.StatusNotRun || is == lab.StatusUnknown) {
			return lab.StatusDone // as a step's changes are that it does not report
		}
		return is
	}
	return errors.Join(failed, b.update(after, st, func(rec *record) { b.settle(rec, run, s, status, want, left) }))
}

// settle records what became of a step.
func (b *Book) settle(rec *record, run string, s lab.Step, status func(string) lab.Status, want Wanted, left map[string]bool) {
	wanted, plans := map[string]bool{}, map[string]bool{}
	for _, id := range want.IDs {
		wanted[id] = true
		if name, _, ok := strings.Cut(id, "/"); ok {
			plans[name] = true
		}
	}
	left[s.Name] = false
	for _, c := range s.Changes {
		left[s.Name] = left[s.Name] || status(c.ID) != lab.StatusDone
		name, _, _ := strings.Cut(c.ID, "/")
		plans[name] = true
	}
	complete := want.Pruned
	for _, open := range left {
		complete = complete && !open
	}
	rec.settle(run, b.l.Holder, now(), status, complete, wanted, plans)
	b.remember(rec, want.Values)
}

// remember records the fingerprints of values of objects that are recorded.
func (b *Book) remember(rec *record, values map[string]lab.Secret) {
	if b.l.Key.IsZero() {
		return
	}
	for id, value := range values {
		if n, ok := rec.entry(id); ok && !value.IsZero() {
			rec.Resources[n].Fingerprint = fingerprint.Of(b.l.Key, id, value)
		}
	}
}

// update writes the record with a change, in the place of the one that was read. The error is a [lab.ErrDrift] when somebody else has
// written it meanwhile.
func (b *Book) update(ctx context.Context, st *store, change func(*record)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.record.clone()
	change(&next)
	next.Serial++
	next.Nonce, next.Writer = rand.Text(), b.l.Holder
	text := next.text()
	for try := 1; ; try++ {
		g, err := st.write(ctx, recordName, b.generation, text)
		if err == nil {
			b.record, b.generation = next, g
			return nil
		}
		// A write whose answer was lost may have been done: then the object is ours, and not somebody else's.
		if !errors.Is(err, errChanged) && !errors.Is(err, lab.ErrUnreachable) {
			return err
		}
		o, again := st.read(ctx, recordName)
		switch is, invalid := b.l.parse(o.text); {
		case again != nil:
			return errors.Join(err, again)
		case o.generation != 0 && invalid == nil && is.Nonce == next.Nonce:
			b.record, b.generation = next, o.generation
			return nil
		case o.generation != b.generation:
			return st.fail("write ledger", recordName, "plan again", lab.ErrDrift, "it has been written since it was read")
		case try == tries:
			return err
		}
	}
}

// Marked returns the IDs of what a plan would remove: of a plan for a spec that wants nothing and prunes, those are all objects that
// carry our mark.
func Marked(p *lab.Plan) (ids []string) {
	for _, c := range p.Changes() {
		if c.Action == lab.Delete {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// Rebuild records objects as ours, by the IDs of their changes, after the record was lost, and forgets what is recorded of the same
// plans and is not among them. [Marked] says which carry our mark. Nothing but the record is changed.
func (b *Book) Rebuild(ctx context.Context, marked Wanted) error {
	return b.alone(ctx, func(rec *record) {
		plans, there := map[string]bool{}, map[string]bool{}
		for _, id := range marked.IDs {
			name, _, found := strings.Cut(id, "/")
			if !found {
				continue // the same without the name of its plan
			}
			plans[name], there[id] = true, true
			rec.made(id, Managed, now(), b.l.Holder)
		}
		rec.Resources = slices.DeleteFunc(rec.Resources, func(e Entry) bool { return within(e.ID, plans) && !there[e.ID] })
		b.remember(rec, marked.Values)
	})
}

// Disown forgets objects, which are then somebody else's. Nothing but the record is changed.
func (b *Book) Disown(ctx context.Context, ids ...string) error {
	return b.alone(ctx, func(rec *record) {
		for _, id := range ids {
			rec.drop(id)
			rec.Intents = slices.DeleteFunc(rec.Intents, func(i intent) bool { return i.ID == id })
		}
	})
}

// alone changes the record under the lock.
func (b *Book) alone(ctx context.Context, change func(*record)) (err error) {
	b.l.applying.Lock()
	defer b.l.applying.Unlock()
	st := b.l.store()
	defer st.close()
	held, k, err := st.take(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, k.release(after))
	}()
	if err := st.tofu(held); err != nil {
		return err
	}
	return b.update(held, st, change)
}

func now() time.Time { return time.Now().UTC().Truncate(time.Second) }
