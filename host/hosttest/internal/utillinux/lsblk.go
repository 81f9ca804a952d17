package utillinux

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

var lsblkColumns = []column{{name: "NAME"}, {name: "KNAME"}, {name: "PATH"}, {name: "MAJ:MIN"}, {name: "FSAVAIL", right: true}, {name: "FSSIZE", right: true}, {name: "FSTYPE"}, {name: "FSUSED", right: true},
	{name: "FSUSE%", right: true}, {name: "FSROOTS", kind: 'a'}, {name: "FSVER"}, {name: "MOUNTPOINT"}, {name: "MOUNTPOINTS", kind: 'a'}, {name: "LABEL"}, {name: "UUID"}, {name: "PTUUID"}, {name: "PTTYPE"}, {name: "PARTTYPE"},
	{name: "PARTTYPENAME"}, {name: "PARTLABEL"}, {name: "PARTUUID"}, {name: "PARTFLAGS"}, {name: "RA", right: true, kind: 'n'}, {name: "RO", right: true, kind: 'b'}, {name: "RM", right: true, kind: 'b'}, {name: "HOTPLUG", right: true, kind: 'b'},
	{name: "MODEL"}, {name: "SERIAL"}, {name: "SIZE", right: true}, {name: "STATE"}, {name: "OWNER"}, {name: "GROUP"}, {name: "MODE"}, {name: "LOG-SEC", right: true, kind: 'n'}, {name: "PHY-SEC", right: true, kind: 'n'},
	{name: "ROTA", right: true, kind: 'b'}, {name: "TYPE"}, {name: "PKNAME"}, {name: "TRAN"}, {name: "VENDOR"}, {name: "REV"}, {name: "WWN"}, {name: "START", right: true, kind: 'n'}}

func cmdLsblk(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "aAbdDe:E:fhI:iJlMmNno:OpPrSstTvVw:x:yz", "all>a noempty>A bytes>b nodeps>d discard>D exclude=>e dedup=>E fs>f include=>I ascii>i json>J list>l merge>M perms>m noheadings>n output=>o output-all>O paths>p pairs>P "+
		"raw>r scsi>S inverse>s topology>t tree[=>T width=>w sort=>x sysroot= shell>y zoned>z nvme>N virtio>v")
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
	views := look(p.Kernel)
	s := &sheet{name: "blockdevices", cols: cols, tree: -1}
	if !o.Has("l", "d") {
		s.tree = slices.IndexFunc(cols, func(c column) bool { return c.name == "NAME" })
	}
	row := func(v blockView) *sheetRow {
		r := &sheetRow{}
		for _, c := range cols {
			r.cells = append(r.cells, lsblkCell(p, o, v, c.name))
		}
		return r
	}
	add := func(v blockView) {
		r := row(v)
		s.rows = append(s.rows, r)
		if v.Partition != v.Disk.Whole || o.Has("d") {
			return
		}
		for _, k := range views {
			if k.Disk == v.Disk && k.Partition != v.Partition {
				switch {
				case o.Has("l"):
					s.rows = append(s.rows, row(k))
				default:
					r.kids = append(r.kids, row(k))
				}
			}
		}
	}
	bad := 0
	if len(o.Args) == 0 {
		for _, v := range views {
			if v.Partition == v.Disk.Whole {
				add(v)
			}
		}
	}
	for _, a := range o.Args {
		dev := device(p, a)
		if dev == nil {
			p.Errorf("%s: not a block device", a)
			bad++
			continue
		}
		for _, v := range views {
			if v.Partition == dev {
				add(v)
			}
		}
	}
	if len(s.rows) > 0 {
		s.print(p, o)
	}
	switch {
	case bad > 0 && bad == len(o.Args):
		return 32
	case bad > 0:
		return 64
	}
	return 0
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

func lsblkCell(p *kernel.Process, o *libc.Options, v blockView, col string) string {
	whole := v.Partition == v.Disk.Whole
	size := func(n int64) string {
		if o.Has("b") {
			return strconv.FormatInt(n, 10)
		}
		return humanSize(n)
	}
	mounted := v.Vol != nil && len(v.targets) > 0
	var total, free int64
	if mounted {
		total, free = p.Kernel.Space(v.Vol)
	}
	switch col {
	case "NAME":
		if o.Has("p") {
			return "/dev/" + v.Name
		}
		return v.Name
	case "KNAME":
		if o.Has("p") {
			return "/dev/" + v.Name
		}
		return v.Name
	case "PATH":
		return "/dev/" + v.Name
	case "MAJ:MIN":
		if o.Has("r", "P", "J") {
			return fmt.Sprintf("%d:%d", v.major, v.minor)
		}
		return fmt.Sprintf("%3d:%-3d", v.major, v.minor)
	case "FSTYPE":
		return v.fs().kind
	case "FSVER":
		switch v.fs().kind {
		case "ext4", "ext3", "ext2":
			return "1.0"
		case "vfat":
			return "FAT32"
		case "swap":
			return "1"
		}
	case "LABEL":
		return v.fs().label
	case "UUID":
		return v.fs().uuid
	case "FSAVAIL":
		if mounted {
			return size(free)
		}
	case "FSSIZE":
		if mounted {
			return size(total)
		}
	case "FSUSED":
		if mounted {
			return size(total - free)
		}
	case "FSUSE%":
		if mounted && total > 0 {
			return fmt.Sprintf("%d%%", (total-free)*100/total)
		}
	case "FSROOTS":
		if mounted {
			return "/"
		}
	case "MOUNTPOINT":
		return v.mount()
	case "MOUNTPOINTS":
		return strings.Join(v.targets, "\n")
	case "PTUUID":
		return ptuuidIf(v.Disk)
	case "PTTYPE":
		if whole {
			return v.table
		}
		return v.Disk.Table
	case "PARTTYPE":
		if !whole {
			return partType(v.Partition)
		}
	case "PARTTYPENAME":
		if !whole {
			return "Linux filesystem"
		}
	case "PARTUUID":
		return v.PARTUUID
	case "RA":
		return "128"
	case "RO", "RM", "HOTPLUG", "ROTA":
		return "0"
	case "MODEL":
		if whole {
			return v.Disk.Model
		}
	case "SERIAL":
		if whole {
			return v.Disk.Serial
		}
	case "VENDOR":
		if whole {
			return strings.TrimSpace(v.Disk.Vendor)
		}
	case "SIZE":
		return size(v.Size)
	case "STATE":
		if whole && v.major == 8 {
			return "running"
		}
	case "OWNER":
		return "root"
	case "GROUP":
		return "disk"
	case "MODE":
		return "brw-rw----"
	case "LOG-SEC", "PHY-SEC":
		return "512"
	case "TYPE":
		if whole {
			return "disk"
		}
		return "part"
	case "PKNAME":
		if whole {
			return ""
		}
		if o.Has("p") {
			return "/dev/" + v.Disk.Name
		}
		return v.Disk.Name
	case "TRAN":
		switch {
		case !whole:
		case v.major == 8:
			return "usb"
		case v.major == 259:
			return "nvme"
		case v.major == 179:
			return "mmc"
		}
	case "START":
		if !whole {
			return strconv.FormatInt(v.Start/512, 10)
		}
	}
	return ""
}

func ptuuidIf(d *kernel.Disk) string {
	if d.Table == "" {
		return ""
	}
	return d.PTUUID
}
