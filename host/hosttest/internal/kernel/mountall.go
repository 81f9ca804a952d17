package kernel

import "slices"

// mountAll makes the tree as it is after boot.
func (k *Kernel) mountAll() {
	w := kernelImages()
	t := k.Tree
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Mounts, t.nextID = nil, 20
	t.quiet = true
	defer func() { t.quiet = false }()
	root := k.RootPart().Vol
	t.Root = &MountPoint{ID: t.nextID, Vol: root, Root: 1, Target: "/", Opts: []string{"noatime"}}
	t.Mounts = append(t.Mounts, t.Root)
	kernel := func(fstype, target string, im *Image, dev uint32, opts ...string) {
		v := NewVolume(dev, fstype, fstype, im)
		v.Pseudo = fstype != "tmpfs"
		v.Lossy = !v.Pseudo
		if fstype == "devtmpfs" {
			v.Source = "udev"
		}
		if v.Lossy {
			v.Size = k.Config.Memory / 10
			now := t.Now()
			v.Upper[1] = &Inode{Num: 1, Mode: ModeDir | 0o755, Nlink: 2, Children: map[string]uint32{}, ATime: now,
				MTime: now, CTime: now, BTime: now, Owned: true}
			v.image, v.next = nil, 2
		}
		if err := t.Mount(v, 1, target, opts); err != nil {
			panic("hosttest: mount " + target + ": " + err.Error())
		}
	}
	kernel("sysfs", "/sys", w.sys, 23, "nosuid", "nodev", "noexec", "relatime")
	kernel("proc", "/proc", w.proc, 24, "nosuid", "nodev", "noexec", "relatime")
	kernel("devtmpfs", "/dev", w.dev, 5, "nosuid", "relatime")
	kernel("tmpfs", "/run", nil, 25, "nosuid", "nodev", "noexec", "relatime")
	kernel("tmpfs", "/dev/shm", nil, 26, "nosuid", "nodev")
	t.MkdirAll("/run/lock")
	kernel("tmpfs", "/run/lock", nil, 27, "nosuid", "nodev", "noexec", "relatime")
	kernel("cgroup2", "/sys/fs/cgroup", w.cgroup, 28, "nosuid", "nodev", "noexec", "relatime")
	t.chmod(RootCred, "/", "/dev/shm", 0o1777)
	t.chmod(RootCred, "/", "/run/lock", 0o1777)
	for _, d := range []string{"/run/systemd/system", "/run/systemd/generator", "/run/sshd", "/run/user", "/run/mount",
		"/run/udev", "/run/sudo"} {
		t.MkdirAll(d)
	}
	if v := k.Disks[0].Parts[0].Vol; v != nil {
		t.Mount(v, 1, "/boot/firmware", []string{"relatime"})
	}
	k.Udev()
}

// Mount shows a volume at a directory. The tree is locked.
func (t *Tree) Mount(v *Volume, root uint32, target string, opts []string) error {
	s, err := t.Must(RootCred, "/", target, true)
	if err != nil {
		return err
	}
	if !s.At.Inode().IsDir() && v.Get(root).IsDir() {
		return errNotDir
	}
	t.nextID++
	t.Mounts = append(t.Mounts, &MountPoint{ID: t.nextID, Vol: v, Root: root, Target: s.Path, Opts: slices.Clone(opts),
		Over: s.At.Mnt, overN: s.At.Num})
	return nil
}

// Volumes lists what is mounted or on a disk, once each.
func (k *Kernel) Volumes() []*Volume {
	var out []*Volume
	for _, d := range k.Disks {
		for _, p := range d.All() {
			if p.Vol != nil {
				out = append(out, p.Vol)
			}
		}
	}
	return out
}
