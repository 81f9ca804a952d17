package compose_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/compose/composetest"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// subject is a machine with a docker.
type subject struct {
	machine *host.Machine
	lock    compose.Lock
	look    func(t testing.TB, script string) string // runs a script as root, without our code
	fake    *composetest.Docker                      // nil when the docker is real
	box     *hosttest.Machine                        // the machine of the fake
	docker  *real.DockerEngine                       // nil when the docker is not
}

// listen makes it look as if something listened on a port of the fake machine, or nothing any more.
func (s subject) listen(port int, yes bool) {
	if yes {
		s.box.Listen(port, func(c net.Conn) { c.Close() })
	} else {
		s.box.Listen(port, nil)
	}
}

func newFake(t testing.TB, c composetest.Config) (subject, *hosttest.Machine) {
	t.Helper()
	var slept atomic.Int64 // who sleeps on the machine moves its clock, and waits for nothing
	box := hosttest.New(t, hosttest.Config{Sleep: func(_ <-chan struct{}, d time.Duration) { slept.Add(int64(d)) },
		Now: func() time.Time { return time.Now().Add(time.Duration(slept.Load())) }})
	c.Images = append(c.Images, composetest.Image{Name: "busybox:1.36", Imported: true})
	d := composetest.Install(box, c)
	m := &host.Machine{Target: ssh.Target{Name: "pi1", Address: box.Addr(), User: box.User(),
		Auth:     ssh.Auth{Signers: []cryptossh.Signer{box.ClientKey()}},
		HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(box.HostKey()))}}}}
	t.Cleanup(func() { m.Close() })
	return subject{machine: m, lock: d.Lock("busybox:1.36"), fake: d, box: box,
		look: func(t testing.TB, script string) string {
			t.Helper()
			out, err := box.Exec(script)
			if err != nil {
				t.Fatal(err)
			}
			return strings.TrimSpace(out)
		}}, box
}

func TestConformanceFake(t *testing.T) {
	conformance(t, func(t *testing.T) subject {
		s, _ := newFake(t, composetest.Config{})
		return s
	})
}

func TestConformanceReal(t *testing.T) {
	const engines = 2 // most of a deployment is waiting
	pool := make(chan subject, engines)
	for range engines {
		pool <- newReal(t)
	}
	fresh := func(t *testing.T) subject {
		t.Helper()
		t.Parallel()
		s := <-pool
		t.Cleanup(func() { pool <- s })
		s.look(t, emptyEngine)
		return s
	}
	conformance(t, fresh)
	exclusives(t, fresh)
	keeping(t, fresh)
	registries(t, fresh)
}

// emptyEngine removes what another test left. An engine that is busy may not see a container end in time, and then does
// not remove it.
const emptyEngine = `set -e
while ids=$(docker ps -aq); [ -n "$ids" ]; do docker rm -f $ids || sleep 1; done
docker network prune -f
volumes=$(docker volume ls -q)
[ -z "$volumes" ] || docker volume rm $volumes
rm -rf /opt/stacks`

func newReal(t *testing.T) subject {
	t.Helper()
	d := real.Docker(t)
	d.ImportBusybox(t, "busybox:1.36")
	m := &host.Machine{Target: ssh.Target{Name: "pi1", Address: d.Addr, User: d.User, ConnectTimeout: time.Minute,
		Auth:     ssh.Auth{Signers: []cryptossh.Signer{d.Key}},
		HostKeys: ssh.HostKeys{KnownHosts: []string{writeFile(t, t.TempDir(), "known_hosts", d.KnownHosts()+"\n")}},
		Boundary: &lab.Boundary{Name: "test", Allow: []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr(d.Host), 32)}}}}
	t.Cleanup(func() { m.Close() })
	lock, err := compose.Resolve(t.Context(), m, []string{"busybox:1.36"})
	if err != nil {
		t.Fatal(err)
	}
	return subject{machine: m, lock: lock, docker: d, look: func(t testing.TB, script string) string {
		t.Helper()
		out, err := d.Run(context.WithoutCancel(t.Context()), "sudo sh -c "+ssh.Quote(script))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}}
}

func writeFile(t testing.TB, dir, name, content string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

const secret = "s3cret-4711-value"

// shop is a stack with all that a stack can have: a service with a health check, a secret, a mounted folder and a
// volume, one that ends, one that needs both.
const shop = `
services:
  db:
    image: busybox:1.36
    command: ["sh", "-c", "cat /etc/shop/a.conf /run/secrets/pw; echo; exec sleep 100000"]
    volumes: ["./conf:/etc/shop:ro", "data:/data"]
    secrets: [pw]
    init: true
    restart: unless-stopped
    healthcheck: {test: ["CMD", "test", "-e", "/etc/shop/a.conf"], interval: 1s}
  migrate:
    image: busybox:1.36
    command: ["true"]
    depends_on: {db: {condition: service_healthy}}
  web:
    image: busybox:1.36
    command: ["sleep", "100000"]
    init: true
    environment: {GREETING: "${GREETING}"}
    restart: unless-stopped
    depends_on: {migrate: {condition: service_completed_successfully}}
secrets: {pw: {file: ./pw.txt}}
volumes: {data: {}}
`

// folder is a stack's folder here.
type folder struct{ dir string }

func newShop(t testing.TB) folder {
	t.Helper()
	f := folder{filepath.Join(t.TempDir(), "shop")}
	writeFile(t, f.dir, "compose.yaml", shop)
	writeFile(t, f.dir, "conf/a.conf", "one\n")
	writeFile(t, f.dir, "pw.txt", secret)
	return f
}

func (f folder) replace(t testing.TB, old, with string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(f.dir, "compose.yaml"))
	if err != nil || !strings.Contains(string(b), old) {
		t.Fatalf("%q is not there: %v", old, err)
	}
	writeFile(t, f.dir, "compose.yaml", strings.Replace(string(b), old, with, 1))
}

