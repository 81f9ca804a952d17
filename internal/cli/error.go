package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// PrintError prints the failures of err, each once and with its hints.
func PrintError(w io.Writer, err error) {
	hinted := map[string]bool{}
	for _, e := range failures(err) {
		fmt.Fprintf(w, "error: %s\n", lab.PrintableText(e.Error(), "       "))
		for _, h := range lab.Hints(e) {
			if !hinted[h] {
				fmt.Fprintf(w, "hint:  %s\n", lab.PrintableText(h, "       "))
			}
			hinted[h] = true
		}
	}
}

// failures returns the parts of a joined error, each once, without those that are no failures. That
// the run was interrupted is one of them, however many machines were at work.
func failures(err error) (parts []error) {
	var add func(error)
	add = func(err error) {
		if err == nil || err == ErrPending {
			return
		}
		if many, ok := err.(interface{ Unwrap() []error }); ok && err.Error() == errors.Join(many.Unwrap()...).Error() {
			for _, e := range many.Unwrap() {
				add(e)
			}
			return
		}
		if !slices.ContainsFunc(parts, func(o error) bool { return o.Error() == err.Error() }) {
			parts = append(parts, err)
		}
	}
	add(err)
	// the interruption itself says more than what each machine was doing
	interrupted := slices.IndexFunc(parts, func(e error) bool {
		var le *lab.Error
		return errors.Is(e, context.Canceled) && errors.As(e, &le) && le.Target == ""
	})
	if interrupted >= 0 {
		itself := parts[interrupted]
		parts = slices.DeleteFunc(parts, func(e error) bool { return e != itself && errors.Is(e, context.Canceled) })
	}
	return parts
}

// Failure is an error for machines.
type Failure struct {
	Error    string       // without hints
	Kind     string       // of the failure, see [lab.Kind]; empty if it is none of them
	Hints    []string     // what to do next
	Problems lab.Problems // with an input
}

// FailureOf returns the failure that an error is; nil if it is none.
func FailureOf(err error) *Failure {
	parts := failures(err)
	if len(parts) == 0 {
		return nil
	}
	f := &Failure{Error: errors.Join(parts...).Error(), Hints: []string{}}
	if kind := lab.Kind(err); kind != nil {
		f.Kind = kind.Error()
	}
	f.Hints = append(f.Hints, lab.Hints(errors.Join(parts...))...)
	for _, e := range parts {
		var ps lab.Problems
		if errors.As(e, &ps) {
			f.Problems = append(f.Problems, ps...)
		}
	}
	return f
}

// Usage returns an error in the arguments of the program.
func Usage(format string, args ...any) error {
	err := fmt.Errorf("%w: %s", lab.ErrInvalid, fmt.Sprintf(format, args...))
	return &lab.Error{Op: "read command line", Hint: "see -h", Err: err}
}
