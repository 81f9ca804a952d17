package kernel

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Disk is a block device and its partitions.
type Disk struct {
	Name, Serial, Model string
	Vendor              string
	Size                int64
	Table               string // "gpt", "dos" or ""
	PTUUID              string
	Whole               *Partition // what is on the disk itself
	Parts               []*Partition

	mu    sync.Mutex
	pages map[int64][]byte // what was written, by page number
}

// Partition is a stretch of a disk that can hold a file system.
type Partition struct {
	Disk     *Disk
	Name     string // sda1; sda for the disk itself
	Num      int
	Start    int64
	Size     int64
	PARTUUID string
	PartName string // in a GPT; lsblk calls it PARTLABEL
	FSType   string
	Label    string
	UUID     string
	Vol      *Volume
	MountAt  string
}

const pageSize = 4 << 10 // little: most machines write a superblock or two

func (k *Kernel) makeDisks() []*Disk {
	sd := &Disk{Name: "mmcblk0", Serial: "0x6e1f8a2b", Model: "", Size: k.Config.SDCard, Table: "gpt",
		PTUUID: NewUUID(), pages: map[int64][]byte{}}
	sd.Table = "dos"
	sd.PTUUID = NewUUID()[:8]
	sd.Whole = &Partition{Disk: sd, Name: sd.Name, Size: sd.Size}
	boot := &Partition{Disk: sd, Name: "mmcblk0p1", Num: 1, Start: 8192 * 512, Size: 512 << 20,
		PARTUUID: sd.PTUUID + "-01", MountAt: "/boot/firmware"}
	root := &Partition{Disk: sd, Name: "mmcblk0p2", Num: 2, Start: boot.Start + boot.Size, PARTUUID: sd.PTUUID + "-02",
		MountAt: "/"}
	root.Size = sd.Size - root.Start
	sd.Parts = []*Partition{boot, root}
	boot.Format("vfat", "bootfs", strings.ToUpper(NewUUID()[:4]+"-"+NewUUID()[:4]), k.Config.Boot, 179<<20|1)
	root.Format("ext4", "rootfs", NewUUID(), k.Config.Root, 179<<20|2)
	root.Vol.Used = 3 << 30 // what Raspberry Pi OS takes
	disks := []*Disk{sd}
	for i, c := range k.Config.Disks {
		d := &Disk{Name: cmp.Or(c.Name, "sd"+string(rune('a'+i))), Model: cmp.Or(c.Model, "Samsung SSD 870"),
			Vendor: "ATA     ", Size: cmp.Or(c.Size, 500107862016), pages: map[int64][]byte{}}
		d.Serial = cmp.Or(c.Serial, "S5Y2NF0R"+strings.ToUpper(d.Name))
		d.Whole = &Partition{Disk: d, Name: d.Name, Size: d.Size}
		dev := uint32(8<<20 | i*16)
		add := func(p *Partition, c PartitionConfig) {
			p.MountAt = c.Mount
			if c.FSType == "" {
				return
			}
			p.Format(c.FSType, c.Label, cmp.Or(c.UUID, NewUUID()), nil, dev+uint32(p.Num))
			if p.Vol != nil {
				t := &Tree{k: k, locks: map[InodeKey][]*File{}, quiet: true}
				t.Root = &MountPoint{Vol: p.Vol, Root: 1, Target: "/"}
				for _, name := range slices.Sorted(maps.Keys(c.Files)) {
					if err := t.Put("/"+strings.TrimPrefix(name, "/"), 0o644, []byte(c.Files[name])); err != nil {
						panic("hosttest: " + name + ": " + err.Error())
					}
				}
			}
		}
		if c.Filesystem != nil {
			add(d.Whole, *c.Filesystem)
		}
		if len(c.Partitions) > 0 {
			d.SetTable("gpt")
			at := int64(1 << 20)
			for _, pc := range c.Partitions {
				size := pc.Size
				if size == 0 {
					size = d.Size - at - 1<<20
				}
				p := d.AddPart(at, size)
				at += size
				add(p, pc)
			}
		}
		for off, b := range c.Raw {
			d.Write(off, b)
		}
		disks = append(disks, d)
	}
	return disks
}

// SetTable writes an empty partition table.
func (d *Disk) SetTable(kind string) {
	d.Table, d.Parts = kind, nil
	d.Whole.Clear()
	d.PTUUID = NewUUID()
	head := make([]byte, 1024)
	head[510], head[511] = 0x55, 0xaa
	copy(head[512:], "EFI PART")
	d.Write(0, head)
}

