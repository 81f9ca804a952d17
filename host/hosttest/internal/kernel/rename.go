package kernel

import (
	"strings"
	"syscall"
)

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
