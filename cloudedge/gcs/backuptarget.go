package gcs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// BackupTarget is what Longhorn needs to keep its backups in a bucket (longhorn.io/docs, "Setup a backup target").
type BackupTarget struct {
	URL string // of the BackupTarget: "s3://arcodange-backup@us-east1/"

	// Secret are the data of the Kubernetes Secret that the BackupTarget names: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
	// AWS_ENDPOINTS.
	Secret map[string]lab.Secret
}

// BackupTarget returns what Longhorn needs to use a bucket of the spec with the key of an account, which is read from the sink. The
// error wraps [lab.ErrNotFound] where the key is not made yet.
func (p *Project) BackupTarget(ctx context.Context, spec Spec, bucket, account string) (BackupTarget, error) {
	fail := func(kind error, what, hint string) (BackupTarget, error) {
		return BackupTarget{}, &lab.Error{Op: "make backup target", Target: p.target(), Path: bucket, Hint: hint,
			Err: fmt.Errorf("%w: %s", kind, what)}
	}
	n := slices.IndexFunc(spec.Buckets, func(b Bucket) bool { return b.Name == bucket })
	m := slices.IndexFunc(spec.Accounts, func(a Account) bool { return a.Name == account && a.Key != nil })
	switch {
	case n < 0 || m < 0 || spec.Sink == nil:
		return fail(lab.ErrInvalid, "the spec has no such bucket, no such account with a key, or no sink", "")
	case !spec.Buckets[n].Backup:
		return fail(lab.ErrRefused, "the bucket is not said to be for backups", "set backup on it: then rules that would break them are found")
	case !slices.ContainsFunc(spec.Buckets[n].Grants, func(g Grant) bool { return g.Account == account }):
		return fail(lab.ErrRefused, "the account "+account+" is granted nothing on it", "grant it roles/storage.objectAdmin")
	}
	key := spec.Accounts[m].Key
	id, err := spec.Sink.Get(ctx, key.accessID())
	if err != nil {
		return BackupTarget{}, err
	}
	value, err := spec.Sink.Get(ctx, key.secret())
	if err != nil {
		return BackupTarget{}, err
	}
	return BackupTarget{URL: "s3://" + bucket + "@" + strings.ToLower(spec.Buckets[n].Location) + "/", Secret: map[string]lab.Secret{
		"AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": value, "AWS_ENDPOINTS": lab.NewSecret(p.at(storageAddress))}}, nil
}
