package kernel

import (
	"fmt"
	"strings"
)

// Udev makes the device nodes and the links of /dev/disk. The tree is locked and quiet.
func (k *Kernel) Udev() {
	t := k.Tree
	t.RemoveAll("/dev/disk")
	for i, d := range k.Disks {
		for _, p := range d.All() {
			path := "/dev/" + p.Name
			if s, err := t.Walk(RootCred, "/", path, false); err == nil && !s.Exists() {
				if at, err := t.create(RootCred, s, ModeBlock|0o660); err == nil {
					n := at.Inode()
					n.GID = 6
					n.node = &node{dev: "disk:" + p.Name}
					n.rdev = uint32(0x800 + i*16 + p.Num)
				}
			}
			link := func(dir, name string) {
				if name == "" {
					return
				}
				t.MkdirAll("/dev/disk/" + dir)
				t.RemoveAll("/dev/disk/" + dir + "/" + name)
				t.symlink(RootCred, "../../"+p.Name, "/", "/dev/disk/"+dir+"/"+name)
			}
			id := "usb-" + strings.ReplaceAll(d.Model, " ", "_") + "_" + d.Serial
			if d.Model == "" {
				id = "mmc-SD64G_" + d.Serial
			} else if strings.HasPrefix(d.Name, "nvme") {
				id = "nvme-" + strings.ReplaceAll(d.Model, " ", "_") + "_" + d.Serial
			}
			if p.Num > 0 {
				id += fmt.Sprintf("-part%d", p.Num)
			}
			link("by-id", id)
			link("by-uuid", p.UUID)
			link("by-label", strings.ReplaceAll(p.Label, " ", `\x20`))
			link("by-partuuid", p.PARTUUID)
			link("by-partlabel", strings.ReplaceAll(p.PartName, " ", `\x20`))
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

// SettleDevices is what udev does after a change of a disk.
func (k *Kernel) SettleDevices() {
	k.Tree.Quietly(func() error { k.Udev(); return nil })
}
