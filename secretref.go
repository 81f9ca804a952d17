package lab

import (
	"fmt"
	"strings"
)

// SecretRef says where a secret is, so that documents need not contain it: "env:NAME", an
// environment variable, or "file:PATH", a file whose content, without one final newline, is the
// secret. The zero SecretRef refers to nothing.
type SecretRef struct {
	Scheme string // "env" or "file"; empty means no reference
	Name   string // the variable's name, or the file's path
}

// ParseSecretRef parses "env:NAME" or "file:PATH"; "" is the zero SecretRef. Anything else is an
// error, which does not repeat the text, because that may be the secret itself.
func ParseSecretRef(text string) (SecretRef, error) {
	if text == "" {
		return SecretRef{}, nil
	}
	scheme, name, ok := strings.Cut(text, ":")
	if !ok || name == "" || (scheme != "env" && scheme != "file") {
		return SecretRef{}, &Error{Op: "read secret reference", Hint: `write "file:PATH" or "env:NAME"`,
			Err: fmt.Errorf("%w: not a reference; a secret in plain text is not accepted here", ErrRefused)}
	}
	return SecretRef{scheme, name}, nil
}

// UnmarshalText does the same as [ParseSecretRef].
func (r *SecretRef) UnmarshalText(text []byte) (err error) {
	*r, err = ParseSecretRef(string(text))
	return err
}

// String returns "env:NAME" or "file:PATH"; "" for the zero SecretRef.
func (r SecretRef) String() string {
	if r.IsZero() {
		return ""
	}
	return r.Scheme + ":" + r.Name
}

// MarshalText returns what String returns.
func (r SecretRef) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// IsZero reports whether it refers to nothing.
func (r SecretRef) IsZero() bool { return r == SecretRef{} }

// Resolve reads the secret. The caller passes functions for the two kinds of references, in a
// program os.LookupEnv and os.ReadFile; if one is nil, such references are refused. A secret that
// is missing or empty is an [ErrNotFound]. The zero SecretRef resolves to the empty Secret.
func (r SecretRef) Resolve(env func(string) (string, bool), file func(string) ([]byte, error)) (Secret, error) {
	fail := func(hint string, err error) (Secret, error) {
		return Secret{}, &Error{Op: "read secret", Target: r.String(), Hint: hint, Err: err}
	}
	var v string
	switch {
	case r.IsZero():
		return Secret{}, nil
	case r.Scheme == "env" && env != nil:
		s, ok := env(r.Name)
		if !ok {
			return fail("export "+r.Name, fmt.Errorf("%w: the environment variable is not set", ErrNotFound))
		}
		v = s
	case r.Scheme == "file" && file != nil:
		b, err := file(r.Name)
		if err != nil {
			return fail("create the file with mode 0600", err)
		}
		v = strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	default:
		return fail(`write "file:PATH" or "env:NAME"`,
			fmt.Errorf("%w: references of this kind are not allowed here", ErrRefused))
	}
	if v == "" {
		return fail("give it a value", fmt.Errorf("%w: it is empty", ErrNotFound))
	}
	return NewSecret(v), nil
}
