package disk_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/disk"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/machinetest"
)

var update = flag.Bool("update", false, "write the golden files")

const samsung, western = "/dev/disk/by-id/usb-Samsung_SSD_870_S1", "/dev/disk/by-id/usb-Western_Digital_S2"

// two returns the disks of a Pi: one for Longhorn, one for backups.
func two() disk.Config {
	return disk.Config{Disks: []disk.Disk{
		{Device: samsung, Label: "longhorn", Path: "/var/lib/longhorn", Initialise: host.InitialiseIfBlank,
			MinSize: 64 << 20, Serial: "S1", Writers: []string{"k3s.service", "writer.service"}},
		{Device: western, Label: "backups", Path: "/mnt/backups", Initialise: host.InitialiseIfBlank,
			Options: []string{"nodev"}},
	}}
}

// pi returns a machine with the two disks, and how it is managed.
func pi(t *testing.T, disks ...hosttest.Disk) (*hosttest.Machine, *host.Machine) {
	t.Helper()
	models := []string{"Samsung SSD 870", "Western Digital"}
	for i := range disks {
		disks[i].Serial, disks[i].Model = fmt.Sprint("S", i+1), models[i]
		if disks[i].Size == 0 {
			disks[i].Size = 80 << 20
		}
	}
	box := hosttest.New(t, hosttest.Config{Disks: disks})
	m := machinetest.Fake(t, "pi1", box)
	return box, m
}

func run(t *testing.T, box *hosttest.Machine, script string) string {
	t.Helper()
	out, err := box.Exec(script)
	if err != nil {
		t.Fatalf("%s: %s %v", script, out, err)
	}
	return out
}

// confirm confirms the changes that may lose data by their IDs, which must name the disks.
func confirm(t *testing.T, p *lab.Plan) (yes []lab.Confirmation) {
	t.Helper()
	for _, c := range p.Changes() {
		if c.Risk != lab.RiskDataLoss {
			continue
		}
		if !strings.HasSuffix(c.ID, "/pi1/disk:"+samsung) && !strings.HasSuffix(c.ID, "/pi1/disk:"+western) {
			t.Errorf("the ID does not name the disk: %s", c.ID)
		}
		yes = append(yes, lab.Confirm(c.ID))
	}
	return yes
}

// converge applies the state and sees that nothing is left to do.
func converge(t *testing.T, m *host.Machine, s host.State) {
	t.Helper()
	p, err := m.Plan(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Apply(t.Context(), &lab.ApplyOptions{Confirmed: confirm(t, p)}); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	if p, err = m.Plan(t.Context(), s); err != nil || !p.Empty() {
		t.Fatalf("the second plan: %v\n%s", err, p)
	}
}

// TestPlanGolden shows the plan of a machine with two blank disks.
func TestPlanGolden(t *testing.T) {
	_, m := pi(t, hosttest.Disk{}, hosttest.Disk{})
	p, err := m.Plan(t.Context(), two().State())
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/plan.golden"
	got := regexp.MustCompile(`PARTUUID=[0-9a-f]{8}`).ReplaceAll([]byte(p.String()), []byte("PARTUUID=00000000"))
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || !bytes.Equal(want, got) {
		t.Errorf("%v\n%s", err, lab.Diff(file, want, got))
	}
	// nothing at all is done without the confirmation of every disk
	if _, err := p.Apply(t.Context(), &lab.ApplyOptions{Confirmed: confirm(t, p)[:1]}); !errors.Is(err, lab.ErrRefused) ||
		!strings.Contains(err.Error(), western) {
		t.Errorf("it was made without a confirmation: %v", err)
	}
}

// TestConverges makes both disks, reboots, and loses one of them.
func TestConverges(t *testing.T) {
	box, m := pi(t, hosttest.Disk{}, hosttest.Disk{})
	run(t, box, "printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/usr/bin/touch /var/lib/longhorn/mark\\n' "+
		">/etc/systemd/system/writer.service")
	s := two().State()
	converge(t, m, s)
	const mounts = "findmnt -n -r -o SOURCE,TARGET,FSTYPE /var/lib/longhorn; findmnt -n -r -o SOURCE,TARGET,FSTYPE /mnt/backups"
	const wanted = "/dev/sda1 /var/lib/longhorn ext4\n/dev/sdb1 /mnt/backups ext4\n"
	for range 2 {
		if out := run(t, box, mounts); out != wanted {
			t.Errorf("got %q", out)
		}
		if p, err := m.Plan(t.Context(), s); err != nil || !p.Empty() {
			t.Errorf("%v\n%s", err, p)
		}
		box.Reboot()
		m.Close()
	}
	// Without the disk the machine boots, the directory stays empty, and what writes there does not start.
	run(t, box, "sed -i 's/^UUID=[^ ]* .var.lib.longhorn/UUID=11111111-2222-3333-4444-555555555555 \\/var\\/lib\\/longhorn/' /etc/fstab")
	box.Reboot()
	m.Close()
	if out, err := box.Exec("systemctl start writer.service"); err == nil {
		t.Errorf("a writer starts without the disk: %s", out)
	}
	if out, err := box.Exec("touch /var/lib/longhorn/lost"); err == nil {
		t.Errorf("something can be written without the disk: %s", out)
	}
	converge(t, m, s)
	run(t, box, "systemctl start writer.service; test -e /var/lib/longhorn/mark")
}

// TestRefuses: every guard refuses, and nothing is changed.
func TestRefuses(t *testing.T) {
	ext4 := func(label, mount string) hosttest.Disk {
		return hosttest.Disk{Partitions: []hosttest.Partition{{FSType: "ext4", Label: label, Mount: mount}}}
	}
	serial := two()
	serial.Disks[0].Serial = "S9"
	small := two()
	small.Disks[0].MinSize = 1 << 40
	for _, c := range []struct {
		name   string
		config disk.Config
		disk   hosttest.Disk
		before string
		kind   error
		want   string
	}{
		{"data without a signature", two(), hosttest.Disk{Raw: map[int64][]byte{20 << 20: []byte("photos")}}, "",
			lab.ErrRefused, "there is data on it, at 16 MiB"},
		{"mounted", two(), ext4("photos", ""), "mkdir /srv/photos; mount /dev/sda1 /srv/photos", lab.ErrRefused,
			"/dev/sda1 is mounted at /srv/photos"},
		{"the file system of somebody else", two(), ext4("photos", ""), "", lab.ErrRefused, "/dev/sda1 contains ext4"},
		{"wrong serial number", serial, hosttest.Disk{}, "", lab.ErrRefused, `serial number is "S1", not "S9"`},
		{"wrong serial number of a disk with the label", serial, ext4("longhorn", ""), "", lab.ErrRefused, `not "S9"`},
		{"too small", small, hosttest.Disk{}, "", lab.ErrRefused, "fewer than"},
		{"something else is mounted there", two(), ext4("longhorn", ""), "mkdir /var/lib/longhorn; mount -t tmpfs tmpfs /var/lib/longhorn",
			lab.ErrConflict, "tmpfs is mounted there"},
		{"the directory is in use", two(), ext4("longhorn", ""), "mkdir -p /var/lib/longhorn/replicas", lab.ErrConflict,
			"the directory is not empty: replicas"},
	} {
		t.Run(c.name, func(t *testing.T) {
			box, m := pi(t, c.disk, hosttest.Disk{})
			run(t, box, c.before)
			writes := box.Counters().Writes
			p, err := m.Plan(t.Context(), c.config.State())
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) || len(lab.Hints(err)) == 0 {
				t.Errorf("%v\n%s", err, p)
			}
			if n := box.Counters().Writes; n != writes {
				t.Errorf("the plan wrote %d times", n-writes)
			}
		})
	}
}

