package kernel

import (
	"strings"
	"syscall"
)

// SetFD makes f the descriptor n, taking over the caller's reference. A nil f closes it.
func (p *Process) SetFD(n int, f *File) {
	p.mu.Lock()
	if p.dead.Load() {
		p.mu.Unlock()
		if f != nil {
			f.Release()
		}
		panic(Exit{0})
	}
	old := p.FDs[n]
	p.FDs[n] = f
	p.mu.Unlock()
	if old != nil {
		old.Release()
	}
}

// Open is open(2) as this process. The caller releases the description.
func (p *Process) Open(name string, flags int, perm uint32) (*File, error) {
	p.Check()
	if d, ok := p.inherited(name); ok {
		if d == nil {
			return nil, syscall.ENOENT
		}
		return d, nil
	}
	return p.Kernel.Tree.openFile(p.Cred(), p.Dir, name, flags, perm&^p.Umask, p)
}

// inherited answers /dev/stdin, /dev/fd/N and /proc/self/fd/N.
func (p *Process) inherited(name string) (*File, bool) {
	n := -1
	switch name {
	case "/dev/stdin":
		n = 0
	case "/dev/stdout":
		n = 1
	case "/dev/stderr":
		n = 2
	default:
		for _, pre := range []string{"/dev/fd/", "/proc/self/fd/"} {
			if s, ok := strings.CutPrefix(name, pre); ok {
				if v, ok := ParseUint(s); ok && v < uint64(len(p.FDs)) {
					n = int(v)
				}
			}
		}
		if n < 0 {
			return nil, false
		}
	}
	if p.FDs[n] == nil {
		return nil, true
	}
	return p.FDs[n].Ref(), true
}
