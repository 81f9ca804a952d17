package libc

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// An FstabEntry is a file system of /etc/fstab.
type FstabEntry struct {
	Spec, MountAt, FSType string
	Options               []string
}

func Fstab(k *kernel.Kernel) []FstabEntry {
	b, err := k.FS().ReadFile("/etc/fstab")
	if err != nil {
		return nil
	}
	return ParseFstab(string(b))
}

func ParseFstab(s string) []FstabEntry {
	var out []FstabEntry
	for line := range strings.SplitSeq(s, "\n") {
		f := strings.Fields(line)
		if len(f) < 3 || strings.HasPrefix(f[0], "#") {
			continue
		}
		l := FstabEntry{Spec: unescapeFstab(f[0]), MountAt: unescapeFstab(f[1]), FSType: f[2]}
		if len(l.MountAt) > 1 {
			l.MountAt = strings.TrimRight(l.MountAt, "/")
		}
		if len(f) > 3 {
			l.Options = strings.Split(f[3], ",")
		}
		out = append(out, l)
	}
	return out
}

// unescapeFstab decodes octal escapes.
func unescapeFstab(s string) string {
	var b strings.Builder
	for s != "" {
		if n, err := strconv.ParseUint(s[1:min(4, len(s))], 8, 8); s[0] == '\\' && len(s) > 3 && err == nil {
			b.WriteByte(byte(n))
			s = s[4:]
			continue
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

// FindDevice resolves a device as mount does: a path, LABEL=, UUID=, PARTUUID=, PARTLABEL=.
func FindDevice(k *kernel.Kernel, spec string) *kernel.Partition {
	tag, val, ok := strings.Cut(spec, "=")
	if ok && !strings.HasPrefix(spec, "/") {
		val = strings.Trim(val, `"`)
		for _, d := range k.Disks {
			for _, p := range d.All() {
				switch tag {
				case "LABEL":
					ok = p.Label == val
				case "UUID":
					ok = strings.EqualFold(p.UUID, val)
				case "PARTUUID":
					ok = strings.EqualFold(p.PARTUUID, val)
				case "PARTLABEL":
					ok = p.PartName == val
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
	k.Tree.Lock()
	s, err := k.Tree.Must(kernel.RootCred, "/", spec, true)
	k.Tree.Unlock()
	if err != nil || !strings.HasPrefix(s.Path, "/dev/") {
		return nil
	}
	return k.BlockDevice(s.Path[len("/dev/"):])
}

// A MountError is what mount(8) says.
type MountError struct{ Msg string }

func (e *MountError) Error() string { return e.Msg }

// mountErrorf makes a MountError about a mount point.
func mountErrorf(where, format string, a ...any) error {
	return &MountError{where + ": " + fmt.Sprintf(format, a...)}
}

// Mount mounts a file system. What mount(8) itself would refuse is a *MountError.
func Mount(k *kernel.Kernel, spec, where, fstype string, opts []string) error {
	st, err := k.FS().Stat(where)
	if err != nil {
		if slices.Contains(opts, "x-systemd.makedir") {
			return err
		}
		return mountErrorf(where, "mount point does not exist.")
	}
	where = st.Path
	shown := shownOptions(fstype, opts)
	switch {
	case slices.Contains(opts, "bind") || slices.Contains(opts, "rbind") || fstype == "bind":
		return mountBind(k, spec, where, shown)
	case fstype == "tmpfs" || fstype == "ramfs":
		v := newTmpfs(k, spec, opts)
		k.Tree.Lock()
		defer k.Tree.Unlock()
		return k.Tree.Mount(v, 1, where, shown)
	case fstype == "proc" || fstype == "sysfs" || fstype == "devtmpfs" || fstype == "cgroup2":
		return mountErrorf(where, "%s already mounted on %s.", spec, where)
	case fstype == "nfs" || fstype == "nfs4" || fstype == "cifs" || strings.Contains(spec, ":/"):
		return mountErrorf(where, "bad option; for several filesystems (e.g. nfs, cifs) "+
			"you might need a /sbin/mount.<type> helper program.")
	}
	return mountDevice(k, spec, where, fstype, shown)
}

// hiddenOptions are the options of mount(8) and fstab(5) that the mount table does not show: they are the defaults, or
// mount's alone.
var hiddenOptions = []string{"", "_netdev", "async", "auto", "bind", "defaults", "dev", "diratime", "exec", "noauto",
	"nofail", "nouser", "rbind", "ro", "rw", "strictatime", "suid", "user", "users"}

// shownOptions are the options as the mount table shows them.
func shownOptions(fstype string, opts []string) []string {
	shown := []string{}
	if slices.Contains(opts, "ro") {
		shown = append(shown, "ro")
	}
	for _, o := range opts {
		if slices.Contains(hiddenOptions, o) || strings.HasPrefix(o, "x-") || strings.HasPrefix(o, "comment=") {
			continue
		}
		if fstype == "tmpfs" {
			o = TmpfsOption(o)
		}
		if o != "" {
			shown = append(shown, o)
		}
	}
	if !slices.Contains(opts, "strictatime") && !slices.Contains(shown, "noatime") && !slices.Contains(shown, "relatime") {
		shown = append(shown, "relatime")
	}
	return shown
}

// mountBind mounts what is at a place at another place too.
func mountBind(k *kernel.Kernel, spec, where string, shown []string) error {
	s, err := k.FS().Stat(spec)
	if err != nil {
		return mountErrorf(where, "special device %s does not exist.", spec)
	}
	k.Tree.Lock()
	defer k.Tree.Unlock()
	return k.Tree.Mount(s.At.Mnt.Vol, s.At.Num, where, shown)
}

// newTmpfs makes the empty file system of a tmpfs. It is half of the memory large, unless the options say otherwise.
func newTmpfs(k *kernel.Kernel, spec string, opts []string) *kernel.Volume {
	v := kernel.NewVolume(40+uint32(len(k.Tree.Mounts)), "tmpfs", spec, nil)
	v.Lossy, v.Size = true, k.Config.Memory/2
	mode := uint32(0o1777)
	for _, o := range opts {
		if s, ok := strings.CutPrefix(o, "size="); ok {
			if n, ok := ByteCount(strings.ToUpper(s)); ok {
				v.Size = n
			}
		}
		if s, ok := strings.CutPrefix(o, "mode="); ok {
			if f, err := ParseMode(s); err == nil {
				mode = f(0, true, 0)
			}
		}
	}
	now := k.Now().UnixNano()
	v.Upper[1] = &kernel.Inode{
		Num: 1, Mode: kernel.ModeDir | mode, Nlink: 2, Children: map[string]uint32{},
		ATime: now, MTime: now, CTime: now, BTime: now, Owned: true,
	}
	return v
}

// mountDevice mounts the file system of a block device.
func mountDevice(k *kernel.Kernel, spec, where, fstype string, shown []string) error {
	p := FindDevice(k, spec)
	if p == nil {
		if tag, val, ok := strings.Cut(spec, "="); ok && !strings.HasPrefix(spec, "/") {
			return mountErrorf(where, "can't find %s=%s.", tag, val)
		}
		if _, err := k.FS().Stat(spec); err == nil {
			return mountErrorf(where, "%s is not a block device.", spec)
		}
		return mountErrorf(where, "special device %s does not exist.", spec)
	}
	if p.Vol == nil || fstype != "" && fstype != "auto" && fstype != p.FSType {
		return mountErrorf(where, "wrong fs type, bad option, bad superblock on /dev/%s, "+
			"missing codepage or helper program, or other error.", p.Name)
	}
	t := k.Tree
	t.Lock()
	defer t.Unlock()
	for _, mt := range t.Mounts {
		if mt.Vol == p.Vol && mt.Target == where {
			return mountErrorf(where, "/dev/%s already mounted on %s.", p.Name, where)
		}
	}
	p.Vol.ReadOnly = false
	return t.Mount(p.Vol, 1, where, shown)
}

// TmpfsOption gives an option of tmpfs as the mount table shows it; "" for the default size.
func TmpfsOption(o string) string {
	key, v, _ := strings.Cut(o, "=")
	switch key {
	case "size":
		n, ok := ByteCount(strings.ToUpper(v))
		if !ok {
			return "" // a percentage: only the default is known here
		}
		const page = 4096
		return fmt.Sprintf("size=%dk", (n+page-1)/page*page>>10)
	case "mode":
		return "mode=" + strings.TrimLeft(v, "0")
	}
	return o
}

// Unmount takes the topmost mount at a place away.
func Unmount(k *kernel.Kernel, where string, lazy bool) error {
	t := k.Tree
	t.Lock()
	defer t.Unlock()
	for i, mt := range slices.Backward(t.Mounts) {
		if mt.Target != path.Clean(where) {
			continue
		}
		if mt == t.Root {
			return syscall.EBUSY
		}
		if !lazy {
			for _, x := range t.Mounts {
				if x.Over == mt {
					return syscall.EBUSY
				}
			}
			prefix := mt.Target + "/"
			for _, p := range k.Processes() {
				dir := p.WorkingDirectory()
				if dir == mt.Target || strings.HasPrefix(dir, prefix) {
					return syscall.EBUSY
				}
			}
			mountedElsewhere := slices.ContainsFunc(t.Mounts, func(x *kernel.MountPoint) bool {
				return x != mt && x.Vol == mt.Vol
			})
			for _, n := range mt.Vol.Upper {
				if n.Opens > 0 && !mountedElsewhere {
					return syscall.EBUSY
				}
			}
		}
		mt.Vol.Sync()
		t.Mounts = slices.Delete(t.Mounts, i, i+1)
		if lazy {
			t.Mounts = slices.DeleteFunc(t.Mounts, func(x *kernel.MountPoint) bool { return x.Over == mt })
		}
		return nil
	}
	return syscall.EINVAL
}
