package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/internal/dag"
)

// planVersion is the version of the plan's JSON. It is incremented if the meaning of a field
// changes or a field is removed, but not if a field is added.
const planVersion = 1

// Step is the unit that [Plan.Apply] runs: the changes that are made together, by one remote script
// or in one transaction.
type Step struct {
	Name string // unique in the plan: "host/pi1", "pg/webapp"

	// After are the names of steps that must have succeeded before this one. Steps with changes
	// that a change of this step comes after need not be named.
	After []string

	// AfterAny are the names of steps that must have ended before this one, whether they succeeded
	// or not.
	AfterAny []string

	// Changes are what the step does, in order. A step without changes is a gate: it runs if a step
	// that it comes after has made changes, and steps that come after it wait for it.
	Changes []Change

	// Run makes the changes and reports each of them to r. A change that was not reported gets its
	// status from what Run returns: done if it returns nil; otherwise unknown if the change was
	// started, and not run if it was not. Run itself skips changes that depend on a change of the
	// same step that failed.
	Run func(ctx context.Context, r *Recorder) error
}

// hintBug is the hint of an error that only a bug can cause.
const hintBug = "report this: the package that made the plan has a bug"

// Plan is what has to be done to reach a desired state: changes, in steps. A plan is made from the
// observed state, and can be applied once. The zero Plan is empty.
type Plan struct{ steps []Step }

// NewPlan returns the plan of the steps, ordered so that each comes after those it depends on, and
// otherwise as given. An ID or a name that occurs twice, changes without a Run, a dependency on
// something that is not in the plan, and a cycle are bugs of the caller.
func NewPlan(steps ...Step) (*Plan, error) {
	fail := func(path, format string, args ...any) (*Plan, error) {
		return nil, &Error{Op: "make plan", Path: path, Hint: hintBug, Err: fmt.Errorf(format, args...)}
	}
	index := map[string]int{}
	stepOf := map[string]int{} // of a change
	for n, s := range steps {
		if _, ok := index[s.Name]; ok {
			return fail(s.Name, "%w: two steps have this name", ErrConflict)
		}
		if len(s.Changes) > 0 && s.Run == nil {
			return fail(s.Name, "%w: it has changes, but no Run", ErrInvalid)
		}
		index[s.Name] = n
		for _, c := range s.Changes {
			if _, ok := stepOf[c.ID]; ok {
				return fail(c.ID, "%w: two changes have this ID", ErrConflict)
			}
			stepOf[c.ID] = n
		}
	}
	after, afterAny := make([][]int, len(steps)), make([][]int, len(steps))
	for n, s := range steps {
		for _, name := range s.AfterAny {
			m, ok := index[name]
			if !ok {
				return fail(s.Name, "%w: the step %s in its AfterAny", ErrNotFound, name)
			}
			afterAny[n] = append(afterAny[n], m)
		}
		for _, name := range s.After {
			m, ok := index[name]
			if !ok {
				return fail(s.Name, "%w: the step %s in its After", ErrNotFound, name)
			}
			after[n] = append(after[n], m)
		}
		seen := map[string]bool{}
		for _, c := range s.Changes {
			for _, id := range c.After {
				m, ok := stepOf[id]
				switch {
				case !ok:
					return fail(c.ID, "%w: the change %s in its After", ErrNotFound, id)
				case m != n:
					after[n] = append(after[n], m)
				case !seen[id]:
					return fail(c.ID, "it is listed before %s, which is in its After", id)
				}
			}
			seen[c.ID] = true
		}
	}
	order, cycle := dag.Sort(len(steps), func(n int) []int { return slices.Concat(afterAny[n], after[n]) })
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

// Join returns a plan with the steps of all the plans. Nil plans are ignored.
func Join(plans ...*Plan) (*Plan, error) {
	var steps []Step
	for _, p := range plans {
		if p != nil {
			steps = append(steps, p.steps...)
		}
	}
	return NewPlan(steps...)
}

// Steps returns the plan's steps in order, so that they can be combined with others.
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

// Risk returns the highest risk of the plan's changes.
func (p *Plan) Risk() (r Risk) {
	for _, c := range p.Changes() {
		r = max(r, c.Risk)
	}
	return r
}

var actionSigns = map[Action]string{Create: "+", Update: "~", Replace: "±", Delete: "-", Run: "!"}

// Sign returns one character for the action, for lists: one of + ~ ± - !
func (a Action) Sign() string {
	if s, ok := actionSigns[a]; ok {
		return s
	}
	return "?"
}

// Outline returns what people review of the plan.
func (p *Plan) Outline() *Outline {
	o := &Outline{}
	o.Add("", p)
	return o
}

// String returns the plan for people: the changes by step, each with its cause, its risk and its
// diff, and a summary line.
func (p *Plan) String() string { return p.Outline().String() }

// Brief returns the plan for people in the shortest form, see [Outline.Brief].
func (p *Plan) Brief() string { return p.Outline().Brief() }

// Summary returns one line: "3 changes: 1 to create, 1 to update, 1 to run; risk restart", or
// "nothing to do".
func (p *Plan) Summary() string { return p.Outline().Summary() }

// MarshalJSON returns what [Outline.MarshalJSON] returns.
func (p *Plan) MarshalJSON() ([]byte, error) { return p.Outline().MarshalJSON() }

// Within returns an [ErrDrift] unless the plan only has changes that are also in reviewed, the
// changes of an earlier plan: changes may have become unnecessary since the review, but none may be
// new or different.
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
		Err: fmt.Errorf("%w: %s not as in the reviewed plan: %s", ErrDrift,
			count(len(more), "change"), strings.Join(more, ", "))}
}
