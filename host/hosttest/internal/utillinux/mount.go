package utillinux

import (
	"errors"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// noteKernel is what mount says below a message about the mount itself.
const noteKernel = "       dmesg(1) may have more information after failed mount system call.\n"

func cmdMount(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "aBfFhilL:MnNo:O:rRst:T:U:vVwX", "all>a bind>B rbind>R fake>f fork>F fstab=>T internal-only>i label=>L uuid=>U make-shared make-private make-rprivate make-rshared make-slave make-rslave "+
		"move>M no-mtab>n options=>o test-opts=>O read-only>r source= target= target-prefix= types=>t verbose>v rw>w read-write>w mkdir[= options-mode= options-source= options-source-force show-labels>l onlyonce no-canonicalize>c")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "F", "N", "O", "X", "T", "target-prefix", "options-mode", "options-source", "options-source-force") {
		return 1
	}
	bad := func() int {
		p.Errorf("bad usage")
		return libc.Usage(p, 1)
	}
	args := o.Args
	if o.Has("source") {
		args = append([]string{o.Get("source")}, args...)
	}
	for tag, k := range map[string]string{"L": "LABEL=", "U": "UUID="} {
		if o.Has(tag) {
			args = append([]string{k + o.Get(tag)}, args...)
		}
	}
	if o.Has("target") {
		args = append(args, o.Get("target"))
	}
	if o.Has("a") {
		if len(args) > 0 {
			return bad()
		}
		return mountFstab(p, o)
	}
	if len(args) == 0 {
		if len(o.Order) > 0 && !o.Has("l", "t", "v") {
			return bad()
		}
		for _, m := range mountList(p.Kernel) {
			if t := o.Get("t"); t == "" || slices.Contains(strings.Split(t, ","), m.fstype) {
				p.Printf("%s on %s type %s (%s)\n", m.device, m.target, m.fstype, strings.Join(m.opts, ","))
			}
		}
		return 0
	}
	if len(args) > 2 {
		return bad()
	}
	var opts []string
	for _, v := range o.All("o") {
		opts = append(opts, strings.Split(v, ",")...)
	}
	if o.Has("r") {
		opts = append(opts, "ro")
	}
	if o.Has("w") {
		opts = append(opts, "rw")
	}
	if o.Has("B") {
		opts = append(opts, "bind")
	}
	if o.Has("R") {
		opts = append(opts, "rbind")
	}
	where := args[len(args)-1]
	if o.Has("make-shared", "make-private", "make-rprivate", "make-rshared", "make-slave", "make-rslave") && len(args) == 1 {
		if topAt(mountList(p.Kernel), absolute(p, where)) == nil {
			p.Warnf("mount: %s: not mount point or bad option.\n%s", absolute(p, where), noteKernel)
			return 32
		}
		return 0
	}
	if p.RUID != 0 {
		p.Warnf("mount: %s: must be superuser to use mount.\n%s", where, noteKernel)
		return 32
	}
	if o.Has("M") || slices.Contains(opts, "move") {
		p.Warnf("mount: hosttest: this machine cannot move a mount\n")
		return 32
	}
	spec, fstype := "", o.Get("t")
	if slices.Contains(opts, "remount") {
		return remount(p, where, opts)
	}
	if len(args) == 2 {
		spec = args[0]
	} else {
		l, found := findFstab(p, where)
		if !found {
			p.Errorf("%s: can't find in /etc/fstab.", where)
			return 1
		}
		spec, where = l.Spec, l.MountAt
		opts = append(slices.Clone(l.Options), opts...)
		if fstype == "" {
			fstype = l.FSType
		}
	}
	if o.Has("mkdir") {
		if err := libc.MkdirOne(p, where, true, nil, false); err != nil {
			p.Errorf("%s: cannot create directory: %s", where, kernel.Strerror(err))
			return 32
		}
	}
	if o.Has("f") {
		return 0
	}
	return mountOne(p, spec, where, fstype, opts)
}

// fstabLine finds a line of fstab by its mount point or its device.
func findFstab(p *kernel.Process, name string) (libc.FstabEntry, bool) {
	lines := libc.Fstab(p.Kernel)
	at := absolute(p, name)
	for _, l := range lines {
		if l.FSType != "swap" && (l.MountAt == name || l.MountAt == at) {
			return l, true
		}
	}
	for _, l := range lines {
		if l.FSType == "swap" {
			continue
		}
		if l.Spec == name {
			return l, true
		}
		if dev := libc.FindDevice(p.Kernel, name); dev != nil && dev == libc.FindDevice(p.Kernel, l.Spec) {
			return l, true
		}
	}
	return libc.FstabEntry{}, false
}

