package forge_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
)

// cost is what a plan of everything costs when nothing is to be done: version and user; the organizations; the teams, and
// members and repositories of one; the users, and the login of one; keys; applications and the proof of one; tokens; the repositories
// of two owners; collaborators and the permission of one; protections; deploy keys; webhooks; push mirrors; the variables
// of five, and the secrets of four. Two of the three repositories are looked at for what is to be removed alone.
const cost = 2 + 1 + 3 + 2 + 1 + 2 + 1 + 2 + 2 + 1 + 3 + 3 + 3 + 5 + 4

// laws proves the laws. every is the distance between two places where an apply is cut off.
func laws(t *testing.T, w *world, every int) {
	lawtest.Laws(t, func(t *testing.T) lawtest.World { return w.lawful(t, every) })
}

// lawful describes a new set of everything.
func (w *world) lawful(tb testing.TB, every int) lawtest.World {
	tb.Helper()
	spec, _ := everything(tb, w)
	spec.Prune = true
	org, bot := spec.Organizations[0].Name, spec.Users[0].Name
	server := w.server()
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
		Cost:       cost,
		Drift:      func(tb testing.TB) { w.drift(tb, org, bot) },
		Foreign:    func(tb testing.TB) func() string { return w.foreign(tb, org, bot) },
		Secrets: []lab.Secret{lab.NewSecret(valueA), lab.NewSecret(valueB), lab.NewSecret("password-of-the-bot"),
			lab.NewSecret("bot-token-of-the-chat"), lab.NewSecret("password-of-the-push"), lab.NewSecret(w.token), fingerprints},
		Within: func(ctx context.Context, b *lab.Boundary) error {
			s := w.server()
			s.Boundary = b
			_, err := s.Plan(ctx, spec)
			return err
		},
		Again: func(tb testing.TB) lawtest.World { return w.lawful(tb, every) },
		Cuts: []lawtest.Cut{
			{Name: "NotDone", Least: 40, Arm: w.cut(fake.HTTPFault{})},
			{Name: "LostAnswer", Least: 40, Arm: w.cut(fake.HTTPFault{Done: true})},
		},
		Every: every,
	}
}

func (w *world) cut(how fake.HTTPFault) func(testing.TB, int) func(error) bool {
	return func(_ testing.TB, n int) func(error) bool {
		w.front.Faults.Reset()
		w.front.Faults.At(n, how)
		return func(error) bool {
			fired := w.front.Faults.Fired() > 0
			w.front.Faults.Reset()
			return fired
		}
	}
}

// drift changes something of every kind.
func (w *world) drift(tb testing.TB, org, bot string) {
	tb.Helper()
	must := func(method, path string, in any) {
		tb.Helper()
		w.must(tb, method, path, in, nil)
	}
	app := "/repos/" + org + "/app"
	must("PATCH", "/orgs/"+org, map[string]any{"full_name": "Another"})
	must("PATCH", "/admin/users/"+bot, map[string]any{"login_name": bot, "source_id": 0, "restricted": false, "password": "another-password",
		"must_change_password": false})
	must("PATCH", app, map[string]any{"description": "", "has_wiki": true, "allow_rebase": true, "private": false})
	must("PUT", app+"/topics", map[string]any{"topics": []string{"other"}})
	must("PUT", app+"/actions/secrets/A", map[string]any{"data": "somebody else's"})
	must("DELETE", app+"/actions/secrets/B", nil)
	must("PUT", app+"/actions/variables/APP", map[string]any{"value": "another"})
	must("DELETE", app+"/collaborators/"+bot, nil)
	must("PUT", app+"/collaborators/"+w.admin, map[string]any{"permission": "read"})
	must("PATCH", app+"/branch_protections/trunk", map[string]any{"required_approvals": 0})
	must("DELETE", app+"/branch_protections/release%2F*", nil)
	var hooks []struct {
		ID     int64
		Config map[string]string
	}
	w.must(tb, "GET", app+"/hooks", nil, &hooks)
	for _, h := range hooks {
		if strings.Contains(h.Config["url"], "theirs") {
			continue
		}
		must("PATCH", fmt.Sprintf("%s/hooks/%d", app, h.ID), map[string]any{"active": false, "events": []string{"create"}})
	}
	var mirrors []struct {
		Name    string `json:"remote_name"`
		Address string `json:"remote_address"`
	}
	w.must(tb, "GET", app+"/push_mirrors", nil, &mirrors)
	for _, m := range mirrors {
		if strings.Contains(m.Address, "theirs") {
			continue
		}
		must("DELETE", app+"/push_mirrors/"+m.Name, nil)
	}
	must("PATCH", "/repos/"+org+"/mirrored", map[string]any{"mirror_interval": "48h"})
	var apps []struct {
		ID   int64
		Name string
	}
	w.must(tb, "GET", "/user/applications/oauth2 as "+bot, nil, &apps)
	for _, a := range apps {
		if a.Name == "theirs" {
			continue
		}
		must("PATCH", fmt.Sprintf("/user/applications/oauth2/%d as %s", a.ID, bot), map[string]any{"name": a.Name,
			"redirect_uris": []string{"http://127.0.0.1/other"}, "confidential_client": true})
	}
	var keys []struct {
		ID    int64
		Title string
	}
	w.must(tb, "GET", "/users/"+bot+"/keys", nil, &keys)
	for _, k := range keys {
		if k.Title == "theirs" {
			continue
		}
		must("DELETE", fmt.Sprintf("/admin/users/%s/keys/%d", bot, k.ID), nil)
	}
	var teams []struct {
		ID   int64
		Name string
	}
	w.must(tb, "GET", "/orgs/"+org+"/teams", nil, &teams)
	for _, team := range teams {
		if team.Name == "readers" {
			must("PUT", fmt.Sprintf("/teams/%d/members/%s", team.ID, w.admin), nil)
			must("PUT", fmt.Sprintf("/teams/%d/repos/%s/mirrored", team.ID, org), nil)
		}
	}
}

