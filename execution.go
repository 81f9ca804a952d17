package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// execution is one Apply.
type execution struct {
	plan    *Plan
	options *ApplyOptions
	begin   time.Time
	stopped string // why no further step is started; empty as long as steps are started

	mu      sync.Mutex
	results map[string]*Result
	started map[string]time.Time     // by change
	ended   map[string]error         // by step; nil if it succeeded
	took    map[string]time.Duration // by step
	errs    []error                  // of steps, other than those of their changes

	eventMu  sync.Mutex
	returned bool // Apply returns: no event is sent any more
}

func newExecution(p *Plan, o *ApplyOptions) *execution {
	e := &execution{
		plan: p, options: o, begin: time.Now(),
		results: map[string]*Result{}, started: map[string]time.Time{}, ended: map[string]error{},
		took: map[string]time.Duration{},
	}
	for _, c := range p.Changes() {
		e.results[c.ID] = &Result{ID: c.ID, Action: c.Action}
	}
	for _, s := range p.Steps() {
		for _, c := range s.Changes {
			e.results[c.ID].Step = s.Name
		}
	}
	return e
}

// unconfirmed returns an error that names the changes that lack a confirmation.
func (e *execution) unconfirmed() error {
	var missing []string
	for _, c := range e.plan.Changes() {
		if c.Risk >= RiskDataLoss && !slices.Contains(e.options.Confirmed, Confirmation{c.ID}) {
			missing = append(missing, c.ID)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &Error{Op: "apply plan", Path: missing[0], Hint: "review each of them, and confirm it by its ID",
		Err: fmt.Errorf("%w: data may be lost, which was not confirmed: %s", ErrRefused, strings.Join(missing, ", "))}
}

// errSkipped is the end of a step that was not run, or that did not make all of its changes.
var errSkipped = errors.New("skipped")

// run runs the steps as a graph.
func (e *execution) run(ctx context.Context) {
	parallel := e.options.Parallel
	if parallel <= 0 {
		parallel = 8
	}
	type ending struct {
		step *Step
		err  error
	}
	endings := make(chan ending)
	waiting := make([]*Step, len(e.plan.steps))
	for i := range e.plan.steps {
		waiting[i] = &e.plan.steps[i]
	}
	running := 0
	changed := map[string]bool{} // steps that made changes, for gates
	for len(waiting) > 0 || running > 0 {
		if e.stopped == "" && ctx.Err() != nil {
			e.stop(context.Cause(ctx))
		}
		var still []*Step
		for _, s := range waiting {
			blocked, failed, afterChange := e.predecessors(s, changed)
			switch {
			case failed != "":
				e.skip(s, failed)
			case e.stopped != "":
				e.ended[s.Name] = errSkipped
			case blocked || running >= parallel:
				still = append(still, s)
			case len(s.Changes) == 0 && !afterChange:
				e.ended[s.Name] = nil
			default:
				changed[s.Name] = len(s.Changes) > 0 || afterChange
				running++
				go func() { endings <- ending{s, e.step(ctx, s)} }()
			}
		}
		progress := len(still) < len(waiting)
		waiting = still
		if running == 0 || progress && len(waiting) > 0 && running < parallel {
			continue // another step may be ready now
		}
		end := <-endings
		running--
		e.ended[end.step.Name] = end.err
		if end.err != nil && e.options.FailFast && e.stopped == "" {
			e.stopped = "the run was stopped: " + end.step.Name + " failed"
		}
	}
}

// stop starts no further step.
func (e *execution) stop(cause error) {
	e.stopped = "the run was stopped: " + cause.Error()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.errs = append(e.errs, &Error{Op: "apply plan", Hint: "run it again: it continues from here", Err: cause})
}

// predecessors reports whether the step has to wait for others, which step that it depends on
// failed, if any, and whether one of those that it comes after made changes.
func (e *execution) predecessors(s *Step, changed map[string]bool) (blocked bool, failed string, afterChange bool) {
	for _, name := range s.After {
		err, ended := e.ended[name]
		switch {
		case !ended:
			blocked = true
		case err != nil:
			failed = name
		}
		afterChange = afterChange || changed[name]
	}
	for _, name := range s.AfterAny {
		_, ended := e.ended[name]
		blocked = blocked || !ended
		afterChange = afterChange || changed[name]
	}
	return blocked, failed, afterChange
}

// skip records that the step was not run because a step that it comes after failed.
func (e *execution) skip(s *Step, failed string) {
	e.ended[s.Name] = errSkipped
	for _, c := range s.Changes {
		e.mu.Lock()
		reason := failed + " failed"
		for _, id := range c.After {
			if e.results[id].Status != StatusDone {
				reason = id + " was not done"
				break
			}
		}
		e.results[c.ID].Status, e.results[c.ID].Reason = StatusSkipped, reason
		e.mu.Unlock()
		e.send(Event{Kind: EventDone, Target: s.Name, Change: c.ID, Status: StatusSkipped, Text: reason})
	}
}

// step runs one step and completes the results of its changes. A panic fails the step, not the
// whole run.
func (e *execution) step(ctx context.Context, s *Step) (err error) {
	begin := time.Now()
	defer func() {
		if v := recover(); v != nil {
			err = &Error{Op: "run step", Target: s.Name, Hint: hintBug, Err: fmt.Errorf("panic: %v", v)}
		}
		err = e.complete(s, err)
		e.mu.Lock()
		e.took[s.Name] = time.Since(begin)
		e.mu.Unlock()
		e.send(Event{Kind: EventDoing, Target: s.Name})
	}()
	if s.Run == nil {
		return nil
	}
	return s.Run(ctx, &Recorder{e, s})
}

// complete gives every change of the step that has no result yet the one that follows from how the
// step ended. It returns an error unless all changes are done.
func (e *execution) complete(s *Step, err error) error {
	var events []Event
	e.mu.Lock()
	failed := err
	reported := false
	for _, c := range s.Changes {
		r := e.results[c.ID]
		if r.Status == "" {
			at, started := e.started[c.ID]
			switch {
			case err == nil:
				r.Status = StatusDone
			case started:
				r.Status, r.Err, r.Took = StatusUnknown, err, time.Since(at)
				reported = true
			default:
				r.Status, r.Reason = StatusNotRun, err.Error()
			}
			events = append(events, Event{
				Kind: EventDone, Target: s.Name, Change: c.ID, Status: r.Status, Text: r.Reason, Err: r.Err,
			})
		}
		if r.Status != StatusDone && failed == nil {
			failed = errSkipped
		}
		if r.Err != nil && err != nil && errors.Is(err, r.Err) {
			reported = true
		}
	}
	if err != nil && !reported {
		e.errs = append(e.errs, err)
	}
	e.mu.Unlock()
	for _, ev := range events {
		e.send(ev)
	}
	return failed
}

// report returns the results in the plan's order.
func (e *execution) report() *Report {
	e.mu.Lock() // a step may have left a goroutine running that still records results
	defer e.mu.Unlock()
	r := &Report{Started: e.begin, Took: time.Since(e.begin), errs: e.errs}
	for _, c := range e.plan.Changes() {
		res := e.results[c.ID]
		if res.Status == "" {
			res.Status, res.Reason = StatusNotRun, e.stopped
		}
		r.Results = append(r.Results, *res)
	}
	for _, s := range e.plan.steps {
		if len(s.Changes) > 0 {
			r.Steps = append(r.Steps, StepTime{Name: s.Name, Took: e.took[s.Name]})
		}
	}
	return r
}

func (e *execution) send(ev Event) {
	if e.options.Events == nil {
		return
	}
	ev.Time = time.Now()
	e.eventMu.Lock()
	defer e.eventMu.Unlock()
	if !e.returned {
		e.options.Events(ev)
	}
}
