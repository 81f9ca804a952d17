package lawtest

import (
	"context"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// CutOff proves law 4 alone, for each way to cut an apply off in a subtest of its own.
func CutOff(t *testing.T, w World) {
	if testing.Short() {
		t.Skip("takes minutes: run it without -short")
	}
	t.Run("Context", func(t *testing.T) { cutOff(t, w, byContext) })
	for n, cut := range w.Cuts {
		t.Run(cut.Name, func(t *testing.T) { cutOff(t, w, byCut(n)) })
	}
}

// attempt is one apply that is to be cut off.
type attempt struct {
	ctx      context.Context
	events   func(lab.Event)  // nil: not asked for
	happened func(error) bool // see [Cut]
	fails    bool             // an apply that was cut off must say so
	least    int              // see [Cut]
}

// byContext ends the context of an apply as its n-th change begins. That is no error where the
// change was the last one and was made.
func byContext(tb testing.TB, _ World, n int) attempt {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	tb.Cleanup(cancel)
	begun := 0
	return attempt{ctx: ctx, least: 1, happened: func(error) bool { return begun >= n }, events: func(e lab.Event) {
		if e.Kind == lab.EventStart {
			if begun++; begun == n {
				cancel()
			}
		}
	}}
}

// byCut arms one of the world's own cuts.
func byCut(index int) func(testing.TB, World, int) attempt {
	return func(tb testing.TB, w World, n int) attempt {
		tb.Helper()
		cut := w.Cuts[index]
		return attempt{ctx: tb.Context(), happened: cut.Arm(tb, n), fails: true, least: cut.Least}
	}
}

// most is more places than any apply of a suite has.
const most = 1000

// cutOff proves law 4: it cuts applies off, each in a world of its own, at one place after the
// other, until one has fewer.
func cutOff(tb testing.TB, w World, arm func(tb testing.TB, w World, n int) attempt) {
	tb.Helper()
	for n := 1; n <= most; n += max(w.Every, 1) {
		w := w.Again(tb)
		p := w.plan(tb)
		try := arm(tb, w, n)
		o := confirmed(p)
		o.Parallel, o.Events = 1, try.events
		r, err := p.Apply(try.ctx, o)
		happened := try.happened(err)
		switch {
		case happened && try.fails && (err == nil || r.Complete()):
			tb.Errorf("law 4: cut off at place %d, the apply reports no failure:\n%v", n, r)
		case !happened && (err != nil || !r.Complete()):
			tb.Fatalf("law 4: it was not cut off at place %d, and yet failed: %v\n%v", n, err, r)
		}
		left := w.plan(tb)
		w.honest(tb, n, r, left)
		w.apply(tb, left)
		w.converged(tb, "law 4: after the apply that follows one that was cut off")
		if !happened {
			if n <= try.least {
				tb.Errorf("law 4: an apply has %d places to cut it off, want at least %d", n-1, try.least)
			}
			return
		}
	}
	tb.Fatalf("law 4: an apply has more than %d places to cut it off", most)
}

// honest compares what was reported of an apply with what is still to do.
func (w World) honest(tb testing.TB, n int, r *lab.Report, left *lab.Plan) {
	tb.Helper()
	toDo := map[string]bool{}
	for _, c := range left.Changes() {
		toDo[c.ID] = true
	}
	for _, res := range r.Results {
		switch {
		case res.Status == lab.StatusUnknown, res.Status == lab.StatusNotRun && w.RunsOn:
		case res.Status == lab.StatusDone && toDo[res.ID]:
			tb.Errorf("law 4: cut off at place %d, %s was reported done, and is still to do", n, res.ID)
		case res.Status != lab.StatusDone && !toDo[res.ID]:
			tb.Errorf("law 4: cut off at place %d, %s was reported %s, and is done", n, res.ID, res.Status)
		}
	}
}
