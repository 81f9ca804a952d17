package lawtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// shelf is a small server: names with values. It breaks one law on request.
type shelf struct {
	holds         map[string]string
	foreign       string
	writes, trips int64
	cuts          fake.Faults[string]
	breaks        string
}

const secret = "correct-horse-battery"

var errCut = fmt.Errorf("%w: cut off", lab.ErrUnreachable)

// world is a shelf on which a, b and c are wanted.
func world(breaks string) World {
	s := &shelf{holds: map[string]string{}, foreign: "theirs", breaks: breaks}
	w := World{
		Plan:       s.plan,
		Writes:     func(testing.TB) int64 { return s.writes },
		RoundTrips: func() int64 { return s.trips },
		Cost:       1,
		Drift:      func(testing.TB) { s.holds["b"] = "another" },
		Foreign:    func(testing.TB) func() string { return func() string { return s.foreign } },
		Secrets:    []lab.Secret{lab.NewSecret(secret)},
		Texts:      func(testing.TB) []string { return []string{"log"} },
		Again:      func(testing.TB) World { return world(breaks) },
		Within: func(ctx context.Context, b *lab.Boundary) error {
			if breaks == "boundary" {
				return nil
			}
			_, err := b.DialContext(ctx, "tcp", "127.0.0.1:1")
			return err
		},
	}
	for _, how := range []string{"before", "after"} {
		w.Cuts = append(w.Cuts, Cut{Name: how, Least: 3, Arm: func(_ testing.TB, n int) func(error) bool {
			s.cuts.At(n, how)
			return func(error) bool { return s.cuts.Fired() > 0 }
		}})
	}
	return w
}

func (s *shelf) plan(ctx context.Context) (*lab.Plan, error) {
	found := s.compare()
	s.trips++
	switch s.breaks {
	case "law 2":
		s.writes++
	case "cost":
		s.trips++
	}
	if len(found) == 0 {
		return lab.NewPlan()
	}
	planned := reconcile.Changes(found)
	return lab.NewPlan(lab.Step{Name: "shelf", Changes: planned, Run: func(ctx context.Context, r *lab.Recorder) error {
		s.trips++
		return reconcile.Run(ctx, r, s, reconcile.Match(r, planned, s.compare()))
	}})
}

func (s *shelf) compare() (ops []reconcile.Op[*shelf]) {
	for _, name := range slices.Sorted(maps.Keys(map[string]bool{"a": true, "b": true, "c": true})) {
		if s.holds[name] == "wanted" || s.breaks == "drift" && s.holds[name] != "" {
			continue
		}
		c := lab.Change{ID: "shelf/" + name, Action: lab.Create, Cause: "not found"}
		switch s.breaks {
		case "law 1":
			c.Cause = fmt.Sprintf("seen %d times", s.trips)
		case "law 6":
			c.Diff = "+" + secret
		}
		ops = append(ops, reconcile.Op[*shelf]{Change: c,
			Make: func(_ context.Context, s *shelf) error { return s.put(name) }})
	}
	return ops
}

func (s *shelf) put(name string) error {
	how, fails := s.cuts.Next()
	if fails && how == "before" {
		if s.breaks == "law 4" {
			return nil // it says that it was made
		}
		return errCut
	}
	s.writes++
	if s.breaks == "law 5" && s.holds[name] == "another" {
		s.foreign = "ours"
	}
	if s.breaks != "law 3" || name != "c" {
		s.holds[name] = "wanted"
	}
	if fails {
		if s.breaks == "honesty" {
			return errors.New("not made")
		}
		return errCut
	}
	return nil
}

func TestLaws(t *testing.T) {
	Laws(t, func(*testing.T) World { return world("") })
}

// recorder keeps what would have failed a test.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Helper()           {}
func (r *recorder) Error(args ...any) { r.said = append(r.said, fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatal(args ...any)                 { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); runtime.Goexit() }

// TestBrokenLawsAreFound breaks one law after the other.
func TestBrokenLawsAreFound(t *testing.T) {
	for _, test := range []struct {
		breaks string
		law    func(testing.TB, World)
		says   string
	}{
		{"law 1", planning, "law 1: two plans of one world differ"},
		{"law 2", planning, "law 2: planning a new world wrote 2 times"},
		{"law 3", planning, "law 3: after the apply there is to do"},
		{"cost", planning, "cost 2 round trips, want 1"},
		{"drift", drift, "drift was not found"},
		{"law 4", func(tb testing.TB, w World) { cutOff(tb, w, byCut(0)) },
			"law 4: cut off at place 1, the apply reports no failure"},
		{"honesty", func(tb testing.TB, w World) { cutOff(tb, w, byCut(1)) },
			"shelf/a was reported failed, and is done"},
		{"", func(tb testing.TB, w World) {
			cutOff(tb, w, func(tb testing.TB, w World, n int) attempt {
				a := byCut(0)(tb, w, n)
				a.least = 4
				return a
			})
		}, "an apply has 3 places to cut it off, want at least 4"},
		{"law 5", foreign, "law 5: what is foreign was\ntheirs\nand is\nours"},
		{"law 6", secrets, "law 6: a secret is in"},
		{"boundary", boundary, "law 7: "},
	} {
		t.Run(test.breaks, func(t *testing.T) {
			r := &recorder{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				test.law(r, world(test.breaks))
			}()
			<-done
			if got := strings.Join(r.said, "\n"); !strings.Contains(got, test.says) {
				t.Errorf("want %q in\n%s", test.says, got)
			}
		})
	}
}
