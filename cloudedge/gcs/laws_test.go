package gcs_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs/gcstest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
)

// cost is what a plan of everything costs when nothing is to be done: the login, the list of accounts, two buckets and their
// policies, the list of keys, and the proof of the one that is kept.
const cost = 1 + 1 + 2 + 2 + 1 + 1

func TestLaws(t *testing.T) {
	lawtest.Laws(t, func(t *testing.T) lawtest.World { return lawful(t) })
}

// lawful is a new project as the laws see it.
func lawful(tb testing.TB) lawtest.World {
	tb.Helper()
	w := newWorld(tb, gcstest.Config{})
	return lawtest.World{
		Plan:       func(ctx context.Context) (*lab.Plan, error) { return w.project.Plan(ctx, w.spec) },
		Writes:     func(testing.TB) int64 { _, n := w.Total(); return n },
		RoundTrips: func() int64 { n, _ := w.Total(); return n },
		Cost:       cost,
		Drift:      w.drift,
		Foreign:    w.foreign,
		Secrets:    []lab.Secret{w.project.Key},
		Within: func(ctx context.Context, b *lab.Boundary) error {
			p := w.project
			p.Boundary = b
			_, err := p.Plan(ctx, w.spec)
			return err
		},
		Again: func(tb testing.TB) lawtest.World { return lawful(tb) },
		Cuts: []lawtest.Cut{
			{Name: "NotDone", Least: 5, Arm: w.cut(gcstest.Failure{})},
			{Name: "LostAnswer", Least: 5, Arm: w.cut(gcstest.Failure{Done: true})},
		},
	}
}

func (w *world) cut(how gcstest.Failure) func(testing.TB, int) func(error) bool {
	return func(_ testing.TB, n int) func(error) bool {
		w.Reset()
		w.FailAt(n, how)
		return func(error) bool {
			fired := w.Fired() > 0
			w.Reset()
			return fired
		}
	}
}

// drift changes something of every kind.
func (w *world) drift(tb testing.TB) {
	tb.Helper()
	w.ChangeBucket(backup, func(b map[string]any) {
		b["iamConfiguration"].(map[string]any)["publicAccessPrevention"] = "inherited"
		b["labels"].(map[string]any)["app"] = "another"
	})
	w.ChangeBucket(states, func(b map[string]any) { b["versioning"] = map[string]any{"enabled": false} })
	w.ChangeAccount(robot, func(name, _ *string, _ *bool) { *name = "renamed" })
	w.Grant(backup, "roles/storage.admin", "serviceAccount:"+gcstest.Email(robot), "")
	w.sink.remove("longhorn/gcs#access_id")
}

// foreign creates things that are not ours.
func (w *world) foreign(tb testing.TB) func() string {
	tb.Helper()
	w.AddBucket("theirs", map[string]any{"labels": map[string]any{"managed-by": "lab", "stack": "prod"}})
	w.ChangeBucket(backup, func(b map[string]any) { b["labels"].(map[string]any)["theirs"] = "yes" })
	w.AddAccount("theirs-by-hand", "managed-by=lab2;owner=prod/account/theirs-by-hand")
	w.AddAccount("another-stack", "managed-by=lab;owner=another/account/another-stack")
	w.AddKey("another-stack")
	w.Grant(backup, "roles/storage.objectViewer", "serviceAccount:"+gcstest.Email("another-stack"), "")
	w.Grant(backup, "roles/storage.objectViewer", "serviceAccount:"+gcstest.Email(robot), `resource.name.startsWith("x")`)
	w.Grant(backup, "roles/storage.objectAdmin", "user:ada@example.com", "")
	return func() string {
		all := slices.DeleteFunc(append(append(w.Accounts(), w.Keys()...), w.Grants(backup)...), func(line string) bool {
			return strings.Contains(line, robot) && !strings.Contains(line, " if ")
		})
		return fmt.Sprint(strings.Join(all, "\n"), w.Bucket("theirs"), w.Bucket(backup)["labels"].(map[string]any)["theirs"])
	}
}
