package lab

import (
	"encoding/json"
	"time"
)

// EventKind says what an [Event] reports.
type EventKind string

// The kinds of events.
const (
	EventBegin  EventKind = "begin"  // a plan is being applied; Total is the number of its changes
	EventStart  EventKind = "start"  // a change begins
	EventDone   EventKind = "done"   // a change has ended; Status says how
	EventOutput EventKind = "output" // a line that the change printed, secrets masked
	EventWait   EventKind = "wait"   // a step is waiting; Text says for what
	EventNote   EventKind = "note"   // anything else that a person would want to know

	// EventDoing reports what is done that is no change: Text is "connecting to pi1", or empty when
	// that, or the whole step, has ended. The same Text again says how much of it is done.
	EventDoing EventKind = "doing"
)

// Event reports progress. Libraries never print; they pass events to the function in [ApplyOptions].
type Event struct {
	Time   time.Time
	Kind   EventKind
	Target string // the step of the plan, "host/pi1"; empty if it is about no step
	Change string // the change's ID; empty if it is about no change
	Status Status // of EventDone
	Text   string // for people, one line, secrets masked
	Err    error  // of EventDone, if the change failed

	Done, Total int64 // progress of long work, in Unit; a Total of 0 means unknown
	Unit        string
}

// MarshalJSON returns the event as one flat object: "type":"event", "kind", "time" (RFC 3339), and
// those of "target", "change", "status", "text", "error", "done", "total" and "unit" that are not
// empty.
func (e Event) MarshalJSON() ([]byte, error) {
	v := struct {
		Type   string    `json:"type"`
		Kind   EventKind `json:"kind"`
		Time   string    `json:"time"`
		Target string    `json:"target,omitempty"`
		Change string    `json:"change,omitempty"`
		Status string    `json:"status,omitempty"`
		Text   string    `json:"text,omitempty"`
		Error  string    `json:"error,omitempty"`
		Done   int64     `json:"done,omitempty"`
		Total  int64     `json:"total,omitempty"`
		Unit   string    `json:"unit,omitempty"`
	}{"event", e.Kind, e.Time.Format(time.RFC3339Nano), e.Target, e.Change, string(e.Status),
		e.Text, "", e.Done, e.Total, e.Unit}
	if e.Err != nil {
		v.Error = e.Err.Error()
	}
	return json.Marshal(v)
}
