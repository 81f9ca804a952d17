package kernel

import (
	"io"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
)

// A Stream is an open description that is not a regular file: a pipe's end, a channel of the connection, a device.
type Stream interface {
	Read(p *Process, b []byte) (int, error)
	Write(p *Process, b []byte) (int, error)
	Close()
}

// A File is an open file, shared by the descriptors that were duplicated or inherited from one open(2).
type File struct {
	refs   atomic.Int32
	Tree   *Tree
	Stream Stream
	At     place
	Path   string
	flags  int

	Off     int64 // guarded by t.mu
	wrote   bool
	counted bool
	Gen     []byte // what a generated file held when it was opened
	once    bool   // see [node]
}

func NewStream(s Stream, flags int) *File {
	d := &File{Stream: s, flags: flags}
	d.refs.Store(1)
	return d
}

func (d *File) Ref() *File { d.refs.Add(1); return d }

func (d *File) Release() {
	if d.refs.Add(-1) != 0 {
		return
	}
	if d.Stream != nil {
		d.Stream.Close()
		return
	}
	t := d.Tree
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unlockLocked(d)
	v := d.At.Mnt.Vol
	if i, ok := v.Upper[d.At.Num]; ok && d.counted {
		i.Opens--
		if i.Nlink == 0 && i.Opens == 0 {
			t.free(v, i)
		}
	}
}

// openFile is open(2).
func (t *Tree) openFile(c Cred, cwd, path string, flags int, perm uint32, p *Process) (*File, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	write := flags&(os.O_WRONLY|os.O_RDWR) != 0
	read := flags&os.O_WRONLY == 0
	s, err := t.Walk(c, cwd, path, flags&os.O_EXCL == 0)
	if err != nil {
		return nil, err
	}
	if !s.Exists() {
		if flags&os.O_CREATE == 0 {
			return nil, syscall.ENOENT
		}
		if s.At, err = t.create(c, s, ModeRegular|perm); err != nil {
			return nil, err
		}
	} else {
		i := s.At.Inode()
		if err := c.mayOpen(s, i, flags); err != nil {
			return nil, err
		}
		if i.node != nil && i.node.dev != "" {
			st, err := t.k.openDevice(i.node.dev, write)
			if err != nil {
				return nil, err
			}
			d := NewStream(st, flags)
			d.Path = s.Path
			return d, nil
		}
		if flags&os.O_TRUNC != 0 && write && i.node == nil {
			if err := t.Mutable(s.At); err != nil {
				return nil, err
			}
			i = s.At.Mnt.Vol.Edit(s.At.Num)
			t.setData(s.At, i, nil)
		}
	}
	d := &File{Tree: t, At: s.At, flags: flags, Path: s.Path}
	d.refs.Store(1)
	i := s.At.Inode()
	if i.node != nil {
		d.once = i.node.once
		if i.node.read != nil && read {
			d.Gen = i.node.read(t.k, p)
			if d.Gen == nil {
				return nil, syscall.EIO
			}
		}
		return d, nil
	}
	// A reader of an image's file is not counted: should the file go, the image still has what it held.
	if write || s.At.Mnt.Vol.Upper[s.At.Num] != nil {
		s.At.Mnt.Vol.Edit(s.At.Num).Opens++
		d.counted = true
	}
	return d, nil
}

// mayOpen tells why a file that is there cannot be opened so.
func (c Cred) mayOpen(s Entry, i *Inode, flags int) error {
	write := flags&(os.O_WRONLY|os.O_RDWR) != 0
	read := flags&os.O_WRONLY == 0
	if flags&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL {
		return syscall.EEXIST
	}
	if i.IsDir() && (write || flags&os.O_CREATE != 0) {
		return syscall.EISDIR
	}
	if i.Mode&ModeType == ModeSocket {
		return syscall.ENXIO
	}
	var want uint32
	if read {
		want |= MayRead
	}
	if write {
		want |= MayWrite
	}
	if !c.may(i, want) {
		return syscall.EACCES
	}
	// fs.protected_regular=2, Debian's default.
	if di := s.dir.Inode(); flags&os.O_CREATE != 0 && i.IsReg() && di.Mode&ModeSticky != 0 && di.Mode&0o022 != 0 &&
		c.UID != i.UID && di.UID != i.UID {
		return syscall.EACCES
	}
	if write && i.node == nil {
		if s.At.Mnt.readonly() {
			return syscall.EROFS
		}
		if i.Attrs&AttrImmutable != 0 ||
			i.Attrs&AttrAppend != 0 && (flags&os.O_APPEND == 0 || flags&os.O_TRUNC != 0) {
			return syscall.EPERM
		}
	}
	return nil
}

// setData replaces a file's content. The data becomes safe from a power cut at the next sync.
func (t *Tree) setData(p place, i *Inode, b []byte) {
	v := p.Mnt.Vol
	v.Used += int64(len(b)) - int64(len(i.Data))
	i.Data, i.Owned = b, true
	t.dirtied(v, i)
}

