package kernel

import (
	"hash/fnv"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

// File types and mode bits as in <sys/stat.h>.
const (
	ModeType    = 0o170000
	ModeSocket  = 0o140000
	ModeSymlink = 0o120000
	ModeRegular = 0o100000
	ModeBlock   = 0o060000
	ModeDir     = 0o040000
	ModeChar    = 0o020000
	ModeFIFO    = 0o010000

	ModeSticky = 0o1000
	ModeSetGID = 0o2000
	ModeSetUID = 0o4000
)

// Inode attributes as chattr(1) knows them (FS_IOC_GETFLAGS).
const (
	AttrImmutable = 0x10
	AttrAppend    = 0x20
	AttrExtents   = 0x80000
)

// An Inode is one file of a volume. Inodes of an image are shared by every machine and never written.
type Inode struct {
	Num      uint32
	Mode     uint32
	UID, GID uint32
	Nlink    uint32
	Attrs    uint32
	rdev     uint32
	ATime    int64
	MTime    int64
	CTime    int64
	BTime    int64
	Data     []byte // of a regular file; not to be written in place unless owned
	Owned    bool
	target   string            // of a symbolic link
	Children map[string]uint32 // of a directory
	node     *node             // of a device or a generated file
	Dirty    int64             // when the oldest unsynced data was written, 0 when all is on the disk
	Opens    int32             // open descriptions, which keep an unlinked inode alive
	Changes  uint32            // incremented at each change of content or name
	sumOf    *[32]byte         // cached SHA-256 of an image's data
	xattrs   map[string]string // extended attributes
}

func (i *Inode) IsDir() bool  { return i.Mode&ModeType == ModeDir }
func (i *Inode) IsReg() bool  { return i.Mode&ModeType == ModeRegular }
func (i *Inode) isLink() bool { return i.Mode&ModeType == ModeSymlink }

// A node gives the content of a file that the kernel generates, or of a device.
type node struct {
	read  func(k *Kernel, p *Process) []byte
	write func(k *Kernel, p *Process, b []byte) error
	// once gives nothing to a second read, wherever the first one ended, as the kernel does with the numbers of /proc/sys.
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

// A place is an inode within the mount through which it was reached.
type place struct {
	Mnt *MountPoint
	Num uint32
}

func (p place) Inode() *Inode { return p.Mnt.Vol.Get(p.Num) }

type InodeKey struct {
	Vol *Volume
	Num uint32
}

func (p place) Key() InodeKey { return InodeKey{p.Mnt.Vol, p.Num} }

// A MountPoint shows a volume (or, for a bind mount, a directory of it) at a place of the tree.
type MountPoint struct {
	ID     int
	Vol    *Volume
	Root   uint32
	Target string
	Opts   []string    // as in /proc/mounts, without the file system's own
	Over   *MountPoint // the mount it is on
	overN  uint32
}

func (m *MountPoint) readonly() bool { return m.Vol.ReadOnly || slices.Contains(m.Opts, "ro") }

// A Tree is a machine's file systems. Its mutex guards every inode.
type Tree struct {
	k      *Kernel
	mu     sync.Mutex
	Root   *MountPoint
	Mounts []*MountPoint // in the order they were made
	nextID int
	locks  map[InodeKey][]*File // flock(2) holders
	Freed  *sync.Cond           // a lock was released
	quiet  bool                 // the machine is being set up: nothing is counted
}

// Cred is who asks.
type Cred struct {
	UID, GID uint32
	Groups   []uint32
}

var RootCred = Cred{}

func (c Cred) in(gid uint32) bool { return c.GID == gid || slices.Contains(c.Groups, gid) }

const (
	MayRead  = 4
	MayWrite = 2
	MayExec  = 1
)

func (c Cred) may(i *Inode, want uint32) bool {
	if c.UID == 0 {
		return want&MayExec == 0 || i.IsDir() || i.Mode&0o111 != 0
	}
	if a := i.acl(); a != nil {
		return a.allows(c, i, want)
	}
	var bits uint32
	switch {
	case c.UID == i.UID:
		bits = i.Mode >> 6
	case c.in(i.GID):
		bits = i.Mode >> 3
	default:
		bits = i.Mode
	}
	return bits&want == want
}

// A Entry is the result of a path walk: the place, which may be empty, and the directory and name that hold it.
type Entry struct {
	dir  place
	name string
	At   place // at.num 0: nothing there
	Path string
}

func (s Entry) Exists() bool { return s.At.Num != 0 }

// maxLinks is the kernel's limit (MAXSYMLINKS).
const maxLinks = 40

type step struct {
	at   place
	name string
}

// Walk resolves path from the directory cwd. The last component may be missing; a trailing slash asks for a directory.
func (t *Tree) Walk(c Cred, cwd, path string, follow bool) (Entry, error) {
	if path == "" {
		return Entry{}, syscall.ENOENT
	}
	if len(path) > 4095 {
		return Entry{}, syscall.ENAMETOOLONG
	}
	var buf [16]step
	steps := append(buf[:0], step{at: t.cover(place{t.Root, t.Root.Root})})
	rest := path
	if path[0] != '/' {
		rest = cwd + "/" + path
	}
	links := 0
	var missing string
	for rest != "" {
		for rest != "" && rest[0] == '/' {
			rest = rest[1:]
		}
		if rest == "" {
			break
		}
		name := rest
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			name, rest = rest[:i], rest[i:]
		} else {
			rest = ""
		}
		last := strings.Trim(rest, "/") == ""
		dirWanted := rest != ""
		cur := steps[len(steps)-1]
		ci := cur.at.Inode()
		if ci == nil {
			return Entry{}, syscall.ENOENT
		}
		if !ci.IsDir() {
			return Entry{}, syscall.ENOTDIR
		}
		if !c.may(ci, MayExec) {
			return Entry{}, syscall.EACCES
		}
		if name == "." {
			continue
		}
		if name == ".." {
			if len(steps) > 1 {
				steps = steps[:len(steps)-1]
			}
			continue
		}
		if len(name) > 255 {
			return Entry{}, syscall.ENAMETOOLONG
		}
		n := t.lookup(cur.at, ci, name)
		if n == 0 {
			if !last {
				return Entry{}, syscall.ENOENT
			}
			missing = name
			if dirWanted {
				missing += "/"
			}
			break
		}
		next := t.cover(place{cur.at.Mnt, n})
		ni := next.Inode()
		if ni.isLink() && (!last || follow || dirWanted) {
			if links++; links > maxLinks {
				return Entry{}, syscall.ELOOP
			}
			target := t.linkTarget(ni)
			if target == "" {
				return Entry{}, syscall.ENOENT
			}
			if target[0] == '/' {
				steps = steps[:1]
			}
			rest = target + rest
			continue
		}
		if dirWanted && !ni.IsDir() {
			return Entry{}, syscall.ENOTDIR
		}
		steps = append(steps, step{next, name})
	}
	if missing != "" {
		d := steps[len(steps)-1].at
		name := strings.TrimSuffix(missing, "/")
		s := Entry{dir: d, name: name, Path: joinSteps(steps) + "/" + name}
		if len(steps) == 1 {
			s.Path = "/" + name
		}
		if missing != name {
			s.name = missing
		}
		return s, nil
	}
	s := Entry{At: steps[len(steps)-1].at, Path: joinSteps(steps)}
	if len(steps) > 1 {
		s.dir, s.name = steps[len(steps)-2].at, steps[len(steps)-1].name
	} else {
		s.dir, s.Path = s.At, "/"
	}
	return s, nil
}

// walkSelf resolves what is to be removed or renamed: a slash after a link does not follow it, but asks for a directory.
func (t *Tree) walkSelf(c Cred, cwd, path string) (Entry, error) {
	bare := strings.TrimRight(path, "/")
	if bare == "" || bare == path {
		return t.Walk(c, cwd, path, false)
	}
	s, err := t.Walk(c, cwd, bare, false)
	if err == nil && s.Exists() && !s.At.Inode().IsDir() {
		err = syscall.ENOTDIR
	}
	return s, err
}

func joinSteps(steps []step) string {
	n := 0
	for _, s := range steps[1:] {
		n += 1 + len(s.name)
	}
	var b strings.Builder
	b.Grow(n)
	for _, s := range steps[1:] {
		b.WriteByte('/')
		b.WriteString(s.name)
	}
	return b.String()
}

// cover follows the mounts on a place.
func (t *Tree) cover(p place) place {
	for i := len(t.Mounts) - 1; i >= 0; i-- {
		m := t.Mounts[i]
		if m.Over == p.Mnt && m.overN == p.Num {
			return t.cover(place{m, m.Root})
		}
	}
	return p
}

func (t *Tree) lookup(dir place, di *Inode, name string) uint32 {
	if n, ok := di.Children[name]; ok {
		if i := dir.Mnt.Vol.Get(n); i != nil && i.node != nil && i.node.when != nil && !i.node.when(t.k) {
			return 0
		}
		return n
	}
	if di.node != nil && di.node.look != nil {
		if i := di.node.look(t.k, name); i != nil {
			// A generated inode lives in the upper layer only while somebody looks at it.
			v := dir.Mnt.Vol
			i.Num = 1<<30 + fnv32(di.Num, name)
			v.Upper[i.Num] = i
			return i.Num
		}
	}
	return 0
}

func fnv32(n uint32, s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
	h.Write([]byte(s))
	return h.Sum32() & (1<<30 - 1)
}

func (t *Tree) linkTarget(i *Inode) string {
	if i.node != nil && i.node.read != nil {
		return string(i.node.read(t.k, nil))
	}
	return i.target
}

// names lists a directory in the order of a hash, as ext4 does: nothing may rely on a sorted readdir.
func (t *Tree) names(dir place) []string {
	di := dir.Inode()
	out := make([]string, 0, len(di.Children))
	for k, n := range di.Children {
		if i := dir.Mnt.Vol.Get(n); i != nil && i.node != nil && i.node.when != nil && !i.node.when(t.k) {
			continue
		}
		out = append(out, k)
	}
	if di.node != nil && di.node.list != nil {
		out = append(out, di.node.list(t.k)...)
	}
	if dir.Mnt.Vol.FSType == "ext4" {
		slices.SortFunc(out, func(a, b string) int {
			ha, hb := fnv32(0, a), fnv32(0, b)
			if ha != hb {
				if ha < hb {
					return -1
				}
				return 1
			}
			return strings.Compare(a, b)
		})
	} else {
		sort.Strings(out)
	}
	return out
}

func (t *Tree) Now() int64 { return t.k.Now().UnixNano() }

// Mutable is called before each change of a volume. It is where read-only mounts, full disks and power cuts are felt,
// and where writes are counted.
func (t *Tree) Mutable(p place) error {
	if p.Mnt.readonly() {
		return syscall.EROFS
	}
	if t.quiet {
		return nil
	}
	return t.k.Mutate(p.Mnt.Vol)
}

func (t *Tree) touchDir(v *Volume, num uint32) *Inode {
	d := v.Edit(num)
	now := t.Now()
	d.MTime, d.CTime = now, now
	d.Changes++
	return d
}

// mayChangeDir checks that c can add or remove a name of the directory.
func (t *Tree) mayChangeDir(c Cred, dir place) error {
	di := dir.Inode()
	if di == nil || !di.IsDir() {
		return syscall.ENOTDIR
	}
	if !c.may(di, MayWrite|MayExec) {
		return syscall.EACCES
	}
	if dir.Mnt.readonly() {
		return syscall.EROFS
	}
	if dir.Mnt.Vol.Pseudo && dir.Mnt.Vol.FSType != "devtmpfs" {
		if dir.Mnt.Vol.FSType == "proc" {
			return syscall.ENOENT
		}
		return syscall.EPERM
	}
	if di.Attrs&AttrImmutable != 0 {
		return syscall.EPERM
	}
	return nil
}

// mayUnlink adds the sticky bit and the victim's own attributes.
func (t *Tree) mayUnlink(c Cred, s Entry) error {
	if err := t.mayChangeDir(c, s.dir); err != nil {
		return err
	}
	di, vi := s.dir.Inode(), s.At.Inode()
	if di.Mode&ModeSticky != 0 && c.UID != 0 && c.UID != di.UID && c.UID != vi.UID {
		return syscall.EPERM
	}
	if vi.Attrs&(AttrImmutable|AttrAppend) != 0 || di.Attrs&AttrAppend != 0 {
		return syscall.EPERM
	}
	return nil
}

// create makes an inode of the given mode at an empty spot.
func (t *Tree) create(c Cred, s Entry, mode uint32) (place, error) {
	name := s.name
	if strings.HasSuffix(name, "/") {
		if mode&ModeType != ModeDir {
			return place{}, syscall.EISDIR
		}
		name = strings.TrimSuffix(name, "/")
	}
	if di := s.dir.Inode(); di != nil && di.Nlink == 0 {
		return place{}, syscall.ENOENT
	}
	if err := t.mayChangeDir(c, s.dir); err != nil {
		return place{}, err
	}
	v := s.dir.Mnt.Vol
	if err := t.reserve(v, 0); err != nil {
		return place{}, err
	}
	if err := t.Mutable(s.dir); err != nil {
		return place{}, err
	}
	d := t.touchDir(v, s.dir.Num)
	i := v.alloc(mode, t.Now())
	i.UID, i.GID = c.UID, c.GID
	if d.Mode&ModeSetGID != 0 {
		i.GID = d.GID
		if i.IsDir() {
			i.Mode |= ModeSetGID
		}
	}
	if v.FSType == "vfat" {
		i.UID, i.GID, i.Mode = 0, 0, i.Mode&ModeType|0o755
	}
	d.Children[name] = i.Num
	if i.IsDir() {
		d.Nlink++
	}
	return place{s.dir.Mnt, i.Num}, nil
}

func (t *Tree) mkdir(c Cred, cwd, path string, perm uint32) error {
	s, err := t.Walk(c, cwd, path, false)
	if err != nil {
		return err
	}
	if s.Exists() {
		return syscall.EEXIST
	}
	_, err = t.create(c, s, ModeDir|perm)
	return err
}

func (t *Tree) symlink(c Cred, target, cwd, path string) error {
	s, err := t.Walk(c, cwd, path, false)
	if err != nil {
		return err
	}
	if s.Exists() {
		return syscall.EEXIST
	}
	if s.dir.Mnt.Vol.FSType == "vfat" {
		return syscall.EPERM
	}
	p, err := t.create(c, s, ModeSymlink|0o777)
	if err == nil {
		p.Inode().target = target
	}
	return err
}

func (t *Tree) link(c Cred, cwd, from, to string, follow bool) error {
	o, err := t.Walk(c, cwd, from, follow)
	if err != nil {
		return err
	}
	if !o.Exists() {
		return syscall.ENOENT
	}
	s, err := t.Walk(c, cwd, to, false)
	if err != nil {
		return err
	}
	if s.Exists() {
		return syscall.EEXIST
	}
	if o.At.Inode().IsDir() {
		return syscall.EPERM
	}
	if o.At.Mnt.Vol != s.dir.Mnt.Vol || o.At.Mnt != s.dir.Mnt {
		return syscall.EXDEV
	}
	if strings.HasSuffix(s.name, "/") {
		return syscall.ENOENT
	}
	if s.dir.Mnt.Vol.FSType == "vfat" || o.At.Inode().Attrs&(AttrImmutable|AttrAppend) != 0 {
		return syscall.EPERM
	}
	// fs.protected_hardlinks=1, Debian's default.
	if oi := o.At.Inode(); c.UID != 0 && c.UID != oi.UID && (!oi.IsReg() || oi.Mode&(ModeSetUID) != 0 || !c.may(oi, MayRead|MayWrite)) {
		return syscall.EPERM
	}
	if err := t.mayChangeDir(c, s.dir); err != nil {
		return err
	}
	if err := t.Mutable(s.dir); err != nil {
		return err
	}
	t.touchDir(s.dir.Mnt.Vol, s.dir.Num).Children[s.name] = o.At.Num
	i := o.At.Mnt.Vol.Edit(o.At.Num)
	i.Nlink++
	i.CTime = t.Now()
	return nil
}

func (t *Tree) unlink(c Cred, cwd, path string) error {
	s, err := t.walkSelf(c, cwd, path)
	if err != nil {
		return err
	}
	if !s.Exists() {
		return syscall.ENOENT
	}
	if s.At.Inode().IsDir() {
		if err := t.mayUnlink(c, s); err != nil {
			return err
		}
		return syscall.EISDIR
	}
	if err := t.mayUnlink(c, s); err != nil {
		return err
	}
	if err := t.Mutable(s.dir); err != nil {
		return err
	}
	delete(t.touchDir(s.dir.Mnt.Vol, s.dir.Num).Children, s.name)
	t.drop(s.At)
	return nil
}

// drop takes one link away and frees what nobody uses.
func (t *Tree) drop(p place) {
	v := p.Mnt.Vol
	i := v.Edit(p.Num)
	if i == nil {
		return
	}
	i.CTime = t.Now()
	i.Nlink--
	if i.Nlink == 0 && i.Opens == 0 {
		t.free(v, i)
	}
}

func (t *Tree) free(v *Volume, i *Inode) {
	v.Used -= int64(len(i.Data))
	if v.image.get(i.Num) == nil {
		delete(v.Upper, i.Num)
		return
	}
	i.Data, i.Children = nil, nil
}

func (t *Tree) rmdir(c Cred, cwd, path string) error {
	base := path[strings.LastIndexByte(strings.TrimRight(path, "/"), '/')+1:]
	if base == "." {
		return syscall.EINVAL
	}
	s, err := t.walkSelf(c, cwd, path)
	if err != nil {
		return err
	}
	if !s.Exists() {
		return syscall.ENOENT
	}
	i := s.At.Inode()
	if !i.IsDir() {
		return syscall.ENOTDIR
	}
	if s.At.Num == s.At.Mnt.Root {
		return syscall.EBUSY
	}
	if base == ".." {
		return syscall.ENOTEMPTY
	}
	if err := t.mayUnlink(c, s); err != nil {
		return err
	}
	if len(i.Children) > 0 {
		return syscall.ENOTEMPTY
	}
	if err := t.Mutable(s.dir); err != nil {
		return err
	}
	d := t.touchDir(s.dir.Mnt.Vol, s.dir.Num)
	delete(d.Children, s.name)
	d.Nlink--
	v := s.At.Mnt.Vol
	gone := v.Edit(s.At.Num)
	gone.Nlink = 0
	t.free(v, gone)
	return nil
}

// rename is rename(2): atomic, within one mount, over what is there. With noReplace it is renameat2's RENAME_NOREPLACE.
func (t *Tree) rename(c Cred, cwd, from, to string, noReplace bool) error {
	o, err := t.walkSelf(c, cwd, from)
	if err != nil {
		return err
	}
	if !o.Exists() {
		return syscall.ENOENT
	}
	n, err := t.Walk(c, cwd, to, false)
	if err != nil {
		return err
	}
	if o.dir.Mnt != n.dir.Mnt {
		return syscall.EXDEV
	}
	if o.At.Num == o.At.Mnt.Root || n.Exists() && n.At.Num == n.At.Mnt.Root {
		return syscall.EBUSY
	}
	if noReplace && n.Exists() {
		return syscall.EEXIST
	}
	oi := o.At.Inode()
	if err := t.mayUnlink(c, o); err != nil {
		return err
	}
	if n.Exists() {
		if err := t.mayUnlink(c, n); err != nil {
			return err
		}
		ni := n.At.Inode()
		switch {
		case n.At.Key() == o.At.Key():
			return nil
		case ni.IsDir() && !oi.IsDir():
			return syscall.EISDIR
		case !ni.IsDir() && oi.IsDir():
			return syscall.ENOTDIR
		case ni.IsDir() && len(ni.Children) > 0:
			return syscall.ENOTEMPTY
		}
	} else {
		if strings.HasSuffix(n.name, "/") {
			if !oi.IsDir() {
				return syscall.ENOTDIR
			}
			n.name = strings.TrimSuffix(n.name, "/")
		}
		if err := t.mayChangeDir(c, n.dir); err != nil {
			return err
		}
	}
	if oi.IsDir() && (n.Path == o.Path || strings.HasPrefix(n.Path, o.Path+"/")) {
		return syscall.EINVAL
	}
	if err := t.Mutable(o.dir); err != nil {
		return err
	}
	v := o.dir.Mnt.Vol
	delete(t.touchDir(v, o.dir.Num).Children, o.name)
	nd := t.touchDir(v, n.dir.Num)
	nd.Children[n.name] = o.At.Num
	if n.Exists() {
		ni := v.Edit(n.At.Num)
		if ni.IsDir() {
			ni.Nlink = 0
			nd.Nlink--
			t.free(v, ni)
		} else {
			t.drop(n.At)
		}
	}
	if oi.IsDir() && o.dir.Num != n.dir.Num {
		v.Edit(o.dir.Num).Nlink--
		v.Edit(n.dir.Num).Nlink++
	}
	i := v.Edit(o.At.Num)
	i.CTime = t.Now()
	i.Changes++
	return nil
}

func (t *Tree) chmod(c Cred, cwd, path string, mode uint32) error {
	s, err := t.Must(c, cwd, path, true)
	if err != nil {
		return err
	}
	i := s.At.Inode()
	if c.UID != 0 && c.UID != i.UID {
		return syscall.EPERM
	}
	if err := t.mayAlter(s.At); err != nil {
		return err
	}
	if err := t.Mutable(s.At); err != nil {
		return err
	}
	if s.At.Mnt.Vol.FSType == "vfat" {
		if mode&0o777 != i.Mode&0o777 {
			return syscall.EPERM
		}
		return nil
	}
	if c.UID != 0 && !i.IsDir() && !c.in(i.GID) {
		mode &^= ModeSetGID
	}
	i = s.At.Mnt.Vol.Edit(s.At.Num)
	i.Mode = i.Mode&ModeType | mode&0o7777
	i.aclFollowsMode()
	i.CTime = t.Now()
	i.Changes++
	return nil
}

func (t *Tree) mayAlter(p place) error {
	if p.Mnt.readonly() {
		return syscall.EROFS
	}
	i := p.Inode()
	if i.Attrs&(AttrImmutable|AttrAppend) != 0 {
		return syscall.EPERM
	}
	return nil
}

// chown changes owner and group; -1 leaves one alone.
func (t *Tree) chown(c Cred, cwd, path string, uid, gid int64, follow bool) error {
	s, err := t.Must(c, cwd, path, follow)
	if err != nil {
		return err
	}
	i := s.At.Inode()
	if c.UID != 0 && (uid >= 0 && uint32(uid) != i.UID || c.UID != i.UID || gid >= 0 && !c.in(uint32(gid))) {
		return syscall.EPERM
	}
	if err := t.mayAlter(s.At); err != nil {
		return err
	}
	if err := t.Mutable(s.At); err != nil {
		return err
	}
	if s.At.Mnt.Vol.FSType == "vfat" {
		if uid >= 0 && uint32(uid) != i.UID || gid >= 0 && uint32(gid) != i.GID {
			return syscall.EPERM
		}
		return nil
	}
	i = s.At.Mnt.Vol.Edit(s.At.Num)
	if uid >= 0 {
		i.UID = uint32(uid)
	}
	if gid >= 0 {
		i.GID = uint32(gid)
	}
	if i.IsReg() && i.Mode&0o111 != 0 {
		i.Mode &^= ModeSetUID
		if i.Mode&0o010 != 0 {
			i.Mode &^= ModeSetGID
		}
	}
	delete(i.xattrs, XattrCapability)
	i.CTime = t.Now()
	i.Changes++
	return nil
}

// utimes sets access and modification time in nanoseconds; a negative one is left alone.
func (t *Tree) utimes(c Cred, cwd, path string, atime, mtime int64, toNow, follow bool) error {
	s, err := t.Must(c, cwd, path, follow)
	if err != nil {
		return err
	}
	i := s.At.Inode()
	if c.UID != 0 && c.UID != i.UID {
		if !toNow {
			return syscall.EPERM
		}
		if !c.may(i, MayWrite) {
			return syscall.EACCES
		}
	}
	if err := t.mayAlter(s.At); err != nil {
		return err
	}
	if err := t.Mutable(s.At); err != nil {
		return err
	}
	i = s.At.Mnt.Vol.Edit(s.At.Num)
	if atime >= 0 {
		i.ATime = atime
	}
	if mtime >= 0 {
		i.MTime = mtime
	}
	i.CTime = t.Now()
	return nil
}

// Must walks to something that exists.
func (t *Tree) Must(c Cred, cwd, path string, follow bool) (Entry, error) {
	s, err := t.Walk(c, cwd, path, follow)
	if err == nil && !s.Exists() {
		err = syscall.ENOENT
	}
	return s, err
}

// reserve checks for room and accounts for n more bytes.
func (t *Tree) reserve(v *Volume, n int64) error {
	if n > 0 && !t.quiet && !v.Lossy && !v.Pseudo && t.k.Config.Full(n) {
		return syscall.ENOSPC
	}
	if v.Size > 0 && v.Used+n > v.Size {
		return syscall.ENOSPC
	}
	v.Used += n
	return nil
}

// A Stat is what stat(2) tells.
type Stat struct {
	Path   string // absolute, without links
	Dev    uint32
	Ino    uint32
	Mode   uint32 // type and permissions, as in st_mode
	UID    uint32
	GID    uint32
	Nlink  uint32
	Size   int64
	Atime  time.Time
	Mtime  time.Time
	Ctime  time.Time
	Btime  time.Time
	Target string // of a symbolic link
	Attrs  uint32 // chattr(1) flags

	Rdev   uint32
	Xattrs map[string]string
	At     place
}

// IsDir tells whether it is a directory.
func (s Stat) IsDir() bool { return s.Mode&ModeType == ModeDir }

// IsRegular tells whether it is a regular file.
func (s Stat) IsRegular() bool { return s.Mode&ModeType == ModeRegular }

// IsSymlink tells whether it is a symbolic link.
func (s Stat) IsSymlink() bool { return s.Mode&ModeType == ModeSymlink }

// Perm is the permission bits with set-user-ID, set-group-ID and sticky.
func (s Stat) Perm() uint32 { return s.Mode & 0o7777 }

func (t *Tree) stat(c Cred, cwd, path string, follow bool) (Stat, error) {
	s, err := t.Must(c, cwd, path, follow)
	if err != nil {
		return Stat{}, err
	}
	return t.statAt(s.At, s.Path), nil
}

func (t *Tree) statAt(p place, path string) Stat {
	i := p.Inode()
	if i == nil {
		return Stat{Path: path}
	}
	st := Stat{Path: path, Dev: p.Mnt.Vol.Dev, Ino: i.Num, Mode: i.Mode, UID: i.UID, GID: i.GID, Nlink: i.Nlink,
		Atime: time.Unix(0, i.ATime), Mtime: time.Unix(0, i.MTime), Ctime: time.Unix(0, i.CTime), Btime: time.Unix(0, i.BTime),
		Attrs: i.Attrs, Rdev: i.rdev, Xattrs: i.xattrs, At: p}
	switch i.Mode & ModeType {
	case ModeRegular:
		st.Size = int64(len(i.Data))
		if i.node != nil {
			st.Size = 0
			if p.Mnt.Vol.FSType == "sysfs" {
				st.Size = 4096
			}
		}
	case ModeSymlink:
		st.Target = t.linkTarget(i)
		st.Size = int64(len(st.Target))
		if p.Mnt.Vol.FSType == "proc" {
			st.Size = 0
		}
	case ModeDir:
		switch {
		case p.Mnt.Vol.FSType == "tmpfs" || p.Mnt.Vol.FSType == "devtmpfs":
			st.Size = int64(len(i.Children)+2) * 20
		case !p.Mnt.Vol.Pseudo:
			st.Size = 4096
			for n := len(i.Children) * 24; n > 4096; n -= 4096 {
				st.Size += 4096
			}
		}
	}
	return st
}

// Lock and Unlock guard every inode of the tree.
func (t *Tree) Lock() { t.mu.Lock() }

func (t *Tree) Unlock() { t.mu.Unlock() }

// Space gives the size of a volume and what is free of it.
func (k *Kernel) Space(v *Volume) (size, free int64) {
	k.Tree.Lock()
	defer k.Tree.Unlock()
	size = v.Size
	free = max(0, size-v.Used)
	if !v.Lossy && !v.Pseudo {
		free = k.Config.Room(free)
	}
	return size, free
}