func (s subject) load(t testing.TB, f folder) compose.Stack {
	t.Helper()
	stack, err := compose.Load(t.Context(),
		compose.Source{Dir: f.dir, Lock: s.lock, Variables: map[string]string{"GREETING": "it's $5"}})
	if err != nil {
		t.Fatal(err)
	}
	stack.Timeout = patience
	return stack
}

// patience is how long what should get healthy may take: on a busy machine, it takes minutes.
const patience = 5 * time.Minute

// content loads a stack of one compose.yaml and nothing beside it.
func (s subject) content(t testing.TB, name, content string) compose.Stack {
	t.Helper()
	stack, err := compose.Load(t.Context(), compose.Source{Name: name, Content: []byte(content), Lock: s.lock})
	if err != nil {
		t.Fatal(err)
	}
	stack.Timeout = patience
	return stack
}

func (s subject) plan(t testing.TB, want ...host.Resource) *lab.Plan {
	t.Helper()
	p, err := s.machine.Plan(t.Context(), host.State(want))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// apply makes it so, and returns the plan's text. It fails the test when not all was done, or when the next plan is not
// empty.
func (s subject) apply(t testing.TB, want ...host.Resource) string {
	t.Helper()
	p := s.plan(t, want...)
	if _, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%s", err, p)
	}
	if again := s.plan(t, want...); !again.Empty() {
		t.Fatalf("the second plan:\n%s", again)
	}
	return p.String()
}

// world is the machine with a stack that it is to have, for the laws.
func (s subject) world(tb testing.TB, f folder) lawtest.World {
	tb.Helper()
	want := host.State{s.load(tb, f), compose.Absent{Name: "gone"}}
	w := lawtest.World{
		Plan:       func(ctx context.Context) (*lab.Plan, error) { return s.machine.Plan(ctx, want) },
		RoundTrips: func() int64 { return s.machine.Counters().Execs },
		Cost:       1,
		RunsOn:     true,
		Drift: func(tb testing.TB) {
			tb.Helper()
			s.look(tb,
				"docker stop $(docker ps -q --no-trunc --filter label=com.docker.compose.project=shop --filter "+
					"label=com.docker.compose.service=web)")
		},
		Foreign: func(tb testing.TB) func() string {
			tb.Helper()
			s.apply(tb,
				s.content(tb, "other",
					"services: {web: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, restart: always}}"))
			return func() string {
				tb.Helper()
				return s.look(tb,
					"docker inspect --type container --format '{{json .}}' $(docker ps -q --no-trunc --filter "+
						"label=com.docker.compose.project=other)")
			}
		},
		Secrets: []lab.Secret{lab.NewSecret(secret)},
		Texts: func(tb testing.TB) []string {
			tb.Helper()
			return []string{s.look(tb,
				"docker inspect --type container --format '{{json .}}' $(docker ps -aq --no-trunc); "+
					"cat /opt/stacks/shop/compose.yaml")}
		},
		Within: func(ctx context.Context, b *lab.Boundary) error {
			m := &host.Machine{Target: s.machine.Target}
			m.Target.Boundary = b
			defer m.Close()
			_, err := m.Plan(ctx, want)
			return err
		},
		Again: func(tb testing.TB) lawtest.World {
			tb.Helper()
			writeFile(tb, f.dir, "conf/a.conf", fmt.Sprintf("%d\n", time.Now().UnixNano()))
			return s.world(tb, f)
		},
	}
	if s.fake != nil {
		w.Writes = func(testing.TB) int64 { return s.box.Counters().Writes + s.fake.Counters().Changes }
	} else {
		w.Every = 2
	}
	return w
}

// changes returns what a plan does to containers, "replace db".
func changes(p *lab.Plan) (out []string) {
	for _, c := range p.Changes() {
		if _, name, ok := strings.Cut(c.ID, "/service:"); ok {
			out = append(out, string(c.Action)+" "+name)
		}
	}
	return out
}

