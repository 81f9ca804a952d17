package disk_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/disk"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// realDisk is a loop device of this machine that a real machine sees as a disk with a serial number.
type realDisk struct {
	t    *testing.T
	box  *real.Machine
	m    *host.Machine
	file string
	loop string // "loop7"
	id   string // below /dev/disk/by-id
}

// realMachine boots a Debian machine with a blank disk of 512 MiB.
func realMachine(t *testing.T) *realDisk {
	box := real.Machines(t, 1)[0]
	d := &realDisk{t: t, box: box, file: filepath.Join(t.TempDir(), "disk")}
	d.m = &host.Machine{Target: ssh.Target{Name: "pi1", Address: box.Addr, User: box.User, ConnectTimeout: time.Minute,
		Auth:     ssh.Auth{Signers: []cryptossh.Signer{box.Key}},
		HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(box.HostKey))}},
		Boundary: &lab.Boundary{Name: "test", Allow: []netip.Prefix{netip.MustParsePrefix("172.31.0.0/16")}}}}
	t.Cleanup(func() { d.m.Close() })
	if err := os.WriteFile(d.file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.file, 512<<20); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", "--partscan", "--find", "--show", d.file).Output()
	if err != nil {
		t.Fatal(err)
	}
	dev := strings.TrimSpace(string(out))
	t.Cleanup(func() { exec.Command("losetup", "--detach", dev).Run() })
	d.loop = filepath.Base(dev)
	d.id = "/dev/disk/by-id/lab-" + d.loop
	// Without devtmpfs, udev has to make the nodes; and this kernel may not know the GPT, which partx reads by itself.
	rule := fmt.Sprintf(`KERNEL=="%[1]sp*", IMPORT{program}="/bin/sh -c 'rm -f /dev/%%k; mknod /dev/%%k b %%M %%m'"
KERNEL=="%[1]s", IMPORT{program}="/bin/sh -c 'test -b /dev/%%k || mknod /dev/%%k b %%M %%m'"
KERNEL=="%[1]s", SYMLINK+="disk/by-id/lab-%[1]s", RUN+="/bin/sh -c 'test -e /sys/block/%%k/%%kp1 || partx --add /dev/%%k'"
`, d.loop)
	d.run("printf '%s' " + ssh.Quote(rule) + " >/etc/udev/rules.d/00-lab-disk.rules; udevadm control --reload\n" +
		"udevadm trigger --settle /sys/block/" + d.loop + "; test -b " + d.id)
	return d
}

// run runs a script as root on the machine, and returns its output.
func (d *realDisk) run(script string) string {
	d.t.Helper()
	var out strings.Builder
	res, err := d.m.Run(d.t.Context(), ssh.Command{Root: true, Script: "set -e\n" + script, Stdout: &out})
	if err == nil {
		err = res.Err()
	}
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", script, err, out.String())
	}
	return out.String()
}

// fails runs a script that must fail.
func (d *realDisk) fails(script string) {
	d.t.Helper()
	if res, err := d.m.Run(d.t.Context(), ssh.Command{Root: true, Script: script}); err != nil || res.Exit == 0 {
		d.t.Errorf("%s does not fail: %v", script, err)
	}
}

// converge applies the state, and sees that nothing is left to do.
func (d *realDisk) converge(s host.State) {
	d.t.Helper()
	p, err := d.m.Plan(d.t.Context(), s)
	if err != nil {
		d.t.Fatal(err)
	}
	var yes []lab.Confirmation
	for _, c := range p.Changes() {
		if c.Risk == lab.RiskDataLoss {
			yes = append(yes, lab.Confirm(c.ID))
		}
	}
	if r, err := p.Apply(d.t.Context(), &lab.ApplyOptions{Confirmed: yes}); err != nil {
		d.t.Fatalf("%v\n%s", err, r)
	}
	d.unchanged(s)
}

func (d *realDisk) unchanged(s host.State) {
	d.t.Helper()
	if p, err := d.m.Plan(d.t.Context(), s); err != nil || !p.Empty() {
		d.t.Errorf("there is something to do: %v\n%s", err, p)
	}
}

