package gcs

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// The labels of our mark.
const (
	managedLabel = "managed-by"
	managedBy    = "lab"
	stackLabel   = "stack"
)

// storedBucket is a bucket as the API has it, with what is compared.
type storedBucket struct {
	Name           string            `json:"name"`
	Location       string            `json:"location"`
	StorageClass   string            `json:"storageClass"`
	Metageneration string            `json:"metageneration"`
	Labels         map[string]string `json:"labels"`
	Versioning     struct {
		Enabled bool `json:"enabled"`
	} `json:"versioning"`
	IAM struct {
		PublicAccessPrevention string `json:"publicAccessPrevention"`
		Uniform                struct {
			Enabled bool `json:"enabled"`
		} `json:"uniformBucketLevelAccess"`
	} `json:"iamConfiguration"`
	SoftDelete struct {
		Seconds string `json:"retentionDurationSeconds"`
	} `json:"softDeletePolicy"`
	Lifecycle struct {
		Rules []lifecycleRule `json:"rule"`
	} `json:"lifecycle"`
	Retention *struct {
		Seconds string `json:"retentionPeriod"`
		Locked  bool   `json:"isLocked"`
	} `json:"retentionPolicy"`

	refused error // it cannot be read
}

func (r *run) buckets() reconcile.Kind {
	want := map[string]Bucket{}
	for _, b := range r.spec.Buckets {
		want[b.Name] = b
	}
	return reconcile.Collection[Bucket, storedBucket]{
		Name: "bucket", Want: want,
		List: func(ctx context.Context) (map[string]storedBucket, error) { return r.listBuckets(ctx) },
		Diff: r.diffBucket,
		Put:  r.putBucket,
	}
}

// listBuckets reads the buckets that are wanted: their names are unique in the world, so that a list of the project's would not
// say which are free. It is done once in a comparison.
func (r *run) listBuckets(ctx context.Context) (map[string]storedBucket, error) {
	return reconcile.Once(r.reads, "buckets", func() (map[string]storedBucket, error) {
		has := map[string]storedBucket{}
		for _, w := range r.spec.Buckets {
			b, err := r.readBucket(ctx, w.Name)
			switch {
			case absent(err):
			case err != nil:
				return nil, err
			default:
				has[w.Name] = b
			}
		}
		return has, nil
	})
}

// readBucket reads a bucket. That of somebody else is no error, but said in it.
func (r *run) readBucket(ctx context.Context, name string) (b storedBucket, err error) {
	err = r.get(ctx, bucketPath(name)+"?projection=noAcl", &b)
	if status(err) == http.StatusForbidden {
		return storedBucket{refused: &lab.Error{Op: "plan bucket", Target: r.project.target(), Path: name,
			Hint: "names are unique in the world: choose another one; or, if it is yours, allow storage.buckets.get",
			Err:  fmt.Errorf("%w: a bucket of this name belongs to somebody else, or may not be seen", lab.ErrConflict)}}, nil
	}
	return b, err
}

// stack returns the stack that has marked the bucket; empty: none has.
func (b *storedBucket) stack() string {
	if b.Labels[managedLabel] != managedBy {
		return ""
	}
	return b.Labels[stackLabel]
}

func (w *Bucket) softDelete() string {
	d, _ := time.ParseDuration(w.SoftDelete) // [Spec.Validate] has seen it
	return seconds(int64(d / time.Second))
}

// marks are the fields of our mark.
func (r *run) marks(h *storedBucket) []field {
	return []field{{"label " + managedLabel, managedBy, h.Labels[managedLabel]}, {"label " + stackLabel, r.spec.stack(), h.Labels[stackLabel]}}
}

// rules are those that a bucket shall have; nil: those that it has.
func (w *Bucket) rules(h *storedBucket) []lifecycleRule {
	if w.Lifecycle == nil {
		if (w.Backup || w.State) && w.RemoveRules {
			return slices.DeleteFunc(slices.Clone(h.Lifecycle.Rules), lifecycleRule.live)
		}
		return h.Lifecycle.Rules
	}
	var all []lifecycleRule
	for _, rule := range w.Lifecycle {
		all = append(all, rule.wire())
	}
	return all
}

// versioned says whether old versions shall be kept; nil leaves it.
func (w *Bucket) versioned() *bool {
	if w.State {
		on := true
		return &on
	}
	return w.Versioning
}

// bucketFields are what is compared, without our mark.
func (r *run) bucketFields(w *Bucket, h *storedBucket) []field {
	fields := []field{
		{"uniform access", "true", strconv.FormatBool(h.IAM.Uniform.Enabled)},
		{"public access prevention", "enforced", h.IAM.PublicAccessPrevention},
		{"soft delete seconds", w.softDelete(), seconds(number(h.SoftDelete.Seconds))},
	}
	if w.StorageClass != "" {
		fields = append(fields, field{"storage class", w.StorageClass, h.StorageClass})
	}
	if v := w.versioned(); v != nil {
		fields = append(fields, field{"versioning", strconv.FormatBool(*v), strconv.FormatBool(h.Versioning.Enabled)})
	}
	for _, name := range slices.Sorted(maps.Keys(w.Labels)) {
		fields = append(fields, field{"label " + name, w.Labels[name], h.Labels[name]})
	}
	fields = append(fields, field{"lifecycle", set(texts(w.rules(h))), set(texts(h.Lifecycle.Rules))})
	if h.Retention != nil && w.RemoveRules && (w.Backup || w.State) {
		fields = append(fields, field{"retention policy", "none", h.Retention.Seconds + " seconds"})
	}
	return fields
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) // what is no number is none
	return n
}

