package lab

import "context"

// Sink is where secrets are kept that are made once, or that an API shows once: a directory
// ([SecretDir]), a mount of Vault, the secrets of a forge's CI. A secret in a sink is never
// replaced: whoever wants another value removes the old one first, by other means.
//
// The order that survives a crash at any point: Prove, create what the secret is of, Put, and only
// then hand the secret to those who use it. [Keyring] keeps this order. A Sink is safe for
// concurrent use, by several programs too.
type Sink interface {
	// Prove returns nil when a secret could be put now. It finds out by writing, and leaves nothing
	// behind.
	Prove(ctx context.Context) error

	// Get returns the secret of this name. The error is an [ErrNotFound] when there is none. A sink
	// that can be written to and not read, as the secrets of a forge's CI are, returns an
	// [errors.ErrUnsupported] for a name that it has: it can say that a secret is there, and no
	// more.
	Get(ctx context.Context, name string) (Secret, error)

	// Put keeps the secret, which is durable when Put returns nil. Putting the value that is there
	// already is no change and no error. The error is an [ErrConflict] when the name has another
	// value, or one that the sink cannot compare with.
	Put(ctx context.Context, name string, s Secret) error

	// String says for people where the secrets are: a directory, the address and the path of a mount.
	String() string
}

// Replacer is a [Sink] whose secrets can be replaced, for credentials that are rotated: one that an API
// shows once is succeeded by another, never shown again itself. [SecretDir] is one, and a mount of Vault.
type Replacer interface {
	Sink

	// Replace keeps s in the place of old. The error is an [ErrConflict] when the name has another value
	// than old, and an [ErrNotFound] when it has none: then nothing is changed. Where s is there already,
	// a run that lost the answer has replaced it, and that is no error.
	Replace(ctx context.Context, name string, old, s Secret) error
}
