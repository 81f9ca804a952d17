package base_test

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/base"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/machinetest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// open returns a machine in this process.
func open(t *testing.T, c hosttest.Config) (*hosttest.Machine, *host.Machine) {
	t.Helper()
	box := hosttest.New(t, c)
	m := machinetest.Fake(t, "pi1", box)
	return box, m
}

// sh runs a script as root.
func sh(t *testing.T, m *host.Machine, script string) string {
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

// settle applies the state and fails if a second plan is not empty. It returns the first.
func settle(t *testing.T, m *host.Machine, s host.State) string {
	t.Helper()
	p, err := m.Plan(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	empty(t, m, s)
	return p.String()
}

func empty(t *testing.T, m *host.Machine, s host.State) {
	t.Helper()
	if p, err := m.Plan(t.Context(), s); err != nil || !p.Empty() {
		t.Errorf("there is still something to do: %v\n%s", err, p)
	}
}

// TestRefuses: every guard refuses in the plan, with a way out, and writes nothing.
func TestRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		setup string
		want  base.Config
		kind  error
		says  string
	}{
		"a k3s node gets another name": {"mkdir -p /var/lib/rancher/k3s", base.Config{}, lab.ErrRefused,
			`the machine is the node "raspberrypi" of a k3s cluster`},
		"no root= in the command line": {"echo 'console=tty1 quiet' >/boot/firmware/cmdline.txt", base.Config{Cgroups: true},
			lab.ErrConflict, "/boot/firmware/cmdline.txt names no root"},
		"two lines in the command line": {"echo more >>/boot/firmware/cmdline.txt", base.Config{Cgroups: true},
			lab.ErrConflict, "/boot/firmware/cmdline.txt has 2 lines"},
		"cloud-init owns /etc/hosts by user-data": {": >/usr/bin/cloud-init; chmod +x /usr/bin/cloud-init; " +
			"echo 'manage_etc_hosts: true' >/boot/firmware/user-data", base.Config{}, lab.ErrConflict,
			"cloud-init writes /etc/hosts at every boot, as /boot/firmware/user-data says"},
		"another time server": {"dpkg-divert --help >/dev/null 2>&1; printf 'Package: ntpsec\nStatus: install ok installed\n" +
			"Maintainer: x\nArchitecture: arm64\nVersion: 1\nDescription: x\n\n' >>/var/lib/dpkg/status",
			base.Config{NTP: []string{"192.0.2.1"}}, lab.ErrConflict, "ntpsec sets the clock of the machine"},
		"upgrades are turned off": {`echo 'APT::Periodic::Enable "0";' >/etc/apt/apt.conf.d/10periodic`,
			base.Config{Unattended: true}, lab.ErrConflict, "sets APT::Periodic::Enable"},
	} {
		t.Run(name, func(t *testing.T) {
			box, m := open(t, hosttest.Config{Hostname: "raspberrypi"})
			sh(t, m, c.setup)
			writes := box.Counters().Writes
			p, err := m.Plan(t.Context(), c.want.State(base.Machine{Name: "pi1"}))
			var le *lab.Error
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || !errors.As(err, &le) || le.Hint == "" {
				t.Errorf("got %v, want %v with %q\n%s", err, c.kind, c.says, p)
			}
			if n := box.Counters().Writes - writes; n > 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
}

// TestUpgradesThatReboot: a configuration that is read after ours, and reboots, is refused.
func TestUpgradesThatReboot(t *testing.T) {
	_, m := open(t, hosttest.Config{})
	s := base.Config{Unattended: true}.State(base.Machine{Name: "pi1"})
	sh(t, m, `echo 'Unattended-Upgrade::Automatic-Reboot "true";' >/etc/apt/apt.conf.d/99-mine`)
	settle(t, m, s) // ours comes later
	sh(t, m, `echo 'Unattended-Upgrade { Automatic-Reboot "true"; };' >/etc/apt/apt.conf`)
	if p, err := m.Plan(t.Context(), s); !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "Automatic-Reboot") {
		t.Errorf("%v\n%s", err, p)
	}
}

// TestChronyIsKept: a chrony that is there gets the servers, and one that the state wants is installed in place of
// systemd-timesyncd.
func TestChronyIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		setup string
		want  base.Config
	}{
		"it is there": {"apt-get -q update; apt-get -q -y install chrony", base.Config{NTP: []string{"192.0.2.1"}}},
		"it is there, and timesyncd is not": {"apt-get -q update; apt-get -q -y purge systemd-timesyncd; apt-get -q -y install chrony",
			base.Config{NTP: []string{"192.0.2.1"}}},
		"it is wanted": {"", base.Config{NTP: []string{"192.0.2.1"}, Packages: []string{"chrony"}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, m := open(t, hosttest.Config{})
			if c.setup != "" {
				sh(t, m, c.setup)
			}
			p := settle(t, m, c.want.State(base.Machine{Name: "pi1"}))
			got := sh(t, m, "cat /etc/chrony/sources.d/lab.sources; systemctl is-active chrony.service")
			if got != "server 192.0.2.1 iburst\nactive" {
				t.Errorf("%s\n%s", got, p)
			}
			sh(t, m, "[ ! -e /etc/systemd/timesyncd.conf.d ]")
		})
	}
}

