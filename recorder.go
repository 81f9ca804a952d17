package lab

import (
	"slices"
	"time"
)

// Recorder is how a step reports the progress and the results of its changes. It is safe for
// concurrent use.
type Recorder struct {
	e    *execution
	step *Step
}

// Start records that the change is being made.
func (r *Recorder) Start(id string) {
	r.e.mu.Lock()
	r.result(id)
	r.e.started[id] = time.Now()
	r.e.mu.Unlock()
	r.e.send(Event{Kind: EventStart, Target: r.step.Name, Change: id})
}

// Done records that the change has ended, successfully if err is nil. A failure that is reported
// after a success, by a later check, replaces it.
func (r *Recorder) Done(id string, err error) {
	status := StatusDone
	if err != nil {
		status = StatusFailed
	}
	r.end(id, status, "", err)
}

// Skip records that the change is not made, and why: something that it depends on failed.
func (r *Recorder) Skip(id, reason string) { r.end(id, StatusSkipped, reason, nil) }

// RolledBack records that the change was made and then rolled back, and why.
func (r *Recorder) RolledBack(id, reason string) { r.end(id, StatusRolledBack, reason, nil) }

func (r *Recorder) end(id string, status Status, reason string, err error) {
	r.e.mu.Lock()
	res := r.result(id)
	if res.Status != "" && (res.Status != StatusDone || status == StatusDone) {
		r.e.mu.Unlock()
		return // the first result counts, but a success may become a failure
	}
	res.Status, res.Reason, res.Err = status, reason, err
	if at, ok := r.e.started[id]; ok {
		res.Took = time.Since(at)
	}
	r.e.mu.Unlock()
	r.e.send(Event{Kind: EventDone, Target: r.step.Name, Change: id, Status: status, Text: reason, Err: err})
}

// Status returns what is recorded of the change so far: [StatusUnknown] if it was started and has not ended, and
// [StatusNotRun] if it was not started.
func (r *Recorder) Status(id string) Status {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	_, started := r.e.started[id]
	switch s := r.result(id).Status; {
	case s != "":
		return s
	case started:
		return StatusUnknown
	}
	return StatusNotRun
}

// result returns the result of one of the step's changes.
func (r *Recorder) result(id string) *Result {
	if !slices.ContainsFunc(r.step.Changes, func(c Change) bool { return c.ID == id }) {
		r.e.mu.Unlock()
		panic("lab: step " + r.step.Name + " has no change " + id)
	}
	return r.e.results[id]
}

// Output reports a line that the change printed. The caller must have masked the secrets in it.
func (r *Recorder) Output(id, line string) {
	r.e.send(Event{Kind: EventOutput, Target: r.step.Name, Change: id, Text: line})
}

// Wait reports what the step is waiting for.
func (r *Recorder) Wait(what string) {
	r.e.send(Event{Kind: EventWait, Target: r.step.Name, Text: what})
}

// Note reports anything else that a person would want to know.
func (r *Recorder) Note(text string) {
	r.e.send(Event{Kind: EventNote, Target: r.step.Name, Text: text})
}

// Progress reports how much of the change is done, in bytes or whatever unit says. A total of 0
// means that it is unknown.
func (r *Recorder) Progress(id string, done, total int64, unit string) {
	r.e.send(Event{Kind: EventOutput, Target: r.step.Name, Change: id, Done: done, Total: total, Unit: unit})
}