func conformance(t *testing.T, fresh func(*testing.T) subject) {
	t.Run("laws", func(t *testing.T) {
		lawtest.Laws(t, func(t *testing.T) lawtest.World { return fresh(t).world(t, newShop(t)) })
	})
	t.Run("converges", func(t *testing.T) {
		s, f := fresh(t), newShop(t)
		s.apply(t, s.load(t, f))
		text, err := compose.Logs(t.Context(), s.machine, "shop", "/opt/stacks/shop", 10)
		if err != nil || strings.Contains(text, secret) || !strings.Contains(text, "== shop-db-1") ||
			s.fake == nil && !strings.Contains(text, "one\n(secret)") {
			t.Errorf("the logs: %v\n%s", err, text)
		}
		got := s.look(t,
			"docker ps -a --no-trunc --filter label=com.docker.compose.project=shop --format '{{.Names}}' | sort | "+
				"tr '\\n' ' '")
		if got != "shop-db-1 shop-migrate-1 shop-web-1" {
			t.Errorf("containers: %s", got)
		}
		if got := s.look(t,
			"stat -c '%a %U' /opt/stacks/shop /opt/stacks/shop/secrets/pw | tr '\\n' ' '"); got != "750 root 600 root" {
			t.Errorf("modes: %s", got)
		}
	})
	t.Run("values as they are written", func(t *testing.T) {
		s := fresh(t)
		values := []string{"010", "0o10", "0x1F", "0b1", "1_000", "1e3", ".5", ".inf", "~", "null", "yes", "on", "y",
			"12:30:45", "2001-01-01", "=", "<<", "+1", "-", "- a", "a: b", "# c", "'", `"`, "`", "\t", "é",
			" lead", "trail ", "two\nlines\n", "\n", `a\b`, "$", "$$x", "${X}", "%s", "{a}", "[a]", "!tag", "&a", "*a",
			"|", ">", "@",
			strings.Repeat("long word ", 20), "{{.ID}}", "\u2028", "\x7f"}
		environment := map[string]string{}
		for i, v := range values {
			environment[fmt.Sprintf("V%d", i)] = strings.ReplaceAll(v, "$", "$$")
		}
		text, err := json.Marshal(map[string]any{"services": map[string]any{"a": map[string]any{"image": "busybox:1.36",
			"command": []string{"sleep", "100000"}, "init": true, "restart": "always", "environment": environment}}})
		if err != nil {
			t.Fatal(err)
		}
		s.apply(t, s.content(t, "values", string(text)))
		got := map[string]string{}
		if s.fake != nil {
			got = s.fake.Containers()[0].Env
		} else {
			var list []string
			if err := json.Unmarshal([]byte(s.look(t, "docker inspect --format '{{json .Config.Env}}' values-a-1")),
				&list); err != nil {
				t.Fatal(err)
			}
			for _, v := range list {
				name, value, _ := strings.Cut(v, "=")
				got[name] = value
			}
		}
		for i, v := range values {
			if name := fmt.Sprintf("V%d", i); got[name] != v {
				t.Errorf("%q is %q in the container", v, got[name])
			}
		}
	})
	t.Run("many stacks, one exec", func(t *testing.T) {
		s := fresh(t)
		n := 10
		if s.fake == nil {
			n = 3
		}
		var want []host.Resource
		for i := range n {
			st, err := compose.Load(t.Context(), compose.Source{Name: fmt.Sprintf("s%d", i), Lock: s.lock,
				Content: []byte("services: {a: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, restart: always}}")})
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, st)
		}
		s.apply(t, want...)
		before := s.machine.Counters().Execs
		s.plan(t, want...)
		if n := s.machine.Counters().Execs - before; n != 1 {
			t.Errorf("%d execs", n)
		}
	})
	t.Run("content of a file", func(t *testing.T) {
		s, f := fresh(t), newShop(t)
		s.apply(t, s.load(t, f))
		writeFile(t, f.dir, "conf/a.conf", "two\n")
		p := s.plan(t, s.load(t, f))
		if got := changes(p); !slices.Equal(got, []string{"replace db"}) ||
			!strings.Contains(p.String(), "the content of conf/a.conf differs") {
			t.Errorf("a file: %v\n%s", got, p)
		}
		s.apply(t, s.load(t, f))
		writeFile(t, f.dir, "pw.txt", "another-"+secret)
		p = s.plan(t, s.load(t, f))
		if got := changes(p); !slices.Equal(got, []string{"replace db"}) || strings.Contains(p.String(), secret) {
			t.Errorf("a secret: %v\n%s", got, p)
		}
		s.apply(t, s.load(t, f))
	})
	t.Run("definition, new and old services", func(t *testing.T) {
		s, f := fresh(t), newShop(t)
		s.apply(t, s.load(t, f))
		f.replace(t, "  web:\n", "  www:\n")
		f.replace(t, "interval: 1s", "interval: 2s")
		p := s.plan(t, s.load(t, f))
		if got := changes(p); !slices.Equal(got, []string{"delete web", "replace db", "create www"}) {
			t.Errorf("%v\n%s", got, p)
		}
		if !strings.Contains(p.String(), "-    interval: 1s") {
			t.Errorf("no diff:\n%s", p)
		}
		s.apply(t, s.load(t, f))
	})
	t.Run("network", func(t *testing.T) {
		s, f := fresh(t), newShop(t)
		s.apply(t, s.load(t, f))
		f.replace(t, "volumes: {data: {}}", "volumes: {data: {}}\nnetworks: {default: {internal: true}}")
		if got := changes(s.plan(t, s.load(t, f))); !slices.Equal(got,
			[]string{"replace db", "replace migrate", "replace web"}) {
			t.Errorf("%v", got)
		}
		s.apply(t, s.load(t, f))
	})
	t.Run("a container that ended", func(t *testing.T) {
		s, f := fresh(t), newShop(t)
		stack := s.load(t, f)
		s.apply(t, stack)
		s.look(t, "docker stop $(docker ps -q --no-trunc --filter label=com.docker.compose.service=db)")
		if got := changes(s.plan(t, stack)); !slices.Equal(got, []string{"run db"}) {
			t.Errorf("%v", got)
		}
		s.apply(t, stack)
		s.look(t,
			"id=$(docker ps -aq --no-trunc --filter label=com.docker.compose.service=web); docker stop $id; "+
				"docker rm $id")
		if got := changes(s.plan(t, stack)); !slices.Equal(got, []string{"create web"}) {
			t.Errorf("%v", got)
		}
		s.apply(t, stack)
	})
	t.Run("a recreation that was cut off", func(t *testing.T) {
		s, f := fresh(t), newShop(t)
		if s.fake != nil {
			return // TestPowerCuts cuts the fake off between these steps
		}
		stack := s.load(t, f)
		s.apply(t, stack)
		s.look(t,
			"docker create --name 0123456789ab_shop-web-1 --label com.docker.compose.project=shop --label "+
				"com.docker.compose.service=web --label com.docker.compose.oneoff=False --label "+
				"com.docker.compose.container-number=1 --label com.docker.compose.project.working_dir=/opt/stacks/shop "+
				"--label com.docker.compose.config-hash=x busybox:1.36 true")
		if got := changes(s.plan(t, stack)); !slices.Equal(got, []string{"replace web"}) {
			t.Errorf("%v", got)
		}
		s.apply(t, stack)
		if got := s.look(t, "docker ps -aq --filter label=com.docker.compose.service=web | wc -l"); got != "1" {
			t.Errorf("%s containers", got)
		}
	})
	t.Run("restarted with what it depends on", func(t *testing.T) {
		s := fresh(t)
		load := func(value string) compose.Stack {
			t.Helper()
			st, err := compose.Load(t.Context(), compose.Source{Name: "pair", Lock: s.lock,
				Variables: map[string]string{"V": value}, Content: []byte(`
services:
  a: {image: "busybox:1.36", command: [sleep, "100000"], init: true, restart: always, environment: {V: "${V}"}}
  b: {image: "busybox:1.36", command: [sleep, "100000"], init: true, restart: always,
    depends_on: {a: {condition: service_started, restart: true}}}
  c: {image: "busybox:1.36", command: [sleep, "100000"], init: true, restart: always, network_mode: "service:a"}
`)})
			if err != nil {
				t.Fatal(err)
			}
			return st
		}
		s.apply(t, load("1"))
		p := s.plan(t, load("2"))
		if got := changes(p); !slices.Equal(got, []string{"replace a", "run b", "replace c"}) {
			t.Errorf("%v\n%s", got, p)
		}
		s.apply(t, load("2"))
	})
	t.Run("rolled back", func(t *testing.T) {
		s, f := fresh(t), newShop(t)
		writeFile(t, f.dir, "conf/gone.conf", "gone\n")
		old := s.load(t, f)
		s.apply(t, old)
		writeFile(t, f.dir, "conf/a.conf", "bad\n")
		writeFile(t, f.dir, "conf/new.conf", "bad too\n")
		if err := os.Remove(filepath.Join(f.dir, "conf/gone.conf")); err != nil {
			t.Fatal(err)
		}
		f.replace(t, `"/etc/shop/a.conf"]`, `"/etc/shop/b.conf"]`)
		f.replace(t, "interval: 1s", "interval: 1s, retries: 2")
		stack := s.load(t, f)
		if s.fake != nil {
			s.fake.Fail("db",
				func(c *composetest.Container) bool { b, _ := c.File("/etc/shop/a.conf"); return string(b) == "bad\n" })
		}
		r, err := s.plan(t, stack).Apply(t.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), "service db is unhealthy") ||
			!strings.Contains(err.Error(), "rolled back: the former stack runs") ||
			strings.Contains(err.Error(), secret) {
			t.Errorf("got %v", err)
		}
		for _, res := range r.Results {
			want := lab.StatusRolledBack // the files, and the services that were made anew before
			switch {
			case strings.HasSuffix(res.ID, "/service:db"):
				want = lab.StatusFailed
			case res.Status == lab.StatusSkipped:
				continue
			}
			if res.Status != want {
				t.Errorf("%s is %s, want %s", res.ID, res.Status, want)
			}
		}
		if n := r.Count(lab.StatusRolledBack); n < 2 {
			t.Errorf("%d changes were rolled back, the files at least are:\n%s", n, r)
		}
		if p := s.plan(t, old); !p.Empty() {
			t.Errorf("the former stack is not there:\n%s", p)
		}
		if got := s.look(t, "cat /opt/stacks/shop/conf/a.conf; ls /opt/stacks/shop/conf"); got != "one\na.conf\ngone.conf" {
			t.Errorf("its files are %q", got)
		}
		changed := stack
		changed.Format = "shop 2"
		if _, err := s.plan(t, changed).Apply(t.Context(), nil); err == nil ||
			!strings.Contains(err.Error(), "not rolled back") {
			t.Errorf("across a data format: %v", err)
		}
		s.apply(t, old)
	})
	t.Run("refused", func(t *testing.T) {
		s, f := fresh(t), newShop(t)
		s.apply(t, s.load(t, f))
		refused := func(why, hint string, stack compose.Stack) {
			t.Helper()
			_, err := s.machine.Plan(t.Context(), host.State{stack})
			if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), why) ||
				!strings.Contains(strings.Join(lab.Hints(err), "\n"), hint) {
				t.Errorf("got %v", err)
			}
		}
		other, err := compose.Load(t.Context(),
			compose.Source{Dir: f.dir, Lock: s.lock, Target: "/srv/shop", Variables: map[string]string{"GREETING": ""}})
		if err != nil {
			t.Fatal(err)
		}
		refused("the project shop is that of /opt/stacks/shop", "rename the stack", other)
		renamed, err := compose.Load(t.Context(),
			compose.Source{Name: "shop2", Target: "/opt/stacks/shop", Dir: f.dir, Lock: s.lock,
				Variables: map[string]string{"GREETING": ""}})
		if err != nil {
			t.Fatal(err)
		}
		refused("the directory is that of the project shop", "docker compose -p shop down", renamed)
		f.replace(t, "volumes: {data: {}}", "volumes: {data: {driver_opts: {type: tmpfs, device: tmpfs, o: size=1m}}}")
		refused("the volume shop_data was made with another driver or other options", "of another name", s.load(t, f))
		if s.fake != nil {
			return // TestRefuses is the rest
		}
		const plugin = "/usr/local/lib/docker/cli-plugins/docker-compose"
		s.look(t,
			"mv "+plugin+" /opt/plugin; printf '#!/bin/sh\\necho docker-compose version 1.29.2\\n' "+
				">/usr/local/bin/docker-compose; chmod 755 /usr/local/bin/docker-compose")
		t.Cleanup(func() { s.look(t, "rm /usr/local/bin/docker-compose; mv /opt/plugin "+plugin) })
		refused("version 1 only", plugin, s.load(t, newShop(t)))
	})
	t.Run("what is not ours stays", func(t *testing.T) {
		s, f := fresh(t), newShop(t)
		s.apply(t,
			s.content(t, "other",
				"services: {web: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, restart: always}}"))
		const other = "docker ps -q --no-trunc --filter label=com.docker.compose.project=other"
		id := s.look(t, other)
		s.apply(t, s.load(t, f))
		f.replace(t, "  web:\n", "  www:\n")
		if text := s.apply(t, s.load(t, f)); !strings.Contains(text, "delete  compose:shop/service:web") {
			t.Errorf("the plan:\n%s", text)
		}
		s.apply(t, compose.Absent{Name: "shop"})
		if got := s.look(t, other); got != id || id == "" {
			t.Errorf("its container was %q, is %q", id, got)
		}
	})
	t.Run("replicas", func(t *testing.T) {
		s := fresh(t)
		load := func(n, other string) compose.Stack {
			t.Helper()
			return s.content(t, "many",
				"services: {a: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, restart: always, "+n+
					", environment: {OTHER: '"+other+"'}}}")
		}
		ids := func() []string {
			t.Helper()
			return strings.Fields(s.look(t, "docker ps -q --no-trunc --filter label=com.docker.compose.project=many"))
		}
		step := func(n, other, want string, count int) {
			t.Helper()
			if text := s.apply(t, load(n, other)); !strings.Contains(text, want) {
				t.Errorf("%s, no %q:\n%s", n, want, text)
			}
			if got := ids(); len(got) != count {
				t.Errorf("%s: %d containers", n, len(got))
			}
		}
		step("deploy: {replicas: 2}", "1", "create  compose:many/service:a", 2)
		two := ids()
		step("deploy: {replicas: 3}", "1", "2 of 3 are there", 3)
		for _, id := range two {
			if !slices.Contains(ids(), id) {
				t.Error("a container was made anew for one more beside it")
			}
		}
		step("deploy: {replicas: 1}", "1", "3 of 1 are there", 1)
		step("scale: 2", "2", "replace compose:many/service:a", 2)
		s.look(t, "docker stop "+ids()[0])
		step("scale: 2", "2", "run     compose:many/service:a", 2)
		step("scale: 0", "2", "is to have no container", 0)
	})
	t.Run("a job that others wait for", func(t *testing.T) {
		s := fresh(t)
		stack := s.content(t, "jobs", `
services:
  app: {image: "busybox:1.36", command: [sh, -c, "test -e /data/done && exec sleep 100000"], init: true,
    volumes: ["data:/data"], healthcheck: {test: ["CMD", "test", "-e", "/data/done"], interval: 1s},
    depends_on: {job: {condition: service_completed_successfully}}}
  job: {image: "busybox:1.36", command: [sh, -c, "sleep 4; touch /data/done"], init: true, volumes: ["data:/data"]}
volumes: {data: {}}`)
		if s.fake == nil {
			s.apply(t, stack)
			return
		}
		s.fake.Exit("job", -1) // until it is killed
		stack.Timeout = time.Second
		if _, err := s.plan(t, stack).Apply(t.Context(), nil); err == nil ||
			!strings.Contains(err.Error(), "service job is not healthy after 1 s: it has not ended") {
			t.Errorf("got %v", err)
		}
		if p := s.plan(t, stack); !slices.Equal(changes(p), []string{"run job", "create app"}) ||
			!strings.Contains(p.String(), "has not ended") {
			t.Errorf("the plan:\n%s", p)
		}
		s.fake.Kill("job", 0)
		if text := s.apply(t, stack); strings.Contains(text, "service:job") {
			t.Errorf("the plan:\n%s", text)
		}
	})
	t.Run("a job that fails", func(t *testing.T) {
		s := fresh(t)
		load := func(script string) compose.Stack {
			t.Helper()
			return s.content(t, "jobs", `
services:
  app: {image: "busybox:1.36", command: [sleep, "100000"], init: true, restart: always,
    depends_on: {job: {condition: service_completed_successfully}}}
  job: {image: "busybox:1.36", command: [sh, -c, "`+script+`"]}`)
		}
		if s.fake != nil {
			s.fake.Exit("job", 1)
		}
		_, err := s.plan(t, load("echo no table; exit 1")).Apply(t.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), "service job has ended with status 1") ||
			s.fake == nil && !strings.Contains(err.Error(), "no table") {
			t.Errorf("got %v", err)
		}
		if got := s.look(t, "docker ps -aq --filter label=com.docker.compose.service=app"); got != "" {
			t.Error("what waits for it was begun")
		}
		if s.fake != nil {
			s.fake.Exit("job", 0)
		}
		s.apply(t, load("exit 0"))
	})
	t.Run("restart loop", func(t *testing.T) {
		s := fresh(t)
		// Between two polls it is started at least once: it never runs through two of them.
		stack := s.content(t, "loop",
			`services: {a: {image: "busybox:1.36", command: [sh, -c, "echo no table; sleep 0.5; exit 1"], `+
				`init: true, restart: always}}`)
		if s.fake != nil {
			s.fake.Exit("a", 1)
		}
		_, err := s.plan(t, stack).Apply(t.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), "service a is in a restart loop") ||
			s.fake == nil && !strings.Contains(err.Error(), "no table") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("runs for a while and ends", func(t *testing.T) {
		s := fresh(t)
		for _, policy := range []string{"always", "'no'"} {
			stack := s.content(t, "loop",
				`services: {a: {image: "busybox:1.36", command: [sh, -c, "echo no table; sleep 2; exit 1"], `+
					`init: true, restart: `+policy+`}}`)
			if s.fake != nil {
				s.fake.Crash("a", 3)
			}
			_, err := s.plan(t, stack).Apply(t.Context(), nil)
			if err == nil || !strings.Contains(err.Error(), "service a is in a restart loop") &&
				!strings.Contains(err.Error(), "service a has ended with status 1") ||
				s.fake == nil && !strings.Contains(err.Error(), "no table") {
				t.Errorf("%s: got %v", policy, err)
			}
		}
	})
	t.Run("a file that goes", func(t *testing.T) {
		s, f := fresh(t), newShop(t)
		random := bytes.Repeat([]byte{0, 0xff, '\n', '\'', '$', 0xc3}, 1<<18)
		writeFile(t, f.dir, "conf/some file.bin", string(random))
		writeFile(t, f.dir, "conf/$b.conf", "b\n")
		s.apply(t, s.load(t, f))
		if got := s.look(t,
			"sha256sum <'/opt/stacks/shop/conf/some file.bin'; "+
				"cat '/opt/stacks/shop/conf/$b.conf'"); got != fmt.Sprintf("%x  -\nb", sha256.Sum256(random)) {
			t.Errorf("the files are %s", got)
		}
		if err := os.Remove(filepath.Join(f.dir, "conf/$b.conf")); err != nil {
			t.Fatal(err)
		}
		if text := s.apply(t, s.load(t, f)); !strings.Contains(text,
			"delete  files:shop/conf/$b.conf: is no longer in the stack") ||
			!strings.Contains(text, "replace compose:shop/service:db") {
			t.Errorf("the plan:\n%s", text)
		}
		if got := s.look(t, "ls /opt/stacks/shop/conf"); got != "a.conf\nsome file.bin" {
			t.Errorf("there are %q", got)
		}
	})
	t.Run("a file that the service writes", func(t *testing.T) {
		s, dir := fresh(t), t.TempDir()
		writeFile(t, dir, "compose.yaml",
			`services: {a: {image: "busybox:1.36", command: [sleep, "100000"], init: true, restart: always, `+
				`environment: {N: "${N}"}, volumes: ["./acme.json:/acme.json"]}}`)
		if err := os.Chmod(writeFile(t, dir, "acme.json", ""), 0o600); err != nil {
			t.Fatal(err)
		}
		load := func(n string) compose.Stack {
			t.Helper()
			st, err := compose.Load(t.Context(),
				compose.Source{Name: "own", Dir: dir, Lock: s.lock, Variables: map[string]string{"N": n}})
			if err != nil {
				t.Fatal(err)
			}
			return st
		}
		s.apply(t, load("1"))
		if got := s.look(t, "stat -c '%a %s' /opt/stacks/own/acme.json"); got != "600 0" {
			t.Errorf("it is made as %s", got)
		}
		s.look(t, "echo mine >/opt/stacks/own/acme.json")
		if p := s.plan(t, load("1")); !p.Empty() {
			t.Errorf("what the service wrote is to go:\n%s", p)
		}
		s.apply(t, load("2"))
		writeFile(t, dir, "compose.yaml",
			`services: {a: {image: "busybox:1.36", command: [sleep, "100000"], init: true, restart: always}}`)
		s.apply(t, load("2"))
		if got := s.look(t, "cat /opt/stacks/own/acme.json"); got != "mine" {
			t.Errorf("the service's file holds %q", got)
		}
	})
	t.Run("a folder that the service takes", func(t *testing.T) {
		s, dir := fresh(t), t.TempDir()
		writeFile(t, dir, "compose.yaml",
			`services: {a: {image: "busybox:1.36", command: [sh, -c, `+
				`"chown 999:999 /data /data/sub; chmod 700 /data; exec sleep 100000"], `+
				`init: true, restart: always, volumes: ["./data:/data", "./conf:/conf:ro"]}}`)
		writeFile(t, dir, "data/.gitkeep", "")
		writeFile(t, dir, "data/sub/.gitkeep", "")
		writeFile(t, dir, "conf/a", "a\n")
		stack, err := compose.Load(t.Context(), compose.Source{Name: "own", Dir: dir, Lock: s.lock})
		if err != nil {
			t.Fatal(err)
		}
		s.apply(t, stack)
		if s.fake != nil { // whose containers run nothing
			s.look(t, "cd /opt/stacks/own/data; chown 999:999 . sub; chmod 700 .")
		}
		s.apply(t, stack)
		got := s.look(t, "cd /opt/stacks/own; stat -c '%u:%g %a' data data/sub conf")
		if got != "999:999 700\n999:999 755\n0:0 755" {
			t.Errorf("the folders are now\n%s", got)
		}
		s.look(t, "chmod 700 /opt/stacks/own/conf")
		if text := s.apply(t, stack); !strings.Contains(text, "directory:/opt/stacks/own/conf: mode is 0700") ||
			strings.Contains(text, "own/data") {
			t.Errorf("the plan:\n%s", text)
		}
	})
	t.Run("a volume of another name", func(t *testing.T) {
		s := fresh(t)
		load := func(name string) compose.Stack {
			t.Helper()
			return s.content(t, "own",
				"services: {a: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, restart: always, "+
					"volumes: ['data:/data']}}\nvolumes: {data: {name: "+name+"}}")
		}
		s.apply(t, load("one"))
		if text := s.apply(t, load("two")); !strings.Contains(text,
			"replace compose:own/service:a: does not have the volume two") {
			t.Errorf("the plan:\n%s", text)
		}
		p := s.plan(t, compose.Absent{Name: "own", Volumes: true})
		r, err := p.Apply(t.Context(),
			&lab.ApplyOptions{Confirmed: []lab.Confirmation{lab.Confirm("host/pi1/stack:own/volume:data"),
				lab.Confirm("host/pi1/stack:own/volume:two")}})
		if err != nil {
			t.Errorf("%v\n%s\n%s", err, p, r)
		}
		if got := s.look(t, "docker volume ls -q | grep -E '^(one|two)$' || :"); got != "" {
			t.Errorf("left: %s", got)
		}
	})
	t.Run("networks that are pruned", func(t *testing.T) {
		s, f := fresh(t), newShop(t)
		stack := s.load(t, f)
		s.apply(t, stack)
		s.look(t, "docker stop $(docker ps -q --no-trunc); docker network prune -f")
		if p := s.plan(t, stack); !slices.Equal(changes(p), []string{"replace db", "replace migrate", "replace web"}) ||
			!strings.Contains(p.String(), "the network shop_default is gone") {
			t.Errorf("the plan:\n%s", p)
		}
		s.apply(t, stack)
		s.look(t,
			"docker network disconnect -f -- shop_default $(docker ps -q --no-trunc --filter "+
				"label=com.docker.compose.service=web)")
		if p := s.plan(t, stack); !slices.Equal(changes(p), []string{"replace web"}) ||
			!strings.Contains(p.String(), "is not in the network shop_default") {
			t.Errorf("the plan:\n%s", p)
		}
		s.apply(t, stack)
	})
	t.Run("a network that others are in", func(t *testing.T) {
		s := fresh(t)
		load := func(internal string) compose.Stack {
			t.Helper()
			return s.content(t, "own",
				"services: {a: {image: 'busybox:1.36', command: [sh, -c, 'test -e /state/x || date >/state/x; "+
					"exec sleep 100000'], init: true, restart: always, volumes: [/state]}}\n"+
					"networks: {default: {internal: "+internal+"}}")
		}
		s.apply(t, load("false"))
		other := s.content(t, "other",
			"services: {b: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, restart: always, "+
				"networks: [own]}}\nnetworks: {own: {name: own_default, external: true}}")
		s.apply(t, other)
		if _, err := s.machine.Plan(t.Context(), host.State{load("true")}); !errors.Is(err, lab.ErrRefused) ||
			!strings.Contains(strings.Join(lab.Hints(err), ""), "docker network disconnect own_default other-b-1") {
			t.Errorf("got %v", err)
		}
		s.look(t, "docker network disconnect -f -- own_default other-b-1")
		state := func() (out string) {
			if s.fake == nil {
				out = s.look(t, "docker exec own-a-1 cat /state/x")
			}
			return out
		}
		before := state()
		s.apply(t, load("true"))
		if after := state(); after != before {
			t.Errorf("what was in an anonymous volume is lost: %q, %q", before, after)
		}
		if text := s.apply(t, other); !strings.Contains(text,
			"replace compose:other/service:b: is not in the network own_default") {
			t.Errorf("the plan:\n%s", text)
		}
	})
	t.Run("started again below another", func(t *testing.T) {
		s := fresh(t)
		stack := s.content(t, "pair", `
services:
  a: {image: "busybox:1.36", command: [sleep, "100000"], init: true, restart: always}
  b: {image: "busybox:1.36", command: [sleep, "100000"], init: true, restart: always, network_mode: "service:a"}`)
		s.apply(t, stack)
		if s.fake == nil {
			s.look(t, "docker restart pair-a-1")
		} else if err := s.fake.Restart("a"); err != nil {
			t.Fatal(err)
		}
		if text := s.apply(t, stack); !strings.Contains(text,
			"run     compose:pair/service:b: a, whose namespace it shares, was started again") ||
			strings.Contains(text, "service:a") {
			t.Errorf("the plan:\n%s", text)
		}
		s.look(t, "docker stop $(docker ps -q --no-trunc --filter label=com.docker.compose.service=a)")
		if got := changes(s.plan(t, stack)); !slices.Equal(got, []string{"run a", "run b"}) {
			t.Errorf("%v", got)
		}
		s.apply(t, stack)
	})
	t.Run("a server that ended well", func(t *testing.T) {
		s := fresh(t)
		stack := s.content(t, "server",
			`services: {a: {image: "busybox:1.36", command: [sh, -c, "trap 'exit 0' TERM; touch /up; sleep 100000 & wait"], `+
				`stop_grace_period: 5m, healthcheck: {test: ["CMD", "test", "-e", "/up"], interval: 1s}}}`)
		s.apply(t, stack)
		s.look(t, "docker stop $(docker ps -q --no-trunc)")
		if p := s.plan(t, stack); !strings.Contains(p.String(), "has ended with status 0") {
			t.Errorf("the plan:\n%s", p)
		}
		s.apply(t, stack)
	})
	t.Run("down", func(t *testing.T) {
		s, f := fresh(t), newShop(t)
		s.apply(t, s.load(t, f))
		p := s.plan(t, compose.Absent{Name: "shop", Volumes: true})
		if _, err := p.Apply(t.Context(), nil); !errors.Is(err, lab.ErrRefused) {
			t.Errorf("volumes without a confirmation: %v", err)
		}
		s.apply(t, compose.Absent{Name: "shop"})
		if got := s.look(t, "docker volume ls -q"); got != "shop_data" {
			t.Errorf("volumes are %q", got)
		}
		p = s.plan(t, compose.Absent{Name: "shop", Volumes: true})
		if _, err := p.Apply(t.Context(),
			&lab.ApplyOptions{Confirmed: []lab.Confirmation{lab.Confirm("host/pi1/stack:shop/volume:data")}}); err != nil {
			t.Errorf("%v\n%s", err, p)
		}
		if got := s.look(t, "docker volume ls -q"); got != "" {
			t.Errorf("volumes are %q", got)
		}
	})
}

