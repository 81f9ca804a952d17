package kernel

import "strings"

// A Builder makes an image.
type Builder struct {
	im   *Image
	dirs map[string]uint32
}

func NewBuilder() *Builder {
	b := &Builder{im: &Image{inodes: []*Inode{nil}}, dirs: map[string]uint32{}}
	b.dirs[""] = b.add(ModeDir|0o755, 0, 0)
	return b
}

func (b *Builder) Image() *Image { return b.im }

func (b *Builder) add(mode, uid, gid uint32) uint32 {
	n := uint32(len(b.im.inodes))
	ns := imageTime.UnixNano()
	i := &Inode{Num: n, Mode: mode, UID: uid, GID: gid, Nlink: 1, ATime: ns, MTime: ns, CTime: ns, BTime: ns,
		Attrs: AttrExtents}
	if i.IsDir() {
		i.Children, i.Nlink = map[string]uint32{}, 2
	}
	if i.isLink() {
		i.Attrs = 0
	}
	b.im.inodes = append(b.im.inodes, i)
	return n
}

func (b *Builder) Dir(path string, mode uint32) *Inode {
	path = strings.TrimSuffix(path, "/")
	if n, ok := b.dirs[path]; ok {
		i := b.im.inodes[n]
		if mode != 0 {
			i.Mode = ModeDir | mode
		}
		return i
	}
	if mode == 0 {
		mode = 0o755
	}
	up, name := splitPath(path)
	parent := b.Dir(up, 0)
	n := b.add(ModeDir|mode, 0, 0)
	parent.Children[name] = n
	parent.Nlink++
	b.dirs[path] = n
	return b.im.inodes[n]
}

func splitPath(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:i], path[i+1:]
}

func (b *Builder) put(path string, mode uint32) *Inode {
	up, name := splitPath(path)
	parent := b.Dir(up, 0)
	n := b.add(mode, 0, 0)
	parent.Children[name] = n
	return b.im.inodes[n]
}

func (b *Builder) File(path string, perm uint32, content string) *Inode {
	i := b.put(path, ModeRegular|perm)
	i.Data = []byte(content)
	i.Data = i.Data[:len(i.Data):len(i.Data)]
	return i
}

func (b *Builder) Link(path, target string) { b.put(path, ModeSymlink|0o777).target = target }

// gen adds a file that the kernel generates.
func (b *Builder) gen(path string, perm uint32, n *node) *Inode {
	i := b.put(path, ModeRegular|perm)
	i.node = n
	return i
}
