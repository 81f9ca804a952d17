package docker_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/docker"
	"gitea.arcodange.lab/arcodange-org/lab/host/docker/dockertest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/machinetest"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	v27 = "5:27.5.1-1~debian.12~bookworm"
	v28 = "5:28.1.1-1~debian.12~bookworm"
)

// certificate returns a certificate in PEM.
func certificate(t testing.TB, ca bool) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: ca}
	b, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b}))
}

func full(t testing.TB) docker.Config {
	return docker.Config{
		Version: v28, Containerd: "1.7.27-1", Buildx: "0.23.0-1~debian.12~bookworm", Compose: "2.35.1-1~debian.12~bookworm",
		DNS: []string{"192.168.1.201", "192.168.1.203"}, Options: map[string]any{"max-concurrent-downloads": 2},
		Registries: []docker.Registry{{Host: "gitea.arcodange.lab:3000", CA: certificate(t, true)}}, ClientAPI: "1.44",
	}
}

// open returns a machine with an engine that apt can install.
func open(t *testing.T) (*hosttest.Machine, *dockertest.Engine, *host.Machine) {
	t.Helper()
	box := hosttest.New(t, hosttest.Config{})
	engine := dockertest.Install(box)
	m := machinetest.Fake(t, "pi1", box)
	return box, engine, m
}

// settle applies the state and fails if a second plan is not empty.
func settle(t *testing.T, m *host.Machine, c docker.Config) (first string) {
	t.Helper()
	if ps := c.Validate(); len(ps) > 0 {
		t.Fatal(ps)
	}
	return machinetest.Converge(t, m, c.State()).String()
}

// refused fails unless the plan is an error of the kind that contains the text and has a hint.
func refused(t *testing.T, m *host.Machine, c docker.Config, kind error, text string) {
	t.Helper()
	p, err := m.Plan(t.Context(), c.State())
	var le *lab.Error
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) || !errors.As(err, &le) || le.Hint == "" {
		t.Errorf("got %v, want %v with %q\n%s", err, kind, text, p)
	}
}

func sh(t *testing.T, box *hosttest.Machine, script string) string {
	t.Helper()
	out, err := box.Exec("sudo sh -c " + ssh.Quote(script))
	if err != nil {
		t.Fatalf("%s: %v %s", script, err, out)
	}
	return out
}

// TestInstalls: on a new machine all is installed and held, dockerd runs with its configuration although it was first
// started without it, and a second plan is empty, also after a reboot.
func TestInstalls(t *testing.T) {
	for name, c := range map[string]docker.Config{
		"docker-ce": full(t), "docker.io": {Package: "docker.io"}, "suite": {Suite: "bookworm"},
	} {
		t.Run(name, func(t *testing.T) {
			box, engine, m := open(t)
			settle(t, m, c)
			if got := engine.Configuration(); !strings.Contains(got, `"max-size": "10m"`) {
				t.Errorf("dockerd runs with %q", got)
			}
			held := sh(t, box, "apt-mark showhold")
			want := "docker.io\n"
			if name != "docker.io" {
				want = "containerd.io\ndocker-buildx-plugin\ndocker-ce\ndocker-ce-cli\ndocker-compose-plugin\n"
			}
			if held != want {
				t.Errorf("held: %q", held)
			}
			box.Reboot()
			if p, err := m.Plan(t.Context(), c.State()); err != nil || !p.Empty() {
				t.Errorf("after a reboot: %v\n%s", err, p)
			}
			if len(c.Registries) > 0 {
				if got := sh(t, box, "cat /etc/docker/certs.d/gitea.arcodange.lab:3000/ca.crt"); got != c.Registries[0].CA {
					t.Errorf("the CA: %q", got)
				}
			}
		})
	}
}

