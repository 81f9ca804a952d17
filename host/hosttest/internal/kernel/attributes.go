package kernel

import "syscall"

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
