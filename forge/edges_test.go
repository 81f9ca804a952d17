package forge_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
)

// edges are what is not simply created or changed. They are run on a world in which each makes its own organization.
var edges = []struct {
	name string
	test func(t *testing.T, w *world, org string)
}{
	{"Renamed", renamed},
	{"RenamedOwner", renamedOwner},
	{"NeverAMirror", neverAMirror},
	{"Visibility", visibilityRisks},
	{"DefaultBranch", defaultBranch},
	{"Prune", prunes},
	{"KeyOfAnotherName", keyOfAnotherName},
	{"OtherStack", otherStack},
	{"OtherKey", otherKey},
	{"Letters", letters},
	{"Owners", ownersTeam},
	{"Logins", logins},
	{"LeftOut", leftOut},
	{"SecretSeenAgain", secretSeenAgain},
	{"MovedMeanwhile", movedMeanwhile},
	{"Pages", pages},
}

// TestEdges is what is not simply created or changed.
func TestEdges(t *testing.T) { onBoth(t, testEdges) }

func testEdges(t *testing.T, w *world) {
	for _, edge := range edges {
		t.Run(edge.name, func(t *testing.T) {
			org := fmt.Sprintf("edge%d", worlds.Add(1))
			w.must(t, "POST", "/orgs", map[string]any{"username": org, "visibility": "private"}, nil)
			edge.test(t, w, org)
		})
	}
}

// one is a spec of one repository.
func one(org, name string) forge.Spec {
	return forge.Spec{Key: fingerprints, Repositories: []forge.Repository{{Owner: org, Name: name}}}
}

// fails plans, and makes sure that nothing is planned and that the error is of the kind and says the words.
func fails(t *testing.T, w *world, s forge.Spec, kind error, words ...string) {
	t.Helper()
	p, err := w.server().Plan(t.Context(), s)
	if err == nil || !errors.Is(err, kind) || p != nil && !p.Empty() {
		t.Errorf("the error is %v, want one of %v\n%v", err, kind, p)
		return
	}
	text := err.Error() + strings.Join(lab.Hints(err), " ")
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("want %q in %s", word, text)
		}
	}
}

func renamed(t *testing.T, w *world, org string) {
	s := one(org, "old")
	s.Repositories[0].Secrets = []forge.Secret{secret("A", valueA)}
	converge(t, w.server(), s)
	w.must(t, "PATCH", "/repos/"+org+"/old", map[string]any{"name": "new"}, nil)
	fails(t, w, s, lab.ErrConflict, "new", "new name")
	s.Repositories[0].Name = "new"
	if p := plan(t, w.server(), s); len(p.Changes()) != 1 {
		t.Errorf("want only the secret, whose mark has the old name:\n%v", p)
	}
	converge(t, w.server(), s)
}

func renamedOwner(t *testing.T, w *world, org string) {
	s := one(org, "app")
	s.Organizations = []forge.Organization{{Name: org, Variables: []forge.Variable{{Name: "A", Value: "1"}}}}
	converge(t, w.server(), s)
	w.must(t, "POST", "/orgs/"+org+"/rename", map[string]any{"new_name": org + "-new"}, nil)
	fails(t, w, s, lab.ErrConflict, org+"-new")
}

