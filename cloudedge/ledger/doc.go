// Package ledger remembers in a bucket of Google Cloud Storage what an app's plans have made. Most layers need no memory:
// their objects carry a mark that says whose they are. Some objects can carry none, such as the records of a zone at
// OVH, and without a record nothing of them is ever removed. The ledger is that record, and nothing else: no desired state, no
// copy of what is there, no secret.
//
//	l := &ledger.Ledger{Bucket: "arcodange-tf", Instance: lab.App("factory").In(lab.Prod), Holder: "ci 4711", Token: project.Tokens()}
//	book, err := l.Read(ctx)
//	spec.Owned = book.Owns
//	plan, err := account.Plan(ctx, spec)
//	plan, err = book.Guard(plan, ledger.Wanted{IDs: spec.IDs(), Pruned: spec.Prune})
//	report, err := plan.Apply(ctx, nil)
//
// It is optional. Without it plans are made as ever, and what cannot be marked is left.
//
// # What it promises
//
// The record is one object, APP/main/ownership.json, beside the state of OpenTofu that it succeeds; environments have their own,
// APP-ENV/main/ownership.json. Every write of it requires the generation that was read (ifGenerationMatch): of two runs one
// writes, and the other ends with a [lab.ErrDrift] before it has changed anything. That is the fence. The lock beside it,
// APP/main/lock.json, is a courtesy: it lets others wait, and say for whom. It ends by itself after [Ledger.Lease], so that a run
// that was cut off holds up nobody for long.
//
// A plan is not applied while OpenTofu holds its own lock of the same state (default.tflock): both may be in use while an app
// moves from one to the other.
//
// Before the first change of a step, the ledger writes down what the step is about to do. What was made is recorded afterwards; of
// what a run that was cut off has done, the note stays. So an object is known as ours from before it exists, and the
// next complete apply clears the note up.
//
// Owned is what a guarded plan has created. What it has only changed belongs to somebody else, or was taken over, and is recorded
// as adopted: it is not removed unless [Book.Disown] and an apply that creates it anew make it ours.
//
// # Brakes
//
// A plan for which nothing is wanted any more is refused, and so is one that removes more than 5 objects, or 1 of 5 of those that
// are recorded if those are more, unless [Ledger].MaxDeletes says otherwise.
//
// # Secrets
//
// Of values that a server never shows, the ledger keeps keyed fingerprints (HMAC-SHA-256) under [Ledger].Key, see [Book.Same].
//
// # What it costs
//
// Reading is one request. A guarded step costs seven: two take the lock, one looks for that of OpenTofu, two write the record, before
// and after, and two end the lock. A plan that is empty costs none.
//
// # Tests
//
// Package ledgertest has the bucket in this process. The real service was never asked.
package ledger
