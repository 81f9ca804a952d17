package forge_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/forge/forgetest"
)

// TestPeers is what people reported of other tools: see the numbers of the issues.
func TestPeers(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			name string
			test func(t *testing.T, w *world, org string)
		}{
			{"Texts", texts},
			{"ProtectionOfManyBranches", protectionOfManyBranches},
			{"Archived", archived},
			{"MirrorsBranch", mirrorsBranch},
			{"MirrorOfNothing", mirrorOfNothing},
			{"SharedKey", sharedKey},
			{"Reserved", reservedNames},
			{"Authorization", authorization},
			{"MailOfAnother", mailOfAnother},
			{"Units", unitsOfTeams},
			{"NoPullRequests", noPullRequests},
			{"Adopted", adopted},
			{"TwoWays", twoWays},
			{"OneOfTheName", oneOfTheName},
			{"ByPassword", byPassword},
		} {
			t.Run(c.name, func(t *testing.T) {
				org := "peer" + strings.ToLower(c.name)
				w.must(t, "POST", "/orgs", map[string]any{"username": org, "visibility": "private"}, nil)
				c.test(t, w, org)
			})
		}
	})
}

// texts are kept as they are, whatever is in them.
func texts(t *testing.T, w *world, org string) {
	s := one(org, "app")
	s.Organizations = []forge.Organization{{Name: org, FullName: "Ünïcode & <b>", Description: "\"quoted\" \\ ${x}",
		Website: "https://example.com/a?b=c&d#e"}}
	s.Repositories[0].Description = "ü 🦊 <script> '\" \\ line\nbreak"
	s.Repositories[0].Website = "https://example.com/%20?x=1&y=2"
	s.Repositories[0].Variables = []forge.Variable{{Name: "A", Value: " spaces and a line break \n"},
		{Name: "B", Value: "${{ secrets.X }}"}, {Name: "C", Value: strings.Repeat("ü", 10000)},
		{Name: "D", Value: "{\"json\": [1, 2]}\n\n"}, {Name: "E", Value: "\t0"}}
	s.Repositories[0].Secrets = []forge.Secret{secret("A", "line\nbreak\n"), secret("B", " "),
		secret("C", strings.Repeat("x", 65536)), secret("D", "\x00")}
	converge(t, w.server(), s)
}

// protectionOfManyBranches changes a rule whose name has a slash and a star, by its path
// (go-gitea/gitea#23998, integrations/terraform-provider-github#164).
func protectionOfManyBranches(t *testing.T, w *world, org string) {
	s := one(org, "app")
	s.Repositories[0].Protections = []forge.Protection{{Branch: "release/**"}, {Branch: "feature/x[0-9]?"}, {Branch: "100%"},
		{Branch: "main", StatusChecks: []string{"b", "a", "c/*"}}}
	converge(t, w.server(), s)
	for n := range s.Repositories[0].Protections {
		s.Repositories[0].Protections[n].Approvals = 2
		s.Repositories[0].Protections[n].ProtectedFiles = "*.yaml;/go.mod"
	}
	converge(t, w.server(), s)
}

// archived is a repository that takes no changes but the end of being archived.
func archived(t *testing.T, w *world, org string) {
	s := one(org, "app")
	s.Repositories[0].Archived = yes()
	s.Repositories[0].Description = "old"
	s.Repositories[0].Secrets = []forge.Secret{secret("A", valueA)}
	converge(t, w.server(), s)
	s.Repositories[0].Description = "older"
	converge(t, w.server(), s)
	s.Repositories[0].Archived, s.Repositories[0].Protections = nil, []forge.Protection{{Branch: "main"}}
	if _, err := plan(t, w.server(), s).Apply(t.Context(), nil); !errors.Is(err, lab.ErrBlocked) ||
		!strings.Contains(strings.Join(lab.Hints(err), " "), "archived") {
		t.Errorf("a protection in an archived repository: %v %q", err, lab.Hints(err))
	}
	s.Repositories[0].Archived = no()
	converge(t, w.server(), s)
}

// mirrorsBranch is a mirror whose default branch is another one than the server's default
// (svalabs/terraform-provider-forgejo#62).
func mirrorsBranch(t *testing.T, w *world, org string) {
	name := "source-of-" + org
	w.must(t, "POST", "/user/repos", map[string]any{"name": name, "auto_init": true, "default_branch": "develop"}, nil)
	address := w.upstream + "/" + w.admin + "/" + name + ".git"
	s := one(org, "copy")
	s.Remotes = []string{strings.TrimPrefix(w.upstream, "http://")}
	s.Repositories[0].Mirror = &forge.PullMirror{Address: address, User: w.admin, Password: lab.NewSecret(w.token), Interval: "0s"}
	s.Repositories[0].DefaultBranch = "develop"
	s.Repositories[0].Topics = []string{}
	converge(t, w.server(), s)
}

