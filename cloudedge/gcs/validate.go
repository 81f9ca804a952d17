package gcs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

var (
	// docs.cloud.google.com/storage/docs/buckets, "Bucket names", without those that are domains.
	bucketName  = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$`)
	accountName = regexp.MustCompile(`^[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	location    = regexp.MustCompile(`^[A-Za-z]+(-?[A-Za-z0-9]+)*$`)
	labelKey    = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	labelValue  = regexp.MustCompile(`^[a-z0-9_-]{0,63}$`)
	stackName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$`)
	role        = regexp.MustCompile(`^(roles|projects/[a-z0-9:.-]+/roles|organizations/[0-9]+/roles)/[A-Za-z0-9_.]+$`)
	secretName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

	storageClasses = []string{"STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"}
)

const day = 24 * time.Hour

// validation collects what is wrong with a spec.
type validation struct {
	ps   lab.Problems
	seen map[string]bool
}

func (v *validation) bad(path, text, what, hint string) {
	v.ps = append(v.ps, lab.Problem{Path: path, Text: text, Message: what, Hint: hint})
}

func (v *validation) unique(path, kind, text string) {
	if v.seen[kind+" "+text] {
		v.bad(path, text, "is named twice", "")
	}
	v.seen[kind+" "+text] = true
}

// Validate reports everything that is wrong with the spec.
func (s *Spec) Validate() lab.Problems {
	v := &validation{seen: map[string]bool{}}
	if s.Stack != "" && !stackName.MatchString(s.Stack) {
		v.bad("stack", s.Stack, "cannot be the value of a label", "write lowercase letters, digits, hyphens and underscores")
	}
	if s.MaxDeletes < 0 {
		v.bad("maxDeletes", "", "is negative", "")
	}
	for n := range s.Buckets {
		v.bucket(fmt.Sprintf("buckets[%d]", n), s, &s.Buckets[n])
	}
	for n := range s.Accounts {
		v.account(fmt.Sprintf("serviceAccounts[%d]", n), s, &s.Accounts[n])
	}
	return v.ps
}

func (v *validation) bucket(at string, s *Spec, b *Bucket) {
	switch {
	case strings.HasPrefix(b.Name, "goog") || strings.Contains(b.Name, "google"):
		v.bad(at+".name", b.Name, "is a name that Google keeps for itself", "")
	case !bucketName.MatchString(b.Name):
		v.bad(at+".name", b.Name, "is not the name of a bucket", "write 3 to 63 lowercase letters, digits, hyphens and underscores")
	}
	v.unique(at+".name", "bucket", b.Name)
	if !location.MatchString(b.Location) {
		v.bad(at+".location", b.Location, "is not a location", `write "us-east1" or "EU"`)
	}
	if b.StorageClass != "" && !slices.Contains(storageClasses, b.StorageClass) {
		v.bad(at+".storageClass", b.StorageClass, "is none of "+strings.Join(storageClasses, ", "), lab.Nearest(b.StorageClass, storageClasses))
	}
	for key, value := range b.Labels {
		switch {
		case key == managedLabel || key == stackLabel:
			v.bad(at+".labels", key, "is a label of the mark, which is written anyway", "")
		case !labelKey.MatchString(key) || !labelValue.MatchString(value):
			v.bad(at+".labels", key+": "+value, "is not a label", "write lowercase letters, digits, hyphens and underscores, at most 63")
		}
	}
	d, err := time.ParseDuration(b.SoftDelete)
	if err != nil || d != 0 && (d < 7*day || d > 90*day) || d%time.Second != 0 {
		v.bad(at+".softDelete", b.SoftDelete, "does not say how long removed objects are kept, and billed",
			`write "0s" for not at all, or "168h" to "2160h"`)
	}
	if b.State && b.Versioning != nil && !*b.Versioning {
		v.bad(at+".versioning", "", "is off for a bucket with states of OpenTofu, whose old versions are its only backup", "")
	}
	if b.State && b.Backup {
		v.bad(at+".state", "", "is set beside backup", "keep states and backups in different buckets")
	}
	if b.RemoveRules && !b.State && !b.Backup {
		v.bad(at+".removeRules", "", "is set for a bucket that is neither for backups nor for states", "")
	}
	for n, rule := range b.Lifecycle {
		v.rule(fmt.Sprintf("%s.lifecycle[%d]", at, n), b, rule)
	}
	for n, g := range b.Grants {
		under := fmt.Sprintf("%s.grants[%d]", at, n)
		if !slices.ContainsFunc(s.Accounts, func(a Account) bool { return a.Name == g.Account }) {
			v.bad(under+".serviceAccount", g.Account, "is none of the service accounts here", "")
		}
		v.unique(under+".serviceAccount", "grant "+b.Name, g.Account)
		if len(g.Roles) == 0 {
			v.bad(under+".roles", "", "is empty", `write "roles/storage.objectAdmin"`)
		}
		for _, name := range g.Roles {
			if !role.MatchString(name) {
				v.bad(under+".roles", name, "is not a role", `write "roles/storage.objectAdmin"`)
			}
		}
	}
}

// rule refuses what could touch the live version of an object.
func (v *validation) rule(at string, b *Bucket, w Rule) {
	if w.Age < 0 || w.NewerVersions < 0 || w.NoncurrentDays < 0 {
		v.bad(at, "", "has a negative number", "")
	}
	switch w.Action {
	case abortUploads:
		if w.Age < 1 || w.NewerVersions != 0 || w.NoncurrentDays != 0 {
			v.bad(at, "", "needs an age of one day or more, and nothing else", "")
		}
	case deletes:
		switch {
		case w.Age != 0:
			v.bad(at+".age", "", "would remove live objects, which whoever has written them still needs",
				"remove old versions alone, by newerVersions or noncurrentDays")
		case w.NewerVersions == 0 && w.NoncurrentDays == 0:
			v.bad(at, "", "would remove live objects", "remove old versions alone, by newerVersions or noncurrentDays")
		case b.State && w.NewerVersions == 0:
			v.bad(at+".newerVersions", "", "is missing: by days alone, all old versions of a state may go at once", "write newerVersions: 20")
		}
	default:
		v.bad(at+".action", w.Action, "is not allowed: it could remove or move live objects", "write "+abortUploads+" or "+deletes)
	}
}

func (v *validation) account(at string, s *Spec, a *Account) {
	if !accountName.MatchString(a.Name) {
		v.bad(at+".name", a.Name, "is not the name of a service account", "write 6 to 30 lowercase letters, digits and hyphens")
	}
	v.unique(at+".name", "account", a.Name)
	if strings.ContainsAny(a.Description, "\n\r;") || strings.Contains(a.Description, "managed-by=") || strings.Contains(a.Description, "owner=") {
		v.bad(at+".description", "", "holds what a mark could be", "leave out line breaks, semicolons, managed-by= and owner=")
	}
	if len((&run{spec: *s}).described(a)) > maxDescription {
		v.bad(at+".description", "", fmt.Sprintf("is longer than %d bytes with the mark", maxDescription), "")
	}
	if len(a.DisplayName) > 100 || strings.ContainsAny(a.DisplayName, "\n\r") {
		v.bad(at+".displayName", "", "is longer than 100 bytes, or has a line break", "")
	}
	k := a.Key
	if k == nil {
		return
	}
	at += ".hmacKey"
	if s.Sink == nil {
		v.ps = append(v.ps, lab.Problem{Path: at, Message: "needs a sink for its secret", Hint: "say where it is kept",
			Set: lab.Setting{Name: SettingSink}})
	}
	if !secretName.MatchString(k.Secret) {
		v.bad(at+".secret", k.Secret, "is not the name of a secret", `write "longhorn/gcs"`)
	}
	v.unique(at+".secret", "secret", k.Secret)
	if d, err := time.ParseDuration(k.MaxAge); k.MaxAge != "" && (err != nil || d < time.Hour) {
		v.bad(at+".maxAge", k.MaxAge, "is not a duration of an hour or more", `write "2160h"`)
	}
	if d, err := time.ParseDuration(k.Grace); k.Grace != "" && (err != nil || d < 0) {
		v.bad(at+".grace", k.Grace, "is not a duration", `write "24h"`)
	}
	if (&run{spec: *s}).provedOn(a.Name) == "" {
		v.bad(at, "", "cannot be proved: the account is granted nothing on any bucket here", "grant it roles/storage.objectAdmin on one")
	}
}