func neverAMirror(t *testing.T, w *world, org string) {
	converge(t, w.server(), one(org, "app"))
	address := w.source(t, "source-of-"+org)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	s := one(org, "app")
	s.Remotes = []string{u.Host}
	s.Repositories[0].Mirror = &forge.PullMirror{Address: address}
	fails(t, w, s, lab.ErrRefused, "no mirror")
	s.Repositories[0].Name = "copy"
	s.Repositories[0].Mirror.User, s.Repositories[0].Mirror.Password = w.admin, lab.NewSecret(w.token)
	converge(t, w.server(), s)
	s.Repositories[0].Mirror.Address = strings.TrimSuffix(address, ".git") // is the same
	converge(t, w.server(), s)
	s.Repositories[0].Mirror.Address = address + "-other"
	fails(t, w, s, lab.ErrConflict, "cannot change that")
	s.Repositories[0].Mirror.Address = address
	s.Repositories[0].Mirror.Interval = "1m"
	p := plan(t, w.server(), s)
	if _, err := p.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "minimum interval") {
		t.Errorf("an interval below the least: %v", err)
	}
	s.Repositories[0].Mirror = nil
	fails(t, w, s, lab.ErrConflict, "is a mirror of")
	s.Repositories = nil
	s.Organizations = []forge.Organization{{Name: org}}
	s.Prune = true
	if p := plan(t, w.server(), s); !p.Empty() {
		t.Errorf("repositories that are not wanted are left:\n%v", p)
	}
}

func visibilityRisks(t *testing.T, w *world, org string) {
	s := one(org, "app")
	converge(t, w.server(), s)
	s.Repositories[0].Private = no()
	p := plan(t, w.server(), s)
	if c := p.Changes(); len(c) != 1 || c[0].Risk != lab.RiskDataLoss || !strings.Contains(c[0].Cause, "all of its past") {
		t.Errorf("making it public: %v", c)
	}
	if _, err := p.Apply(t.Context(), nil); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("making it public without a confirmation: %v", err)
	}
	converge(t, w.server(), s)
	s.Repositories[0].Private = yes()
	if c := plan(t, w.server(), s).Changes(); len(c) != 1 || c[0].Risk != lab.RiskDisrupt {
		t.Errorf("making it private: %v", c)
	}
	s.Organizations = []forge.Organization{{Name: org, Visibility: "public"}}
	if c := plan(t, w.server(), s).Changes(); len(c) != 2 || c[0].Risk != lab.RiskDataLoss {
		t.Errorf("making the organization public: %v", c)
	}
}

func defaultBranch(t *testing.T, w *world, org string) {
	w.must(t, "POST", "/orgs/"+org+"/repos", map[string]any{"name": "app", "auto_init": true, "default_branch": "main"}, nil)
	s := one(org, "app")
	s.Repositories[0].DefaultBranch = "trunk"
	_, err := plan(t, w.server(), s).Apply(t.Context(), nil)
	if !errors.Is(err, lab.ErrDrift) || !slices.Contains(lab.Hints(err), "push the branch first") {
		t.Errorf("a default branch that is not there: %v %q", err, lab.Hints(err))
	}
	s.Repositories[0].DefaultBranch = "main"
	converge(t, w.server(), s)
}

func prunes(t *testing.T, w *world, org string) {
	s, _ := everything(t, w)
	converge(t, w.server(), s)
	for n := range s.Repositories {
		x := s.Repositories[n]
		s.Repositories[n] = forge.Repository{Owner: x.Owner, Name: x.Name, Mirror: x.Mirror}
	}
	o, u := s.Organizations[0].Name, s.Users[0].Name
	s.Organizations[0] = forge.Organization{Name: o}
	s.Users[0] = forge.User{Name: u}
	if p := plan(t, w.server(), s); !p.Empty() {
		t.Errorf("without prune, there is to do:\n%v", p)
	}
	s.Prune = true
	fails(t, w, s, lab.ErrRefused, "12 of")
	s.MaxDeletes = 12
	p := converge(t, w.server(), s)
	var ids []string
	for _, c := range p.Changes() {
		if c.Action != lab.Delete {
			t.Errorf("%s %s", c.Action, c.ID)
		}
		ids = append(ids, strings.NewReplacer(o, "org", u, "bot", w.upstream, "REMOTE").Replace(c.ID))
	}
	slices.Sort(ids)
	want := []string{"forge/deploy-key:org/app/argocd", "forge/key:bot/ci", "forge/push-mirror:org/app:REMOTE/nobody/else.git",
		"forge/secret:bot/USER_SECRET", "forge/secret:org/ORG_SECRET", "forge/secret:org/app/A", "forge/secret:org/app/B",
		"forge/variable:bot/USER_VARIABLE", "forge/variable:org/ORG_VARIABLE", "forge/variable:org/app/APP",
		"forge/webhook:org/app:argocd", "forge/webhook:org/app:chat"}
	if !slices.Equal(ids, want) {
		t.Errorf("removed\n%s\nwant\n%s", strings.Join(ids, "\n"), strings.Join(want, "\n"))
	}
	for _, at := range []string{"/repos/" + o + "/app/actions/variables", "/user/actions/variables as " + u} {
		if _, answer := w.call(t, "GET", at, nil); strings.TrimSpace(string(answer)) != "[]" {
			t.Errorf("what is left of %s: %s", at, answer)
		}
	}
}

