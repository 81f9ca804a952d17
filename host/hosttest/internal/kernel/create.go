package kernel

import (
	"strings"
	"syscall"
)

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
	if oi := o.At.Inode(); c.UID != 0 && c.UID != oi.UID &&
		(!oi.IsReg() || oi.Mode&(ModeSetUID) != 0 || !c.may(oi, MayRead|MayWrite)) {
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
