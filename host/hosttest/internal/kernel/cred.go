package kernel

import "slices"

// Cred is who asks.
type Cred struct {
	UID, GID uint32
	Groups   []uint32

	mounts *namespace // of who asks; nil means that of the machine
}

var RootCred = Cred{}

func (c Cred) in(gid uint32) bool { return c.GID == gid || slices.Contains(c.Groups, gid) }

const (
	MayRead  = 4
	MayWrite = 2
	MayExec  = 1
)

func (c Cred) may(i *Inode, want uint32) bool {
	if c.UID == 0 {
		return want&MayExec == 0 || i.IsDir() || i.Mode&0o111 != 0
	}
	if a := i.acl(); a != nil {
		return a.allows(c, i, want)
	}
	var bits uint32
	switch {
	case c.UID == i.UID:
		bits = i.Mode >> 6
	case c.in(i.GID):
		bits = i.Mode >> 3
	default:
		bits = i.Mode
	}
	return bits&want == want
}

// SetUser changes all ids of a process.
func (p *Process) SetUser(uid, gid uint32, groups []uint32) {
	p.mu.Lock()
	p.UID, p.RUID, p.GID, p.Groups = uid, uid, gid, groups
	p.mu.Unlock()
}

func (p *Process) SetGroup(gid uint32) {
	p.mu.Lock()
	p.GID = gid
	p.mu.Unlock()
}
