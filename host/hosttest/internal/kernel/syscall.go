package kernel

import "syscall"

func (p *Process) LockTree() func() {
	p.Check()
	p.Kernel.Tree.mu.Lock()
	return p.Kernel.Tree.mu.Unlock
}

func (p *Process) Stat(name string) (Stat, error) {
	if d, ok := p.inherited(name); ok && d != nil {
		defer d.Release()
		if d.Stream == nil { // what is open, wherever it is by now
			defer p.LockTree()()
			return d.Tree.statAt(d.At, name), nil
		}
	}
	defer p.LockTree()()
	return p.Kernel.Tree.stat(p.Cred(), p.Dir, name, true)
}

func (p *Process) Lstat(name string) (Stat, error) {
	defer p.LockTree()()
	return p.Kernel.Tree.stat(p.Cred(), p.Dir, name, false)
}

// Access is faccessat(2): want is a sum of 4 (read), 2 (write), 1 (execute).
func (p *Process) Access(name string, want uint32) error {
	defer p.LockTree()()
	s, err := p.Kernel.Tree.Must(p.Cred(), p.Dir, name, true)
	if err != nil {
		return err
	}
	i := s.At.Inode()
	if want&MayWrite != 0 && s.At.Mnt.readonly() && i.node == nil {
		return syscall.EROFS
	}
	if want&MayWrite != 0 && i.Attrs&AttrImmutable != 0 {
		return syscall.EPERM
	}
	if !p.Cred().may(i, want) {
		return syscall.EACCES
	}
	return nil
}

func (p *Process) Mkdir(name string, perm uint32) error {
	defer p.LockTree()()
	return p.Kernel.Tree.mkdir(p.Cred(), p.Dir, name, perm&^p.Umask)
}

func (p *Process) Symlink(target, name string) error {
	defer p.LockTree()()
	return p.Kernel.Tree.symlink(p.Cred(), target, p.Dir, name)
}

func (p *Process) Link(from, to string, follow bool) error {
	defer p.LockTree()()
	return p.Kernel.Tree.link(p.Cred(), p.Dir, from, to, follow)
}

func (p *Process) Unlink(name string) error {
	defer p.LockTree()()
	return p.Kernel.Tree.unlink(p.Cred(), p.Dir, name)
}

func (p *Process) Rmdir(name string) error {
	defer p.LockTree()()
	return p.Kernel.Tree.rmdir(p.Cred(), p.Dir, name)
}

func (p *Process) Rename(from, to string) error {
	defer p.LockTree()()
	return p.Kernel.Tree.rename(p.Cred(), p.Dir, from, to, false)
}

func (p *Process) Chmod(name string, mode uint32) error {
	defer p.LockTree()()
	return p.Kernel.Tree.chmod(p.Cred(), p.Dir, name, mode)
}

func (p *Process) Chown(name string, uid, gid int64, follow bool) error {
	defer p.LockTree()()
	return p.Kernel.Tree.chown(p.Cred(), p.Dir, name, uid, gid, follow)
}

func (p *Process) Utimes(name string, atime, mtime int64, toNow, follow bool) error {
	defer p.LockTree()()
	return p.Kernel.Tree.utimes(p.Cred(), p.Dir, name, atime, mtime, toNow, follow)
}

// ReadDir lists the names of a directory, in no useful order.
func (p *Process) ReadDir(name string) ([]string, error) {
	defer p.LockTree()()
	s, err := p.Kernel.Tree.Must(p.Cred(), p.Dir, name, true)
	if err != nil {
		return nil, err
	}
	if !s.At.Inode().IsDir() {
		return nil, syscall.ENOTDIR
	}
	if !p.Cred().may(s.At.Inode(), MayRead) {
		return nil, syscall.EACCES
	}
	return p.Kernel.Tree.names(s.At), nil
}

// Realpath gives the absolute path without links of something that exists.
func (p *Process) Realpath(name string) (string, error) {
	defer p.LockTree()()
	s, err := p.Kernel.Tree.Must(p.Cred(), p.Dir, name, true)
	return s.Path, err
}
