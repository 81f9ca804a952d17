package host

import (
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

func TestDiskIsNeverTakenByMistake(t *testing.T) {
	const dev = "/dev/sda"
	blankDisk := diskFacts{device: dev, size: 1 << 40, parts: []blockDevice{{Path: dev, Type: "disk"}}, blank: true}
	d := Disk{Device: "/dev/disk/by-id/usb-X", Label: "longhorn", Initialise: InitialiseIfBlank, MinSize: 1 << 39}
	for _, c := range []struct {
		name  string
		d     Disk
		facts func(*diskFacts)
		want  string // part of the error, "initialise", or nothing
	}{
		{"blank", d, func(*diskFacts) {}, "initialise"},
		{"has the label", d, func(f *diskFacts) {
			f.parts = append(f.parts, blockDevice{Path: "/dev/sda1", Type: "part", Label: "longhorn", FSType: "ext4", MountPoint: "/mnt"})
			f.blank = false
		}, ""},
		{"has the label on another file system", d, func(f *diskFacts) {
			f.parts = append(f.parts, blockDevice{Path: "/dev/sda1", Label: "longhorn", FSType: "ntfs"})
		}, "is ntfs, not ext4"},
		{"missing", d, func(f *diskFacts) { *f = diskFacts{missing: true} }, "not found"},
		{"never", Disk{Device: d.Device, Label: "longhorn"}, func(*diskFacts) {}, "no file system with the label"},
		{"mounted", d, func(f *diskFacts) { f.parts[0].MountPoint = "/" }, "is mounted at /"},
		{"mounted, according to the kernel", d, func(f *diskFacts) { f.mounted = []string{"/x"} }, "mounted at /x"},
		{"file system without partitions", d, func(f *diskFacts) { f.parts[0].FSType = "LVM2_member" },
			"contains LVM2_member"},
		{"a partition", d, func(f *diskFacts) { f.parts = append(f.parts, blockDevice{Path: "/dev/sda1", Type: "part"}) },
			"has the partition"},
		{"in fstab", d, func(f *diskFacts) { f.fstab = true }, "fstab names it"},
		{"swap", d, func(f *diskFacts) { f.swap = true }, "swap"},
		{"held", d, func(f *diskFacts) { f.holders = "dm-0" }, "held by dm-0"},
		{"signature", d, func(f *diskFacts) { f.signature = "crypto_LUKS" }, "signature of crypto_LUKS"},
		{"small", d, func(f *diskFacts) { f.size = 1 << 38 }, "fewer than"},
		{"raw data without a signature", d, func(f *diskFacts) { f.blank, f.data = false, "20" }, "data on it, at 20 MiB"},
		{"not read to the end", d, func(f *diskFacts) { f.blank = false }, "not enough of it could be read"},
	} {
		f := blankDisk
		f.parts = slices.Clone(blankDisk.parts)
		c.facts(&f)
		initialise, err := c.d.decide(f)
		switch {
		case c.want == "" || c.want == "initialise":
			if err != nil || initialise != (c.want != "") {
				t.Errorf("%s: %t %v", c.name, initialise, err)
			}
		case err == nil || !strings.Contains(err.Error(), c.want) || len(lab.Hints(err)) == 0:
			t.Errorf("%s: %t %v", c.name, initialise, err)
		}
	}
	// output that cannot be parsed is an error, it does not count as "nothing found"
	for _, out := range []string{"wipefs garbage", "blkid 4 cannot open", "lsblk\n{\n."} {
		if _, err := readDiskFacts(out); err == nil {
			t.Errorf("%q was accepted", out)
		}
	}
}
