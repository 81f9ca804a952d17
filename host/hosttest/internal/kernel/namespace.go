package kernel

import (
	"path"
	"slices"
	"syscall"
)

// A namespace is a mount namespace in which something has been unmounted that is still mounted for everybody else.
type namespace struct {
	hidden []*MountPoint // guarded by the tree's lock
}

// shows reports whether a mount is in the namespace; nil is the one that everybody shares. The tree is locked.
func (n *namespace) shows(m *MountPoint) bool { return n == nil || !slices.Contains(n.hidden, m) }

// Unshare gives the process, and the children that it starts from then on, a mount namespace of their own, as
// unshare(2) with private propagation does. Nothing can be mounted in it.
func (p *Process) Unshare() { p.mounts = &namespace{} }

// Private reports whether the process has a mount namespace of its own.
func (p *Process) Private() bool { return p.mounts != nil }

// UnmountHere unmounts the topmost mount at a path without links, in the namespace of the process alone. What is
// mounted below it can no longer be reached there either.
func (p *Process) UnmountHere(where string) error {
	defer p.LockTree()()
	t := p.Kernel.Tree
	for _, m := range slices.Backward(t.Mounts) {
		if m.Target != path.Clean(where) || !p.mounts.shows(m) {
			continue
		}
		if m == t.Root {
			return syscall.EBUSY
		}
		p.mounts.hidden = append(p.mounts.hidden, m)
		return nil
	}
	return syscall.EINVAL
}
