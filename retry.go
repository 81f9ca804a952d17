package lab

import "errors"

// SafeToRetry reports whether the operation that failed certainly had no effect, so that a retry
// cannot repeat it. An error says so with a method SafeToRetry() bool; every part of a joined error
// that has the method must agree. If no error in the tree has it, SafeToRetry returns false.
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

// saysRetry reports whether anything in err's tree has a method SafeToRetry. A sentinel that is
// only there for its kind has none.
func saysRetry(err error) (says bool) {
	walk(err, func(e error) {
		if _, ok := e.(interface{ SafeToRetry() bool }); ok {
			says = true
		}
	})
	return says
}

// NotSent marks err as safe to retry: the request was never sent. NotSent(nil) is nil.
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
