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
	Action Action
	Status Status
	Err    error         // why it failed, or why its outcome is unknown
	Reason string        // why it was skipped, not run or rolled back
	Took   time.Duration // from its start to its end; 0 if it was not started
}

// Report is the outcome of [Plan.Apply]. It always has one result for every change of the plan, in
// the plan's order.
type Report struct {
	Results []Result
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

// String returns the changes that were not done, one per line with the reason, and the summary.
func (r *Report) String() string {
	var b strings.Builder
	for _, res := range r.Results {
		if res.Status == StatusDone {
			continue
		}
		why := res.Reason
		if res.Err != nil {
			why = res.Err.Error()
		}
		fmt.Fprintf(&b, "  %-11s %s: %s\n", res.Status, Printable(res.ID), PrintableText(why, "              "))
	}
	b.WriteString(r.Summary() + "\n")
	return b.String()
}

// MarshalJSON returns {"version":1,"type":"report","started":...,"seconds":...,"results":[...]},
// with results of the form {"id","action","status","error","reason","seconds"}. The version is
// incremented if the meaning of a field changes or a field is removed.
func (r *Report) MarshalJSON() ([]byte, error) {
	type result struct {
		ID      string  `json:"id"`
		Action  Action  `json:"action"`
		Status  Status  `json:"status"`
		Error   string  `json:"error,omitempty"`
		Reason  string  `json:"reason,omitempty"`
		Seconds float64 `json:"seconds"`
	}
	results := make([]result, len(r.Results))
	for i, res := range r.Results {
		results[i] = result{res.ID, res.Action, res.Status, "", res.Reason, res.Took.Seconds()}
		if res.Err != nil {
			results[i].Error = res.Err.Error()
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