func (d *realDisk) reboot() {
	d.t.Helper()
	d.m.Close()
	if err := d.box.Reboot(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

// TestOnMachine makes a disk of a real Debian machine, and boots it without the file system.
func TestOnMachine(t *testing.T) {
	d := realMachine(t)
	s := disk.Config{Disks: []disk.Disk{{Device: d.id, Label: "lab-" + d.loop, Path: "/mnt/backups",
		Initialise: host.InitialiseIfBlank, Writers: []string{"writer.service"}}}}.State()
	d.run("printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/usr/bin/touch /mnt/backups/mark\\n" +
		"[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/writer.service; systemctl daemon-reload\n" +
		"systemctl enable writer.service")

	d.run("udevadm info -q symlink -n /dev/" + d.loop + " | tr ' ' '\\n' | grep -q -x -F " + strings.TrimPrefix(d.id, "/dev/"))
	t.Run("refused with data and no signature", func(t *testing.T) {
		d.run("printf photos | dd of=/dev/" + d.loop + " bs=1M seek=29 conv=notrunc,fsync 2>/dev/null")
		_, err := d.m.Plan(t.Context(), s)
		if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), "there is data on it") {
			t.Error(err)
		}
		d.run("dd if=/dev/zero of=/dev/" + d.loop + " bs=1M seek=29 count=1 conv=notrunc,fsync 2>/dev/null")
	})
	t.Run("cut off before the file system", func(t *testing.T) {
		d.run("printf 'label: gpt\\ntype=L, name=\"lab-unfinished\"\\n' | sfdisk -q /dev/" + d.loop + "; udevadm settle\n" +
			"printf bitmaps | dd of=/dev/" + d.loop + "p1 bs=1M seek=8 conv=notrunc,fsync 2>/dev/null")
		p, err := d.m.Plan(t.Context(), s)
		if err != nil || !strings.Contains(p.String(), "it was cut off while its file system was created") {
			t.Fatalf("%v\n%s", err, p)
		}
	})
	d.converge(s)
	const look = "findmnt -n -o FSTYPE /mnt/backups; findmnt --verify --tab-file /etc/fstab | tail -n 1\n" +
		"systemctl is-active mnt-backups.mount writer.service || :; ls /mnt/backups\n" +
		"unshare -m sh -c 'umount -l /mnt/backups; lsattr -d /mnt/backups | cut -c 5; ls -A /mnt/backups'"
	if out := d.run("systemctl start writer.service\n" + look); out != "ext4\nSuccess, no errors or warnings detected\n"+
		"active\nactive\nlost+found\nmark\ni\n" {
		t.Errorf("got %q", out)
	}
	if out := d.run("lsblk -n -r -o PARTLABEL /dev/" + d.loop + "p1; grep -c ^UUID=.*/mnt/backups /etc/fstab"); out !=
		"lab-"+d.loop+"\n1\n" {
		t.Errorf("got %q", out)
	}
	d.unchanged(s)
	// In a container systemd does not learn of devices, so that what a boot does with fstab is done here.
	if out := d.run("systemctl stop writer.service; umount /mnt/backups; mount -a; systemctl start writer.service\n" + look); !strings.HasSuffix(out,
		"active\nactive\nlost+found\nmark\ni\n") {
		t.Errorf("mounted again: %q", out)
	}
	d.unchanged(s)
	t.Run("cut off after the file system", func(t *testing.T) {
		d.run("sfdisk -q --part-label /dev/" + d.loop + " 1 lab-unfinished; udevadm settle")
		d.converge(s)
	})
	t.Run("without the disk", func(t *testing.T) {
		d.run("sed -i 's/device-timeout=30s/device-timeout=2s/; s/^UUID=[^ ]*/UUID=11111111-2222-3333-4444-555555555555/' /etc/fstab")
		d.reboot()
		d.fails("mountpoint -q /mnt/backups")
		d.fails("systemctl start writer.service")
		d.fails("touch /mnt/backups/lost")
		if out := d.run("ls -A /mnt/backups"); out != "" {
			t.Errorf("something was written: %q", out)
		}
		d.converge(s)
		d.run("systemctl start writer.service")
	})
	d.run("systemctl stop writer.service; umount /mnt/backups")
}
