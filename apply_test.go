package lab_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

var errBoom = errors.New("boom")

// TestApplyKeepsOrder applies random graphs with random failures: each step runs after its
// predecessors, and only if they succeeded; all others run; no more than Parallel run at the same
// time; and the report is right about each change.
func TestApplyKeepsOrder(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		n := 1 + rnd.IntN(12)
		var mu sync.Mutex
		running, most := 0, 0
		ended := map[string]bool{}
		fails := map[string]bool{}
		after := map[string][]string{}
		var steps []lab.Step
		for i := range n {
			name := fmt.Sprintf("s%d", i)
			fails[name] = rnd.IntN(4) == 0
			for j := range i {
				if rnd.IntN(4) == 0 {
					after[name] = append(after[name], fmt.Sprintf("s%d", j))
				}
			}
			c := lab.Change{ID: name + "/c", Action: lab.Create}
			s := lab.Step{Name: name, Changes: []lab.Change{c}}
			for _, a := range after[name] { // half of the edges by name, half by change
				if rnd.IntN(2) == 0 {
					s.After = append(s.After, a)
				} else {
					s.Changes[0].After = append(s.Changes[0].After, a+"/c")
				}
			}
			s.Run = func(context.Context, *lab.Recorder) error {
				mu.Lock()
				running++
				most = max(most, running)
				for _, a := range after[name] {
					if !ended[a] || fails[a] {
						t.Errorf("seed %d: %s ran before %s, or although that failed", seed, name, a)
					}
				}
				mu.Unlock()
				mu.Lock()
				defer mu.Unlock()
				running--
				ended[name] = true
				if fails[name] {
					return errBoom
				}
				return nil
			}
			steps = append(steps, s)
		}
		rnd.Shuffle(n, func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		p, err := lab.NewPlan(steps...)
		if err != nil {
			t.Fatal(err)
		}
		parallel := 1 + rnd.IntN(4)
		r, err := p.Apply(t.Context(), &lab.ApplyOptions{Parallel: parallel})
		if most > parallel {
			t.Errorf("seed %d: %d steps at the same time, %d allowed", seed, most, parallel)
		}
		var doomed func(string) bool
		doomed = func(s string) bool {
			return slices.ContainsFunc(after[s], func(a string) bool { return fails[a] || doomed(a) })
		}
		anyFails := false
		for _, res := range r.Results {
			name := res.ID[:len(res.ID)-2]
			want := lab.StatusDone
			switch {
			case doomed(name):
				want = lab.StatusSkipped
			case fails[name]:
				want = lab.StatusNotRun
				anyFails = true
			}
			if res.Status != want || ended[name] == doomed(name) {
				t.Errorf("seed %d: %s is %s, want %s; ran: %v", seed, res.ID, res.Status, want, ended[name])
			}
		}
		if anyFails != errors.Is(err, errBoom) || r.Complete() == anyFails {
			t.Errorf("seed %d: error %v, complete %v", seed, err, r.Complete())
		}
	}
}

