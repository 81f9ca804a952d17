package docker_test

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/docker"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/machinetest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// connect returns the machine as this package's code reaches it.
func connect(t *testing.T, box *real.Machine) *host.Machine {
	m := machinetest.Real(t, box)
	return m
}

// run runs a script as root.
func run(t *testing.T, m *host.Machine, script string) string {
	t.Helper()
	r, err := m.Run(t.Context(), ssh.Command{Script: script, Root: true})
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return strings.TrimSpace(string(r.Stdout))
}

// TestRealInstall: the component itself installs an engine with apt, that of Debian 13, which runs on Debian 12 and can
// validate a configuration. It starts with the configuration at once, and a wrong one is not moved into place.
func TestRealInstall(t *testing.T) {
	box := real.Machines(t, 1)[0]
	if err := box.EnableDebian(); err != nil {
		t.Fatal(err)
	}
	m := connect(t, box)
	run(t, m, "umask 022; cd /etc/apt/sources.list.d; for f in $(grep -l bookworm *); do sed s/bookworm/trixie/g $f >trixie-$f; done; "+
		"printf 'Package: *\\nPin: release n=trixie*\\nPin-Priority: -1\\n\\nPackage: docker.io docker-cli\\nPin: release n=trixie*\\n"+
		"Pin-Priority: 990\\n' >/etc/apt/preferences.d/test")
	c := docker.Config{Package: "docker.io", Packages: []string{"docker-cli"}, ClientAPI: "1.44"}
	settle(t, m, c)
	if got := run(t, m, "docker info --format '{{.LoggingDriver}} {{.CgroupDriver}}'; apt-mark showhold"); got !=
		"json-file systemd\ndocker-cli\ndocker.io" {
		t.Error(got)
	}
	file := run(t, m, "cat /etc/docker/daemon.json")
	for directive, says := range map[string]string{"log-drivr": "log-drivr", "log-level": "invalid logging level: loud"} {
		bad := c
		bad.Options = map[string]any{directive: "loud"}
		p, err := m.Plan(t.Context(), bad.State())
		if err != nil {
			t.Fatal(err)
		}
		before := run(t, m, "systemctl show -p InvocationID docker.service")
		if r, err := p.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v\n%s", directive, err, r)
		}
		if run(t, m, "cat /etc/docker/daemon.json") != file || run(t, m, "systemctl show -p InvocationID docker.service") != before {
			t.Errorf("%s: the file was written, or dockerd restarted", directive)
		}
	}
	settle(t, m, c)
	c.ClientAPI = "1.50"
	refused(t, m, c, lab.ErrConflict, "the client speaks version 1.50 of the API, and the engine at most 1.4")
}

// TestReal: Debian's engine on a real machine. Containers survive a change that does not allow a restart and one with
// which dockerd would not start; a restart that is allowed makes it effective; after a reboot there is nothing to do.
func TestReal(t *testing.T) {
	box := real.Machines(t, 1)[0]
	box.InstallDocker(t)
	box.ImportBusybox(t, "busybox:1.36")
	m := connect(t, box)
	sh := func(script string) string { t.Helper(); return run(t, m, script) }
	c := docker.Config{Package: "docker.io", LogMaxFiles: 2,
		Registries: []docker.Registry{{Host: "gitea.lab:3000", CA: certificate(t, true)}}}
	settle(t, m, c) // no container runs, so that the restart needs no permission
	sh("docker run -d --name web busybox:1.36 sleep 1000000")
	logs := func() string { return sh("docker info --format '{{.LoggingDriver}}'") }
	running := func() string { return sh("docker ps -q --filter name=web") }
	if logs() != "json-file" || running() == "" {
		t.Fatalf("log driver %s, running %q", logs(), running())
	}

	c.Options = map[string]any{"log-driver": "local"}
	if p := settle(t, m, c); !strings.Contains(p, "restart is not set, and 1 container is running") {
		t.Errorf("the plan does not say that there is no restart:\n%s", p)
	}
	if logs() != "json-file" || running() == "" {
		t.Errorf("restarted: log driver %s, running %q", logs(), running())
	}

	bad := c
	bad.Restart, bad.Options = true, map[string]any{"log-drivr": "local"}
	p, err := m.Plan(t.Context(), bad.State())
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "it runs with the one before") ||
		!strings.Contains(err.Error(), "log-drivr") {
		t.Errorf("an unknown directive: %v\n%s", err, r)
	}
	if logs() != "local" {
		t.Errorf("not put back: log driver %s", logs())
	}
	settle(t, m, c)

	sh("docker start web")
	old := c
	old.ClientAPI = "1.44"
	refused(t, m, old, lab.ErrConflict, "the client speaks version 1.44 of the API, and the engine at most 1.41")
	moved := c
	moved.DataRoot = "/srv/docker"
	refused(t, m, moved, lab.ErrRefused, "data-root would change from /var/lib/docker to /srv/docker")
	other := docker.Config{Suite: "bookworm"}
	refused(t, m, other, lab.ErrConflict, "docker-ce and the installed docker.io, containerd, runc exclude each other")

	c.Restart, c.DNS = true, []string{"192.0.2.1"}
	if p := settle(t, m, c); !strings.Contains(p, "[disrupt]") {
		t.Errorf("the plan does not say what a restart costs:\n%s", p)
	}
	sh("docker start web")
	if got := sh("docker exec web cat /etc/resolv.conf"); !strings.Contains(got, "192.0.2.1") {
		t.Errorf("not effective: %s", got)
	}
	if err := m.Reboot(t.Context(), "", nil); err != nil {
		t.Fatal(err)
	}
	again, err := m.Plan(t.Context(), c.State())
	if err != nil || !again.Empty() {
		t.Errorf("after a reboot: %v\n%s", err, again)
	}
}
