package lab

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// hidden is shown instead of a secret.
const hidden = "(secret)"

// Secret is a value that must not be shown. Formatting, logging or marshalling it in any way yields
// "(secret)", or "" if it is empty.
//
// The value is behind a pointer because fmt calls no methods on an unexported field of another
// struct: there it prints an address. The zero Secret is empty. Compare secrets with
// [Secret.Equal]: == compares pointers.
type Secret struct{ p *string }

// NewSecret hides value. NewSecret("") is the empty Secret.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{&value}
}

// Reveal returns the value. It is the only way to get it, so its callers are all the places where a
// secret is used.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.p == nil }

// Equal reports whether both have the same value, in a time that does not depend on where they differ.
func (s Secret) Equal(o Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(o.Reveal())) == 1
}

// String returns "(secret)", or "" for the empty Secret.
func (s Secret) String() string {
	if s.p == nil {
		return ""
	}
	return hidden
}

// GoString returns what String returns.
func (s Secret) GoString() string { return s.String() }

// Format writes what String returns, for every verb and flag, including %x and %q.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue returns what String returns.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns what String returns, so that JSON, YAML and XML do not show the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText returns an error, because a secret in a document would be in plain text. Documents
// use a [SecretRef].
func (s *Secret) UnmarshalText([]byte) error {
	return &Error{Op: "read secret", Hint: `write a reference instead, "file:PATH" or "env:NAME"`,
		Err: fmt.Errorf("%w: a secret in plain text in a document", ErrRefused)}
}
