package forge_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/forge/forgetest"
)

var update = flag.Bool("update", false, "rewrite testdata")

// TestPlanText shows plans as people see them: of a new server, of what drifted, and of what is not wanted any more.
func TestPlanText(t *testing.T) {
	w, _ := fakeWorld(t, forgetest.Config{})
	s, sink := everything(t, w)
	org, bot := s.Organizations[0].Name, s.Users[0].Name
	stable := strings.NewReplacer(org, "org", bot, "bot", w.upstream, "http://REMOTE", sink.String(), "SECRETS",
		strings.Fields(s.Users[0].Keys[0].Key)[1], "AAAA-OF-THE-BOT", strings.Fields(s.Repositories[0].DeployKeys[0].Key)[1], "AAAA-OF-ARGOCD",
		"source"+org[len("org"):], "source")
	var got []txtar.File
	show := func(name string, apply bool) {
		t.Helper()
		p := plan(t, w.server(), s)
		got = append(got, txtar.File{Name: name, Data: []byte(stable.Replace(p.String()))})
		if apply {
			if r, err := p.Apply(t.Context(), confirmed(p)); err != nil || !r.Complete() {
				t.Fatal(err)
			}
		}
	}
	show("new", true)
	show("converged", false)
	w.drift(t, org, bot)
	show("drifted", true)
	s.Prune = true
	s.Repositories[0].Webhooks, s.Repositories[0].PushMirrors = nil, nil
	s.Repositories[0].Secrets = s.Repositories[0].Secrets[:1]
	show("removed", true)
	s.Repositories[0].Private, s.Organizations[0].Visibility = no(), "public"
	show("shown", false)

	const file = "testdata/plans.txtar"
	if *update {
		if err := os.WriteFile(file, txtar.Format(&txtar.Archive{Files: got}), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for n, g := range got {
		if n >= len(want.Files) || want.Files[n].Name != g.Name || !bytes.Equal(want.Files[n].Data, g.Data) {
			t.Errorf("the plan %q is\n%s\nrewrite it with -update if it should be", g.Name, g.Data)
		}
	}
}

// problems are specs that are wrong, each with what is said of it.
var problems = map[string]struct {
	spec forge.Spec
	says string
}{
	"an organization without a name": {forge.Spec{Organizations: []forge.Organization{{}}},
		"organizations[0].name: empty"},
	"a name with two dots": {forge.Spec{Organizations: []forge.Organization{{Name: "a..b"}}},
		"organizations[0].name: is not a name"},
	"a name that is too long": {forge.Spec{Users: []forge.User{{Name: strings.Repeat("a", 41)}}},
		"users[0].name: is not a name"},
	"a path in a name": {one("org", "../admin"),
		"repositories[0].name: is not the name of a repository"},
	"two dots":                       {one("org", ".."), "repositories[0].name"},
	"a repository that ends in .git": {one("org", "app.git"), "repositories[0].name"},
	"an owner with a slash":          {one("org/app", "app"), "repositories[0].owner: is not a name"},
	"two of one name": {forge.Spec{Organizations: []forge.Organization{{Name: "Org"}}, Users: []forge.User{{Name: "oRG"}}},
		"users[0].name: is named twice"},
	"a visibility": {forge.Spec{Organizations: []forge.Organization{{Name: "a", Visibility: "secret"}}},
		"is none of public, limited, private: secret"},
	"a unit": {ofTeam(forge.Team{Name: "t", Units: map[string]string{"repo.cod": "read"}}),
		"is not a unit: repo.cod (nearest: repo.code)"},
	"a permission on an external wiki": {ofTeam(forge.Team{Name: "t", Units: map[string]string{"repo.ext_wiki": "write"}}),
		"is none of none, read: write"},
	"a permission of the owners": {ofTeam(forge.Team{Name: "Owners", Permission: "read"}),
		"give its members alone"},
	"owners without anybody": {ofTeam(forge.Team{Name: "Owners", Members: []string{}}), "one owner at least"},
	"all repositories, and some": {ofTeam(forge.Team{Name: "t", AllRepositories: yes(), Repositories: []string{"a"}}),
		"give one or the other"},
	"a secret without a value": {of(forge.Repository{Secrets: []forge.Secret{{Name: "A"}}}),
		"secrets[0]: has no value: A"},
	"a secret in small letters": {of(forge.Repository{Secrets: []forge.Secret{secret("a", "x")}}),
		"write capitals"},
	"a secret of Gitea's": {of(forge.Repository{Secrets: []forge.Secret{secret("GITEA_TOKEN", "x")}}),
		"is not a name that Actions take"},
	"the secret CI": {of(forge.Repository{Secrets: []forge.Secret{secret("CI", "x")}}),
		"is not a name that Actions take"},
	"a secret that is too long": {of(forge.Repository{Secrets: []forge.Secret{secret("A", strings.Repeat("x", 65537))}}),
		"longer than 64 KiB"},
	"a secret that is no text": {of(forge.Repository{Secrets: []forge.Secret{secret("A", "\xff")}}),
		"encode it in base64"},
	"a protection that is archived": {of(forge.Repository{Archived: yes(), Protections: []forge.Protection{{Branch: "main"}}}),
		"given of an archived repository"},
	"a variable without a value": {of(forge.Repository{Variables: []forge.Variable{{Name: "A"}}}),
		"value: empty"},
	"a variable with a carriage return": {of(forge.Repository{Variables: []forge.Variable{{Name: "A", Value: "a\r\nb"}}}),
		"carriage return"},
	"a variable of this package": {of(forge.Repository{Variables: []forge.Variable{{Name: "LAB_RECORD_A", Value: "x"}}}),
		"uses itself"},

	"a private key": {of(forge.Repository{DeployKeys: []forge.Key{{Name: "a", Key: "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2"}}}),
		"is a private key"},
	"half a key": {of(forge.Repository{DeployKeys: []forge.Key{{Name: "a", Key: "ssh-ed25519"}}}),
		"is not an SSH public key"},
	"a key of two names": {
		of(forge.Repository{DeployKeys: []forge.Key{{Name: "a", Key: publicKey(1)}, {Name: "b", Key: publicKey(1) + " c"}}}),
		"is named twice: b"},
	"a topic": {of(forge.Repository{Topics: []string{"Go"}}), "is not a topic: Go"},
	"a permission": {of(forge.Repository{Collaborators: map[string]string{"a": "owner"}}),
		"is none of read, write, admin: owner"},
	"a remote": {of(forge.Repository{PushMirrors: []forge.PushMirror{{Address: "https://evil.example/a.git"}}}),
		"is a host that mirrors may not reach: evil.example"},
	"a remote's port": {of(forge.Repository{PushMirrors: []forge.PushMirror{{Address: "https://git.example:8443/a.git"}}}),
		"is a host that mirrors may not reach: git.example:8443"},
	"a remote that looks alike": {of(forge.Repository{Mirror: &forge.PullMirror{Address: "https://git.example.evil.example/a.git"}}),
		"may not reach"},
	"a remote with a password": {of(forge.Repository{Mirror: &forge.PullMirror{Address: "https://u:hunter2@git.example/a.git"}}),
		"holds a user"},
	"a remote that is a file": {of(forge.Repository{Mirror: &forge.PullMirror{Address: "file:///etc"}}),
		"is not the http or https address"},
	"a remote over SSH": {of(forge.Repository{PushMirrors: []forge.PushMirror{{Address: "git@git.example:a/b.git"}}}),
		"is not the http or https address"},
	"a mirror that pushes": {of(forge.Repository{Mirror: &forge.PullMirror{Address: "https://git.example/a.git"},
		PushMirrors: []forge.PushMirror{{Address: "https://git.example/b.git"}}}), "is a mirror itself"},
	"a password in the open": {of(forge.Repository{PushMirrors: []forge.PushMirror{{Address: "http://git.example/a.git",
		Password: lab.NewSecret("hunter2")}}}), "is not encrypted"},
	"a mirror that never pushes": {
		of(forge.Repository{PushMirrors: []forge.PushMirror{{Address: "https://git.example/a.git", Interval: "0s"}}}),
		"never pushed"},
	"an interval": {of(forge.Repository{PushMirrors: []forge.PushMirror{{Address: "https://git.example/a.git", Interval: "8"}}}),
		"is not a duration: 8"},
	"a webhook without a URL": {of(forge.Repository{Webhooks: []forge.Webhook{{Name: "a"}}}),
		"want a url or a privateURL"},
	"two webhooks of one URL": {of(forge.Repository{Webhooks: []forge.Webhook{{Name: "a", URL: "http://a/"}, {Name: "b", URL: "http://a/"}}}),
		"two webhooks have this address"},
	"a webhook's password": {of(forge.Repository{Webhooks: []forge.Webhook{{Name: "a", URL: "http://u:hunter2@a/"}}}),
		"make it a privateURL"},
	"a protection of all": {of(forge.Repository{Protections: []forge.Protection{{Branch: "main", Push: true, Pushers: []string{"a"}}}}),
		"give one or the other"},

	"an application": {
		forge.Spec{Users: []forge.User{{Name: "a", Applications: []forge.Application{{Name: "b", RedirectURIs: []string{"c"}}}}}},
		"is not a URI: c"},
	"no sink": {
		forge.Spec{Users: []forge.User{{Name: "a", Applications: []forge.Application{{Name: "b", RedirectURIs: []string{"http://c"}}}}}},
		"sink: there is none"},
	"no key": {forge.Spec{Organizations: []forge.Organization{{Name: "a", Secrets: []forge.Secret{secret("A", "x")}}}},
		"key: shorter than 32 bytes"},
	"a stack": {forge.Spec{Stack: "a;b"}, "stack: is not a name"},
	"a host":  {forge.Spec{Remotes: []string{"https://git.example"}}, "remotes[0]: is not a host"},
}

// of is a spec of one repository that is like x.
func of(x forge.Repository) forge.Spec {
	x.Owner, x.Name = "org", "app"
	return forge.Spec{Key: fingerprints, Remotes: []string{"git.example"}, Repositories: []forge.Repository{x}}
}

func ofTeam(t forge.Team) forge.Spec {
	return forge.Spec{Organizations: []forge.Organization{{Name: "org", Teams: []forge.Team{t}}}}
}

// TestSpecProblems wants each of them to be reported, without what may be a secret.
func TestSpecProblems(t *testing.T) {
	for name, c := range problems {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			err := c.spec.Validate().Err()
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v\nwant %q", err, c.says)
			}
		})
	}
	server := &forge.Server{Address: "https://u:hunter2@gitea.example/api/v1", User: "a:b", Parallel: -1}
	err := server.Validate().Err()
	if got := len(server.Validate()); got != 3 || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%d problems:\n%v", got, err)
	}
}

