package kernel

import "slices"

// A place is an inode within the mount through which it was reached.
type place struct {
	Mnt *MountPoint
	Num uint32
}

func (p place) Inode() *Inode { return p.Mnt.Vol.Get(p.Num) }

type InodeKey struct {
	Vol *Volume
	Num uint32
}

func (p place) Key() InodeKey { return InodeKey{p.Mnt.Vol, p.Num} }

// A MountPoint shows a volume (or, for a bind mount, a directory of it) at a place of the tree.
type MountPoint struct {
	ID     int
	Vol    *Volume
	Root   uint32
	Target string
	Opts   []string    // as in /proc/mounts, without the file system's own
	Over   *MountPoint // the mount it is on
	overN  uint32
}

func (m *MountPoint) readonly() bool { return m.Vol.ReadOnly || slices.Contains(m.Opts, "ro") }
