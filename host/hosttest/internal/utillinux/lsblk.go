package utillinux

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

var lsblkColumns = []column{
	{name: "NAME"}, {name: "KNAME"}, {name: "PATH"}, {name: "MAJ:MIN"}, {name: "FSAVAIL", right: true},
	{name: "FSSIZE", right: true}, {name: "FSTYPE"}, {name: "FSUSED", right: true}, {name: "FSUSE%", right: true},
	{name: "FSROOTS", kind: 'a'}, {name: "FSVER"}, {name: "MOUNTPOINT"}, {name: "MOUNTPOINTS", kind: 'a'},
	{name: "LABEL"}, {name: "UUID"}, {name: "PTUUID"}, {name: "PTTYPE"}, {name: "PARTTYPE"}, {name: "PARTTYPENAME"},
	{name: "PARTLABEL"}, {name: "PARTUUID"}, {name: "PARTFLAGS"}, {name: "RA", right: true, kind: 'n'},
	{name: "RO", right: true, kind: 'b'}, {name: "RM", right: true, kind: 'b'},
	{name: "HOTPLUG", right: true, kind: 'b'}, {name: "MODEL"}, {name: "SERIAL"}, {name: "SIZE", right: true},
	{name: "STATE"}, {name: "OWNER"}, {name: "GROUP"}, {name: "MODE"}, {name: "LOG-SEC", right: true, kind: 'n'},
	{name: "PHY-SEC", right: true, kind: 'n'}, {name: "ROTA", right: true, kind: 'b'}, {name: "TYPE"}, {name: "PKNAME"},
	{name: "TRAN"}, {name: "VENDOR"}, {name: "REV"}, {name: "WWN"}, {name: "START", right: true, kind: 'n'},
}

const (
	lsblkShort = "aAbdDe:E:fhI:iJlMmNno:OpPrSstTvVw:x:yz"
	lsblkLong  = "all>a noempty>A bytes>b nodeps>d discard>D exclude=>e dedup=>E fs>f include=>I ascii>i json>J " +
		"list>l merge>M " +
		"perms>m noheadings>n output=>o output-all>O paths>p pairs>P raw>r scsi>S inverse>s topology>t tree[=>T " +
		"width=>w " +
		"sort=>x sysroot= shell>y zoned>z nvme>N virtio>v"
)

func cmdLsblk(p *kernel.Process) int {
	o, ok := libc.Getopt(p, lsblkShort, lsblkLong)
	if !ok {
		return libc.Usage(p, 1)
	}
	if o.Has("D", "I", "m", "M", "E", "s", "S", "t", "x", "sysroot", "z", "O", "N", "v") {
		p.Errorf("hosttest: this lsblk has no such view")
		return 1
	}
	def := "NAME,MAJ:MIN,RM,SIZE,RO,TYPE,MOUNTPOINTS"
	if o.Has("f") {
		def = "NAME,FSTYPE,FSVER,LABEL,UUID,FSAVAIL,FSUSE%,MOUNTPOINTS"
	}
	cols, ok := pickColumns(p, lsblkColumns, o.All("o"), def)
	if !ok {
		return 1
	}
	if o.Has("b") {
		for i, c := range cols {
			if c.name == "SIZE" || strings.HasPrefix(c.name, "FS") && c.right && c.name != "FSUSE%" {
				cols[i].kind = 'n'
			}
		}
	}
	l := &lsblkList{p: p, o: o, views: look(p.Kernel), sheet: &sheet{name: "blockdevices", cols: cols, tree: -1}}
	if !o.Has("l", "d") {
		l.sheet.tree = slices.IndexFunc(cols, func(c column) bool { return c.name == "NAME" })
	}
	bad := l.fill()
	if len(l.sheet.rows) > 0 {
		l.sheet.print(p, o)
	}
	switch {
	case bad > 0 && bad == len(o.Args):
		return 32
	case bad > 0:
		return 64
	}
	return 0
}

// An lsblkList fills the sheet that an lsblk prints.
type lsblkList struct {
	p     *kernel.Process
	o     *libc.Options
	views []blockView
	sheet *sheet
}

// fill adds the operands, or all disks without any, and gives how many of them are no block devices.
func (l *lsblkList) fill() (bad int) {
	if len(l.o.Args) == 0 {
		for _, v := range l.views {
			if v.Partition == v.Disk.Whole {
				l.add(v)
			}
		}
	}
	for _, a := range l.o.Args {
		dev := device(l.p, a)
		if dev == nil {
			l.p.Errorf("%s: not a block device", a)
			bad++
			continue
		}
		for _, v := range l.views {
			if v.Partition == dev {
				l.add(v)
			}
		}
	}
	return bad
}

// add adds a device, with the partitions of a whole disk.
func (l *lsblkList) add(v blockView) {
	r := l.row(v)
	l.sheet.rows = append(l.sheet.rows, r)
	if v.Partition != v.Disk.Whole || l.o.Has("d") {
		return
	}
	for _, k := range l.views {
		switch {
		case k.Disk != v.Disk || k.Partition == v.Partition:
		case l.o.Has("l"):
			l.sheet.rows = append(l.sheet.rows, l.row(k))
		default:
			r.kids = append(r.kids, l.row(k))
		}
	}
}

