package host_test

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// surviving makes a machine on which much is lost at boot, applies a state, reboots, and expects that nothing is to be done.
func surviving(t *testing.T, m *host.Machine, reboot func()) {
	yes := true
	sh := func(script string) string {
		t.Helper()
		r, err := m.Run(t.Context(), ssh.Command{Root: true, Script: "set -e\n" + script})
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		return strings.TrimSpace(string(r.Stdout))
	}
	sh(`mkdir -p /mnt/ssd; ln -s /mnt/ssd /data
echo net.ipv4.ip_forward=0 >>/etc/sysctl.conf; ln -sf ../sysctl.conf /etc/sysctl.d/99-sysctl.conf
printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' >/usr/lib/systemd/system/lab-boot.service
ln -s /usr/lib/systemd/system/lab-boot.service /etc/systemd/system/lab-boot2.service; systemctl daemon-reload`)
	s := host.State{
		host.Sysctl{Key: "net.ipv4.ip_forward", Value: "1"},
		host.Mount{Path: "/data/cache", Source: "tmpfs", FSType: "tmpfs", Options: []string{"noexec", "size=2M"}},
		host.Unit{Name: "lab-boot.service", Enabled: &yes, State: host.Started},
		host.UnitFile{Name: "lab-boot-once.service", Content: "[Service]\nType=oneshot\nExecStart=/bin/true\n" +
			"[Install]\nWantedBy=multi-user.target\n"},
		host.Unit{Name: "lab-boot-once.service", Enabled: &yes, State: host.Started},
	}
	settle(t, m, s)
	m.Close()
	reboot()
	if p, err := m.Plan(t.Context(), s); err != nil || !p.Empty() {
		t.Errorf("after the reboot: %v\n%s", err, p)
	}
	if v := sh("cat /proc/sys/net/ipv4/ip_forward; grep -c /mnt/ssd/cache /proc/self/mountinfo"); v != "1\n1" {
		t.Errorf("the parameter and the number of mounts are %q", v)
	}
}

func TestSurvivesRebootInProcess(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	surviving(t, m, box.Reboot)
}

func TestSurvivesRebootOnMachine(t *testing.T) {
	box := real.Machines(t, 1)[0]
	m := &host.Machine{Target: realTarget(box)}
	defer m.Close()
	surviving(t, m, func() {
		if err := box.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := box.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// TestDevicesOnMachine: whatever names a device, it is the one that is mounted, and no other is.
func TestDevicesOnMachine(t *testing.T) {
	box := real.Machines(t, 1)[0]
	m := &host.Machine{Target: realTarget(box)}
	defer m.Close()
	sh := func(script string) string {
		t.Helper()
		r, err := m.Run(t.Context(), ssh.Command{Root: true, Script: "set -e\n" + script})
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		return strings.TrimSpace(string(r.Stdout))
	}
	uuid := sh("mkfs.ext4 -q -L lab-dev " + box.Disk + " >&2; udevadm settle; mkdir /srv/dev; ln -s " + box.Disk + " /dev/lab-link\n" +
		"mount " + box.Disk + " /srv/dev; blkid -p -s UUID -o value " + box.Disk)
	for _, source := range []string{"LABEL=lab-dev", "UUID=" + uuid, "/dev/lab-link", "/dev/disk/by-uuid/" + uuid} {
		s := host.State{host.Mount{Path: "/srv/dev", Source: source, Options: []string{"noatime"}}}
		settle(t, m, s)
	}
	sh("findmnt -n -O noatime /srv/dev; mount -t tmpfs tmpfs /srv/dev")
	s := host.State{host.Mount{Path: "/srv/dev", Source: "LABEL=lab-dev"}}
	if _, err := m.Plan(t.Context(), s); err == nil || !strings.Contains(err.Error(), "tmpfs is mounted there, not LABEL=lab-dev") {
		t.Errorf("a tmpfs hides it: %v", err)
	}
	sh("umount /srv/dev; umount /srv/dev; mount -o ro " + box.Disk + " /srv/dev")
	settle(t, m, s)
	sh("touch /srv/dev/x; umount /srv/dev; sed -i /srv.dev/d /etc/fstab; systemctl daemon-reload")
}
