package cloudflare

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// fields are what is compared of an object: what is wanted of each, and what it is now. A field of which nothing is
// wanted is left out.
type fields []field

type field struct{ name, want, has string }

// text adds a text, of which empty means that nothing is wanted.
func (f *fields) text(name, want, has string) {
	if want != "" {
		*f = append(*f, field{name, lab.Printable(want), lab.Printable(has)})
	}
}

// exact adds a text, whatever it is.
func (f *fields) exact(name, want, has string) {
	*f = append(*f, field{name, lab.Printable(want), lab.Printable(has)})
}

// flag adds a flag, of which nil means that nothing is wanted.
func (f *fields) flag(name string, want *bool, has bool) {
	if want != nil {
		*f = append(*f, field{name, fmt.Sprint(*want), fmt.Sprint(has)})
	}
}

// set adds a set of names, of which nil means that nothing is wanted.
func (f *fields) set(name string, want, has []string) {
	if want != nil {
		*f = append(*f, field{name, together(want), together(has)})
	}
}

// lines adds a list, each part of which has a line of its own in diffs.
func (f *fields) lines(name string, want, has []string) {
	*f = append(*f, field{name, listed(want), listed(has)})
}

func listed(parts []string) string {
	var b strings.Builder
	for _, p := range slices.Sorted(slices.Values(parts)) {
		b.WriteString("\n  - " + lab.Printable(p))
	}
	return b.String()
}

// line is what a field is in a diff.
func line(name, value string) string {
	if strings.HasPrefix(value, "\n") { // a list
		return name + ":" + value + "\n"
	}
	return name + ": " + value + "\n"
}

func together(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return "[" + strings.Join(slices.Compact(names), " ") + "]"
}

// differ returns the names of the fields that differ.
func (f fields) differ() (names []string) {
	for _, x := range f {
		if x.want != x.has {
			names = append(names, x.name)
		}
	}
	return names
}

// created is the delta of an object that is not there.
func (f fields) created(name string) reconcile.Delta {
	var after strings.Builder
	for _, x := range f {
		after.WriteString(line(x.name, x.want))
	}
	return reconcile.Delta{Action: lab.Create, Cause: "not found", Diff: lab.Diff(name, nil, []byte(after.String()))}
}

// changed is the delta of an object that is there, the zero Delta if nothing differs.
func (f fields) changed(name string) reconcile.Delta {
	differ := f.differ()
	if len(differ) == 0 {
		return reconcile.Delta{}
	}
	var before, after strings.Builder
	for _, x := range f {
		if slices.Contains(differ, x.name) {
			before.WriteString(line(x.name, x.has))
			after.WriteString(line(x.name, x.want))
		}
	}
	verb := " differs"
	if len(differ) > 1 || strings.Contains(before.String()+after.String(), ":\n") { // several, or a list
		verb = " differ"
	}
	return reconcile.Delta{Action: lab.Update, Cause: strings.Join(differ, ", ") + verb,
		Diff: lab.Diff(name, []byte(before.String()), []byte(after.String()))}
}
