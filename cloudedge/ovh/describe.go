package ovh

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/mark"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// field is what is compared of an object: what is wanted of it, and what it is now.
type field struct{ name, want, has string }

// set describes a set of names.
func set(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return "[" + strings.Join(slices.Compact(names), " ") + "]"
}

// delta compares the fields of an object: all of one that is not there, those that differ of one that is.
func delta(name string, exists bool, fields ...field) reconcile.Delta {
	var before, after strings.Builder
	var differ []string
	for _, f := range fields {
		if exists && f.want == f.has {
			continue
		}
		differ = append(differ, f.name)
		if exists {
			fmt.Fprintf(&before, "%s: %s\n", f.name, lab.Printable(f.has))
		}
		fmt.Fprintf(&after, "%s: %s\n", f.name, lab.Printable(f.want))
	}
	d := reconcile.Delta{Diff: lab.Diff(name, []byte(before.String()), []byte(after.String()))}
	switch {
	case !exists:
		d.Action, d.Cause = lab.Create, "not found"
	case len(differ) == 0:
		return reconcile.Delta{}
	case len(differ) == 1:
		d.Action, d.Cause = lab.Update, differ[0]+" differs"
	default:
		d.Action, d.Cause = lab.Update, strings.Join(differ, ", ")+" differ"
	}
	return d
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
	return &lab.Error{Op: op, Target: r.account.target(), Path: name, Set: lab.Setting{Name: SettingAdopt},
		Hint: "take it over, or use another name", Err: fmt.Errorf("%w: %s", lab.ErrConflict, what)}
}

// conflictingStack returns the stack that has marked an object and is not ours; empty: none.
func (r *run) conflictingStack(description string) string {
	if m, ok := mark.Parse(description); ok && m.Stack != r.spec.stack() {
		return m.Stack
	}
	return ""
}
