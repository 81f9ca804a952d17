package cloudflare

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

const defaultJurisdiction = "default"

// jurisdictions are those of R2. Only some accounts have fedramp.
var jurisdictions = []string{defaultJurisdiction, "eu", "fedramp"}

func (b Bucket) jurisdiction() string { return cmp.Or(b.Jurisdiction, defaultJurisdiction) }

// key is the name, after the jurisdiction and a slash where that is not the default one.
func (b Bucket) key() string { return bucketKey(b.jurisdiction(), b.Name) }

func bucketKey(jurisdiction, name string) string {
	if jurisdiction == defaultJurisdiction {
		return name
	}
	return jurisdiction + "/" + name
}

// splitBucket returns what a key is made of.
func splitBucket(key string) (jurisdiction, name string) {
	jurisdiction, name, found := strings.Cut(key, "/")
	if !found {
		return defaultJurisdiction, key
	}
	return jurisdiction, name
}

// bucket is a bucket as the API has it, with what is asked for each wanted one.
type bucket struct {
	Name         string `json:"name"`
	StorageClass string `json:"storage_class"`

	lifecycle []json.RawMessage // all rules, ours and others; only if some are wanted
	cors      []corsRule        // only if they are wanted
	devURL    bool
	elsewhere string // it does not exist, but one of its name does in this jurisdiction
}

// lifecycleRule is a rule as the API has it.
type lifecycleRule struct {
	ID         string         `json:"id"`
	Enabled    bool           `json:"enabled"`
	Conditions ruleConditions `json:"conditions"`
	Delete     *transition    `json:"deleteObjectsTransition,omitempty"`
	Abort      *transition    `json:"abortMultipartUploadsTransition,omitempty"`
	Classes    []transition   `json:"storageClassTransitions,omitempty"`
}

type ruleConditions struct {
	Prefix string `json:"prefix"`
}

type transition struct {
	Condition age    `json:"condition"`
	Class     string `json:"storageClass,omitempty"`
}

type age struct {
	Type   string `json:"type"`
	MaxAge int    `json:"maxAge"` // seconds
}

const (
	day        = 24 * 60 * 60
	rulePrefix = "lab-"
)

func days(n int, class string) transition { return transition{age{"Age", n * day}, class} }

func (l LifecycleRule) rule() lifecycleRule {
	r := lifecycleRule{ID: rulePrefix + l.Name, Enabled: true, Conditions: ruleConditions{l.Prefix}}
	if l.DeleteAfter > 0 {
		d := days(l.DeleteAfter, "")
		r.Delete = &d
	}
	if l.AbortAfter > 0 {
		d := days(l.AbortAfter, "")
		r.Abort = &d
	}
	if l.InfrequentAfter > 0 {
		r.Classes = []transition{days(l.InfrequentAfter, "InfrequentAccess")}
	}
	return r
}

// corsRule is a rule as the API has it.
type corsRule struct {
	Allowed struct {
		Origins []string `json:"origins"`
		Methods []string `json:"methods"`
		Headers []string `json:"headers,omitempty"`
	} `json:"allowed"`
	Expose []string `json:"exposeHeaders,omitempty"`
	MaxAge int      `json:"maxAgeSeconds,omitempty"`
}

func (c CORSRule) rule() (r corsRule) {
	r.Allowed.Origins, r.Allowed.Methods, r.Allowed.Headers = c.Origins, c.Methods, c.Headers
	r.Expose, r.MaxAge = c.Expose, c.MaxAge
	return r
}

// String is the rule for people, and for comparisons: the order of what it lists does not matter.
func (r corsRule) String() string {
	headers := func(names []string) string {
		return reconcile.Together(strings.Fields(strings.ToLower(strings.Join(names, " "))))
	}
	return fmt.Sprintf("origins %s methods %s headers %s expose %s age %d",
		reconcile.Together(r.Allowed.Origins), reconcile.Together(r.Allowed.Methods),
		headers(r.Allowed.Headers), headers(r.Expose), r.MaxAge)
}

func (r *run) wantedBuckets() map[string]Bucket {
	want := map[string]Bucket{}
	for _, b := range r.spec.Buckets {
		want[b.key()] = b
	}
	return want
}

// buckets are the buckets. Nothing of Owned: none is ever removed.
func (r *run) buckets() reconcile.Kind {
	want := r.wantedBuckets()
	return reconcile.Collection[Bucket, bucket]{
		Name: "bucket", Want: want,
		List: func(ctx context.Context) (map[string]bucket, error) { return r.listBuckets(ctx, want) },
		Diff: r.diffBucket,
		Put:  r.putBucket,
	}
}

// bucketRequest is a request about a bucket. Every one says the jurisdiction, or it is about another bucket.
func (r *run) bucketRequest(key, method string, in any, sub ...string) request {
	jurisdiction, name := splitBucket(key)
	return request{method: method, path: r.inAccount(append([]string{"r2", "buckets", name}, sub...)...), in: in,
		header: map[string]string{"cf-r2-jurisdiction": jurisdiction}}
}

