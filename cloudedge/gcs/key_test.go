package gcs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs/gcstest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
)

// TestNewIsNotKnownAtOnce: a new account is not granted anything for a while ("does not exist"), a new key is not accepted
// (GoogleCloudPlatform/dotnet-docs-samples 1367), and neither is listed.
func TestNewIsNotKnownAtOnce(t *testing.T) {
	w := newWorld(t, gcstest.Config{Lag: 3, Throttle: 4})
	for range 3 { // the creation of a key is not sent again, not even when it was refused with 429
		if _, err := w.plan(t).Apply(t.Context(), nil); err == nil {
			break
		}
	}
	w.converge(t)
	w.whole(t)
	if n := len(w.Keys()); n != 1 {
		t.Errorf("%d keys", n)
	}
}

// TestRefusedWhileNewIsNotLost: where a new key is not accepted for longer than is waited for, the state is not known, and no other is
// made.
func TestRefusedWhileNewIsNotLost(t *testing.T) {
	w := newWorld(t, gcstest.Config{Lag: 100})
	w.project.Wait = 50 * time.Millisecond
	w.spec.Buckets[0].Grants[0].Roles = []string{"roles/storage.objectAdmin"}
	var last error
	for range 200 {
		p, err := w.project.Plan(t.Context(), w.spec)
		if err == nil {
			_, err = p.Apply(t.Context(), nil)
		}
		if last = err; err == nil {
			break
		}
		if !errors.Is(err, lab.ErrTimeout) {
			t.Fatal(err)
		}
	}
	if last != nil {
		t.Fatal(last)
	}
	w.whole(t)
	if n := len(w.Keys()); n != 1 {
		t.Errorf("%d keys", n)
	}
}

func TestLostAnswerAfterCreate(t *testing.T) {
	w := newWorld(t, gcstest.Config{})
	w.converge(t)
	w.sink.values = nil
	for _, k := range w.live() { // as before the first key
		w.SetKey(k, "INACTIVE")
	}
	w.FailAt(1, gcstest.Failure{Done: true}) // the creation
	if _, err := w.plan(t).Apply(t.Context(), nil); !errors.Is(err, lab.ErrUnreachable) {
		t.Fatal(err)
	}
	if n := len(w.live()); n != 1 {
		t.Fatalf("%d active keys", n)
	}
	w.Reset()
	w.converge(t)
	w.whole(t)
	w.Age(25 * time.Hour)
	w.converge(t)
	if n := len(w.Keys()); n != 1 {
		t.Errorf("after the grace, %q are left", w.Keys())
	}
}

// TestCreateIsNeverRepeated: a failure that a client of Google's would send again.
func TestCreateIsNeverRepeated(t *testing.T) {
	for _, status := range []int{408, 429, 500, 503} {
		w := newWorld(t, gcstest.Config{})
		w.spec.Buckets = w.spec.Buckets[:1]
		w.FailAt(4, gcstest.Failure{Done: true, Status: status, Body: "{}"}) // account, bucket, grant, key
		_, err := w.plan(t).Apply(t.Context(), nil)
		if n := len(w.Keys()); err == nil || w.Fired() != 1 || n != 1 {
			t.Errorf("after %d: %d keys, %v", status, n, err)
		}
		w.Reset()
		w.converge(t)
		w.whole(t)
	}
}

func TestSinkThatFails(t *testing.T) {
	w := newWorld(t, gcstest.Config{})
	w.sink.broken = errors.New("the sink is full")
	if _, err := w.plan(t).Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "full") {
		t.Fatal(err)
	}
	if k := w.Keys(); len(k) != 0 {
		t.Fatalf("a key is left whose secret nobody knows: %q", k)
	}
	w.sink.broken = errors.New("the sink is full")
	w.FailAt(2, gcstest.Failure{}) // and the run dies before it has deactivated the key
	if _, err := w.plan(t).Apply(t.Context(), nil); err == nil {
		t.Fatal("no error")
	}
	if k := w.live(); len(k) != 1 {
		t.Fatalf("nothing was left: %q", k)
	}
	w.Reset()
	w.converge(t)
	w.whole(t)
}

