package utillinux

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// mountTools show and change what is mounted, and swap.
func mountTools() map[string]kernel.Program {
	return map[string]kernel.Program{
		"mount": cmdMount, "umount": cmdUmount, "findmnt": cmdFindmnt, "mountpoint": cmdMountpoint,
		"/usr/sbin/swapon": cmdSwapon, "/usr/sbin/swapoff": cmdSwapoff,
	}
}

// mounted is what a mount shows, as it was when somebody looked.
type mounted struct {
	id, parent int
	source     string // with [DIR] for a bind mount of a part
	device     string
	target     string
	fstype     string
	root       string // the directory of the file system that is shown
	opts       []string
	vol        *kernel.Volume
	m          *kernel.MountPoint
}

func mountList(k *kernel.Kernel) []mounted {
	t := k.Tree
	t.Lock()
	defer t.Unlock()
	var out []mounted
	for _, mt := range t.Mounts {
		x := mounted{id: mt.ID, parent: 1, device: mt.Vol.Source, target: mt.Target, fstype: mt.Vol.FSType, root: pathOf(mt.Vol, mt.Root), opts: mt.Options(), vol: mt.Vol, m: mt}
		if mt.Over != nil {
			x.parent = mt.Over.ID
		}
		x.source = x.device
		if x.root != "/" {
			x.source += "[" + x.root + "]"
		}
		out = append(out, x)
	}
	return out
}

// pathOf finds the path of a directory within its file system.
func pathOf(v *kernel.Volume, num uint32) string {
	if num == 1 {
		return "/"
	}
	var find func(dir uint32, at string) string
	find = func(dir uint32, at string) string {
		i := v.Get(dir)
		if i == nil {
			return ""
		}
		for name, n := range i.Children {
			if n == num {
				return at + "/" + name
			}
			if k := v.Get(n); k != nil && k.IsDir() {
				if s := find(n, at+"/"+name); s != "" {
					return s
				}
			}
		}
		return ""
	}
	return find(1, "")
}

// topAt finds the mount that one sees at a mount point.
func topAt(list []mounted, target string) *mounted {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].target == target {
			return &list[i]
		}
	}
	return nil
}

// absolute gives the path without links, also of what does not exist.
func absolute(p *kernel.Process, name string) string {
	if r, err := p.Realpath(name); err == nil {
		return r
	}
	if !strings.HasPrefix(name, "/") {
		name = libc.JoinPath(p.Dir, name)
	}
	return path.Clean(name)
}

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
		atime := strings.HasSuffix(o, "atime")
		switch o {
		case "remount", "rw", "ro", "bind", "defaults", "exec", "suid", "dev", "":
			positive := map[string]string{"exec": "noexec", "suid": "nosuid", "dev": "nodev"}[o]
			kept = slices.DeleteFunc(kept, func(k string) bool { return positive != "" && k == positive })
			continue
		}
		kept = slices.DeleteFunc(kept, func(k string) bool {
			n, _, _ := strings.Cut(k, "=")
			return n == name || atime && strings.HasSuffix(k, "atime")
		})
		kept = append(kept, o)
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

func cmdUmount(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "aAcdfhilnN:O:qrRt:vV", "all>a all-targets>A no-canonicalize>c detach-loop>d fake force>f internal-only>i lazy>l no-mtab>n quiet>q read-only>r recursive>R types=>t test-opts=>O verbose>v namespace=>N")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "A", "N", "O", "r", "fake") {
		return 1
	}
	if o.Has("a") {
		code := 0
		for _, m := range slices.Backward(mountList(p.Kernel)) {
			if m.vol.Pseudo || m.target == "/" || m.vol.Lossy && strings.HasPrefix(m.target, "/run") || o.Has("t") && !slices.Contains(strings.Split(o.Get("t"), ","), m.fstype) {
				continue
			}
			code = max(code, umountOne(p, m.target, o))
		}
		return code
	}
	if len(o.Args) == 0 {
		p.Errorf("bad usage")
		return libc.Usage(p, 1)
	}
	code := 0
	for _, a := range o.Args {
		code = max(code, umountOne(p, a, o))
	}
	return code
}

