// Package lab is the shared vocabulary of this module: names, plans, changes, secrets, the boundary
// of an environment, errors and events. It imports only the standard library and does no I/O of its
// own, except that a [Boundary] dials and a [SecretDir] reads and writes files.
//
// Every package of the module works in the same order: observe, plan, apply.
//
//	p, err := m.Plan(ctx, want) // observes, and never writes anything
//	fmt.Print(p)                // every change: what, why, a diff, the risk
//	r, err := p.Apply(ctx, nil) // does exactly p; r says what happened even if err != nil
//
// There is no dry-run mode: a dry run is a plan that was not applied. There is no state file: the
// current state is observed.
//
// # Errors
//
// A failure is an [*Error] that names the operation, the object, the cause and, as a hint, the next
// command to type. Its kind is one of the sentinels ([ErrNotFound], [ErrRefused], ...), for
// [errors.Is] and [Kind]. An invalid input is reported as [Problems], all of them together.
//
// # Secrets
//
// A [Secret] hides its value from fmt, log/slog, encoding/json and everything else that formats it;
// [Secret.Reveal] is the only way to get it. Text from outside that may repeat a secret is passed
// through [Mask].
//
// A secret that is created once and must last is kept in a [Sink]. Creating it is a change of a
// plan, made by a [Keyring] before the changes that use it.
package lab
