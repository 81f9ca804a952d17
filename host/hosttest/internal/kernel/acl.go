package kernel

import (
	"encoding/binary"
	"slices"
)

// The tags of an access list's entries, as in <sys/acl.h>, which are in the order in which Linux keeps them.
const (
	ACLUserObj  = 0x01
	ACLUser     = 0x02
	ACLGroupObj = 0x04
	aclGroup    = 0x08
	ACLMask     = 0x10
	ACLOther    = 0x20
)

type ACLEntry struct {
	Tag, Perm uint16
	ID        uint32 // of aclUser and aclGroup
}

// An ACL is a POSIX.1e access control list.
type ACL []ACLEntry

// parseACL reads the value of the extended attribute: a version and the entries, little-endian (acl_ea.h).
func parseACL(b string) (ACL, bool) {
	if len(b) < 4 || (len(b)-4)%8 != 0 || binary.LittleEndian.Uint32([]byte(b)) != 2 {
		return nil, false
	}
	var a ACL
	named := false
	for raw := []byte(b[4:]); len(raw) > 0; raw = raw[8:] {
		e := ACLEntry{binary.LittleEndian.Uint16(raw), binary.LittleEndian.Uint16(raw[2:]),
			binary.LittleEndian.Uint32(raw[4:])}
		if !slices.Contains([]uint16{ACLUserObj, ACLUser, ACLGroupObj, aclGroup, ACLMask, ACLOther}, e.Tag) ||
			e.Perm > 7 {
			return nil, false
		}
		if len(a) > 0 &&
			(e.Tag < a[len(a)-1].Tag || e.Tag == a[len(a)-1].Tag && e.Tag != ACLUser && e.Tag != aclGroup) {
			return nil, false
		}
		named = named || e.Tag == ACLUser || e.Tag == aclGroup
		a = append(a, e)
	}
	if a.find(ACLUserObj) == nil || a.find(ACLGroupObj) == nil || a.find(ACLOther) == nil ||
		named && a.find(ACLMask) == nil {
		return nil, false
	}
	return a, true
}

func (a ACL) Bytes() string {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range a {
		b = binary.LittleEndian.AppendUint16(b, e.Tag)
		b = binary.LittleEndian.AppendUint16(b, e.Perm)
		id := e.ID
		if e.Tag != ACLUser && e.Tag != aclGroup {
			id = 1<<32 - 1
		}
		b = binary.LittleEndian.AppendUint32(b, id)
	}
	return string(b)
}

func (a ACL) find(tag uint16) *ACLEntry {
	for i := range a {
		if a[i].Tag == tag {
			return &a[i]
		}
	}
	return nil
}

func (a ACL) minimal() bool { return len(a) == 3 }

// class is the entry that the mode's group bits show.
func (a ACL) class() *ACLEntry {
	if m := a.find(ACLMask); m != nil {
		return m
	}
	return a.find(ACLGroupObj)
}

func (a ACL) mode() uint32 {
	return uint32(a.find(ACLUserObj).Perm)<<6 | uint32(a.class().Perm)<<3 | uint32(a.find(ACLOther).Perm)
}

// allows is the kernel's check (posix_acl_permission): the first entry that fits decides, of the groups any that
// grants.
func (a ACL) allows(c Cred, i *Inode, want uint32) bool {
	mask := uint32(7)
	if m := a.find(ACLMask); m != nil {
		mask = uint32(m.Perm)
	}
	fits := false
	for _, e := range a {
		perm := uint32(e.Perm)
		switch e.Tag {
		case ACLUserObj:
			if c.UID == i.UID {
				return perm&want == want
			}
		case ACLUser:
			if c.UID == e.ID {
				return perm&mask&want == want
			}
		case ACLGroupObj, aclGroup:
			gid := e.ID
			if e.Tag == ACLGroupObj {
				gid = i.GID
			}
			if c.in(gid) {
				fits = true
				if perm&mask&want == want {
					return true
				}
			}
		case ACLOther:
			return !fits && perm&want == want
		}
	}
	return false
}

// acl gives the inode's access list, nil when it has none.
func (i *Inode) acl() ACL {
	v, ok := i.xattrs[ACLAccess]
	if !ok {
		return nil
	}
	a, _ := parseACL(v)
	return a
}

// aclFollowsMode is what chmod(2) does to the access list.
func (i *Inode) aclFollowsMode() {
	a := i.acl()
	if a == nil {
		return
	}
	a.find(ACLUserObj).Perm = uint16(i.Mode >> 6 & 7)
	a.class().Perm = uint16(i.Mode >> 3 & 7)
	a.find(ACLOther).Perm = uint16(i.Mode & 7)
	i.xattrs[ACLAccess] = a.Bytes()
}