// mirrorOfNothing is a mirror that cannot be copied: the server leaves an empty repository behind, which is none.
func mirrorOfNothing(t *testing.T, w *world, org string) {
	s := one(org, "copy")
	s.Remotes = []string{"127.0.0.1:1"}
	s.Repositories[0].Mirror = &forge.PullMirror{Address: "http://127.0.0.1:1/a/b.git"}
	if _, err := plan(t, w.server(), s).Apply(t.Context(), nil); !errors.Is(err, lab.ErrInvalid) {
		t.Errorf("a mirror of nothing: %v", err)
	}
	fails(t, w, s, lab.ErrBlocked, "could not be", "delete what is left")
}

// sharedKey is one deploy key of two repositories, which one of them lets write.
func sharedKey(t *testing.T, w *world, org string) {
	key := publicKey(1<<52 + worlds.Add(1))
	s := one(org, "a")
	s.Repositories = append(s.Repositories, forge.Repository{Owner: org, Name: "b"})
	s.Repositories[0].DeployKeys = []forge.Key{{Name: "k", Key: key}}
	s.Repositories[1].DeployKeys = []forge.Key{{Name: "k", Key: key + " with a comment", Write: true}}
	converge(t, w.server(), s)
}

// reservedNames are refused by the server, with its words.
func reservedNames(t *testing.T, w *world, _ string) {
	for _, name := range []string{"api", "user"} {
		s := forge.Spec{Organizations: []forge.Organization{{Name: name}}}
		if _, err := plan(t, w.server(), s).Apply(t.Context(), nil); !errors.Is(err, lab.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("the name %s: %v", name, err)
		}
	}
}

// authorization is a header of a webhook that a change must not empty (go-gitea/gitea#23142 says how the secret is lost).
func authorization(t *testing.T, w *world, org string) {
	s := one(org, "app")
	converge(t, w.server(), s)
	w.must(t, "POST", "/repos/"+org+"/app/hooks", map[string]any{"type": "gitea", "active": true, "authorization_header": "Bearer of-somebody",
		"config": map[string]string{"url": "http://127.0.0.1:9/x", "content_type": "json"}}, nil)
	s.Repositories[0].Webhooks = []forge.Webhook{{Name: "x", URL: "http://127.0.0.1:9/x", Events: []string{"push", "release"}}}
	converge(t, w.server(), s)
	var hooks []struct {
		Header string `json:"authorization_header"`
	}
	w.must(t, "GET", "/repos/"+org+"/app/hooks", nil, &hooks)
	if len(hooks) != 1 || hooks[0].Header != "Bearer of-somebody" {
		t.Errorf("the webhooks are %v", hooks)
	}
}

// mailOfAnother is an address that a user has already, which the server says.
func mailOfAnother(t *testing.T, w *world, org string) {
	s := forge.Spec{Users: []forge.User{{Name: "one-" + org, Email: "Someone@" + org + ".example"}}}
	converge(t, w.server(), s)
	s.Users = append(s.Users, forge.User{Name: "two-" + org, Email: "someone@" + org + ".EXAMPLE"})
	_, err := plan(t, w.server(), s).Apply(t.Context(), nil)
	if !errors.Is(err, lab.ErrInvalid) || !strings.Contains(strings.ReplaceAll(err.Error(), "-", ""), "email") {
		t.Errorf("%v", err)
	}
}

// unitsOfTeams are permissions that change from all to some, and back, which other tools lose
// (go-gitea/gitea#5187, #6354).
func unitsOfTeams(t *testing.T, w *world, org string) {
	s := forge.Spec{Organizations: []forge.Organization{{Name: org, Teams: []forge.Team{{Name: "t"}}}}}
	converge(t, w.server(), s)
	team := &s.Organizations[0].Teams[0]
	for _, permission := range []string{"write", "admin", "read", "admin"} {
		team.Permission = permission
		converge(t, w.server(), s)
	}
	team.Permission, team.Units = "", map[string]string{"repo.code": "write", "repo.ext_wiki": "read"}
	converge(t, w.server(), s)
	team.Units = nil
	team.AllRepositories, team.CreateRepositories, team.Description = yes(), yes(), "All of them"
	converge(t, w.server(), s)
	team.Permission = "admin"
	converge(t, w.server(), s)
	team.Permission, team.AllRepositories = "", no()
	converge(t, w.server(), s)
}

