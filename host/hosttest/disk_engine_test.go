package hosttest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/machinetest"
)

const theDisk = "/dev/disk/by-id/usb-Samsung_SSD_870_D1"

// managed returns a machine with one disk, and how it is managed.
func managed(t *testing.T, disks ...hosttest.Disk) (*hosttest.Machine, *host.Machine) {
	t.Helper()
	for i := range disks {
		if disks[i].Serial == "" {
			disks[i].Serial = fmt.Sprint("D", i+1)
		}
		if disks[i].Size == 0 {
			disks[i].Size = 1 << 30
		}
	}
	box := hosttest.New(t, hosttest.Config{Disks: disks})
	m := machinetest.Fake(t, "pi1", box)
	return box, m
}

// TestDiskDecision plans host.Disk over disks in every state that it tells apart.
func TestDiskDecision(t *testing.T) {
	const cutOff = "printf 'label: gpt\ntype=L, name=\"lab-unfinished\"\n' | sfdisk -q /dev/sda\n"
	fs := func(kind, label string) *hosttest.Partition { return &hosttest.Partition{FSType: kind, Label: label} }
	for _, c := range []struct {
		name   string
		disk   hosttest.Disk
		before string // run by root first
		want   string // of the error; "" for a disk that is initialised; "-" for nothing to do
	}{
		{"blank", hosttest.Disk{}, "", ""},
		{"already made", hosttest.Disk{Partitions: []hosttest.Partition{*fs("ext4", "lab")}}, "", "-"},
		{"already made and mounted",
			hosttest.Disk{Partitions: []hosttest.Partition{{FSType: "ext4", Label: "lab", Mount: "/mnt"}}}, "", "-"},
		{"another file system of the label", hosttest.Disk{Partitions: []hosttest.Partition{*fs("xfs", "lab")}}, "",
			`"lab" is xfs, not ext4`},
		{"data at the start", hosttest.Disk{Raw: map[int64][]byte{5 << 20: []byte("x")}}, "",
			"there is data on it, at 0 MiB"},
		{"data at the end", hosttest.Disk{Raw: map[int64][]byte{1<<30 - 5: []byte("x")}}, "",
			"there is data on it, at 1008 MiB"},
		{"a file system", hosttest.Disk{Filesystem: fs("ext4", "other")}, "", "/dev/sda contains ext4"},
		{"an LVM volume", hosttest.Disk{Filesystem: fs("LVM2_member", "")}, "", "/dev/sda contains LVM2_member"},
		{"a signature from elsewhere", hosttest.Disk{Raw: map[int64][]byte{0x10040: []byte("_BHRfS_M")}}, "",
			"/dev/sda contains btrfs"},
		{"an empty partition", hosttest.Disk{Partitions: []hosttest.Partition{{}}}, "", "it has the partition /dev/sda1"},
		{"an empty partition table", hosttest.Disk{}, "printf 'label: gpt\n' | sfdisk -q /dev/sda",
			"it has the signature of"},
		{"a mounted partition", hosttest.Disk{Partitions: []hosttest.Partition{*fs("ext4", "other")}},
			"mount /dev/sda1 /mnt", "/dev/sda1 is mounted at /mnt"},
		{"swap in use", hosttest.Disk{Filesystem: fs("swap", "")}, "swapon /dev/sda", "/dev/sda is mounted at [SWAP]"},
		{"in fstab", hosttest.Disk{}, "echo '" + theDisk + " /mnt ext4 noauto 0 0' >>/etc/fstab", "/etc/fstab names it"},
		{"in fstab, by another name", hosttest.Disk{}, "ln -s ../../sda /dev/disk/by-id/wwn-0x5\n" +
			"echo ' /dev/disk/by-id/wwn-0x5 /mnt ext4 noauto 0 0' >>/etc/fstab",
			"/etc/fstab names it, as /dev/disk/by-id/wwn-0x5"},
		{"data between", hosttest.Disk{Raw: map[int64][]byte{(16 + 13) << 20: []byte("x")}}, "",
			"there is data on it, at 29 MiB"},
		{"cut off before the file system", hosttest.Disk{}, cutOff, ""},
		{"cut off, and then used", hosttest.Disk{}, cutOff + "mkfs.ext4 -q /dev/sda1", "/dev/sda1 contains ext4"},
		{"cut off after the file system", hosttest.Disk{}, cutOff + "mkfs.ext4 -q -L lab /dev/sda1", ""},
		{"small", hosttest.Disk{Size: 32 << 20}, "", "fewer than 67108864"},
		{"data at the end of a small one", hosttest.Disk{Size: 100<<20 + 512, Raw: map[int64][]byte{100<<20 + 511: {1}}}, "",
			"there is data on it, at 96 MiB"},
		{"wiped", hosttest.Disk{Filesystem: fs("ext4", "other")},
			"dd if=/dev/zero of=/dev/sda bs=1M count=1 2>/dev/null", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			box, m := managed(t, c.disk)
			if out, err := box.Exec(c.before); err != nil {
				t.Fatal(out, err)
			}
			s := host.State{host.Disk{Device: theDisk, Label: "lab", Initialise: host.InitialiseIfBlank}}
			p, err := m.Plan(t.Context(), s)
			switch {
			case c.want != "" && c.want != "-":
				if err == nil || !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v\n%v\nwant %q", p, err, c.want)
				}
			case err != nil:
				t.Error(err)
			case p.Empty() != (c.want == "-"):
				t.Errorf("got %s", p)
			}
		})
	}
}

