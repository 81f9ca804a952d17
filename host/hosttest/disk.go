package hosttest

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

// A diskConfig is a block device besides the SD card.
type diskConfig struct {
	Name   string // kernel name now; empty means sda, sdb, ... in order
	Serial string // empty means one made from the name
	Model  string // empty means "Samsung SSD 870"
	Size   int64  // bytes; 0 means 500 GB

	// Partitions are there already, in a GPT. None leaves the disk as Filesystem says.
	Partitions []partitionConfig
	// Filesystem is on the whole disk, without a partition table; its Size is not looked at. nil leaves it blank.
	Filesystem *partitionConfig
	// Raw is data at a byte offset: what an old disk may hold without any signature.
	Raw map[int64][]byte
}

// A partitionConfig is a part of a disk, and what is on it.
type partitionConfig struct {
	Size   int64  // bytes; 0 means the rest of the disk
	FSType string // "ext4", "xfs", "vfat", "swap", "LVM2_member"; empty means nothing
	Label  string
	UUID   string // empty makes one
	Mount  string // where the machine mounts it, also at boot (fstab); empty means nowhere
	Files  map[string]string
}

// disk is a block device and its partitions.
type disk struct {
	name, serial, model string
	vendor              string
	size                int64
	table               string // "gpt", "dos" or ""
	ptuuid              string
	whole               *part // what is on the disk itself
	parts               []*part

	mu    sync.Mutex
	pages map[int64][]byte // what was written, by page number
}

// part is a stretch of a disk that can hold a file system.
type part struct {
	disk     *disk
	name     string // sda1; sda for the disk itself
	num      int
	start    int64
	size     int64
	partuuid string
	fstype   string
	label    string
	uuid     string
	vol      *volume
	mountAt  string
}

const pageSize = 4 << 10 // little: most machines write a superblock or two

func (m *Kernel) makeDisks() []*disk {
	sd := &disk{name: "mmcblk0", serial: "0x6e1f8a2b", model: "", size: m.cfg.SDCard, table: "gpt", ptuuid: newUUID(), pages: map[int64][]byte{}}
	sd.table = "dos"
	sd.ptuuid = newUUID()[:8]
	sd.whole = &part{disk: sd, name: sd.name, size: sd.size}
	boot := &part{disk: sd, name: "mmcblk0p1", num: 1, start: 8192 * 512, size: 512 << 20, partuuid: sd.ptuuid + "-01", mountAt: "/boot/firmware"}
	root := &part{disk: sd, name: "mmcblk0p2", num: 2, start: boot.start + boot.size, partuuid: sd.ptuuid + "-02", mountAt: "/"}
	root.size = sd.size - root.start
	sd.parts = []*part{boot, root}
	boot.format("vfat", "bootfs", strings.ToUpper(newUUID()[:4]+"-"+newUUID()[:4]), m.cfg.Boot, 179<<20|1)
	root.format("ext4", "rootfs", newUUID(), m.cfg.Root, 179<<20|2)
	root.vol.used = 3 << 30 // what Raspberry Pi OS takes
	disks := []*disk{sd}
	for i, c := range m.cfg.Disks {
		d := &disk{name: cmp.Or(c.Name, "sd"+string(rune('a'+i))), model: cmp.Or(c.Model, "Samsung SSD 870"), vendor: "ATA     ", size: cmp.Or(c.Size, 500107862016), pages: map[int64][]byte{}}
		d.serial = cmp.Or(c.Serial, "S5Y2NF0R"+strings.ToUpper(d.name))
		d.whole = &part{disk: d, name: d.name, size: d.size}
		dev := uint32(8<<20 | i*16)
		add := func(p *part, c partitionConfig) {
			p.mountAt = c.Mount
			if c.FSType == "" {
				return
			}
			p.format(c.FSType, c.Label, cmp.Or(c.UUID, newUUID()), nil, dev+uint32(p.num))
			if p.vol != nil {
				t := &tree{k: m, locks: map[inodeKey][]*description{}, quiet: true}
				t.root = &mount{vol: p.vol, root: 1, target: "/"}
				for _, name := range slices.Sorted(maps.Keys(c.Files)) {
					if err := t.put("/"+strings.TrimPrefix(name, "/"), 0o644, []byte(c.Files[name])); err != nil {
						panic("hosttest: " + name + ": " + err.Error())
					}
				}
			}
		}
		if c.Filesystem != nil {
			add(d.whole, *c.Filesystem)
		}
		if len(c.Partitions) > 0 {
			d.setTable("gpt")
			at := int64(1 << 20)
			for _, pc := range c.Partitions {
				size := pc.Size
				if size == 0 {
					size = d.size - at - 1<<20
				}
				p := d.addPart(at, size)
				at += size
				add(p, pc)
			}
		}
		for off, b := range c.Raw {
			d.write(off, b)
		}
		disks = append(disks, d)
	}
	return disks
}

