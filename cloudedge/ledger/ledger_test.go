package ledger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ledger"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ledger/ledgertest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fingerprint"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// world is a layer whose objects carry no mark, a shelf with labelled boxes, and its ledger.
type world struct {
	*ledgertest.Server
	ledger *ledger.Ledger

	mu     sync.Mutex
	shelf  map[string]string
	want   map[string]string
	writes int64
	faults fake.Faults[bool] // whether it is done first
	during func()            // is called before each change
}

const record = "factory/main/ownership.json"

func newWorld(tb testing.TB, want ...string) *world {
	tb.Helper()
	w := &world{Server: ledgertest.New(tb), shelf: map[string]string{}}
	w.ledger = w.Ledger(lab.App("factory").In(lab.Prod), "run 1")
	w.wants(want...)
	return w
}

// wants says what is on the shelf, as "box=content".
func (w *world) wants(boxes ...string) {
	w.want = map[string]string{}
	for _, b := range boxes {
		name, content, _ := strings.Cut(b, "=")
		w.want[name] = content
	}
}

func (w *world) change(do func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.during != nil {
		w.during()
	}
	done, fails := w.faults.Next()
	if !fails || done {
		do()
		w.writes++
	}
	if fails {
		return fmt.Errorf("%w: the shelf", lab.ErrUnreachable)
	}
	return nil
}

func (w *world) boxes(owns func(string) bool) reconcile.Collection[string, string] {
	return reconcile.Collection[string, string]{
		Name: "box", Want: w.want,
		List: func(context.Context) (map[string]string, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return maps.Clone(w.shelf), nil
		},
		Diff: func(_ string, want string, has *string) reconcile.Delta {
			switch {
			case has == nil:
				return reconcile.Delta{Action: lab.Create, Cause: "not found"}
			case *has != want:
				return reconcile.Delta{Action: lab.Update, Cause: "content differs"}
			}
			return reconcile.Delta{}
		},
		Put: func(_ context.Context, key, want string, _ *string) error {
			return w.change(func() { w.shelf[key] = want })
		},
		Owned:  func(key string, _ string) bool { return owns("shelf/box:" + key) },
		Delete: func(_ context.Context, key string, _ string) error { return w.change(func() { delete(w.shelf, key) }) },
	}
}

func (w *world) plan(ctx context.Context) (*lab.Plan, error) {
	book, err := w.ledger.Read(ctx)
	if err != nil {
		return nil, err
	}
	boxes := w.boxes(book.Owns)
	p, err := reconcile.Plan(ctx, reconcile.Options{Name: "shelf", Prune: true, Parallel: 1, MaxDeletes: 1000}, boxes)
	if err != nil {
		return nil, err
	}
	return book.Guard(p, ledger.Wanted{IDs: reconcile.IDs("shelf", boxes), Pruned: true})
}

func (w *world) apply(tb testing.TB) error {
	tb.Helper()
	p, err := w.plan(tb.Context())
	if err != nil {
		return err
	}
	_, err = p.Apply(tb.Context(), nil)
	return err
}

// converge applies until nothing is to be done, which must be at once.
func (w *world) converge(tb testing.TB) {
	tb.Helper()
	if err := w.apply(tb); err != nil {
		tb.Fatal(err)
	}
	if p, err := w.plan(tb.Context()); err != nil || !p.Empty() {
		tb.Fatalf("%v, %v", p, err)
	}
}

