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

// ApplyOptions say how a plan is applied. The zero value, and nil, are good.
type ApplyOptions struct {
	Parallel  int            // steps at once; 0 means 8
	FailFast  bool           // begin no further step when one failed; else what does not depend on it goes on
	Confirmed []Confirmation // of the changes with RiskDataLoss, one each
	Events    func(Event)    // told of progress, one call at a time, none after Apply returned; nil means nobody wants to know
}

// Apply does exactly what the plan says: its steps as a graph, each when those it comes after ended well. It returns a report even when the
// error is not nil; the error is the report's [Report.Err].
//
// Before anything is done every change with [RiskDataLoss] must have its [Confirmation], else nothing is done and the error, an
// [ErrRefused], names them all. When ctx ends, no further step begins, those that run are told through their context, and the report says
// of each change whether it was made.
func (p *Plan) Apply(ctx context.Context, o *ApplyOptions) (*Report, error) {
	if o == nil {
		o = &ApplyOptions{}
	}
	if p == nil {
		p = &Plan{}
	}
	e := newExecution(p, o)
	if err := e.unconfirmed(); err != nil {
		e.stopped = "the plan was refused"
		r := e.report()
		r.errs = []error{err}
		return r, r.Err()
	}
	e.run(ctx)
	e.eventMu.Lock()
	e.over = true
	e.eventMu.Unlock()
	r := e.report()
	return r, r.Err()
}

// execution is one Apply.
type execution struct {
	plan    *Plan
	options *ApplyOptions
	started time.Time
	stopped string // why no further step is begun; empty while they are

	mu      sync.Mutex
	results map[string]*Result
	begun   map[string]time.Time
	ended   map[string]error // of steps: nil when it ended well
	errs    []error          // of steps that are not the error of a change
	eventMu sync.Mutex
	over    bool // no event is told any more: Apply returns
}

func newExecution(p *Plan, o *ApplyOptions) *execution {
	e := &execution{plan: p, options: o, started: time.Now(), results: map[string]*Result{}, begun: map[string]time.Time{}, ended: map[string]error{}}
	for _, c := range p.Changes() {
		e.results[c.ID] = &Result{ID: c.ID, Action: c.Action}
	}
	return e
}

// unconfirmed returns an error that names the changes that need a confirmation and have none.
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
	return &Error{Op: "apply plan", Path: missing[0], Hint: "look at each of them, and confirm each by its ID",
		Err: fmt.Errorf("%w: data may be lost, and nobody confirmed it: %s", ErrRefused, strings.Join(missing, ", "))}
}

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
			e.stopped = "the run was stopped: " + context.Cause(ctx).Error()
			e.mu.Lock()
			e.errs = append(e.errs, &Error{Op: "apply plan", Hint: "run it again: it goes on from here", Err: context.Cause(ctx)})
			e.mu.Unlock()
		}
		var still []*Step
		for _, s := range waiting {
			blocked, failed, afterChange := false, "", false
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
		moved := len(still) < len(waiting)
		waiting = still
		if running == 0 || moved && len(waiting) > 0 && running < parallel {
			continue
		}
		end := <-endings
		running--
		e.ended[end.step.Name] = end.err
		if end.err != nil && e.options.FailFast && e.stopped == "" {
			e.stopped = "the run was stopped: " + end.step.Name + " failed"
		}
	}
}

// skip records that the step was not run because the one it comes after failed.
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
		e.tell(Event{Kind: EventDone, Target: s.Name, Change: c.ID, Status: StatusSkipped, Text: reason})
	}
}

// step runs one step and settles the results of its changes. A panic in it is its own failure, not that of the whole run.
func (e *execution) step(ctx context.Context, s *Step) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Error{Op: "run step", Target: s.Name, Hint: "report this: the package that planned it has a fault", Err: fmt.Errorf("panic: %v", v)}
		}
		err = e.settle(s, err)
	}()
	if s.Run == nil {
		return nil
	}
	return s.Run(ctx, &Recorder{e, s})
}