func keyOfAnotherName(t *testing.T, w *world, org string) {
	s := one(org, "app")
	s.Prune = true
	s.Repositories[0].DeployKeys = []forge.Key{{Name: "a", Key: publicKey(1<<50 + worlds.Add(1))}}
	converge(t, w.server(), s)
	s.Repositories[0].DeployKeys[0].Name = "b"
	if p := plan(t, w.server(), s); !p.Empty() {
		t.Errorf("the same key of another name:\n%v", p)
	}
	s.Repositories[0].DeployKeys[0].Write = true
	if c := converge(t, w.server(), s).Changes(); len(c) != 1 || c[0].Action != lab.Replace {
		t.Errorf("a key that may write: %v", c)
	}
	s.Repositories[0].DeployKeys[0].Key = publicKey(1<<50 + worlds.Add(1))
	if c := converge(t, w.server(), s).Changes(); len(c) != 1 || c[0].Action != lab.Replace {
		t.Errorf("another key of the name: %v", c)
	}
}

func otherStack(t *testing.T, w *world, org string) {
	s := one(org, "app")
	s.Stack = "prod"
	s.Repositories[0].Secrets = []forge.Secret{secret("A", valueA)}
	s.Repositories[0].Variables = []forge.Variable{{Name: "A", Value: "1"}}
	converge(t, w.server(), s)
	s.Stack = "sandbox"
	fails(t, w, s, lab.ErrConflict, "belongs to the stack prod")
	s.Repositories[0].Secrets, s.Repositories[0].Variables = nil, nil
	s.Prune = true
	if p := plan(t, w.server(), s); !p.Empty() {
		t.Errorf("what is another stack's is not removed:\n%v", p)
	}
}

func otherKey(t *testing.T, w *world, org string) {
	s := one(org, "app")
	s.Repositories[0].Secrets = []forge.Secret{secret("A", valueA), secret("B", valueA)}
	converge(t, w.server(), s)
	s.Repositories[0].Secrets[0].Value = lab.NewSecret(valueB)
	if c := converge(t, w.server(), s).Changes(); len(c) != 1 || c[0].Cause != "its value differs" {
		t.Errorf("another value: %v", c)
	}
	s.Key = lab.NewSecret(fingerprints.Reveal() + " and another")
	if c := converge(t, w.server(), s).Changes(); len(c) != 2 {
		t.Errorf("another key of fingerprints: %v", c)
	}
}

func letters(t *testing.T, w *world, org string) {
	s := one(strings.ToUpper(org), "App")
	s.Organizations = []forge.Organization{{Name: strings.ToUpper(org),
		Teams: []forge.Team{{Name: "Devs", Members: []string{strings.ToUpper(w.admin)}}}}}
	s.Repositories[0].Variables = []forge.Variable{{Name: "A", Value: "1"}}
	converge(t, w.server(), s)
	s.Organizations[0].Name, s.Organizations[0].Teams[0].Members[0] = org, w.admin
	s.Repositories[0].Name = "app"
	s.Repositories[0].Owner = org
	if p := plan(t, w.server(), s); !p.Empty() {
		t.Errorf("names in other letters:\n%v", p)
	}
}

