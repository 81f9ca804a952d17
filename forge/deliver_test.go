package forge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/forge/forgetest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
)

// repository creates one, and returns its name.
func (w *world) repository(tb testing.TB) string {
	tb.Helper()
	org := fmt.Sprintf("org%d", worlds.Add(1))
	w.must(tb, "POST", "/orgs", map[string]any{"username": org}, nil)
	w.must(tb, "POST", "/orgs/"+org+"/repos", map[string]any{"name": "app"}, nil)
	return org + "/app"
}

// TestActionsSecretsAreASink proves what every sink keeps.
func TestActionsSecretsAreASink(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		of := w.repository(t)
		org, _, _ := strings.Cut(of, "/")
		for _, of := range []string{of, org} {
			t.Run(strings.ReplaceAll(of, "/", " "), func(t *testing.T) {
				a := &forge.ActionsSecrets{Server: w.server(), Of: of, Stack: "test", Key: fingerprints}
				lawtest.Sink(t, "TOKEN", a)
				if err := a.Put(t.Context(), "no-name", lab.NewSecret("x")); !errors.Is(err, lab.ErrInvalid) {
					t.Errorf("a name that is none: %v", err)
				}
				other := &forge.ActionsSecrets{Server: w.server(), Of: of, Stack: "other", Key: fingerprints}
				if err := other.Copy(t.Context(), "TOKEN", lab.NewSecret("x")); !errors.Is(err, lab.ErrConflict) {
					t.Errorf("a secret of another stack: %v", err)
				}
			})
		}
	})
}

// deliveryWorld wants secrets in a directory and in secrets of Actions.
func (w *world) deliveryWorld(tb testing.TB) lawtest.World {
	tb.Helper()
	of, dir := w.repository(tb), secretDir(tb)
	org, _, _ := strings.Cut(of, "/")
	made := lab.NewSecret("value-that-another-has-made")
	if err := dir.Put(tb.Context(), "made", made); err != nil {
		tb.Fatal(err)
	}
	plan := func(ctx context.Context, server *forge.Server) (*lab.Plan, error) {
		in := func(of string) lab.Sink {
			return &forge.ActionsSecrets{Server: server, Of: of, Stack: "test", Key: fingerprints}
		}
		return forge.Deliver(ctx,
			forge.Delivery{Name: "CLOUDFLARE_API_TOKEN", Value: lab.NewSecret(valueA), Places: []forge.Place{
				{Sink: dir, Name: "cms-cloudflare"}, {Sink: in(of)}, {Sink: in(org), Name: "CF"}}},
			forge.Delivery{Name: "REFRESH_TOKEN", Places: []forge.Place{{Sink: dir, Name: "made"}, {Sink: in(of)}}})
	}
	return lawtest.World{
		Plan:       func(ctx context.Context) (*lab.Plan, error) { return plan(ctx, w.server()) },
		Writes:     func(testing.TB) int64 { _, n := w.front.Total(); return n },
		RoundTrips: func() int64 { n, _ := w.front.Total(); return n },
		Cost:       3, // each copy
		Drift: func(tb testing.TB) {
			tb.Helper()
			w.must(tb, "DELETE", "/repos/"+of+"/actions/secrets/REFRESH_TOKEN", nil, nil)
			w.must(tb, "PUT", "/orgs/"+org+"/actions/secrets/CF", map[string]any{"data": "somebody else's"}, nil)
		},
		Foreign: func(tb testing.TB) func() string {
			tb.Helper()
			w.must(tb, "PUT", "/repos/"+of+"/actions/secrets/THEIRS", map[string]any{"data": "x", "description": "theirs"}, nil)
			return func() string {
				_, list := w.call(tb, "GET", "/repos/"+of+"/actions/secrets", nil)
				for part := range strings.SplitSeq(string(list), "},{") {
					if strings.Contains(part, "THEIRS") {
						return strings.Trim(part, "[{}]\n")
					}
				}
				return ""
			}
		},
		Secrets: []lab.Secret{lab.NewSecret(w.token), lab.NewSecret(valueA), made, fingerprints},
		Within: func(ctx context.Context, b *lab.Boundary) error {
			s := w.server()
			s.Boundary = b
			_, err := plan(ctx, s)
			return err
		},
		Again: func(tb testing.TB) lawtest.World { tb.Helper(); return w.deliveryWorld(tb) },
		Cuts: []lawtest.Cut{
			{Name: "NotDone", Least: 4, Arm: w.cut(fake.HTTPFault{})},
			{Name: "LostAnswer", Least: 4, Arm: w.cut(fake.HTTPFault{Done: true})},
		},
	}
}