func umountOne(p *kernel.Process, name string, o *libc.Options) int {
	list := mountList(p.Kernel)
	at := absolute(p, name)
	mt := topAt(list, at)
	if mt == nil {
		// A device stands for where it is mounted last.
		for i := range list {
			if dev := libc.FindDevice(p.Kernel, name); dev != nil && dev.Vol != nil && list[i].vol == dev.Vol {
				mt = &list[i]
			}
		}
	}
	if p.RUID != 0 && mt != nil {
		p.Errorf("%s: must be superuser to unmount.", mt.target)
		return 32
	}
	if mt == nil {
		switch _, err := p.Stat(name); {
		case err != nil:
			p.Errorf("%s: no mount point specified.", name)
		case o.Has("q"):
		default:
			p.Errorf("%s: not mounted.", name)
		}
		if o.Has("R") {
			return 1
		}
		return 32
	}
	targets := []mounted{*mt}
	if o.Has("R") {
		for _, x := range list {
			if strings.HasPrefix(x.target, mt.target+"/") {
				targets = append(targets, x)
			}
		}
	}
	for _, x := range slices.Backward(targets) {
		if err := p.Kernel.Mutate(nil); err != nil {
			p.Errorf("%s: %s", x.target, kernel.Strerror(err))
			return 32
		}
		switch err := libc.Unmount(p.Kernel, x.target, o.Has("l")); err {
		case nil:
			if o.Has("v") {
				p.Printf("umount: %s (%s) unmounted\n", x.target, x.device)
			}
		case syscall.EBUSY:
			p.Errorf("%s: target is busy.", x.target)
			return 32
		default:
			p.Errorf("%s: umount failed: %s.", x.target, kernel.Strerror(err))
			return 32
		}
	}
	return 0
}

var findmntColumns = []column{{name: "SOURCE"}, {name: "TARGET"}, {name: "FSTYPE"}, {name: "OPTIONS"}, {name: "VFS-OPTIONS"}, {name: "FS-OPTIONS"}, {name: "LABEL"}, {name: "UUID"}, {name: "PARTUUID"},
	{name: "PARTLABEL"}, {name: "MAJ:MIN"}, {name: "SIZE", right: true}, {name: "AVAIL", right: true}, {name: "USED", right: true}, {name: "USE%", right: true}, {name: "FSROOT"}, {name: "ID", right: true, kind: 'n'},
	{name: "PARENT", right: true, kind: 'n'}, {name: "PROPAGATION"}, {name: "FREQ", right: true, kind: 'n'}, {name: "PASSNO", right: true, kind: 'n'}}

