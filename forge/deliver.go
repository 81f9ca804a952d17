package forge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// Delivery is one secret and the places where its consumers look for it, such as a path of Vault and a secret of Actions.
// The first place is the record: what it has is what all others get.
type Delivery struct {
	// Name is that of the delivery: in plans, and the name of the secret in places that do not say another.
	Name string

	// Value is what the record must have; empty: what it has, whoever put it there, as the value of a credential
	// that is made by another step of the same apply.
	Value lab.Secret

	Places []Place // two at least
}

// Place is where a secret is kept.
type Place struct {
	Sink lab.Sink
	Name string // in the sink; empty means the delivery's
}

// Copier is a sink that can be told to hold a copy of a secret, whatever it had before, where the record is elsewhere.
// [ActionsSecrets] is one.
type Copier interface {
	lab.Sink

	// Holds reports whether the name has this secret. The error is a [lab.ErrNotFound] when it has none.
	Holds(ctx context.Context, name string, s lab.Secret) (bool, error)

	// Copy keeps the secret in the place of whatever the name has. The error is a [lab.ErrConflict] when that
	// belongs to somebody else.
	Copy(ctx context.Context, name string, s lab.Secret) error
}

// deliverStep is the name of the plan's only step, with which the IDs of its changes begin.
const deliverStep = "deliver"

// Deliver plans that each secret is in all of its places. It changes nothing; every plan looks at all places again, as far as
// they show what they have.
//
// When the plan is applied, every place is first proved to be writable; then the record is written, and then the
// copies, in their order. So no copy is ever without a record, and an apply that was cut off is continued by the next plan,
// which finds the copies that lack or differ. A value in the record that is not the one that is wanted is replaced, if the
// sink is a [lab.Replacer].
func Deliver(ctx context.Context, deliveries ...Delivery) (*lab.Plan, error) {
	var ps lab.Problems
	want := map[string]Delivery{}
	for n, d := range deliveries {
		at := fmt.Sprintf("deliveries[%d]", n)
		if d.Name == "" {
			ps.Add(at+".name", "empty")
		}
		if _, twice := want[d.Name]; twice {
			ps.Add(at+".name", "%s is named twice", d.Name)
		}
		if len(d.Places) < 2 {
			ps.Add(at+".places", "%d: want the record and a copy", len(d.Places))
		}
		for m, p := range d.Places {
			if p.Sink == nil {
				ps.Add(fmt.Sprintf("%s.places[%d].sink", at, m), "empty")
			}
		}
		want[d.Name] = d
	}
	if err := ps.Err(); err != nil {
		return nil, err
	}
	return reconcile.Plan(ctx, reconcile.Options{Name: deliverStep}, reconcile.Collection[Delivery, delivered]{
		Name: "secret", Want: want,
		List: func(ctx context.Context) (map[string]delivered, error) { return deliveredAll(ctx, deliveries) },
		Diff: func(_ string, d Delivery, h *delivered) reconcile.Delta { return h.delta(d) },
		Put:  func(ctx context.Context, _ string, d Delivery, _ *delivered) error { return d.deliver(ctx) },
	})
}

// delivered is what is found of a delivery.
type delivered struct {
	causes []string // why something is to be done, by place; empty: nothing
	absent []bool   // it is because the place has nothing
}

func (h *delivered) delta(d Delivery) reconcile.Delta {
	var causes []string
	action := lab.Action("")
	for n, cause := range h.causes {
		if cause == "" {
			continue
		}
		causes = append(causes, cause+" in "+d.Places[n].Sink.String())
		if !h.absent[n] {
			action = lab.Update
		} else if action == "" {
			action = lab.Create
		}
	}
	return reconcile.Delta{Action: action, Cause: strings.Join(causes, "; ")}
}

func deliveredAll(ctx context.Context, deliveries []Delivery) (map[string]delivered, error) {
	has := map[string]delivered{}
	for _, d := range deliveries {
		h := delivered{causes: make([]string, len(d.Places)), absent: make([]bool, len(d.Places))}
		value := d.Value
		for n, p := range d.Places {
			var holds bool
			var err error
			if n == 0 {
				var record lab.Secret
				record, err = p.Sink.Get(ctx, p.name(d))
				if value.IsZero() {
					value = record
				}
				holds = err == nil && record.Equal(value)
			} else {
				holds, err = p.holds(ctx, d, value)
			}
			switch h.absent[n] = errors.Is(err, lab.ErrNotFound); {
			case h.absent[n]:
				h.causes[n] = "not found"
			case err != nil:
				return nil, err
			case !holds:
				h.causes[n] = "another value"
			}
		}
		has[d.Name] = h
	}
	return has, nil
}

func (p Place) name(d Delivery) string {
	if p.Name != "" {
		return p.Name
	}
	return d.Name
}

// holds reports whether a copy is that of the value.
func (p Place) holds(ctx context.Context, d Delivery, value lab.Secret) (bool, error) {
	if c, ok := p.Sink.(Copier); ok {
		return c.Holds(ctx, p.name(d), value)
	}
	has, err := p.Sink.Get(ctx, p.name(d))
	return err == nil && has.Equal(value), err
}

// set keeps the value in a place, whatever that has.
func (p Place) set(ctx context.Context, d Delivery, value lab.Secret) error {
	if c, ok := p.Sink.(Copier); ok {
		return c.Copy(ctx, p.name(d), value)
	}
	has, err := p.Sink.Get(ctx, p.name(d))
	switch replacer, ok := p.Sink.(lab.Replacer); {
	case errors.Is(err, lab.ErrNotFound):
		return p.Sink.Put(ctx, p.name(d), value)
	case err != nil || has.Equal(value):
		return err
	case ok:
		return replacer.Replace(ctx, p.name(d), has, value)
	}
	return &lab.Error{Op: "deliver secret", Target: p.Sink.String(), Path: p.name(d), Hint: "remove it from " + p.Sink.String(),
		Err: fmt.Errorf("%w: it has another value, and nothing can be replaced there", lab.ErrConflict)}
}

// deliver brings the secret to all of its places.
func (d Delivery) deliver(ctx context.Context) error {
	proved := []string{}
	for _, p := range d.Places {
		if s := p.Sink.String(); !slices.Contains(proved, s) {
			if err := p.Sink.Prove(ctx); err != nil {
				return err
			}
			proved = append(proved, s)
		}
	}
	record := d.Places[0]
	if !d.Value.IsZero() {
		if err := record.set(ctx, d, d.Value); err != nil {
			return err
		}
	}
	value, err := record.Sink.Get(ctx, record.name(d))
	switch {
	case errors.Is(err, lab.ErrNotFound):
		return &lab.Error{Op: "deliver secret", Target: record.Sink.String(), Path: record.name(d),
			Hint: "make it first, or give its value", Err: fmt.Errorf("%w: the record has none", lab.ErrNotFound)}
	case err != nil:
		return err
	case !d.Value.IsZero() && !value.Equal(d.Value):
		return &lab.Error{Op: "deliver secret", Target: record.Sink.String(), Path: record.name(d), Hint: "plan again",
			Err: fmt.Errorf("%w: another value is read back than was put", lab.ErrDrift)}
	}
	for _, p := range d.Places[1:] {
		if err := p.set(ctx, d, value); err != nil {
			return err
		}
	}
	return nil
}
