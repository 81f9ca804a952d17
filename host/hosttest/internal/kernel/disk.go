package kernel

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A DiskConfig is a block device besides the SD card.
type DiskConfig struct {
	Name   string // kernel name now; empty means sda, sdb, ... in order
	Serial string // empty means one made from the name
	Model  string // empty means "Samsung SSD 870"
	Size   int64  // bytes; 0 means 500 GB

	// Partitions are there already, in a GPT. None leaves the disk as Filesystem says.
	Partitions []PartitionConfig
	// Filesystem is on the whole disk, without a partition table; its Size is not looked at. nil leaves it blank.
	Filesystem *PartitionConfig
	// Raw is data at a byte offset: what an old disk may hold without any signature.
	Raw map[int64][]byte
}

// A PartitionConfig is a part of a disk, and what is on it.
type PartitionConfig struct {
	Size   int64  // bytes; 0 means the rest of the disk
	FSType string // "ext4", "xfs", "vfat", "swap", "LVM2_member"; empty means nothing
	Label  string
	UUID   string // empty makes one
	Mount  string // where the machine mounts it, also at boot (fstab); empty means nowhere
	Files  map[string]string
}

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
	FSType   string
	Label    string
	UUID     string
	Vol      *Volume
	MountAt  string
}

const pageSize = 4 << 10 // little: most machines write a superblock or two

func (k *Kernel) makeDisks() []*Disk {
	sd := &Disk{Name: "mmcblk0", Serial: "0x6e1f8a2b", Model: "", Size: k.Config.SDCard, Table: "gpt", PTUUID: NewUUID(), pages: map[int64][]byte{}}
	sd.Table = "dos"
	sd.PTUUID = NewUUID()[:8]
	sd.Whole = &Partition{Disk: sd, Name: sd.Name, Size: sd.Size}
	boot := &Partition{Disk: sd, Name: "mmcblk0p1", Num: 1, Start: 8192 * 512, Size: 512 << 20, PARTUUID: sd.PTUUID + "-01", MountAt: "/boot/firmware"}
	root := &Partition{Disk: sd, Name: "mmcblk0p2", Num: 2, Start: boot.Start + boot.Size, PARTUUID: sd.PTUUID + "-02", MountAt: "/"}
	root.Size = sd.Size - root.Start
	sd.Parts = []*Partition{boot, root}
	boot.Format("vfat", "bootfs", strings.ToUpper(NewUUID()[:4]+"-"+NewUUID()[:4]), k.Config.Boot, 179<<20|1)
	root.Format("ext4", "rootfs", NewUUID(), k.Config.Root, 179<<20|2)
	root.Vol.Used = 3 << 30 // what Raspberry Pi OS takes
	disks := []*Disk{sd}
	for i, c := range k.Config.Disks {
		d := &Disk{Name: cmp.Or(c.Name, "sd"+string(rune('a'+i))), Model: cmp.Or(c.Model, "Samsung SSD 870"), Vendor: "ATA     ", Size: cmp.Or(c.Size, 500107862016), pages: map[int64][]byte{}}
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
	p := &Partition{Disk: d, Name: fmt.Sprintf("%s%s%d", d.Name, sep, n), Num: n, Start: start, Size: size, PARTUUID: NewUUID()}
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
		v.Upper[1] = &Inode{Num: 1, Mode: ModeDir | 0o755, Nlink: 2, Children: map[string]uint32{}, ATime: t, MTime: t, CTime: t, BTime: t}
		if strings.HasPrefix(fstype, "ext") {
			v.Upper[2] = &Inode{Num: 2, Mode: ModeDir | 0o700, Nlink: 2, Children: map[string]uint32{}, ATime: t, MTime: t, CTime: t, BTime: t}
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

// settle is called when the power is gone: raw writes are taken to be on the disk.
func (d *Disk) settle(bool) {}

// blockFile is an open block device.
type blockFile struct {
	dev *Partition
	k   *Kernel
	off int64
	did bool
}

func (f *blockFile) Read(_ *Process, b []byte) (int, error) {
	left := f.dev.Size - f.off
	if left <= 0 {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), left)]
	f.dev.Disk.Read(f.dev.Start+f.off, b)
	f.off += int64(len(b))
	return len(b), nil
}

func (f *blockFile) Write(_ *Process, b []byte) (int, error) {
	left := f.dev.Size - f.off
	if left <= 0 {
		return 0, errNoSpace
	}
	if !f.did {
		if err := f.k.Mutate(nil); err != nil {
			return 0, err
		}
		f.did = true
	}
	b = b[:min(int64(len(b)), left)]
	f.dev.Disk.Write(f.dev.Start+f.off, b)
	f.off += int64(len(b))
	return len(b), nil
}

func (f *blockFile) seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += f.off
	case io.SeekEnd:
		off += f.dev.Size
	}
	if off < 0 {
		return 0, errInvalid
	}
	f.off = off
	return off, nil
}