// TestPowerCuts cuts the power before every change of the engine: of a first deployment, and of one that recreates a
// service.
func TestPowerCuts(t *testing.T) {
	for name, again := range map[string]bool{"First": false, "Again": true} {
		t.Run(name, func(t *testing.T) { lawtest.CutOff(t, powerCuts(t, again)) })
	}
}

// powerCuts is the shop on a machine of its own whose power is cut, and with again where the shop was deployed before.
func powerCuts(tb testing.TB, again bool) lawtest.World {
	tb.Helper()
	s, _ := newFake(tb, composetest.Config{})
	f := newShop(tb)
	if again {
		s.apply(tb, s.load(tb, f))
		writeFile(tb, f.dir, "conf/a.conf", "two\n")
	}
	w := s.world(tb, f)
	w.Again = func(tb testing.TB) lawtest.World { tb.Helper(); return powerCuts(tb, again) }
	w.Cuts = []lawtest.Cut{{Name: "Power", Least: 4, Arm: func(_ testing.TB, n int) func(error) bool {
		up := s.fake.PowerCutAtChange(n)
		return func(err error) bool {
			if err == nil {
				return false
			}
			<-up
			s.machine.Close()
			return true
		}
	}}}
	return w
}

// TestDockerComes deploys by the plan that brings docker.
func TestDockerComes(t *testing.T) {
	s, box := newFake(t, composetest.Config{})
	s.look(t, "mv /usr/bin/docker /opt/docker")
	stack := s.load(t, newShop(t))
	if _, err := s.machine.Plan(t.Context(), host.State{stack}); !errors.Is(err, lab.ErrNotFound) ||
		len(lab.Hints(err)) == 0 {
		t.Errorf("without docker: %v", err)
	}
	stack.After = []string{"command:docker"}
	install := host.Command{Name: "docker", Run: "cp -p /opt/docker /usr/bin/docker", Creates: "/usr/bin/docker"}
	text := s.apply(t, install, stack)
	if !strings.Contains(text, "create  compose:shop/service:db") {
		t.Errorf("the plan:\n%s", text)
	}
	if n := box.Counters().Execs; n > 10 {
		t.Errorf("%d execs", n)
	}
}

