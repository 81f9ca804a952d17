package utillinux

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

var findmntColumns = []column{
	{name: "SOURCE"}, {name: "TARGET"}, {name: "FSTYPE"}, {name: "OPTIONS"}, {name: "VFS-OPTIONS"},
	{name: "FS-OPTIONS"}, {name: "LABEL"}, {name: "UUID"}, {name: "PARTUUID"}, {name: "PARTLABEL"}, {name: "MAJ:MIN"},
	{name: "SIZE", right: true}, {name: "AVAIL", right: true}, {name: "USED", right: true}, {name: "USE%", right: true},
	{name: "FSROOT"}, {name: "ID", right: true, kind: 'n'}, {name: "PARENT", right: true, kind: 'n'},
	{name: "PROPAGATION"}, {name: "FREQ", right: true, kind: 'n'}, {name: "PASSNO", right: true, kind: 'n'},
}

const (
	findmntShort = "AaBbCcDd:eF:fiJklM:mN:no:O:PpRrS:st:T:uUvVw:xy"
	findmntLong  = "all>A ascii>a bytes>b df>D direction=>d evaluate>e tab-file=>F first-only>f invert>i json>J " +
		"kernel>k list>l " +
		"mountpoint=>M mtab>m noheadings>n output=>o options=>O pairs>P pseudo real raw>r submounts>R source=>S " +
		"fstab>s " +
		"types=>t target=>T uniq>U nofsroot>v notruncate>u tree verify>x verbose shadowed nocanonicalize>c task=>N " +
		"vfs-all " +
		"shell>y output-all hyperlink"
)

// A findmntQuery is what a findmnt is asked for.
type findmntQuery struct {
	p              *kernel.Process
	o              *libc.Options
	list           []mounted // the table that is searched
	source, target string    // empty means any
}

func cmdFindmnt(p *kernel.Process) int {
	o, ok := libc.Getopt(p, findmntShort, findmntLong)
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
	if len(o.Args) > 2 {
		p.Errorf("bad usage")
		return libc.Usage(p, 1)
	}
	q := &findmntQuery{p: p, o: o, list: mountTable(p, o)}
	if !q.ask() {
		return 1
	}
	filtered := q.source != "" || q.target != "" || o.Has("t", "O", "real", "pseudo")
	hit := q.find()
	if o.Has("R") && len(hit) > 0 {
		hit = q.under(hit[0])
		filtered = false
	}
	if len(hit) == 0 {
		return 1
	}
	isTree := !o.Has("l", "s", "D", "r", "P") && (!filtered || o.Has("tree"))
	findmntSheet(p, o, cols, hit, isTree).print(p, o)
	return 0
}

// mountTable is what is mounted, or what fstab says.
func mountTable(p *kernel.Process, o *libc.Options) []mounted {
	if !o.Has("s", "m", "F") {
		return mountList(p.Kernel)
	}
	var list []mounted
	for i, l := range libc.Fstab(p.Kernel) {
		list = append(list, mounted{
			id: i + 1, source: l.Spec, device: l.Spec, target: l.MountAt, fstype: l.FSType, opts: l.Options, root: "/",
		})
	}
	return list
}

// ask reads what is asked for: a mount point or a device, or both in this order. It returns false when the file of -T
// is nowhere.
func (q *findmntQuery) ask() bool {
	o, args := q.o, q.o.Args
	q.source, q.target = o.Get("S"), o.Get("M")
	if len(args) == 2 {
		q.source, q.target = args[0], args[1]
	}
	switch {
	case o.Has("T"):
		at := o.Get("T")
		if _, err := q.p.Stat(at); err != nil {
			return false
		}
		q.target = q.holding(absolute(q.p, at))
		if len(args) == 1 {
			q.source = args[0]
		}
	case len(args) == 1:
		at := absolute(q.p, args[0])
		if slices.ContainsFunc(q.list, func(m mounted) bool { return m.target == at }) {
			q.target = args[0]
		} else {
			q.source = args[0]
		}
	case len(args) == 0 && o.Has("D") && !o.Has("M", "S"):
		q.list = slices.DeleteFunc(q.list, func(m mounted) bool { return m.vol != nil && m.vol.Pseudo })
	}
	return true
}

