package forge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/forge/forgetest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// rpc calls the service by which runners talk to the server, and decodes its answer.
func (w *world) rpc(tb testing.TB, method, uuid, token string, in, out any) {
	tb.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		tb.Fatal(err)
	}
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, w.upstream+"/api/actions/runner.v1.RunnerService/"+method,
		bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("x-runner-uuid", uuid)
	req.Header.Set("x-runner-token", token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		tb.Fatalf("%s: %s %s %v", method, resp.Status, answer, err)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		tb.Fatal(err)
	}
}

// registerReal registers a runner as one does itself; one that has declared itself is online.
func (w *world) registerReal(tb testing.TB, token lab.Secret, name string, online bool) {
	tb.Helper()
	var registered struct {
		Runner struct{ UUID, Token string }
	}
	w.rpc(tb, "Register", "", "", map[string]any{"name": name, "token": token.Reveal(), "labels": []string{"host"}}, &registered)
	if online {
		w.rpc(tb, "Declare", registered.Runner.UUID, registered.Runner.Token, map[string]any{"labels": []string{"host"}}, &struct{}{})
	}
}

// runnersOf describes all runners of the server.
func (w *world) runnersOf(tb testing.TB) (all []string) {
	tb.Helper()
	var list struct {
		Runners []struct{ Name, Status string }
	}
	w.must(tb, "GET", "/admin/actions/runners", nil, &list)
	for _, r := range list.Runners {
		all = append(all, r.Name+" "+r.Status)
	}
	slices.Sort(all)
	return all
}

// testRunners has runners register once more and again.
func testRunners(t *testing.T, w *world, register func(of, name string, token lab.Secret, online bool)) {
	dir := secretDir(t)
	org := fmt.Sprintf("org%d", worlds.Add(1))
	spec := forge.Spec{Stack: "test", Sink: dir, Organizations: []forge.Organization{{Name: org}},
		Repositories: []forge.Repository{{Owner: org, Name: "app"}},
		Runners:      []forge.Runner{{Name: "pi1"}, {Name: "pi3", Of: org}, {Name: "apply", Of: org + "/app"}}}
	converge(t, w.server(), spec)
	token := func(of string) lab.Secret {
		s, err := dir.Get(t.Context(), forge.RegistrationName(of))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if token("").Equal(token(org)) || token(org).Equal(token(org+"/app")) {
		t.Error("two levels have one registration token")
	}
	// Two that are offline: which of them comes back is not known.
	register("", "pi1", token(""), false)
	register("", "pi1", token(""), false)
	register(org, "pi1", token(org), false) // of another level
	register(org, "pi3", token(org), false)
	register(org, "theirs", token(org), false)
	register(org+"/app", "apply", token(org+"/app"), true)
	if p := plan(t, w.server(), spec); !p.Empty() {
		t.Fatalf("while none is online, there is to do:\n%v", p)
	}
	register("", "pi1", token(""), true)
	register(org, "pi3", token(org), true)
	p := plan(t, w.server(), spec)
	var planned []string
	for _, c := range p.Changes() {
		planned = append(planned, strings.ReplaceAll(c.ID, org, "ORG"))
	}
	if slices.Sort(planned); !slices.Equal(planned, []string{"forge/runner:ORG/pi3", "forge/runner:pi1"}) {
		t.Errorf("the plan is\n%v", p)
	}
	converge(t, w.server(), spec)
	want := []string{"apply online", "pi1 offline", "pi1 online", "pi3 online", "theirs offline"}
	if got := w.runnersOf(t); !slices.Equal(got, want) {
		t.Errorf("the runners that are left: %v, want %v", got, want)
	}
	spec.Runners = append(spec.Runners, forge.Runner{Name: "PI1"}, forge.Runner{Name: "a b", Of: "x/../y"})
	if err := spec.Validate().Err(); !errors.Is(err, lab.ErrInvalid) || strings.Count(err.Error(), "runners[") < 3 {
		t.Errorf("names that are none: %v", err)
	}
}

func TestRunners(t *testing.T) {
	t.Run("Fake", func(t *testing.T) {
		w, f := fakeWorld(t, forgetest.Config{})
		testRunners(t, w, func(of, name string, _ lab.Secret, online bool) {
			f.AddRunner(forgetest.Runner{Name: name, Owner: of, Online: online})
		})
	})
	t.Run("Real", func(t *testing.T) {
		real.Long(t)
		w := realWorld(t)
		testRunners(t, w, func(_, name string, token lab.Secret, online bool) { w.registerReal(t, token, name, online) })
	})
}

// runnersWorld wants the registration tokens of three levels, and has registrations that are stale.
func (w *world) runnersWorld(tb testing.TB, f *forgetest.Server) lawtest.World {
	tb.Helper()
	dir, server := secretDir(tb), w.server()
	org := fmt.Sprintf("org%d", worlds.Add(1))
	spec := forge.Spec{Stack: "test", Sink: dir, Organizations: []forge.Organization{{Name: org}},
		Repositories: []forge.Repository{{Owner: org, Name: "app"}},
		Runners:      []forge.Runner{{Name: org}, {Name: "pi3", Of: org}, {Name: "apply", Of: org + "/app"}}}
	for _, online := range []bool{false, true, false} {
		f.AddRunner(forgetest.Runner{Name: org, Online: online})
	}
	return lawtest.World{
		Plan:   func(ctx context.Context) (*lab.Plan, error) { return server.Plan(ctx, spec) },
		Writes: func(testing.TB) int64 { _, n := w.front.Total(); return n },
		Drift: func(tb testing.TB) {
			tb.Helper()
			if err := os.Remove(filepath.Join(dir.Path, forge.RegistrationName(org))); err != nil {
				tb.Fatal(err)
			}
			f.AddRunner(forgetest.Runner{Name: org})
		},
		Foreign: func(tb testing.TB) func() string {
			tb.Helper()
			f.AddRunner(forgetest.Runner{Name: "theirs-" + org})
			f.AddRunner(forgetest.Runner{Name: "theirs-" + org, Online: true})
			return func() string {
				all := w.runnersOf(tb)
				return strings.Join(slices.DeleteFunc(all, func(r string) bool { return !strings.HasPrefix(r, "theirs-"+org) }), "\n")
			}
		},
		Secrets: []lab.Secret{lab.NewSecret(w.token)},
		Again:   func(tb testing.TB) lawtest.World { tb.Helper(); return w.runnersWorld(tb, f) },
		Cuts: []lawtest.Cut{
			{Name: "NotDone", Least: 6, Arm: w.cut(fake.HTTPFault{})},
			{Name: "LostAnswer", Least: 6, Arm: w.cut(fake.HTTPFault{Done: true})},
		},
	}
}

// TestRunnerLaws proves the laws of runners.
func TestRunnerLaws(t *testing.T) {
	w, f := fakeWorld(t, forgetest.Config{})
	lawtest.Laws(t, func(t *testing.T) lawtest.World { return w.runnersWorld(t, f) })
}