func cmdFindmnt(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "AaBbCcDd:eF:fiJklM:mN:no:O:PpRrS:st:T:uUvVw:xy", "all>A ascii>a bytes>b df>D direction=>d evaluate>e tab-file=>F first-only>f invert>i json>J kernel>k list>l mountpoint=>M mtab>m noheadings>n output=>o "+
		"options=>O pairs>P pseudo real raw>r submounts>R source=>S fstab>s types=>t target=>T uniq>U nofsroot>v notruncate>u tree verify>x verbose shadowed nocanonicalize>c task=>N vfs-all shell>y output-all hyperlink")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "N", "shadowed", "vfs-all", "output-all", "d") {
		return 1
	}
	if o.Has("x") {
		return verifyFstab(p, o)
	}
	def := "TARGET,SOURCE,FSTYPE,OPTIONS"
	if o.Has("D") {
		def = "SOURCE,FSTYPE,SIZE,USED,AVAIL,USE%,TARGET"
	}
	cols, ok := pickColumns(p, findmntColumns, o.All("o"), def)
	if !ok {
		return 1
	}
	var list []mounted
	if o.Has("s", "m", "F") {
		for i, l := range libc.Fstab(p.Kernel) {
			list = append(list, mounted{id: i + 1, source: l.Spec, device: l.Spec, target: l.MountAt, fstype: l.FSType, opts: l.Options, root: "/"})
		}
	} else {
		list = mountList(p.Kernel)
	}
	// What one asks for: a mount point or a device, or both in this order.
	source, target := o.Get("S"), o.Get("M")
	args := o.Args
	switch len(args) {
	case 0:
	case 1:
		source = cmp.Or(source, "")
	case 2:
		source, target = args[0], args[1]
	default:
		p.Errorf("bad usage")
		return libc.Usage(p, 1)
	}
	isSource := func(m mounted, s string) bool {
		if m.source == s || m.device == s {
			return true
		}
		dev := libc.FindDevice(p.Kernel, s)
		return dev != nil && (m.vol != nil && m.vol == dev.Vol || m.vol == nil && libc.FindDevice(p.Kernel, m.source) == dev)
	}
	keep := func(m mounted) bool {
		if t := o.Get("t"); t != "" {
			names, no := strings.CutPrefix(t, "no")
			if slices.Contains(strings.Split(names, ","), m.fstype) == no {
				return false
			}
		}
		for _, want := range strings.FieldsFunc(o.Get("O"), func(r rune) bool { return r == ',' }) {
			if !slices.Contains(m.opts, want) {
				return false
			}
		}
		if o.Has("real") && (m.vol == nil || m.vol.Pseudo || m.vol.Lossy) || o.Has("pseudo") && m.vol != nil && !m.vol.Pseudo && !m.vol.Lossy {
			return false
		}
		if source != "" && !isSource(m, source) {
			return false
		}
		if target != "" && m.target != absolute(p, target) {
			return false
		}
		return true
	}
	if o.Has("T") {
		at := o.Get("T")
		if _, err := p.Stat(at); err != nil {
			return 1
		}
		at = absolute(p, at)
		best := ""
		for _, m := range list {
			if (at == m.target || m.target == "/" || strings.HasPrefix(at, m.target+"/")) && len(m.target) >= len(best) {
				best = m.target
			}
		}
		target = best
		if len(args) == 1 {
			source = args[0]
		}
	} else if len(args) == 1 {
		at := absolute(p, args[0])
		if slices.ContainsFunc(list, func(m mounted) bool { return m.target == at }) {
			target = args[0]
		} else {
			source = args[0]
		}
	}
	if o.Has("D") && len(args) == 0 && !o.Has("T", "M", "S") {
		list = slices.DeleteFunc(list, func(m mounted) bool { return m.vol != nil && m.vol.Pseudo })
	}
	filtered := source != "" || target != "" || o.Has("t", "O", "real", "pseudo")
	var hit []mounted
	for _, m := range list {
		if keep(m) != o.Has("i") {
			hit = append(hit, m)
			if o.Has("f") {
				break
			}
		}
	}
	if o.Has("R") && len(hit) > 0 {
		under := map[int]bool{hit[0].id: true}
		hit = hit[:1]
		for _, m := range list {
			if under[m.parent] && !under[m.id] {
				under[m.id] = true
				hit = append(hit, m)
			}
		}
		filtered = false
	}
	if len(hit) == 0 {
		return 1
	}
	if o.Has("b") {
		for i, c := range cols {
			if c.name == "SIZE" || c.name == "AVAIL" || c.name == "USED" {
				cols[i].kind = 'n'
			}
		}
	}
	s := &sheet{name: "filesystems", cols: cols, tree: -1}
	rows := map[int]*sheetRow{}
	isTree := !o.Has("l", "s", "D", "r", "P") && (!filtered || o.Has("tree"))
	for _, m := range hit {
		r := &sheetRow{}
		for _, c := range cols {
			r.cells = append(r.cells, findmntCell(p, m, c.name, o))
		}
		rows[m.id] = r
		if up := rows[m.parent]; isTree && up != nil && m.parent != m.id {
			up.kids = append(up.kids, r)
		} else {
			s.rows = append(s.rows, r)
		}
	}
	if isTree {
		s.tree = slices.IndexFunc(cols, func(c column) bool { return c.name == "TARGET" })
	}
	s.print(p, o)
	return 0
}

