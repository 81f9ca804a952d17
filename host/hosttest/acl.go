package hosttest

import (
	"encoding/binary"
	"slices"
)

// The tags of an access list's entries, as in <sys/acl.h>, which are in the order in which Linux keeps them.
const (
	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
	aclOther    = 0x20
)

type aclEntry struct {
	tag, perm uint16
	id        uint32 // of aclUser and aclGroup
}

// An acl is a POSIX.1e access control list.
type acl []aclEntry

// parseACL reads the value of the extended attribute: a version and the entries, little-endian (acl_ea.h).
func parseACL(b string) (acl, bool) {
	if len(b) < 4 || (len(b)-4)%8 != 0 || binary.LittleEndian.Uint32([]byte(b)) != 2 {
		return nil, false
	}
	var a acl
	named := false
	for raw := []byte(b[4:]); len(raw) > 0; raw = raw[8:] {
		e := aclEntry{binary.LittleEndian.Uint16(raw), binary.LittleEndian.Uint16(raw[2:]), binary.LittleEndian.Uint32(raw[4:])}
		if !slices.Contains([]uint16{aclUserObj, aclUser, aclGroupObj, aclGroup, aclMask, aclOther}, e.tag) || e.perm > 7 {
			return nil, false
		}
		if len(a) > 0 && (e.tag < a[len(a)-1].tag || e.tag == a[len(a)-1].tag && e.tag != aclUser && e.tag != aclGroup) {
			return nil, false
		}
		named = named || e.tag == aclUser || e.tag == aclGroup
		a = append(a, e)
	}
	if a.find(aclUserObj) == nil || a.find(aclGroupObj) == nil || a.find(aclOther) == nil || named && a.find(aclMask) == nil {
		return nil, false
	}
	return a, true
}

func (a acl) bytes() string {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range a {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		id := e.id
		if e.tag != aclUser && e.tag != aclGroup {
			id = 1<<32 - 1
		}
		b = binary.LittleEndian.AppendUint32(b, id)
	}
	return string(b)
}

func (a acl) find(tag uint16) *aclEntry {
	for i := range a {
		if a[i].tag == tag {
			return &a[i]
		}
	}
	return nil
}

func (a acl) minimal() bool { return len(a) == 3 }

// class is the entry that the mode's group bits show.
func (a acl) class() *aclEntry {
	if m := a.find(aclMask); m != nil {
		return m
	}
	return a.find(aclGroupObj)
}

func (a acl) mode() uint32 {
	return uint32(a.find(aclUserObj).perm)<<6 | uint32(a.class().perm)<<3 | uint32(a.find(aclOther).perm)
}

// allows is the kernel's check (posix_acl_permission): the first entry that fits decides, of the groups any that grants.
func (a acl) allows(c cred, i *inode, want uint32) bool {
	mask := uint32(7)
	if m := a.find(aclMask); m != nil {
		mask = uint32(m.perm)
	}
	fits := false
	for _, e := range a {
		perm := uint32(e.perm)
		switch e.tag {
		case aclUserObj:
			if c.uid == i.uid {
				return perm&want == want
			}
		case aclUser:
			if c.uid == e.id {
				return perm&mask&want == want
			}
		case aclGroupObj, aclGroup:
			gid := e.id
			if e.tag == aclGroupObj {
				gid = i.gid
			}
			if c.in(gid) {
				fits = true
				if perm&mask&want == want {
					return true
				}
			}
		case aclOther:
			return !fits && perm&want == want
		}
	}
	return false
}

// acl gives the inode's access list, nil when it has none.
func (i *inode) acl() acl {
	v, ok := i.xattrs[aclAccess]
	if !ok {
		return nil
	}
	a, _ := parseACL(v)
	return a
}

// aclFollowsMode is what chmod(2) does to the access list.
func (i *inode) aclFollowsMode() {
	a := i.acl()
	if a == nil {
		return
	}
	a.find(aclUserObj).perm = uint16(i.mode >> 6 & 7)
	a.class().perm = uint16(i.mode >> 3 & 7)
	a.find(aclOther).perm = uint16(i.mode & 7)
	i.xattrs[aclAccess] = a.bytes()
}
