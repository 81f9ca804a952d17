package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/internal/dag"
)

// PlanVersion is the version of the plan's JSON. It grows when a field changes its meaning or goes; new fields may appear without that.
const PlanVersion = 1

// Step is the unit that [Plan.Apply] runs: the changes that are made together, by one remote script or in one transaction.
type Step struct {
	Name  string   // unique in the plan: "host/pi1", "pg/webapp"
	After []string // names of steps that must have ended well first. Those that the changes' After ask for are found without being named

	// AfterAny are names of steps that must have ended first, well or not.
	AfterAny []string

	// Changes are what the step does, in its order. A step without changes is a gate: it runs when a step it comes after has made
	// changes, and what comes after it waits for it.
	Changes []Change

	// Run makes the changes and tells r of each. A change that r was told nothing of takes its end from what Run returns: done for nil; else
	// it is unknown when it was begun, and not run when it was not. Run skips what depends on a change of its own that failed.
	Run func(ctx context.Context, r *Recorder) error
}

// Plan is what would have to be done: changes, in steps. A plan is made by reading the world and is good for one [Plan.Apply]. The zero
// Plan is empty.
type Plan struct{ steps []Step }

// NewPlan returns the plan of the steps, ordered so that each comes after those it depends on and otherwise as given. An ID or a name that
// occurs twice, changes without a Run, a dependency on what is not there, and a cycle are errors of whoever made the steps.
func NewPlan(steps ...Step) (*Plan, error) {
	fail := func(path, format string, args ...any) (*Plan, error) {
		return nil, &Error{Op: "make plan", Path: path, Hint: "report this: the package that planned it has a fault", Err: fmt.Errorf(format, args...)}
	}
	index := map[string]int{}
	stepOf := map[string]int{} // of a change
	for n, s := range steps {
		if _, ok := index[s.Name]; ok {
			return fail(s.Name, "%w: two steps have this name", ErrConflict)
		}
		if len(s.Changes) > 0 && s.Run == nil {
			return fail(s.Name, "%w: nothing makes its changes", ErrInvalid)
		}
		index[s.Name] = n
		for _, c := range s.Changes {
			if _, ok := stepOf[c.ID]; ok {
				return fail(c.ID, "%w: two changes have this ID", ErrConflict)
			}
			stepOf[c.ID] = n
		}
	}
	after := make([][]int, len(steps)) // those that must have ended well
	behind := make([][]int, len(steps))
	for n, s := range steps {
		for _, name := range s.AfterAny {
			m, ok := index[name]
			if !ok {
				return fail(s.Name, "%w: the step %s that it comes behind", ErrNotFound, name)
			}
			behind[n] = append(behind[n], m)
		}
		for _, name := range s.After {
			m, ok := index[name]
			if !ok {
				return fail(s.Name, "%w: the step %s that it comes after", ErrNotFound, name)
			}
			after[n] = append(after[n], m)
		}
		seen := map[string]bool{}
		for _, c := range s.Changes {
			for _, id := range c.After {
				m, ok := stepOf[id]
				switch {
				case !ok:
					return fail(c.ID, "%w: the change %s that it comes after", ErrNotFound, id)
				case m != n:
					after[n] = append(after[n], m)
				case !seen[id]:
					return fail(c.ID, "it stands before %s, which it comes after", id)
				}
			}
			seen[c.ID] = true
		}
	}
	order, cycle := dag.Sort(len(steps), func(n int) []int { return slices.Concat(behind[n], after[n]) })
	if cycle != nil {
		return fail("", "a cycle of steps through %s", steps[cycle[0]].Name)
	}
	p := &Plan{}
	for _, n := range order {
		s := steps[n]
		s.After = []string{}
		for _, m := range after[n] {
			if !slices.Contains(s.After, steps[m].Name) {
				s.After = append(s.After, steps[m].Name)
			}
		}
		p.steps = append(p.steps, s)
	}
	return p, nil
}

// Join returns one plan with the steps of all. A nil plan adds nothing.
func Join(plans ...*Plan) (*Plan, error) {
	var steps []Step
	for _, p := range plans {
		if p != nil {
			steps = append(steps, p.steps...)
		}
	}
	return NewPlan(steps...)
}

// Steps returns the plan's steps in order, for joining them with others.
func (p *Plan) Steps() []Step {
	if p == nil {
		return nil
	}
	return slices.Clone(p.steps)
}