// TestAllProblems wants everything that is wrong to be reported at once.
func TestAllProblems(t *testing.T) {
	var all forge.Spec
	for _, c := range problems {
		all.Organizations = append(all.Organizations, c.spec.Organizations...)
		all.Users = append(all.Users, c.spec.Users...)
		all.Repositories = append(all.Repositories, c.spec.Repositories...)
	}
	if ps := all.Validate(); len(ps) < len(problems)-6 {
		t.Errorf("%d problems of %d wrong specs:\n%v", len(ps), len(problems), ps.Err())
	}
}

// TestServer: where a token may be sent.
func TestServer(t *testing.T) {
	for address, says := range map[string]string{
		"http://192.0.2.1:3000":      "plain text",
		"http://gitea.lab":           "plain text",
		"http://localhost.evil.test": "plain text",
		"http://127.0.0.1:3000":      "",
		"http://[::1]:3000":          "",
		"http://localhost:3000":      "",
		"https://gitea.lab/git":      "",
	} {
		s := forge.Server{Address: address, Token: lab.NewSecret("token")}
		ps := s.Validate()
		if (says == "") != (len(ps) == 0) || says != "" && !strings.Contains(ps.Error(), says) {
			t.Errorf("%s: %v, want %q", address, ps, says)
		}
		s.Plaintext = true
		if ps := s.Validate(); len(ps) > 0 {
			t.Errorf("%s, allowed: %v", address, ps)
		}
	}
	s := forge.Server{Address: "https://gitea.lab", Token: lab.NewSecret("token"), CA: "x"}
	if ps := s.Validate(); len(ps) != 1 || ps[0].Path != "ca" {
		t.Errorf("%v", ps)
	}
}
