package forge_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

const jobPassword = "password-of-the-jobs"

// exchange does what a job does: it exchanges the refresh token for an id_token, and returns its claims.
func (w *world) exchange(tb testing.TB, dir lab.SecretDir, name, clientID string) (claims map[string]any, access string) {
	tb.Helper()
	get := func(name string) string {
		s, err := dir.Get(tb.Context(), name)
		if err != nil {
			tb.Fatal(err)
		}
		return s.Reveal()
	}
	resp, err := http.PostForm(w.upstream+"/login/oauth/access_token", url.Values{"grant_type": {"refresh_token"}, "client_id": {clientID},
		"client_secret": {get(forge.SecretName(name, forge.JobApplication))}, "refresh_token": {get(forge.RefreshTokenName(name))}})
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		tb.Fatalf("%s %s %v", resp.Status, b, err)
	}
	var tokens struct {
		ID     string `json:"id_token"`
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(b, &tokens); err != nil {
		tb.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(tokens.ID, ".")[1])
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		tb.Fatal(err)
	}
	return claims, tokens.Access
}

// jobWorld wants an identity of jobs.
func (w *world) jobWorld(tb testing.TB) lawtest.World {
	tb.Helper()
	name := fmt.Sprintf("jobs%d", worlds.Add(1))
	dir, server := secretDir(tb), w.server()
	spec := forge.Spec{Stack: "test", Sink: dir, JobIdentities: []forge.JobIdentity{{Name: name, Email: name + "@example.com",
		Password: lab.NewSecret(jobPassword)}}}
	return lawtest.World{
		Plan: func(ctx context.Context) (*lab.Plan, error) { return server.Plan(ctx, spec) },
		Writes: func(testing.TB) (n int64) {
			for request, times := range w.front.Requests() {
				if !strings.HasPrefix(request, "GET ") && !strings.HasSuffix(request, "/introspect") { // which reads
					n += times
				}
			}
			return n
		},
		RoundTrips: func() int64 { n, _ := w.front.Total(); return n },
		Cost:       2 + 2 + 2 + 2, // version and user; the users, and a login; the applications, twice; a proof of each secret
		Drift: func(tb testing.TB) {
			tb.Helper()
			if err := os.Remove(filepath.Join(dir.Path, forge.RefreshTokenName(name))); err != nil {
				tb.Fatal(err)
			}
		},
		Secrets: []lab.Secret{lab.NewSecret(w.token), lab.NewSecret(jobPassword)},
		Within: func(ctx context.Context, b *lab.Boundary) error {
			s := w.server()
			s.Boundary = b
			_, err := s.Plan(ctx, spec)
			return err
		},
		Again: func(tb testing.TB) lawtest.World {
			tb.Helper()
			if _, err := dir.Get(tb.Context(), forge.RefreshTokenName(name)); err == nil { // it was applied
				var apps []struct{ Name string }
				w.must(tb, "GET", "/user/applications/oauth2 as "+name, nil, &apps)
				if len(apps) != 1 {
					tb.Errorf("the applications that are left: %v", apps)
				}
				claims, err := server.JobClaims(tb.Context(), name)
				if err != nil {
					tb.Fatal(err)
				}
				w.exchange(tb, dir, name, claims.ClientID)
			}
			return w.jobWorld(tb)
		},
		Cuts: []lawtest.Cut{
			{Name: "NotDone", Least: 5, Arm: w.cut(fake.HTTPFault{})},
			{Name: "LostAnswer", Least: 5, Arm: w.cut(fake.HTTPFault{Done: true})},
		},
	}
}

// TestJobIdentityLaws proves the laws of identities of jobs: among others, that a lost answer leaves one application, and a
// refresh token that works.
func TestJobIdentityLaws(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		lawtest.Laws(t, func(t *testing.T) lawtest.World { return w.jobWorld(t) })
	})
}