// Changes returns the plan's changes in order.
func (p *Plan) Changes() []Change {
	var all []Change
	if p != nil {
		for _, s := range p.steps {
			all = append(all, s.Changes...)
		}
	}
	return all
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Changes()) == 0 }

// Risk returns the highest risk of its changes.
func (p *Plan) Risk() (r Risk) {
	for _, c := range p.Changes() {
		r = max(r, c.Risk)
	}
	return r
}

var actionSigns = map[Action]string{Create: "+", Update: "~", Replace: "±", Delete: "-", Run: "!"}

// Sign returns one character for the action, for lists: + ~ ± - !
func (a Action) Sign() string {
	if s, ok := actionSigns[a]; ok {
		return s
	}
	return "?"
}

// String returns the plan for people: the changes by step, each with its cause, its risk and its diff, and a summary line.
func (p *Plan) String() string {
	var b strings.Builder
	for _, s := range p.Steps() {
		if len(s.Changes) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s\n", Printable(s.Name))
		for _, c := range s.Changes {
			fmt.Fprintf(&b, "  %s %-7s %s", c.Action.Sign(), c.Action, Printable(strings.TrimPrefix(c.ID, s.Name+"/")))
			if c.Cause != "" {
				fmt.Fprintf(&b, ": %s", printableLine(c.Cause))
			}
			if c.Risk > RiskNone {
				fmt.Fprintf(&b, " [%s]", c.Risk)
			}
			if c.Deferred {
				b.WriteString(" [deferred]")
			}
			b.WriteByte('\n')
			if c.Diff != "" {
				for line := range strings.Lines(c.Diff) {
					fmt.Fprintf(&b, "      %s\n", printableLine(strings.TrimSuffix(line, "\n")))
				}
			}
		}
	}
	b.WriteString(p.Summary() + "\n")
	return b.String()
}

// Summary returns one line: "3 changes: 1 to create, 1 to update, 1 to run; risk restart", or "nothing to do".
func (p *Plan) Summary() string {
	changes := p.Changes()
	if len(changes) == 0 {
		return "nothing to do"
	}
	var parts []string
	for _, a := range []Action{Create, Update, Replace, Delete, Run} {
		n := 0
		for _, c := range changes {
			if c.Action == a {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", n, a))
		}
	}
	s := count(len(changes), "change") + ": " + strings.Join(parts, ", ")
	if r := p.Risk(); r > RiskNone {
		s += "; risk " + r.String()
	}
	return s
}

// savedPlan is the plan's JSON.
type savedPlan struct {
	Version int      `json:"version"`
	Type    string   `json:"type"`
	Changes []Change `json:"changes"`
}

// MarshalJSON writes {"version":1,"type":"plan","changes":[{"id","action","cause","diff","after","risk"}]}, the changes in order.
func (p *Plan) MarshalJSON() ([]byte, error) {
	changes := p.Changes()
	if changes == nil {
		changes = []Change{}
	}
	return json.Marshal(savedPlan{PlanVersion, "plan", changes})
}

// ReadChanges reads the changes of a plan that was written as JSON, for [Plan.Within].
func ReadChanges(data []byte) ([]Change, error) {
	var s savedPlan
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, &Error{Op: "read plan", Hint: "write it again", Err: fmt.Errorf("%w: %w", ErrInvalid, err)}
	}
	if s.Type != "plan" || s.Version != PlanVersion {
		return nil, &Error{Op: "read plan", Hint: "write it again with this version of the program",
			Err: fmt.Errorf("%w: type %q version %d, not a plan of version %d", ErrInvalid, s.Type, s.Version, PlanVersion)}
	}
	return s.Changes, nil
}

// Within reports as [ErrDrift] whatever the plan would do that reviewed, an earlier plan of the same, did not say just so: the world may
// have moved towards what is wanted since the review, so that changes fell away, and nothing else.
func (p *Plan) Within(reviewed []Change) error {
	known := map[string]Change{}
	for _, c := range reviewed {
		known[c.ID] = c
	}
	var more []string
	for _, c := range p.Changes() {
		k, ok := known[c.ID]
		if !ok || k.Action != c.Action || k.Diff != c.Diff || k.Risk != c.Risk {
			more = append(more, c.ID)
		}
	}
	if len(more) == 0 {
		return nil
	}
	return &Error{Op: "apply reviewed plan", Path: more[0], Hint: "plan again and review it",
		Err: fmt.Errorf("%w: %s would be made that the reviewed plan does not hold, or holds otherwise: %s", ErrDrift, count(len(more), "change"), strings.Join(more, ", "))}
}
