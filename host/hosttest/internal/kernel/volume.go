package kernel

import "maps"

// A node gives the content of a file that the kernel generates, or of a device.
type node struct {
	read  func(k *Kernel, p *Process) []byte
	write func(k *Kernel, p *Process, b []byte) error
	// once gives nothing to a second read, wherever the first one ended, as the kernel does with the numbers of
	// /proc/sys.
	once bool
	dev  string // name of a device: null, zero, full, random, tty, or a disk's
	// when hides the entry unless it reports true; nil always shows it.
	when func(k *Kernel) bool
	// list and look make a directory's entries on demand.
	list func(k *Kernel) []string
	look func(k *Kernel, name string) *Inode
}

// An Image is the read-only lower layer of a volume.
type Image struct{ inodes []*Inode } // by number; 0 is unused, 1 is the root

func (im *Image) get(n uint32) *Inode {
	if im == nil || int(n) >= len(im.inodes) {
		return nil
	}
	return im.inodes[n]
}

// A Volume is one file system: an image, and what this machine has changed.
type Volume struct {
	Dev      uint32
	FSType   string
	Source   string // what /proc/mounts shows
	label    string
	uuid     string
	image    *Image
	Upper    map[uint32]*Inode
	next     uint32
	Size     int64 // bytes; 0 means unlimited
	Used     int64
	ReadOnly bool // damaged or remounted read-only as a whole
	Pseudo   bool // proc, sysfs, devtmpfs, cgroup2: not storage
	Lossy    bool // tmpfs: gone at reboot
	disk     *Disk
}

func NewVolume(dev uint32, fstype, source string, im *Image) *Volume {
	v := &Volume{Dev: dev, FSType: fstype, Source: source, image: im, Upper: map[uint32]*Inode{}, next: 2}
	if im != nil {
		v.next = uint32(len(im.inodes))
	}
	return v
}

func (v *Volume) Get(n uint32) *Inode {
	if i, ok := v.Upper[n]; ok {
		return i
	}
	return v.image.get(n)
}

// Edit returns the inode for writing, copied up from the image when it is still there.
func (v *Volume) Edit(n uint32) *Inode {
	if i, ok := v.Upper[n]; ok {
		return i
	}
	i := v.image.get(n)
	if i == nil {
		return nil
	}
	c := *i
	c.Owned, c.sumOf = false, nil
	c.Children = maps.Clone(i.Children)
	c.xattrs = maps.Clone(i.xattrs)
	v.Upper[n] = &c
	return &c
}

func (v *Volume) alloc(mode uint32, now int64) *Inode {
	i := &Inode{Num: v.next, Mode: mode, Nlink: 1, ATime: now, MTime: now, CTime: now, BTime: now, Owned: true}
	if v.FSType == "ext4" && (mode&ModeType == ModeRegular || mode&ModeType == ModeDir) {
		i.Attrs = AttrExtents
	}
	if i.IsDir() {
		i.Children, i.Nlink = map[string]uint32{}, 2
	}
	v.Upper[v.next] = i
	v.next++
	return i
}