func ownersTeam(t *testing.T, w *world, org string) {
	user := "owner-of-" + org
	s := forge.Spec{Users: []forge.User{{Name: user, Email: user + "@example.com"}},
		Organizations: []forge.Organization{{Name: org, Teams: []forge.Team{{Name: "Owners", Members: []string{w.admin, user}}}}}}
	converge(t, w.server(), s)
	s.Organizations[0].Teams[0].Members = []string{user}
	if c := converge(t, w.server(), s).Changes(); len(c) != 1 || c[0].Risk != lab.RiskDisrupt {
		t.Errorf("an owner who is one no more: %v", c)
	}
}

func logins(t *testing.T, w *world, org string) {
	user := "user-of-" + org
	s := forge.Spec{Users: []forge.User{{Name: user}}}
	fails(t, w, s, lab.ErrInvalid, "email")
	s.Users[0].Email = user + "@example.com"
	converge(t, w.server(), s)
	s.Users[0].Password = lab.NewSecret("ünicode: and a colon")
	converge(t, w.server(), s)
	s.Users[0].Password = lab.NewSecret("short")
	if _, err := plan(t, w.server(), s).Apply(t.Context(), nil); err == nil || strings.Contains(err.Error(), "short\"") {
		t.Errorf("a password that is too short: %v", err)
	}
	s.Users[0].Password = lab.Secret{}
	s.Users[0].Login = no()
	if c := converge(t, w.server(), s).Changes(); len(c) != 1 || c[0].Risk != lab.RiskDisrupt {
		t.Errorf("no login: %v", c)
	}

	server := w.server()
	server.Token = lab.NewSecret("0123456789012345678901234567890123456789")
	if _, err := server.Plan(t.Context(), s); !errors.Is(err, lab.ErrUnauthorized) {
		t.Errorf("a wrong token: %v", err)
	}
	plain := "plain-of-" + org
	w.must(t, "POST", "/admin/users", map[string]any{"username": plain, "email": plain + "@example.com", "password": "a long password",
		"must_change_password": false}, nil)
	server = &forge.Server{Address: w.url, User: plain, Password: lab.NewSecret("a long password")}
	if _, err := server.Plan(t.Context(), s); !errors.Is(err, lab.ErrUnauthorized) || !strings.Contains(err.Error(), "no site administrator") {
		t.Errorf("a user who is no administrator: %v", err)
	}
	id, err := w.server().Prove(t.Context())
	if err != nil || id == "" {
		t.Fatalf("identity %q, %v", id, err)
	}
	server = w.server()
	server.Identity = id
	plan(t, server, s)
	server.Identity = "another"
	if _, err := server.Plan(t.Context(), s); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("another identity: %v", err)
	}
}

// leftOut is what the server accepts and does not do.
func leftOut(t *testing.T, w *world, org string) {
	s := one(org, "app")
	s.Repositories[0].Webhooks = []forge.Webhook{{Name: "a", URL: "http://127.0.0.1:9/", Events: []string{"pushes"}}}
	_, err := plan(t, w.server(), s).Apply(t.Context(), nil)
	if !errors.Is(err, lab.ErrDrift) || !strings.Contains(strings.Join(lab.Hints(err), ""), "events that the server knows") {
		t.Errorf("an event that is not known: %v", err)
	}
	s.Repositories[0].Webhooks = nil
	s.Repositories[0].Protections = []forge.Protection{{Branch: "main", Pushers: []string{"nobody-at-all"}}}
	if _, err := plan(t, w.server(), s).Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "nobody-at-all") {
		t.Errorf("a user who is not there: %v", err)
	}
}

