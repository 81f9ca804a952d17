package ovh

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/mark"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// field is what is compared of an object: what is wanted of it, and what it is now. A set of names has one in a line.
type field struct{ name, want, has string }

// set describes a set of names.
func set(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return strings.Join(slices.Compact(names), "\n") + "\n"
}

// lines are the names of a set.
func lines(set string) []string {
	if set = strings.TrimSpace(set); set == "" {
		return nil
	}
	return strings.Split(set, "\n")
}

// delta compares the fields of an object: all of one that is not there, those that differ of one that is.
func delta(name string, exists bool, fields ...field) reconcile.Delta {
	var all reconcile.Fields
	for _, f := range fields {
		if strings.HasSuffix(f.want, "\n") { // a set
			all.Lines(f.name, lines(f.want), lines(f.has))
		} else {
			all.Exact(f.name, f.want, f.has)
		}
	}
	if !exists {
		return all.Created(name)
	}
	return all.Changed(name)
}

// described is a description with our mark at its end.
func (r *run) described(description, kind, name string) string {
	m := mark.Mark{Stack: r.spec.stack(), Kind: kind, Name: name}.String()
	if description == "" {
		return m
	}
	return description + "; " + m
}

// ours returns the name that a description says an object of this kind has among ours.
func (r *run) ours(description, kind string) (name string, ours bool) {
	m, ok := mark.Parse(description)
	return m.Name, ok && m.Stack == r.spec.stack() && m.Kind == kind
}

// conflict is the error about an object of a wanted name that is not known to be ours.
func (r *run) conflict(kind, name, description string) error {
	if stack := r.conflictingStack(description); stack != "" {
		return r.fail("plan "+kind, name, "remove it from the other stack, or from this one", lab.ErrConflict,
			"it belongs to the stack "+lab.Printable(stack))
	}
	return r.foreign("plan "+kind, name, "one of this name exists, and is not known to be ours")
}

func (r *run) foreign(op, name, what string) error {
	return &lab.Error{Op: op, Target: r.account.target(), Path: name, Set: lab.Setting{Name: SettingAdopt, Value: "true"},
		Hint: "take it over, or leave it out", Err: fmt.Errorf("%w: %s", lab.ErrConflict, what)}
}

// conflictingStack returns the stack that has marked an object and is not ours; empty: none.
func (r *run) conflictingStack(description string) string {
	if m, ok := mark.Parse(description); ok && m.Stack != r.spec.stack() {
		return m.Stack
	}
	return ""
}