func (l *lsblkList) row(v blockView) *sheetRow {
	r := &sheetRow{}
	for _, c := range l.sheet.cols {
		r.cells = append(r.cells, l.cell(v, c.name))
	}
	return r
}

// The type of a partition for Linux data, in a GPT and in a DOS table.
const (
	linuxGPT = "0fc63daf-8483-4772-8e79-3d69d8477de4"
	linuxDOS = "0x83"
)

func partType(p *kernel.Partition) string {
	switch {
	case p.Disk.Table == "gpt":
		return linuxGPT
	case p.FSType == "vfat":
		return "0xc"
	}
	return linuxDOS
}

// cell is what a column shows of a device; empty where it has nothing to show.
func (l *lsblkList) cell(v blockView, col string) string {
	if s, ok := l.fsCell(v, col); ok {
		return s
	}
	switch col {
	case "NAME", "KNAME":
		return l.name(v.Name)
	case "PATH":
		return "/dev/" + v.Name
	case "MAJ:MIN":
		if l.o.Has("r", "P", "J") {
			return fmt.Sprintf("%d:%d", v.major, v.minor)
		}
		return fmt.Sprintf("%3d:%-3d", v.major, v.minor)
	case "PTUUID":
		return ptuuidIf(v.Disk)
	case "PARTUUID":
		return v.PARTUUID
	case "RA":
		return "128"
	case "RO", "RM", "HOTPLUG", "ROTA":
		return "0"
	case "SIZE":
		return l.size(v.Size)
	case "OWNER":
		return "root"
	case "GROUP":
		return "disk"
	case "MODE":
		return "brw-rw----"
	case "LOG-SEC", "PHY-SEC":
		return "512"
	}
	if v.Partition == v.Disk.Whole {
		return diskCell(v, col)
	}
	return l.partitionCell(v, col)
}

// fsCell is a column about the file system of a device; ok tells whether col is one.
func (l *lsblkList) fsCell(v blockView, col string) (cell string, ok bool) {
	switch col {
	case "FSTYPE":
		return v.fs().kind, true
	case "FSVER":
		return map[string]string{"ext4": "1.0", "ext3": "1.0", "ext2": "1.0", "vfat": "FAT32",
			"swap": "1"}[v.fs().kind], true
	case "LABEL":
		return v.fs().label, true
	case "UUID":
		return v.fs().uuid, true
	case "MOUNTPOINT":
		return v.mount(), true
	case "MOUNTPOINTS":
		return strings.Join(v.targets, "\n"), true
	case "FSAVAIL", "FSSIZE", "FSUSED", "FSUSE%", "FSROOTS":
		if v.Vol == nil || len(v.targets) == 0 {
			return "", true
		}
		return l.spaceCell(v, col), true
	}
	return "", false
}

// spaceCell is a column about the space of a file system that is mounted.
func (l *lsblkList) spaceCell(v blockView, col string) string {
	total, free := l.p.Kernel.Space(v.Vol)
	switch col {
	case "FSAVAIL":
		return l.size(free)
	case "FSSIZE":
		return l.size(total)
	case "FSUSED":
		return l.size(total - free)
	case "FSROOTS":
		return "/"
	}
	if total == 0 {
		return ""
	}
	return fmt.Sprintf("%d%%", (total-free)*100/total)
}

// diskCell is a column about a whole disk.
func diskCell(v blockView, col string) string {
	switch col {
	case "PTTYPE":
		return v.table
	case "MODEL":
		return v.Disk.Model
	case "SERIAL":
		return v.Disk.Serial
	case "VENDOR":
		return strings.TrimSpace(v.Disk.Vendor)
	case "STATE":
		if v.major == 8 {
			return "running"
		}
	case "TYPE":
		return "disk"
	case "TRAN":
		return map[int]string{8: "usb", 259: "nvme", 179: "mmc"}[v.major]
	}
	return ""
}

// partitionCell is a column about a partition.
func (l *lsblkList) partitionCell(v blockView, col string) string {
	switch col {
	case "PTTYPE":
		return v.Disk.Table
	case "PARTTYPE":
		return partType(v.Partition)
	case "PARTLABEL":
		return v.PartName
	case "PARTTYPENAME":
		return "Linux filesystem"
	case "TYPE":
		return "part"
	case "PKNAME":
		return l.name(v.Disk.Name)
	case "START":
		return strconv.FormatInt(v.Start/512, 10)
	}
	return ""
}

func (l *lsblkList) name(name string) string {
	if l.o.Has("p") {
		return "/dev/" + name
	}
	return name
}

func (l *lsblkList) size(n int64) string {
	if l.o.Has("b") {
		return strconv.FormatInt(n, 10)
	}
	return humanSize(n)
}

func ptuuidIf(d *kernel.Disk) string {
	if d.Table == "" {
		return ""
	}
	return d.PTUUID
}
