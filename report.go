package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Status is how a change ended.
type Status string

// The statuses.
const (
	StatusDone       Status = "done"
	StatusFailed     Status = "failed"
	StatusSkipped    Status = "skipped"     // something that it depends on failed
	StatusNotRun     Status = "not run"     // it was not started, because the run was stopped
	StatusUnknown    Status = "unknown"     // it was started, and its outcome was not received; the next plan observes it
	StatusRolledBack Status = "rolled back" // it was made, and then reverted because something after it failed
)

// Result is the outcome of one change.
type Result struct {
	ID     string
	Step   string // the name of its step: "host/pi1"
	Action Action
	Status Status
	Err    error         // why it failed, or why its outcome is unknown
	Reason string        // why it was skipped, not run or rolled back
	Took   time.Duration // from its start to its end; 0 if it was not started
}

// StepTime is how long a step took.
type StepTime struct {
	Name string
	Took time.Duration // 0 if it was not run
}

// Report is the outcome of [Plan.Apply]. It always has one result for every change of the plan, in
// the plan's order.
type Report struct {
	Results []Result
	Steps   []StepTime // of the steps that have changes, in the plan's order
	Started time.Time
	Took    time.Duration
	errs    []error // of steps, other than those of their changes
}

// Count returns how many changes have this status.
func (r *Report) Count(s Status) (n int) {
	for _, res := range r.Results {
		if res.Status == s {
			n++
		}
	}
	return n
}

// Complete reports whether every change was done and every step succeeded.
func (r *Report) Complete() bool { return r.Count(StatusDone) == len(r.Results) && len(r.errs) == 0 }

// Err returns all failures in the plan's order, joined, or nil if the report is complete.
func (r *Report) Err() error {
	var errs []error
	add := func(e error) {
		// A lost connection may be the error of many changes.
		if e != nil && !slices.ContainsFunc(errs, func(o error) bool { return errors.Is(o, e) }) {
			errs = append(errs, e)
		}
	}
	for _, res := range r.Results {
		add(res.Err)
	}
	for _, e := range r.errs {
		add(e)
	}
	if len(errs) == 0 && !r.Complete() {
		return fmt.Errorf("%w: %d of %d changes were not made", ErrDrift,
			len(r.Results)-r.Count(StatusDone), len(r.Results))
	}
	return errors.Join(errs...)
}

// Summary returns one line: "12 changes: 9 done, 1 failed, 2 skipped".
func (r *Report) Summary() string {
	if len(r.Results) == 0 {
		return "nothing to do"
	}
	var parts []string
	for _, s := range []Status{StatusDone, StatusFailed, StatusRolledBack, StatusUnknown, StatusSkipped, StatusNotRun} {
		if n := r.Count(s); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return fmt.Sprintf("%s: %s", count(len(r.Results), "change"), strings.Join(parts, ", "))
}

// String returns what was not done, with the reason, and the summary. Changes of one step that were
// not begun share a line, and so do those that failed for the same cause, such as a lost connection.
func (r *Report) String() string {
	return r.lines(func(res Result) bool { return res.Status != StatusDone }) + r.Summary() + "\n"
}

// NotBegun returns the lines of [Report.String] about what was not begun, one for each step and cause:
// for programs that show what failed as it happens, and print the report's error.
func (r *Report) NotBegun() string {
	return r.lines(func(res Result) bool { return res.Status == StatusSkipped || res.Status == StatusNotRun })
}

// lines returns the lines about some of the results.
func (r *Report) lines(some func(Result) bool) string {
	type line struct {
		first Result
		why   string
		n     int
	}
	var lines []*line
	for _, res := range r.Results {
		if !some(res) {
			continue
		}
		why := res.Reason
		if res.Err != nil {
			why = causeOf(res)
		}
		same := slices.IndexFunc(lines, func(l *line) bool {
			if l.first.Step != res.Step || l.first.Status != res.Status {
				return false
			}
			return l.why == why || res.Status == StatusSkipped || res.Status == StatusNotRun
		})
		if same >= 0 {
			lines[same].n++
			continue
		}
		lines = append(lines, &line{res, why, 1})
	}
	var b strings.Builder
	for _, l := range lines {
		about := Printable(l.first.ID)
		if l.n > 1 {
			about = fmt.Sprintf("%s: %d changes", Printable(l.first.Step), l.n)
		}
		fmt.Fprintf(&b, "  %-11s %s: %s\n", l.first.Status, about, PrintableText(l.why, "              "))
	}
	return b.String()
}

// causeOf returns why a change failed, without its name if the error repeats it.
func causeOf(res Result) string {
	if e, ok := res.Err.(*Error); ok && e.Err != nil && strings.HasSuffix(res.ID, "/"+e.Target+"/"+e.Path) {
		return e.Err.Error()
	}
	return res.Err.Error()
}

// MarshalJSON returns {"version":1,"type":"report","started":...,"seconds":...,"results":[...]},
// with results of the form {"id","step","action","status","error","hints","reason","seconds"}. The version is
// incremented if the meaning of a field changes or a field is removed.
func (r *Report) MarshalJSON() ([]byte, error) {
	type result struct {
		ID      string   `json:"id"`
		Step    string   `json:"step"`
		Action  Action   `json:"action"`
		Status  Status   `json:"status"`
		Error   string   `json:"error,omitempty"`
		Hints   []string `json:"hints,omitempty"`
		Reason  string   `json:"reason,omitempty"`
		Seconds float64  `json:"seconds"`
	}
	results := make([]result, len(r.Results))
	for i, res := range r.Results {
		results[i] = result{ID: res.ID, Step: res.Step, Action: res.Action, Status: res.Status, Reason: res.Reason,
			Seconds: res.Took.Seconds()}
		if res.Err != nil {
			results[i].Error, results[i].Hints = res.Err.Error(), Hints(res.Err)
		}
	}
	return json.Marshal(struct {
		Version int      `json:"version"`
		Type    string   `json:"type"`
		Started string   `json:"started"`
		Seconds float64  `json:"seconds"`
		Results []result `json:"results"`
	}{1, "report", r.Started.Format(time.RFC3339Nano), r.Took.Seconds(), results})
}

// count returns "1 change" or "2 changes".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