// entries returns what is recorded, as "box managed".
func (w *world) entries(tb testing.TB) (all []string) {
	tb.Helper()
	book, err := w.ledger.Read(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range book.Entries() {
		all = append(all, strings.TrimPrefix(e.ID, "shelf/box:")+" "+string(e.Ownership))
	}
	return all
}

// intents returns what is noted and not settled.
func (w *world) intents(tb testing.TB) (all []string) {
	tb.Helper()
	var r struct{ Intents []struct{ ID, Op string } }
	if err := json.Unmarshal(w.Object(record), &r); err != nil {
		tb.Fatal(err)
	}
	for _, i := range r.Intents {
		all = append(all, i.Op+" "+strings.TrimPrefix(i.ID, "shelf/box:"))
	}
	return all
}

func (w *world) lock() string { return string(w.Object("factory/main/lock.json")) }

func TestLaws(t *testing.T) {
	lawtest.Laws(t, func(t *testing.T) lawtest.World { return newWorld(t, "a=1", "b=2", "c=3").law() })
}

func (w *world) law() lawtest.World {
	return lawtest.World{
		Plan: w.plan,
		Writes: func(testing.TB) int64 {
			_, writes := w.Total()
			return writes + w.writes
		},
		RoundTrips: func() int64 {
			all, _ := w.Total()
			return all
		},
		Cost:  1,
		Drift: func(testing.TB) { w.shelf["b"] = "moved" },
		Foreign: func(testing.TB) func() string {
			w.shelf["somebody's"] = "theirs"
			w.Put("webapp/main/default.tfstate", []byte("{}"))
			return func() string { return w.shelf["somebody's"] + string(w.Object("webapp/main/default.tfstate")) }
		},
		Within: func(ctx context.Context, b *lab.Boundary) error {
			w.ledger.Boundary = b
			_, err := w.plan(ctx)
			return err
		},
		Again: func(tb testing.TB) lawtest.World { return newWorld(tb, "a=1", "d=4").law() },
		Cuts: []lawtest.Cut{
			w.cut("LostBefore", fake.HTTPFault{}, false), w.cut("LostAfter", fake.HTTPFault{Done: true}, true),
			w.cut("Unavailable", fake.HTTPFault{Status: 503}, false),
		},
	}
}

// cut fails the n-th write, those of the bucket and of the shelf counted together as they come: each is tried at each place.
func (w *world) cut(name string, how fake.HTTPFault, done bool) lawtest.Cut {
	return lawtest.Cut{Name: name, Least: 4, Arm: func(tb testing.TB, n int) func(error) bool {
		if n%2 == 1 {
			w.faults.At((n+1)/2, done)
		} else {
			for i := range 4 { // beyond what is tried again
				w.HTTP.Faults.At(n/2+i, how)
			}
		}
		return func(error) bool {
			fired := w.faults.Fired() + w.HTTP.Faults.Fired()
			w.faults.Reset()
			w.HTTP.Faults.Reset()
			// A run that could not end its lock holds it until it expires.
			w.expire(tb)
			return fired > 0
		}
	}}
}

// expire lets the lock have ended an hour ago.
func (w *world) expire(tb testing.TB) {
	tb.Helper()
	if w.lock() == "" {
		return
	}
	var f map[string]any
	if err := json.Unmarshal([]byte(w.lock()), &f); err != nil {
		tb.Fatal(err)
	}
	f["expires"] = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	text, err := json.Marshal(f)
	if err != nil {
		tb.Fatal(err)
	}
	w.Put("factory/main/lock.json", text)
}

// TestOwnership: what was created is removed when it is no longer wanted, what was only changed is not, and what nobody touched
// is nobody's.
func TestOwnership(t *testing.T) {
	w := newWorld(t, "created=1", "changed=1", "equal=1")
	w.shelf = map[string]string{"changed": "0", "equal": "1", "foreign": "1"}
	w.converge(t)
	if got := w.entries(t); !slices.Equal(got, []string{"changed adopted", "created managed"}) {
		t.Errorf("%q", got)
	}
	w.wants("other=1")
	w.converge(t)
	if got := slices.Sorted(maps.Keys(w.shelf)); !slices.Equal(got, []string{"changed", "equal", "foreign", "other"}) {
		t.Errorf("%q", got)
	}
	if got := w.entries(t); !slices.Equal(got, []string{"other managed"}) {
		t.Errorf("%q", got)
	}
	if w.lock() != "" || len(w.intents(t)) > 0 {
		t.Errorf("the lock is %q, and %q is noted", w.lock(), w.intents(t))
	}
}

// TestIntent cuts a run off while it creates a box, whose answer is lost: the box is known as ours all the same, whether the next run
// still wants it or not.
func TestIntent(t *testing.T) {
	for _, test := range []struct {
		wants         []string
		boxes, record []string
	}{
		{[]string{"box=1", "other=1"}, []string{"box", "other"}, []string{"box managed", "other managed"}},
		{[]string{"other=1"}, []string{"other"}, []string{"other managed"}},
	} {
		w := newWorld(t, "box=1")
		w.faults.At(1, true)
		if err := w.apply(t); !errors.Is(err, lab.ErrUnreachable) {
			t.Fatal(err)
		}
		if got := w.intents(t); !slices.Equal(got, []string{"create box"}) || len(w.entries(t)) > 0 {
			t.Fatalf("%q is noted, %q recorded", got, w.entries(t))
		}
		w.wants(test.wants...)
		w.converge(t)
		if got := slices.Sorted(maps.Keys(w.shelf)); !slices.Equal(got, test.boxes) {
			t.Errorf("%q", got)
		}
		if got := w.entries(t); !slices.Equal(got, test.record) || len(w.intents(t)) > 0 {
			t.Errorf("%q is recorded, %q noted", got, w.intents(t))
		}
	}
}

// TestIntentOfNothing cuts a run off before anything was created: a box that somebody else puts there later is theirs.
func TestIntentOfNothing(t *testing.T) {
	w := newWorld(t, "box=1")
	w.faults.At(1, false)
	if err := w.apply(t); err == nil {
		t.Fatal("it was not cut off")
	}
	w.wants("other=1")
	w.converge(t)
	w.shelf["box"] = "theirs"
	if p, err := w.plan(t.Context()); err != nil || !p.Empty() {
		t.Errorf("%v, %v", p, err)
	}
}

// TestFence: of two runs that have read the same record one writes, and the other changes nothing.
func TestFence(t *testing.T) {
	w := newWorld(t, "box=1")
	first, err := w.plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	w.shelf = map[string]string{}
	if _, err := second.Apply(t.Context(), nil); !errors.Is(err, lab.ErrDrift) || len(w.shelf) > 0 {
		t.Errorf("%v, %v", err, w.shelf)
	}
	if w.lock() != "" {
		t.Errorf("the lock is %s", w.lock())
	}
}

func TestLock(t *testing.T) {
	w := newWorld(t, "box=1")
	w.during = func() { // somebody else, while it is held
		w.during = nil
		other := w.Ledger(lab.App("factory").In(lab.Prod), "run 2")
		book, err := other.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := book.Disown(t.Context(), "x"); !errors.Is(err, lab.ErrBlocked) || !strings.Contains(err.Error(), "run 1 has it since") {
			t.Errorf("%v", err)
		}
	}
	w.converge(t)
	if w.during != nil || w.lock() != "" {
		t.Errorf("nobody asked, or the lock is %s", w.lock())
	}
	for name, test := range map[string]struct {
		lock string
		kind error
		says string
	}{
		"Held":    {`{"holder":"ci 7\u001b[2J","nonce":"n","expires":"2999-01-01T00:00:00Z"}`, lab.ErrBlocked, "2999-01-01"},
		"Expired": {`{"holder":"ci 7","nonce":"n","expires":"2020-01-01T00:00:00Z"}`, nil, ""},
		"Strange": {`hello`, lab.ErrConflict, "no lock of ours"},
		"Empty":   {``, lab.ErrConflict, "no lock of ours"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "box=1")
			w.Put("factory/main/lock.json", []byte(test.lock))
			err := w.apply(t)
			if !errors.Is(err, test.kind) || err != nil && (!strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\x1b")) {
				t.Fatalf("%v", err)
			}
			if test.kind != nil && (w.lock() != test.lock || len(w.shelf) > 0) {
				t.Errorf("the lock is %s, the shelf %v", w.lock(), w.shelf)
			}
		})
	}
}