// noPullRequests switches a unit off, and on again.
func noPullRequests(t *testing.T, w *world, org string) {
	s := one(org, "app")
	x := &s.Repositories[0]
	for _, unit := range []**bool{&x.PullRequests, &x.Issues, &x.Releases, &x.Packages, &x.Actions, &x.Projects, &x.Wiki} {
		*unit = no()
	}
	x.Template = yes()
	converge(t, w.server(), s)
	x.Merge = &forge.Merge{Squash: yes()}
	if ps := s.Validate(); len(ps) != 1 || !strings.Contains(ps.Error(), "pull requests") {
		t.Errorf("how to merge what there is none of: %v", ps)
	}
	x.PullRequests = yes()
	x.Merge = &forge.Merge{MergeCommit: no(), Rebase: no(), RebaseMerge: no(), Squash: no(), FastForward: yes(),
		Default: "fast-forward-only", DeleteBranch: no()}
	converge(t, w.server(), s)
}

// adopted is a team that was made with one unit only, and is given all.
func adopted(t *testing.T, w *world, org string) {
	w.must(t, "POST", "/orgs/"+org+"/teams", map[string]any{"name": "t", "permission": "write",
		"units_map": map[string]string{"repo.code": "write"}}, nil)
	s := forge.Spec{Organizations: []forge.Organization{{Name: org, Teams: []forge.Team{{Name: "t", Permission: "write"}}}}}
	if p := converge(t, w.server(), s); len(p.Changes()) != 1 {
		t.Errorf("%v", p)
	}
}

// twoWays is a collaborator who may do more by way of a team, or as an owner.
func twoWays(t *testing.T, w *world, org string) {
	user := "user-of-" + org
	s := one(org, "app")
	s.Users = []forge.User{{Name: user, Email: user + "@example.com"}}
	s.Organizations = []forge.Organization{{Name: strings.ToUpper(org), Teams: []forge.Team{
		{Name: "writers", Permission: "write", Members: []string{strings.ToUpper(user)}, AllRepositories: yes()}}}}
	s.Repositories[0].Collaborators = map[string]string{strings.ToUpper(user): "read", w.admin: "write"}
	converge(t, w.server(), s)
	s.Organizations[0].Teams[0].Permission = "admin"
	converge(t, w.server(), s)
	s.Organizations[0].Teams[0].Permission = "read"
	converge(t, w.server(), s) // what the team has hidden is seen now
	s.Repositories[0].Collaborators[strings.ToUpper(user)] = "admin"
	converge(t, w.server(), s)
}

// oneOfTheName is a name that an organization has, and is wanted for a user, and the other way round.
func oneOfTheName(t *testing.T, w *world, org string) {
	fails(t, w, forge.Spec{Users: []forge.User{{Name: org, Email: "x@example.com"}}}, lab.ErrConflict, "organization of this name")
	s := forge.Spec{Organizations: []forge.Organization{{Name: w.admin}}}
	_, err := plan(t, w.server(), s).Apply(t.Context(), nil)
	if !errors.Is(err, lab.ErrInvalid) || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("an organization of a user's name: %v", err)
	}
}

// byPassword is an administrator without a token.
func byPassword(t *testing.T, w *world, org string) {
	s := one(org, "app")
	s.Repositories[0].Secrets = []forge.Secret{secret("A", valueA)}
	s.Users = []forge.User{{Name: "user-of-" + org, Email: "user-of-" + org + "@example.com",
		Variables: []forge.Variable{{Name: "A", Value: "1"}}}}
	converge(t, &forge.Server{Address: w.url, User: w.admin, Password: lab.NewSecret(w.token)}, s) // for which a token will do
}

// TestCopyIsNotCutOff ends the context of an apply while the server copies a repository: were the request cut off, the server
// would leave an empty repository behind. It is ended by its own answer, and the next plan goes on.
func TestCopyIsNotCutOff(t *testing.T) {
	w, _ := fakeWorld(t, forgetest.Config{})
	address := w.source(t, "source")
	w.must(t, "POST", "/orgs", map[string]any{"username": "mirrors"}, nil)
	s := one("mirrors", "copy")
	s.Remotes = []string{strings.TrimPrefix(w.upstream, "http://")}
	s.Repositories[0].Mirror = &forge.PullMirror{Address: address}
	s.Repositories[0].Topics = []string{"copy"}
	ctx, cancel := context.WithCancel(t.Context())
	behind := w.front.Handler
	w.front.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/repos/migrate" {
			cancel()
			select {
			case <-r.Context().Done():
				t.Error("the copy was cut off")
			case <-time.After(200 * time.Millisecond): // in which a request that is cut off is seen to be
			}
		}
		behind.ServeHTTP(rw, r)
	})
	if _, err := plan(t, w.server(), s).Apply(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("the apply ended in %v", err)
	}
	if p := converge(t, w.server(), s); len(p.Changes()) != 1 || p.Changes()[0].Action != lab.Update {
		t.Errorf("want the topics to be still to do:\n%v", p)
	}
}