// TestRestartsOnlyWhenAllowed: a change of the configuration or of the version does not stop containers, unless the
// Config allows it; an engine without containers is restarted.
func TestRestartsOnlyWhenAllowed(t *testing.T) {
	_, engine, m := open(t)
	c := docker.Config{Version: v27}
	settle(t, m, c)
	starts := engine.Starts()

	c.DNS = []string{"192.0.2.1"}
	settle(t, m, c)
	if engine.Starts() != starts+1 || !strings.Contains(engine.Configuration(), "192.0.2.1") {
		t.Errorf("without containers: %d starts, %s", engine.Starts()-starts, engine.Configuration())
	}

	engine.Run(2)
	c.DNS = []string{"192.0.2.2"}
	const later = "takes effect at the next start of docker.service: restart is not set, and 2 containers are running"
	if p := settle(t, m, c); !strings.Contains(p, later) {
		t.Errorf("the plan does not say that there is no restart:\n%s", p)
	}
	if engine.Starts() != starts+1 {
		t.Error("the engine was restarted")
	}
	engine.Mute(true)
	c.DNS = []string{"192.0.2.3"}
	if p := settle(t, m, c); !strings.Contains(p, "does not say which containers are running") ||
		engine.Starts() != starts+1 {
		t.Errorf("an engine that does not answer: %s", p)
	}
	engine.Mute(false)

	newer := c
	newer.Version = v28
	refused(t, m, newer, lab.ErrRefused, "which restarts the engine, and 2 containers are running")

	c.Restart, newer.Restart = true, true
	if p := settle(t, m, c); !strings.Contains(p, "[disrupt]") || !strings.Contains(p, "2 containers are running, and all stop") {
		t.Errorf("the plan does not say what a restart costs:\n%s", p)
	}
	if !strings.Contains(engine.Configuration(), "192.0.2.3") {
		t.Errorf("not restarted: %s", engine.Configuration())
	}
	engine.Run(2)
	if p := settle(t, m, newer); !strings.Contains(p, "[disrupt]") || !strings.Contains(p, "stops it: 2 containers are "+
		"running, and all stop") {
		t.Errorf("the plan does not say what an upgrade costs:\n%s", p)
	}
}

// TestContainersSinceThePlan: an engine whose containers were started after the plan is not restarted.
func TestContainersSinceThePlan(t *testing.T) {
	_, engine, m := open(t)
	c := docker.Config{Version: v28}
	settle(t, m, c)
	c.DNS = []string{"192.0.2.1"}
	p, err := m.Plan(t.Context(), c.State())
	if err != nil {
		t.Fatal(err)
	}
	engine.Run(1)
	starts := engine.Starts()
	if r, err := p.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "containers are running now") ||
		engine.Starts() != starts {
		t.Errorf("%v\n%s", err, r)
	}
}

// TestContainerdStopsDockerd: an upgrade of containerd that leaves dockerd stopped does not.
func TestContainerdStopsDockerd(t *testing.T) {
	box, _, m := open(t)
	c := docker.Config{Version: v28, Containerd: "1.7.27-1"}
	settle(t, m, c)
	box.AddPackage(hosttest.Package{Name: "containerd.io", Version: "1.7.28-1", Conflicts: "containerd, runc",
		Source: "download.docker.com", Commands: map[string]hosttest.Command{"containerd": nil, "runc": nil},
		Units: map[string]string{"containerd.service": "[Service]\nType=notify\nExecStart=/usr/bin/containerd\n\n" +
			"[Install]\nWantedBy=multi-user.target\n"}, Postinst: "systemctl stop docker.service"})
	sh(t, box, "rm -f /run/lab/apt-updated")
	c.Containerd = "1.7.28-1"
	if p := settle(t, m, c); !strings.Contains(p, "the upgrade of containerd.io stops it") {
		t.Errorf("the plan:\n%s", p)
	}
	if got := sh(t, box, "systemctl is-active docker.service || :"); got != "active\n" {
		t.Error(got)
	}
}

