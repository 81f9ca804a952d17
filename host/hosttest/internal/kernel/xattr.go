package kernel

import (
	"maps"
	"strings"
	"syscall"
)

const (
	ACLAccess = "system.posix_acl_access" // where Linux keeps the access list
	// XattrCapability is dropped by the kernel when the file is written to or changes hands.
	XattrCapability = "security.capability"
)

// setXattr is setxattr(2), or removexattr(2) for an access list that is empty.
func (t *Tree) setXattr(c Cred, cwd, path, name, value string) error {
	s, err := t.Must(c, cwd, path, true)
	if err != nil {
		return err
	}
	i := s.At.Inode()
	space, _, _ := strings.Cut(name, ".")
	switch {
	case i.node != nil || s.At.Mnt.Vol.Pseudo || s.At.Mnt.Vol.FSType == "vfat":
		return syscall.ENOTSUP
	case space == "user" && !i.IsReg() && !i.IsDir():
		return syscall.EPERM
	case space == "user" && !c.may(i, MayWrite):
		return syscall.EACCES
	case (space == "trusted" || space == "security") && c.UID != 0:
		return syscall.EPERM
	case name == ACLAccess && c.UID != 0 && c.UID != i.UID:
		return syscall.EPERM
	case space != "user" && space != "trusted" && space != "security" && name != ACLAccess:
		return syscall.ENOTSUP // default access lists among them
	}
	if err := t.mayAlter(s.At); err != nil {
		return err
	}
	if err := t.Mutable(s.At); err != nil {
		return err
	}
	i = s.At.Mnt.Vol.Edit(s.At.Num)
	if err := i.setXattr(name, value); err != nil {
		return err
	}
	i.CTime = t.Now()
	i.Changes++
	return nil
}

func (i *Inode) setXattr(name, value string) error {
	if i.xattrs == nil {
		i.xattrs = map[string]string{}
	}
	if name != ACLAccess {
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
	i.Mode = i.Mode&^0o777 | a.mode()
	if a.minimal() {
		delete(i.xattrs, name)
	} else {
		i.xattrs[name] = value
	}
	return nil
}

func (p *Process) SetXattr(name, attr, value string) error {
	defer p.LockTree()()
	return p.Kernel.Tree.setXattr(p.Cred(), p.Dir, name, attr, value)
}

func (p *Process) Xattrs(name string) (map[string]string, error) {
	defer p.LockTree()()
	return p.Kernel.Tree.xattrs(p.Cred(), p.Dir, name)
}

func (t *Tree) xattrs(c Cred, cwd, path string) (map[string]string, error) {
	s, err := t.Must(c, cwd, path, true)
	if err != nil {
		return nil, err
	}
	return maps.Clone(s.At.Inode().xattrs), nil
}

// SetXattr sets an extended attribute, such as "user.note", "security.capability" or "system.posix_acl_access" (in the
// binary form of Linux). Default access lists are not modelled, and refused.
func (f FS) SetXattr(path, name, value string) error {
	return pathErr("setxattr", path, f.k.Tree.Quietly(func() error {
		return f.k.Tree.setXattr(RootCred, "/", path, name, value)
	}))
}

// Xattrs gives the extended attributes of a file by name; nil means that there are none.
func (f FS) Xattrs(path string) (map[string]string, error) {
	defer f.lock()()
	x, err := f.k.Tree.xattrs(RootCred, "/", path)
	return x, pathErr("getxattr", path, err)
}