// TestJobIdentity makes an identity, and does with it what a job does.
func TestJobIdentity(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		name, dir := fmt.Sprintf("jobs%d", worlds.Add(1)), secretDir(t)
		identity := forge.JobIdentity{Name: name, Email: name + "@example.com", Password: lab.NewSecret(jobPassword)}
		spec := forge.Spec{Stack: "test", Sink: dir, JobIdentities: []forge.JobIdentity{identity}}
		if _, err := w.server().JobClaims(t.Context(), name); err == nil {
			t.Error("there are claims of an identity that is not there")
		}
		converge(t, w.server(), spec)
		want, err := w.server().JobClaims(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if want.Issuer != w.upstream || want.Username != name || want.ClientID == "" || want.Subject == "" {
			t.Errorf("claims %+v", want)
		}
		claims, access := w.exchange(t, dir, name, want.ClientID)
		if claims["iss"] != want.Issuer || claims["sub"] != want.Subject || claims["preferred_username"] != name ||
			!slices.Contains(claims["aud"].([]any), any(want.ClientID)) {
			t.Errorf("the id_token says %v, want %+v", claims, want)
		}
		for _, path := range []string{"/user", "/repos/search", "/user/repos", "/users/" + name + "/tokens"} {
			if status, answer := w.call(t, "GET", path+" by "+access, nil); status != 403 && status != 401 {
				t.Errorf("with the access token of a job, %s answers %d %s", path, status, answer)
			}
		}
		// A second exchange works: jobs run side by side.
		w.exchange(t, dir, name, want.ClientID)

		for _, drift := range []struct {
			name, cause string
			do          func()
		}{
			{"the client secret is lost", "the client secret is not in", func() {
				_ = os.Remove(filepath.Join(dir.Path, forge.SecretName(name, forge.JobApplication)))
			}},
			{"the refresh token is another", "is of no use any more", func() {
				file := filepath.Join(dir.Path, forge.RefreshTokenName(name))
				_ = os.Remove(file)
				if err := dir.Put(t.Context(), forge.RefreshTokenName(name), lab.NewSecret("a.b.c")); err != nil {
					t.Fatal(err)
				}
			}},
			{"the application is removed", "its application is not there any more", func() {
				var apps []struct{ ID json.Number }
				w.must(t, "GET", "/user/applications/oauth2 as "+name, nil, &apps)
				w.must(t, "DELETE", "/user/applications/oauth2/"+apps[0].ID.String()+" as "+name, nil, nil)
			}},
		} {
			drift.do()
			p := plan(t, w.server(), spec)
			if !strings.Contains(p.String(), drift.cause) {
				t.Errorf("%s: the plan is\n%v", drift.name, p)
			}
			converge(t, w.server(), spec)
			now, err := w.server().JobClaims(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			w.exchange(t, dir, name, now.ClientID)
		}
	})
}

// TestJobIdentityOfOldServers logs in where forms need a token against forgery, until 1.25.
func TestJobIdentityOfOldServers(t *testing.T) {
	for _, version := range []string{"1.24.7", "1.25.5", "1.27.3"} {
		f := forgetest.New(t, forgetest.Config{Version: version})
		server := f.Access()
		spec := forge.Spec{Sink: secretDir(t), JobIdentities: []forge.JobIdentity{{Name: "jobs", Email: "jobs@example.com",
			Password: lab.NewSecret(jobPassword)}}}
		converge(t, &server, spec)
	}
}

// TestJobIdentityOfServersThatAreSetOtherwise makes one where pages are shown to nobody who has not logged in, and refuses a
// server whose refresh tokens work once.
func TestJobIdentityOfServersThatAreSetOtherwise(t *testing.T) {
	spec := func(dir lab.SecretDir) forge.Spec {
		return forge.Spec{Sink: dir, JobIdentities: []forge.JobIdentity{{Name: "jobs", Email: "jobs@example.com",
			Password: lab.NewSecret("p&=%+ \"ä;word")}}}
	}
	once := func(t *testing.T, server *forge.Server) {
		t.Helper()
		dir := secretDir(t)
		_, err := plan(t, server, spec(dir)).Apply(t.Context(), nil)
		if !errors.Is(err, lab.ErrBlocked) || !strings.Contains(fmt.Sprint(lab.Hints(err)), "INVALIDATE_REFRESH_TOKENS") {
			t.Errorf("refresh tokens that work once: %v", err)
		}
		if _, err := dir.Get(t.Context(), forge.RefreshTokenName("jobs")); !errors.Is(err, lab.ErrNotFound) {
			t.Errorf("one is kept: %v", err)
		}
	}
	t.Run("Fake", func(t *testing.T) {
		server := forgetest.New(t, forgetest.Config{RotateRefreshTokens: true}).Access()
		once(t, &server)
	})
	t.Run("Real", func(t *testing.T) {
		real.Long(t)
		g := real.Gitea(t, "[oauth2]", "INVALIDATE_REFRESH_TOKENS = true")
		once(t, &forge.Server{Address: g.URL, Token: lab.NewSecret(g.Token)})
		g = real.Gitea(t, "[service]", "REQUIRE_SIGNIN_VIEW = true")
		converge(t, &forge.Server{Address: g.URL, Token: lab.NewSecret(g.Token)}, spec(secretDir(t)))
	})
}

// TestJobIdentityThatMayDoMore refuses a refresh token by which a job could do all that the user may: the user has
// allowed the application more before.
func TestJobIdentityThatMayDoMore(t *testing.T) {
	f := forgetest.New(t, forgetest.Config{})
	server, dir := f.Access(), secretDir(t)
	spec := forge.Spec{Sink: dir, JobIdentities: []forge.JobIdentity{{Name: "jobs", Email: "jobs@example.com",
		Password: lab.NewSecret(jobPassword)}}}
	converge(t, &server, spec)
	f.Grant("jobs", forge.JobApplication, "openid profile")
	p, err := server.Plan(t.Context(), spec)
	if err != nil || p.Empty() {
		t.Fatalf("%v\n%v", p, err)
	}
	if _, err := p.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "may do all that the user may") {
		t.Errorf("it is taken: %v", err)
	}
}