// setTable writes an empty partition table.
func (d *disk) setTable(kind string) {
	d.table, d.parts = kind, nil
	d.whole.clear()
	d.ptuuid = newUUID()
	head := make([]byte, 1024)
	head[510], head[511] = 0x55, 0xaa
	copy(head[512:], "EFI PART")
	d.write(0, head)
}

func (d *disk) addPart(start, size int64) *part {
	n := 1
	for _, p := range d.parts {
		n = max(n, p.num+1)
	}
	sep := ""
	if c := d.name[len(d.name)-1]; c >= '0' && c <= '9' {
		sep = "p"
	}
	p := &part{disk: d, name: fmt.Sprintf("%s%s%d", d.name, sep, n), num: n, start: start, size: size, partuuid: newUUID()}
	d.parts = append(d.parts, p)
	return p
}

func (p *part) clear() { p.fstype, p.label, p.uuid, p.vol = "", "", "", nil }

// format makes a file system, empty or with an image.
func (p *part) format(fstype, label, uuid string, im *image, dev uint32) {
	p.fstype, p.label, p.uuid, p.vol = fstype, label, uuid, nil
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
	p.disk.write(p.start, head)
	p.fstype, p.label, p.uuid = fstype, label, uuid
	switch fstype {
	case "ext4", "ext3", "ext2", "xfs", "vfat":
	default:
		return
	}
	v := newVolume(dev, fstype, "/dev/"+p.name, im)
	v.label, v.uuid, v.disk = label, uuid, p.disk
	v.size = p.size * 95 / 100
	if im == nil {
		t := imageTime.UnixNano()
		v.upper[1] = &inode{num: 1, mode: sIFDIR | 0o755, nlink: 2, kids: map[string]uint32{}, atime: t, mtime: t, ctime: t, btime: t}
		if strings.HasPrefix(fstype, "ext") {
			v.upper[2] = &inode{num: 2, mode: sIFDIR | 0o700, nlink: 2, kids: map[string]uint32{}, atime: t, mtime: t, ctime: t, btime: t}
			v.upper[1].kids["lost+found"] = 2
			v.upper[1].nlink++
			v.next = 3
		}
	}
	p.vol = v
}

// all lists the disk and its partitions.
func (d *disk) all() []*part { return append([]*part{d.whole}, d.parts...) }

func (m *Kernel) blockDevice(name string) *part {
	for _, d := range m.disks {
		for _, p := range d.all() {
			if p.name == name {
				return p
			}
		}
	}
	return nil
}

func (m *Kernel) rootPart() *part { return m.disks[0].parts[1] }

// write puts bytes on the disk, and forgets the signatures that they overwrite.
func (d *disk) write(off int64, b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.all() {
		if off < p.start+4096 && off+int64(len(b)) > p.start && p.fstype != "" {
			p.clear()
		}
	}
	if off < 1024 && d.table != "" && len(b) >= 512 && !bytes.Contains(b, []byte("EFI PART")) && d.whole != nil {
		d.table, d.parts = "", nil
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

func (d *disk) read(off int64, b []byte) {
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
func (d *disk) settle(bool) {}

// blockFile is an open block device.
type blockFile struct {
	dev *part
	k   *Kernel
	off int64
	did bool
}

func (f *blockFile) Read(_ *proc, b []byte) (int, error) {
	left := f.dev.size - f.off
	if left <= 0 {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), left)]
	f.dev.disk.read(f.dev.start+f.off, b)
	f.off += int64(len(b))
	return len(b), nil
}

func (f *blockFile) Write(_ *proc, b []byte) (int, error) {
	left := f.dev.size - f.off
	if left <= 0 {
		return 0, errNoSpace
	}
	if !f.did {
		if err := f.k.mutation(nil); err != nil {
			return 0, err
		}
		f.did = true
	}
	b = b[:min(int64(len(b)), left)]
	f.dev.disk.write(f.dev.start+f.off, b)
	f.off += int64(len(b))
	return len(b), nil
}

func (f *blockFile) seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += f.off
	case io.SeekEnd:
		off += f.dev.size
	}
	if off < 0 {
		return 0, errInvalid
	}
	f.off = off
	return off, nil
}

func (f *blockFile) Close() {}