// TestDeliverLaws proves the laws of deliveries.
func TestDeliverLaws(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		lawtest.Laws(t, func(t *testing.T) lawtest.World { return w.deliveryWorld(t) })
	})
}

// TestDeliver follows one secret through its life, and sees what the jobs see.
func TestDeliver(t *testing.T) {
	f := forgetest.New(t, forgetest.Config{})
	w := worldAt(t, f.URL(), f.Access().Token.Reveal(), f.Login().User)
	of, dir := w.repository(t), secretDir(t)
	actions := &forge.ActionsSecrets{Server: w.server(), Of: of, Stack: "test", Key: fingerprints}
	deliver := func(value string) (*lab.Plan, error) {
		return forge.Deliver(t.Context(), forge.Delivery{Name: "TOKEN", Value: lab.NewSecret(value),
			Places: []forge.Place{{Sink: dir, Name: "token"}, {Sink: actions}}})
	}
	for _, step := range []struct{ what, value, cause, actions, err string }{
		{"nobody has made it", "", "not found in " + dir.String() + "; not found in " + actions.String(), "", "the record has none"},
		{"it is new", "first", "not found in " + dir.String() + "; not found in " + actions.String(), "first", ""},
		{"it is there", "first", "", "first", ""},
		{"it is whatever the record has", "", "", "first", ""},
		{"it is another", "second", "another value in " + dir.String() + "; another value in " + actions.String(), "second", ""},
	} {
		p, err := deliver(step.value)
		if err != nil {
			t.Fatal(step.what, err)
		}
		cause := ""
		if !p.Empty() {
			cause = p.Changes()[0].Cause
		}
		_, err = p.Apply(t.Context(), nil)
		if cause != step.cause || f.Secret(of, "TOKEN") != step.actions || (err == nil) != (step.err == "") ||
			err != nil && !strings.Contains(err.Error(), step.err) {
			t.Errorf("%s: %v, planned for %q, and a job sees %q", step.what, err, cause, f.Secret(of, "TOKEN"))
		}
	}
	// The record was replaced by another program, which was cut off before the copies.
	old, err := dir.Get(t.Context(), "token")
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Replace(t.Context(), "token", old, lab.NewSecret("third")); err != nil {
		t.Fatal(err)
	}
	p, err := deliver("")
	if err != nil || len(p.Changes()) != 1 || p.Changes()[0].Cause != "another value in "+actions.String() {
		t.Fatalf("%v\n%v", err, p)
	}
	if _, err := p.Apply(t.Context(), nil); err != nil || f.Secret(of, "TOKEN") != "third" {
		t.Errorf("%v, and a job sees %q", err, f.Secret(of, "TOKEN"))
	}
	// A spec that names it too would send another value each time.
	org, _, _ := strings.Cut(of, "/")
	spec := forge.Spec{Stack: "test", Key: fingerprints, Repositories: []forge.Repository{{Owner: org, Name: "app",
		Secrets: []forge.Secret{secret("TOKEN", "fourth")}}}}
	if _, err := w.server().Plan(t.Context(), spec); !errors.Is(err, lab.ErrConflict) {
		t.Errorf("a spec names it too: %v", err)
	}
	// Nothing that is not in place is written when a place cannot be.
	broken := &forge.ActionsSecrets{Server: w.server(), Of: org + "/none", Stack: "test", Key: fingerprints}
	p, err = forge.Deliver(t.Context(), forge.Delivery{Name: "OTHER", Value: lab.NewSecret("x"),
		Places: []forge.Place{{Sink: dir, Name: "other"}, {Sink: broken}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), nil); !errors.Is(err, lab.ErrNotFound) {
		t.Errorf("a repository that is not there: %v", err)
	}
	if _, err := dir.Get(t.Context(), "other"); !errors.Is(err, lab.ErrNotFound) {
		t.Errorf("the record was written before the copy was proved: %v", err)
	}
}
