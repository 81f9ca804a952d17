package gcs_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs/gcstest"
)

// bucketOnly wants the bucket for backups alone, which somebody has created as its fields say.
func bucketOnly(tb testing.TB, fields map[string]any) *world {
	tb.Helper()
	w := newWorld(tb, gcstest.Config{})
	w.spec.Buckets, w.spec.Accounts, w.spec.Adopt, w.spec.Prune = w.spec.Buckets[:1], nil, false, false
	w.spec.Buckets[0].Grants = nil
	if fields != nil {
		w.AddBucket(backup, fields)
	}
	return w
}

// equal are the fields of a bucket that is as wanted, but for our mark.
func equal() map[string]any {
	return map[string]any{"location": "US-EAST1", "storageClass": "NEARLINE", "labels": map[string]any{"app": "longhorn"},
		"softDeletePolicy": map[string]any{"retentionDurationSeconds": "604800"},
		"iamConfiguration": map[string]any{"publicAccessPrevention": "enforced", "uniformBucketLevelAccess": map[string]any{"enabled": true}},
		"lifecycle": map[string]any{"rule": []any{map[string]any{"action": map[string]any{"type": "AbortIncompleteMultipartUpload"},
			"condition": map[string]any{"age": 7.0}}}}}
}

func with(name string, value any) map[string]any {
	b := equal()
	b[name] = value
	return b
}

func rule(action string, condition map[string]any) map[string]any {
	return map[string]any{"rule": []any{map[string]any{"action": map[string]any{"type": action}, "condition": condition}}}
}