func (f *blockFile) Close() {}

// mountAll makes the tree as it is after boot.
func (k *Kernel) mountAll() {
	w := kernelImages()
	t := k.Tree
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Mounts, t.nextID = nil, 20
	t.quiet = true
	defer func() { t.quiet = false }()
	root := k.RootPart().Vol
	t.Root = &MountPoint{ID: t.nextID, Vol: root, Root: 1, Target: "/", Opts: []string{"noatime"}}
	t.Mounts = append(t.Mounts, t.Root)
	kernel := func(fstype, target string, im *Image, dev uint32, opts ...string) {
		v := NewVolume(dev, fstype, fstype, im)
		v.Pseudo = fstype != "tmpfs"
		v.Lossy = !v.Pseudo
		if fstype == "devtmpfs" {
			v.Source = "udev"
		}
		if v.Lossy {
			v.Size = k.Config.Memory / 10
			now := t.Now()
			v.Upper[1] = &Inode{Num: 1, Mode: ModeDir | 0o755, Nlink: 2, Children: map[string]uint32{}, ATime: now, MTime: now, CTime: now, BTime: now, Owned: true}
			v.image, v.next = nil, 2
		}
		if err := t.Mount(v, 1, target, opts); err != nil {
			panic("hosttest: mount " + target + ": " + err.Error())
		}
	}
	kernel("sysfs", "/sys", w.sys, 23, "nosuid", "nodev", "noexec", "relatime")
	kernel("proc", "/proc", w.proc, 24, "nosuid", "nodev", "noexec", "relatime")
	kernel("devtmpfs", "/dev", w.dev, 5, "nosuid", "relatime")
	kernel("tmpfs", "/run", nil, 25, "nosuid", "nodev", "noexec", "relatime")
	kernel("tmpfs", "/dev/shm", nil, 26, "nosuid", "nodev")
	t.MkdirAll("/run/lock")
	kernel("tmpfs", "/run/lock", nil, 27, "nosuid", "nodev", "noexec", "relatime")
	kernel("cgroup2", "/sys/fs/cgroup", w.cgroup, 28, "nosuid", "nodev", "noexec", "relatime")
	t.chmod(RootCred, "/", "/dev/shm", 0o1777)
	t.chmod(RootCred, "/", "/run/lock", 0o1777)
	for _, d := range []string{"/run/systemd/system", "/run/systemd/generator", "/run/sshd", "/run/user", "/run/mount", "/run/udev", "/run/sudo"} {
		t.MkdirAll(d)
	}
	if v := k.Disks[0].Parts[0].Vol; v != nil {
		t.Mount(v, 1, "/boot/firmware", []string{"relatime"})
	}
	k.Udev()
}

// Mount shows a volume at a directory. The tree is locked.
func (t *Tree) Mount(v *Volume, root uint32, target string, opts []string) error {
	s, err := t.Must(RootCred, "/", target, true)
	if err != nil {
		return err
	}
	if !s.At.Inode().IsDir() && v.Get(root).IsDir() {
		return errNotDir
	}
	t.nextID++
	t.Mounts = append(t.Mounts, &MountPoint{ID: t.nextID, Vol: v, Root: root, Target: s.Path, Opts: slices.Clone(opts), Over: s.At.Mnt, overN: s.At.Num})
	return nil
}

// Volumes lists what is mounted or on a disk, once each.
func (k *Kernel) Volumes() []*Volume {
	var out []*Volume
	for _, d := range k.Disks {
		for _, p := range d.All() {
			if p.Vol != nil {
				out = append(out, p.Vol)
			}
		}
	}
	return out
}

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

