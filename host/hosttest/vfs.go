package hosttest

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
	sIFMT  = 0o170000
	sIFSOC = 0o140000
	sIFLNK = 0o120000
	sIFREG = 0o100000
	sIFBLK = 0o060000
	sIFDIR = 0o040000
	sIFCHR = 0o020000
	sIFIFO = 0o010000

	sISVTX = 0o1000
	sISGID = 0o2000
	sISUID = 0o4000
)

// Inode attributes as chattr(1) knows them (FS_IOC_GETFLAGS).
const (
	attrImmutable = 0x10
	attrAppend    = 0x20
	attrExtents   = 0x80000
)

// An inode is one file of a volume. Inodes of an image are shared by every machine and never written.
type inode struct {
	num      uint32
	mode     uint32
	uid, gid uint32
	nlink    uint32
	attrs    uint32
	rdev     uint32
	atime    int64
	mtime    int64
	ctime    int64
	btime    int64
	data     []byte // of a regular file; not to be written in place unless owned
	owned    bool
	target   string            // of a symbolic link
	kids     map[string]uint32 // of a directory
	node     *node             // of a device or a generated file
	dirty    int64             // when the oldest unsynced data was written, 0 when all is on the disk
	opens    int32             // open descriptions, which keep an unlinked inode alive
	changes  uint32            // incremented at each change of content or name
	sumOf    *[32]byte         // cached SHA-256 of an image's data
	xattrs   map[string]string // extended attributes
}

func (i *inode) isDir() bool  { return i.mode&sIFMT == sIFDIR }
func (i *inode) isReg() bool  { return i.mode&sIFMT == sIFREG }
func (i *inode) isLink() bool { return i.mode&sIFMT == sIFLNK }

// A node gives the content of a file that the kernel generates, or of a device.
type node struct {
	read  func(m *Kernel, p *proc) []byte
	write func(m *Kernel, p *proc, b []byte) error
	// once gives nothing to a second read, wherever the first one ended, as the kernel does with the numbers of /proc/sys.
	once bool
	dev  string // name of a device: null, zero, full, random, tty, or a disk's
	// when hides the entry unless it reports true; nil always shows it.
	when func(m *Kernel) bool
	// list and look make a directory's entries on demand.
	list func(m *Kernel) []string
	look func(m *Kernel, name string) *inode
}

// An image is the read-only lower layer of a volume.
type image struct{ inodes []*inode } // by number; 0 is unused, 1 is the root

func (im *image) get(n uint32) *inode {
	if im == nil || int(n) >= len(im.inodes) {
		return nil
	}
	return im.inodes[n]
}

// A volume is one file system: an image, and what this machine has changed.
type volume struct {
	dev      uint32
	fstype   string
	source   string // what /proc/mounts shows
	label    string
	uuid     string
	image    *image
	upper    map[uint32]*inode
	next     uint32
	size     int64 // bytes; 0 means unlimited
	used     int64
	readonly bool // damaged or remounted read-only as a whole
	kernel   bool // proc, sysfs, devtmpfs, cgroup2: not storage
	lossy    bool // tmpfs: gone at reboot
	disk     *disk
}

func newVolume(dev uint32, fstype, source string, im *image) *volume {
	v := &volume{dev: dev, fstype: fstype, source: source, image: im, upper: map[uint32]*inode{}, next: 2}
	if im != nil {
		v.next = uint32(len(im.inodes))
	}
	return v
}

func (v *volume) get(n uint32) *inode {
	if i, ok := v.upper[n]; ok {
		return i
	}
	return v.image.get(n)
}

// edit returns the inode for writing, copied up from the image when it is still there.
func (v *volume) edit(n uint32) *inode {
	if i, ok := v.upper[n]; ok {
		return i
	}
	i := v.image.get(n)
	if i == nil {
		return nil
	}
	c := *i
	c.owned, c.sumOf = false, nil
	c.kids = maps.Clone(i.kids)
	c.xattrs = maps.Clone(i.xattrs)
	v.upper[n] = &c
	return &c
}

