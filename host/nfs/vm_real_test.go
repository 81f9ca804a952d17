package nfs_test

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/nfs"
	"gitea.arcodange.lab/arcodange-org/lab/internal/machinetest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestOnVM exports a disk of a virtual machine to itself, and writes to it through the mount. Nothing is left to do after
// that, nor after a reboot.
func TestOnVM(t *testing.T) {
	box := real.VM(t)
	m := machinetest.Real(t, box)
	sh := func(script string) string {
		t.Helper()
		out, err := box.Run(t.Context(), script)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}
	sh("sudo mkfs.ext4 -q -U 5ba1b2d0-0000-4000-8000-000000000002 " + box.Disk + "; sudo udevadm settle")
	c := nfs.Config{
		Exports: []nfs.Export{{Path: "/srv/backups", Clients: []string{"127.0.0.1"}}},
		Shares:  []nfs.Share{{Server: "127.0.0.1", Path: "/srv/backups", At: "/mnt/backups"}},
	}
	if _, err := m.Plan(t.Context(), c.State()); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("exported without its disk: %v", err)
	}
	disk := host.Mount{Path: "/srv/backups", Source: "UUID=5ba1b2d0-0000-4000-8000-000000000002", FSType: "ext4",
		Options: []string{"nofail"}, Immutable: true}
	s := append(host.State{disk}, c.State()...)
	machinetest.Converge(t, m, s)
	sh("sudo chmod 1777 /srv/backups") // root of a client is nobody
	written := func(when string) {
		t.Helper()
		got := sh("echo " + when + " >/mnt/backups/" + when + " && cat /srv/backups/" + when + " && findmnt -n -t nfs4 -o SOURCE /mnt/backups")
		if got != when+"\n127.0.0.1:/srv/backups" {
			t.Errorf("%s: %q", when, got)
		}
		if out, err := box.Run(t.Context(), "sudo chown 0:0 /mnt/backups/"+when); err == nil {
			t.Errorf("%s: root of a client is root: %s", when, out)
		}
		sh("sudo umount /mnt/backups")
	}
	written("first")

	if err := box.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.Close()
	if p, err := m.Plan(t.Context(), s); err != nil || !p.Empty() {
		t.Errorf("after a reboot: %v\n%s", err, p)
	}
	written("second")
}
