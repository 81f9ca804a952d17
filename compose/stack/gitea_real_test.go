package stack_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/compose/stack"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestGiteaReal is PostgreSQL, Gitea and a runner on one machine.
func TestGiteaReal(t *testing.T) {
	const (
		current = "gitea/gitea:" + real.GiteaVersion + "-rootless"
		next    = "gitea/gitea:1.26.99-rootless" // the same program: what is tested of it is its name
		runner  = "gitea/runner:" + real.RunnerVersion
	)
	b := newBench(t, func(d *real.DockerEngine) []string {
		d.ImportPostgres(t, 17, pg17)
		d.ImportGitea(t, current, next)
		d.ImportRunner(t, runner)
		return []string{pg17, current, next, runner}
	})
	testGitea(t, b, current, next, runner)
}

// giteaBench is Gitea on a machine, as it is seen without our code.
type giteaBench struct {
	bench
	url   string
	token lab.Secret
}

func (b giteaBench) sql(t *testing.T, query string) string {
	t.Helper()
	return b.look(t, "sudo docker exec -u postgres postgres-postgres-1 psql -U postgres -d "+
		"gitea -Atc '"+strings.ReplaceAll(query, "'", `'\''`)+"'")
}

// call calls Gitea's API.
func (b giteaBench) call(t *testing.T, method, path string, body any) (int, string) {
	t.Helper()
	send, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(string(send)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if !b.token.IsZero() {
		req.Header.Set("Authorization", "token "+b.token.Reveal())
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(got)
}

// ini returns the values of app.ini that grep finds, as they are written there.
func (b giteaBench) ini(t *testing.T, key string) string {
	t.Helper()
	return b.look(t, "sudo sed -n 's/^"+key+" *= *//p' /opt/stacks/gitea/config/app.ini")
}

func testGitea(t *testing.T, on bench, current, next, runnerImage string) {
	b := giteaBench{bench: on, url: "http://" + on.address + ":3000/"}
	sink := lab.SecretDir{Path: filepath.Join(t.TempDir(), "keys")}
	keyring := &lab.Keyring{Sink: sink}
	keys, err := stack.NewGiteaKeys(t.Context(), keyring)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := keyring.Plan(nil)
	if err == nil {
		_, err = kept.Apply(t.Context(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	token := lab.NewSecret("registers-4711-hidden-0123456789abcdef")
	password := lab.NewSecret("gitea-0815-hidden")
	super := lab.NewSecret("su-4711-hidden")
	pg, err := b.postgres(super, stack.Database{Name: "gitea", Password: password}).Stack()
	if err != nil {
		t.Fatal(err)
	}
	config := stack.Gitea{Image: current, Lock: b.lock, RootURL: b.url, ListenHTTP: b.address + ":3000",
		ListenSSH: b.address + ":2222", Keys: keys, Database: stack.GiteaDatabase{Password: password},
		Networks: []string{"postgres_default"}, Admin: "root", AdminEmail: "root@example.test", RunnerToken: token,
		Timeout: patience,
		Settings: map[string]string{"DEFAULT.APP_NAME": "The lab", "ui.meta.DESCRIPTION": "a#b;c",
			"ui.meta.KEYWORDS": "it's, a `word`", "ui.meta.AUTHOR": `"a" and "b"`,
			"cron.update_checker.ENABLED": "false"}}
	build := func(change func(*stack.Gitea)) compose.Stack {
		t.Helper()
		c := config
		if change != nil {
			change(&c)
		}
		s, err := c.Stack()
		if err != nil {
			t.Fatal(err)
		}
		s.After = []string{pg.ID()}
		return s
	}
	// Everything that is on a command line meanwhile, of the containers too.
	b.look(t, `sudo systemd-run --quiet --unit=watch sh -c 'while :; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr `+
		`"\0" " " >>/srv/arguments; done'`)
	shown := b.apply(t, pg, build(nil))

	t.Run("healthy", func(t *testing.T) {
		if code, got := b.call(t, "GET", "api/healthz", nil); code != 200 ||
			!strings.Contains(got, `"status": "pass"`) {
			t.Errorf("healthz: %d %s", code, got)
		}
		if _, got := b.call(t, "GET", "api/v1/version", nil); !strings.Contains(got, real.GiteaVersion) {
			t.Errorf("version: %s", got)
		}
		if got := b.look(t, "sudo docker inspect --format '{{.State.Health.Status}} {{.Config.User}} "+
			"{{.RestartCount}}' gitea-gitea-1"); got != "healthy 1000:1000 0" {
			t.Errorf("the container: %s", got)
		}
		if got := b.sql(t, "SELECT count(*) > 100 FROM information_schema.tables WHERE table_schema = 'public'"); got != "t" {
			t.Errorf("more than 100 tables: %s", got)
		}
		if got := b.look(t, "exec 3<>/dev/tcp/"+b.address+"/2222 && head -n 1 <&3"); !strings.HasPrefix(got,
			"SSH-2.0-") {
			t.Errorf("SSH: %q", got)
		}
	})
	t.Run("app.ini", func(t *testing.T) {
		for key, want := range map[string]string{"APP_NAME": "The lab", "ROOT_URL": b.url, "DESCRIPTION": "`a#b;c`",
			"KEYWORDS": "\"\"\"it's, a `word`\"\"\"", "AUTHOR": `"a" and "b"`, "DISABLE_REGISTRATION": "true",
			"SECRET_KEY": keys.SecretKey.Reveal(), "INTERNAL_TOKEN": keys.InternalToken.Reveal(), "PASSWD": password.Reveal()} {
			if got := b.ini(t, key); got != want {
				t.Errorf("%s is %q, not %q", key, got, want)
			}
		}
		if got := b.look(t, "sudo sed -n '/^\\[oauth2\\]/,/^\\[/s/^JWT_SECRET *= *//p' "+
			"/opt/stacks/gitea/config/app.ini"); got != keys.JWTSecret.Reveal() {
			t.Errorf("oauth2.JWT_SECRET is %q: Gitea made its own", got)
		}
		if again, err := stack.NewGiteaKeys(t.Context(), &lab.Keyring{Sink: sink}); err != nil ||
			!again.SecretKey.Equal(keys.SecretKey) || !again.InternalToken.Equal(keys.InternalToken) ||
			!again.JWTSecret.Equal(keys.JWTSecret) {
			t.Errorf("the keys were made again: %v", err)
		}
	})
	t.Run("admin", func(t *testing.T) {
		list := b.look(t, "sudo docker exec gitea-gitea-1 gitea admin user list --admin")
		if w := strings.Fields(list); len(w) != 8 || w[5] != "root" || w[6] != "root@example.test" {
			t.Errorf("the administrators:\n%s", list)
		}
		b.apply(t, pg, build(nil))
		if got := b.sql(t, `SELECT count(*) || ' ' || bool_or(must_change_password) FROM "user"`); got != "1 false" {
			t.Errorf("users, must change password: %s", got)
		}
		b.token = lab.NewSecret(b.look(t,
			"sudo docker exec gitea-gitea-1 gitea admin user generate-access-token --username root --token-name lab --scopes all --raw"))
		if code, got := b.call(t, "GET", "api/v1/user", nil); code != 200 || !strings.Contains(got, `"is_admin":true`) {
			t.Errorf("with the token: %d %s", code, got)
		}
	})
	id := func() string { return b.look(t, "sudo docker inspect --format '{{.Id}}' gitea-gitea-1") }
	t.Run("a setting changes", func(t *testing.T) {
		before := id()
		other := func(g *stack.Gitea) {
			g.Settings = map[string]string{"DEFAULT.APP_NAME": "Another lab", "service.REQUIRE_SIGNIN_VIEW": "true"}
		}
		text := b.apply(t, pg, build(other))
		for _, want := range []string{"replace", "its definition differs",
			"no longer set: cron.update_checker.ENABLED, ui.meta.AUTHOR"} {
			if !strings.Contains(text, want) {
				t.Errorf("nothing of %q in the plan:\n%s", want, text)
			}
		}
		if got := b.ini(t, "APP_NAME") + b.ini(t, "DESCRIPTION") + b.ini(t,
			"REQUIRE_SIGNIN_VIEW"); got != "Another labtrue" || id() == before {
			t.Errorf("app.ini: %q", got)
		}
		if code, _ := (giteaBench{bench: b.bench, url: b.url}).call(t, "GET", "api/v1/repos/search",
			nil); code != http.StatusForbidden && code != http.StatusUnauthorized {
			t.Errorf("without signing in: %d", code)
		}
		b.look(t, "sudo sed -i 's/^REQUIRE_SIGNIN_VIEW.*/REQUIRE_SIGNIN_VIEW = false/' /opt/stacks/gitea/config/app.ini")
		if text := b.apply(t, pg, build(other)); !strings.Contains(text,
			"changed in app.ini: service.REQUIRE_SIGNIN_VIEW") {
			t.Errorf("changed by hand:\n%s", text)
		}
		other(&config)
	})
	t.Run("lost", func(t *testing.T) {
		b.look(t, "sudo docker rm -f gitea-gitea-1")
		b.apply(t, pg, build(nil))
		if code, _ := b.call(t, "GET", "api/v1/user", nil); code != 200 {
			t.Errorf("the token is of no use any more: %d", code)
		}
	})
	t.Run("versions", func(t *testing.T) {
		newer := func(g *stack.Gitea) { g.Image = next }
		if text := b.apply(t, pg, build(newer)); !strings.Contains(text, "replace") {
			t.Errorf("the plan:\n%s", text)
		}
		if _, err := b.machine.Plan(t.Context(), host.State{pg, build(nil)}); !errors.Is(err, lab.ErrRefused) ||
			len(lab.Hints(err)) == 0 {
			t.Errorf("an older version: %v", err)
		}
		config.Image = next
	})
	t.Run("runner", func(t *testing.T) { testRunner(t, b, runnerImage, token) })
	t.Run("no secret shows", func(t *testing.T) {
		b.look(t, "sudo systemctl stop watch")
		shown += b.look(t, "sudo docker inspect $(sudo docker ps -aq); sudo docker image inspect $(sudo docker "+
			"image ls -q); for i in $(sudo docker ps -aq); do sudo docker logs $i 2>&1; done; ps -ef; sudo cat "+
			"/opt/stacks/*/compose.yaml; sudo cat /proc/[0-9]*/environ | tr '\\0' '\\n'")
		arguments := b.look(t, "sudo grep -aoE 'gitea(-runner)? (admin user create|register)[^/]*' /srv/arguments | sort -u | head -n 20")
		if !strings.Contains(arguments, "admin user create") || !strings.Contains(arguments, "register") {
			t.Errorf("the watch saw nothing of what it looks for:\n%s", arguments)
		}
		for name, secret := range map[string]lab.Secret{"password": password, "superuser": super, "runner token": token,
			"API token": b.token, "secret key": keys.SecretKey, "internal token": keys.InternalToken,
			"JWT secret": keys.JWTSecret} {
			if strings.Contains(shown, secret.Reveal()) {
				t.Errorf("the %s shows", name)
			}
			if n := b.look(t, "sudo grep -acF -- '"+secret.Reveal()+"' /srv/arguments || :"); n != "0" {
				t.Errorf("the %s was on a command line %s times", name, n)
			}
		}
	})
}

func testRunner(t *testing.T, b giteaBench, image string, token lab.Secret) {
	config := stack.ActRunner{Image: image, Lock: b.lock, Instance: b.url, Runner: "pi1", Token: token,
		Labels: []string{"host:host"}, Timeout: patience,
		Socket: true, CA: "of the lab\n"}
	apply := func() string {
		t.Helper()
		s, err := config.Stack()
		if err != nil {
			t.Fatal(err)
		}
		return b.apply(t, s)
	}
	type runner struct {
		ID           int
		Name, Status string
		Labels       []struct{ Name string }
	}
	list := func() (out []runner) {
		t.Helper()
		var got struct{ Runners []runner }
		if code, text := b.call(t, "GET", "api/v1/admin/actions/runners", nil); code != 200 ||
			json.Unmarshal([]byte(text), &got) != nil {
			t.Fatalf("runners: %d %s", code, text)
		}
		return got.Runners
	}
	one := func() runner {
		t.Helper()
		got := list()
		if len(got) != 1 || got[0].Name != "pi1" {
			t.Fatalf("the runners: %+v", got)
		}
		return got[0]
	}
	if got := b.look(t, "sudo docker exec gitea-gitea-1 gitea actions generate-runner-token"); got != token.Reveal() {
		t.Error("Gitea's command line gives another token")
	}
	apply()
	first := one()
	apply()
	if got := b.look(t, `sudo sed -n 's/.*"id": *\([0-9]*\).*/\1/p' `+
		`/opt/stacks/runner/data/.runner`); got != fmt.Sprint(first.ID) || one().ID != first.ID {
		t.Errorf("registered as %s, and the server has %+v", got, one())
	}
	config.Labels = append(config.Labels, "apply:docker://"+image)
	apply()
	// A runner is healthy when it is registered, and tells its labels once it has started.
	told := func(context.Context) (bool, error) { return len(one().Labels) == 2, nil }
	if err := lab.Wait(t.Context(), lab.Poll{What: "the runner to tell its labels", Timeout: patience},
		told); err != nil {
		t.Errorf("other labels: %v: %+v", err, one())
	}
	if now := one(); now.ID != first.ID {
		t.Errorf("other labels: %+v", now)
	}
	config.Instance = strings.TrimSuffix(b.url, "/")
	apply()
	b.look(t, `for n in $(seq 300); do sudo grep -qF `+
		`'"address": "`+config.Instance+`"' /opt/stacks/runner/data/.runner && exit 0; sleep 0.5; done; echo 'it `+
		`keeps another address'; exit 1`)
	if now := one(); now.ID != first.ID {
		t.Errorf("another address: %+v", now)
	}
	t.Run("job", func(t *testing.T) {
		const workflow = `on: push
jobs:
  here: {runs-on: host, steps: [{run: test -s /data/.runner}]}
  apart: {runs-on: apply, steps: [{run: test ! -e /data/.runner && test ! -e /var/run/docker.sock && grep -q 'of the lab' /etc/ssl/certs/lab-ca.crt}]}
`
		for _, c := range []struct {
			path string
			body any
		}{
			{"api/v1/user/repos", map[string]any{"name": "canary", "auto_init": true}},
			{"api/v1/repos/root/canary/contents/.gitea/workflows/canary.yaml",
				map[string]string{"content": base64.StdEncoding.EncodeToString([]byte(workflow))}},
		} {
			if code, got := b.call(t, "POST", c.path, c.body); code != http.StatusCreated {
				t.Fatalf("%s: %d %s", c.path, code, got)
			}
		}
		// 1 is success, 2 to 4 are failures (models/actions/status.go)
		b.look(t, `for n in $(seq 600); do
case $(sudo docker exec -u postgres postgres-postgres-1 psql -U postgres -d gitea -Atc 'SELECT status FROM action_run') in
1) exit 0;;
[234]) sudo docker logs --tail 20 runner-runner-1; exit 1;;
esac
sleep 0.5; done; echo 'the job has not ended'; exit 1`)
	})
	forget := func(id int) {
		t.Helper()
		if code, got := b.call(t, "DELETE", fmt.Sprintf("api/v1/admin/actions/runners/%d", id),
			nil); code != http.StatusNoContent {
			t.Fatalf("delete: %d %s", code, got)
		}
	}
	said := func() {
		t.Helper()
		b.look(t, `for n in $(seq 300); do sudo docker logs --since 30s runner-runner-1 2>&1 | grep -q `+
			`'unregistered runner' && exit 0; sleep 0.5; done; exit 1`)
	}
	forget(first.ID)
	said()
	if text := apply(); !strings.Contains(text, "the server does not know it any more") {
		t.Errorf("the plan:\n%s", text)
	}
	second := one()
	if second.ID == first.ID {
		t.Errorf("still %+v", second)
	}
	forget(second.ID)
	b.look(t, "sudo docker restart runner-runner-1")
	said()
	apply()
	if third := one(); third.ID == second.ID {
		t.Errorf("still %+v", third)
	}
}