// TestApplyReportsTruthfully: a change that was started and has not ended is unknown, one that was
// not started was not run, and a later failure replaces a success.
func TestApplyReportsTruthfully(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	changes := func(step string, n int) (out []lab.Change) {
		for i := range n {
			out = append(out, lab.Change{ID: fmt.Sprintf("%s/%d", step, i)})
		}
		return out
	}
	var events []lab.Event
	p, err := lab.NewPlan(
		lab.Step{Name: "a", Changes: changes("a", 5), Run: func(ctx context.Context, r *lab.Recorder) error {
			r.Start("a/0")
			r.Done("a/0", nil)
			r.Start("a/1")
			r.Done("a/1", errBoom)
			r.Done("a/1", nil) // the first result counts
			r.Skip("a/2", "a/1 was not done")
			r.Start("a/3")
			cancel()
			return lab.ErrUnreachable
		}},
		lab.Step{Name: "b", AfterAny: []string{"a"}, Changes: changes("b", 1),
			Run: func(context.Context, *lab.Recorder) error { t.Error("a step was started after the end"); return nil }},
	)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Apply(ctx, &lab.ApplyOptions{Events: func(e lab.Event) { events = append(events, e) }})
	var got []lab.Status
	for _, res := range r.Results {
		got = append(got, res.Status)
	}
	want := []lab.Status{lab.StatusDone, lab.StatusFailed, lab.StatusSkipped, lab.StatusUnknown,
		lab.StatusNotRun, lab.StatusNotRun}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if !errors.Is(err, errBoom) || !errors.Is(err, lab.ErrUnreachable) || lab.ExitCode(err) != lab.ExitInterrupted {
		t.Errorf("%v, exit %d", err, lab.ExitCode(err))
	}
	ends := 0
	for _, e := range events {
		if e.Kind == lab.EventDone {
			ends++
		}
	}
	if ends != 5 {
		t.Errorf("%d events of ends", ends)
	}
	j, err := json.Marshal(r)
	if err != nil || !json.Valid(j) {
		t.Errorf("%s: %v", j, err)
	}

	retracted := lab.Step{Name: "c", Changes: changes("c", 1), Run: func(_ context.Context, r *lab.Recorder) error {
		r.Start("c/0")
		r.Done("c/0", nil)
		r.Done("c/0", lab.ErrDrift)
		return nil
	}}
	panics := lab.Step{Name: "d", Changes: changes("d", 1),
		Run: func(context.Context, *lab.Recorder) error { panic("oops") }}
	if p, err = lab.NewPlan(retracted, panics); err != nil {
		t.Fatal(err)
	}
	r, err = p.Apply(t.Context(), nil)
	if !errors.Is(err, lab.ErrDrift) || r.Results[0].Status != lab.StatusFailed || r.Results[1].Status != lab.StatusNotRun {
		t.Errorf("%v %v", err, r)
	}
}

// TestGatesRunAfterChangesOnly: a gate runs only if a step that it comes after has made changes.
func TestGatesRunAfterChangesOnly(t *testing.T) {
	for _, c := range []struct{ changes, gates int }{{0, 0}, {1, 1}} {
		gates := 0
		first := lab.Step{Name: "a", Run: nothing}
		if c.changes > 0 {
			first.Changes = []lab.Change{{ID: "a/0"}}
		}
		p, err := lab.NewPlan(first, lab.Step{Name: "gate", After: []string{"a"},
			Run: func(context.Context, *lab.Recorder) error { gates++; return errBoom }},
			lab.Step{Name: "b", After: []string{"gate"}, Changes: []lab.Change{{ID: "b/0"}}, Run: nothing})
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Apply(t.Context(), nil)
		if gates != c.gates || (err != nil) != (c.gates > 0) || r.Complete() == (c.gates > 0) {
			t.Errorf("%d changes: %d gates, %v, %v", c.changes, gates, err, r)
		}
	}
}

