package gcs

import (
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// field is what is compared of an object: what is wanted of it, and what it is now.
type field struct{ name, want, has string }

// set describes a set of names.
func set(names []string) string { return reconcile.Together(names) }

// compared are the fields for people.
func compared(fields []field) (f reconcile.Fields) {
	for _, x := range fields {
		f.Exact(x.name, x.want, x.has)
	}
	return f
}

// differ returns the names of the fields that differ.
func differ(fields []field) []string { return compared(fields).Differ() }

// delta compares the fields of an object: all of one that is not there, those that differ of one that is.
func delta(name string, exists bool, fields []field) reconcile.Delta {
	if !exists {
		return compared(fields).Created(name)
	}
	return compared(fields).Changed(name)
}

// conflict is the error about an object of a wanted name that is not known to be ours. stack is the one that has marked it;
// empty: none has.
func (r *run) conflict(kind, name, stack string) error {
	if stack != "" {
		return r.fail("plan "+kind, name, "remove it from the other stack, or from this one", lab.ErrConflict,
			"it belongs to the stack "+lab.Printable(stack))
	}
	return &lab.Error{Op: "plan " + kind, Target: r.project.target(), Path: name, Set: lab.Setting{Name: SettingAdopt},
		Hint: "take it over, or use another name", Err: fmt.Errorf("%w: one of this name exists, and is not known to be ours", lab.ErrConflict)}
}