// TestBadConfigurations: what dockerd refuses is not moved into place; what it only fails to start with is put back, and
// dockerd runs again.
func TestBadConfigurations(t *testing.T) {
	for name, c := range map[string]struct {
		config docker.Config
		says   string
		starts bool // dockerd is restarted for it
	}{
		"an unknown directive": {docker.Config{Version: v28, Options: map[string]any{"log-drivr": "x"}},
			"directives don't match any configuration option: log-drivr", false},
		"an unknown directive, for Debian's": {docker.Config{Package: "docker.io", Options: map[string]any{"log-drivr": "x"}},
			"it runs with the one before", true},
		"a socket beside the unit's": {docker.Config{Version: v28, Options: map[string]any{"hosts": []string{"tcp://x"}}},
			"it runs with the one before", true},
	} {
		t.Run(name, func(t *testing.T) {
			box, engine, m := open(t)
			good := c.config
			good.Options = nil
			settle(t, m, good)
			before, starts := engine.Configuration(), engine.Starts()
			p, err := m.Plan(t.Context(), c.config.State())
			if err != nil {
				t.Fatal(err)
			}
			r, err := p.Apply(t.Context(), nil)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q\n%s", err, c.says, r)
			}
			if engine.Configuration() != before || sh(t, box, "cat /etc/docker/daemon.json") != before {
				t.Errorf("the configuration was not put back: %s", engine.Configuration())
			}
			if sh(t, box, "systemctl is-active docker.service || :") != "active\n" || (engine.Starts() > starts) != c.starts {
				t.Errorf("%d starts", engine.Starts()-starts)
			}
			if left := sh(t, box, "find /etc/docker -name '*.tmp'"); left != "" {
				t.Errorf("left behind: %s", left)
			}
			settle(t, m, good)
		})
	}
}

