package kernel

import (
	"path"
	"slices"
	"syscall"
)

// Unshare gives the process, and the children that it starts from then on, a mount namespace of their own, as
// unshare(2) with private propagation does: what is unmounted in it stays mounted for everybody else. Nothing can be
// mounted in it.
func (p *Process) Unshare() { p.private = true }

// Private reports whether the process has a mount namespace of its own.
func (p *Process) Private() bool { return p.private }

// UnmountHere unmounts the topmost mount at a path without links, in the namespace of the process alone. What is
// mounted below it can no longer be reached there either.
func (p *Process) UnmountHere(where string) error {
	defer p.LockTree()()
	t := p.Kernel.Tree
	for _, m := range slices.Backward(t.Mounts) {
		if m.Target != path.Clean(where) || slices.Contains(p.hidden, m) {
			continue
		}
		if m == t.Root {
			return syscall.EBUSY
		}
		p.hidden = append(slices.Clone(p.hidden), m)
		return nil
	}
	return syscall.EINVAL
}