// TestWrittenUnderTheMount: the plan names what a mount hides, and protects the directory all the same.
func TestWrittenUnderTheMount(t *testing.T) {
	box, m := pi(t, hosttest.Disk{Partitions: []hosttest.Partition{{FSType: "ext4", Label: "longhorn"}}}, hosttest.Disk{})
	run(t, box, "mkdir -p /var/lib/longhorn/replicas /var/lib/longhorn/x; mount /dev/sda1 /var/lib/longhorn")
	s := two().State()
	p, err := m.Plan(t.Context(), s)
	if err != nil || !strings.Contains(p.String(), "the mount hides replicas and 1 more") {
		t.Fatalf("%v\n%s", err, p)
	}
	converge(t, m, s)
	if out := run(t, box, "findmnt -n -o SOURCE /var/lib/longhorn; umount /var/lib/longhorn; ls /var/lib/longhorn"); out !=
		"/dev/sda1\nreplicas\nx\n" {
		t.Errorf("got %q", out)
	}
}

func TestValidate(t *testing.T) {
	if ps := append((disk.Config{}).Validate(), two().Validate()...); len(ps) > 0 {
		t.Error(ps)
	}
	for want, change := range map[string]func(*disk.Disk){
		"disks[1].device: does not name the disk by its serial number": func(d *disk.Disk) { d.Device = "/dev/sda" },
		"disks[1].device: the same as disks[0].device":                 func(d *disk.Disk) { d.Device = samsung },
		"disks[1].label: is not a label":                               func(d *disk.Disk) { d.Label = "" },
		"disks[1].label: the same as disks[0].label":                   func(d *disk.Disk) { d.Label = "longhorn" },
		"disks[1].fsType: is not supported":                            func(d *disk.Disk) { d.FSType = "btrfs" },
		"disks[1].path: is not a mount point":                          func(d *disk.Disk) { d.Path = "/mnt/a b" },
		"disks[1].path: the same as disks[0].path":                     func(d *disk.Disk) { d.Path = "/var/lib/longhorn" },
		"disks[1].options: is not an option of a disk":                 func(d *disk.Disk) { d.Options = []string{"noauto"} },
		"disks[1].options: contains a space":                           func(d *disk.Disk) { d.Options = []string{"a,b"} },
		"disks[1].writers[0]: ":                                        func(d *disk.Disk) { d.Writers = []string{"no unit"} },
		"disks[1].initialise: is unknown":                              func(d *disk.Disk) { d.Initialise = "yes" },
	} {
		c := two()
		change(&c.Disks[1])
		if ps := c.Validate(); len(ps) != 1 || !strings.HasPrefix(ps[0].String(), want) {
			t.Errorf("want %q, got:\n%v", want, ps)
		}
	}
}

func ExampleConfig() {
	c := disk.Config{Disks: []disk.Disk{{Device: "/dev/sda", Label: "backups", Path: "/mnt/backups"}}}
	fmt.Println(c.Validate())
	c.Disks[0].Device = "/dev/disk/by-id/ata-WDC_WD40EFRX_WCC7K1"
	c.Disks[0].Writers = []string{"docker.service"}
	for _, r := range c.State() {
		fmt.Println(r.ID())
	}
	// Output:
	// disks[0].device: does not name the disk by its serial number: /dev/sda (use a path listed by: ls -l /dev/disk/by-id)
	// dropin:docker.service/lab-disk-backups
	// disk:/dev/disk/by-id/ata-WDC_WD40EFRX_WCC7K1
	// mount:/mnt/backups
}