// TestPatience waits for the lock of somebody else, and no longer than it may.
func TestPatience(t *testing.T) {
	w := newWorld(t, "box=1")
	w.ledger.Patience = time.Minute
	w.Put("factory/main/lock.json", []byte(`{"holder":"ci 7","nonce":"n","expires":"2999-01-01T00:00:00Z"}`))
	waits := make(chan struct{})
	p, err := w.plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-waits
		w.Remove("factory/main/lock.json")
	}()
	if _, err := p.Apply(t.Context(), &lab.ApplyOptions{Events: func(e lab.Event) {
		if e.Kind == lab.EventWait {
			close(waits)
		}
	}}); err != nil {
		t.Error(err)
	}
	w.ledger.Patience = time.Nanosecond
	w.wants("box=2")
	w.Put("factory/main/lock.json", []byte(`{"holder":"ci 7","nonce":"n","expires":"2999-01-01T00:00:00Z"}`))
	if err := w.apply(t); !errors.Is(err, lab.ErrBlocked) {
		t.Error(err)
	}
}

// TestRenewed: a lock is renewed while a step runs, and what is done under one that was lost ends.
func TestRenewed(t *testing.T) {
	w := newWorld(t, "box=1")
	w.ledger.Lease = time.Second
	w.during = func() {
		w.during = nil
		for first := w.lock(); first == w.lock(); time.Sleep(10 * time.Millisecond) {
		}
	}
	w.converge(t)

	book, err := w.ledger.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	step := lab.Step{Name: "slow", Changes: []lab.Change{{ID: "shelf/slow", Action: lab.Create}},
		Run: func(ctx context.Context, r *lab.Recorder) error {
			r.Start("shelf/slow")
			w.Put("factory/main/lock.json", []byte(`{"holder":"run 2","nonce":"n","expires":"2999-01-01T00:00:00Z"}`))
			<-ctx.Done()
			return ctx.Err()
		}}
	p, err := lab.NewPlan(step)
	if err == nil {
		p, err = book.Guard(p, ledger.Wanted{IDs: []string{"shelf/slow"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), nil); !errors.Is(err, lab.ErrDrift) {
		t.Error(err)
	}
	if !strings.Contains(w.lock(), "run 2") {
		t.Errorf("the lock of somebody else is %s", w.lock())
	}
	if got := w.intents(t); !slices.Equal(got, []string{"create shelf/slow"}) {
		t.Errorf("%q is noted", got)
	}
}

// TestTofu: nothing is done while OpenTofu holds its lock of the same state.
func TestTofu(t *testing.T) {
	w := newWorld(t, "box=1")
	w.Put("factory/main/default.tflock", []byte(`{"ID":"1","Operation":"OperationTypeApply","Who":"me@mac","Created":"2026-12-01T00:00:00Z"}`))
	err := w.apply(t)
	if !errors.Is(err, lab.ErrBlocked) || !strings.Contains(err.Error(), "me@mac runs OpenTofu") || len(w.shelf) > 0 || w.lock() != "" {
		t.Fatalf("%v, %v, %s", err, w.shelf, w.lock())
	}
	w.Remove("factory/main/default.tflock")
	w.converge(t)
}

func TestBrakes(t *testing.T) {
	var many []string
	for n := range 30 {
		many = append(many, fmt.Sprintf("box%d=1", n))
	}
	w := newWorld(t, many...)
	w.converge(t)
	w.wants(many[:23]...)
	if err := w.apply(t); !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), "7 objects would be removed, and no more than 6") {
		t.Errorf("%v", err)
	}
	w.wants()
	if err := w.apply(t); !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), "nothing is wanted, and 30 objects are recorded") {
		t.Errorf("%v", err)
	}
	w.wants(many[:23]...)
	w.ledger.MaxDeletes = 7
	w.converge(t)
	if len(w.shelf) != 23 {
		t.Errorf("%d are left", len(w.shelf))
	}
}