// TestOnlyOnAPi: what belongs to a Raspberry Pi does nothing on another machine.
func TestOnlyOnAPi(t *testing.T) {
	_, m := open(t, hosttest.Config{Model: "-"})
	s := base.Config{Cgroups: true, Reboot: true}.State(base.Machine{Name: "pi1"})
	if p := settle(t, m, s); strings.Contains(p, "cmdline") {
		t.Errorf("the plan:\n%s", p)
	}
}

// TestReal: the base of a real Debian machine, where a second plan is empty, also after a reboot.
func TestReal(t *testing.T) {
	box := real.Machines(t, 1)[0]
	if err := box.EnableDebian(); err != nil {
		t.Fatal(err)
	}
	m := machinetest.Real(t, box)
	// Its clock is that of this machine, which no program of it may set: another takes the place of the real one.
	sh(t, m, "mkdir -p /etc/systemd/system/systemd-timesyncd.service.d; printf '[Unit]\nConditionVirtualization=\n[Service]\n"+
		"Type=simple\nExecStart=\nExecStart=/bin/sleep infinity\n' >/etc/systemd/system/systemd-timesyncd.service.d/test.conf; "+
		"systemctl daemon-reload")
	c := full()
	c.Modules, c.Packages = nil, []string{"lab-test-a"}
	c.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"} // others would be those of this machine
	pi := pi1()
	s := c.State(pi)
	settle(t, m, s)
	if got := sh(t, m, "hostname; cat /etc/timezone; cat /proc/sys/net/ipv4/ip_forward; systemctl is-enabled apt-daily-upgrade.timer"); got !=
		"pi1\nEurope/Paris\n1\nenabled" {
		t.Error(got)
	}
	// what apt and journald make of their files
	conf := sh(t, m, "apt-config dump | grep -e ^Unattended-Upgrade -e Lock::Timeout -e Acquire::Retries")
	for _, line := range []string{`Unattended-Upgrade::Automatic-Reboot "false";`, `Package-Blacklist:: "docker\.io$";`,
		`Package-Blacklist:: "libvirt-.*$";`, `DPkg::Lock::Timeout "300";`, `Acquire::Retries "3";`} {
		if !strings.Contains(conf, line) {
			t.Errorf("apt's configuration has no %s:\n%s", line, conf)
		}
	}
	if n := strings.Count(conf, "Origins-Pattern:: "); n != 2 {
		t.Errorf("%d origins:\n%s", n, conf)
	}
	out := sh(t, m, "unattended-upgrade --dry-run -v 2>&1")
	if !strings.Contains(out, "label=Debian-Security") || strings.Contains(out, "label=Debian,") || !strings.Contains(out, `containerd\.io$`) {
		t.Errorf("unattended-upgrade: %s", out)
	}
	if got := sh(t, m, "systemd-analyze cat-config systemd/journald.conf | grep ^SystemMaxUse="); got != "SystemMaxUse=200M" {
		t.Error(got)
	}
	if err := m.Reboot(t.Context(), "", nil); err != nil {
		t.Fatal(err)
	}
	empty(t, m, s)
	if got := sh(t, m, "hostname; cat /proc/sys/net/ipv4/ip_forward; cat /proc/swaps | wc -l"); got != "pi1\n1\n1" {
		t.Errorf("after the reboot: %s", got)
	}

	sh(t, m, "mkdir -p /var/lib/rancher/k3s")
	pi.Name = "other"
	if _, err := m.Plan(t.Context(), c.State(pi)); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("a node was renamed: %v", err)
	}
}

// TestRealChrony: a chrony that is installed on a real machine is kept and gets the servers.
func TestRealChrony(t *testing.T) {
	box := real.Machines(t, 1)[0]
	if err := box.EnableDebian(); err != nil {
		t.Fatal(err)
	}
	m := machinetest.Real(t, box)
	sh(t, m, "apt-get -q update >/dev/null; DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends chrony >/dev/null\n"+
		"mkdir -p /etc/systemd/system/chrony.service.d; echo 'DAEMON_OPTS=\"-F 1 -x\"' >/etc/default/chrony\n"+ // -x: it sets no clock
		"printf '[Unit]\nConditionCapability=\n' >/etc/systemd/system/chrony.service.d/test.conf; systemctl daemon-reload")
	s := base.Config{NTP: []string{"192.0.2.1"}}.State(base.Machine{Name: "pi1"})
	settle(t, m, s)
	if got := sh(t, m, "dpkg-query -W -f '${db:Status-Abbrev}' chrony; chronyc -n sources | grep -c 192.0.2.1"); got != "ii 1" {
		t.Error(got)
	}
}