func (r *run) diffBucket(key string, w Bucket, h *storedBucket) reconcile.Delta {
	if h == nil {
		fields := append([]field{{name: "location", want: strings.ToUpper(w.Location)}}, r.bucketFields(&w, &storedBucket{})...)
		return delta(key, false, append(fields, r.marks(&storedBucket{})...))
	}
	if err := r.bucketError(key, &w, h); err != nil {
		return reconcile.Delta{Err: err}
	}
	fields := r.bucketFields(&w, h)
	if stack := h.stack(); stack != r.spec.stack() {
		switch {
		case stack != "":
			return reconcile.Delta{Err: r.conflict("bucket", key, stack)}
		case len(differ(fields)) == 0 && !r.spec.Adopt:
			return reconcile.Delta{}
		case !r.spec.Adopt:
			return reconcile.Delta{Err: r.conflict("bucket", key, "")}
		}
	}
	d := delta(key, true, append(fields, r.marks(h)...))
	if d.Action != "" && (!h.IAM.Uniform.Enabled || h.IAM.PublicAccessPrevention != "enforced") {
		d.Risk = lab.RiskDisrupt // who had access by an ACL, or as the public, loses it
	}
	return d
}

// bucketError says why a bucket cannot become what is wanted.
func (r *run) bucketError(key string, w *Bucket, h *storedBucket) error {
	if h.refused != nil {
		return h.refused
	}
	if !strings.EqualFold(w.Location, h.Location) {
		return r.fail("plan bucket", key, "write its location, or use another name: a bucket cannot be moved, and is never recreated",
			lab.ErrConflict, "it is in "+lab.Printable(h.Location)+", not in "+strings.ToUpper(w.Location))
	}
	if !w.Backup && !w.State {
		return nil
	}
	rules := slices.DeleteFunc(slices.Clone(h.Lifecycle.Rules), func(rule lifecycleRule) bool { return !rule.live() })
	what := ""
	switch {
	case h.Retention != nil && h.Retention.Locked:
		return r.fail("plan bucket", key, "use another bucket: what is locked cannot be removed by anybody", lab.ErrConflict,
			"its retention policy is locked")
	case w.RemoveRules:
		return nil
	case len(rules) > 0:
		what = "it has a rule by which Google removes or moves live objects: " + lab.Printable(rules[0].text())
	case h.Retention != nil && w.Backup:
		what = "it has a retention policy of " + lab.Printable(h.Retention.Seconds) + " seconds, for which no backup could be removed"
	default:
		return nil
	}
	return &lab.Error{Op: "plan bucket", Target: r.project.target(), Path: key, Set: lab.Setting{Name: SettingRemoveRules},
		Hint: "see who has made it; then have it removed", Err: fmt.Errorf("%w: %s", lab.ErrConflict, what)}
}

// properties are what is sent of a bucket: what is wanted.
func (r *run) properties(w *Bucket, h *storedBucket) map[string]any {
	labels := maps.Clone(w.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[managedLabel], labels[stackLabel] = managedBy, r.spec.stack()
	in := map[string]any{
		"labels": labels,
		"iamConfiguration": map[string]any{"uniformBucketLevelAccess": map[string]any{"enabled": true},
			"publicAccessPrevention": "enforced"},
		"softDeletePolicy": map[string]any{"retentionDurationSeconds": w.softDelete()},
	}
	if w.StorageClass != "" {
		in["storageClass"] = w.StorageClass
	}
	if v := w.versioned(); v != nil {
		in["versioning"] = map[string]any{"enabled": *v}
	}
	if rules := w.rules(h); set(texts(rules)) != set(texts(h.Lifecycle.Rules)) {
		in["lifecycle"] = map[string]any{"rule": append([]lifecycleRule{}, rules...)}
	}
	if h.Retention != nil && w.RemoveRules && (w.Backup || w.State) {
		in["retentionPolicy"] = nil
	}
	return in
}

func (r *run) putBucket(ctx context.Context, key string, w Bucket, h *storedBucket) error {
	if h == nil {
		err := r.createBucket(ctx, &w)
		if status(err) != http.StatusConflict {
			return err
		}
		taken, again := r.readBucket(ctx, key) // a run at the same time, or one whose answer was lost, has made it
		if again != nil {
			return again
		}
		h = &taken
	}
	return r.conditional(ctx, func() error {
		d := r.diffBucket(key, w, h)
		if d.Err != nil || d.Action == "" {
			return d.Err
		}
		err := r.send(ctx, http.MethodPatch, bucketPath(key)+"?projection=noAcl&ifMetagenerationMatch="+url.QueryEscape(h.Metageneration),
			r.properties(&w, h), nil)
		if err == nil {
			return nil
		}
		if fresh, again := r.readBucket(ctx, key); again == nil {
			h = &fresh
		}
		return err
	})
}

func (r *run) createBucket(ctx context.Context, w *Bucket) error {
	in := r.properties(w, &storedBucket{})
	in["name"], in["location"] = w.Name, strings.ToUpper(w.Location)
	return r.send(ctx, http.MethodPost, storageAddress+"/storage/v1/b?projection=noAcl&project="+url.QueryEscape(r.project.ID), in, nil)
}