// mountOne mounts, and says what is wrong as mount does.
func mountOne(p *kernel.Process, spec, where, fstype string, opts []string) int {
	if !slices.ContainsFunc([]string{"", "auto", "ext4", "ext3", "ext2", "xfs", "vfat", "tmpfs", "ramfs", "proc", "sysfs", "devtmpfs", "cgroup2", "bind", "none", "btrfs", "swap", "nfs", "nfs4", "cifs"},
		func(t string) bool { return t == fstype }) {
		p.Warnf("mount: %s: unknown filesystem type '%s'.\n%s", absolute(p, where), fstype, noteKernel)
		return 32
	}
	if slices.Contains(opts, "bind") || slices.Contains(opts, "rbind") {
		spec = absolute(p, spec)
	} else if fstype == "none" {
		fstype = ""
	}
	if err := p.Kernel.Mutate(nil); err != nil {
		p.Warnf("mount: %s: mount(2) system call failed: %s.\n%s", where, kernel.Strerror(err), noteKernel)
		return 32
	}
	err := libc.Mount(p.Kernel, spec, absolute(p, where), fstype, opts)
	var said *libc.MountError
	switch {
	case err == nil:
		p.Kernel.SettleDevices()
		return 0
	case errors.As(err, &said):
		p.Warnf("mount: %s\n", said.Msg)
		if strings.Contains(said.Msg, "can't find ") {
			return 1
		}
	default:
		p.Warnf("mount: %s: mount(2) system call failed: %s.\n", where, kernel.Strerror(err))
	}
	p.Warnf("%s", noteKernel)
	return 32
}

// remount changes the options of what is mounted.
func remount(p *kernel.Process, where string, opts []string) int {
	at := absolute(p, where)
	t := p.Kernel.Tree
	if err := p.Kernel.Mutate(nil); err != nil {
		return 32
	}
	t.Lock()
	var mt *kernel.MountPoint
	for _, x := range t.Mounts {
		if x.Target == at {
			mt = x
		}
	}
	if mt == nil {
		t.Unlock()
		if _, err := p.Stat(where); err != nil {
			p.Warnf("mount: %s: mount point does not exist.\n%s", at, noteKernel)
			return 32
		}
		p.Warnf("mount: %s: mount point not mounted or bad option.\n%s", at, noteKernel)
		return 32
	}
	defer t.Unlock()
	ro := slices.Contains(opts, "ro")
	if ro {
		for _, i := range mt.Vol.Upper {
			if i.Opens > 0 && i.Dirty != 0 {
				p.Warnf("mount: %s: mount point is busy.\n%s", at, noteKernel)
				return 32
			}
		}
		mt.Vol.Sync()
	}
	if !ro {
		mt.Vol.ReadOnly = false
	}
	kept := slices.DeleteFunc(slices.Clone(mt.Opts), func(o string) bool { return o == "ro" || o == "rw" })
	for _, o := range opts {
		name, _, _ := strings.Cut(o, "=")
		atime := o == "noatime" || o == "relatime" || o == "strictatime"
		switch o {
		case "remount", "rw", "ro", "bind", "defaults", "exec", "suid", "dev", "diratime", "":
			positive := map[string]string{"exec": "noexec", "suid": "nosuid", "dev": "nodev", "diratime": "nodiratime"}[o]
			kept = slices.DeleteFunc(kept, func(k string) bool { return positive != "" && k == positive })
			continue
		}
		kept = slices.DeleteFunc(kept, func(k string) bool {
			n, _, _ := strings.Cut(k, "=")
			return n == name || atime && (k == "noatime" || k == "relatime")
		})
		if mt.Vol.FSType == "tmpfs" {
			if name == "mode" || name == "uid" || name == "gid" {
				kept = append(kept, slices.DeleteFunc(slices.Clone(mt.Opts), func(k string) bool { return !strings.HasPrefix(k, name+"=") })...)
				continue // they stay as they were when it was mounted
			}
			o = libc.TmpfsOption(o)
		}
		if o != "" && o != "strictatime" {
			kept = append(kept, o)
		}
		if size, ok := strings.CutPrefix(o, "size="); ok {
			if n, ok := libc.ByteCount(strings.ToUpper(size)); ok {
				mt.Vol.Size = n
			}
		}
	}
	if ro {
		kept = append([]string{"ro"}, kept...)
	}
	mt.Opts = kept
	return 0
}

// mountFstab is mount -a.
func mountFstab(p *kernel.Process, o *libc.Options) int {
	if p.RUID != 0 {
		return 0 // it skips what a user may not mount
	}
	code := 0
	tried, bad := 0, 0
	for _, l := range libc.Fstab(p.Kernel) {
		if l.FSType == "swap" || l.MountAt == "none" || l.MountAt == "/" || slices.Contains(l.Options, "noauto") {
			continue
		}
		if t := o.Get("t"); t != "" && !slices.Contains(strings.Split(t, ","), l.FSType) {
			continue
		}
		if topAt(mountList(p.Kernel), absolute(p, l.MountAt)) != nil {
			if o.Has("v") {
				p.Printf("%-25s: already mounted\n", l.MountAt)
			}
			continue
		}
		if slices.Contains(l.Options, "nofail") && strings.Contains(l.Spec, "=") && libc.FindDevice(p.Kernel, l.Spec) == nil {
			continue
		}
		tried++
		if mountOne(p, l.Spec, l.MountAt, l.FSType, l.Options) != 0 {
			bad++
		} else if o.Has("v") {
			p.Printf("%-25s: successfully mounted\n", l.MountAt)
		}
	}
	switch {
	case bad > 0 && bad == tried:
		code = 32
	case bad > 0:
		code = 64
	}
	return code
}
