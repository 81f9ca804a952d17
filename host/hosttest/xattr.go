package hosttest

import (
	"maps"
	"strings"
	"syscall"
)

const (
	aclAccess = "system.posix_acl_access" // where Linux keeps the access list
	// capability is dropped by the kernel when the file is written to or changes hands.
	capability = "security.capability"
)

// setXattr is setxattr(2), or removexattr(2) for an access list that is empty.
func (t *tree) setXattr(c cred, cwd, path, name, value string) error {
	s, err := t.must(c, cwd, path, true)
	if err != nil {
		return err
	}
	i := s.at.inode()
	space, _, _ := strings.Cut(name, ".")
	switch {
	case i.node != nil || s.at.mnt.vol.kernel || s.at.mnt.vol.fstype == "vfat":
		return syscall.ENOTSUP
	case space == "user" && !i.isReg() && !i.isDir():
		return syscall.EPERM
	case space == "user" && !c.may(i, mayWrite):
		return syscall.EACCES
	case (space == "trusted" || space == "security") && c.uid != 0:
		return syscall.EPERM
	case name == aclAccess && c.uid != 0 && c.uid != i.uid:
		return syscall.EPERM
	case space != "user" && space != "trusted" && space != "security" && name != aclAccess:
		return syscall.ENOTSUP // default access lists among them
	}
	if err := t.mayAlter(s.at); err != nil {
		return err
	}
	if err := t.mutable(s.at); err != nil {
		return err
	}
	i = s.at.mnt.vol.edit(s.at.num)
	if err := i.setXattr(name, value); err != nil {
		return err
	}
	i.ctime = t.now()
	i.changes++
	return nil
}

func (i *inode) setXattr(name, value string) error {
	if i.xattrs == nil {
		i.xattrs = map[string]string{}
	}
	if name != aclAccess {
		i.xattrs[name] = value
		return nil
	}
	if value == "" {
		delete(i.xattrs, name)
		return nil
	}
	a, ok := parseACL(value)
	if !ok {
		return syscall.EINVAL
	}
	// The mode shows the mask in the place of the group; a list that says no more than the mode is not kept.
	i.mode = i.mode&^0o777 | a.mode()
	if a.minimal() {
		delete(i.xattrs, name)
	} else {
		i.xattrs[name] = value
	}
	return nil
}

func (p *proc) setXattr(name, attr, value string) error {
	defer p.lockTree()()
	return p.k.tree.setXattr(p.cred(), p.Dir, name, attr, value)
}

func (p *proc) xattrs(name string) (map[string]string, error) {
	defer p.lockTree()()
	return p.k.tree.xattrs(p.cred(), p.Dir, name)
}

func (t *tree) xattrs(c cred, cwd, path string) (map[string]string, error) {
	s, err := t.must(c, cwd, path, true)
	if err != nil {
		return nil, err
	}
	return maps.Clone(s.at.inode().xattrs), nil
}

// SetXattr sets an extended attribute, such as "user.note", "security.capability" or "system.posix_acl_access" (in the
// binary form of Linux). Default access lists are not modelled, and refused.
func (f FS) SetXattr(path, name, value string) error {
	return pathErr("setxattr", path, f.k.tree.quietly(func() error {
		return f.k.tree.setXattr(rootCred, "/", path, name, value)
	}))
}

// Xattrs gives the extended attributes of a file by name; nil means that there are none.
func (f FS) Xattrs(path string) (map[string]string, error) {
	defer f.lock()()
	x, err := f.k.tree.xattrs(rootCred, "/", path)
	return x, pathErr("getxattr", path, err)
}
