package lab

import (
	"fmt"
	"slices"
)

// Action is what a change does.
type Action string

// The actions.
const (
	Create  Action = "create"  // it does not exist
	Update  Action = "update"  // it is changed in place
	Replace Action = "replace" // it is removed and recreated
	Delete  Action = "delete"
	Run     Action = "run" // something is done, and no object changes: a restart, a reload, a reboot, a command
)

// Risk is how much harm a change can do. Guards and confirmations depend on it.
type Risk int

// The risks, in ascending order.
const (
	RiskNone     Risk = iota
	RiskRestart       // a service restarts: seconds
	RiskDisrupt       // a machine reboots, or users notice
	RiskDataLoss      // the only copy of data may be lost: never done without a [Confirmation] of this change
)

var riskNames = []string{"none", "restart", "disrupt", "dataloss"}

// String returns the risk's name: none, restart, disrupt or dataloss.
func (r Risk) String() string {
	if r < 0 || int(r) >= len(riskNames) {
		return fmt.Sprintf("Risk(%d)", int(r))
	}
	return riskNames[r]
}

// MarshalText returns the risk's name.
func (r Risk) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the risk's name.
func (r *Risk) UnmarshalText(text []byte) error {
	n := slices.Index(riskNames, string(text))
	if n < 0 {
		return &Error{Op: "read risk", Path: string(text), Hint: "one of none, restart, disrupt, dataloss", Err: ErrInvalid}
	}
	*r = Risk(n)
	return nil
}

// Change is one thing that a plan does when it is applied.
type Change struct {
	// stable and unique in a plan: "host/pi1/file:/etc/hosts", "pg/webapp/role:webapp_role"
	ID     string   `json:"id"`
	Action Action   `json:"action"`          // what is done
	Cause  string   `json:"cause,omitempty"` // why: "not found", "content differs", "notified by file:/etc/k3s.yaml"
	Diff   string   `json:"diff,omitempty"`  // unified, secrets masked; empty if there is nothing to show
	After  []string `json:"after,omitempty"` // IDs of changes of this plan that must be done first

	// Deferred means that what exactly is done is decided only when the changes that it comes after
	// have been made.
	Deferred bool `json:"deferred,omitempty"`

	Risk Risk `json:"risk"`
}

// Confirmation is a person's consent to one change with [RiskDataLoss], given by repeating the
// change's ID. It can only be created by [Confirm]: decoding one from a document fails, so that no
// configuration file can contain it.
type Confirmation struct{ id string }

// Confirm confirms the change with this ID. Call it with what a person typed.
func Confirm(id string) Confirmation { return Confirmation{id} }

// UnmarshalText refuses.
func (*Confirmation) UnmarshalText([]byte) error {
	return &Error{Op: "read confirmation", Hint: "type it on the command line",
		Err: fmt.Errorf("%w: a confirmation cannot come from a document", ErrRefused)}
}