func TestRefuses(t *testing.T) {
	for name, c := range map[string]composetest.Config{"no plugin": {Compose: "-"},
		"version 1": {Compose: "-", V1: true}, "old": {Compose: "2.5.0"}} {
		s, _ := newFake(t, c)
		if _, err := s.machine.Plan(t.Context(), host.State{s.load(t, newShop(t))}); !errors.Is(err, lab.ErrRefused) ||
			len(lab.Hints(err)) == 0 {
			t.Errorf("%s: got %v", name, err)
		}
	}
	s, _ := newFake(t, composetest.Config{})
	s.fake.Stop(true)
	if _, err := s.machine.Plan(t.Context(), host.State{s.load(t, newShop(t))}); !errors.Is(err, lab.ErrBlocked) {
		t.Errorf("an engine that does not answer: %v", err)
	}
	if text, err := compose.Logs(t.Context(), s.machine, "shop", "/opt/stacks/shop", 10); err == nil ||
		!strings.Contains(err.Error(), "Cannot connect to the Docker daemon") {
		t.Errorf("its logs: %q, %v", text, err)
	}
}

// TestEngineDies lets the engine answer ever more of what a plan asks: what it did not say must not be taken for not
// there.
func TestEngineDies(t *testing.T) {
	s, _ := newFake(t, composetest.Config{})
	stack := s.load(t, newShop(t))
	s.apply(t, stack)
	for n := 1; ; n++ {
		s.fake.StopAfter(n)
		p, err := s.machine.Plan(t.Context(), host.State{stack, compose.Absent{Name: "other"}})
		s.fake.Stop(false)
		if err == nil {
			if !p.Empty() || n < 7 {
				t.Errorf("after %d answers:\n%s", n, p)
			}
			return
		}
		if !errors.Is(err, lab.ErrBlocked) {
			t.Fatalf("after %d answers: %v", n, err)
		}
	}
}

