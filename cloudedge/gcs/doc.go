// Package gcs provisions a project of Google Cloud with what a lab keeps there: buckets for backups and for the states of OpenTofu,
// service accounts, what these may do with the buckets, and their HMAC keys, by which clients of S3 such as Longhorn come in.
//
//	project := gcs.Project{ID: "arcodange", Key: key, Boundary: boundary}
//	plan, err := project.Plan(ctx, gcs.Spec{
//		Buckets: []gcs.Bucket{{Name: "arcodange-backup", Location: "us-east1", SoftDelete: "168h", Backup: true,
//			Grants: []gcs.Grant{{Account: "longhorn-backup", Roles: []string{"roles/storage.objectAdmin"}}}}},
//		Accounts: []gcs.Account{{Name: "longhorn-backup", Key: &gcs.Key{Secret: "longhorn/gcs"}}},
//		Sink:     sink,
//	})
//	report, err := plan.Apply(ctx, nil)
//	target, err := project.BackupTarget(ctx, spec, "arcodange-backup", "longhorn-backup")
//
// There is no state file: objects are found by their names, and what is ours bears a mark, buckets as the labels managed-by and stack,
// accounts in the description. What bears none is taken over only with [Spec].Adopt.
//
// # What is never done
//
// A bucket is never removed, moved or recreated, be it for states or not, and this package has no call that could. A location
// that differs is a conflict. No lifecycle rule that touches live objects can be written here; one that is found on a bucket for
// backups or states is a conflict, and removed only with [Bucket].RemoveRules. Bindings with a condition, those of others, labels
// and rules that the spec does not name are left. An account is not removed before its last key.
//
// # Keys
//
// Google shows the secret of an HMAC key once, and a key has neither a name nor a label: it is ours if its account is, and an
// account has one that is kept; all others are its predecessors. A key is created only when the sink has been proved, stored, and
// proved by a signed request; it is created once, never by a request that is sent again. A key that could not be stored is removed at
// once; one that a run left which was cut off in between is deactivated by the next. A key that is older than [Key].MaxAge, or whose
// secret is lost, gets a successor; it stays active for [Key].Grace, then inactive for as long, in which it could be activated
// again, and is then removed. Each is a change of a later plan: nothing waits.
//
// A new key is refused for up to some minutes. While it is new, that is waited for, and where it takes too long the state is not known
// (the error wraps [lab.ErrTimeout]): it does not mean that the secret is lost.
//
// # What it costs
//
// A plan logs in once, reads the accounts and the keys by pages of 100, each wanted bucket and its policy, and proves each
// key: 8 requests for two buckets, an account and its key. Reads are sent again when they fail; writes are sent again with
// what was read anew, if they have a precondition: metageneration or etag.
//
// # Permissions
//
// The credentials need roles/storage.admin (storage.buckets.get, create, update, getIamPolicy, setIamPolicy),
// roles/iam.serviceAccountAdmin, and roles/storage.hmacKeyAdmin.
//
// # Tests
//
// Package gcstest has the project in this process, held to what Google publishes. The real cloud was never asked.
package gcs
