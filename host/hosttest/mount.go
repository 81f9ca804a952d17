package hosttest

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"syscall"
)

// An fstabLine is a file system of /etc/fstab.
type fstabLine struct {
	spec, mountAt, fstype string
	opts                  []string
}

func (m *Kernel) fstab() []fstabLine {
	b, err := m.FS().ReadFile("/etc/fstab")
	if err != nil {
		return nil
	}
	return parseFstab(string(b))
}

func parseFstab(s string) []fstabLine {
	var out []fstabLine
	un := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`)
	for line := range strings.SplitSeq(s, "\n") {
		f := strings.Fields(line)
		if len(f) < 3 || strings.HasPrefix(f[0], "#") {
			continue
		}
		l := fstabLine{spec: un.Replace(f[0]), mountAt: un.Replace(f[1]), fstype: f[2]}
		if len(l.mountAt) > 1 {
			l.mountAt = strings.TrimRight(l.mountAt, "/")
		}
		if len(f) > 3 {
			l.opts = strings.Split(f[3], ",")
		}
		out = append(out, l)
	}
	return out
}

// findPart resolves a device as mount does: a path, LABEL=, UUID=, PARTUUID=, PARTLABEL=.
func (m *Kernel) findPart(spec string) *part {
	tag, val, ok := strings.Cut(spec, "=")
	if ok && !strings.HasPrefix(spec, "/") {
		val = strings.Trim(val, `"`)
		for _, d := range m.disks {
			for _, p := range d.all() {
				switch tag {
				case "LABEL":
					ok = p.label == val
				case "UUID":
					ok = strings.EqualFold(p.uuid, val)
				case "PARTUUID":
					ok = strings.EqualFold(p.partuuid, val)
				default:
					ok = false
				}
				if ok && val != "" {
					return p
				}
			}
		}
		return nil
	}
	m.tree.mu.Lock()
	s, err := m.tree.must(rootCred, "/", spec, true)
	m.tree.mu.Unlock()
	if err != nil || !strings.HasPrefix(s.path, "/dev/") {
		return nil
	}
	return m.blockDevice(s.path[len("/dev/"):])
}

// A mountError is what mount(8) says.
type mountError struct{ msg string }

func (e *mountError) Error() string { return e.msg }

// mountWhat mounts a file system.
func (m *Kernel) mountWhat(spec, where, fstype string, opts []string) error {
	t := m.tree
	st, err := m.FS().Stat(where)
	if err != nil {
		if slices.Contains(opts, "x-systemd.makedir") {
			return err
		}
		return &mountError{fmt.Sprintf("%s: mount point does not exist.", where)}
	}
	where = st.Path
	shown := []string{}
	ro := false
	for _, o := range opts {
		switch {
		case o == "ro":
			ro = true
		case o == "defaults" || o == "rw" || o == "auto" || o == "noauto" || o == "user" || o == "users" || o == "nouser" || o == "nofail" || o == "_netdev" || o == "" ||
			o == "exec" || o == "suid" || o == "dev" || o == "async" || strings.HasPrefix(o, "x-") || strings.HasPrefix(o, "comment=") || o == "bind" || o == "rbind":
		default:
			shown = append(shown, o)
		}
	}
	if ro {
		shown = append([]string{"ro"}, shown...)
	}
	if !slices.ContainsFunc(shown, func(o string) bool { return o == "noatime" || o == "relatime" || o == "strictatime" }) {
		shown = append(shown, "relatime")
	}
	bind := slices.Contains(opts, "bind") || slices.Contains(opts, "rbind") || fstype == "bind"
	switch {
	case bind:
		s, err := m.FS().Stat(spec)
		if err != nil {
			return &mountError{fmt.Sprintf("%s: special device %s does not exist.", where, spec)}
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.mount(s.at.mnt.vol, s.at.num, where, shown)
	case fstype == "tmpfs" || fstype == "ramfs":
		v := newVolume(40+uint32(len(t.mounts)), "tmpfs", spec, nil)
		v.lossy, v.size = true, m.cfg.Memory/2
		now := m.now().UnixNano()
		mode := uint32(0o1777)
		for _, o := range opts {
			if s, ok := strings.CutPrefix(o, "size="); ok {
				if n, ok := byteCount(strings.ToUpper(s)); ok {
					v.size = n
				}
			}
			if s, ok := strings.CutPrefix(o, "mode="); ok {
				if f, err := parseMode(s); err == nil {
					mode = f(0, true, 0)
				}
			}
		}
		v.upper[1] = &inode{num: 1, mode: sIFDIR | mode, nlink: 2, kids: map[string]uint32{}, atime: now, mtime: now, ctime: now, btime: now, owned: true}
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.mount(v, 1, where, shown)
	case fstype == "proc" || fstype == "sysfs" || fstype == "devtmpfs" || fstype == "cgroup2":
		return &mountError{fmt.Sprintf("%s: %s already mounted on %s.", where, spec, where)}
	case fstype == "nfs" || fstype == "nfs4" || fstype == "cifs" || strings.Contains(spec, ":/"):
		return &mountError{fmt.Sprintf("%s: bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program.", where)}
	}
	p := m.findPart(spec)
	if p == nil {
		if tag, val, ok := strings.Cut(spec, "="); ok && !strings.HasPrefix(spec, "/") {
			return &mountError{fmt.Sprintf("%s: can't find %s=%s.", where, tag, val)}
		}
		if _, err := m.FS().Stat(spec); err == nil {
			return &mountError{fmt.Sprintf("%s: %s is not a block device.", where, spec)}
		}
		return &mountError{fmt.Sprintf("%s: special device %s does not exist.", where, spec)}
	}
	if p.vol == nil || fstype != "" && fstype != "auto" && fstype != p.fstype {
		return &mountError{fmt.Sprintf("%s: wrong fs type, bad option, bad superblock on /dev/%s, missing codepage or helper program, or other error.", where, p.name)}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, mt := range t.mounts {
		if mt.vol == p.vol && mt.target == where {
			return &mountError{fmt.Sprintf("%s: /dev/%s already mounted on %s.", where, p.name, where)}
		}
	}
	p.vol.readonly = false
	return t.mount(p.vol, 1, where, shown)
}

// unmount takes the topmost mount at a place away.
func (m *Kernel) unmount(where string, lazy bool) error {
	t := m.tree
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, mt := range slices.Backward(t.mounts) {
		if mt.target != path.Clean(where) {
			continue
		}
		if mt == t.root {
			return syscall.EBUSY
		}
		if !lazy {
			for _, x := range t.mounts {
				if x.over == mt {
					return syscall.EBUSY
				}
			}
			prefix := mt.target + "/"
			for _, p := range m.processes() {
				dir := p.workingDirectory()
				if dir == mt.target || strings.HasPrefix(dir, prefix) {
					return syscall.EBUSY
				}
			}
			for _, n := range mt.vol.upper {
				if n.opens > 0 && !slices.ContainsFunc(t.mounts, func(x *mount) bool { return x != mt && x.vol == mt.vol }) {
					return syscall.EBUSY
				}
			}
		}
		mt.vol.sync()
		t.mounts = slices.Delete(t.mounts, i, i+1)
		if lazy {
			t.mounts = slices.DeleteFunc(t.mounts, func(x *mount) bool { return x.over == mt })
		}
		return nil
	}
	return syscall.EINVAL
}
