package host

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// TestDiskDecides is the whole decision table: what a disk needs, or why it may not be used.
func TestDiskDecides(t *testing.T) {
	const dev = "/dev/sda"
	d := Disk{Device: "/dev/disk/by-id/usb-X_S1", Label: "longhorn", Initialise: InitialiseIfBlank, MinSize: 1 << 39}
	named := d
	named.Serial = "S1"
	never := d
	never.Initialise = ""
	made := blockDevice{Path: "/dev/sda1", Type: "part", Label: "longhorn", FSType: "ext4", UUID: "U1", PartLabel: "longhorn"}
	begun := blockDevice{Path: "/dev/sda1", Type: "part", PartLabel: unfinished}
	add := func(p blockDevice) func(*diskFacts) {
		return func(f *diskFacts) { f.parts, f.blank = append(f.parts, p), false }
	}
	with := func(p blockDevice, change func(*blockDevice)) func(*diskFacts) {
		change(&p)
		return add(p)
	}
	other := func(p blockDevice) func(*diskFacts) {
		return func(f *diskFacts) { f.others = append(f.others, p) }
	}
	both := func(a, b func(*diskFacts)) func(*diskFacts) { return func(f *diskFacts) { a(f); b(f) } }
	for _, c := range []struct {
		name  string
		d     Disk
		facts func(*diskFacts)
		step  step
		want  string // part of the error
	}{
		{"blank", d, func(*diskFacts) {}, initialise, ""},
		{"blank, with the serial number", named, func(*diskFacts) {}, initialise, ""},
		{"a blank loop device", d, func(f *diskFacts) { f.parts[0].Type = "loop" }, initialise, ""},
		{"among others", d, other(blockDevice{Path: "/dev/sdb", Type: "disk", Serial: "S2", Label: "x"}), initialise, ""},
		{"others without a serial number", d, func(f *diskFacts) {
			f.serial, f.others = "", []blockDevice{{Path: "/dev/loop0"}}
		}, initialise, ""},
		{"has the file system", d, add(made), nothing, ""},
		{"has it and may not be initialised", never, add(made), nothing, ""},
		{"has it, mounted and in fstab", d, both(with(made, func(p *blockDevice) { p.MountPoint = "/mnt" }),
			func(f *diskFacts) { f.fstab = dev + "1" }), nothing, ""},
		{"has it on the whole disk", d, func(f *diskFacts) {
			f.parts[0].Label, f.parts[0].FSType = "longhorn", "ext4"
		}, nothing, ""},
		{"has it beside another partition", d, both(add(blockDevice{Path: "/dev/sda1", FSType: "vfat"}), add(made)), nothing, ""},
		{"has it, and is small", d, both(add(made), func(f *diskFacts) { f.size = 1 }), nothing, ""},

		{"cut off before the file system", d, add(begun), resume, ""},
		{"cut off after it", d, with(made, func(p *blockDevice) { p.PartLabel = unfinished }), finish, ""},
		{"cut off after it, and mounted", d, with(made, func(p *blockDevice) { p.PartLabel, p.MountPoint = unfinished, "/m" }),
			finish, ""},
		{"cut off, and may not be initialised", never, add(begun), nothing, "no file system with the label"},
		{"cut off, and then used", d, with(begun, func(p *blockDevice) { p.FSType, p.Label = "ext4", "photos" }), nothing,
			"/dev/sda1 contains ext4"},
		{"cut off, and then mounted", d, with(begun, func(p *blockDevice) { p.MountPoint = "/m" }), nothing, "is mounted at /m"},
		{"cut off, with a signature", d, both(add(begun), func(f *diskFacts) { f.signature = "zfs_member" }), nothing,
			"signature of zfs_member"},
		{"cut off, and another partition", d, both(add(begun), add(blockDevice{Path: "/dev/sda2", Type: "part"})), nothing,
			"has the partition /dev/sda1"},
		{"cut off, and in fstab", d, both(add(begun), func(f *diskFacts) { f.fstab = "/dev/sda1" }), nothing, "names it"},

		{"missing", d, func(f *diskFacts) { *f = diskFacts{missing: true} }, nothing, "not found"},
		{"never", never, func(*diskFacts) {}, nothing, "no file system with the label"},
		{"another serial number", named, func(f *diskFacts) { f.serial = "S9" }, nothing, `serial number is "S9", not "S1"`},
		{"another serial number, with the label", named, both(add(made), func(f *diskFacts) { f.serial = "S9" }), nothing,
			`serial number is "S9", not "S1"`},
		{"no serial number", named, func(f *diskFacts) { f.serial = "" }, nothing, `serial number is "", not "S1"`},
		{"another disk with the name", d, func(f *diskFacts) { f.twin = "/dev/sdb" }, nothing, "/dev/sdb has the same name"},
		{"another bay of an enclosure, with the serial number", d, other(blockDevice{Path: "/dev/sdb", Serial: "S1"}),
			initialise, ""},
		{"the label on another file system", d, with(made, func(p *blockDevice) { p.FSType = "ntfs" }), nothing, "is ntfs, not ext4"},
		{"the label twice", d, both(add(made), with(made, func(p *blockDevice) { p.Path = "/dev/sda2" })), nothing,
			"/dev/sda1 and /dev/sda2 both have the label"},
		{"the label on another disk too", d, both(add(made), other(blockDevice{Path: "/dev/sdb1", Label: "longhorn"})), nothing,
			"/dev/sdb1 on another disk has the label"},
		{"a copy of it", d, both(add(made), other(blockDevice{Path: "/dev/sdb1", UUID: "U1"})), nothing, "is a copy of /dev/sda1"},
		{"the label on another disk", d, other(blockDevice{Path: "/dev/sdb1", Label: "longhorn"}), nothing,
			"this disk has no such file system"},
		{"read-only", d, func(f *diskFacts) { f.readOnly = true }, nothing, "read-only"},
		{"a partition by a name of a disk", d, func(f *diskFacts) { f.parts[0].Type = "part" }, nothing, "of the type part"},
		{"a CD-ROM", d, func(f *diskFacts) { f.parts[0].Type = "rom" }, nothing, "of the type rom"},
		{"mounted", d, func(f *diskFacts) { f.parts[0].MountPoint = "/" }, nothing, "is mounted at /"},
		{"mounted, according to the kernel", d, func(f *diskFacts) { f.mounted = []string{"/x"} }, nothing, "mounted at /x"},
		{"the system's disk", d, add(blockDevice{Path: "/dev/sda2", Type: "part", FSType: "ext4", MountPoint: "/"}), nothing,
			"/dev/sda2 is mounted at /"},
		{"file system without partitions", d, func(f *diskFacts) { f.parts[0].FSType = "LVM2_member" }, nothing,
			"contains LVM2_member"},
		{"a partition", d, add(blockDevice{Path: "/dev/sda1", Type: "part"}), nothing, "has the partition"},
		{"in fstab", d, func(f *diskFacts) { f.fstab = "/dev/disk/by-id/wwn-0x5" }, nothing, "as /dev/disk/by-id/wwn-0x5"},
		{"swap", d, func(f *diskFacts) { f.swap = true }, nothing, "swap"},
		{"held", d, func(f *diskFacts) { f.holders = "dm-0" }, nothing, "held by dm-0"},
		{"signature", d, func(f *diskFacts) { f.signature = "crypto_LUKS" }, nothing, "signature of crypto_LUKS"},
		{"small", d, func(f *diskFacts) { f.size = 1 << 38 }, nothing, "fewer than"},
		{"raw data without a signature", d, func(f *diskFacts) { f.blank, f.data = false, "20" }, nothing, "data on it, at 20 MiB"},
		{"not read to the end", d, func(f *diskFacts) { f.blank = false }, nothing, "not enough of it could be read"},
	} {
		f := diskFacts{device: dev, serial: "S1", size: 1 << 40, blank: true,
			parts: []blockDevice{{Path: dev, Type: "disk", Serial: "S1"}}}
		c.facts(&f)
		got, err := c.d.decide(f)
		switch {
		case got != c.step:
			t.Errorf("%s: %q, want %q: %v", c.name, got, c.step, err)
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || len(lab.Hints(err)) == 0):
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestDiskOutput: output that cannot be parsed is an error, it does not count as "nothing found".
func TestDiskOutput(t *testing.T) {
	for _, out := range []string{"wipefs garbage", "blkid 4 cannot open", "blkid 8 ambivalent result", "lsblk\n{\n.",
		"device /dev/sda\nlsblk\n{\"blockdevices\": []}\n."} {
		if _, err := readDiskFacts(out); err == nil {
			t.Errorf("%q was accepted", out)
		}
	}
}

func TestDiskNames(t *testing.T) {
	valid := Disk{Device: "/dev/disk/by-id/usb-X", Label: "longhorn"}
	if ps := valid.Validate(); len(ps) > 0 {
		t.Error(ps)
	}
	for want, change := range map[string]func(*Disk){
		"device: does not name the disk by its serial number": func(d *Disk) { d.Device = "/dev/disk/by-path/x" },
		"device: is a partition":                              func(d *Disk) { d.Device += "-part1" },
		"label: is not a label":                               func(d *Disk) { d.Label = "a=b" },
		"fsType: is not supported":                            func(d *Disk) { d.FSType = "ntfs" },
		"serial: begins or ends":                              func(d *Disk) { d.Serial = " S" },
		"minSize: is negative":                                func(d *Disk) { d.MinSize = -1 },
		"initialise: is unknown":                              func(d *Disk) { d.Initialise = "always" },
	} {
		d := valid
		change(&d)
		if ps := d.Validate(); len(ps) != 1 || !strings.HasPrefix(ps[0].String(), want) {
			t.Errorf("want %q, got %v", want, ps)
		}
	}
}