// TestRefuses: every guard of the plan refuses, in words and with a way out, and nothing is written.
func TestRefuses(t *testing.T) {
	ce, io := docker.Config{Version: v28}, docker.Config{Package: "docker.io"}
	daemon := func(text string) string { return "mkdir -p /etc/docker; echo '" + text + "' >/etc/docker/daemon.json" }
	with := func(c docker.Config, change func(*docker.Config)) docker.Config { change(&c); return c }
	for name, c := range map[string]struct {
		have  *docker.Config // that the machine has already
		setup string
		want  docker.Config
		kind  error
		says  string
	}{
		"another release": {want: docker.Config{Version: "5:28.1.1-1~debian.13~trixie"}, kind: lab.ErrConflict,
			says: "the packages are for trixie, and the machine is Debian GNU/Linux 12"},
		"Debian's engine": {have: &io, want: ce, kind: lab.ErrConflict,
			says: "docker-ce and the installed docker.io, containerd, runc exclude each other"},
		"Docker's engine": {have: &ce, want: io, kind: lab.ErrConflict,
			says: "docker.io and the installed docker-ce, docker-ce-cli, containerd.io"},
		"an engine of snap": {setup: "mkdir -p /snap/bin; : >/snap/bin/docker", want: ce, kind: lab.ErrConflict,
			says: "apt did not install it"},
		"an engine by hand": {setup: ": >/usr/local/bin/dockerd", want: io, kind: lab.ErrConflict, says: "apt did not install it"},
		"data moved": {have: &ce, want: with(ce, func(c *docker.Config) { c.DataRoot = "/mnt/x" }), kind: lab.ErrRefused,
			says: "data-root would change"},
		"data elsewhere": {have: &ce, setup: daemon(`{"data-root":"/mnt/x"}`), want: ce, kind: lab.ErrRefused,
			says: "from /mnt/x to /var/lib/docker"},
		"data of an engine that is gone": {setup: daemon(`{"data-root":"/mnt/x"}`), want: ce, kind: lab.ErrRefused,
			says: "from /mnt/x to /var/lib/docker"},
		"data in an old spelling": {have: &ce, setup: daemon(`{"graph":"/mnt/x"}`), want: ce, kind: lab.ErrRefused,
			says: "graph would change from /mnt/x"},
		"another driver": {have: &ce, setup: daemon(`{"storage-driver":"vfs"}`), want: ce, kind: lab.ErrRefused,
			says: "storage-driver would change"},
		"users remapped": {have: &ce, want: with(ce, func(c *docker.Config) { c.Options = map[string]any{"userns-remap": "x"} }),
			kind: lab.ErrRefused, says: "userns-remap would change"},
		"an unreadable file": {have: &ce, setup: daemon(`{"data-root":"/mnt/x",}`), want: ce, kind: lab.ErrConflict,
			says: "cannot be read"},
		"an old API": {have: &io, want: with(io, func(c *docker.Config) { c.ClientAPI = "1.44" }), kind: lab.ErrConflict,
			says: "speaks version 1.44 of the API, and the engine at most 1.41"},
		"a second owner of the source": {want: ce, kind: lab.ErrConflict,
			setup: "echo 'deb [arch=arm64 signed-by=/etc/apt/keyrings/docker.gpg] " +
				"https://download.docker.com/linux/debian bookworm stable' >/etc/apt/sources.list.d/docker-ce.list",
			says: "two files name https://download.docker.com/linux/debian/ bookworm"},
	} {
		t.Run(name, func(t *testing.T) {
			box, _, m := open(t)
			if c.have != nil {
				settle(t, m, *c.have)
			}
			if c.setup != "" {
				sh(t, box, c.setup)
			}
			writes := box.Counters().Writes
			refused(t, m, c.want, c.kind, c.says)
			if n := box.Counters().Writes - writes; n > 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
}

// TestReplaces: Debian's engine, and what get.docker.com left, are removed if that is asked for, and the data are kept.
func TestReplaces(t *testing.T) {
	box, _, m := open(t)
	settle(t, m, docker.Config{Package: "docker.io"})
	sh(t, box, "mkdir -p /var/lib/docker/volumes/x; echo 'deb [signed-by=/etc/apt/keyrings/old.asc] "+
		"https://download.docker.com/linux/debian bookworm stable' >/etc/apt/sources.list.d/docker.list; apt-mark unhold docker.io")
	p := settle(t, m, docker.Config{Version: v28, Replace: true})
	if !strings.Contains(p, "package:docker.io") || !strings.Contains(p, "[disrupt]") {
		t.Errorf("the plan does not show the removal:\n%s", p)
	}
	sh(t, box, "[ -d /var/lib/docker/volumes/x ] && [ ! -e /etc/apt/sources.list.d/docker.list ]")
}

// TestCuts: cut off after any change, the next run ends with the same machine.
func TestCuts(t *testing.T) {
	c := docker.Config{Version: v28, Registries: []docker.Registry{{Host: "r.lab", CA: certificate(t, true)}}}
	for k := 1; ; k++ {
		box, engine, m := open(t)
		p, err := m.Plan(t.Context(), c.State())
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		box.Faults().CutWhen(func(out []byte) bool { n = strings.Count(string(out), " E "); return n >= k })
		_, err = p.Apply(t.Context(), nil)
		box.Faults().Reset()
		if err == nil {
			break
		}
		poll := lab.Poll{What: "the lock", First: time.Millisecond}
		if err := lab.Wait(t.Context(), poll, func(ctx context.Context) (bool, error) {
			_, err := m.Run(ctx, ssh.Command{Script: ":", Root: true, Lock: true})
			return err == nil, nil
		}); err != nil {
			t.Fatal(err)
		}
		settle(t, m, c)
		if !strings.Contains(engine.Configuration(), "json-file") {
			t.Errorf("cut after change %d: dockerd runs with %q", k, engine.Configuration())
		}
	}
}

func TestValidate(t *testing.T) {
	leaf, ca := certificate(t, false), certificate(t, true)
	if ps := full(t).Validate(); len(ps) > 0 {
		t.Errorf("the full Config: %v", ps)
	}
	if ps := (docker.Config{Package: "docker.io"}).Validate(); len(ps) > 0 {
		t.Errorf("docker.io: %v", ps)
	}
	registry := func(host, ca string) docker.Config {
		return docker.Config{Suite: "trixie", Registries: []docker.Registry{{Host: host, CA: ca}}}
	}
	options := func(name string, value any) docker.Config {
		return docker.Config{Suite: "trixie", Options: map[string]any{name: value}}
	}
	for want, c := range map[string]docker.Config{
		"suite: is needed":                              {},
		"package: is not an engine":                     {Package: "podman", Suite: "trixie"},
		"suite: is of docker-ce":                        {Package: "docker.io", Suite: "bookworm"},
		"containerd: is not a version":                  {Suite: "trixie", Containerd: "1 7"},
		"packages[0]: is not the name":                  {Suite: "trixie", Packages: []string{"a b"}},
		"dns[1]: is not an IP address":                  {Suite: "trixie", DNS: []string{"192.0.2.1", "router"}},
		"dataRoot: is not absolute":                     {Suite: "trixie", DataRoot: "data"},
		"logMaxSize: is not a size":                     {Suite: "trixie", LogMaxSize: "10MB"},
		"logMaxFiles: is not from":                      {Suite: "trixie", LogMaxFiles: 1000},
		"options.hosts: the unit":                       options("hosts", []string{"tcp://0.0.0.0:2375"}),
		"options.data-root: has a field":                options("data-root", "/x"),
		"options: json: unsupported":                    options("debug", func() {}),
		"registries[0].host: is not the name":           registry("https://gitea.lab", ca),
		"registries[0].host: is not the name of a":      registry("../../x", ca),
		"registries[0].ca: contains a certificate that": registry("gitea.lab", leaf),
		"registries[0].ca: is empty":                    registry("gitea.lab", ""),
		"registries[0].ca: contains something other":    registry("gitea.lab", ca+"x"),
		"clientAPI: is not an API version":              {Suite: "trixie", ClientAPI: "v1.44"},
		"version: the client speaks version 1.43 of the API, and the engine none before 1.44": {
			Version: "5:29.0.2-1~debian.12~bookworm", ClientAPI: "1.43"},
		"version: the client speaks version 1.44 of the API, and the engine at most 1.41": {
			Package: "docker.io", Version: "20.10.24+dfsg1-1+deb12u1+b6", ClientAPI: "1.44"},
	} {
		ps := c.Validate()
		if len(ps) != 1 || !strings.HasPrefix(ps[0].String(), want) || !errors.Is(ps.Err(), lab.ErrInvalid) {
			t.Errorf("want %q, got:\n%v", want, ps)
		}
	}
}

// TestKeyIsChecked: a key that is not Docker's is not trusted, wherever it comes from.
func TestKeyIsChecked(t *testing.T) {
	b, err := os.ReadFile("docker.asc")
	if err != nil {
		t.Fatal(err)
	}
	c := docker.Config{Suite: "bookworm", Key: strings.Replace(string(b), "mQINBFit2ioBEADh", "mQINBFit2ioBEADi", 1)}
	if err := c.State().Validate(); !errors.Is(err, lab.ErrInvalid) || !strings.Contains(err.Error(), "has the fingerprint") {
		t.Errorf("a changed key: %v", err)
	}
	c.Key = string(b)
	if err := c.State().Validate(); err != nil {
		t.Error(err)
	}
}

func TestCheckAPI(t *testing.T) {
	for _, c := range []struct {
		client, min, max string
		ok               bool
	}{
		{"1.44", "1.24", "1.51", true}, {"1.44", "1.44", "1.52", true}, {"1.44", "1.12", "1.44", true},
		{"1.43", "1.44", "1.52", false}, {"1.44", "1.12", "1.41", false}, {"1.9", "1.12", "1.41", false},
		{"1.5", "1.40", "1.41", false}, {"2.0", "1.12", "1.60", false}, {"1.100", "1.12", "1.60", false},
	} {
		err := docker.CheckAPI(c.client, docker.Window{Min: c.min, Max: c.max})
		if (err == nil) != c.ok || err != nil && !errors.Is(err, lab.ErrConflict) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestPlanGolden(t *testing.T) {
	for name, c := range map[string]docker.Config{"docker-ce": {Version: v28, Containerd: "1.7.27-1"}, "docker.io": {Package: "docker.io"}} {
		_, _, m := open(t)
		p, err := m.Plan(t.Context(), c.State())
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name+".golden")
		got := p.String()
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || string(want) != got {
			t.Errorf("%s: %v\n%s", name, err, lab.Diff(file, want, []byte(got)))
		}
	}
}

func ExampleConfig() {
	c := docker.Config{Version: "5:29.0.2-1~debian.12~bookworm", ClientAPI: "1.43", LogMaxSize: "10MB"}
	fmt.Println(c.Validate())
	for _, r := range (docker.Config{Package: "docker.io"}).State() {
		fmt.Println(r.ID())
	}
	// Output:
	// logMaxSize: is not a size: 10MB ("10m": a number and k, m or g)
	// version: the client speaks version 1.43 of the API, and the engine none before 1.44: 5:29.0.2-1~debian.12~bookworm (use an older engine, or upgrade the client, such as k3s, first)
	// docker:engine
	// directory:/etc/docker
	// file:/etc/docker/daemon.json
	// package:docker.io
	// unit:docker.service
}