func TestNewPlanRefusesInvalidSteps(t *testing.T) {
	c := func(id string, after ...string) lab.Change { return lab.Change{ID: id, After: after} }
	step := func(name string, changes ...lab.Change) lab.Step {
		return lab.Step{Name: name, Changes: changes, Run: nothing}
	}
	for _, x := range []struct {
		want  string
		steps []lab.Step
	}{
		{"make plan a: conflict: two steps have this name", []lab.Step{{Name: "a"}, {Name: "a"}}},
		{"make plan x: conflict: two changes have this ID", []lab.Step{step("a", c("x")), step("b", c("x"))}},
		{"make plan a: not found: the step b in its After", []lab.Step{{Name: "a", After: []string{"b"}}}},
		{"make plan a: not found: the step b in its AfterAny", []lab.Step{{Name: "a", AfterAny: []string{"b"}}}},
		{"make plan x: not found: the change y in its After", []lab.Step{step("a", c("x", "y"))}},
		{"make plan: a cycle of steps through a",
			[]lab.Step{{Name: "a", After: []string{"b"}}, {Name: "b", After: []string{"a"}}}},
		{"make plan: a cycle of steps through a", []lab.Step{step("a", c("x", "y")), step("b", c("y", "x"))}},
		{"make plan: a cycle of steps through a",
			[]lab.Step{{Name: "a", AfterAny: []string{"b"}}, {Name: "b", After: []string{"a"}}}},
		{"make plan x: it is listed before y, which is in its After", []lab.Step{step("a", c("x", "y"), c("y"))}},
		{"make plan a: invalid: it has changes, but no Run", []lab.Step{{Name: "a", Changes: []lab.Change{c("x")}}}},
	} {
		if _, err := lab.NewPlan(x.steps...); err == nil || err.Error() != x.want {
			t.Errorf("got %v, want %s", err, x.want)
		}
	}
}

func nothing(context.Context, *lab.Recorder) error { return nil }

func TestWithin(t *testing.T) {
	plan := func(changes ...lab.Change) *lab.Plan {
		p, err := lab.NewPlan(lab.Step{Name: "s", Changes: changes, Run: nothing})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	a, b := lab.Change{ID: "a", Action: lab.Update, Diff: "x"}, lab.Change{ID: "b", Action: lab.Create}
	data, err := json.Marshal(plan(a, b))
	if err != nil {
		t.Fatal(err)
	}
	reviewed, err := lab.ReadChanges(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan(b).Within(reviewed); err != nil {
		t.Errorf("fewer changes: %v", err)
	}
	other := a
	other.Diff = "y"
	for _, p := range []*lab.Plan{plan(other), plan(a, lab.Change{ID: "c"})} {
		if err := p.Within(reviewed); !errors.Is(err, lab.ErrDrift) {
			t.Errorf("%v: %v", p, err)
		}
	}
	for _, bad := range []string{"", "{}", `{"version":9,"type":"plan"}`, "[]"} {
		if _, err := lab.ReadChanges([]byte(bad)); !errors.Is(err, lab.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestNoEventAfterTheEnd: a goroutine that a step leaves running sends no events after the end, and
// changes no report.
func TestNoEventAfterTheEnd(t *testing.T) {
	ended, reported := make(chan bool), make(chan bool)
	p, err := lab.NewPlan(lab.Step{Name: "s", Changes: []lab.Change{{ID: "s/a"}},
		Run: func(_ context.Context, r *lab.Recorder) error {
			go func() {
				<-ended
				r.Output("s/a", "late")
				r.Done("s/a", errBoom)
				close(reported)
			}()
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	events := 0
	r, err := p.Apply(t.Context(), &lab.ApplyOptions{Events: func(lab.Event) { events++ }})
	if err != nil {
		t.Fatal(err)
	}
	before := events
	close(ended)
	<-reported
	if events != before || !r.Complete() {
		t.Errorf("%d events after the end; %v", events-before, r)
	}
}

// TestRecorderStatus: a step knows what is recorded of its changes.
func TestRecorderStatus(t *testing.T) {
	var got []lab.Status
	p, err := lab.NewPlan(lab.Step{Name: "s", Changes: []lab.Change{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d"}},
		Run: func(_ context.Context, r *lab.Recorder) error {
			r.Start("a")
			r.Start("b")
			r.Done("b", nil)
			r.Skip("c", "why")
			for _, id := range []string{"a", "b", "c", "d"} {
				got = append(got, r.Status(id))
			}
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), nil); !errors.Is(err, lab.ErrDrift) { // one was skipped
		t.Fatal(err)
	}
	if want := []lab.Status{lab.StatusUnknown, lab.StatusDone, lab.StatusSkipped, lab.StatusNotRun}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
