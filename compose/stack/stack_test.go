package stack_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/compose/composetest"
	"gitea.arcodange.lab/arcodange-org/lab/compose/stack"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/machinetest"
)

var update = flag.Bool("update", false, "write the golden files")

var images = []composetest.Image{{Name: "postgres:16.14"}, {Name: "postgres:17.10"}, {Name: "postgres:18.4"},
	{Name: "gitea/gitea:1.25.1-rootless"}, {Name: "gitea/gitea:1.25.2-rootless"},
	{Name: "gitea/runner:1.0.8"}, {Name: "gitea/runner:1.0.8-dind-rootless"}, {Name: "pihole/pihole:2025.08.0"},
	{Name: "busybox:1.36"}}

var lock = composetest.Install(hosttestless(), composetest.Config{Registry: images}).Lock(names()...)

func names() (out []string) {
	for _, i := range images {
		out = append(out, i.Name)
	}
	return out
}

// hosttestless is a machine that is only asked for its name.
func hosttestless() *hosttest.Machine {
	m, err := hosttest.Start(hosttest.Config{})
	if err != nil {
		panic(err)
	}
	m.Close()
	return m
}

func hidden(name string) lab.Secret { return lab.NewSecret("hidden-value-of-" + name) }

func postgres() stack.Postgres {
	return stack.Postgres{Image: "postgres:17.10", Lock: lock, Listen: "192.168.1.202:5432",
		Password: hidden("postgres"), Subnet: "172.30.5.0/24",
		HBA: []stack.HBARule{{Type: "host", Database: "gitea", User: "gitea", Address: "172.30.5.0/24",
			Method: "scram-sha-256"}},
		Databases: []stack.Database{{Name: "gitea", Password: hidden("gitea")}}}
}

func gitea() stack.Gitea {
	return stack.Gitea{Image: "gitea/gitea:1.25.2-rootless", Lock: lock, RootURL: "https://gitea.arcodange.lab/",
		ListenHTTP: "192.168.1.202:3000", ListenSSH: "192.168.1.202:2222",
		Database: stack.GiteaDatabase{Password: hidden("gitea")}, Keys: stack.GiteaKeys{SecretKey: hidden("key"),
			InternalToken: hidden("internal"), JWTSecret: hidden("jwt")},
		Networks: []string{"postgres_default"}, Admin: "root", RunnerToken: hidden("the-runners-token"),
		Settings: map[string]string{"cron.update_checker.ENABLED": "false", "webhook.ALLOWED_HOST_LIST": "private",
			"DEFAULT.APP_NAME": "The `lab`"}}
}

func runner() stack.ActRunner {
	return stack.ActRunner{Image: "gitea/runner:1.0.8-dind-rootless", Lock: lock,
		Instance: "https://gitea.arcodange.lab/", Runner: "pi1", Token: hidden("the-runners-token"), Nested: true,
		Labels: []string{"ubuntu-latest:docker://gitea/runner-images:ubuntu-22.04"},
		CA:     "-----BEGIN CERTIFICATE-----\n"}
}

func pihole() stack.PiHole {
	lan := netip.MustParseAddr("192.168.1.201")
	return stack.PiHole{Image: "pihole/pihole:2025.08.0", Lock: lock, Password: hidden("pihole"),
		Upstreams: []string{"192.0.2.53", "198.51.100.53#5353"},
		Hosts: []stack.PiHoleHost{{Address: lan,
			Names: []string{"pi1.arcodange.lab", "pi1"}}}, Wildcards: []stack.PiHoleWildcard{{Zone: "arcodange.lab",
			Address: lan}},
		CNAMEs:  []string{"www.arcodange.lab,pi1.arcodange.lab"},
		Reverse: []string{"true,192.168.1.0/24,192.168.1.1,home"}}
}

func backups() stack.BackupVolume {
	return stack.BackupVolume{Image: "busybox:1.36", Lock: lock,
		Share: stack.NFSVolume{Server: netip.MustParseAddr("192.168.1.203"), Path: "/mnt/backups"}}
}

// seeded is a key that signs the same alike.
func seeded(seed byte) crypto.Signer {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

// certificate returns a certificate that a server has signed itself.
func certificate(t *testing.T, key crypto.Signer, serial int64, ip string) *stack.TLS {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), IPAddresses: []net.IP{net.ParseIP(ip)},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &stack.TLS{Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		Key: lab.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))}
}

type maker interface{ Stack() (compose.Stack, error) }