// TestDiskAmongOthers: what other disks of the machine have keeps a disk from being initialised, or mounted.
func TestDiskAmongOthers(t *testing.T) {
	part := func(label, uuid string) []hosttest.Partition {
		return []hosttest.Partition{{FSType: "ext4", Label: label, UUID: uuid}}
	}
	const id = "11111111-2222-3333-4444-555555555555"
	for want, disks := range map[string][]hosttest.Disk{
		"/dev/sdb1 on another disk has the label":   {{}, {Partitions: part("lab", "")}},
		"on another disk has the label \"lab\" too": {{Partitions: part("lab", "")}, {Partitions: part("lab", "")}},
		"/dev/sda has the same name":                {{}, {Serial: "D1"}}, // the link leads to sdb
		"/dev/sdb1 is a copy of /dev/sda1":          {{Partitions: part("lab", id)}, {Partitions: part("other", id)}},
	} {
		_, m := managed(t, disks...)
		p, err := m.Plan(t.Context(),
			host.State{host.Disk{Device: theDisk, Label: "lab", Initialise: host.InitialiseIfBlank}})
		if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v\n%v", want, err, p)
		}
	}
	_, m := managed(t, hosttest.Disk{})
	_, err := m.Plan(t.Context(),
		host.State{host.Disk{Device: theDisk, Label: "lab", Initialise: host.InitialiseIfBlank, Serial: "D9"}})
	if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), `serial number is "D1", not "D9"`) {
		t.Error(err)
	}
}