// TestEnvironments: each has its own record.
func TestEnvironments(t *testing.T) {
	w := newWorld(t, "box=1")
	w.converge(t)
	w.ledger = w.Ledger(lab.App("factory").In("sandbox"), "run 1")
	if got := w.entries(t); len(got) != 0 {
		t.Errorf("%q", got)
	}
	w.wants("box=2")
	w.converge(t)
	if w.Object("factory-sandbox/main/ownership.json") == nil {
		t.Error("it has no record of its own")
	}
}

// TestRebuild makes the record again from the marks of what is there.
func TestRebuild(t *testing.T) {
	w := newWorld(t, "a=1", "b=1")
	w.converge(t)
	w.Remove(record)
	w.wants("a=1")
	if p, err := w.plan(t.Context()); err != nil || !p.Empty() {
		t.Fatalf("without a record, %v, %v", p, err)
	}
	book, err := w.ledger.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := book.Rebuild(t.Context(), ledger.Wanted{IDs: []string{"box:a", "shelf/box:a", "shelf/box:b"}}); err != nil {
		t.Fatal(err)
	}
	w.converge(t)
	if len(w.shelf) != 1 {
		t.Errorf("%v", w.shelf)
	}
	if book, err = w.ledger.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := book.Disown(t.Context(), "shelf/box:a"); err != nil || book.Owns("shelf/box:a") || w.lock() != "" {
		t.Errorf("%v, %q, %s", err, w.entries(t), w.lock())
	}
}