func (v *volume) alloc(mode uint32, now int64) *inode {
	i := &inode{num: v.next, mode: mode, nlink: 1, atime: now, mtime: now, ctime: now, btime: now, owned: true}
	if v.fstype == "ext4" && (mode&sIFMT == sIFREG || mode&sIFMT == sIFDIR) {
		i.attrs = attrExtents
	}
	if i.isDir() {
		i.kids, i.nlink = map[string]uint32{}, 2
	}
	v.upper[v.next] = i
	v.next++
	return i
}

// A place is an inode within the mount through which it was reached.
type place struct {
	mnt *mount
	num uint32
}

func (p place) inode() *inode { return p.mnt.vol.get(p.num) }

type inodeKey struct {
	vol *volume
	num uint32
}

func (p place) key() inodeKey { return inodeKey{p.mnt.vol, p.num} }

// A mount shows a volume (or, for a bind mount, a directory of it) at a place of the tree.
type mount struct {
	id     int
	vol    *volume
	root   uint32
	target string
	opts   []string // as in /proc/mounts, without the file system's own
	over   *mount   // the mount it is on
	overN  uint32
}

func (m *mount) readonly() bool { return m.vol.readonly || slices.Contains(m.opts, "ro") }

// A tree is a machine's file systems. Its mutex guards every inode.
type tree struct {
	k      *Kernel
	mu     sync.Mutex
	root   *mount
	mounts []*mount // in the order they were made
	nextID int
	locks  map[inodeKey][]*description // flock(2) holders
	freed  *sync.Cond                  // a lock was released
	quiet  bool                        // the machine is being set up: nothing is counted
}

// cred is who asks.
type cred struct {
	uid, gid uint32
	groups   []uint32
}

var rootCred = cred{}

func (c cred) in(gid uint32) bool { return c.gid == gid || slices.Contains(c.groups, gid) }

const (
	mayRead  = 4
	mayWrite = 2
	mayExec  = 1
)

func (c cred) may(i *inode, want uint32) bool {
	if c.uid == 0 {
		return want&mayExec == 0 || i.isDir() || i.mode&0o111 != 0
	}
	if a := i.acl(); a != nil {
		return a.allows(c, i, want)
	}
	var bits uint32
	switch {
	case c.uid == i.uid:
		bits = i.mode >> 6
	case c.in(i.gid):
		bits = i.mode >> 3
	default:
		bits = i.mode
	}
	return bits&want == want
}

// A spot is the result of a path walk: the place, which may be empty, and the directory and name that hold it.
type spot struct {
	dir  place
	name string
	at   place // at.num 0: nothing there
	path string
}

func (s spot) exists() bool { return s.at.num != 0 }

// maxLinks is the kernel's limit (MAXSYMLINKS).
const maxLinks = 40

type step struct {
	at   place
	name string
}

// walk resolves path from the directory cwd. The last component may be missing; a trailing slash asks for a directory.
func (t *tree) walk(c cred, cwd, path string, follow bool) (spot, error) {
	if path == "" {
		return spot{}, syscall.ENOENT
	}
	if len(path) > 4095 {
		return spot{}, syscall.ENAMETOOLONG
	}
	var buf [16]step
	steps := append(buf[:0], step{at: t.cover(place{t.root, t.root.root})})
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
		ci := cur.at.inode()
		if ci == nil {
			return spot{}, syscall.ENOENT
		}
		if !ci.isDir() {
			return spot{}, syscall.ENOTDIR
		}
		if !c.may(ci, mayExec) {
			return spot{}, syscall.EACCES
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
			return spot{}, syscall.ENAMETOOLONG
		}
		n := t.lookup(cur.at, ci, name)
		if n == 0 {
			if !last {
				return spot{}, syscall.ENOENT
			}
			missing = name
			if dirWanted {
				missing += "/"
			}
			break
		}
		next := t.cover(place{cur.at.mnt, n})
		ni := next.inode()
		if ni.isLink() && (!last || follow || dirWanted) {
			if links++; links > maxLinks {
				return spot{}, syscall.ELOOP
			}
			target := t.linkTarget(ni)
			if target == "" {
				return spot{}, syscall.ENOENT
			}
			if target[0] == '/' {
				steps = steps[:1]
			}
			rest = target + rest
			continue
		}
		if dirWanted && !ni.isDir() {
			return spot{}, syscall.ENOTDIR
		}
		steps = append(steps, step{next, name})
	}
	if missing != "" {
		d := steps[len(steps)-1].at
		name := strings.TrimSuffix(missing, "/")
		s := spot{dir: d, name: name, path: joinSteps(steps) + "/" + name}
		if len(steps) == 1 {
			s.path = "/" + name
		}
		if missing != name {
			s.name = missing
		}
		return s, nil
	}
	s := spot{at: steps[len(steps)-1].at, path: joinSteps(steps)}
	if len(steps) > 1 {
		s.dir, s.name = steps[len(steps)-2].at, steps[len(steps)-1].name
	} else {
		s.dir, s.path = s.at, "/"
	}
	return s, nil
}

