package nfs_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/disk"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/nfs"
	"gitea.arcodange.lab/arcodange-org/lab/host/nfs/nfstest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/machinetest"
)

// server exports the backups to two machines.
func server() nfs.Config {
	return nfs.Config{Exports: []nfs.Export{{Path: "/mnt/backups", Clients: []string{"192.168.1.201", "fd00::3"}}}}
}

// client mounts them.
func client() nfs.Config {
	return nfs.Config{Shares: []nfs.Share{{Server: "192.168.1.202", Path: "/mnt/backups", At: "/mnt/backups"}}}
}

// pi returns a machine with a disk for backups, which is mounted if before does so, and how it is managed.
func pi(t *testing.T, before string) (*hosttest.Machine, *host.Machine) {
	t.Helper()
	box := hosttest.New(t, hosttest.Config{Disks: []hosttest.Disk{{Serial: "S1", Size: 80 << 20,
		Partitions: []hosttest.Partition{{FSType: "ext4", Label: "backups"}}}}})
	nfstest.Install(box)
	m := machinetest.Fake(t, "pi2", box)
	run(t, box, before)
	return box, m
}

const mounted = "mkdir -p /mnt/backups; mount /dev/sda1 /mnt/backups\n"

func run(t *testing.T, box *hosttest.Machine, script string) string {
	t.Helper()
	out, err := box.Exec(script)
	if err != nil {
		t.Fatalf("%s: %s %v", script, out, err)
	}
	return out
}

const exported = "/mnt/backups  192.168.1.201(sync,wdelay,hide,no_subtree_check,mountpoint,sec=sys,rw,root_squash,no_all_squash)\n" +
	"/mnt/backups  fd00::3(sync,wdelay,hide,no_subtree_check,mountpoint,sec=sys,rw,root_squash,no_all_squash)\n"

// TestServer mounts the disk and exports it in one plan.
func TestServer(t *testing.T) {
	box, m := pi(t, "")
	s := append(disk.Config{Disks: []disk.Disk{{Device: "/dev/disk/by-id/usb-Samsung_SSD_870_S1", Label: "backups",
		Path: "/mnt/backups"}}}.State(), server().State()...)
	machinetest.Converge(t, m, s)
	if out := run(t, box, "exportfs -s"); out != exported {
		t.Errorf("got %s", out)
	}
	box.Reboot()
	m.Close()
	if p, err := m.Plan(t.Context(), s); err != nil || !p.Empty() {
		t.Errorf("after a reboot: %v\n%s", err, p)
	}
	// what is exported is compared, not only what the file says
	for _, change := range []string{"echo >/var/lib/nfs/etab", "echo '/mnt/backups  *(rw)' >>/var/lib/nfs/etab",
		"sed -i s/root_squash/no_root_squash/ /var/lib/nfs/etab", "sed -i s/,mountpoint// /etc/exports.d/lab.exports",
		"rm /etc/exports.d/lab.exports; exportfs -ra"} {
		run(t, box, change)
		machinetest.Converge(t, m, s)
		if out := run(t, box, "exportfs -s"); out != exported {
			t.Errorf("%s: got %s", change, out)
		}
	}
}

// TestRefuses: what is not on a disk of its own, or is exported elsewhere, is refused, and nothing is changed.
func TestRefuses(t *testing.T) {
	for _, c := range []struct {
		name, before string
		kind         error
		want         string
	}{
		{"not a mount point", "mkdir /mnt/backups", lab.ErrRefused, "/mnt/backups is not a mount point"},
		{"not there", "", lab.ErrRefused, "/mnt/backups is not a mount point"},
		{"mounted at the first access", "mkdir /mnt/backups; echo 'nas:/b /mnt/backups nfs4 x-systemd.automount 0 0' >>/etc/fstab; " +
			"systemctl daemon-reload; systemctl start mnt-backups.automount", lab.ErrRefused, "mounted at the first access"},
		{"exported to everybody", mounted + "echo '/mnt/backups *(rw)' >>/etc/exports", lab.ErrConflict, "/etc/exports exports /mnt/backups too"},
		{"exported by another file", mounted + "mkdir /etc/exports.d; printf '\"/mnt/backups/\" 10.0.0.0/8(rw)' >/etc/exports.d/x.exports",
			lab.ErrConflict, "/etc/exports.d/x.exports exports /mnt/backups too"},
	} {
		box, m := pi(t, c.before)
		writes := box.Counters().Writes
		p, err := m.Plan(t.Context(), server().State())
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) || len(lab.Hints(err)) == 0 {
			t.Errorf("%s: %v\n%s", c.name, err, p)
		}
		if n := box.Counters().Writes; n != writes {
			t.Errorf("%s: the plan wrote %d times", c.name, n-writes)
		}
	}
}