func (d *Disk) AddPart(start, size int64) *Partition {
	n := 1
	for _, p := range d.Parts {
		n = max(n, p.Num+1)
	}
	sep := ""
	if c := d.Name[len(d.Name)-1]; c >= '0' && c <= '9' {
		sep = "p"
	}
	p := &Partition{Disk: d, Name: fmt.Sprintf("%s%s%d", d.Name, sep, n), Num: n, Start: start, Size: size,
		PARTUUID: NewUUID()}
	d.Parts = append(d.Parts, p)
	return p
}

func (p *Partition) Clear() { p.FSType, p.Label, p.UUID, p.Vol = "", "", "", nil }

// Format makes a file system, empty or with an image.
func (p *Partition) Format(fstype, label, uuid string, im *Image, dev uint32) {
	p.FSType, p.Label, p.UUID, p.Vol = fstype, label, uuid, nil
	head := make([]byte, 2048)
	switch fstype {
	case "ext4", "ext3", "ext2":
		head[0x438], head[0x439] = 0x53, 0xef
	case "xfs":
		copy(head, "XFSB")
	case "vfat":
		copy(head[82:], "FAT32   ")
		head[510], head[511] = 0x55, 0xaa
	case "swap":
		head = make([]byte, 4096)
		copy(head[4086:], "SWAPSPACE2")
	case "LVM2_member":
		copy(head[512:], "LABELONE")
	}
	p.Disk.Write(p.Start, head)
	p.FSType, p.Label, p.UUID = fstype, label, uuid
	switch fstype {
	case "ext4", "ext3", "ext2", "xfs", "vfat":
	default:
		return
	}
	v := NewVolume(dev, fstype, "/dev/"+p.Name, im)
	v.label, v.uuid, v.disk = label, uuid, p.Disk
	v.Size = p.Size * 95 / 100
	if im == nil {
		t := imageTime.UnixNano()
		v.Upper[1] = &Inode{Num: 1, Mode: ModeDir | 0o755, Nlink: 2, Children: map[string]uint32{}, ATime: t, MTime: t,
			CTime: t, BTime: t}
		if strings.HasPrefix(fstype, "ext") {
			v.Upper[2] = &Inode{Num: 2, Mode: ModeDir | 0o700, Nlink: 2, Children: map[string]uint32{}, ATime: t,
				MTime: t, CTime: t, BTime: t}
			v.Upper[1].Children["lost+found"] = 2
			v.Upper[1].Nlink++
			v.next = 3
		}
	}
	p.Vol = v
}

// All lists the disk and its partitions.
func (d *Disk) All() []*Partition { return append([]*Partition{d.Whole}, d.Parts...) }

func (k *Kernel) BlockDevice(name string) *Partition {
	for _, d := range k.Disks {
		for _, p := range d.All() {
			if p.Name == name {
				return p
			}
		}
	}
	return nil
}

func (k *Kernel) RootPart() *Partition { return k.Disks[0].Parts[1] }

// Write puts bytes on the disk, and forgets the signatures that they overwrite.
func (d *Disk) Write(off int64, b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.All() {
		if off < p.Start+4096 && off+int64(len(b)) > p.Start && p.FSType != "" {
			p.Clear()
		}
	}
	if off < 1024 && d.Table != "" && len(b) >= 512 && !bytes.Contains(b, []byte("EFI PART")) && d.Whole != nil {
		d.Table, d.Parts = "", nil
	}
	for len(b) > 0 {
		n, at := off/pageSize, off%pageSize
		pg := d.pages[n]
		c := b[:min(int64(len(b)), pageSize-at)]
		if pg == nil && len(bytes.Trim(c, "\x00")) > 0 {
			pg = make([]byte, pageSize)
			d.pages[n] = pg
		}
		if pg != nil {
			copy(pg[at:], c)
		}
		off += int64(len(c))
		b = b[len(c):]
	}
}

func (d *Disk) Read(off int64, b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(b)
	for done := int64(0); done < int64(len(b)); {
		n, at := (off+done)/pageSize, (off+done)%pageSize
		c := min(int64(len(b))-done, pageSize-at)
		if pg := d.pages[n]; pg != nil {
			copy(b[done:done+c], pg[at:at+c])
		}
		done += c
	}
}
