package lawtest

import (
	"encoding/json"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Laws proves the laws, each in a subtest of its own, in worlds that fresh returns. Laws that the
// world does not say how to prove are skipped.
func Laws(t *testing.T, fresh func(*testing.T) World) {
	t.Run("Planning", func(t *testing.T) { planning(t, fresh(t)) })
	t.Run("Drift", func(t *testing.T) { drift(t, fresh(t)) })
	t.Run("CutOff", func(t *testing.T) { CutOff(t, fresh(t)) })
	t.Run("Foreign", func(t *testing.T) { foreign(t, fresh(t)) })
	t.Run("Secrets", func(t *testing.T) { secrets(t, fresh(t)) })
	t.Run("Boundary", func(t *testing.T) { boundary(t, fresh(t)) })
}

// planning proves laws 1 to 3, and what a plan costs.
func planning(tb testing.TB, w World) {
	tb.Helper()
	written := w.writes(tb)
	first, second := w.plan(tb), w.plan(tb)
	if first.Empty() {
		tb.Fatal("there is nothing to do in a new world")
	}
	if a, b := text(tb, first), text(tb, second); a != b {
		tb.Errorf("law 1: two plans of one world differ:\n%s\n%s", a, b)
	}
	if n := w.writes(tb) - written; n != 0 {
		tb.Errorf("law 2: planning a new world wrote %d times", n)
	}
	w.apply(tb, first)
	if w.Writes != nil && w.writes(tb) == written {
		tb.Error("the apply wrote nothing: nothing is counted")
	}

	written = w.writes(tb)
	trips := w.roundTrips()
	p := w.plan(tb)
	if !p.Empty() {
		tb.Errorf("law 3: after the apply there is to do:\n%v", p)
	}
	if n := w.roundTrips() - trips; w.RoundTrips != nil && n != w.Cost {
		tb.Errorf("a plan of a world that is as wanted cost %d round trips, want %d", n, w.Cost)
	}
	trips = w.roundTrips()
	w.apply(tb, p)
	if n := w.roundTrips() - trips; n != 0 {
		tb.Errorf("applying an empty plan cost %d round trips", n)
	}
	if n := w.writes(tb) - written; n != 0 {
		tb.Errorf("law 2: planning a world that is as wanted wrote %d times", n)
	}
}

// drift proves that what is no longer as wanted is found and repaired.
func drift(tb testing.TB, w World) {
	tb.Helper()
	if w.Drift == nil {
		tb.Skip("the suite says nothing of drift")
	}
	w.converge(tb)
	w.Drift(tb)
	if w.plan(tb).Empty() {
		tb.Error("drift was not found")
	}
	w.converge(tb)
}

// foreign proves law 5.
func foreign(tb testing.TB, w World) {
	tb.Helper()
	if w.Foreign == nil {
		tb.Skip("the suite says nothing of what is foreign")
	}
	w.converge(tb)
	describe := w.Foreign(tb)
	before := describe()
	if before == "" {
		tb.Error("there is nothing foreign: nothing is proved")
	}
	w.converged(tb, "law 5: beside what is foreign")
	if w.Drift != nil {
		w.Drift(tb)
		w.converge(tb)
	}
	if after := describe(); after != before {
		tb.Errorf("law 5: what is foreign was\n%s\nand is\n%s", before, after)
	}
}

// boundary proves law 7.
func boundary(tb testing.TB, w World) {
	tb.Helper()
	if w.Within == nil {
		tb.Skip("the suite says nothing of a boundary")
	}
	var refused atomic.Int64 // several connections may be refused at once
	b := &lab.Boundary{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Refused: func(_, _ string) { refused.Add(1) }}
	trips := w.roundTrips()
	err := w.Within(tb.Context(), b)
	if !errors.Is(err, lab.ErrRefused) || refused.Load() == 0 || w.roundTrips() != trips {
		tb.Errorf("law 7: planning outside of the boundary ended in %v after %d refusals and %d round trips", err,
			refused.Load(), w.roundTrips()-trips)
	}
}

func (w World) writes(tb testing.TB) int64 {
	tb.Helper()
	if w.Writes == nil {
		return 0
	}
	return w.Writes(tb)
}

func (w World) roundTrips() int64 {
	if w.RoundTrips == nil {
		return 0
	}
	return w.RoundTrips()
}

func (w World) plan(tb testing.TB) *lab.Plan {
	tb.Helper()
	p, err := w.Plan(tb.Context())
	if err != nil {
		tb.Fatalf("plan: %v", err)
	}
	return p
}

// apply applies a plan to its end.
func (w World) apply(tb testing.TB, p *lab.Plan) {
	tb.Helper()
	if r, err := p.Apply(tb.Context(), confirmed(p)); err != nil || !r.Complete() {
		tb.Fatalf("apply: %v\n%v", err, r)
	}
}

// converge plans and applies what is wanted.
func (w World) converge(tb testing.TB) {
	tb.Helper()
	w.apply(tb, w.plan(tb))
	w.converged(tb, "law 3: after the apply")
}

func (w World) converged(tb testing.TB, when string) {
	tb.Helper()
	if p := w.plan(tb); !p.Empty() {
		tb.Fatalf("%s there is to do:\n%v", when, p)
	}
}

// confirmed are options that confirm every change.
func confirmed(p *lab.Plan) *lab.ApplyOptions {
	o := &lab.ApplyOptions{}
	for _, c := range p.Changes() {
		o.Confirmed = append(o.Confirmed, lab.Confirm(c.ID))
	}
	return o
}

// text is a plan as people and as programs read it.
func text(tb testing.TB, p *lab.Plan) string {
	tb.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		tb.Fatal(err)
	}
	return p.String() + string(b)
}
