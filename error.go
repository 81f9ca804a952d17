package lab

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// The kinds of failure, for [errors.Is].
var (
	ErrNotFound     = errors.New("not found")
	ErrConflict     = errors.New("conflict")             // it exists already, or somebody changed it meanwhile
	ErrUnauthorized = errors.New("unauthorized")         // who we are, or what we may do, was not accepted
	ErrUnreachable  = errors.New("unreachable")          // no connection, or it was lost
	ErrHostKey      = errors.New("host key not trusted") // a machine did not prove that it is the one we know
	ErrDrift        = errors.New("drift")                // the world is not as it was planned for, or not as it was left
	ErrRefused      = errors.New("refused")              // a guard of ours says no
	ErrBlocked      = errors.New("blocked")              // something outside must happen first: a lock, a sealed Vault
	ErrTimeout      = errors.New("timed out")
	ErrInvalid      = errors.New("invalid") // the input is wrong; see [Problems]
)

// kinds are the kinds in the order in which [Kind] looks for them.
var kinds = []error{
	ErrHostKey, ErrUnauthorized, ErrRefused, ErrBlocked, ErrInvalid, ErrConflict, ErrNotFound, ErrDrift, ErrTimeout, ErrUnreachable,
}

// Kind returns which of the kinds of failure err is, nil when it is none of them. Of several it is the one that says most about
// what to do next, the first of these: [ErrHostKey], [ErrUnauthorized], [ErrRefused], [ErrBlocked], [ErrInvalid], [ErrConflict],
// [ErrNotFound], [ErrDrift], [ErrTimeout], [ErrUnreachable]. A machine that cannot be reached because its host key is not trusted
// is an ErrHostKey.
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
	Op     string // what was being done, as a verb and its object's kind: "dial", "read file"
	Target string // whom it was done to: "pi1", "pg/webapp"; empty when there is only one
	Path   string // the place in it: a file, a resource's ID, a field of a spec; empty when it is the whole
	Hint   string // the next step, best the command to type; empty when there is none to give
	Err    error  // the cause; wraps one of the sentinels where one fits
}

// Error returns "target: op path: cause". The hint is not in it: programs print it on a line of its own, see [Hints].
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

// walk calls f for err and for everything it wraps.
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

// SafeToRetry reports whether what failed certainly had no effect, so that doing it again cannot do it twice. An error says so of itself
// by a method SafeToRetry() bool; of a joined error every part must say so. It is false when nothing is known.
func SafeToRetry(err error) bool {
	if err == nil {
		return false
	}
	for {
		if s, ok := err.(interface{ SafeToRetry() bool }); ok {
			return s.SafeToRetry()
		}
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			parts := many.Unwrap()
			var said bool
			for _, e := range parts {
				if saysRetry(e) {
					said = true
					if !SafeToRetry(e) {
						return false
					}
				}
			}
			return said
		}
		next := errors.Unwrap(err)
		if next == nil {
			return false
		}
		err = next
	}
}

// saysRetry reports whether anything in err's tree has a method SafeToRetry: a sentinel joined for its kind says nothing either way.
func saysRetry(err error) (says bool) {
	walk(err, func(e error) {
		if _, ok := e.(interface{ SafeToRetry() bool }); ok {
			says = true
		}
	})
	return says
}

// NotSent marks err as safe to retry: the request it speaks of was never sent. NotSent(nil) is nil.
func NotSent(err error) error {
	if err == nil {
		return nil
	}
	return &notSent{err}
}

type notSent struct{ err error }

func (e *notSent) Error() string     { return e.err.Error() }
func (e *notSent) Unwrap() error     { return e.err }
func (e *notSent) SafeToRetry() bool { return true }

// Err returns err with every occurrence of the secrets in its text and its hints replaced by "(secret)"; it is err itself when
// there is none. What the error is remains: its kinds and the end of a context for [errors.Is], the fields of every [*Error], the
// parts of a joined error, and [SafeToRetry]. Whatever else it wraps is left out, since that might show the secret.
func (m *Masker) Err(err error) error {
	if err == nil {
		return nil
	}
	text := m.Mask(err.Error())
	if text == err.Error() && !slices.ContainsFunc(Hints(err), func(h string) bool { return m.Mask(h) != h }) {
		return err
	}
	switch e := err.(type) {
	case *Error:
		return &Error{Op: m.Mask(e.Op), Target: m.Mask(e.Target), Path: m.Mask(e.Path), Hint: m.Mask(e.Hint), Err: m.Err(e.Err)}
	case *notSent:
		return NotSent(m.Err(e.err))
	case interface{ Unwrap() []error }:
		var parts []error
		for _, part := range e.Unwrap() {
			parts = append(parts, m.Err(part))
		}
		if joined := errors.Join(parts...); joined != nil && joined.Error() == text {
			return joined
		}
	}
	masked := &maskedError{text: text, safe: SafeToRetry(err)}
	for _, kind := range append([]error{context.Canceled, context.DeadlineExceeded}, kinds...) {
		if errors.Is(err, kind) {
			masked.kinds = append(masked.kinds, kind)
		}
	}
	for _, hint := range Hints(err) {
		masked.hints = append(masked.hints, m.Mask(hint))
	}
	return masked
}

// maskedError stands for an error that repeats a secret: it keeps what is known of that error, and does not wrap it.
type maskedError struct {
	text  string
	kinds []error
	hints []string
	safe  bool
}

func (e *maskedError) Error() string        { return e.text }
func (e *maskedError) Is(target error) bool { return slices.Contains(e.kinds, target) }
func (e *maskedError) SafeToRetry() bool    { return e.safe }

// The exit codes of the programs of this module.
const (
	ExitOK          = 0   // done, or nothing to do
	ExitError       = 1   // anything not listed below
	ExitPending     = 2   // plan: there are changes to make
	ExitBlocked     = 3   // something outside must happen first
	ExitRefused     = 4   // a guard said no
	ExitInterrupted = 130 // Ctrl-C, or a signal to stop
)

// ExitCode returns the exit code for err. Of a joined error the first of these that occurs decides: interrupted, an ordinary error,
// refused, blocked: a guard's no beside a real failure is a failure.
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

// isKindOf reports whether the parts are one failure and its kind, as fmt.Errorf("%w: %w", ErrBlocked, err) makes them.
func isKindOf(parts []error) bool {
	return slices.Contains(kinds, parts[0])
}

// Printable returns s fit for one line of a terminal: as it is when every rune of it is printable and no space leads or ends it, else
// quoted as a Go string. Names on a machine may hold newlines and escape sequences.
func Printable(s string) string {
	if s == "" || strings.TrimSpace(s) != s {
		return strconv.Quote(s)
	}
	for _, r := range s {
		if r == '\uFFFD' || !strconv.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}

// PrintableText returns a text of several lines, such as an error or what a machine printed, fit for a terminal: what could steer it is replaced
// by U+FFFD. indent stands before each line but the first.
func PrintableText(s, indent string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = printableLine(strings.TrimSuffix(line, "\r"))
	}
	return strings.Join(lines, "\n"+indent)
}

// printableLine returns a line without what could steer a terminal.
func printableLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) {
			return r
		}
		return '\uFFFD'
	}, s)
}