// TestLostSecret: a key whose secret is lost gets a successor, and is deactivated after its grace, and removed after another.
// (hashicorp/terraform-provider-google 4514: such a key cannot be imported.)
func TestLostSecret(t *testing.T) {
	w := newWorld(t, gcstest.Config{})
	w.converge(t)
	old := w.live()[0]
	w.sink.remove("longhorn/gcs#secret")
	p := w.plan(t)
	if text := p.String(); !strings.Contains(text, "its value is not in the memory; it is succeeded by another") {
		t.Fatal(text)
	}
	w.converge(t)
	if live := w.live(); len(live) != 2 || live[0] != old {
		t.Fatalf("active are %q", live)
	}
	w.Age(25 * time.Hour)
	p = w.converge(t)
	if len(p.Changes()) != 1 || p.Changes()[0].ID != "gcs/predecessors:"+robot || p.Risk() != lab.RiskDisrupt {
		t.Error(p)
	}
	w.whole(t)
	if k := w.Keys(); len(k) != 2 || k[0] != old+" "+robot+" INACTIVE" {
		t.Errorf("%q", k)
	}
	w.Age(25 * time.Hour)
	w.converge(t)
	if k := w.Keys(); len(k) != 1 {
		t.Errorf("%q", k)
	}
	w.whole(t)
}

// TestLostSink: a sink that is empty again may have lost a key that is in use. It has its grace, and one that was made a moment ago,
// by a run that was cut off, has none.
func TestLostSink(t *testing.T) {
	for age, live := range map[time.Duration]int{30 * 24 * time.Hour: 2, time.Minute: 1} {
		w := newWorld(t, gcstest.Config{})
		w.converge(t)
		w.sink.remove("longhorn/gcs#secret")
		w.sink.remove("longhorn/gcs#access_id")
		w.Age(age)
		w.converge(t)
		if got := w.live(); len(got) != live {
			t.Errorf("after %s, %q are active", age, got)
		}
	}
}

// TestRotation cuts a rotation off at each of its writes.
func TestRotation(t *testing.T) {
	for _, how := range []gcstest.Failure{{}, {Done: true}} {
		for n := 1; ; n++ {
			w := newWorld(t, gcstest.Config{})
			w.spec.Accounts[0].Key.Grace = "0s"
			w.converge(t)
			old := w.live()[0]
			w.Age(2161 * time.Hour)
			p := w.plan(t)
			if len(p.Changes()) != 1 || !strings.Contains(p.String(), "older than 2160h") {
				t.Fatal(p)
			}
			w.FailAt(n, how)
			first, _ := p.Apply(t.Context(), nil)
			if !first.Complete() && w.Fired() == 0 {
				t.Fatal(first)
			}
			if kept := w.sink.values["longhorn/gcs#access_id"].Reveal(); !slices.Contains(w.live(), kept) {
				t.Errorf("cut off at %d, %s is kept, and %q are active", n, kept, w.live())
			}
			second := w.plan(t)
			_, _ = second.Apply(t.Context(), nil)
			done := w.Fired() == 0
			w.Reset()
			w.converge(t)
			w.whole(t)
			if w.live()[0] == old || len(w.Keys()) != 1 {
				t.Errorf("cut off at %d: %q", n, w.Keys())
			}
			if done {
				if n < 4 { // create, deactivate, remove
					t.Errorf("%d writes", n-1)
				}
				break
			}
		}
	}
}

func TestWrongSecretIsSucceeded(t *testing.T) {
	w := newWorld(t, gcstest.Config{})
	w.converge(t)
	w.Age(time.Hour) // it is not new
	w.sink.values["longhorn/gcs#secret"] = lab.NewSecret("another")
	w.converge(t)
	w.Age(25 * time.Hour)
	w.converge(t)
	w.whole(t)
	w.SetKey(w.live()[0], "INACTIVE") // somebody has feared that it leaked: it is not activated again
	w.converge(t)
	w.whole(t)
}

func TestTwoRunsAtOnce(t *testing.T) {
	for range 5 {
		w := newWorld(t, gcstest.Config{})
		w.project.Wait = 200 * time.Millisecond
		ends := make(chan error, 3)
		for range 3 {
			p := w.plan(t)
			go func() {
				_, err := p.Apply(context.Background(), nil)
				ends <- err
			}()
		}
		for range 3 {
			<-ends
		}
		w.Age(time.Hour)
		w.converge(t)
		w.Age(25 * time.Hour)
		w.converge(t)
		w.whole(t)
	}
}

