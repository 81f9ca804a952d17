package lab

import (
	"errors"
	"slices"
	"strings"
)

// The kinds of failure, for [errors.Is].
var (
	ErrNotFound     = errors.New("not found")
	ErrConflict     = errors.New("conflict")             // it already exists, or was changed concurrently
	ErrUnauthorized = errors.New("unauthorized")         // authentication or permission was denied
	ErrUnreachable  = errors.New("unreachable")          // no connection, or it was lost
	ErrHostKey      = errors.New("host key not trusted") // a machine did not prove its identity
	// the current state is not the one that was planned for, or not the one that was left
	ErrDrift   = errors.New("drift")
	ErrRefused = errors.New("refused") // a guard of this module forbids it
	ErrBlocked = errors.New("blocked") // something outside must happen first: a lock, a sealed Vault
	ErrTimeout = errors.New("timed out")
	ErrInvalid = errors.New("invalid") // the input is wrong; see [Problems]
)

// kinds are the kinds in the order in which [Kind] looks for them.
var kinds = []error{
	ErrHostKey, ErrUnauthorized, ErrRefused, ErrBlocked, ErrInvalid, ErrConflict, ErrNotFound,
	ErrDrift, ErrTimeout, ErrUnreachable,
}

// Kind returns which of the kinds of failure err is, nil when it is none of them. Of several it is
// the one that says most about what to do next, the first of these: [ErrHostKey],
// [ErrUnauthorized], [ErrRefused], [ErrBlocked], [ErrInvalid], [ErrConflict], [ErrNotFound],
// [ErrDrift], [ErrTimeout], [ErrUnreachable]. A machine that cannot be reached because its host key
// is not trusted is an ErrHostKey.
func Kind(err error) error {
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return nil
}

// Error says what failed, where, why, and what to do next.
type Error struct {
	Op     string  // the operation, as a verb and the kind of its object: "dial", "read file"
	Target string  // the object: "pi1", "pg/webapp"; empty if there is only one
	Path   string  // the place in it: a file, a resource's ID, a field of a spec; empty if it is the whole
	Hint   string  // the next step, preferably the command to type; empty if there is none
	Set    Setting // what Hint asks to set; the zero value if nothing
	Err    error   // the cause; wraps one of the sentinels if one fits
}

// Error returns "target: op path: cause", without the hint, which programs print on a separate
// line: see [Hints].
func (e *Error) Error() string {
	var b strings.Builder
	if e.Target != "" {
		b.WriteString(Printable(e.Target) + ": ")
	}
	b.WriteString(e.Op)
	if e.Path != "" {
		b.WriteString(" " + Printable(e.Path))
	}
	if e.Err != nil {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hints returns the hints of every [*Error] in err's tree, outermost first, each once.
func Hints(err error) []string {
	var hints []string
	add := func(hint string) {
		if hint != "" && !slices.Contains(hints, hint) {
			hints = append(hints, hint)
		}
	}
	walk(err, func(e error) {
		switch e := e.(type) {
		case *Error:
			add(e.Hint)
		case *maskedError:
			for _, hint := range e.hints {
				add(hint)
			}
		}
	})
	return hints
}

// walk calls f for err and for everything that it wraps.
func walk(err error, f func(error)) {
	for err != nil {
		f(err)
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range many.Unwrap() {
				walk(e, f)
			}
			return
		}
		err = errors.Unwrap(err)
	}
}