// mountAll makes the tree as it is after boot.
func (m *Kernel) mountAll() {
	w := kernelImages()
	t := m.tree
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mounts, t.nextID = nil, 20
	t.quiet = true
	defer func() { t.quiet = false }()
	root := m.rootPart().vol
	t.root = &mount{id: t.nextID, vol: root, root: 1, target: "/", opts: []string{"noatime"}}
	t.mounts = append(t.mounts, t.root)
	kernel := func(fstype, target string, im *image, dev uint32, opts ...string) {
		v := newVolume(dev, fstype, fstype, im)
		v.kernel = fstype != "tmpfs"
		v.lossy = !v.kernel
		if fstype == "devtmpfs" {
			v.source = "udev"
		}
		if v.lossy {
			v.size = m.cfg.Memory / 10
			now := t.now()
			v.upper[1] = &inode{num: 1, mode: sIFDIR | 0o755, nlink: 2, kids: map[string]uint32{}, atime: now, mtime: now, ctime: now, btime: now, owned: true}
			v.image, v.next = nil, 2
		}
		if err := t.mount(v, 1, target, opts); err != nil {
			panic("hosttest: mount " + target + ": " + err.Error())
		}
	}
	kernel("sysfs", "/sys", w.sys, 23, "nosuid", "nodev", "noexec", "relatime")
	kernel("proc", "/proc", w.proc, 24, "nosuid", "nodev", "noexec", "relatime")
	kernel("devtmpfs", "/dev", w.dev, 5, "nosuid", "relatime")
	kernel("tmpfs", "/run", nil, 25, "nosuid", "nodev", "noexec", "relatime")
	kernel("tmpfs", "/dev/shm", nil, 26, "nosuid", "nodev")
	t.mkdirAll("/run/lock")
	kernel("tmpfs", "/run/lock", nil, 27, "nosuid", "nodev", "noexec", "relatime")
	kernel("cgroup2", "/sys/fs/cgroup", w.cgroup, 28, "nosuid", "nodev", "noexec", "relatime")
	t.chmod(rootCred, "/", "/dev/shm", 0o1777)
	t.chmod(rootCred, "/", "/run/lock", 0o1777)
	for _, d := range []string{"/run/systemd/system", "/run/systemd/generator", "/run/sshd", "/run/user", "/run/mount", "/run/udev", "/run/sudo"} {
		t.mkdirAll(d)
	}
	if v := m.disks[0].parts[0].vol; v != nil {
		t.mount(v, 1, "/boot/firmware", []string{"relatime"})
	}
	m.udev()
}

// mount shows a volume at a directory. The tree is locked.
func (t *tree) mount(v *volume, root uint32, target string, opts []string) error {
	s, err := t.must(rootCred, "/", target, true)
	if err != nil {
		return err
	}
	if !s.at.inode().isDir() && v.get(root).isDir() {
		return errNotDir
	}
	t.nextID++
	t.mounts = append(t.mounts, &mount{id: t.nextID, vol: v, root: root, target: s.path, opts: slices.Clone(opts), over: s.at.mnt, overN: s.at.num})
	return nil
}

// volumes lists what is mounted or on a disk, once each.
func (m *Kernel) volumes() []*volume {
	var out []*volume
	for _, d := range m.disks {
		for _, p := range d.all() {
			if p.vol != nil {
				out = append(out, p.vol)
			}
		}
	}
	return out
}

// udev makes the device nodes and the links of /dev/disk. The tree is locked and quiet.
func (m *Kernel) udev() {
	t := m.tree
	t.removeAll("/dev/disk")
	for i, d := range m.disks {
		for _, p := range d.all() {
			path := "/dev/" + p.name
			if s, err := t.walk(rootCred, "/", path, false); err == nil && !s.exists() {
				if at, err := t.create(rootCred, s, sIFBLK|0o660); err == nil {
					n := at.inode()
					n.gid = 6
					n.node = &node{dev: "disk:" + p.name}
					n.rdev = uint32(0x800 + i*16 + p.num)
				}
			}
			link := func(dir, name string) {
				if name == "" {
					return
				}
				t.mkdirAll("/dev/disk/" + dir)
				t.removeAll("/dev/disk/" + dir + "/" + name)
				t.symlink(rootCred, "../../"+p.name, "/", "/dev/disk/"+dir+"/"+name)
			}
			id := "usb-" + strings.ReplaceAll(d.model, " ", "_") + "_" + d.serial
			if d.model == "" {
				id = "mmc-SD64G_" + d.serial
			} else if strings.HasPrefix(d.name, "nvme") {
				id = "nvme-" + strings.ReplaceAll(d.model, " ", "_") + "_" + d.serial
			}
			if p.num > 0 {
				id += fmt.Sprintf("-part%d", p.num)
			}
			link("by-id", id)
			link("by-uuid", p.uuid)
			link("by-label", strings.ReplaceAll(p.label, " ", `\x20`))
			link("by-partuuid", p.partuuid)
		}
	}
	names, err := t.must(rootCred, "/", "/dev", true)
	if err != nil {
		return
	}
	for _, n := range t.names(names.at) {
		s, err := t.must(rootCred, "/", "/dev/"+n, false)
		if err == nil && s.at.inode().mode&sIFMT == sIFBLK && m.blockDevice(n) == nil {
			t.unlink(rootCred, "/", "/dev/"+n)
		}
	}
}

