// Package lab is the vocabulary that every package of this module speaks: names, plans, changes, secrets, the boundary of an
// environment, errors and events. It imports the standard library only and does no I/O of its own, except that a [Boundary] dials and a
// [SecretDir] reads and writes files.
//
// Every package of the module has one order of verbs: observe, plan, apply.
//
//	p, err := m.Plan(ctx, want) // reads the world, writes nothing, ever
//	fmt.Print(p)                // every change: what, why, a diff, the risk
//	r, err := p.Apply(ctx, nil) // does exactly p; r says what happened even when err != nil
//
// There is no dry run: a dry run is a plan that nobody applied. There is no state file: the world is observed.
//
// # Errors
//
// A failure is a [*Error] that names the operation, the object, the cause and, as a hint, the next command to type. Its kind is one of
// the sentinels ([ErrNotFound], [ErrRefused], ...), asked for with [errors.Is]. What is wrong with an input comes as [Problems], all at once.
//
// # Secrets
//
// A [Secret] hides its value from fmt, log/slog, encoding/json and everything else that formats; [Secret.Reveal] is the only way out.
// Text that comes from outside and may repeat a secret goes through [Mask].
//
// A secret that is made once and must stay is kept in a [Sink]. Making it is a change of a plan, by a [Keyring], before whatever uses it.
package lab
