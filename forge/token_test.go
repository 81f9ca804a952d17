package forge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
)

func secretDir(tb testing.TB) lab.SecretDir {
	tb.Helper()
	dir := lab.SecretDir{Path: filepath.Join(tb.TempDir(), "secrets")}
	if err := os.Mkdir(dir.Path, 0o700); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// liveTokens returns the names of the tokens of a user.
func (w *world) liveTokens(tb testing.TB, user string) (names []string) {
	tb.Helper()
	var all []struct{ Name string }
	w.must(tb, "GET", "/users/"+user+"/tokens with password", nil, &all)
	for _, t := range all {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return names
}

// tokensWorld wants tokens of a user.
func (w *world) tokensWorld(tb testing.TB) lawtest.World {
	tb.Helper()
	user := fmt.Sprintf("user%d", worlds.Add(1))
	dir, server := secretDir(tb), w.server()
	spec := forge.Spec{Stack: "test", Sink: dir, Prune: true, Users: []forge.User{{Name: user, Email: user + "@example.com",
		Tokens: []forge.Token{{Name: "ci", Scopes: []string{"read:repository", "write:package", "read:package"}, MaxAge: "2160h"},
			{Name: "all", Scopes: []string{"all"}}}}}}
	value := func(name string) string {
		s, err := dir.Get(tb.Context(), forge.TokenName(user, name))
		if err != nil {
			tb.Fatal(err)
		}
		return s.Reveal()
	}
	return lawtest.World{
		Plan:       func(ctx context.Context) (*lab.Plan, error) { return server.Plan(ctx, spec) },
		Writes:     func(testing.TB) int64 { _, n := w.front.Total(); return n },
		RoundTrips: func() int64 { n, _ := w.front.Total(); return n },
		Cost:       2 + 1 + 1 + 1 + 1 + 2, // version and user; the users; the keys, variables and tokens of one; two that are proved
		Drift: func(tb testing.TB) {
			tb.Helper()
			w.must(tb, "DELETE", "/users/"+user+"/tokens/"+w.tokenID(tb, user, "lab/test/ci#1")+" with password", nil, nil)
		},
		Foreign: func(tb testing.TB) func() string {
			tb.Helper()
			for _, name := range []string{"theirs", "lab/other/ci#1", "lab/test/", "lab/test/ci", "lab/test2/ci#1"} {
				w.must(tb, "POST", "/users/"+user+"/tokens with password", map[string]any{"name": name, "scopes": []string{"all"}}, nil)
			}
			return func() string {
				var foreign []string
				for _, name := range w.liveTokens(tb, user) {
					if !strings.HasPrefix(name, "lab/test/ci#") && !strings.HasPrefix(name, "lab/test/all#") {
						foreign = append(foreign, name)
					}
				}
				return strings.Join(foreign, "\n")
			}
		},
		Secrets: []lab.Secret{lab.NewSecret(w.token)},
		Texts:   func(tb testing.TB) []string { tb.Helper(); return []string{strings.Join(w.liveTokens(tb, user), "\n")} },
		Within: func(ctx context.Context, b *lab.Boundary) error {
			s := w.server()
			s.Boundary = b
			_, err := s.Plan(ctx, spec)
			return err
		},
		Again: func(tb testing.TB) lawtest.World {
			tb.Helper()
			// No cut may leave a live token whose value nobody keeps: of each there is one, and its value works.
			if _, err := dir.Get(tb.Context(), forge.TokenName(user, "ci")); err == nil {
				if live := w.liveTokens(tb, user); len(live) != 2 {
					tb.Errorf("the tokens that are left: %v", live)
				}
				for _, name := range []string{"ci", "all"} {
					if status, answer := w.call(tb, "GET", "/repos/search?limit=1 by "+value(name), nil); status != 200 {
						tb.Errorf("the value of %s: %d %s", name, status, answer)
					}
				}
			}
			return w.tokensWorld(tb)
		},
		Cuts: []lawtest.Cut{
			{Name: "NotDone", Least: 3, Arm: w.cut(fake.HTTPFault{})},
			{Name: "LostAnswer", Least: 3, Arm: w.cut(fake.HTTPFault{Done: true})},
		},
	}
}

func (w *world) tokenID(tb testing.TB, user, name string) string {
	tb.Helper()
	var all []struct {
		ID   json.Number
		Name string
	}
	w.must(tb, "GET", "/users/"+user+"/tokens with password", nil, &all)
	for _, t := range all {
		if t.Name == name {
			return t.ID.String()
		}
	}
	tb.Fatalf("%s has no token %s: %v", user, name, all)
	return ""
}

// TestTokenLaws proves the laws of tokens: among others, that a lost answer leaves no token whose value nobody keeps.
func TestTokenLaws(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		lawtest.Laws(t, func(t *testing.T) lawtest.World { return w.tokensWorld(t) })
	})
}

// TestTokenSuccession changes what a token may do, loses its value, and removes it.
func TestTokenSuccession(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		user, dir := fmt.Sprintf("user%d", worlds.Add(1)), secretDir(t)
		spec := func(scopes ...string) forge.Spec {
			s := forge.Spec{Stack: "test", Sink: dir, Prune: true, Users: []forge.User{{Name: user, Email: user + "@example.com"}}}
			if scopes != nil {
				s.Users[0].Tokens = []forge.Token{{Name: "ci", Scopes: scopes}}
			}
			return s
		}
		value := func() lab.Secret {
			v, err := dir.Get(t.Context(), forge.TokenName(user, "ci"))
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		works := func(v lab.Secret) int {
			status, _ := w.call(t, "GET", "/repos/search?limit=1 by "+v.Reveal(), nil)
			return status
		}
		converge(t, w.server(), spec("write:repository", "read:repository"))
		first := value()
		for _, step := range []struct {
			what, cause string
			scopes      []string
			first       int
		}{
			{"the same scopes in other words", "", []string{"write:repository"}, 200},
			{"other scopes", "scopes differ; it is succeeded by another", []string{"read:repository", "read:issue"}, 401},
		} {
			p := plan(t, w.server(), spec(step.scopes...))
			if p.Empty() != (step.cause == "") || !p.Empty() && p.Changes()[0].Cause != step.cause {
				t.Errorf("%s: the plan is\n%v", step.what, p)
			}
			converge(t, w.server(), spec(step.scopes...))
			if got := works(first); got != step.first || works(value()) != 200 {
				t.Errorf("%s: the first value gives %d, want %d; that in the sink %d", step.what, got, step.first, works(value()))
			}
		}
		second := value()
		if err := os.Remove(filepath.Join(dir.Path, forge.TokenName(user, "ci"))); err != nil {
			t.Fatal(err)
		}
		converge(t, w.server(), spec("read:repository", "read:issue"))
		if works(second) != 401 || works(value()) != 200 || fmt.Sprint(w.liveTokens(t, user)) != "[lab/test/ci#3]" {
			t.Errorf("after the value was lost: %d %d %v", works(second), works(value()), w.liveTokens(t, user))
		}
		p := converge(t, w.server(), spec())
		if len(p.Changes()) != 1 || p.Changes()[0].Action != lab.Delete || len(w.liveTokens(t, user)) != 0 {
			t.Errorf("what is not wanted any more: %v\n%v", w.liveTokens(t, user), p)
		}
	})
}
