package gcs

import (
	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// Spec is what is wanted in a project. What it leaves out is left as it is.
type Spec struct {
	// Stack says who owns what is created here, in its mark: the environment or the program. It is a label of buckets: lowercase
	// letters, digits, hyphens and underscores. Empty means "lab".
	Stack string `yaml:"stack"`

	Buckets  []Bucket  `yaml:"buckets"`
	Accounts []Account `yaml:"serviceAccounts"`

	// Prune removes service accounts that have the stack's mark and are not wanted any more, their keys first, and their grants
	// on wanted buckets. Buckets are never removed.
	Prune bool `yaml:"prune"`

	// MaxDeletes is how many objects a plan may remove; 0 means 5, or 3 of 10 of those that are ours if those are more.
	MaxDeletes int `yaml:"maxDeletes"`

	// Adopt takes over what has a wanted name, differs, and has no mark. Without it, such an object is an error. What has the mark
	// of another stack always is.
	Adopt bool `yaml:"adopt"`

	// Sink keeps the HMAC keys. It must be a [lab.Replacer] for keys to be succeeded by others. It is required if there are keys.
	Sink lab.Sink `yaml:"-"`
}

// Bucket is a bucket. It always has uniform access, without ACLs, and prevents public access. It is never removed, moved or
// recreated, and no object in it is ever touched.
type Bucket struct {
	Name     string `yaml:"name,required"`     // unique among all buckets in the world
	Location string `yaml:"location,required"` // "us-east1", "EU"; that of an existing bucket cannot be changed

	// StorageClass is that of new objects: STANDARD, NEARLINE, COLDLINE or ARCHIVE. Empty leaves it, and creates STANDARD.
	StorageClass string `yaml:"storageClass"`

	Labels map[string]string `yaml:"labels"` // those that are not named here are left

	// Versioning keeps the old versions of objects that are overwritten or removed; nil leaves it.
	Versioning *bool `yaml:"versioning"`

	// SoftDelete is how long removed objects can be restored, and are billed: "0s" for not at all, or "168h" to "2160h". It is
	// required: Google's default of seven days is paid for.
	SoftDelete string `yaml:"softDelete,required"`

	// Lifecycle are the rules, exactly these; nil leaves those that there are.
	Lifecycle []Rule `yaml:"lifecycle"`

	// Backup says that Longhorn keeps its backups here, which removes objects itself, and whose backups break if somebody else
	// does. A rule that is found there by which Google would remove or move live objects, or a retention policy, is a conflict.
	Backup bool `yaml:"backup"`

	// State says that OpenTofu keeps its states here: versioning is on, and a rule as for Backup is a conflict.
	State bool `yaml:"state"`

	// RemoveRules removes the rules and the retention policy that are such a conflict.
	RemoveRules bool `yaml:"removeRules"`

	Grants []Grant `yaml:"grants"`
}

// Rule is a rule of a bucket's lifecycle. None can touch the live version of an object.
type Rule struct {
	// Action is AbortIncompleteMultipartUpload or Delete.
	Action string `yaml:"action,required"`

	Age int `yaml:"age"` // days since an upload began, for AbortIncompleteMultipartUpload

	// NewerVersions is how many newer versions an object must have, and NoncurrentDays how many days ago it must have been
	// succeeded, for Delete, which needs one of them at least.
	NewerVersions  int `yaml:"newerVersions"`
	NoncurrentDays int `yaml:"noncurrentDays"`
}

// Grant is what a service account of the spec may do with a bucket.
type Grant struct {
	Account string `yaml:"serviceAccount,required"`

	// Roles are exactly the roles that it has on the bucket without a condition: "roles/storage.objectAdmin".
	Roles []string `yaml:"roles,required"`
}

// Account is a service account. One that was removed by somebody else and is created again is another identity: what it was
// granted elsewhere it has lost. Within 30 days, it can be undeleted instead.
type Account struct {
	Name        string `yaml:"name,required"` // 6 to 30 lowercase letters, digits and hyphens: what stands before the @
	DisplayName string `yaml:"displayName"`   // empty leaves it
	Description string `yaml:"description"`   // what comes before the mark

	Key *Key `yaml:"hmacKey"` // for clients that speak S3; nil: none is made, and those that there are stay
}

// Key is an HMAC key of a service account. Its secret is shown once, and kept in [Spec].Sink. A key whose secret is lost is
// succeeded by another. The account has one: all others are its predecessors.
type Key struct {
	// Secret is the entry of the sink. With a path, as "longhorn/gcs", the ID is in "longhorn/gcs#access_id", and the secret in
	// "longhorn/gcs#secret"; with a word, as "longhorn", they are in "longhorn-access_id" and "longhorn-secret", which a directory
	// can hold.
	Secret string `yaml:"secret,required"`

	// MaxAge is after how long it is succeeded by another, "2160h"; empty means never.
	MaxAge string `yaml:"maxAge"`

	// Grace is how long a predecessor stays active beside its successor, and then how long it stays inactive, so that it could be
	// activated again, before it is removed. Empty means "24h".
	Grace string `yaml:"grace"`
}

func (s *Spec) stack() string {
	if s.Stack == "" {
		return "lab"
	}
	return s.Stack
}

// The settings that hints name: [Spec].Adopt, [Spec].Sink, [Spec].MaxDeletes and [Bucket].RemoveRules.
const (
	SettingAdopt       = "adopt"
	SettingSink        = "sink"
	SettingMaxDeletes  = reconcile.SettingMaxDeletes
	SettingRemoveRules = "removeRules"
)