// TestDiskChangesAfterThePlan: a disk that is no longer what the plan saw is not touched.
func TestDiskChangesAfterThePlan(t *testing.T) {
	for change, want := range map[string]string{
		"printf x | dd of=/dev/sda bs=1048576 seek=29 conv=notrunc 2>/dev/null": "no longer blank",
		"mkfs.ext4 -q /dev/sda":                           "no longer blank",
		"printf 'label: gpt\n,,L\n' | sfdisk -q /dev/sda": "no longer blank",
		"ln -sfn ../../sdb " + theDisk:                    "a different disk",
	} {
		box, m := managed(t, hosttest.Disk{}, hosttest.Disk{})
		p, err := m.Plan(t.Context(),
			host.State{host.Disk{Device: theDisk, Label: "lab", Initialise: host.InitialiseIfBlank}})
		if err != nil {
			t.Fatal(err)
		}
		if out, err := box.Exec(change); err != nil {
			t.Fatal(out, err)
		}
		const look = "lsblk -J -o NAME,FSTYPE,LABEL,PARTLABEL; dd if=/dev/sda bs=1M count=64 2>/dev/null | sha256sum"
		before, _ := box.Exec(look)
		_, err = p.Apply(t.Context(), &lab.ApplyOptions{Confirmed: confirmAll(p)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", change, err)
		}
		if after, _ := box.Exec(look); after != before {
			t.Errorf("%s: the disk was changed: %s", change, lab.Diff("lsblk", []byte(before), []byte(after)))
		}
	}
}

// TestDiskAndPowerCuts cuts the power at every write of a run that initialises and mounts a disk. The machine boots,
// and the next runs end as one that was not cut off; what is initialised again is confirmed again.
func TestDiskAndPowerCuts(t *testing.T) {
	disk := host.Disk{Device: theDisk, Label: "lab", Initialise: host.InitialiseIfBlank}
	want := host.State{disk, host.Mount{Order: host.Order{After: []string{disk.ID()}}, Path: "/srv/data",
		Source: "LABEL=lab", ByUUID: true, Immutable: true, Options: []string{"noatime", "nofail"}, Pass: 2}}
	settle := func(box *hosttest.Machine, m *host.Machine) {
		t.Helper()
		p, err := m.Plan(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := p.Apply(t.Context(), &lab.ApplyOptions{Confirmed: confirmAll(p)}); err != nil {
			t.Fatalf("%v\n%s", err, r)
		}
		if p, err = m.Plan(t.Context(), want); err != nil || !p.Empty() {
			t.Errorf("%v\n%s", err, p)
		}
		out, err := box.Exec("lsblk -n -r -o NAME,FSTYPE,LABEL,PARTLABEL,MOUNTPOINT /dev/sda; grep -c srv.data /etc/fstab\n" +
			"findmnt --verify; unshare -m sh -c 'umount -l /srv/data; lsattr -d /srv/data'")
		if wanted := "sda    \nsda1 ext4 lab lab /srv/data\n1\nSuccess, no errors or warnings detected\n" +
			"----i---------e------- /srv/data\n"; err != nil || out != wanted {
			t.Errorf("%v\n%s", err, lab.Diff("machine", []byte(wanted), []byte(out)))
		}
	}
	box, m := managed(t, hosttest.Disk{Size: 80 << 20})
	before := box.Counters().Writes
	settle(box, m)
	writes := int(box.Counters().Writes - before)
	if writes < 10 {
		t.Fatalf("%d writes", writes)
	}
	resumed := 0
	for k := 1; k <= writes; k++ {
		box, m := managed(t, hosttest.Disk{Size: 80 << 20})
		p, err := m.Plan(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		up := box.Faults().PowerCutAtWrite(k)
		if _, err := p.Apply(t.Context(), &lab.ApplyOptions{Confirmed: confirmAll(p)}); err == nil {
			t.Errorf("write %d: no error", k)
		}
		<-up
		if out, err := box.Exec("systemctl is-system-running"); err != nil {
			t.Errorf("write %d: it does not boot: %s %v", k, out, err)
		}
		if p, err = m.Plan(t.Context(), want); err != nil {
			t.Fatalf("write %d: %v", k, err)
		}
		if strings.Contains(p.String(), "cut off") {
			resumed++
		}
		settle(box, m)
		m.Close()
		box.Close()
	}
	if resumed < 2 {
		t.Errorf("%d runs were resumed", resumed)
	}
}

// confirmAll confirms every change that may lose data.
func confirmAll(p *lab.Plan) (yes []lab.Confirmation) {
	for _, c := range p.Changes() {
		if c.Risk == lab.RiskDataLoss {
			yes = append(yes, lab.Confirm(c.ID))
		}
	}
	return yes
}

func TestDiskThatIsNotThere(t *testing.T) {
	_, m := managed(t, hosttest.Disk{})
	_, err := m.Plan(t.Context(),
		host.State{host.Disk{Device: theDisk + "X", Label: "lab", Initialise: host.InitialiseIfBlank}})
	if !errors.Is(err, lab.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestDiskIsMade initialises a disk and mounts it, finds nothing to do then, and nothing after a reboot.
func TestDiskIsMade(t *testing.T) {
	for _, kind := range []string{"ext4", "xfs"} {
		t.Run(kind, func(t *testing.T) {
			box, m := managed(t, hosttest.Disk{})
			disk := host.State{host.Disk{Device: theDisk, Label: "lab", FSType: kind, Initialise: host.InitialiseIfBlank}}
			p, err := m.Plan(t.Context(), disk)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Apply(t.Context(), nil); err == nil {
				t.Fatal("it was made without a confirmation")
			}
			if r, err := p.Apply(t.Context(), &lab.ApplyOptions{Confirmed: confirmAll(p)}); err != nil {
				t.Fatal(err, r)
			}
			all := append(disk,
				host.Mount{Path: "/srv/data", Source: "LABEL=lab", FSType: kind,
					Options: []string{"defaults", "noatime", "nofail"}, Pass: 2})
			if p, err = m.Plan(t.Context(), all); err != nil {
				t.Fatal(err)
			}
			if r, err := p.Apply(t.Context(), nil); err != nil {
				t.Fatal(err, r)
			}
			for range 2 {
				out, err := box.Exec("findmnt -n -r -o SOURCE,TARGET,FSTYPE --target /srv/data; findmnt --verify")
				if want := "/dev/sda1 /srv/data " + kind + "\nSuccess, no errors or warnings detected\n"; out != want ||
					err != nil {
					t.Errorf("got %q, %v, want %q", out, err, want)
				}
				if p, err = m.Plan(t.Context(), all); err != nil || !p.Empty() {
					t.Errorf("%v\n%s", err, p)
				}
				box.Reboot()
				m.Close()
			}
		})
	}
}

// TestAnotherMount: what is mounted in the place of the source is told, and left alone; options that can be added at
// once are.
func TestAnotherMount(t *testing.T) {
	box, m := managed(t, hosttest.Disk{Partitions: []hosttest.Partition{{FSType: "ext4", Label: "a"}}},
		hosttest.Disk{Partitions: []hosttest.Partition{{FSType: "ext4", Label: "b"}}})
	want := func(source string, options ...string) host.State {
		return host.State{host.Mount{Path: "/srv/data", Source: source, Options: options}}
	}
	if out, err := box.Exec("mkdir /srv/data && mount LABEL=a /srv/data"); err != nil {
		t.Fatal(out, err)
	}
	for _, source := range []string{"LABEL=b", "/dev/disk/by-label/b", "nas:/export"} {
		_, err := m.Plan(t.Context(), want(source))
		if !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "/dev/sda1 is mounted there, not "+source) {
			t.Errorf("%s: %v", source, err)
		}
	}
	if out, _ := box.Exec("cat /etc/fstab"); strings.Contains(out, "/srv/data") {
		t.Errorf("written all the same: %s", out)
	}
	for _, s := range []host.State{want("LABEL=a"), want("LABEL=a", "noatime", "nodev"),
		want("/dev/disk/by-label/a", "noatime", "nodev"), want("LABEL=nosuch", "noatime", "nodev")} {
		p, err := m.Plan(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := p.Apply(t.Context(), nil); err != nil {
			t.Fatal(err, r)
		}
		if p, err = m.Plan(t.Context(), s); err != nil || !p.Empty() {
			t.Errorf("%v\n%s", err, p)
		}
	}
	if out, err := box.Exec("findmnt -n -o OPTIONS /srv/data"); err != nil || !strings.Contains(out, "noatime") ||
		!strings.Contains(out, "nodev") {
		t.Errorf("%s %v", out, err)
	}
}