// settleDevices is what udev does after a change of a disk.
func (m *Kernel) settleDevices() {
	m.tree.quietly(func() error { m.udev(); return nil })
}

func (m *Kernel) procMounts() string {
	var b strings.Builder
	for _, mt := range m.tree.mounts {
		fmt.Fprintf(&b, "%s %s %s %s 0 0\n", mountEscape(mt.vol.source), mountEscape(mt.target), mt.vol.fstype, strings.Join(mt.options(), ","))
	}
	return b.String()
}

func mountEscape(s string) string {
	return strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(s)
}

func (m *Kernel) mountinfo() string {
	var b strings.Builder
	for _, mt := range m.tree.mounts {
		parent := 1
		if mt.over != nil {
			parent = mt.over.id
		}
		fmt.Fprintf(&b, "%d %d %d:%d / %s %s - %s %s rw\n", mt.id, parent, mt.vol.dev>>20, mt.vol.dev&0xfffff, mountEscape(mt.target),
			strings.Join(mt.options(), ","), mt.vol.fstype, mountEscape(mt.vol.source))
	}
	return b.String()
}

// swapOn and swapOff are swapon(2) and swapoff(2).
func (m *Kernel) swapOn(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.swaps = append(m.swaps, name)
}

func (m *Kernel) swapOff(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.swaps = slices.DeleteFunc(m.swaps, func(s string) bool { return s == name })
}

// swapList lists what is swapped on, in order.
func (m *Kernel) swapList() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.swaps)
}

func (m *Kernel) swapTotal() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var n int64
	for _, s := range m.swaps {
		n += m.swapSize(s)
	}
	return n
}

func (m *Kernel) swapSize(dev string) int64 {
	if p := m.blockDevice(strings.TrimPrefix(dev, "/dev/")); p != nil {
		return p.size - 4096
	}
	return 512<<20 - 4096
}

func (m *Kernel) procSwaps() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	b.WriteString("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")
	for i, s := range m.swaps {
		kind := "partition"
		if m.blockDevice(strings.TrimPrefix(s, "/dev/")) == nil {
			kind = "file\t"
		}
		fmt.Fprintf(&b, "%-40s%s\t%d\t\t0\t\t%d\n", s, kind, m.swapSize(s)>>10, -2-i)
	}
	return b.String()
}

func (m *Kernel) procPartitions() string {
	var b strings.Builder
	b.WriteString("major minor  #blocks  name\n\n")
	for i, d := range m.disks {
		for _, p := range d.all() {
			fmt.Fprintf(&b, "%4d %8d %10d %s\n", 8, i*16+p.num, p.size>>10, p.name)
		}
	}
	return b.String()
}

// blockSysfs is /sys/block: the sizes in sectors, and holders.
func blockSysfs() *node {
	file := func(s string) *inode {
		return &inode{mode: sIFREG | 0o444, nlink: 1, node: text(func(*Kernel) string { return s })}
	}
	var dir func(d *disk, p *part) *inode
	dir = func(d *disk, p *part) *inode {
		files := map[string]string{"size": fmt.Sprintln(p.size / 512), "ro": "0\n"}
		if p == d.whole {
			files["removable"] = "0\n"
		} else {
			files["partition"] = fmt.Sprintln(p.num)
			files["start"] = fmt.Sprintln(p.start / 512)
		}
		return &inode{mode: sIFDIR | 0o755, nlink: 2, kids: map[string]uint32{}, node: &node{
			list: func(*Kernel) []string {
				out := append(slices.Sorted(maps.Keys(files)), "holders")
				if p == d.whole {
					for _, q := range d.parts {
						out = append(out, q.name)
					}
				}
				return out
			},
			look: func(m *Kernel, name string) *inode {
				if s, ok := files[name]; ok {
					return file(s)
				}
				if name == "holders" {
					return &inode{mode: sIFDIR | 0o755, nlink: 2, kids: map[string]uint32{}}
				}
				if p == d.whole {
					for _, q := range d.parts {
						if q.name == name {
							return dir(d, q)
						}
					}
				}
				return nil
			},
		}}
	}
	return &node{
		list: func(m *Kernel) []string {
			var out []string
			for _, d := range m.disks {
				out = append(out, d.name)
			}
			return out
		},
		look: func(m *Kernel, name string) *inode {
			for _, d := range m.disks {
				if d.name == name {
					return dir(d, d.whole)
				}
			}
			return nil
		},
	}
}
