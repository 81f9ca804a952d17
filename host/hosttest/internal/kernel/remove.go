package kernel

import (
	"strings"
	"syscall"
)

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
