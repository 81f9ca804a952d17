package lab_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// TestReportString: what was not begun is one line a machine, and one cause of many failures is said once.
func TestReportString(t *testing.T) {
	many := func() (cs []lab.Change) {
		for i := range 9 {
			cs = append(cs, lab.Change{ID: fmt.Sprint("file:/", i), Action: lab.Create})
		}
		return cs
	}
	p := planOf(t, map[string][]lab.Change{"host/pi1": many(), "host/pi2": many(), "host/pi3": many()},
		"host/pi1", "host/pi2", "host/pi3")
	steps := p.Steps()
	lost := &lab.Error{Op: "run script", Target: "pi1", Hint: "plug it in", Err: lab.ErrUnreachable}
	steps[0].Run = func(_ context.Context, r *lab.Recorder) error {
		r.Done(steps[0].Changes[0].ID, nil)
		r.Start(steps[0].Changes[1].ID)
		r.Start(steps[0].Changes[2].ID)
		r.Done(steps[0].Changes[3].ID, &lab.Error{Op: "make change", Target: "pi1", Path: "file:/3", Hint: "x",
			Err: errors.New("exit status 1: no space left")})
		return lost
	}
	steps[1].After = []string{"host/pi1"}
	steps[2].After = []string{"host/pi2"}
	p, err := lab.NewPlan(steps...)
	if err != nil {
		t.Fatal(err)
	}
	report, err := p.Apply(t.Context(), nil)
	const want = `  unknown     host/pi1: 2 changes: pi1: run script: unreachable
  failed      host/pi1/file:/3: exit status 1: no space left
  not run     host/pi1: 5 changes: pi1: run script: unreachable
  skipped     host/pi2: 9 changes: host/pi1 failed
  skipped     host/pi3: 9 changes: host/pi2 failed
27 changes: 1 done, 1 failed, 2 unknown, 18 skipped, 5 not run
`
	if got := report.String(); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := report.NotBegun(); got != strings.Join(strings.SplitAfter(want, "\n")[2:5], "") {
		t.Errorf("not begun:\n%s", got)
	}
	if n := strings.Count(err.Error(), "unreachable"); n != 1 {
		t.Errorf("the lost connection is said %d times: %v", n, err)
	}
	if len(report.Steps) != 3 || report.Steps[0].Took <= 0 || report.Steps[1].Took != 0 {
		t.Errorf("times %v", report.Steps)
	}
	data, err := json.Marshal(report)
	if err != nil || !strings.Contains(string(data), `"hints":["plug it in"]`) ||
		!strings.Contains(string(data), `"step":"host/pi3"`) {
		t.Errorf("%s, %v", data, err)
	}
}

// TestEventsOfApply: progress begins with how much there is, and every step that ran says that it ended.
func TestEventsOfApply(t *testing.T) {
	p := planOf(t, map[string][]lab.Change{"a": {{ID: "x"}, {ID: "y"}}, "b": {{ID: "z"}}}, "a", "b")
	var events []lab.Event
	if _, err := p.Apply(t.Context(), &lab.ApplyOptions{Events: func(e lab.Event) { events = append(events, e) }}); err != nil {
		t.Fatal(err)
	}
	if e := events[0]; e.Kind != lab.EventBegin || e.Total != 3 || e.Time.IsZero() || time.Since(e.Time) < 0 {
		t.Errorf("the first event is %+v", e)
	}
	for _, step := range []string{"a", "b"} {
		last := slices.IndexFunc(events, func(e lab.Event) bool {
			return e.Kind == lab.EventDoing && e.Target == step && e.Text == ""
		})
		if last < 0 || slices.ContainsFunc(events[last+1:], func(e lab.Event) bool { return e.Target == step }) {
			t.Errorf("the end of %s is event %d of %v", step, last, events)
		}
	}
}