func findmntCell(p *kernel.Process, m mounted, col string, o *libc.Options) string {
	size := func(n int64) string {
		switch {
		case m.vol == nil || m.vol.Pseudo && !o.Has("b"):
			return "0"
		case o.Has("b"):
			return fmt.Sprint(n)
		case n == 0:
			return "0"
		}
		return humanSize(n)
	}
	var total, free int64
	if m.vol != nil && (col == "SIZE" || col == "USED" || col == "AVAIL" || col == "USE%") {
		total, free = p.Kernel.Space(m.vol)
	}
	var dev *kernel.Partition
	if m.vol != nil {
		for _, d := range p.Kernel.Disks {
			for _, x := range d.All() {
				if x.Vol == m.vol {
					dev = x
				}
			}
		}
	} else {
		dev = libc.FindDevice(p.Kernel, m.source)
	}
	switch col {
	case "TARGET":
		return m.target
	case "SOURCE":
		if o.Has("v") {
			return m.device
		}
		if o.Has("e") && dev != nil {
			return "/dev/" + dev.Name
		}
		return m.source
	case "FSTYPE":
		return m.fstype
	case "OPTIONS", "VFS-OPTIONS":
		return strings.Join(m.opts, ",")
	case "FS-OPTIONS":
		return "rw"
	case "MAJ:MIN":
		if m.vol != nil {
			return fmt.Sprintf("%d:%d", m.vol.Dev>>20, m.vol.Dev&0xfffff)
		}
	case "FSROOT":
		return m.root
	case "ID":
		return fmt.Sprint(m.id)
	case "PARENT":
		return fmt.Sprint(m.parent)
	case "PROPAGATION":
		return "shared"
	case "SIZE":
		return size(total)
	case "USED":
		return size(total - free)
	case "AVAIL":
		return size(free)
	case "USE%":
		if total == 0 {
			return "-"
		}
		return fmt.Sprintf("%d%%", (total-free)*100/total)
	}
	if dev == nil {
		return ""
	}
	switch col {
	case "LABEL":
		return dev.Label
	case "UUID":
		return dev.UUID
	case "PARTUUID":
		return dev.PARTUUID
	}
	return ""
}

// verifyFstab is findmnt --verify: what would fail at boot.
func verifyFstab(p *kernel.Process, o *libc.Options) int {
	b, err := p.ReadFile(cmp.Or(o.Get("F"), "/etc/fstab"))
	if err != nil {
		p.Errorf("can't read %s: %s", cmp.Or(o.Get("F"), "/etc/fstab"), kernel.Strerror(err))
		return 1
	}
	nerr, nwarn := 0, 0
	parse := 0
	for line := range strings.SplitSeq(string(b), "\n") {
		if f := strings.Fields(line); len(f) > 0 && !strings.HasPrefix(f[0], "#") && (len(f) < 3 || len(f) > 6) {
			parse++
		}
	}
	seen := map[string]bool{}
	for _, l := range libc.ParseFstab(string(b)) {
		var said []string
		fail := func(kind, format string, a ...any) {
			if kind == "E" {
				nerr++
			} else {
				nwarn++
			}
			said = append(said, fmt.Sprintf("   [%s] %s", kind, fmt.Sprintf(format, a...)))
		}
		if seen[l.MountAt] && l.MountAt != "none" {
			fail("W", "non-unique target")
		}
		seen[l.MountAt] = true
		if l.FSType != "swap" {
			if _, err := p.Stat(l.MountAt); err != nil {
				if slices.Contains(l.Options, "noauto") || slices.Contains(l.Options, "nofail") {
					fail("W", "unreachable on boot required target: %s", kernel.Strerror(err))
				} else {
					fail("E", "unreachable on boot required target: %s", kernel.Strerror(err))
				}
			}
		}
		pseudo := slices.Contains([]string{"proc", "sysfs", "tmpfs", "devtmpfs", "cgroup2", "nfs", "nfs4", "cifs"}, l.FSType) || slices.Contains(l.Options, "bind")
		dev := libc.FindDevice(p.Kernel, l.Spec)
		if tag, val, ok := strings.Cut(l.Spec, "="); ok && !strings.HasPrefix(l.Spec, "/") && dev == nil {
			fail("E", "unreachable: %s=%s", tag, val)
		} else if !pseudo && dev == nil {
			if _, err := p.Stat(l.Spec); err != nil {
				fail("E", "unreachable source: %s: %s", l.Spec, kernel.Strerror(err))
			} else if l.FSType != "swap" {
				fail("W", "%s: not a block device", l.Spec)
			}
		}
		if dev != nil && l.FSType != "auto" && dev.FSType != "" && dev.FSType != l.FSType {
			fail("W", "%s does not match with on-disk %s", l.FSType, dev.FSType)
		}
		if len(said) > 0 {
			p.Print(l.MountAt, "\n", strings.Join(said, "\n"), "\n")
		}
	}
	if parse+nerr+nwarn == 0 {
		p.Print("Success, no errors or warnings detected\n")
		return 0
	}
	p.Printf("\n%d parse %s, %d %s, %d %s\n", parse, plural(parse, "error"), nerr, plural(nerr, "error"), nwarn, plural(nwarn, "warning"))
	return libc.BoolToInt(parse+nerr > 0)
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func cmdMountpoint(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "qdxhV", "quiet>q fs-devno>d devno>x nofollow")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "nofollow") {
		return 1
	}
	if len(o.Args) != 1 || o.Has("x") && o.Has("d") {
		p.Errorf("bad usage")
		return libc.Usage(p, 1)
	}
	name := o.Args[0]
	st, err := p.Stat(name)
	if err != nil {
		if !o.Has("q") {
			p.Errorf("%s: %s", name, kernel.Strerror(err))
		}
		return 1
	}
	if o.Has("x") {
		if st.Mode&kernel.ModeType != kernel.ModeBlock {
			if !o.Has("q") {
				p.Errorf("%s: not a block device", name)
			}
			return 32
		}
		p.Printf("%d:%d\n", st.Rdev>>8, st.Rdev&0xff)
		return 0
	}
	if topAt(mountList(p.Kernel), st.Path) == nil {
		if !o.Has("q") {
			p.Printf("%s is not a mountpoint\n", name)
		}
		return 32
	}
	switch {
	case o.Has("d"):
		p.Printf("%d:%d\n", st.Dev>>20, st.Dev&0xfffff)
	case !o.Has("q"):
		p.Printf("%s is a mountpoint\n", name)
	}
	return 0
}