func (t *Tree) dirtied(v *Volume, i *Inode) {
	now := t.Now()
	i.MTime, i.CTime = now, now
	i.Changes++
	if i.Dirty == 0 {
		i.Dirty = now
	}
}

func (d *File) Read(p *Process, b []byte) (int, error) {
	if d.flags&os.O_WRONLY != 0 {
		return 0, syscall.EBADF
	}
	if d.Stream != nil {
		return d.Stream.Read(p, b)
	}
	d.Tree.mu.Lock()
	defer d.Tree.mu.Unlock()
	data := d.Gen
	if data == nil {
		i := d.At.Inode()
		if i == nil {
			return 0, io.EOF
		}
		if i.Nlink == 0 && !d.counted {
			i = d.At.Mnt.Vol.image.get(d.At.Num)
		}
		if i.IsDir() {
			return 0, syscall.EISDIR
		}
		data = i.Data
	}
	if d.Off >= int64(len(data)) || d.once && d.Off > 0 {
		return 0, io.EOF
	}
	n := copy(b, data[d.Off:])
	d.Off += int64(n)
	return n, nil
}

func (d *File) Write(p *Process, b []byte) (int, error) {
	if d.flags&(os.O_WRONLY|os.O_RDWR) == 0 {
		return 0, syscall.EBADF
	}
	if d.Stream != nil {
		return d.Stream.Write(p, b)
	}
	if len(b) == 0 {
		return 0, nil
	}
	t := d.Tree
	t.mu.Lock()
	defer t.mu.Unlock()
	i := d.At.Inode()
	if i == nil {
		return 0, syscall.EIO
	}
	if i.node != nil {
		if i.node.write == nil {
			return 0, syscall.EIO
		}
		if err := t.k.Mutate(nil); err != nil {
			return 0, err
		}
		if err := i.node.write(t.k, p, b); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	if d.At.Mnt.Vol.ReadOnly {
		return 0, syscall.EIO
	}
	if !d.wrote {
		if err := t.Mutable(d.At); err != nil {
			return 0, err
		}
		d.wrote = true
	}
	v := d.At.Mnt.Vol
	i = v.Edit(d.At.Num)
	if d.flags&os.O_APPEND != 0 {
		d.Off = int64(len(i.Data))
	}
	end := d.Off + int64(len(b))
	if grow := end - int64(len(i.Data)); grow > 0 {
		if err := t.reserve(v, grow); err != nil {
			return 0, err
		}
	}
	if !i.Owned {
		// Appending to data of an image must not reach its spare capacity.
		i.Data = slices.Clone(i.Data)
		i.Owned = true
	}
	if d.Off > int64(len(i.Data)) {
		i.Data = append(i.Data, make([]byte, d.Off-int64(len(i.Data)))...)
	}
	n := copy(i.Data[d.Off:], b)
	i.Data = append(i.Data, b[n:]...)
	d.Off = end
	if i.Mode&(ModeSetUID|ModeSetGID) != 0 && p != nil && p.UID != 0 {
		i.Mode &^= ModeSetUID | ModeSetGID
	}
	delete(i.xattrs, XattrCapability)
	t.dirtied(v, i)
	return len(b), nil
}

// Seek moves the offset of a regular file.
func (d *File) Seek(off int64, whence int) (int64, error) {
	if d.Stream != nil {
		if s, ok := d.Stream.(interface {
			seek(off int64, whence int) (int64, error)
		}); ok {
			return s.seek(off, whence)
		}
		return 0, syscall.ESPIPE
	}
	d.Tree.mu.Lock()
	defer d.Tree.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		off += d.Off
	case io.SeekEnd:
		off += int64(len(d.At.Inode().Data))
	}
	if off < 0 {
		return 0, syscall.EINVAL
	}
	d.Off = off
	return off, nil
}

// Truncate is ftruncate(2).
func (d *File) Truncate(size int64) error {
	if d.Stream != nil {
		return syscall.EINVAL
	}
	t := d.Tree
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.Mutable(d.At); err != nil {
		return err
	}
	v := d.At.Mnt.Vol
	i := v.Edit(d.At.Num)
	old := int64(len(i.Data))
	if size > old {
		if err := t.reserve(v, size-old); err != nil {
			return err
		}
		i.Data = append(slices.Clip(i.Data), make([]byte, size-old)...)
	} else {
		i.Data = slices.Clip(i.Data[:size])
		i.Owned = false
		v.Used -= old - size
	}
	t.dirtied(v, i)
	return nil
}

// Sync is fsync(2): what was written survives a power cut.
func (d *File) Sync() {
	if d.Stream != nil {
		return
	}
	d.Tree.mu.Lock()
	defer d.Tree.mu.Unlock()
	if i, ok := d.At.Mnt.Vol.Upper[d.At.Num]; ok {
		i.Dirty = 0
	}
}

func (v *Volume) Sync() {
	for _, i := range v.Upper {
		i.Dirty = 0
	}
}
