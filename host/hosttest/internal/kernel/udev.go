package kernel

import (
	"fmt"
	"path"
	"strings"
)

// Udev makes the device nodes and the links of /dev/disk. The tree is locked and quiet.
func (k *Kernel) Udev() {
	t := k.Tree
	t.RemoveAll("/dev/disk")
	for i, d := range k.Disks {
		for _, p := range d.All() {
			if s, err := t.Walk(RootCred, "/", "/dev/"+p.Name, false); err == nil && !s.Exists() {
				if at, err := t.create(RootCred, s, ModeBlock|0o660); err == nil {
					n := at.Inode()
					n.GID = 6
					n.node = &node{dev: "disk:" + p.Name}
					n.rdev = uint32(0x800 + i*16 + p.Num)
				}
			}
			for _, l := range p.Links() {
				t.MkdirAll("/dev/" + path.Dir(l))
				t.RemoveAll("/dev/" + l)
				t.symlink(RootCred, "../../"+p.Name, "/", "/dev/"+l) // of two with the same name, the last wins
			}
		}
	}
	names, err := t.Must(RootCred, "/", "/dev", true)
	if err != nil {
		return
	}
	for _, n := range t.names(names.At) {
		s, err := t.Must(RootCred, "/", "/dev/"+n, false)
		if err == nil && s.At.Inode().Mode&ModeType == ModeBlock && k.BlockDevice(n) == nil {
			t.unlink(RootCred, "/", "/dev/"+n)
		}
	}
}

// Links are the names below /dev that udev gives the device, "disk/by-id/usb-X": those of another device with the same
// names, too.
func (p *Partition) Links() (links []string) {
	d := p.Disk
	id := "usb-" + strings.ReplaceAll(d.Model, " ", "_") + "_" + d.Serial
	if d.Model == "" {
		id = "mmc-SD64G_" + d.Serial
	} else if strings.HasPrefix(d.Name, "nvme") {
		id = "nvme-" + strings.ReplaceAll(d.Model, " ", "_") + "_" + d.Serial
	}
	if p.Num > 0 {
		id += fmt.Sprintf("-part%d", p.Num)
	}
	for _, l := range []struct{ dir, name string }{{"by-id", id}, {"by-uuid", p.UUID}, {"by-label", p.Label},
		{"by-partuuid", p.PARTUUID}, {"by-partlabel", p.PartName}} {
		if l.name != "" {
			links = append(links, "disk/"+l.dir+"/"+strings.ReplaceAll(l.name, " ", `\x20`))
		}
	}
	return links
}

// SettleDevices is what udev does after a change of a disk.
func (k *Kernel) SettleDevices() {
	k.Tree.Quietly(func() error { k.Udev(); return nil })
}
