package kernel

import (
	"sync"
	"syscall"
)

// A Tree is a machine's file systems. Its mutex guards every inode.
type Tree struct {
	k      *Kernel
	mu     sync.Mutex
	Root   *MountPoint
	Mounts []*MountPoint // in the order they were made
	nextID int
	locks  map[InodeKey][]*File // flock(2) holders
	Freed  *sync.Cond           // a lock was released
	quiet  bool                 // the machine is being set up: nothing is counted
}

func (t *Tree) Now() int64 { return t.k.Now().UnixNano() }

// Mutable is called before each change of a volume. It is where read-only mounts, full disks and power cuts are felt,
// and where writes are counted.
func (t *Tree) Mutable(p place) error {
	if p.Mnt.readonly() {
		return syscall.EROFS
	}
	if t.quiet {
		return nil
	}
	return t.k.Mutate(p.Mnt.Vol)
}

func (t *Tree) touchDir(v *Volume, num uint32) *Inode {
	d := v.Edit(num)
	now := t.Now()
	d.MTime, d.CTime = now, now
	d.Changes++
	return d
}

// reserve checks for room and accounts for n more bytes.
func (t *Tree) reserve(v *Volume, n int64) error {
	if n > 0 && !t.quiet && !v.Lossy && !v.Pseudo && t.k.Config.Full(n) {
		return syscall.ENOSPC
	}
	if v.Size > 0 && v.Used+n > v.Size {
		return syscall.ENOSPC
	}
	v.Used += n
	return nil
}

// Lock and Unlock guard every inode of the tree.
func (t *Tree) Lock() { t.mu.Lock() }

func (t *Tree) Unlock() { t.mu.Unlock() }

// Space gives the size of a volume and what is free of it.
func (k *Kernel) Space(v *Volume) (size, free int64) {
	k.Tree.Lock()
	defer k.Tree.Unlock()
	size = v.Size
	free = max(0, size-v.Used)
	if !v.Lossy && !v.Pseudo {
		free = k.Config.Room(free)
	}
	return size, free
}
