package forge_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// world is a Gitea, real or not, with something in front of it that counts and has faults.
type world struct {
	front    *fake.HTTP
	url      string // of the front
	upstream string // of the server itself, which knows it by this address
	token    string
	admin    string
}

// realWorld is a real Gitea.
func realWorld(t *testing.T) *world {
	t.Helper()
	g := real.Gitea(t)
	return worldAt(t, g.URL, g.Token, g.Admin)
}

func (w *world) server() *forge.Server {
	return &forge.Server{Address: w.url, Token: lab.NewSecret(w.token)}
}

// call asks the server's API, not through the front, and returns the status and the answer. The path may end in " as
// USER", " by TOKEN" or " with password".
func (w *world) call(tb testing.TB, method, path string, in any) (int, []byte) {
	tb.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		tb.Fatal(err)
	}
	path, sudo, _ := strings.Cut(path, " as ")
	path, other, _ := strings.Cut(path, " by ") // a token
	path, _, password := strings.Cut(path, " with ")
	req, err := http.NewRequestWithContext(context.Background(), method, w.upstream+"/api/v1"+path, bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+w.token)
	switch {
	case other != "":
		req.Header.Set("Authorization", "token "+other)
	case password: // for which a token will do
		req.SetBasicAuth(w.admin, w.token)
	}
	req.Header.Set("Content-Type", "application/json")
	if sudo != "" {
		req.Header.Set("Sudo", sudo)
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, answer
}

// must does the same as call, and fails the test unless the answer is a success.
func (w *world) must(tb testing.TB, method, path string, in, out any) {
	tb.Helper()
	status, answer := w.call(tb, method, path, in)
	if status/100 != 2 {
		tb.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			tb.Fatal(err)
		}
	}
}

// source creates a repository with a file, that mirrors can be of.
func (w *world) source(tb testing.TB, name string) (address string) {
	tb.Helper()
	w.must(tb, "POST", "/user/repos", map[string]any{"name": name, "auto_init": true, "default_branch": "main"}, nil)
	return w.upstream + "/" + w.admin + "/" + name + ".git"
}

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

func secret(name, value string) forge.Secret {
	return forge.Secret{Name: name, Value: lab.NewSecret(value)}
}

const (
	// what the tests must not show
	valueA = "value-of-the-first-secret"
	valueB = "value-of-another-secret"
)

var fingerprints = lab.NewSecret("a key of fingerprints with more than 32 bytes")

// publicKey returns an SSH key that no other test has.
func publicKey(n int64) string {
	blob := append([]byte("\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"), bytes.Repeat([]byte{7}, 24)...)
	for shift := 56; shift >= 0; shift -= 8 {
		blob = append(blob, byte(n>>shift))
	}
	return "ssh-ed25519 " + base64Of(blob)
}

var worlds atomic.Int64