var swaponColumns = []column{{name: "NAME"}, {name: "TYPE"}, {name: "SIZE", right: true}, {name: "USED", right: true}, {name: "PRIO", right: true}, {name: "UUID"}, {name: "LABEL"}}

func cmdSwapon(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "ad::efhL:o:p:sT:U:vV", "all>a discard[=>d ifexists>e fixpgsz>f label=>L uuid=>U options=>o priority=>p summary>s show[= noheadings raw bytes verbose>v fstab=>T")
	if !ok {
		return libc.Usage(p, 16)
	}
	if libc.Unsupported(p, o, "T") {
		return 16
	}
	switch {
	case o.Has("s"):
		if len(p.Kernel.SwapList()) > 0 {
			b, err := p.ReadFile("/proc/swaps")
			if err != nil {
				p.Errorf("/proc/swaps: %s", kernel.Strerror(err))
				return 16
			}
			p.Print(string(b))
		}
		return 0
	case o.Has("show") || len(o.Order) == 0 && len(o.Args) == 0:
		return showSwaps(p, o)
	}
	if p.UID != 0 {
		for _, a := range o.Args {
			p.Errorf("cannot open %s: %s", a, kernel.Strerror(syscall.EACCES))
		}
		return 255
	}
	var names []string
	if o.Has("a") {
		for _, l := range libc.Fstab(p.Kernel) {
			if l.FSType == "swap" && !slices.Contains(l.Options, "noauto") {
				names = append(names, l.Spec)
			}
		}
	}
	for _, tag := range []string{"L", "U"} {
		for _, v := range o.All(tag) {
			names = append(names, map[string]string{"L": "LABEL=", "U": "UUID="}[tag]+v)
		}
	}
	code := 0
	for _, n := range append(names, o.Args...) {
		code = max(code, swaponOne(p, n, o.Has("a", "e")))
	}
	return code
}

func showSwaps(p *kernel.Process, o *libc.Options) int {
	cols, ok := pickColumns(p, swaponColumns, slices.DeleteFunc(o.All("show"), func(s string) bool { return s == "" }), "NAME,TYPE,SIZE,USED,PRIO")
	if !ok {
		return 16
	}
	s := &sheet{cols: cols, tree: -1}
	for i, n := range p.Kernel.SwapList() {
		size := func(v int64) string {
			if o.Has("bytes") {
				return fmt.Sprint(v)
			}
			return humanSize(v)
		}
		dev := libc.FindDevice(p.Kernel, n)
		r := &sheetRow{}
		for _, c := range cols {
			v := ""
			switch c.name {
			case "NAME":
				v = n
			case "TYPE":
				v = "file"
				if dev != nil {
					v = "partition"
				}
			case "SIZE":
				v = size(p.Kernel.SwapSize(n) >> 10 << 10)
			case "USED":
				v = size(0)
			case "PRIO":
				v = fmt.Sprint(-2 - i)
			case "UUID":
				if dev != nil {
					v = dev.UUID
				}
			case "LABEL":
				if dev != nil {
					v = dev.Label
				}
			}
			r.cells = append(r.cells, v)
		}
		s.rows = append(s.rows, r)
	}
	if o.Has("raw") {
		s.raw(p, !o.Has("noheadings"))
	} else {
		s.table(p, !o.Has("noheadings"))
	}
	return 0
}

