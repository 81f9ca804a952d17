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

const (
	mountShort = "aBfFhilL:MnNo:O:rRst:T:U:vVwX"
	mountLong  = "all>a bind>B rbind>R fake>f fork>F fstab=>T internal-only>i label=>L uuid=>U make-shared make-private " +
		"make-rprivate make-rshared make-slave make-rslave move>M no-mtab>n options=>o test-opts=>O read-only>r " +
		"source= target= target-prefix= types=>t verbose>v rw>w read-write>w mkdir[= options-mode= options-source= " +
		"options-source-force show-labels>l onlyonce no-canonicalize>c"
)

// mount is one run of it, without -a.
type mount struct {
	p      *kernel.Process
	o      *libc.Options
	args   []string // the source and the mount point, or one of them
	opts   []string // of -o and of the options that stand for one
	spec   string   // the source
	where  string   // the mount point
	fstype string
}

func cmdMount(p *kernel.Process) int {
	o, ok := libc.Getopt(p, mountShort, mountLong)
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "F", "N", "O", "X", "T", "target-prefix",
		"options-mode", "options-source", "options-source-force") {
		return 1
	}
	m := &mount{p: p, o: o, args: mountArgs(o), opts: mountOptions(o), fstype: o.Get("t")}
	switch {
	case len(m.args) > 0 && o.Has("a"), len(m.args) > 2,
		len(m.args) == 0 && len(o.Order) > 0 && !o.Has("a", "l", "t", "v"):
		p.Errorf("bad usage")
		return libc.Usage(p, 1)
	case o.Has("a"):
		return mountFstab(p, o)
	case len(m.args) == 0:
		m.list()
		return 0
	}
	return m.run()
}

// mountArgs are the operands and the options that stand for one.
func mountArgs(o *libc.Options) []string {
	args := o.Args
	if o.Has("source") {
		args = append([]string{o.Get("source")}, args...)
	}
	for _, tag := range []struct{ option, name string }{{"L", "LABEL="}, {"U", "UUID="}} {
		if o.Has(tag.option) {
			args = append([]string{tag.name + o.Get(tag.option)}, args...)
		}
	}
	if o.Has("target") {
		args = append(args, o.Get("target"))
	}
	return args
}

// mountOptions are the values of -o and the options that stand for one.
func mountOptions(o *libc.Options) []string {
	var opts []string
	for _, v := range o.All("o") {
		opts = append(opts, strings.Split(v, ",")...)
	}
	for _, x := range []struct{ option, name string }{{"r", "ro"}, {"w", "rw"}, {"B", "bind"}, {"R", "rbind"}} {
		if o.Has(x.option) {
			opts = append(opts, x.name)
		}
	}
	return opts
}

// list prints what is mounted, of the types of -t.
func (m *mount) list() {
	for _, x := range mountList(m.p.Kernel) {
		if m.fstype == "" || slices.Contains(strings.Split(m.fstype, ","), x.fstype) {
			m.p.Printf("%s on %s type %s (%s)\n", x.device, x.target, x.fstype, strings.Join(x.opts, ","))
		}
	}
}

// run mounts or remounts what the operands name.
func (m *mount) run() int {
	p, o := m.p, m.o
	m.where = m.args[len(m.args)-1]
	propagation := o.Has("make-shared", "make-private", "make-rprivate", "make-rshared", "make-slave", "make-rslave")
	switch {
	case propagation && len(m.args) == 1:
		if topAt(mountList(p.Kernel), absolute(p, m.where)) == nil {
			p.Warnf("mount: %s: not mount point or bad option.\n%s", absolute(p, m.where), noteKernel)
			return 32
		}
		return 0
	case p.RUID != 0:
		p.Warnf("mount: %s: must be superuser to use mount.\n%s", m.where, noteKernel)
		return 32
	case o.Has("M") || slices.Contains(m.opts, "move"):
		p.Warnf("mount: hosttest: this machine cannot move a mount\n")
		return 32
	case slices.Contains(m.opts, "remount"):
		return remount(p, m.where, m.opts)
	case len(m.args) == 2:
		m.spec = m.args[0]
	case !m.readFstab():
		p.Errorf("%s: can't find in /etc/fstab.", m.where)
		return 1
	}
	if o.Has("mkdir") {
		if err := libc.MkdirOne(p, m.where, true, nil, false); err != nil {
			p.Errorf("%s: cannot create directory: %s", m.where, kernel.Strerror(err))
			return 32
		}
	}
	if o.Has("f") {
		return 0
	}
	return mountOne(p, m.spec, m.where, m.fstype, m.opts)
}

// readFstab takes from /etc/fstab what the command line does not say.
func (m *mount) readFstab() bool {
	l, found := findFstab(m.p, m.where)
	if !found {
		return false
	}
	m.spec, m.where = l.Spec, l.MountAt
	m.opts = append(slices.Clone(l.Options), m.opts...)
	if m.fstype == "" {
		m.fstype = l.FSType
	}
	return true
}

// findFstab finds a line of fstab by its mount point or its device.
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

// fsTypes are the types that -t may name: those of the machine's kernel, and those that mean something else.
var fsTypes = []string{"", "auto", "ext4", "ext3", "ext2", "xfs", "vfat", "tmpfs", "ramfs", "proc", "sysfs", "devtmpfs",
	"cgroup2", "bind", "none", "btrfs", "swap", "nfs", "nfs4", "cifs"}

// mountOne mounts, and says what is wrong as mount does.
func mountOne(p *kernel.Process, spec, where, fstype string, opts []string) int {
	if !slices.Contains(fsTypes, fstype) {
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
				for _, k := range mt.Opts {
					if strings.HasPrefix(k, name+"=") {
						kept = append(kept, k) // they stay as they were when it was mounted
					}
				}
				continue
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
