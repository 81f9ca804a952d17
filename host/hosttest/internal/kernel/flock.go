package kernel

import "slices"

// Flock is flock(2) without waiting: false means that somebody else holds it.
func (t *Tree) Flock(d *File, exclusive bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := d.At.Key()
	held := t.locks[k]
	for _, h := range held {
		if h != d && (exclusive || h.lockExclusive()) {
			return false
		}
	}
	if !slices.Contains(held, d) {
		t.locks[k] = append(held, d)
	}
	d.setLock(exclusive)
	return true
}

const (
	flagLocked    = 1 << 40
	flagExclusive = 1 << 41
)

func (d *File) lockExclusive() bool { return d.flags&flagExclusive != 0 }

func (d *File) setLock(exclusive bool) {
	d.flags |= flagLocked
	d.flags &^= flagExclusive
	if exclusive {
		d.flags |= flagExclusive
	}
}

func (t *Tree) Funlock(d *File) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unlockLocked(d)
}

func (t *Tree) unlockLocked(d *File) {
	if d.flags&flagLocked == 0 {
		return
	}
	d.flags &^= flagLocked | flagExclusive
	k := d.At.Key()
	t.locks[k] = slices.DeleteFunc(t.locks[k], func(h *File) bool { return h == d })
	if len(t.locks[k]) == 0 {
		delete(t.locks, k)
	}
	t.Freed.Broadcast()
}