// everything is one of each kind of object, with names that no other has.
func everything(tb testing.TB, w *world) (spec forge.Spec, sink lab.Sink) {
	tb.Helper()
	n := worlds.Add(1)
	org, bot := fmt.Sprintf("org%d", n), fmt.Sprintf("bot%d", n)
	address := w.source(tb, fmt.Sprintf("source%d", n))
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	dir := lab.SecretDir{Path: filepath.Join(tb.TempDir(), "secrets")}
	if err := os.Mkdir(dir.Path, 0o700); err != nil {
		tb.Fatal(err)
	}
	return forge.Spec{
		Stack: "test", Remotes: []string{u.Host}, Key: fingerprints, Sink: dir,
		Organizations: []forge.Organization{{Name: org, FullName: "An organization", Visibility: "limited",
			Secrets:   []forge.Secret{secret("ORG_SECRET", valueA)},
			Variables: []forge.Variable{{Name: "ORG_VARIABLE", Value: "one"}},
			Teams: []forge.Team{
				{Name: "readers", Permission: "read", Members: []string{bot}, Repositories: []string{"app"}},
				{Name: "writers", Units: map[string]string{"repo.code": "write", "repo.issues": "read"}, AllRepositories: yes()},
				{Name: "admins", Permission: "admin", CreateRepositories: yes(), AllRepositories: yes()},
			}}},
		Users: []forge.User{{Name: bot, Email: bot + "@example.com", FullName: "A bot", Restricted: yes(),
			Password:     lab.NewSecret("password-of-the-bot"),
			Keys:         []forge.Key{{Name: "ci", Key: publicKey(2*n) + " ci@example.com"}},
			Secrets:      []forge.Secret{secret("USER_SECRET", valueA)},
			Variables:    []forge.Variable{{Name: "USER_VARIABLE", Value: "two"}},
			Applications: []forge.Application{{Name: "vault", RedirectURIs: []string{"http://127.0.0.1/cb"}, SkipGrant: true}}}},
		Repositories: []forge.Repository{
			{Owner: org, Name: "app", Description: "An app", Website: "https://example.com", DefaultBranch: "trunk",
				Private: yes(), Topics: []string{"go", "lab"}, Wiki: no(), Projects: no(), PullRequests: yes(), Actions: yes(),
				Merge:         &forge.Merge{Rebase: no(), Squash: yes(), Default: "squash", DeleteBranch: yes()},
				Collaborators: map[string]string{bot: "write"},
				Protections: []forge.Protection{
					{Branch: "trunk", Pushers: []string{bot}, Approvals: 1, StatusChecks: []string{"ci/*"}, SignedCommits: true},
					{Branch: "release/*", Push: true, MergeTeams: []string{"admins"}, AdminsToo: true}},
				DeployKeys: []forge.Key{{Name: "argocd", Key: publicKey(2*n + 1)}},
				Webhooks: []forge.Webhook{
					{Name: "argocd", URL: "http://127.0.0.1:9/hook", Events: []string{"push", "pull_request"}, Secret: lab.NewSecret(valueB)},
					{Name: "chat", PrivateURL: lab.NewSecret("http://127.0.0.1:9/bot-token-of-the-chat"), Form: true}},
				PushMirrors: []forge.PushMirror{{Address: w.upstream + "/nobody/else.git", Interval: "24h", OnCommit: true,
					User: "pusher", Password: lab.NewSecret("password-of-the-push")}},
				Secrets:   []forge.Secret{secret("A", valueA), secret("B", valueB)},
				Variables: []forge.Variable{{Name: "APP", Value: "app\nand more"}}},
			{Owner: org, Name: "mirrored", Mirror: &forge.PullMirror{Address: address, Interval: "12h",
				User: w.admin, Password: lab.NewSecret(w.token)}, Private: no()},
			{Owner: bot, Name: "dotfiles"},
		}}, dir
}

func confirmed(p *lab.Plan) *lab.ApplyOptions {
	o := &lab.ApplyOptions{}
	for _, c := range p.Changes() {
		o.Confirmed = append(o.Confirmed, lab.Confirm(c.ID))
	}
	return o
}

// plan plans, and fails the test on an error.
func plan(tb testing.TB, s *forge.Server, spec forge.Spec) *lab.Plan {
	tb.Helper()
	p, err := s.Plan(tb.Context(), spec)
	if err != nil {
		tb.Fatalf("plan: %v", err)
	}
	return p
}

// converge plans, applies, and makes sure that the next plan is empty.
func converge(tb testing.TB, s *forge.Server, spec forge.Spec) *lab.Plan {
	tb.Helper()
	p := plan(tb, s, spec)
	if r, err := p.Apply(tb.Context(), confirmed(p)); err != nil || !r.Complete() {
		tb.Fatalf("apply: %v\n%v", err, r)
	}
	if again := plan(tb, s, spec); !again.Empty() {
		tb.Fatalf("after the apply there is to do:\n%v", again)
	}
	return p
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