func (k *Kernel) procMounts() string {
	var b strings.Builder
	for _, mt := range k.Tree.Mounts {
		fmt.Fprintf(&b, "%s %s %s %s 0 0\n", mountEscape(mt.Vol.Source), mountEscape(mt.Target), mt.Vol.FSType, strings.Join(mt.Options(), ","))
	}
	return b.String()
}

func mountEscape(s string) string {
	return strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(s)
}

func (k *Kernel) mountinfo() string {
	var b strings.Builder
	for _, mt := range k.Tree.Mounts {
		parent := 1
		if mt.Over != nil {
			parent = mt.Over.ID
		}
		fmt.Fprintf(&b, "%d %d %d:%d / %s %s - %s %s rw\n", mt.ID, parent, mt.Vol.Dev>>20, mt.Vol.Dev&0xfffff, mountEscape(mt.Target),
			strings.Join(mt.Options(), ","), mt.Vol.FSType, mountEscape(mt.Vol.Source))
	}
	return b.String()
}

// SwapOn and swapOff are swapon(2) and swapoff(2).
func (k *Kernel) SwapOn(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.swaps = append(k.swaps, name)
}

func (k *Kernel) SwapOff(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.swaps = slices.DeleteFunc(k.swaps, func(s string) bool { return s == name })
}

// SwapList lists what is swapped on, in order.
func (k *Kernel) SwapList() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.swaps)
}

func (k *Kernel) swapTotal() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	var n int64
	for _, s := range k.swaps {
		n += k.SwapSize(s)
	}
	return n
}

func (k *Kernel) SwapSize(dev string) int64 {
	if p := k.BlockDevice(strings.TrimPrefix(dev, "/dev/")); p != nil {
		return p.Size - 4096
	}
	return 512<<20 - 4096
}

func (k *Kernel) procSwaps() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var b strings.Builder
	b.WriteString("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")
	for i, s := range k.swaps {
		kind := "partition"
		if k.BlockDevice(strings.TrimPrefix(s, "/dev/")) == nil {
			kind = "file\t"
		}
		fmt.Fprintf(&b, "%-40s%s\t%d\t\t0\t\t%d\n", s, kind, k.SwapSize(s)>>10, -2-i)
	}
	return b.String()
}

func (k *Kernel) procPartitions() string {
	var b strings.Builder
	b.WriteString("major minor  #blocks  name\n\n")
	for i, d := range k.Disks {
		for _, p := range d.All() {
			fmt.Fprintf(&b, "%4d %8d %10d %s\n", 8, i*16+p.Num, p.Size>>10, p.Name)
		}
	}
	return b.String()
}

// blockSysfs is /sys/block: the sizes in sectors, and holders.
func blockSysfs() *node {
	file := func(s string) *Inode {
		return &Inode{Mode: ModeRegular | 0o444, Nlink: 1, node: text(func(*Kernel) string { return s })}
	}
	var dir func(d *Disk, p *Partition) *Inode
	dir = func(d *Disk, p *Partition) *Inode {
		files := map[string]string{"size": fmt.Sprintln(p.Size / 512), "ro": "0\n"}
		if p == d.Whole {
			files["removable"] = "0\n"
		} else {
			files["partition"] = fmt.Sprintln(p.Num)
			files["start"] = fmt.Sprintln(p.Start / 512)
		}
		return &Inode{Mode: ModeDir | 0o755, Nlink: 2, Children: map[string]uint32{}, node: &node{
			list: func(*Kernel) []string {
				out := append(slices.Sorted(maps.Keys(files)), "holders")
				if p == d.Whole {
					for _, q := range d.Parts {
						out = append(out, q.Name)
					}
				}
				return out
			},
			look: func(k *Kernel, name string) *Inode {
				if s, ok := files[name]; ok {
					return file(s)
				}
				if name == "holders" {
					return &Inode{Mode: ModeDir | 0o755, Nlink: 2, Children: map[string]uint32{}}
				}
				if p == d.Whole {
					for _, q := range d.Parts {
						if q.Name == name {
							return dir(d, q)
						}
					}
				}
				return nil
			},
		}}
	}
	return &node{
		list: func(k *Kernel) []string {
			var out []string
			for _, d := range k.Disks {
				out = append(out, d.Name)
			}
			return out
		},
		look: func(k *Kernel, name string) *Inode {
			for _, d := range k.Disks {
				if d.Name == name {
					return dir(d, d.Whole)
				}
			}
			return nil
		},
	}
}
