package lab

import (
	"fmt"
	"slices"
	"strings"
)

// Only returns the plan of those steps whose changes match one of the globs, see [Globs]: by
// their ID, or by what follows the step's name in it, as plans show it. Without globs it returns
// the whole plan.
//
// A step is made whole. One of which only some changes match is an [ErrRefused], whose hint is the
// glob for all of it. What the steps that stay come after and that is left out is taken to be
// right. A gate stays when a step that it comes after does.
func (p *Plan) Only(globs ...string) (*Plan, error) {
	if len(globs) == 0 || p == nil {
		return Join(p)
	}
	var steps []Step
	names, ids := map[string]bool{}, map[string]bool{}
	for _, s := range p.steps {
		var left []string
		for _, c := range s.Changes {
			if !selects(globs, s.Name, c.ID) {
				left = append(left, c.ID)
			}
		}
		gate := len(s.Changes) == 0 && slices.ContainsFunc(s.After, func(name string) bool { return names[name] })
		switch {
		case len(s.Changes) == len(left) && !gate:
			continue
		case len(left) > 0:
			return nil, &Error{Op: "select changes", Path: s.Name, Hint: fmt.Sprintf("select all of it: %s/*", s.Name),
				Err: fmt.Errorf("%w: it is made whole, and %s of it would be left out: %s",
					ErrRefused, count(len(left), "change"), strings.Join(left, ", "))}
		}
		names[s.Name] = true
		for _, c := range s.Changes {
			ids[c.ID] = true
		}
		steps = append(steps, s)
	}
	for i, s := range steps {
		gone := func(name string) bool { return !names[name] }
		steps[i].After = slices.DeleteFunc(slices.Clone(s.After), gone)
		steps[i].AfterAny = slices.DeleteFunc(slices.Clone(s.AfterAny), gone)
		steps[i].Changes = slices.Clone(s.Changes)
		for j, c := range s.Changes {
			steps[i].Changes[j].After = slices.DeleteFunc(slices.Clone(c.After),
				func(id string) bool { return !ids[id] })
		}
	}
	return NewPlan(steps...)
}

// selects reports whether one of the globs matches a change of a step.
func selects(globs []string, step, id string) bool {
	short := strings.TrimPrefix(id, step+"/")
	return Globs(globs).Match(id) || Globs(globs).Match(short)
}