func must(t *testing.T, m maker) compose.Stack {
	t.Helper()
	s, err := m.Stack()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGolden(t *testing.T) {
	tls := postgres()
	tls.Image, tls.Name, tls.TLS = "postgres:18.4", "pg18", certificate(t, seeded(1), 1, "192.168.1.202")
	tls.Settings = map[string]string{"search_path": `"$user", public`, "application_name": "it's"}
	tls.HBA = []stack.HBARule{{Type: "hostssl", Database: "all", User: "+erp_role", Address: "192.168.1.201/32",
		Method: "scram-sha-256"}}
	for name, m := range map[string]maker{"postgres": postgres(), "postgres18": tls, "gitea": gitea(),
		"runner": runner(), "pihole": pihole(), "backups": backups()} {
		t.Run(name, func(t *testing.T) {
			s := must(t, m)
			got := string(s.Render())
			for _, f := range s.Files {
				got += "--- " + f.Path + " " + f.Mode.String() + " " + f.Owner + "\n" + f.Content
			}
			if strings.Contains(got, "hidden-value") || strings.Contains(got, "PRIVATE KEY") {
				t.Error("a secret shows")
			}
			file := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(file); err != nil || string(want) != got {
				t.Errorf("%v\n%s", err, got)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		m    maker
		want []string
	}{
		"postgres": {stack.Postgres{Image: "postgres:latest", Listen: "0.0.0.0:5432",
			Settings: map[string]string{"ssl": "on", "a b": ""}, HBA: []stack.HBARule{
				{Type: "hostssl", Database: "all", User: "all", Address: "all", Method: "trust"},
				{Type: "local", Address: "all"},
				{Type: "x", Database: "a b", User: "u", Method: "peer"}}, Databases: []stack.Database{{}}},
			[]string{"image", "password", "listen", "settings.ssl", "settings:", "hba[0].type", "hba[0].method",
				"hba[1].address", "hba[1].user", "hba[2].type", "hba[2].database", "databases[0].name"}},
		"postgres elsewhere": {stack.Postgres{Image: "postgres:17.10", Data: "../pg", Mount: "/mnt/pg/",
			TLS: &stack.TLS{Certificate: certificate(t, seeded(1), 1, "192.0.2.1").Certificate,
				Key: certificate(t, seeded(2), 1, "192.0.2.1").Key}},
			[]string{"data", "mount", "tls: is not a certificate with its key: tls: private key does not match"}},
		"gitea": {stack.Gitea{Data: "data", Image: "gitea/gitea:1.25.2", RootURL: "https://gitea.arcodange.lab",
			Settings: map[string]string{"x": "", "server.ROOT_URL": "y", "ui.THEMES": "'a'"}, Admin: "a b",
			RunnerToken: hidden("x")},
			[]string{"data", "image", "rootURL", "database.password", "keys.secretKey", "settings:",
				"settings.server.ROOT_URL", "settings.ui.THEMES", "admin", "runnerToken: has 17 characters"}},
		"runner": {stack.ActRunner{Image: "gitea/runner:1.0.8", Instance: "http://localhost:3000/", Data: "/mnt/a:b",
			Labels: []string{"a:docker://x", "b"}},
			[]string{"instance", "data", "runner", "token", "labels[0]: wants an engine", "labels[1]"}},
		"runner elsewhere": {stack.ActRunner{Image: "gitea/runner:1.0.8", Instance: "https://gitea.arcodange.lab/?a&b"},
			[]string{"instance"}},
		"runner nested": {stack.ActRunner{Image: "gitea/runner:1.0.8", Nested: true, Socket: true},
			[]string{"nested", "image: holds no engine", "labels"}},
		"postgres that takes the system's": {stack.Postgres{Image: "Postgres:17", Data: "/etc/postgres", Mount: "/",
			Listen: "localhost:5432", Subnet: "172.30.5", UID: -1, Timeout: -time.Second, HBA: []stack.HBARule{
				{Type: "hots", Database: "all", User: "all", Address: "192.168.1.1", Method: "scram-sha256"},
				{Type: "host", Database: "all", User: "all", Address: "192.168.1.999/24", Method: "cert"}}},
			[]string{"image: is not the name of an image", "data: is the system's", "mount: is the system's", "listen", "subnet",
				"uid", "timeout", "hba[0].type: is not one of", "nearest: host", "hba[0].method", "nearest: scram-sha-256",
				"hba[0].address: has no mask", "hba[1].address: is not an address"}},
		"gitea at no web address": {stack.Gitea{Image: "gitea/gitea:1.25.2-rootless", RootURL: "htps://gitea/",
			ListenHTTP: "192.168.1.999:3000", Timeout: -1, Database: stack.GiteaDatabase{SSLMode: "verify-ful"}},
			[]string{"rootURL", "listenHTTP", "timeout", "nearest: verify-full"}},
		"runner at no web address": {stack.ActRunner{Image: "gitea/runner 1", Instance: "gitea:3000", Capacity: -1, JobTimeout: -1},
			[]string{"image", "instance", "capacity", "jobTimeout"}},
		"pihole": {stack.PiHole{Upstreams: []string{"dns.example.org"},
			Hosts: []stack.PiHoleHost{{Names: []string{"a b"}}, {}}, Wildcards: []stack.PiHoleWildcard{{}},
			CNAMEs: []string{"x"}},
			[]string{"password", "upstreams are", "upstreams[0]", "hosts[0].address", "hosts[0].names",
				"hosts[1].names", "wildcards[0]", "cnames[0]"}},
		"backups": {stack.BackupVolume{Share: stack.NFSVolume{Path: "a b"}}, []string{"share.server", "share.path"}},
	} {
		_, err := test.m.Stack()
		if !errors.Is(err, lab.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(strings.ReplaceAll(err.Error(), "upstreams: are", "upstreams are"), want) {
				t.Errorf("%s: nothing of %q in:\n%v", name, want, err)
			}
		}
	}
}

// pi is a machine in this process, with a docker.
func pi(t *testing.T) (*host.Machine, *hosttest.Machine, *composetest.Docker) {
	t.Helper()
	box := hosttest.New(t, hosttest.Config{Hostname: "pi2", Sleep: func(<-chan struct{}, time.Duration) {}})
	d := composetest.Install(box, composetest.Config{Registry: images})
	m := machinetest.Fake(t, "pi2", box)
	return m, box, d
}

// apply makes it so, and fails the test unless the next plan is empty. It returns the plan.
func apply(t *testing.T, m *host.Machine, want ...host.Resource) string {
	t.Helper()
	p, err := m.Plan(t.Context(), host.State(want))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%s", err, p)
	}
	again, err := m.Plan(t.Context(), host.State(want))
	if err != nil {
		t.Fatal(err)
	}
	if !again.Empty() {
		t.Fatalf("the second plan:\n%s", again)
	}
	return p.String()
}

// TestLab is what the lab's machines run: PostgreSQL and Gitea on one, a runner and a Pi-hole
// beside them.
func TestLab(t *testing.T) {
	m, box, d := pi(t)
	pg := must(t, postgres())
	git := must(t, gitea())
	git.After = []string{pg.ID()}
	if _, err := m.Plan(t.Context(), host.State{must(t, gitea())}); !errors.Is(err, lab.ErrNotFound) {
		t.Errorf("the network of PostgreSQL is not there: %v", err)
	}
	text := apply(t, m, pg, git)
	for _, secret := range []string{"hidden-value", "throw-me-away"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows:\n%s", secret, text)
		}
	}
	apply(t, m, pg, git, must(t, runner()), must(t, pihole()), must(t, backups()))
	if n := len(d.Containers()); n != 5 {
		t.Errorf("%d containers", n)
	}
	before := m.Counters().Execs
	changes, writes := d.Counters().Changes, box.Counters().Writes
	if p, err := m.Plan(t.Context(), host.State{pg, git, must(t, runner()), must(t, pihole()),
		must(t, backups())}); err != nil || !p.Empty() {
		t.Errorf("%v\n%s", err, p)
	}
	if m.Counters().Execs != before+1 || d.Counters().Changes != changes || box.Counters().Writes != writes {
		t.Errorf("planning took %d execs, %d changes, %d writes", m.Counters().Execs-before,
			d.Counters().Changes-changes, box.Counters().Writes-writes)
	}
}

func TestGiteaSettings(t *testing.T) {
	m, box, _ := pi(t)
	pg := must(t, postgres())
	apply(t, m, pg)
	apply(t, m, must(t, gitea()))
	ini := func() string {
		b, err := box.FS().ReadFile("/opt/stacks/gitea/config/app.ini")
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if !strings.Contains(ini(), "[cron.update_checker]\nENABLED = false\n") {
		t.Errorf("app.ini:\n%s", ini())
	}
	if !strings.HasPrefix(ini(), "APP_NAME = \"\"\"The `lab`\"\"\"\n") || strings.Contains(ini(), "[default]") {
		t.Errorf("app.ini:\n%s", ini())
	}
	cased := gitea()
	cased.Admin = "Root"
	if p, err := m.Plan(t.Context(), host.State{must(t, cased)}); err != nil || !p.Empty() {
		t.Errorf("an administrator in other letters: %v\n%s", err, p)
	}
	less := gitea()
	less.Settings = map[string]string{"webhook.ALLOWED_HOST_LIST": "private"}
	if text := apply(t, m, must(t, less)); !strings.Contains(text,
		"no longer set: DEFAULT.APP_NAME, cron.update_checker.ENABLED") {
		t.Errorf("the plan:\n%s", text)
	}
	if strings.Contains(ini(), "ENABLED = false") || strings.Contains(ini(), "APP_NAME") ||
		!strings.Contains(ini(), "ALLOWED_HOST_LIST = private") {
		t.Errorf("app.ini:\n%s", ini())
	}
	if err := box.FS().WriteFile("/opt/stacks/gitea/config/app.ini",
		[]byte(strings.Replace(ini(), "DISABLE_REGISTRATION = true", "DISABLE_REGISTRATION = false", 1))); err != nil {
		t.Fatal(err)
	}
	if text := apply(t, m, must(t, less)); !strings.Contains(text, "changed in app.ini: service.DISABLE_REGISTRATION") {
		t.Errorf("the plan:\n%s", text)
	}
	for name, change := range map[string]func(*stack.Gitea){
		"older":       func(g *stack.Gitea) { g.Image = "gitea/gitea:1.25.1-rootless" },
		"another key": func(g *stack.Gitea) { g.Keys.SecretKey = hidden("other") },
		"no disk":     func(g *stack.Gitea) { g.Mount = "/mnt/gitea" },
	} {
		g := less
		change(&g)
		if _, err := m.Plan(t.Context(), host.State{must(t, g)}); !errors.Is(err, lab.ErrRefused) ||
			len(lab.Hints(err)) == 0 || strings.Contains(err.Error(), "hidden-value") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestRunner(t *testing.T) {
	m, box, d := pi(t)
	apply(t, m, must(t, runner()))
	registration := func() string {
		b, err := box.FS().ReadFile("/opt/stacks/runner/data/.runner")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, `"uuid"`) {
				return line
			}
		}
		t.Fatalf("no uuid:\n%s", b)
		return ""
	}
	first := registration()
	r := runner()
	r.Labels = append(r.Labels, "apply:host")
	apply(t, m, must(t, r))
	if registration() != first {
		t.Error("other labels registered it again")
	}
	forgotten := func(want ...string) {
		t.Helper()
		before := registration()
		text := apply(t, m, must(t, r))
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("nothing of %q in the plan:\n%s", w, text)
			}
		}
		if registration() == before {
			t.Error("it did not register again")
		}
	}
	d.ForgetRunners()
	forgotten("the server does not know this registration any more", "/register")
	// It said so, was started again, and has said nothing yet.
	d.ForgetRunners()
	box.PowerCut()
	m.Close()
	forgotten("the server does not know this registration any more", "/register")
	// It is started without a registration that the server knows, as after a reboot.
	d.ForgetRunners()
	if err := d.Restart("runner"); err != nil {
		t.Fatal(err)
	}
	forgotten("is in a restart loop", "the server does not know this registration any more")
}

func TestPostgresFake(t *testing.T) {
	m, box, d := pi(t)
	lines := func(c stack.Postgres) string { return apply(t, m, must(t, c)) }
	lines(postgres())
	c := postgres()
	c.HBA = append(c.HBA, stack.HBARule{Type: "host", Database: "all", User: "all", Address: "192.168.1.0/24",
		Method: "scram-sha-256"})
	if text := lines(c); !strings.Contains(text, "/reload") || strings.Contains(text, "service:") {
		t.Errorf("pg_hba:\n%s", text)
	}
	c.Settings = map[string]string{"max_connections": "50"}
	if text := lines(c); !strings.Contains(text, "max_connections cannot be changed") {
		t.Errorf("max_connections:\n%s", text)
	}
	bad := c
	bad.HBA = []stack.HBARule{{Type: "host", Database: "all", User: "all", Address: "all",
		Method: "oauth"}} // which came with PostgreSQL 18
	before, err := box.FS().ReadFile("/opt/stacks/postgres/conf/pg_hba.conf")
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Plan(t.Context(), host.State{must(t, bad)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "oauth") {
		t.Errorf("got %v", err)
	}
	if after, err := box.FS().ReadFile("/opt/stacks/postgres/conf/pg_hba.conf"); err != nil ||
		string(after) != string(before) {
		t.Errorf("%v: the file is now:\n%s", err, after)
	}
	lines(c)
	// a run that was cut off between the file and the reload
	if err := box.FS().WriteFile("/opt/stacks/postgres/conf/postgresql.conf",
		mustRead(t, box, "/opt/stacks/postgres/conf/postgresql.conf")); err != nil {
		t.Fatal(err)
	}
	if text := lines(c); !strings.Contains(text, "its files changed since it has read them") {
		t.Errorf("not reloaded:\n%s", text)
	}
	other := postgres()
	other.Databases[0].Password = hidden("another")
	if text := lines(other); !strings.Contains(text, "its password is another") ||
		strings.Contains(text, "hidden-value") {
		t.Errorf("password:\n%s", text)
	}
	for image, want := range map[string]string{"postgres:16.14": "of PostgreSQL 17, the image of 16",
		"postgres:18.4": "of PostgreSQL 17, the image of 18"} {
		c := postgres()
		c.Image = image
		if _, err := m.Plan(t.Context(), host.State{must(t, c)}); !errors.Is(err, lab.ErrRefused) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", image, err)
		}
	}
	renamed := postgres()
	renamed.Name, renamed.Data = "db", "/opt/stacks/postgres/data"
	if _, err := m.Plan(t.Context(), host.State{must(t, renamed)}); !errors.Is(err, lab.ErrRefused) ||
		!strings.Contains(err.Error(), "postgres-postgres-1 of the stack postgres has it too") {
		t.Errorf("two servers on one folder: %v", err)
	}
	if err := errors.Join(box.FS().Remove("/opt/stacks/postgres/data"),
		box.FS().Remove("/opt/stacks/postgres/.prev")); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Plan(t.Context(), host.State{must(t, postgres())}); !errors.Is(err, lab.ErrRefused) ||
		!strings.Contains(err.Error(), "it is empty") {
		t.Errorf("empty: %v", err)
	}
	if n := len(d.Containers()); n != 1 {
		t.Errorf("%d containers", n)
	}
}

func mustRead(t *testing.T, box *hosttest.Machine, file string) []byte {
	t.Helper()
	b, err := box.FS().ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPowerCuts cuts the power before every change of the engine.
func TestPowerCuts(t *testing.T) {
	for k := 1; ; k++ {
		m, _, d := pi(t)
		pg := must(t, postgres())
		up := d.PowerCutAtChange(k)
		p, err := m.Plan(t.Context(), host.State{pg})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Apply(t.Context(), nil); err == nil {
			if k < 5 {
				t.Fatalf("only %d changes", k)
			}
			return
		}
		<-up
		m.Close()
		apply(t, m, pg)
	}
}

// The keys are made once, whatever becomes of the run that made them.
func TestGiteaKeys(t *testing.T) {
	sink := lab.SecretDir{Path: filepath.Join(t.TempDir(), "keys")}
	k := &lab.Keyring{Sink: sink}
	first, err := stack.NewGiteaKeys(t.Context(), k)
	if err != nil || first.SecretKey.Equal(first.JWTSecret) || first.SecretKey.Equal(first.InternalToken) {
		t.Fatalf("alike: %v", err)
	}
	if _, err := os.Stat(sink.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("asking for them wrote: %v", err)
	}
	plan, err := k.Plan(nil)
	if err != nil || len(plan.Changes()) != 3 {
		t.Fatalf("%v\n%s", err, plan)
	}
	if _, err := plan.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	second, err := stack.NewGiteaKeys(t.Context(), &lab.Keyring{Sink: sink})
	if err != nil || !first.SecretKey.Equal(second.SecretKey) || !first.InternalToken.Equal(second.InternalToken) ||
		!first.JWTSecret.Equal(second.JWTSecret) {
		t.Errorf("made twice: %v", err)
	}
	if jwt, err := base64.RawURLEncoding.DecodeString(first.JWTSecret.Reveal()); err != nil || len(jwt) != 32 {
		t.Errorf("the JWT secret is of %d bytes: %v", len(jwt), err)
	}
	if err := os.Chmod(filepath.Join(sink.Path, "gitea-secret-key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := stack.NewGiteaKeys(t.Context(), &lab.Keyring{Sink: sink}); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("others may read one: %v", err)
	}
}
