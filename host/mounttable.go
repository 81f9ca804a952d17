package host

import (
	"path"
	"slices"
	"strings"
)

// resolve returns the path without symbolic links, as far as it is known. The mount table lists such paths.
func (o *Observation) resolve(p string) string {
	if real, ok := o.resolved[p]; ok {
		return real
	}
	return path.Clean(p)
}

// MountAt returns what is mounted at the path, through symbolic links, and hides everything else there;
// false if it is no mount point, or one that is hidden itself. An automount that has not mounted anything
// yet is a mount of type autofs.
func (o *Observation) MountAt(path string) (MountState, bool) {
	stack := o.mountsAt(path)
	if len(stack) == 0 {
		return MountState{}, false
	}
	return stack[len(stack)-1], true
}

// mountsAt returns the mounts at the mount point that can be reached, the lowest first: the last one hides the
// others. As the kernel does, it descends from the root directory and enters at each directory what is mounted
// there, so that a mount is not found that lies below a directory which was mounted over later.
func (o *Observation) mountsAt(point string) (stack []MountState) {
	point = o.resolve(point)
	under := "" // the ID of the mount that is entered
	for end := range len(point) + 1 {
		dir := point[:end]
		if end == 1 {
			dir = "/"
		} else if end == 0 || end < len(point) && point[end] != '/' {
			continue
		}
		stack = nil
		for m := o.mountOn(dir, under); m != nil; m = o.mountOn(dir, under) {
			under = m.id
			stack = append(stack, *m)
		}
	}
	return stack
}

// mountOn returns the mount at the directory on the mount with the ID; nil if there is none. With an empty
// ID it returns the lowest one, which is on none of the table, or on itself.
func (o *Observation) mountOn(dir, under string) *MountState {
	for i, m := range o.mounts {
		on := m.parent == under
		if under == "" {
			on = !slices.ContainsFunc(o.mounts, func(p MountState) bool { return p.id == m.parent && p.id != m.id })
		}
		if m.Target == dir && on && m.id != under {
			return &o.mounts[i]
		}
	}
	return nil
}

// mountUnit returns the name of the unit of a mount point, with a suffix such as ".mount"
// (systemd.unit(5), "String Escaping for Inclusion in Unit Names").
func mountUnit(point, suffix string) string {
	var b strings.Builder
	for i, c := range []byte(strings.Trim(point, "/")) {
		switch {
		case c == '/':
			b.WriteByte('-')
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == ':', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			const hex = "0123456789abcdef"
			b.WriteString(`\x` + string(hex[c>>4]) + string(hex[c&15]))
		}
	}
	return b.String() + suffix
}
