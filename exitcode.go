package lab

import (
	"context"
	"errors"
	"slices"
)

// The exit codes of the programs of this module.
const (
	ExitOK          = 0   // done, or nothing to do
	ExitError       = 1   // anything not listed below
	ExitPending     = 2   // plan: there are changes to make
	ExitBlocked     = 3   // something outside must happen first
	ExitRefused     = 4   // refused by a guard
	ExitInterrupted = 130 // Ctrl-C, or a signal to stop
)

// ExitCode returns the exit code for err. For a joined error the first of these that occurs counts:
// interrupted, an ordinary error, refused, blocked. So a refusal together with an ordinary error
// exits like the error.
func ExitCode(err error) int {
	if err == nil {
		return ExitOK
	}
	if errors.Is(err, context.Canceled) {
		return ExitInterrupted
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok && len(many.Unwrap()) > 0 && !isKindOf(many.Unwrap()) {
		code := 0
		for _, e := range many.Unwrap() {
			switch c := ExitCode(e); {
			case c == ExitError:
				return ExitError
			case c == ExitRefused, code == 0:
				code = c
			}
		}
		return code
	}
	switch {
	case errors.Is(err, ErrRefused):
		return ExitRefused
	case errors.Is(err, ErrBlocked):
		return ExitBlocked
	}
	return ExitError
}

// isKindOf reports whether the parts are one failure and its kind, as from fmt.Errorf("%w: %w",
// ErrBlocked, err).
func isKindOf(parts []error) bool {
	return slices.Contains(kinds, parts[0])
}