// secretSeenAgain is a secret that somebody has written in the pages of the server, or removed and written.
func secretSeenAgain(t *testing.T, w *world, org string) {
	s := one(org, "app")
	s.Repositories[0].Secrets = []forge.Secret{secret("A", valueA), secret("B", valueA)}
	w.must(t, "POST", "/orgs/"+org+"/repos", map[string]any{"name": "app"}, nil)
	at := "/repos/" + org + "/app/actions/secrets/"
	w.must(t, "PUT", at+"A", map[string]any{"data": valueA}, nil)
	p := converge(t, w.server(), s)
	if c := p.Changes(); len(c) != 2 || c[0].Cause != "it is not known what its value is" || c[1].Cause != "not found" {
		t.Errorf("taking over: %v", c)
	}
	var secrets []struct{ Name, Description string }
	w.must(t, "GET", "/repos/"+org+"/app/actions/secrets", nil, &secrets)
	for _, x := range secrets {
		if x.Name == "A" {
			w.must(t, "PUT", at+"B", map[string]any{"data": "x", "description": x.Description}, nil)
		}
	}
	if c := converge(t, w.server(), s).Changes(); len(c) != 1 || c[0].Cause != "its mark is that of another" {
		t.Errorf("a description that is copied: %v", c)
	}
}

// movedMeanwhile is a repository that gets another name between the plan and its apply.
func movedMeanwhile(t *testing.T, w *world, org string) {
	s := one(org, "app")
	converge(t, w.server(), s)
	s.Repositories[0].Description = "changed"
	s.Repositories[0].Secrets = []forge.Secret{secret("A", valueA)}
	p := plan(t, w.server(), s)
	w.must(t, "PATCH", "/repos/"+org+"/app", map[string]any{"name": "elsewhere"}, nil)
	r, err := p.Apply(t.Context(), nil)
	if !errors.Is(err, lab.ErrConflict) || r.Count(lab.StatusDone) != 0 {
		t.Errorf("%v\n%v", err, r)
	}
	var is struct{ Description string }
	w.must(t, "GET", "/repos/"+org+"/elsewhere", nil, &is)
	if is.Description != "" {
		t.Errorf("what has another name now was changed: %q", is.Description)
	}
}

// pages is more than a page of each list.
func pages(t *testing.T, w *world, org string) {
	s := one(org, "app")
	for n := range 60 {
		s.Repositories[0].Secrets = append(s.Repositories[0].Secrets, secret(fmt.Sprintf("S%d", n), valueA))
		s.Repositories[0].Variables = append(s.Repositories[0].Variables, forge.Variable{Name: fmt.Sprintf("V%d", n), Value: "x"})
	}
	for n := range 52 {
		s.Repositories[0].Webhooks = append(s.Repositories[0].Webhooks,
			forge.Webhook{Name: fmt.Sprintf("h%d", n), URL: fmt.Sprintf("http://127.0.0.1:9/%d", n)})
	}
	converge(t, w.server(), s)
}

// TestNotGitea plans on servers that are none, or that send elsewhere.
func TestNotGitea(t *testing.T) {
	for _, c := range []struct {
		name    string
		answer  http.HandlerFunc
		kind    error
		says    string
		without string
	}{
		{"Page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>sign in: hunter2</html>") },
			lab.ErrConflict, "proxy answers", "hunter2"},
		{"NotFound", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "hunter2", 404) }, lab.ErrNotFound, "404", "hunter2"},
		{"Redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
		},
			lab.ErrRefused, "redirects to another", ""},
		{"Old", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"version":"1.23.8"}`) }, lab.ErrRefused, "1.23.8", ""},
		{"Forgejo", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"version":"12.0.1+gitea-1.22.0"}`) },
			lab.ErrRefused, "not a version of Gitea", ""},
		{"Gateway", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }, nil, "500", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			defer server.Close()
			s := &forge.Server{Address: server.URL, Token: lab.NewSecret("token")}
			_, err := s.Plan(t.Context(), one("org", "app"))
			if err == nil || c.kind != nil && !errors.Is(err, c.kind) {
				t.Fatalf("%v, want %v", err, c.kind)
			}
			text := err.Error() + strings.Join(lab.Hints(err), " ")
			if !strings.Contains(text, c.says) || c.without != "" && strings.Contains(text, c.without) {
				t.Errorf("%s", text)
			}
		})
	}
}
