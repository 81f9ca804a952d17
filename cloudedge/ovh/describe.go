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
	return strings.Join(slices.Compact(names), "\n")
}

// show writes a field for people.
func show(b *strings.Builder, name, value string) {
	for line := range strings.SplitSeq(value, "\n") {
		fmt.Fprintf(b, "%s: %s\n", name, lab.Printable(line))
	}
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
			show(&before, f.name, f.has)
		}
		show(&after, f.name, f.want)
	}
	d := reconcile.Delta{Action: lab.Update, Diff: lab.Diff(name, []byte(before.String()), []byte(after.String()))}
	switch verb := " differ"; {
	case !exists:
		d.Action, d.Cause = lab.Create, "not found"
	case len(differ) == 0:
		return reconcile.Delta{}
	default:
		if len(differ) == 1 && !strings.HasSuffix(differ[0], "s") {
			verb = " differs"
		}
		d.Cause = strings.Join(differ, ", ") + verb
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
