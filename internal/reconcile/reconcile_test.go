package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// world is what the ops of these tests are made through.
type world struct{ made []string }

// op makes a change that ends in err.
func op(id string, err error, after ...string) reconcile.Op[*world] {
	return reconcile.Op[*world]{Change: lab.Change{ID: id, Action: lab.Create, After: after},
		Make: func(_ context.Context, w *world) error {
			w.made = append(w.made, id)
			return err
		}}
}

// apply applies a plan of one step, and returns what became of each change, what was noted, and the
// error.
func apply(
	t *testing.T, planned []lab.Change, run func(context.Context, *lab.Recorder) error,
) (results, notes []string, err error) {
	t.Helper()
	p, err := lab.NewPlan(lab.Step{Name: "s", Changes: planned, Run: run})
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Apply(t.Context(), &lab.ApplyOptions{Events: func(e lab.Event) {
		if e.Kind == lab.EventNote {
			notes = append(notes, e.Text)
		}
	}})
	for _, res := range r.Results {
		results = append(results, strings.TrimSpace(fmt.Sprintf("%s %s %s", res.ID, res.Status, res.Reason)))
	}
	return results, notes, err
}

func TestRun(t *testing.T) {
	errBoom := errors.New("boom")
	lost := fmt.Errorf("%w: the answer", lab.ErrUnreachable)
	for _, test := range []struct {
		name               string
		ops                []reconcile.Op[*world]
		made, results, err string
	}{
		{"all", []reconcile.Op[*world]{op("a", nil), op("b", nil, "a")}, "a b", "a done, b done", "<nil>"},
		{"what comes after a failed one", []reconcile.Op[*world]{op("a", errBoom), op("b", nil, "a"),
			op("c", nil, "b"), op("d", nil)}, "a d",
			"a failed, b skipped a was not done, c skipped b was not done, d done", "boom"},
		{"a lost answer", []reconcile.Op[*world]{op("a", nil), op("b", lost), op("c", nil)}, "a b",
			"a done, b unknown, c not run unreachable: the answer", "unreachable: the answer"},
		{"nothing was sent", []reconcile.Op[*world]{op("a", lab.NotSent(lost)), op("b", nil)}, "a",
			"a failed, b not run unreachable: the answer", "unreachable: the answer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &world{}
			results, _, err := apply(t, reconcile.Changes(test.ops), func(ctx context.Context, r *lab.Recorder) error {
				return reconcile.Run(ctx, r, w, test.ops)
			})
			if got := strings.Join(w.made, " "); got != test.made {
				t.Errorf("made %s, want %s", got, test.made)
			}
			if got := strings.Join(results, ", "); got != test.results {
				t.Errorf("results: %s\nwant %s", got, test.results)
			}
			if got := fmt.Sprint(err); got != test.err {
				t.Errorf("the error is %s, want %s", got, test.err)
			}
		})
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	w := &world{}
	ctx, cancel := context.WithCancel(t.Context())
	first := op("a", nil)
	first.Make = func(context.Context, *world) error { cancel(); return nil }
	ops := []reconcile.Op[*world]{first, op("b", nil)}
	results, _, err := apply(t, reconcile.Changes(ops),
		func(_ context.Context, r *lab.Recorder) error { return reconcile.Run(ctx, r, w, ops) })
	if got := strings.Join(results, ", "); got != "a done, b not run context canceled" || len(w.made) > 0 ||
		!errors.Is(err, context.Canceled) {
		t.Errorf("%s, %v; made %v", got, err, w.made)
	}
}

func TestMatch(t *testing.T) {
	planned := reconcile.Changes([]reconcile.Op[*world]{op("a", nil), op("b", nil), op("c", nil)})
	found := []reconcile.Op[*world]{op("c", nil), op("x", nil), op("a", nil)}
	w := &world{}
	results, notes, err := apply(t, planned, func(ctx context.Context, r *lab.Recorder) error {
		return reconcile.Run(ctx, r, w, reconcile.Match(r, planned, found))
	})
	if got := strings.Join(w.made, " "); got != "c a" || err != nil {
		t.Errorf("made %s, %v: want what is both planned and found, as it is found", got, err)
	}
	if got := strings.Join(results, ", "); got != "a done, b done, c done" {
		t.Errorf("results: %s", got)
	}
	if len(notes) != 1 || notes[0] != "x has become necessary since the plan was made: plan again" {
		t.Errorf("notes %q", notes)
	}
}