// TestFailures are services that fail in other ways than by their health check.
func TestFailures(t *testing.T) {
	for name, test := range map[string]struct {
		fault func(*composetest.Docker)
		want  string
	}{
		"ends":         {func(d *composetest.Docker) { d.Exit("migrate", 3) }, "service migrate has ended with status 3"},
		"must not end": {func(d *composetest.Docker) { d.Exit("web", 0) }, "service web is in a restart loop"},
		"cannot start": {func(d *composetest.Docker) { d.FailStart("db", "port is already allocated") },
			"port is already allocated"},
		"never healthy": {func(d *composetest.Docker) { d.Unhealthy("db", true) }, "there is no former stack to go back to"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newFake(t, composetest.Config{})
			test.fault(s.fake)
			stack := s.load(t, newShop(t))
			r, err := s.plan(t, stack).Apply(t.Context(), nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || r.Count(lab.StatusSkipped) == 0 {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPull(t *testing.T) {
	s, _ := newFake(t,
		composetest.Config{Registry: []composetest.Image{{Name: "app:1"}, {Name: "app:2"}, {Name: "data:1"}}})
	source := compose.Source{Name: "app", Content: []byte("services: {a: {image: 'app:1', restart: always}}"),
		Lock: s.fake.Lock("app:1", "app:2", "data:1")}
	load := func() compose.Stack {
		t.Helper()
		stack, err := compose.Load(t.Context(), source)
		if err != nil {
			t.Fatal(err)
		}
		return stack
	}
	s.fake.FailPull("app:1", true)
	if _, err := s.plan(t, load()).Apply(t.Context(), nil); err == nil ||
		!strings.Contains(err.Error(), "manifest unknown") {
		t.Errorf("got %v", err)
	}
	s.fake.FailPull("app:1", false)
	s.apply(t, load())
	source.Content = []byte("services: {a: {image: 'app:2', restart: always}}")
	if text := s.apply(t, load()); !strings.Contains(text, "not on the machine") ||
		!strings.Contains(text, "replace compose:app/service:a") {
		t.Errorf("the plan:\n%s", text)
	}
	source.Content = []byte("services: {a: {image: 'app:2', platform: linux/arm64, restart: always, volumes: [{type: " +
		"image, source: 'data:1', target: /data}]}}")
	if images, err := compose.Images(t.Context(), source); err != nil ||
		!slices.Equal(images, []string{"app:2", "data:1"}) {
		t.Errorf("%v: %v", err, images)
	}
	if text := s.apply(t, load()); !strings.Contains(text, "image:docker.io/library/data:1@sha256:") {
		t.Errorf("an image that is mounted:\n%s", text)
	}
	missing := s.lock["busybox:1.36"]
	missing.ID = "sha256:" + strings.Repeat("0", 64)
	gone, err := compose.Load(t.Context(),
		compose.Source{Name: "gone", Content: []byte("services: {a: {image: 'x:1'}}"),
			Lock: compose.Lock{"x:1": missing}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.machine.Plan(t.Context(), host.State{gone}); !errors.Is(err, lab.ErrNotFound) {
		t.Errorf("an imported image that is not there: %v", err)
	}
	lock, err := compose.Resolve(t.Context(), s.machine, []string{"app:2", "busybox:1.36"})
	if err != nil || lock["app:2"].Digest == "" || lock["busybox:1.36"].ID == "" {
		t.Errorf("%v: %v", err, lock)
	}
	if _, err := compose.Resolve(t.Context(), s.machine, []string{"nothing:1"}); !errors.Is(err, lab.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