// settle gives every change of the step that has no result yet the one that follows from the end of the step.
func (e *execution) settle(s *Step, err error) error {
	var told []Event
	e.mu.Lock()
	failed := err
	reported := false
	for _, c := range s.Changes {
		r := e.results[c.ID]
		if r.Status == "" {
			at, begun := e.begun[c.ID]
			switch {
			case err == nil:
				r.Status = StatusDone
			case begun:
				r.Status, r.Err, r.Took = StatusUnknown, err, time.Since(at)
				reported = true
			default:
				r.Status, r.Reason = StatusNotRun, err.Error()
			}
			told = append(told, Event{Kind: EventDone, Target: s.Name, Change: c.ID, Status: r.Status, Text: r.Reason, Err: r.Err})
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
	for _, ev := range told {
		e.tell(ev)
	}
	return failed
}

// report returns the results in the plan's order.
func (e *execution) report() *Report {
	e.mu.Lock() // a step may have left something running that still tells
	defer e.mu.Unlock()
	r := &Report{Started: e.started, Took: time.Since(e.started), errs: e.errs}
	for _, c := range e.plan.Changes() {
		res := e.results[c.ID]
		if res.Status == "" {
			res.Status, res.Reason = StatusNotRun, e.stopped
		}
		r.Results = append(r.Results, *res)
	}
	return r
}

func (e *execution) tell(ev Event) {
	if e.options.Events == nil {
		return
	}
	ev.Time = time.Now()
	e.eventMu.Lock()
	defer e.eventMu.Unlock()
	if !e.over {
		e.options.Events(ev)
	}
}

// Recorder is how a step tells what becomes of its changes. It is safe for concurrent use.
type Recorder struct {
	e    *execution
	step *Step
}

// Start records that the change begins.
func (r *Recorder) Start(id string) {
	r.e.mu.Lock()
	r.result(id)
	r.e.begun[id] = time.Now()
	r.e.mu.Unlock()
	r.e.tell(Event{Kind: EventStart, Target: r.step.Name, Change: id})
}

// Done records that the change ended: well when err is nil. A failure that is told after a good end, by a check, replaces it.
func (r *Recorder) Done(id string, err error) {
	status := StatusDone
	if err != nil {
		status = StatusFailed
	}
	r.end(id, status, "", err)
}

// Skip records that the change is not made, and why: something it depends on failed.
func (r *Recorder) Skip(id, reason string) { r.end(id, StatusSkipped, reason, nil) }

// RolledBack records that the change, which was made, was taken back, and why.
func (r *Recorder) RolledBack(id, reason string) { r.end(id, StatusRolledBack, reason, nil) }

func (r *Recorder) end(id string, status Status, reason string, err error) {
	r.e.mu.Lock()
	res := r.result(id)
	if res.Status != "" && (res.Status != StatusDone || status == StatusDone) {
		r.e.mu.Unlock()
		return // the first word stands, except that a success may be taken back
	}
	res.Status, res.Reason, res.Err = status, reason, err
	if at, ok := r.e.begun[id]; ok {
		res.Took = time.Since(at)
	}
	r.e.mu.Unlock()
	r.e.tell(Event{Kind: EventDone, Target: r.step.Name, Change: id, Status: status, Text: reason, Err: err})
}

// result returns the result of one of the step's changes.
func (r *Recorder) result(id string) *Result {
	if !slices.ContainsFunc(r.step.Changes, func(c Change) bool { return c.ID == id }) {
		r.e.mu.Unlock()
		panic("lab: step " + r.step.Name + " has no change " + id)
	}
	return r.e.results[id]
}

// Output passes on a line that the change printed. The caller has masked the secrets in it.
func (r *Recorder) Output(id, line string) {
	r.e.tell(Event{Kind: EventOutput, Target: r.step.Name, Change: id, Text: line})
}

// Wait tells what the step waits for.
func (r *Recorder) Wait(what string) {
	r.e.tell(Event{Kind: EventWait, Target: r.step.Name, Text: what})
}

// Note tells anything else that a person would want to know.
func (r *Recorder) Note(text string) {
	r.e.tell(Event{Kind: EventNote, Target: r.step.Name, Text: text})
}

// Progress tells how far the change is, in bytes or whatever unit says; total 0 means not known.
func (r *Recorder) Progress(id string, done, total int64, unit string) {
	r.e.tell(Event{Kind: EventOutput, Target: r.step.Name, Change: id, Done: done, Total: total, Unit: unit})
}
