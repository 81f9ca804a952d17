package gcs_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"

	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs/gcstest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/contract"
)

// memory is a sink.
type memory struct {
	mu     sync.Mutex
	values map[string]lab.Secret
	broken error // of the next Put or Replace
}

func (m *memory) String() string { return "the memory" }

func (m *memory) Prove(context.Context) error { return nil }

func (m *memory) Get(_ context.Context, name string) (lab.Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.values[name]
	if !ok {
		return v, fmt.Errorf("%w: %s", lab.ErrNotFound, name)
	}
	return v, nil
}

func (m *memory) Put(_ context.Context, name string, s lab.Secret) error {
	return m.set(name, lab.Secret{}, s)
}

func (m *memory) Replace(_ context.Context, name string, old, s lab.Secret) error {
	return m.set(name, old, s)
}

func (m *memory) set(name string, old, s lab.Secret) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.broken; err != nil {
		m.broken = nil
		return err
	}
	if has, ok := m.values[name]; ok && !has.Equal(s) && !has.Equal(old) {
		return fmt.Errorf("%w: %s", lab.ErrConflict, name)
	}
	if m.values == nil {
		m.values = map[string]lab.Secret{}
	}
	m.values[name] = s
	return nil
}

func (m *memory) remove(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, name)
}

// world is a project, and what is wanted there.
type world struct {
	*gcstest.Server
	project gcs.Project
	sink    *memory
	spec    gcs.Spec
}

const (
	backup = "arcodange-backup"
	states = "arcodange-tf"
	robot  = "longhorn-backup"
)

// newWorld is a new project, held to the vendor's documents where those are.
func newWorld(tb testing.TB, c gcstest.Config) *world {
	tb.Helper()
	s := gcstest.New(tb, c)
	w := &world{Server: s, project: s.Access(), sink: &memory{}}
	w.project.Counters = &gcs.Counters{}
	s.AddBucket(states, map[string]any{"location": "US-EAST1", "versioning": map[string]any{"enabled": false}})
	w.spec = gcs.Spec{Stack: "prod", Sink: w.sink, Adopt: true, Prune: true,
		Buckets: []gcs.Bucket{
			{Name: backup, Location: "us-east1", SoftDelete: "168h", Backup: true, Labels: map[string]string{"app": "longhorn"},
				StorageClass: "NEARLINE", Lifecycle: []gcs.Rule{{Action: "AbortIncompleteMultipartUpload", Age: 7}},
				Grants: []gcs.Grant{{Account: robot, Roles: []string{"roles/storage.objectAdmin", "roles/storage.legacyBucketReader"}}}},
			{Name: states, Location: "us-east1", SoftDelete: "0s", State: true, Lifecycle: []gcs.Rule{{Action: "Delete", NewerVersions: 20}}},
		},
		Accounts: []gcs.Account{{Name: robot, DisplayName: "Longhorn", Description: "writes backups",
			Key: &gcs.Key{Secret: "longhorn/gcs", MaxAge: "2160h"}}},
	}
	contracts(tb, s)
	return w
}

// contracts holds a project to the vendor's documents, which lack the login, S3, and the answer 204 to the removal of a key.
func contracts(tb testing.TB, s *gcstest.Server) {
	tb.Helper()
	s.SetCheck(contract.Google(tb))
}

func (w *world) plan(tb testing.TB) *lab.Plan {
	tb.Helper()
	p, err := w.project.Plan(tb.Context(), w.spec)
	if err != nil {
		tb.Fatalf("plan: %v\n%v", err, lab.Hints(err))
	}
	return p
}

func (w *world) apply(tb testing.TB) *lab.Plan {
	tb.Helper()
	p := w.plan(tb)
	if r, err := p.Apply(tb.Context(), nil); err != nil || !r.Complete() {
		tb.Fatalf("apply: %v\n%v", err, r)
	}
	return p
}

// converge applies, and proves that nothing is left to do.
func (w *world) converge(tb testing.TB) *lab.Plan {
	tb.Helper()
	first := w.apply(tb)
	if p := w.plan(tb); !p.Empty() {
		tb.Fatalf("after the apply there is to do:\n%v", p)
	}
	return first
}

// live returns the IDs of the active keys of the account.
func (w *world) live() (ids []string) {
	for _, k := range w.Keys() {
		if f := strings.Fields(k); f[1] == robot && f[2] == "ACTIVE" {
			ids = append(ids, f[0])
		}
	}
	return ids
}

// whole proves that one key is active, that it is the one that is kept, and that Longhorn can use it.
func (w *world) whole(tb testing.TB) {
	tb.Helper()
	live := w.live()
	if kept := w.sink.values["longhorn/gcs#access_id"].Reveal(); len(live) != 1 || live[0] != kept {
		tb.Errorf("active are %q, and %q is kept", live, kept)
	}
	t, err := w.project.BackupTarget(tb.Context(), w.spec, backup, robot)
	if err != nil || t.URL != "s3://arcodange-backup@us-east1/" || len(t.Secret) != 3 || t.Secret["AWS_ACCESS_KEY_ID"].Reveal() != live[0] ||
		t.Secret["AWS_ENDPOINTS"].Reveal() != w.URL() || t.Secret["AWS_SECRET_ACCESS_KEY"].IsZero() {
		tb.Errorf("%v %v", t, err)
	}
}