// existingBuckets returns the names of all buckets in the jurisdictions that are wanted, by key.
func (r *run) existingBuckets(ctx context.Context) (map[string]bucket, error) {
	return reconcile.Once(r.reads, "buckets", func() (map[string]bucket, error) {
		has := map[string]bucket{}
		asked := map[string]bool{}
		for _, b := range r.spec.Buckets {
			if j := b.jurisdiction(); !asked[j] {
				asked[j] = true
				if err := r.pagesOfBuckets(ctx, j, has); err != nil {
					return nil, err
				}
			}
		}
		return has, nil
	})
}

// pagesOfBuckets reads the list of a jurisdiction, which has a cursor.
func (r *run) pagesOfBuckets(ctx context.Context, jurisdiction string, has map[string]bucket) error {
	cursor := ""
	for range maxPages {
		var page struct {
			Buckets []bucket `json:"buckets"`
		}
		q := url.Values{"per_page": {"1000"}}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		i, err := r.do(ctx, request{method: http.MethodGet, path: r.inAccount("r2", "buckets"), query: q,
			header: map[string]string{"cf-r2-jurisdiction": jurisdiction}}, &page)
		if err != nil {
			return err
		}
		for _, b := range page.Buckets {
			has[bucketKey(jurisdiction, b.Name)] = b
		}
		if i.Cursor == "" || len(page.Buckets) == 0 {
			return nil
		}
		cursor = i.Cursor
	}
	return r.fail("list", "r2/buckets", "", lab.ErrConflict, "it has no end")
}

func (r *run) listBuckets(ctx context.Context, want map[string]Bucket) (map[string]bucket, error) {
	all, err := r.existingBuckets(ctx)
	if err != nil {
		return nil, err
	}
	keys := slices.Sorted(maps.Keys(want))
	details, err := reconcile.Each(ctx, r.account.parallel(), keys, func(ctx context.Context, key string) (bucket, error) {
		b, ok := all[key]
		if !ok {
			elsewhere, err := r.elsewhere(ctx, key)
			return bucket{elsewhere: elsewhere}, err
		}
		return r.describe(ctx, want[key], b)
	})
	if err != nil {
		return nil, err
	}
	has := map[string]bucket{}
	for n, key := range keys {
		if details[n].Name != "" || details[n].elsewhere != "" {
			has[key] = details[n]
		}
	}
	return has, nil
}

// elsewhere returns in which other jurisdiction there is a bucket of this name, that is not wanted there too; "" if in none.
func (r *run) elsewhere(ctx context.Context, key string) (string, error) {
	own, name := splitBucket(key)
	for _, j := range jurisdictions[:2] {
		other := bucketKey(j, name)
		if _, wanted := r.wantedBuckets()[other]; j == own || wanted {
			continue
		}
		err := r.send(ctx, r.bucketRequest(other, http.MethodGet, nil), &bucket{})
		if err == nil {
			return j, nil
		}
		if !absent(err) {
			return "", err
		}
	}
	return "", nil
}

// describe reads what else is asked of a bucket.
func (r *run) describe(ctx context.Context, w Bucket, b bucket) (bucket, error) {
	get := func(out any, sub ...string) error {
		return r.send(ctx, r.bucketRequest(w.key(), http.MethodGet, nil, sub...), out)
	}
	var managed struct {
		Enabled bool `json:"enabled"`
	}
	if err := get(&managed, "domains", "managed"); err != nil && !absent(err) {
		return b, err
	}
	b.devURL = managed.Enabled
	if w.Lifecycle != nil {
		var rules struct {
			Rules []json.RawMessage `json:"rules"`
		}
		if err := get(&rules, "lifecycle"); err != nil && !absent(err) {
			return b, err
		}
		b.lifecycle = rules.Rules
	}
	if w.CORS != nil {
		var rules struct {
			Rules []corsRule `json:"rules"`
		}
		if err := get(&rules, "cors"); err != nil && !absent(err) {
			return b, err
		}
		b.cors = rules.Rules
	}
	return b, nil
}

// rules returns the lifecycle rules that are ours, and those of others as they are.
func (b bucket) rules() (ours []lifecycleRule, others []json.RawMessage) {
	for _, raw := range b.lifecycle {
		var l lifecycleRule
		if json.Unmarshal(raw, &l) == nil && strings.HasPrefix(l.ID, rulePrefix) {
			ours = append(ours, l)
		} else {
			others = append(others, raw)
		}
	}
	return ours, others
}

func ruleText(rules []lifecycleRule) string {
	var texts []string
	for _, l := range rules {
		text := l.ID
		if !l.Enabled {
			text += " (disabled)"
		}
		if l.Conditions.Prefix != "" {
			text += fmt.Sprintf(" prefix %q", l.Conditions.Prefix)
		}
		if l.Delete != nil {
			text += " delete " + l.Delete.Condition.String()
		}
		if l.Abort != nil {
			text += " abort " + l.Abort.Condition.String()
		}
		for _, t := range l.Classes {
			text += " " + t.Class + " " + t.Condition.String()
		}
		texts = append(texts, text)
	}
	return reconcile.Together(texts)
}

