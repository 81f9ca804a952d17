package gcs

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// field is what is compared of an object: what is wanted of it, and what it is now.
type field struct{ name, want, has string }

// set describes a set of names.
func set(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return "[" + strings.Join(slices.Compact(names), ", ") + "]"
}

// differ returns the names of the fields that differ.
func differ(fields []field) (names []string) {
	for _, f := range fields {
		if f.want != f.has {
			names = append(names, f.name)
		}
	}
	return names
}

// delta compares the fields of an object: all of one that is not there, those that differ of one that is.
func delta(name string, exists bool, fields []field) reconcile.Delta {
	var before, after strings.Builder
	for _, f := range fields {
		if exists && f.want == f.has {
			continue
		}
		if exists {
			fmt.Fprintf(&before, "%s: %s\n", f.name, lab.Printable(f.has))
		}
		fmt.Fprintf(&after, "%s: %s\n", f.name, lab.Printable(f.want))
	}
	d := reconcile.Delta{Diff: lab.Diff(name, []byte(before.String()), []byte(after.String()))}
	names := differ(fields)
	switch {
	case !exists:
		d.Action, d.Cause = lab.Create, "not found"
	case len(names) == 0:
		return reconcile.Delta{}
	case len(names) == 1:
		d.Action, d.Cause = lab.Update, names[0]+" differs"
	default:
		d.Action, d.Cause = lab.Update, strings.Join(names, ", ")+" differ"
	}
	return d
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
