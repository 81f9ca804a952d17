package lab

import (
	"encoding/json"
	"fmt"
)

// Verdict says how something that was examined is.
type Verdict int

// The verdicts, in ascending order of how much they matter.
const (
	VerdictOK      Verdict = iota
	VerdictUnknown         // it could not be examined
	VerdictWarning         // it works, and needs attention
	VerdictBad             // it does not work, or will soon not
)

var verdictNames = []string{"ok", "unknown", "warning", "bad"}

// String returns the verdict's name: ok, unknown, warning or bad.
func (v Verdict) String() string {
	if v < 0 || int(v) >= len(verdictNames) {
		return fmt.Sprintf("Verdict(%d)", int(v))
	}
	return verdictNames[v]
}

// MarshalText returns the verdict's name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Finding is what was found when one thing was examined: a row of a doctor's table. It changes
// nothing, and is no change to be made; that is a [Change].
type Finding struct {
	Target  string  // the object: "pi1"
	Check   string  // what was examined: "disk space"
	Verdict Verdict // how it is
	Text    string  // what was found, in a line: "/ is 91% full, 5.2 GiB are free"
	Hint    string  // the next step, preferably the command to type; empty if there is none
	Set     Setting // what Hint asks to set; the zero value if nothing
}

// Reword returns the finding with its hint completed as by [Reword].
func (f Finding) Reword(say func(Setting) string) Finding {
	f.Hint = reworded(f.Hint, f.Set, say)
	return f
}

// MarshalJSON returns the finding as one flat object: "type":"finding", "target", "check",
// "verdict", "text" and, unless it is empty, "hint".
func (f Finding) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Type    string  `json:"type"`
		Target  string  `json:"target"`
		Check   string  `json:"check"`
		Verdict Verdict `json:"verdict"`
		Text    string  `json:"text"`
		Hint    string  `json:"hint,omitempty"`
	}{"finding", f.Target, f.Check, f.Verdict, f.Text, f.Hint})
}