// TestUnmountedAfterThePlan: the path is looked at once more before it is exported.
func TestUnmountedAfterThePlan(t *testing.T) {
	box, m := pi(t, mounted)
	p, err := m.Plan(t.Context(), server().State())
	if err != nil {
		t.Fatal(err)
	}
	run(t, box, "umount /mnt/backups")
	if _, err := p.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "is not a mount point: mount its disk") {
		t.Error(err)
	}
	if out := run(t, box, "exportfs -s; ls /etc/exports.d"); out != "" {
		t.Errorf("exported: %s", out)
	}
}

// TestClient: a client is set up, and boots, without its server, and nothing is written under the mount.
func TestClient(t *testing.T) {
	box, m := pi(t, "")
	s := client().State()
	machinetest.Converge(t, m, s)
	for range 2 {
		if out := run(t, box, "findmnt -n -r -o SOURCE,FSTYPE /mnt/backups; grep /mnt/backups /etc/fstab; systemctl is-system-running"); out !=
			"systemd-1 autofs\n192.168.1.202:/mnt/backups /mnt/backups nfs4 "+
				"nofail,_netdev,soft,timeo=100,retrans=3,x-systemd.automount 0 0\nrunning\n" {
			t.Errorf("got %q", out)
		}
		box.Reboot()
		m.Close()
		if p, err := m.Plan(t.Context(), s); err != nil || !p.Empty() {
			t.Errorf("after a reboot: %v\n%s", err, p)
		}
	}
	run(t, box, "systemctl stop mnt-backups.automount")
	if out, err := box.Exec("touch /mnt/backups/lost"); err == nil {
		t.Errorf("something can be written without the share: %s", out)
	}
	machinetest.Converge(t, m, s)
}

func TestValidate(t *testing.T) {
	both := nfs.Config{Exports: server().Exports, Shares: client().Shares}
	both.Shares[0].Server = "fd00::2"
	if ps := append((nfs.Config{}).Validate(), both.Validate()...); len(ps) > 0 {
		t.Error(ps)
	}
	for want, change := range map[string]func(*nfs.Config){
		"exports[0].clients: nobody":                   func(c *nfs.Config) { c.Exports[0].Clients = nil },
		"exports[0].clients[0]: is not the address":    func(c *nfs.Config) { c.Exports[0].Clients = []string{"*"} },
		"exports[0].clients[1]: is not the address":    func(c *nfs.Config) { c.Exports[0].Clients = []string{"10.0.0.1", "10.0.0.0/8"} },
		"exports[0].clients[0]: is not the address of": func(c *nfs.Config) { c.Exports[0].Clients = []string{"pi1.lan"} },
		"exports[0].clients[0]: is not the address ":   func(c *nfs.Config) { c.Exports[0].Clients = []string{"0.0.0.0"} },
		"exports[0].clients[0]: is not how":            func(c *nfs.Config) { c.Exports[0].Clients = []string{"fd00:0::3"} },
		"exports[0].clients[1]: is listed twice":       func(c *nfs.Config) { c.Exports[0].Clients = []string{"10.0.0.1", "10.0.0.1"} },
		"exports[0].path: is not a mount point":        func(c *nfs.Config) { c.Exports[0].Path = "/a b" },
		"exports[1].path: the same as exports[0].path": func(c *nfs.Config) { c.Exports = append(c.Exports, c.Exports[0]) },
		"shares[0].server: is neither":                 func(c *nfs.Config) { c.Shares[0].Server = "a b" },
		"shares[0].at: is not a mount point":           func(c *nfs.Config) { c.Shares[0].At = "mnt" },
		"shares[1].at: the same as shares[0].at":       func(c *nfs.Config) { c.Shares = append(c.Shares, c.Shares[0]) },
	} {
		c := nfs.Config{Exports: server().Exports, Shares: client().Shares}
		change(&c)
		if ps := c.Validate(); len(ps) != 1 || !strings.HasPrefix(ps[0].String(), want) {
			t.Errorf("want %q, got:\n%v", want, ps)
		}
	}
}

func ExampleConfig() {
	c := nfs.Config{Exports: []nfs.Export{{Path: "/mnt/backups", Clients: []string{"192.168.1.201", "*"}}}}
	fmt.Println(c.Validate())
	c.Exports[0].Clients = []string{"192.168.1.201"}
	for _, r := range c.State() {
		fmt.Println(r.ID())
	}
	// Output:
	// exports[0].clients[1]: is not the address of a machine: * (name each client by its IP address: no names, networks or *)
	// dropin:nfs-server.service/lab-exports
	// package:nfs-kernel-server
	// unit:nfs-server.service
	// directory:/etc/exports.d
	// exports:/etc/exports.d/lab.exports
}
