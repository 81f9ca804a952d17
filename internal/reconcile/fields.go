package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Fields are what is compared of an object: what is wanted of each field, and what it is now. A field of which nothing is
// wanted is left out. They are shown, so no secret is among them.
type Fields []Field

// Field is one of them, as text for people.
type Field struct{ Name, Want, Has string }

// Text adds a text, of which empty means that nothing is wanted.
func (f *Fields) Text(name, want, has string) {
	if want != "" {
		f.Exact(name, want, has)
	}
}

// Exact adds a text, whatever it is.
func (f *Fields) Exact(name, want, has string) {
	*f = append(*f, Field{name, lab.Printable(want), lab.Printable(has)})
}

// Flag adds a flag, of which nil means that nothing is wanted.
func (f *Fields) Flag(name string, want *bool, has bool) {
	if want != nil {
		*f = append(*f, Field{name, fmt.Sprint(*want), fmt.Sprint(has)})
	}
}

// Set adds a set of names, of which nil means that nothing is wanted.
func (f *Fields) Set(name string, want, has []string) {
	if want != nil {
		f.Exact(name, Together(want), Together(has))
	}
}

// Lines adds a list, each part of which has a line of its own in diffs.
func (f *Fields) Lines(name string, want, has []string) {
	*f = append(*f, Field{name, listed(want), listed(has)})
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

// Together describes a set of names, in which neither the order nor repetitions matter.
func Together(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return "[" + strings.Join(slices.Compact(names), " ") + "]"
}

// Differ returns the names of the fields that differ.
func (f Fields) Differ() (names []string) {
	for _, x := range f {
		if x.Want != x.Has {
			names = append(names, x.Name)
		}
	}
	return names
}

// Created is the delta of an object that is not there.
func (f Fields) Created(name string) Delta {
	var after strings.Builder
	for _, x := range f {
		after.WriteString(line(x.Name, x.Want))
	}
	return Delta{Action: lab.Create, Cause: "not found", Diff: lab.Diff(name, nil, []byte(after.String()))}
}

// Changed is the delta of an object that is there, the zero Delta if nothing differs.
func (f Fields) Changed(name string) Delta {
	differ := f.Differ()
	if len(differ) == 0 {
		return Delta{}
	}
	var before, after strings.Builder
	for _, x := range f {
		if slices.Contains(differ, x.Name) {
			before.WriteString(line(x.Name, x.Has))
			after.WriteString(line(x.Name, x.Want))
		}
	}
	verb := " differs"
	if len(differ) > 1 || strings.Contains(before.String()+after.String(), ":\n") { // several, or a list
		verb = " differ"
	}
	return Delta{Action: lab.Update, Cause: strings.Join(differ, ", ") + verb,
		Diff: lab.Diff(name, []byte(before.String()), []byte(after.String()))}
}