// walkSelf resolves what is to be removed or renamed: a slash after a link does not follow it, but asks for a directory.
func (t *tree) walkSelf(c cred, cwd, path string) (spot, error) {
	bare := strings.TrimRight(path, "/")
	if bare == "" || bare == path {
		return t.walk(c, cwd, path, false)
	}
	s, err := t.walk(c, cwd, bare, false)
	if err == nil && s.exists() && !s.at.inode().isDir() {
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
func (t *tree) cover(p place) place {
	for i := len(t.mounts) - 1; i >= 0; i-- {
		m := t.mounts[i]
		if m.over == p.mnt && m.overN == p.num {
			return t.cover(place{m, m.root})
		}
	}
	return p
}

func (t *tree) lookup(dir place, di *inode, name string) uint32 {
	if n, ok := di.kids[name]; ok {
		if i := dir.mnt.vol.get(n); i != nil && i.node != nil && i.node.when != nil && !i.node.when(t.k) {
			return 0
		}
		return n
	}
	if di.node != nil && di.node.look != nil {
		if i := di.node.look(t.k, name); i != nil {
			// A generated inode lives in the upper layer only while somebody looks at it.
			v := dir.mnt.vol
			i.num = 1<<30 + fnv32(di.num, name)
			v.upper[i.num] = i
			return i.num
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

func (t *tree) linkTarget(i *inode) string {
	if i.node != nil && i.node.read != nil {
		return string(i.node.read(t.k, nil))
	}
	return i.target
}

// names lists a directory in the order of a hash, as ext4 does: nothing may rely on a sorted readdir.
func (t *tree) names(dir place) []string {
	di := dir.inode()
	out := make([]string, 0, len(di.kids))
	for k, n := range di.kids {
		if i := dir.mnt.vol.get(n); i != nil && i.node != nil && i.node.when != nil && !i.node.when(t.k) {
			continue
		}
		out = append(out, k)
	}
	if di.node != nil && di.node.list != nil {
		out = append(out, di.node.list(t.k)...)
	}
	if dir.mnt.vol.fstype == "ext4" {
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

func (t *tree) now() int64 { return t.k.now().UnixNano() }

// mutable is called before each change of a volume. It is where read-only mounts, full disks and power cuts are felt,
// and where writes are counted.
func (t *tree) mutable(p place) error {
	if p.mnt.readonly() {
		return syscall.EROFS
	}
	if t.quiet {
		return nil
	}
	return t.k.mutation(p.mnt.vol)
}

func (t *tree) touchDir(v *volume, num uint32) *inode {
	d := v.edit(num)
	now := t.now()
	d.mtime, d.ctime = now, now
	d.changes++
	return d
}

// mayChangeDir checks that c can add or remove a name of the directory.
func (t *tree) mayChangeDir(c cred, dir place) error {
	di := dir.inode()
	if di == nil || !di.isDir() {
		return syscall.ENOTDIR
	}
	if !c.may(di, mayWrite|mayExec) {
		return syscall.EACCES
	}
	if dir.mnt.readonly() {
		return syscall.EROFS
	}
	if dir.mnt.vol.kernel && dir.mnt.vol.fstype != "devtmpfs" {
		if dir.mnt.vol.fstype == "proc" {
			return syscall.ENOENT
		}
		return syscall.EPERM
	}
	if di.attrs&attrImmutable != 0 {
		return syscall.EPERM
	}
	return nil
}

// mayUnlink adds the sticky bit and the victim's own attributes.
func (t *tree) mayUnlink(c cred, s spot) error {
	if err := t.mayChangeDir(c, s.dir); err != nil {
		return err
	}
	di, vi := s.dir.inode(), s.at.inode()
	if di.mode&sISVTX != 0 && c.uid != 0 && c.uid != di.uid && c.uid != vi.uid {
		return syscall.EPERM
	}
	if vi.attrs&(attrImmutable|attrAppend) != 0 || di.attrs&attrAppend != 0 {
		return syscall.EPERM
	}
	return nil
}

// create makes an inode of the given mode at an empty spot.
func (t *tree) create(c cred, s spot, mode uint32) (place, error) {
	name := s.name
	if strings.HasSuffix(name, "/") {
		if mode&sIFMT != sIFDIR {
			return place{}, syscall.EISDIR
		}
		name = strings.TrimSuffix(name, "/")
	}
	if di := s.dir.inode(); di != nil && di.nlink == 0 {
		return place{}, syscall.ENOENT
	}
	if err := t.mayChangeDir(c, s.dir); err != nil {
		return place{}, err
	}
	v := s.dir.mnt.vol
	if err := t.reserve(v, 0); err != nil {
		return place{}, err
	}
	if err := t.mutable(s.dir); err != nil {
		return place{}, err
	}
	d := t.touchDir(v, s.dir.num)
	i := v.alloc(mode, t.now())
	i.uid, i.gid = c.uid, c.gid
	if d.mode&sISGID != 0 {
		i.gid = d.gid
		if i.isDir() {
			i.mode |= sISGID
		}
	}
	if v.fstype == "vfat" {
		i.uid, i.gid, i.mode = 0, 0, i.mode&sIFMT|0o755
	}
	d.kids[name] = i.num
	if i.isDir() {
		d.nlink++
	}
	return place{s.dir.mnt, i.num}, nil
}

func (t *tree) mkdir(c cred, cwd, path string, perm uint32) error {
	s, err := t.walk(c, cwd, path, false)
	if err != nil {
		return err
	}
	if s.exists() {
		return syscall.EEXIST
	}
	_, err = t.create(c, s, sIFDIR|perm)
	return err
}

func (t *tree) symlink(c cred, target, cwd, path string) error {
	s, err := t.walk(c, cwd, path, false)
	if err != nil {
		return err
	}
	if s.exists() {
		return syscall.EEXIST
	}
	if s.dir.mnt.vol.fstype == "vfat" {
		return syscall.EPERM
	}
	p, err := t.create(c, s, sIFLNK|0o777)
	if err == nil {
		p.inode().target = target
	}
	return err
}

func (t *tree) link(c cred, cwd, from, to string, follow bool) error {
	o, err := t.walk(c, cwd, from, follow)
	if err != nil {
		return err
	}
	if !o.exists() {
		return syscall.ENOENT
	}
	s, err := t.walk(c, cwd, to, false)
	if err != nil {
		return err
	}
	if s.exists() {
		return syscall.EEXIST
	}
	if o.at.inode().isDir() {
		return syscall.EPERM
	}
	if o.at.mnt.vol != s.dir.mnt.vol || o.at.mnt != s.dir.mnt {
		return syscall.EXDEV
	}
	if strings.HasSuffix(s.name, "/") {
		return syscall.ENOENT
	}
	if s.dir.mnt.vol.fstype == "vfat" || o.at.inode().attrs&(attrImmutable|attrAppend) != 0 {
		return syscall.EPERM
	}
	// fs.protected_hardlinks=1, Debian's default.
	if oi := o.at.inode(); c.uid != 0 && c.uid != oi.uid && (!oi.isReg() || oi.mode&(sISUID) != 0 || !c.may(oi, mayRead|mayWrite)) {
		return syscall.EPERM
	}
	if err := t.mayChangeDir(c, s.dir); err != nil {
		return err
	}
	if err := t.mutable(s.dir); err != nil {
		return err
	}
	t.touchDir(s.dir.mnt.vol, s.dir.num).kids[s.name] = o.at.num
	i := o.at.mnt.vol.edit(o.at.num)
	i.nlink++
	i.ctime = t.now()
	return nil
}

func (t *tree) unlink(c cred, cwd, path string) error {
	s, err := t.walkSelf(c, cwd, path)
	if err != nil {
		return err
	}
	if !s.exists() {
		return syscall.ENOENT
	}
	if s.at.inode().isDir() {
		if err := t.mayUnlink(c, s); err != nil {
			return err
		}
		return syscall.EISDIR
	}
	if err := t.mayUnlink(c, s); err != nil {
		return err
	}
	if err := t.mutable(s.dir); err != nil {
		return err
	}
	delete(t.touchDir(s.dir.mnt.vol, s.dir.num).kids, s.name)
	t.drop(s.at)
	return nil
}

// drop takes one link away and frees what nobody uses.
func (t *tree) drop(p place) {
	v := p.mnt.vol
	i := v.edit(p.num)
	if i == nil {
		return
	}
	i.ctime = t.now()
	i.nlink--
	if i.nlink == 0 && i.opens == 0 {
		t.free(v, i)
	}
}

func (t *tree) free(v *volume, i *inode) {
	v.used -= int64(len(i.data))
	if v.image.get(i.num) == nil {
		delete(v.upper, i.num)
		return
	}
	i.data, i.kids = nil, nil
}

func (t *tree) rmdir(c cred, cwd, path string) error {
	base := path[strings.LastIndexByte(strings.TrimRight(path, "/"), '/')+1:]
	if base == "." {
		return syscall.EINVAL
	}
	s, err := t.walkSelf(c, cwd, path)
	if err != nil {
		return err
	}
	if !s.exists() {
		return syscall.ENOENT
	}
	i := s.at.inode()
	if !i.isDir() {
		return syscall.ENOTDIR
	}
	if s.at.num == s.at.mnt.root {
		return syscall.EBUSY
	}
	if base == ".." {
		return syscall.ENOTEMPTY
	}
	if err := t.mayUnlink(c, s); err != nil {
		return err
	}
	if len(i.kids) > 0 {
		return syscall.ENOTEMPTY
	}
	if err := t.mutable(s.dir); err != nil {
		return err
	}
	d := t.touchDir(s.dir.mnt.vol, s.dir.num)
	delete(d.kids, s.name)
	d.nlink--
	v := s.at.mnt.vol
	gone := v.edit(s.at.num)
	gone.nlink = 0
	t.free(v, gone)
	return nil
}

// rename is rename(2): atomic, within one mount, over what is there. With noReplace it is renameat2's RENAME_NOREPLACE.
func (t *tree) rename(c cred, cwd, from, to string, noReplace bool) error {
	o, err := t.walkSelf(c, cwd, from)
	if err != nil {
		return err
	}
	if !o.exists() {
		return syscall.ENOENT
	}
	n, err := t.walk(c, cwd, to, false)
	if err != nil {
		return err
	}
	if o.dir.mnt != n.dir.mnt {
		return syscall.EXDEV
	}
	if o.at.num == o.at.mnt.root || n.exists() && n.at.num == n.at.mnt.root {
		return syscall.EBUSY
	}
	if noReplace && n.exists() {
		return syscall.EEXIST
	}
	oi := o.at.inode()
	if err := t.mayUnlink(c, o); err != nil {
		return err
	}
	if n.exists() {
		if err := t.mayUnlink(c, n); err != nil {
			return err
		}
		ni := n.at.inode()
		switch {
		case n.at.key() == o.at.key():
			return nil
		case ni.isDir() && !oi.isDir():
			return syscall.EISDIR
		case !ni.isDir() && oi.isDir():
			return syscall.ENOTDIR
		case ni.isDir() && len(ni.kids) > 0:
			return syscall.ENOTEMPTY
		}
	} else {
		if strings.HasSuffix(n.name, "/") {
			if !oi.isDir() {
				return syscall.ENOTDIR
			}
			n.name = strings.TrimSuffix(n.name, "/")
		}
		if err := t.mayChangeDir(c, n.dir); err != nil {
			return err
		}
	}
	if oi.isDir() && (n.path == o.path || strings.HasPrefix(n.path, o.path+"/")) {
		return syscall.EINVAL
	}
	if err := t.mutable(o.dir); err != nil {
		return err
	}
	v := o.dir.mnt.vol
	delete(t.touchDir(v, o.dir.num).kids, o.name)
	nd := t.touchDir(v, n.dir.num)
	nd.kids[n.name] = o.at.num
	if n.exists() {
		ni := v.edit(n.at.num)
		if ni.isDir() {
			ni.nlink = 0
			nd.nlink--
			t.free(v, ni)
		} else {
			t.drop(n.at)
		}
	}
	if oi.isDir() && o.dir.num != n.dir.num {
		v.edit(o.dir.num).nlink--
		v.edit(n.dir.num).nlink++
	}
	i := v.edit(o.at.num)
	i.ctime = t.now()
	i.changes++
	return nil
}

func (t *tree) chmod(c cred, cwd, path string, mode uint32) error {
	s, err := t.must(c, cwd, path, true)
	if err != nil {
		return err
	}
	i := s.at.inode()
	if c.uid != 0 && c.uid != i.uid {
		return syscall.EPERM
	}
	if err := t.mayAlter(s.at); err != nil {
		return err
	}
	if err := t.mutable(s.at); err != nil {
		return err
	}
	if s.at.mnt.vol.fstype == "vfat" {
		if mode&0o777 != i.mode&0o777 {
			return syscall.EPERM
		}
		return nil
	}
	if c.uid != 0 && !i.isDir() && !c.in(i.gid) {
		mode &^= sISGID
	}
	i = s.at.mnt.vol.edit(s.at.num)
	i.mode = i.mode&sIFMT | mode&0o7777
	i.aclFollowsMode()
	i.ctime = t.now()
	i.changes++
	return nil
}

func (t *tree) mayAlter(p place) error {
	if p.mnt.readonly() {
		return syscall.EROFS
	}
	i := p.inode()
	if i.attrs&(attrImmutable|attrAppend) != 0 {
		return syscall.EPERM
	}
	return nil
}

// chown changes owner and group; -1 leaves one alone.
func (t *tree) chown(c cred, cwd, path string, uid, gid int64, follow bool) error {
	s, err := t.must(c, cwd, path, follow)
	if err != nil {
		return err
	}
	i := s.at.inode()
	if c.uid != 0 && (uid >= 0 && uint32(uid) != i.uid || c.uid != i.uid || gid >= 0 && !c.in(uint32(gid))) {
		return syscall.EPERM
	}
	if err := t.mayAlter(s.at); err != nil {
		return err
	}
	if err := t.mutable(s.at); err != nil {
		return err
	}
	if s.at.mnt.vol.fstype == "vfat" {
		if uid >= 0 && uint32(uid) != i.uid || gid >= 0 && uint32(gid) != i.gid {
			return syscall.EPERM
		}
		return nil
	}
	i = s.at.mnt.vol.edit(s.at.num)
	if uid >= 0 {
		i.uid = uint32(uid)
	}
	if gid >= 0 {
		i.gid = uint32(gid)
	}
	if i.isReg() && i.mode&0o111 != 0 {
		i.mode &^= sISUID
		if i.mode&0o010 != 0 {
			i.mode &^= sISGID
		}
	}
	delete(i.xattrs, capability)
	i.ctime = t.now()
	i.changes++
	return nil
}

// utimes sets access and modification time in nanoseconds; a negative one is left alone.
func (t *tree) utimes(c cred, cwd, path string, atime, mtime int64, toNow, follow bool) error {
	s, err := t.must(c, cwd, path, follow)
	if err != nil {
		return err
	}
	i := s.at.inode()
	if c.uid != 0 && c.uid != i.uid {
		if !toNow {
			return syscall.EPERM
		}
		if !c.may(i, mayWrite) {
			return syscall.EACCES
		}
	}
	if err := t.mayAlter(s.at); err != nil {
		return err
	}
	if err := t.mutable(s.at); err != nil {
		return err
	}
	i = s.at.mnt.vol.edit(s.at.num)
	if atime >= 0 {
		i.atime = atime
	}
	if mtime >= 0 {
		i.mtime = mtime
	}
	i.ctime = t.now()
	return nil
}

// must walks to something that exists.
func (t *tree) must(c cred, cwd, path string, follow bool) (spot, error) {
	s, err := t.walk(c, cwd, path, follow)
	if err == nil && !s.exists() {
		err = syscall.ENOENT
	}
	return s, err
}

// reserve checks for room and accounts for n more bytes.
func (t *tree) reserve(v *volume, n int64) error {
	if n > 0 && !t.quiet && !v.lossy && !v.kernel && t.k.cfg.Full(n) {
		return syscall.ENOSPC
	}
	if v.size > 0 && v.used+n > v.size {
		return syscall.ENOSPC
	}
	v.used += n
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

	rdev   uint32
	xattrs map[string]string
	at     place
}

// IsDir tells whether it is a directory.
func (s Stat) IsDir() bool { return s.Mode&sIFMT == sIFDIR }

// IsRegular tells whether it is a regular file.
func (s Stat) IsRegular() bool { return s.Mode&sIFMT == sIFREG }

// IsSymlink tells whether it is a symbolic link.
func (s Stat) IsSymlink() bool { return s.Mode&sIFMT == sIFLNK }

// Perm is the permission bits with set-user-ID, set-group-ID and sticky.
func (s Stat) Perm() uint32 { return s.Mode & 0o7777 }

func (t *tree) stat(c cred, cwd, path string, follow bool) (Stat, error) {
	s, err := t.must(c, cwd, path, follow)
	if err != nil {
		return Stat{}, err
	}
	return t.statAt(s.at, s.path), nil
}

func (t *tree) statAt(p place, path string) Stat {
	i := p.inode()
	if i == nil {
		return Stat{Path: path}
	}
	st := Stat{Path: path, Dev: p.mnt.vol.dev, Ino: i.num, Mode: i.mode, UID: i.uid, GID: i.gid, Nlink: i.nlink,
		Atime: time.Unix(0, i.atime), Mtime: time.Unix(0, i.mtime), Ctime: time.Unix(0, i.ctime), Btime: time.Unix(0, i.btime),
		Attrs: i.attrs, rdev: i.rdev, xattrs: i.xattrs, at: p}
	switch i.mode & sIFMT {
	case sIFREG:
		st.Size = int64(len(i.data))
		if i.node != nil {
			st.Size = 0
			if p.mnt.vol.fstype == "sysfs" {
				st.Size = 4096
			}
		}
	case sIFLNK:
		st.Target = t.linkTarget(i)
		st.Size = int64(len(st.Target))
		if p.mnt.vol.fstype == "proc" {
			st.Size = 0
		}
	case sIFDIR:
		switch {
		case p.mnt.vol.fstype == "tmpfs" || p.mnt.vol.fstype == "devtmpfs":
			st.Size = int64(len(i.kids)+2) * 20
		case !p.mnt.vol.kernel:
			st.Size = 4096
			for n := len(i.kids) * 24; n > 4096; n -= 4096 {
				st.Size += 4096
			}
		}
	}
	return st
}