func (a age) String() string {
	if a.MaxAge%day == 0 {
		return fmt.Sprintf("after %d days", a.MaxAge/day)
	}
	return fmt.Sprintf("after %d seconds", a.MaxAge)
}

func bucketFields(w Bucket, h bucket) (f reconcile.Fields) {
	f.Text("storageClass", w.StorageClass, h.StorageClass)
	f.Exact("devURL", fmt.Sprint(w.DevURL), fmt.Sprint(h.devURL))
	if w.Lifecycle != nil {
		var want []lifecycleRule
		for _, l := range w.Lifecycle {
			want = append(want, l.rule())
		}
		ours, _ := h.rules()
		f.Exact("lifecycle", ruleText(want), ruleText(ours))
	}
	if w.CORS != nil {
		texts := func(rules []corsRule) (all []string) {
			for _, c := range rules {
				all = append(all, "("+c.String()+")")
			}
			return all
		}
		var want []corsRule
		for _, c := range w.CORS {
			want = append(want, c.rule())
		}
		f.Exact("cors", reconcile.Together(texts(want)), reconcile.Together(texts(h.cors)))
	}
	return f
}

func (r *run) diffBucket(key string, w Bucket, h *bucket) reconcile.Delta {
	switch {
	case h == nil:
		return bucketFields(w, bucket{}).Created(key)
	case h.elsewhere != "":
		return reconcile.Delta{Err: r.fail("plan bucket", key, "write jurisdiction: "+h.elsewhere+
			"; a bucket cannot be moved to another one: choose another name for a new one", lab.ErrConflict,
			"it does not exist, but one of this name does in the jurisdiction "+h.elsewhere)}
	}
	f := bucketFields(w, *h)
	d := f.Changed(key)
	for _, name := range f.Differ() {
		switch {
		case name == "lifecycle" && deletes(w):
			d.Risk = lab.RiskDataLoss
			d.Cause += "; a rule deletes objects"
		case name == "devURL" && w.DevURL:
			d.Risk = lab.RiskDataLoss
			d.Cause += "; everybody can read the objects then"
		case name == "devURL":
			d.Risk = max(d.Risk, lab.RiskDisrupt)
		}
	}
	return r.unmarked("bucket", key, d)
}

// deletes reports whether a rule of the bucket deletes objects.
func deletes(w Bucket) bool {
	return slices.ContainsFunc(w.Lifecycle, func(l LifecycleRule) bool { return l.DeleteAfter > 0 })
}

func (r *run) putBucket(ctx context.Context, key string, w Bucket, h *bucket) error {
	if h == nil {
		b, err := r.createBucket(ctx, w)
		if err != nil {
			return err
		}
		if b, err = r.describe(ctx, w, b); err != nil {
			return err
		}
		h = &b
	}
	differs := bucketFields(w, *h).Differ()
	for _, name := range differs {
		q := r.bucketRequest(key, http.MethodPut, nil)
		switch name {
		case "storageClass":
			q.method = http.MethodPatch
			q.header["cf-r2-storage-class"] = w.StorageClass
		case "devURL":
			q = r.bucketRequest(key, http.MethodPut, map[string]any{"enabled": w.DevURL}, "domains", "managed")
		case "lifecycle":
			_, rules := h.rules()
			rules = slices.Clone(rules)
			for _, l := range w.Lifecycle {
				raw, err := json.Marshal(l.rule())
				if err != nil {
					return err
				}
				rules = append(rules, raw)
			}
			if rules == nil {
				rules = []json.RawMessage{}
			}
			q = r.bucketRequest(key, http.MethodPut, map[string]any{"rules": rules}, "lifecycle")
		case "cors":
			q = r.bucketRequest(key, http.MethodDelete, nil, "cors")
			if len(w.CORS) > 0 {
				rules := []corsRule{}
				for _, c := range w.CORS {
					rules = append(rules, c.rule())
				}
				q = r.bucketRequest(key, http.MethodPut, map[string]any{"rules": rules}, "cors")
			}
		}
		if err := r.send(ctx, q, nil); err != nil {
			return err
		}
	}
	return nil
}

// createBucket makes a bucket. One that is there already is adopted: a run that lost the answer has made it, or it was not
// listed yet.
func (r *run) createBucket(ctx context.Context, w Bucket) (b bucket, err error) {
	in := map[string]any{"name": w.Name}
	if w.Location != "" {
		in["locationHint"] = w.Location
	}
	if w.StorageClass != "" {
		in["storageClass"] = w.StorageClass
	}
	err = r.send(ctx, request{method: http.MethodPost, path: r.inAccount("r2", "buckets"), in: in,
		header: map[string]string{"cf-r2-jurisdiction": w.jurisdiction()}}, &b)
	if says(err, codeBucketExists) || status(err) == http.StatusConflict {
		if r.send(ctx, r.bucketRequest(w.key(), http.MethodGet, nil), &b) == nil {
			return b, nil
		}
	}
	return b, err
}