// TestBucketsThatAreThere: what is not ours, cannot be changed, or would break backups (longhorn/website 1010: any retention policy is
// prohibited) is reported, and never replaced or overwritten.
func TestBucketsThatAreThere(t *testing.T) {
	ours := map[string]any{"managed-by": "lab", "stack": "prod", "app": "longhorn"}
	tests := []struct {
		name   string
		fields map[string]any
		says   string // in the error; empty: there is nothing to do
		set    string // the setting that the error names
	}{
		{"equal without a mark", equal(), "", ""},
		{"ours in another form", with("labels", ours), "", ""},
		{"foreign", with("storageClass", "STANDARD"), "not known to be ours", gcs.SettingAdopt},
		{"of another stack", with("labels", map[string]any{"managed-by": "lab", "stack": "sandbox"}), "belongs to the stack sandbox", ""},
		{"of another program", with("labels", map[string]any{"managed-by": "lab2", "stack": "prod"}), "not known to be ours", gcs.SettingAdopt},
		{"in another place", with("location", "EU"), "it is in EU, not in US-EAST1", ""},
		{"deletes by age", with("lifecycle", rule("Delete", map[string]any{"age": 30.0})), "removes or moves live objects", gcs.SettingRemoveRules},
		{"deletes all", with("lifecycle", rule("Delete", map[string]any{})), "removes or moves live objects", gcs.SettingRemoveRules},
		{"deletes live", with("lifecycle", rule("Delete", map[string]any{"isLive": true, "numNewerVersions": 3.0})), "live objects", gcs.SettingRemoveRules},
		{"moves", with("lifecycle", rule("SetStorageClass", map[string]any{"age": 30.0})), "removes or moves live objects", gcs.SettingRemoveRules},
		{"retains", with("retentionPolicy", map[string]any{"retentionPeriod": "86400"}), "no backup could be removed", gcs.SettingRemoveRules},
		{"locked", with("retentionPolicy", map[string]any{"retentionPeriod": "86400", "isLocked": true}), "is locked", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := bucketOnly(t, test.fields)
			p, err := w.project.Plan(t.Context(), w.spec)
			if !p.Empty() {
				t.Errorf("it is changed:\n%v", p)
			}
			if test.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *lab.Error
			if !errors.As(err, &e) || !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), test.says) || e.Set.Name != test.set ||
				e.Hint == "" {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestTakenName: the name of a bucket of somebody else, as 403 says: it looks like a missing permission.
func TestTakenName(t *testing.T) {
	w := bucketOnly(t, nil)
	w.TakeBucket(backup)
	_, err := w.project.Plan(t.Context(), w.spec)
	if !errors.Is(err, lab.ErrConflict) || !strings.Contains(strings.Join(lab.Hints(err), ""), "unique in the world") {
		t.Errorf("%v %v", err, lab.Hints(err))
	}
	other := bucketOnly(t, nil)
	p := other.plan(t)
	other.TakeBucket(backup) // after it was planned
	if _, err := p.Apply(t.Context(), nil); !errors.Is(err, lab.ErrConflict) {
		t.Error(err)
	}
}

// TestRemoveRules removes what would break backups, if asked, and nothing else.
func TestRemoveRules(t *testing.T) {
	fields := with("lifecycle", map[string]any{"rule": []any{
		map[string]any{"action": map[string]any{"type": "Delete"}, "condition": map[string]any{"age": 30.0}},
		map[string]any{"action": map[string]any{"type": "Delete"}, "condition": map[string]any{"daysSinceNoncurrentTime": 3.0, "matchesPrefix": []any{"x"}}},
	}})
	fields["retentionPolicy"] = map[string]any{"retentionPeriod": "86400"}
	w := bucketOnly(t, fields)
	w.spec.Adopt, w.spec.Buckets[0].RemoveRules, w.spec.Buckets[0].Lifecycle = true, true, nil
	w.converge(t)
	b := w.Bucket(backup)
	if rules := b["lifecycle"].(map[string]any)["rule"].([]any); len(rules) != 1 || b["retentionPolicy"] != nil ||
		rules[0].(map[string]any)["condition"].(map[string]any)["daysSinceNoncurrentTime"] != 3.0 {
		t.Error(b)
	}
}

// TestStateBucket: versioning cannot be switched off, and the bucket is never removed, whatever the spec says.
func TestStateBucket(t *testing.T) {
	w := newWorld(t, gcstest.Config{})
	w.converge(t)
	if v := w.Bucket(states)["versioning"].(map[string]any)["enabled"]; v != true {
		t.Error("versioning is off")
	}
	off := false
	w.spec.Buckets[1].Versioning = &off
	if _, err := w.project.Plan(t.Context(), w.spec); err == nil || !strings.Contains(err.Error(), "only backup") {
		t.Error(err)
	}
	w.spec.Buckets, w.spec.Accounts[0].Key, w.spec.MaxDeletes = nil, nil, 100
	if p := w.plan(t); !p.Empty() {
		t.Error(p)
	}
	for request := range w.Requests() {
		if strings.HasPrefix(request, "DELETE /storage/v1/b") {
			t.Error(request)
		}
	}
}

// TestChangedMeanwhile: a failure that passes, and a change between reading and writing, are met by reading again.
func TestChangedMeanwhile(t *testing.T) {
	for _, status := range []int{412, 429, 500, 503} {
		for _, done := range []bool{false, true} {
			w := bucketOnly(t, with("labels", map[string]any{"managed-by": "lab", "stack": "prod", "theirs": "x"}))
			w.FailAt(1, gcstest.Failure{Status: status, Done: done, Body: "{}"})
			w.converge(t)
			if l := w.Bucket(backup)["labels"].(map[string]any); l["theirs"] != "x" || l["app"] != "longhorn" || w.Fired() != 1 {
				t.Errorf("after %d: %v", status, l)
			}
		}
	}
}

// TestGrants: bindings with a condition and those of others are kept, and what an account of the same name had before it was removed
// is cleared up.
func TestGrants(t *testing.T) {
	w := newWorld(t, gcstest.Config{})
	w.Grant(states, "roles/storage.objectViewer", "user:ada@example.com", "")
	w.converge(t)
	member := "serviceAccount:" + gcstest.Email(robot)
	w.Grant(backup, "roles/storage.objectAdmin", member, `resource.name.startsWith("x")`)
	w.Grant(backup, "roles/storage.objectAdmin", "user:ada@example.com", "")
	w.Grant(backup, "roles/storage.admin", member, "") // more than it shall have
	w.converge(t)
	want := []string{"roles/storage.legacyBucketOwner projectEditor:arcodange", "roles/storage.legacyBucketOwner projectOwner:arcodange",
		"roles/storage.legacyBucketReader " + member, "roles/storage.objectAdmin " + member,
		"roles/storage.objectAdmin " + member + ` if resource.name.startsWith("x")`, "roles/storage.objectAdmin user:ada@example.com"}
	if got := w.Grants(backup); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}

	w.RemoveAccount(robot)
	w.converge(t) // another identity, with another key
	w.whole(t)
	got := slices.DeleteFunc(w.Grants(backup), func(g string) bool { return strings.Contains(g, " if ") })
	if slices.ContainsFunc(got, func(g string) bool { return strings.Contains(g, "deleted:") }) || len(got) != len(want)-1 {
		t.Errorf("%q", got)
	}
}

func TestDisabledAccount(t *testing.T) {
	w := newWorld(t, gcstest.Config{})
	w.converge(t)
	w.ChangeAccount(robot, func(_, _ *string, disabled *bool) { *disabled = true })
	if _, err := w.project.Plan(t.Context(), w.spec); !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "disabled") {
		t.Error(err)
	}
}