func TestForeignKeysAreNotTakenOver(t *testing.T) {
	w := newWorld(t, gcstest.Config{})
	w.AddAccount(robot, "made by hand")
	id, secret := w.AddKey(robot)
	w.spec.Adopt = false
	_, err := w.project.Plan(t.Context(), w.spec)
	var e *lab.Error
	if !errors.As(err, &e) || !errors.Is(err, lab.ErrConflict) {
		t.Fatal(err)
	}
	w.spec.Adopt = true
	if _, err = w.project.Plan(t.Context(), w.spec); !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "others may use") {
		t.Fatal(err)
	}
	w.sink.values = map[string]lab.Secret{"longhorn/gcs#access_id": lab.NewSecret(id), "longhorn/gcs#secret": secret}
	w.converge(t)
	w.whole(t)
	if w.live()[0] != id {
		t.Error("it is another key")
	}
}

// TestPrune: the keys of an account go before it, in their time.
func TestPrune(t *testing.T) {
	w := newWorld(t, gcstest.Config{})
	w.converge(t)
	w.spec.Accounts, w.spec.Buckets[0].Grants = nil, nil
	ids := func(p *lab.Plan) (all []string) {
		for _, c := range p.Changes() {
			all = append(all, c.ID)
		}
		return all
	}
	if got := ids(w.converge(t)); !slices.Equal(got, []string{"gcs/key:" + robot, "gcs/grant:" + backup + "/" + robot}) {
		t.Error(got)
	}
	if k := w.Keys(); len(k) != 1 || len(w.live()) != 0 {
		t.Errorf("%q", k)
	}
	w.Age(25 * time.Hour)
	if got := ids(w.apply(t)); !slices.Equal(got, []string{"gcs/key:" + robot}) {
		t.Error(got)
	}
	if got := ids(w.converge(t)); !slices.Equal(got, []string{"gcs/account:" + robot}) {
		t.Error(got)
	}
	if a, k := w.Accounts(), w.Keys(); len(a)+len(k) != 0 {
		t.Errorf("%q %q are left", a, k)
	}
}

// TestSecretsAreShownNowhere looks for the secrets in everything that a life of the project says.
func TestSecretsAreShownNowhere(t *testing.T) {
	w := newWorld(t, gcstest.Config{Throttle: 5})
	var said, logged strings.Builder // two requests, and an event, are told of at once
	w.project.Log = slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	p := w.plan(t)
	r, err := p.Apply(t.Context(), &lab.ApplyOptions{Events: func(e lab.Event) { fmt.Fprintf(&said, "%+v", e) }})
	target, _ := w.project.BackupTarget(t.Context(), w.spec, backup, robot)
	fmt.Fprintf(&said, "%v %+v %v %v %+v %#v", p, r, err, w.plan(t), target, w.project)
	other := gcstest.New(t, gcstest.Config{})
	broken := w.project
	broken.Address = other.URL() // which does not know the key
	_, err = broken.Plan(t.Context(), w.spec)
	if !errors.Is(err, lab.ErrUnauthorized) {
		t.Error(err)
	}
	fmt.Fprintf(&said, "%v %+v", err, err)
	broken.Key = lab.NewSecret(strings.Replace(w.project.Key.Reveal(), "MII", "MIJ", 1))
	if _, err = broken.Plan(t.Context(), w.spec); !errors.Is(err, lab.ErrInvalid) {
		t.Error(err)
	}
	fmt.Fprintf(&said, "%v %+v", err, err)
	broken.Key, broken.AccessToken = lab.Secret{}, lab.NewSecret("ya29.not-a-token-that-is-known")
	if _, err = broken.Plan(t.Context(), w.spec); !errors.Is(err, lab.ErrUnauthorized) {
		t.Error(err)
	}
	fmt.Fprintf(&said, "%v %+v", err, err)
	if !strings.Contains(logged.String(), "hmacKeys") {
		t.Fatal("nothing was said")
	}
	token, err := w.project.Tokens()(t.Context())
	if err != nil || token.IsZero() {
		t.Error(err)
	}
	lawtest.NoSecret(t, []lab.Secret{w.sink.values["longhorn/gcs#secret"], w.project.Key, broken.AccessToken, token}, said.String(), logged.String())
}