// foreign creates things that are not ours among those that are.
func (w *world) foreign(tb testing.TB, org, bot string) func() string {
	tb.Helper()
	app := "/repos/" + org + "/app"
	w.must(tb, "PUT", app+"/actions/secrets/THEIRS", map[string]any{"data": "x", "description": "managed-by=lab2;owner=a/b/c"}, nil)
	w.must(tb, "POST", app+"/actions/variables/THEIRS", map[string]any{"value": "x"}, nil)
	w.must(tb, "POST", "/orgs/"+org+"/actions/variables/THEIRS", map[string]any{"value": "x"}, nil)
	w.must(tb, "POST", app+"/keys", map[string]any{"title": "theirs", "key": publicKey(1<<40 + worlds.Add(1)), "read_only": true}, nil)
	w.must(tb, "POST", "/admin/users/"+bot+"/keys", map[string]any{"title": "theirs", "key": publicKey(1<<40 + worlds.Add(1))}, nil)
	w.must(tb, "POST", app+"/hooks", map[string]any{"type": "gitea", "active": true,
		"config": map[string]string{"url": "http://127.0.0.1:9/theirs", "content_type": "json", "secret": "x"}}, nil)
	w.must(tb, "POST", app+"/push_mirrors", map[string]any{"remote_address": w.upstream + "/nobody/theirs.git", "interval": "24h"}, nil)
	w.must(tb, "POST", app+"/branch_protections", map[string]any{"rule_name": "theirs"}, nil)
	w.must(tb, "POST", "/orgs/"+org+"/teams", map[string]any{"name": "theirs", "permission": "read",
		"units_map": map[string]string{"repo.code": "read"}}, nil)
	w.must(tb, "POST", "/orgs/"+org+"/repos", map[string]any{"name": "theirs"}, nil)
	w.must(tb, "POST", "/user/applications/oauth2 as "+bot, map[string]any{"name": "theirs",
		"redirect_uris": []string{"http://127.0.0.1/"}}, nil)
	return func() string {
		var b strings.Builder
		for _, list := range []string{app + "/actions/secrets", app + "/actions/variables", "/orgs/" + org + "/actions/variables", app + "/keys",
			"/users/" + bot + "/keys", app + "/hooks", app + "/push_mirrors", app + "/branch_protections", "/orgs/" + org + "/teams",
			"/orgs/" + org + "/repos", "/user/applications/oauth2 as " + bot} {
			var all []map[string]any
			w.must(tb, "GET", list, nil, &all)
			for _, o := range all {
				for _, name := range []string{"size", "last_update", "last_used_at", "updated_at", "last_error", "owner", "user", "repository"} {
					delete(o, name)
				}
				if text := fmt.Sprint(o); strings.Contains(strings.ToLower(text), "theirs") {
					b.WriteString(list + " " + text + "\n")
				}
			}
		}
		return b.String()
	}
}