// TestValidate: everything that is wrong is said at once, with where it is.
func TestValidate(t *testing.T) {
	off := false
	spec := gcs.Spec{Stack: "Prod!", MaxDeletes: -1,
		Buckets: []gcs.Bucket{
			{Name: "google-x", Location: "us east", SoftDelete: "1h", StorageClass: "standard", Labels: map[string]string{"stack": "x", "A": "b"}},
			{Name: "ok-bucket", Location: "EU", SoftDelete: "0s", State: true, Backup: true, Versioning: &off, Lifecycle: []gcs.Rule{
				{Action: "Delete", Age: 30}, {Action: "Delete"}, {Action: "SetStorageClass", Age: 1}, {Action: "AbortIncompleteMultipartUpload"},
				{Action: "Delete", NoncurrentDays: 3}},
				Grants: []gcs.Grant{{Account: "nobody", Roles: []string{"admin"}}, {Account: "nobody"}}},
			{Name: "ok-bucket", Location: "EU", SoftDelete: "0s", RemoveRules: true},
		},
		Accounts: []gcs.Account{{Name: "short", Description: "a;managed-by=lab", Key: &gcs.Key{Secret: "#", MaxAge: "1m", Grace: "-1h"}},
			{Name: "long-description", Description: strings.Repeat("x", 250)}},
	}
	var said strings.Builder
	for _, p := range spec.Validate() {
		said.WriteString(p.Path + ": " + p.Message + "\n")
	}
	for _, want := range []string{"stack:", "maxDeletes:", "buckets[0].name: is a name that Google", "buckets[0].location:", "buckets[0].storageClass:",
		"buckets[0].softDelete:", "buckets[0].labels: is a label of the mark", "buckets[0].labels: is not a label", "buckets[1].versioning:",
		"buckets[1].state:", "buckets[1].lifecycle[0].age: would remove live", "buckets[1].lifecycle[1]: would remove live",
		"buckets[1].lifecycle[2].action:", "buckets[1].lifecycle[3]: needs an age", "buckets[1].lifecycle[4].newerVersions:",
		"buckets[1].grants[0].serviceAccount: is none", "buckets[1].grants[0].roles: is not a role", "grants[1].serviceAccount: is named twice",
		"buckets[1].grants[1].roles: is empty", "buckets[2].name: is named twice", "buckets[2].removeRules:", "serviceAccounts[0].name:",
		"serviceAccounts[0].description:", "hmacKey: needs a sink", "hmacKey.secret:", "hmacKey.maxAge:", "hmacKey.grace:", "hmacKey: cannot be proved",
		"serviceAccounts[1].description: is longer"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("nothing is said of %q", want)
		}
	}

	key := `{"type": "authorized_user", "client_email": "x", "private_key": "-----BEGIN PRIVATE KEY-----"}`
	for _, p := range []gcs.Project{{}, {ID: "4711", AccessToken: lab.NewSecret("x")}, {ID: "arcodange", Key: lab.NewSecret("{")},
		{ID: "arcodange", Key: lab.NewSecret(key)}, {ID: "arcodange", AccessToken: lab.NewSecret("x y")},
		{ID: "arcodange", AccessToken: lab.NewSecret("x"), Key: lab.NewSecret("x")},
		{ID: "arcodange", AccessToken: lab.NewSecret("x"), Address: "http://192.0.2.1"},
		{ID: "arcodange", AccessToken: lab.NewSecret("x"), Address: "https://example.com/path"},
		{ID: "arcodange", AccessToken: lab.NewSecret("x"), CA: "x"}, {ID: "arcodange", AccessToken: lab.NewSecret("x"), Wait: -1}} {
		if len(p.Validate()) == 0 {
			t.Errorf("nothing is wrong with %+v", p)
		}
	}
}