func swaponOne(p *kernel.Process, spec string, lenient bool) int {
	name := spec
	dev := libc.FindDevice(p.Kernel, spec)
	if tag, val, ok := strings.Cut(spec, "="); ok && dev == nil && !strings.HasPrefix(spec, "/") {
		if !lenient {
			p.Errorf("cannot find the device for %s=%s", tag, val)
		}
		return 255
	}
	if dev != nil {
		name = "/dev/" + dev.Name
	} else {
		name = absolute(p, spec)
	}
	if slices.Contains(p.Kernel.SwapList(), name) {
		if lenient {
			return 0
		}
		p.Errorf("%s: swapon failed: %s", name, kernel.Strerror(syscall.EBUSY))
		return 255
	}
	if dev != nil && dev.FSType != "swap" {
		p.Errorf("%s: read swap header failed", name)
		return 255
	}
	if dev == nil {
		st, err := p.Stat(name)
		if err != nil {
			p.Errorf("cannot open %s: %s", name, kernel.Strerror(err))
			return 255
		}
		if !st.IsRegular() {
			p.Errorf("%s: skipping - it is not a regular file", name)
			return 255
		}
		if st.Perm()&0o077 != 0 {
			p.Errorf("%s: insecure permissions %04o, 0600 suggested.", name, st.Perm())
		}
		if !isSwapFile(p.Kernel, name) {
			p.Errorf("%s: read swap header failed", name)
			return 255
		}
	}
	if err := p.Kernel.Mutate(nil); err != nil {
		p.Errorf("%s: swapon failed: %s", name, kernel.Strerror(err))
		return 255
	}
	p.Kernel.SwapOn(name)
	return 0
}

// isSwapFile looks for the signature of mkswap.
func isSwapFile(k *kernel.Kernel, name string) bool {
	b, err := k.FS().ReadFile(name)
	return err == nil && len(b) >= 4096 && string(b[4086:4096]) == swapMagic
}

const swapMagic = "SWAPSPACE2"

func cmdSwapoff(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "ahvVL:U:T:", "all>a verbose>v fstab=>T")
	if !ok {
		return libc.Usage(p, 16)
	}
	names := o.Args
	for tag, k := range map[string]string{"L": "LABEL=", "U": "UUID="} {
		for _, v := range o.All(tag) {
			names = append(names, k+v)
		}
	}
	if o.Has("a") {
		if p.UID == 0 {
			names = append(names, p.Kernel.SwapList()...)
		}
	} else if len(names) == 0 {
		p.Errorf("bad usage")
		return libc.Usage(p, 16)
	}
	code := 0
	for _, spec := range names {
		name := spec
		if dev := libc.FindDevice(p.Kernel, spec); dev != nil {
			name = "/dev/" + dev.Name
		} else if strings.Contains(spec, "=") && !strings.HasPrefix(spec, "/") {
			p.Errorf("cannot find the device for %s", spec)
			code = max(code, 4)
			continue
		} else {
			name = absolute(p, spec)
		}
		if p.UID != 0 {
			p.Errorf("Not superuser.")
			return 16
		}
		if !slices.Contains(p.Kernel.SwapList(), name) {
			err := error(syscall.EINVAL)
			if _, e := p.Stat(name); e != nil {
				err = e
			}
			p.Errorf("%s: swapoff failed: %s", name, kernel.Strerror(err))
			code = max(code, 4)
			continue
		}
		if err := p.Kernel.Mutate(nil); err != nil {
			p.Errorf("%s: swapoff failed: %s", name, kernel.Strerror(err))
			code = max(code, 4)
			continue
		}
		if o.Has("v") {
			p.Printf("swapoff %s\n", name)
		}
		p.Kernel.SwapOff(name)
	}
	return code
}