// holding gives the mount point that a file lies under.
func (q *findmntQuery) holding(at string) string {
	best := ""
	for _, m := range q.list {
		under := at == m.target || m.target == "/" || strings.HasPrefix(at, m.target+"/")
		if under && len(m.target) >= len(best) {
			best = m.target
		}
	}
	return best
}

// find gives the entries that are asked for.
func (q *findmntQuery) find() []mounted {
	var hit []mounted
	for _, m := range q.list {
		if q.matches(m) != q.o.Has("i") {
			hit = append(hit, m)
			if q.o.Has("f") {
				break
			}
		}
	}
	return hit
}

// under gives top and what is mounted below it.
func (q *findmntQuery) under(top mounted) []mounted {
	seen := map[int]bool{top.id: true}
	hit := []mounted{top}
	for _, m := range q.list {
		if seen[m.parent] && !seen[m.id] {
			seen[m.id] = true
			hit = append(hit, m)
		}
	}
	return hit
}

func (q *findmntQuery) matches(m mounted) bool {
	if t := q.o.Get("t"); t != "" {
		names, no := strings.CutPrefix(t, "no")
		if slices.Contains(strings.Split(names, ","), m.fstype) == no {
			return false
		}
	}
	for _, want := range strings.FieldsFunc(q.o.Get("O"), func(r rune) bool { return r == ',' }) {
		if !slices.Contains(m.opts, want) {
			return false
		}
	}
	if q.o.Has("real") && (m.vol == nil || m.vol.Pseudo || m.vol.Lossy) {
		return false
	}
	if q.o.Has("pseudo") && m.vol != nil && !m.vol.Pseudo && !m.vol.Lossy {
		return false
	}
	if q.source != "" && !q.isSource(m) {
		return false
	}
	return q.target == "" || m.target == absolute(q.p, q.target)
}

// isSource tells whether m is of the device that is asked for, by whatever name.
func (q *findmntQuery) isSource(m mounted) bool {
	if m.source == q.source || m.device == q.source {
		return true
	}
	dev := libc.FindDevice(q.p.Kernel, q.source)
	if dev == nil {
		return false
	}
	if m.vol != nil {
		return m.vol == dev.Vol
	}
	return libc.FindDevice(q.p.Kernel, m.source) == dev
}

func findmntSheet(p *kernel.Process, o *libc.Options, cols []column, hit []mounted, isTree bool) *sheet {
	if o.Has("b") {
		for i, c := range cols {
			if c.name == "SIZE" || c.name == "AVAIL" || c.name == "USED" {
				cols[i].kind = 'n'
			}
		}
	}
	s := &sheet{name: "filesystems", cols: cols, tree: -1}
	if isTree {
		s.tree = slices.IndexFunc(cols, func(c column) bool { return c.name == "TARGET" })
	}
	rows := map[int]*sheetRow{}
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
	return s
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
	dev := m.partition(p.Kernel)
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
	case "PARTLABEL":
		return dev.PartName
	case "PARTUUID":
		return dev.PARTUUID
	}
	return ""
}

// partition is what m is on; nil when it is no disk of the machine.
func (m mounted) partition(k *kernel.Kernel) *kernel.Partition {
	if m.vol == nil {
		return libc.FindDevice(k, m.source)
	}
	var dev *kernel.Partition
	for _, d := range k.Disks {
		for _, x := range d.All() {
			if x.Vol == m.vol {
				dev = x
			}
		}
	}
	return dev
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
		pseudo := slices.Contains([]string{"proc", "sysfs", "tmpfs", "devtmpfs", "cgroup2", "nfs", "nfs4", "cifs"},
			l.FSType) || slices.Contains(l.Options, "bind")
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
	p.Printf("\n%d parse %s, %d %s, %d %s\n", parse, plural(parse, "error"), nerr, plural(nerr, "error"), nwarn,
		plural(nwarn, "warning"))
	return libc.BoolToInt(parse+nerr > 0)
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