func TestRecords(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		kind error
	}{
		"NotJSON":      {"hello", lab.ErrConflict},
		"Empty":        {"", lab.ErrConflict},
		"Newer":        {`{"schema":2,"app":"factory","env":"prod"}`, lab.ErrRefused},
		"UnknownField": {`{"schema":1,"app":"factory","env":"prod","more":1}`, lab.ErrConflict},
		"OtherApp":     {`{"schema":1,"app":"webapp","env":"prod"}`, lab.ErrRefused},
		"OtherEnv":     {`{"schema":1,"app":"factory","env":"sandbox"}`, lab.ErrRefused},
		"Unknown":      {`{"schema":1,"app":"factory","env":"prod","resources":[{"id":"x","ownership":"ours"}]}`, lab.ErrConflict},
		"Twice":        {`{"schema":1,"app":"factory","env":"prod"}{}`, lab.ErrConflict},
		"Minimal":      {`{"schema":1,"app":"factory","env":"prod","resources":[{"id":"x","ownership":"managed"}]}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "box=1")
			w.Put(record, []byte(test.text))
			err := w.apply(t)
			if !errors.Is(err, test.kind) || test.kind != nil && (string(w.Object(record)) != test.text || len(w.shelf) > 0) {
				t.Errorf("%v, %s", err, w.Object(record))
			}
		})
	}
}

// TestSecrets: the record has fingerprints of values under a key, and no value.
func TestSecrets(t *testing.T) {
	w := newWorld(t, "box=1")
	w.ledger.Key = lab.NewSecret(strings.Repeat("k", 32))
	w.converge(t)
	book, err := w.ledger.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	value := lab.NewSecret("the value of a box that nobody sees")
	id := "shelf/box:box"
	if err := book.Rebuild(t.Context(), ledger.Wanted{IDs: []string{id}, Values: map[string]lab.Secret{id: value}}); err != nil {
		t.Fatal(err)
	}
	if book, err = w.ledger.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !book.Same(id, value) || book.Same(id, lab.NewSecret("other")) || book.Same("shelf/box:other", value) {
		t.Error("the fingerprint is that of another value")
	}
	lawtest.NoSecret(t, []lab.Secret{value, w.ledger.Key}, string(w.Object(record)), fmt.Sprintf("%+v", book.Entries()))
	if !strings.Contains(string(w.Object(record)), fingerprint.Of(w.ledger.Key, id, value)) {
		t.Error("it is not recorded")
	}
}

func TestValidate(t *testing.T) {
	l := &ledger.Ledger{Bucket: "Arcodange", Instance: lab.App("A").In(""), Key: lab.NewSecret("short"), MaxDeletes: -1,
		Lease: time.Millisecond, Address: "http://192.0.2.1", CA: "x"}
	text := fmt.Sprint(l.Validate())
	for _, says := range []string{"bucket", "instance.app", "holder", "token", "key", "maxDeletes", "lease", "address", "ca"} {
		if !strings.Contains(text, says+": ") {
			t.Errorf("nothing about %s in %s", says, text)
		}
	}
}

// TestRefused is what the service says to those who may not write.
func TestRefused(t *testing.T) {
	w := newWorld(t, "box=1")
	for status, kind := range map[int]error{401: lab.ErrUnauthorized, 403: lab.ErrUnauthorized, 404: lab.ErrNotFound, 400: lab.ErrInvalid} {
		w.HTTP.Faults.At(1, fake.HTTPFault{Status: status, Body: "secret text"})
		if err := w.apply(t); !errors.Is(err, kind) || strings.Contains(err.Error(), "secret text") || len(w.shelf) > 0 {
			t.Errorf("%d: %v", status, err)
		}
		w.HTTP.Faults.Reset()
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"schema":1,"app":"factory","env":"prod","resources":[{"id":"x","ownership":"managed"}],
		"intents":[{"id":"y","op":"create"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		w := newWorld(t, "box=1")
		w.Put(record, text)
		if err := w.apply(t); err != nil && string(w.Object(record)) != string(text) {
			t.Errorf("%v, and the record was written", err)
		}
	})
}

// TestRebuildFromMarks: a plan of a spec that wants nothing names all that carries our mark, as what it would remove.
func TestRebuildFromMarks(t *testing.T) {
	cloud := cloudflaretest.New(t, cloudflaretest.Config{Zones: []string{"example.com"}})
	account := cloud.Access()
	zone := cloudflare.Zone{Name: "example.com", Records: []cloudflare.Record{{Name: "a", Type: "A", Contents: []string{"192.0.2.1"}}}}
	p, err := account.Plan(t.Context(), cloudflare.Spec{Zones: []cloudflare.Zone{zone}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	nothing := cloudflare.Spec{Zones: []cloudflare.Zone{{Name: "example.com", Records: []cloudflare.Record{}}}, Prune: true, MaxDeletes: 1000}
	if p, err = account.Plan(t.Context(), nothing); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	book, err := w.ledger.Read(t.Context())
	if err == nil {
		err = book.Rebuild(t.Context(), ledger.Wanted{IDs: ledger.Marked(p)})
	}
	if err != nil || !book.Owns("cloudflare/record:example.com/A/a") || len(book.Entries()) != 1 {
		t.Errorf("%v, %v", err, book.Entries())
	}
}
