package lab

import "errors"

// Setting is something that whoever uses a package can set, as the last thing that a hint names: a
// program says it in the words of its own flags and config fields, see [Reword].
type Setting struct {
	Name  string // the name that the package documents: "ssh.hostKey"; empty means that the hint names none
	Value string // what to set it to; empty if only the user knows
}

// The settings that hints of this package name.
const (
	SettingBoundary = "boundary" // what a [Boundary] allows; its value is an address
	SettingSink     = "sink"     // where secrets are kept, see [Keyring].Sink
)

// Reword returns err with the hints that name a setting completed by what say returns: "trust the key:
// --known-hosts FILE". If say returns "", or the hint names no setting, it stays as it is. The kinds of
// the error, its texts and the parts of a joined error stay, and so does [SafeToRetry].
func Reword(err error, say func(Setting) string) error {
	switch e := err.(type) {
	case nil:
		return nil
	case *Error:
		again := *e
		again.Hint, again.Err = reworded(e.Hint, e.Set, say), Reword(e.Err, say)
		return &again
	case Problems:
		again := append(Problems(nil), e...)
		for i, p := range again {
			again[i].Hint = reworded(p.Hint, p.Set, say)
		}
		return again
	case *notSent:
		return NotSent(Reword(e.err, say))
	case interface{ Unwrap() []error }:
		var parts []error
		for _, part := range e.Unwrap() {
			parts = append(parts, Reword(part, say))
		}
		if joined := errors.Join(e.Unwrap()...); joined != nil && joined.Error() == err.Error() {
			return errors.Join(parts...)
		}
	}
	return err
}

// reworded returns a hint in the words for its setting.
func reworded(hint string, s Setting, say func(Setting) string) string {
	if s.Name == "" {
		return hint
	}
	words := say(s)
	switch {
	case words == "":
		return hint
	case hint == "":
		return words
	}
	return hint + ": " + words
}
