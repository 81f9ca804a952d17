package utillinux

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// blockTools look at and change disks, file systems and mounts.
func blockTools() map[string]kernel.Program {
	return map[string]kernel.Program{
		"lsblk": cmdLsblk, "/usr/sbin/blkid": cmdBlkid, "/usr/sbin/wipefs": cmdWipefs, "/usr/sbin/blockdev": cmdBlockdev, "udevadm": cmdUdevadm,
		"chattr": cmdChattr, "lsattr": cmdLsattr,
	}
}

// A signature is what tells what is on a device.
type signature struct {
	offset      int64
	kind        string // "ext4", "gpt"
	uuid, label string
	magic       []byte
	usage       string // as blkid has it; empty for a partition table
}

// A blockView is a device as it was when somebody looked.
type blockView struct {
	*kernel.Partition
	signs   []signature // of a file system or its like, and of a partition table
	table   string
	ptuuid  string
	targets []string // where it is mounted; "[SWAP]" for swap
	major   int
	minor   int
}

// fs is the signature of what the device holds; the zero signature when it holds nothing.
func (v blockView) fs() signature {
	for _, s := range v.signs {
		if s.usage != "" {
			return s
		}
	}
	return signature{}
}

// mount is what lsblk shows as the one mount point.
func (v blockView) mount() string {
	if len(v.targets) == 0 {
		return ""
	}
	return v.targets[0]
}

// look tells what is on every device.
func look(k *kernel.Kernel) []blockView {
	swaps := k.SwapList()
	t := k.Tree
	t.Lock()
	defer t.Unlock()
	var out []blockView
	for i, d := range k.Disks {
		for _, p := range d.All() {
			v := blockView{Partition: p, major: 8, minor: (i-1)*16 + p.Num}
			if i == 0 {
				v.major, v.minor = 179, p.Num
			} else if strings.HasPrefix(d.Name, "nvme") {
				v.major = 259
			}
			v.signs = signatures(p)
			if p == d.Whole {
				v.table, v.ptuuid = d.Table, d.PTUUID
			}
			for _, s := range v.signs {
				if p == d.Whole && v.table == "" && s.usage == "" {
					v.table = s.kind
				}
			}
			for _, mt := range t.Mounts {
				if p.Vol != nil && mt.Vol == p.Vol {
					v.targets = append(v.targets, mt.Target)
				}
			}
			if slices.Contains(swaps, "/dev/"+p.Name) {
				v.targets = append(v.targets, "[SWAP]")
			}
			out = append(out, v)
		}
	}
	return out
}

// signatures reads the device as libblkid does.
func signatures(p *kernel.Partition) []signature {
	var out []signature
	d := p.Disk
	if p.FSType != "" {
		s := signature{kind: p.FSType, uuid: p.UUID, label: p.Label, usage: "filesystem"}
		switch p.FSType {
		case "ext4", "ext3", "ext2":
			s.offset, s.magic = 0x438, []byte{0x53, 0xef}
		case "xfs":
			s.magic = []byte("XFSB")
		case "vfat":
			s.offset, s.magic = 0x52, []byte("FAT32   ")
		case "swap":
			s.offset, s.magic, s.usage = 0xff6, []byte(swapMagic), "other"
		case "LVM2_member":
			s.offset, s.magic, s.usage = 0x218, []byte("LVM2 001"), "raid"
		case "crypto_LUKS":
			s.magic, s.usage = []byte("LUKS\xba\xbe"), "crypto"
		default:
			s.magic = make([]byte, 4)
		}
		out = append(out, s)
	} else if s, ok := sniff(p); ok {
		out = append(out, s)
	}
	if p != d.Whole {
		return out
	}
	head, tail := make([]byte, 1024), make([]byte, 512)
	d.Read(0, head)
	d.Read(d.Size-512, tail)
	gpt := []byte("EFI PART")
	switch {
	case d.Table == "gpt", d.Table == "" && bytes.HasPrefix(head[512:], gpt):
		out = append(out, signature{offset: 0x200, kind: "gpt", magic: gpt})
		if bytes.HasPrefix(tail, gpt) {
			out = append(out, signature{offset: d.Size - 512, kind: "gpt", magic: gpt})
		}
		out = append(out, signature{offset: 0x1fe, kind: "PMBR", magic: []byte{0x55, 0xaa}})
	case d.Table == "dos", d.Table == "" && isMBR(head) && len(out) == 0:
		out = append(out, signature{offset: 0x1fe, kind: "dos", magic: []byte{0x55, 0xaa}})
	}
	return out
}

// isMBR tells whether a first sector has a partition table: the signature and a partition.
func isMBR(b []byte) bool {
	if b[510] != 0x55 || b[511] != 0xaa {
		return false
	}
	some := false
	for at := 446; at < 510; at += 16 {
		if b[at] != 0 && b[at] != 0x80 {
			return false
		}
		some = some || b[at+4] != 0
	}
	return some
}

// sniff finds a file system in the bytes of a device that nobody has formatted here.
func sniff(p *kernel.Partition) (signature, bool) {
	b := make([]byte, 0x10048)
	p.Disk.Read(p.Start, b)
	has := func(at int, magic string) bool { return string(b[at:at+len(magic)]) == magic }
	str := func(at, n int) string { s, _, _ := strings.Cut(string(b[at:at+n]), "\x00"); return s }
	id := func(at int) string { return formatUUID(b[at : at+16]) }
	sign := func(at int64, magic, kind, usage, uuid, label string) (signature, bool) {
		return signature{at, kind, uuid, label, []byte(magic), usage}, true
	}
	switch {
	case has(0, "LUKS\xba\xbe"):
		return sign(0, "LUKS\xba\xbe", "crypto_LUKS", "crypto", str(168, 40), "")
	case has(512, "LABELONE") && has(536, "LVM2 001"):
		return sign(0x218, "LVM2 001", "LVM2_member", "raid", "", "")
	case has(4096, "\xfc\x4e\x2b\xa9"):
		return sign(4096, "\xfc\x4e\x2b\xa9", "linux_raid_member", "raid", "", "")
	case has(4086, swapMagic):
		return sign(4086, swapMagic, "swap", "other", id(1036), str(1052, 16))
	case has(0x438, "\x53\xef"):
		kind := "ext2"
		compat, incompat := binary.LittleEndian.Uint32(b[1024+0x5c:]), binary.LittleEndian.Uint32(b[1024+0x60:])
		switch {
		case incompat&0x40 != 0: // extents
			kind = "ext4"
		case compat&4 != 0: // a journal
			kind = "ext3"
		}
		return sign(0x438, "\x53\xef", kind, "filesystem", id(1024+0x68), str(1024+0x78, 16))
	case has(0, "XFSB"):
		return sign(0, "XFSB", "xfs", "filesystem", id(32), str(108, 12))
	case has(0x10040, "_BHRfS_M"):
		return sign(0x10040, "_BHRfS_M", "btrfs", "filesystem", id(0x10020), "")
	case has(82, "FAT32   "):
		return sign(82, "FAT32   ", "vfat", "filesystem", "", "")
	case has(54, "FAT16   "):
		return sign(54, "FAT16   ", "vfat", "filesystem", "", "")
	case has(3, "NTFS    "):
		return sign(3, "NTFS    ", "ntfs", "filesystem", "", "")
	case has(0x8001, "CD001"):
		return sign(0x8001, "CD001", "iso9660", "filesystem", "", "")
	case has(0, "hsqs"):
		return sign(0, "hsqs", "squashfs", "filesystem", "", "")
	}
	return signature{}, false
}

func formatUUID(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// device finds the block device that a path names.
func device(p *kernel.Process, name string) *kernel.Partition {
	rest, ok := strings.CutPrefix(absolute(p, name), "/dev/")
	if !ok {
		return nil
	}
	return p.Kernel.BlockDevice(rest)
}

// inUse tells what keeps a device, or a partition of it, from being changed.
func inUse(k *kernel.Kernel, p *kernel.Partition) string {
	for _, v := range look(k) {
		if (v.Partition == p || p == p.Disk.Whole && v.Disk == p.Disk) && len(v.targets) > 0 {
			return v.targets[0]
		}
	}
	return ""
}

// changeDisk runs a change of a disk and lets udev see it.
func changeDisk(k *kernel.Kernel, f func()) error {
	if err := k.Mutate(nil); err != nil {
		return err
	}
	return k.Tree.Quietly(func() error {
		f()
		k.Udev()
		return nil
	})
}

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

// A tag is a name and a value of blkid.
type tag struct{ name, value string }

// tags is what blkid tells of a device: low is what -p adds.
func (v blockView) tags(low bool) []tag {
	var out []tag
	add := func(name, value string) {
		if value != "" {
			out = append(out, tag{name, value})
		}
	}
	s := v.fs()
	if s.kind == "vfat" {
		add("LABEL_FATBOOT", s.label)
	}
	add("LABEL", s.label)
	add("UUID", s.uuid)
	if low {
		switch s.kind {
		case "ext4", "ext3", "ext2":
			add("VERSION", "1.0")
		case "vfat":
			add("VERSION", "FAT32")
		case "swap":
			add("VERSION", "1")
		}
	}
	switch s.kind {
	case "ext4", "ext3", "ext2":
		add("BLOCK_SIZE", "4096")
	case "xfs", "vfat":
		add("BLOCK_SIZE", "512")
	}
	add("TYPE", s.kind)
	if low {
		add("USAGE", s.usage)
	}
	switch {
	case v.Partition == v.Disk.Whole:
		if s.kind == "" && v.table != "" {
			add("PTUUID", v.ptuuid)
			add("PTTYPE", v.table)
		}
	case low:
		add("PART_ENTRY_SCHEME", v.Disk.Table)
		add("PART_ENTRY_UUID", v.PARTUUID)
		add("PART_ENTRY_TYPE", partType(v.Partition))
		add("PART_ENTRY_NUMBER", strconv.Itoa(v.Num))
		add("PART_ENTRY_OFFSET", strconv.FormatInt(v.Start/512, 10))
		add("PART_ENTRY_SIZE", strconv.FormatInt(v.Size/512, 10))
		add("PART_ENTRY_DISK", fmt.Sprintf("%d:%d", v.major, v.minor-v.Num))
	default:
		add("PARTUUID", v.PARTUUID)
	}
	return out
}

func cmdBlkid(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "c:DdghilL:n:o:O:ps:S:t:u:U:wV", "cache-file=>c no-encoding>d garbage-collect>g info>i list-filesystems>k list-one>l label=>L match-types=>n output=>o offset=>O probe>p match-tag=>s size=>S match-token=>t usages=>u uuid=>U no-part-details>D")
	if !ok {
		return libc.Usage(p, 1)
	}
	if o.Has("g") {
		return 0
	}
	format := o.Get("o")
	if !slices.Contains([]string{"", "full", "value", "device", "export", "udev"}, format) {
		if format == "list" || o.Has("i", "k") {
			p.Errorf("hosttest: this blkid has no such output")
			return 4
		}
		p.Errorf("unsupported output format %s", format)
		return 4
	}
	views := look(p.Kernel)
	if o.Has("L", "U") {
		for _, v := range views {
			if s := v.fs(); o.Has("L") && s.label == o.Get("L") && s.label != "" || o.Has("U") && strings.EqualFold(s.uuid, o.Get("U")) && s.uuid != "" {
				p.Print("/dev/", v.Name, "\n")
				return 0
			}
		}
		return 2
	}
	if o.Has("p") && len(o.Args) == 0 {
		p.Errorf("The low-level probing mode requires a device")
		return 4
	}
	type named struct {
		name string
		blockView
	}
	var list []named
	if len(o.Args) == 0 {
		for _, v := range views {
			list = append(list, named{"/dev/" + v.Name, v})
		}
	}
	for _, a := range o.Args {
		dev := device(p, a)
		if dev == nil || p.Access(a, kernel.MayRead) != nil {
			if o.Has("p") {
				// Both a missing device and one without a signature are 2.
				if _, err := p.Stat(a); err != nil {
					p.Errorf("error: %s: %s", a, kernel.Strerror(err))
				}
				return 2
			}
			continue
		}
		for _, v := range views {
			if v.Partition == dev {
				list = append(list, named{a, v})
			}
		}
	}
	found := false
	for _, v := range list {
		tags := v.tags(o.Has("p"))
		if t := o.Get("t"); t != "" {
			name, value, _ := strings.Cut(t, "=")
			if !slices.Contains(tags, tag{name, strings.Trim(value, `"`)}) {
				continue
			}
		}
		if want := o.All("s"); len(want) > 0 {
			tags = slices.DeleteFunc(tags, func(t tag) bool { return !slices.Contains(want, t.name) })
		}
		if len(tags) == 0 {
			continue
		}
		if found && format == "export" {
			p.Print("\n")
		}
		found = true
		switch format {
		case "value":
			for _, t := range tags {
				p.Print(t.value, "\n")
			}
		case "device":
			p.Print(v.name, "\n")
		case "export":
			p.Print("DEVNAME=", v.name, "\n")
			for _, t := range tags {
				p.Print(t.name, "=", strings.NewReplacer(" ", `\ `, `"`, `\"`, `\`, `\\`, "$", `\$`, "'", `\'`).Replace(t.value), "\n")
			}
		case "udev":
			for _, t := range tags {
				name := "ID_FS_" + t.name
				if strings.HasPrefix(t.name, "PART") {
					name = "ID_" + t.name
				} else if strings.HasPrefix(t.name, "PT") {
					name = "ID_PART_TABLE_" + strings.TrimPrefix(t.name, "PT")
				}
				p.Print(name, "=", strings.ReplaceAll(t.value, " ", "_"), "\n")
				if t.name == "LABEL" || t.name == "UUID" {
					p.Print(name, "_ENC=", strings.ReplaceAll(t.value, " ", `\x20`), "\n")
				}
			}
		default:
			p.Print(v.name, ":")
			for _, t := range tags {
				p.Print(" ", t.name, `="`, strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(t.value), `"`)
			}
			p.Print("\n")
		}
		if o.Has("l") {
			break
		}
	}
	if !found {
		return 2
	}
	return 0
}

var wipefsColumns = []column{{name: "UUID"}, {name: "LABEL"}, {name: "LENGTH"}, {name: "TYPE"}, {name: "OFFSET"}, {name: "USAGE"}, {name: "DEVICE"}}

func cmdWipefs(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "ab::fhiJnO:o:pqt:V", "all>a backup[=>b force>f noheadings>i json>J no-act>n offset=>o output=>O parsable>p quiet>q types=>t lock[=")
	if !ok {
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 0 {
		p.Errorf("no device specified")
		return libc.Usage(p, 1)
	}
	if o.Has("b") {
		p.Errorf("hosttest: this wipefs makes no backup")
		return 1
	}
	var offset int64 = -1
	if v := o.Get("o"); v != "" {
		n, err := strconv.ParseInt(v, 0, 64)
		if err != nil {
			p.Errorf("invalid offset argument: '%s': %s", v, kernel.Strerror(syscall.EINVAL))
			return 1
		}
		offset = n
	}
	wanted := func(s signature) bool {
		if offset >= 0 && s.offset != offset {
			return false
		}
		t, no := strings.CutPrefix(o.Get("t"), "no")
		return t == "" || slices.Contains(strings.Split(t, ","), s.kind) != no
	}
	cols, ok := pickColumns(p, wipefsColumns, o.All("O"), "DEVICE,OFFSET,TYPE,UUID,LABEL")
	if !ok {
		return 1
	}
	s := &sheet{name: "signatures", cols: cols, tree: -1}
	for _, a := range o.Args {
		fail := func(err error) int {
			p.Errorf("error: %s: probing initialization failed: %s", a, kernel.Strerror(err))
			return 1
		}
		if _, err := p.Stat(a); err != nil {
			return fail(err)
		}
		dev := device(p, a)
		if dev == nil {
			p.Errorf("hosttest: %s: this wipefs knows only block devices", a)
			return 1
		}
		erase := o.Has("a") || offset >= 0
		want := uint32(kernel.MayRead)
		if erase && !o.Has("n") {
			want |= kernel.MayWrite
		}
		if err := p.Access(a, want); err != nil {
			return fail(err)
		}
		if erase && !o.Has("n", "f") && inUse(p.Kernel, dev) != "" {
			return fail(syscall.EBUSY)
		}
		var signs []signature
		for _, v := range look(p.Kernel) {
			if v.Partition == dev {
				signs = v.signs
			}
		}
		table := false
		for _, sg := range signs {
			if !wanted(sg) {
				continue
			}
			if !erase {
				r := &sheetRow{}
				for _, c := range cols {
					r.cells = append(r.cells, map[string]string{"UUID": sg.uuid, "LABEL": sg.label, "LENGTH": strconv.Itoa(len(sg.magic)), "TYPE": sg.kind, "OFFSET": fmt.Sprintf("0x%x", sg.offset), "USAGE": cmp.Or(sg.usage, "partition-table"), "DEVICE": dev.Name}[c.name])
				}
				s.rows = append(s.rows, r)
				continue
			}
			if !o.Has("n") {
				if err := changeDisk(p.Kernel, func() { eraseSignature(dev, sg) }); err != nil {
					p.Errorf("error: %s: failed to erase %s magic string at offset 0x%08x: %s", a, sg.kind, sg.offset, kernel.Strerror(err))
					return 1
				}
			}
			table = table || sg.usage == ""
			if !o.Has("q") {
				word := "bytes were"
				if len(sg.magic) == 1 {
					word = "byte was"
				}
				p.Printf("%s: %d %s erased at offset 0x%08x (%s): % x\n", a, len(sg.magic), word, sg.offset, sg.kind, sg.magic)
			}
		}
		if table && !o.Has("q", "n") {
			p.Printf("%s: calling ioctl to re-read partition table: Success\n", a)
		}
	}
	switch {
	case o.Has("a") || offset >= 0:
	case o.Has("J"):
		s.json(p)
	case o.Has("p"):
		for _, r := range s.flat(false) {
			c := r.cells
			if len(o.All("O")) == 0 {
				c = []string{c[1], c[3], c[4], c[2]} // OFFSET,UUID,LABEL,TYPE
			}
			p.Print(strings.Join(c, ","), "\n")
		}
	default:
		s.table(p, !o.Has("i"))
	}
	return 0
}

// eraseSignature removes a signature. The tree is locked.
func eraseSignature(p *kernel.Partition, s signature) {
	p.Disk.Write(p.Start+s.offset, make([]byte, len(s.magic)))
	if s.usage != "" {
		p.Clear()
		return
	}
	p.Disk.Table, p.Disk.Parts = "", nil
}

func cmdBlockdev(p *kernel.Process) int {
	try := func() int {
		p.Warnf("Try 'blockdev --help' for more information.\n")
		return 1
	}
	var commands []string
	var devices []string
	known := []string{"--getsize64", "--getsz", "--getsize", "--getss", "--getpbsz", "--getbsz", "--getro", "--getra", "--flushbufs", "--rereadpt", "--getiomin", "--getmaxsect"}
	for _, a := range p.Args[1:] {
		switch {
		case !strings.HasPrefix(a, "-"):
			devices = append(devices, a)
		case a == "--", a == "-q", a == "-v":
		case a == "--setro", a == "--setrw", a == "--report":
			p.Errorf("hosttest: this blockdev has no %s", a)
			return 1
		case slices.Contains(known, a):
			commands = append(commands, a)
		default:
			p.Errorf("Unknown command: %s", a)
			return try()
		}
	}
	if len(p.Args) == 1 {
		p.Errorf("not enough arguments")
		return try()
	}
	if len(devices) == 0 {
		p.Errorf("no device specified")
		return try()
	}
	for _, name := range devices {
		if err := p.Access(name, kernel.MayRead); err != nil {
			p.Errorf("cannot open %s: %s", name, kernel.Strerror(err))
			return 1
		}
		dev := device(p, name)
		for _, c := range commands {
			if dev == nil {
				p.Errorf("ioctl error on %s: %s", map[string]string{"--getsize64": "BLKGETSIZE64", "--getsz": "BLKGETSIZE64", "--getss": "BLKSSZGET", "--getro": "BLKROGET"}[c], kernel.Strerror(syscall.ENOTTY))
				return 1
			}
			switch c {
			case "--getsize64":
				p.Print(strconv.FormatInt(dev.Size, 10), "\n")
			case "--getsz", "--getsize":
				p.Print(strconv.FormatInt(dev.Size/512, 10), "\n")
			case "--getss", "--getpbsz", "--getiomin":
				p.Print("512\n")
			case "--getbsz":
				p.Print("4096\n")
			case "--getro":
				p.Print("0\n")
			case "--getra", "--getmaxsect":
				p.Print("256\n")
			case "--rereadpt":
				switch {
				case dev != dev.Disk.Whole:
					p.Errorf("ioctl error on BLKRRPART: %s", kernel.Strerror(syscall.EINVAL))
					return 1
				case inUse(p.Kernel, dev) != "":
					p.Errorf("ioctl error on BLKRRPART: %s", kernel.Strerror(syscall.EBUSY))
					return 1
				}
				p.Kernel.SettleDevices()
			}
		}
	}
	return 0
}

func cmdUdevadm(p *kernel.Process) int {
	args := p.Args[1:]
	if len(args) == 0 {
		p.Errorf("missing command")
		return 1
	}
	p.Args = append([]string{"udevadm"}, args[1:]...)
	switch args[0] {
	case "settle":
		if _, ok := libc.Getopt(p, "t:E:hV", "timeout=>t exit-if-exists=>E"); !ok {
			return 1
		}
		p.Kernel.SettleDevices()
		return 0
	case "trigger":
		if _, ok := libc.Getopt(p, "vnqt:c:s:S:a:A:p:g:y:b:wh", "verbose>v dry-run>n quiet>q type=>t action=>c subsystem-match=>s subsystem-nomatch=>S attr-match=>a property-match=>p tag-match=>g sysname-match=>y name-match= parent-match=>b settle>w prioritized-subsystem= initialized-match wait-daemon[="); !ok {
			return 1
		}
		p.Kernel.SettleDevices()
		return 0
	case "control":
		if _, ok := libc.Getopt(p, "esSRl:p:m:t:h", "exit>e reload>R reload-rules>R log-level=>l property=>p stop-exec-queue>s start-exec-queue>S children-max=>m timeout=>t ping"); !ok {
			return 1
		}
		return 0
	case "info":
		return udevInfo(p)
	}
	p.Warnf("Unknown command verb %s.\n", args[0])
	return 1
}

// udevInfo is udevadm info for a block device.
func udevInfo(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "q:p:n:raxPeh", "query=>q path=>p name=>n root>r attribute-walk>a export>x export-prefix=>P property= value export-db>e")
	if !ok {
		return 1
	}
	name := o.Get("n")
	if name == "" && len(o.Args) > 0 {
		name = o.Args[0]
	}
	if name != "" && !strings.HasPrefix(name, "/") {
		name = "/dev/" + name
	}
	dev := device(p, name)
	if dev == nil {
		p.Warnf("Unknown device \"%s\": No such device\n", name)
		return 1
	}
	props := []tag{{"DEVNAME", "/dev/" + dev.Name}, {"DEVTYPE", "disk"}, {"SUBSYSTEM", "block"}, {"ID_SERIAL_SHORT", dev.Disk.Serial}, {"ID_MODEL", strings.ReplaceAll(dev.Disk.Model, " ", "_")}, {"ID_BUS", "usb"}}
	if dev != dev.Disk.Whole {
		props[1].value = "partition"
	}
	switch o.Get("q") {
	case "name":
		p.Print(dev.Name, "\n")
	case "property":
		for _, t := range props {
			if want := o.Get("property"); want != "" && want != t.name {
				continue
			}
			if o.Has("value") {
				p.Print(t.value, "\n")
			} else {
				p.Print(t.name, "=", t.value, "\n")
			}
		}
	default:
		p.Warnf("hosttest: udevadm info knows -q name and -q property\n")
		return 1
	}
	return 0
}

// chattrBits are those that this machine keeps.
var chattrBits = map[byte]uint32{'i': kernel.AttrImmutable, 'a': kernel.AttrAppend, 'e': kernel.AttrExtents, 'd': 0x40, 'A': 0x80, 'S': 0x8, 'c': 0x4, 's': 0x1, 'u': 0x2, 'C': 0x800000}

func attrString(bits uint32) string {
	// The order and width of lsattr.
	out := []byte("----------------------")
	for at, c := range map[int]byte{0: 's', 1: 'u', 2: 'S', 4: 'i', 5: 'a', 6: 'd', 7: 'A', 8: 'c', 14: 'e'} {
		if bits&chattrBits[c] != 0 {
			out[at] = c
		}
	}
	return string(out)
}

func cmdChattr(p *kernel.Process) int {
	usage := func() int {
		p.Warnf("Usage: chattr [-RVf] [-+=aAcCdDeijPsStTuFx] [-p project] [-v version] files...\n")
		return 1
	}
	var add, remove, set uint32
	hasSet := false
	deep, quiet, loud := false, false, false
	args := p.Args[1:]
	for len(args) > 0 && len(args[0]) > 1 && strings.IndexByte("+-=", args[0][0]) >= 0 {
		a := args[0]
		if a == "--" {
			args = args[1:]
			break
		}
		if a[0] == '-' && strings.Trim(a[1:], "RVf") == "" {
			deep, quiet, loud = deep || strings.Contains(a, "R"), quiet || strings.Contains(a, "f"), loud || strings.Contains(a, "V")
			args = args[1:]
			continue
		}
		var bits uint32
		for i := 1; i < len(a); i++ {
			if strings.IndexByte("aAcCdDeijPsStTuFx", a[i]) < 0 {
				return usage()
			}
			b, ok := chattrBits[a[i]]
			if !ok {
				p.Errorf("hosttest: this file system keeps no attribute %c", a[i])
				return 1
			}
			bits |= b
		}
		switch a[0] {
		case '+':
			add |= bits
		case '-':
			remove |= bits
		case '=':
			set, hasSet = set|bits, true
		}
		args = args[1:]
	}
	if len(args) == 0 || add == 0 && remove == 0 && !hasSet {
		return usage()
	}
	if loud {
		p.Warnf("chattr 1.47.0 (5-Feb-2023)\n")
	}
	code := 0
	var change func(name string)
	change = func(name string) {
		fail := func(format string, a ...any) {
			code = 1
			if !quiet {
				p.Errorf(format, a...)
			}
		}
		st, err := p.Lstat(name)
		if err != nil {
			fail("%s while trying to stat %s", kernel.Strerror(err), name)
			return
		}
		if !st.IsDir() && !st.IsRegular() {
			fail("Operation not supported while reading flags on %s", name)
			return
		}
		bits := st.Attrs&^remove | add
		if hasSet {
			bits = set
		}
		switch err := setAttrs(p, name, bits); {
		case err == syscall.ENOTSUP:
			fail("Operation not supported while reading flags on %s", name)
		case err != nil:
			fail("%s while setting flags on %s", kernel.Strerror(err), name)
		case loud:
			p.Printf("Flags of %s set as %s\n", name, attrString(bits))
		}
		if deep && st.IsDir() {
			names, err := p.ReadDir(name)
			if err != nil {
				return
			}
			for _, n := range names {
				change(libc.JoinPath(name, n))
			}
		}
	}
	for _, a := range args {
		change(a)
	}
	return code
}

// setAttrs is FS_IOC_SETFLAGS.
func setAttrs(p *kernel.Process, name string, bits uint32) error {
	defer p.LockTree()()
	t := p.Kernel.Tree
	s, err := t.Must(p.Cred(), p.Dir, name, false)
	if err != nil {
		return err
	}
	v := s.At.Mnt.Vol
	i := s.At.Inode()
	switch {
	case v.Pseudo || v.Lossy || v.FSType == "vfat":
		return syscall.ENOTSUP
	case p.UID != 0 && p.UID != i.UID:
		return syscall.EPERM
	case p.UID != 0 && (bits^i.Attrs)&(kernel.AttrImmutable|kernel.AttrAppend) != 0:
		return syscall.EPERM
	}
	if err := t.Mutable(s.At); err != nil {
		return err
	}
	i = v.Edit(s.At.Num)
	i.Attrs, i.CTime = bits, t.Now()
	i.Changes++
	return nil
}

func cmdLsattr(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "RVadlpv", "")
	if !ok {
		p.Warnf("Usage: lsattr [-RVadlpv] [files...]\n")
		return 1
	}
	if libc.Unsupported(p, o, "l", "p", "v") {
		return 1
	}
	names := o.Args
	if len(names) == 0 {
		names = []string{"."}
	}
	code := 0
	show := func(name string) {
		st, err := p.Lstat(name)
		switch {
		case err != nil:
			p.Errorf("%s while trying to stat %s", kernel.Strerror(err), name)
			code = 1
		case !st.IsDir() && !st.IsRegular(), st.At.Mnt.Vol.Pseudo, st.At.Mnt.Vol.Lossy:
			p.Errorf("Operation not supported while reading flags on %s", name)
			code = 1
		default:
			p.Print(attrString(st.Attrs), " ", name, "\n")
		}
	}
	var list func(name string)
	list = func(name string) {
		kids, err := p.ReadDir(name)
		if err != nil {
			p.Errorf("%s while reading %s", kernel.Strerror(err), name)
			code = 1
			return
		}
		for _, k := range kids {
			if strings.HasPrefix(k, ".") && !o.Has("a") {
				continue
			}
			show(libc.JoinPath(name, k))
			if st, err := p.Lstat(libc.JoinPath(name, k)); err == nil && st.IsDir() && o.Has("R") {
				p.Printf("\n%s:\n", libc.JoinPath(name, k))
				list(libc.JoinPath(name, k))
				p.Print("\n")
			}
		}
	}
	for _, n := range names {
		st, err := p.Lstat(n)
		if err == nil && st.IsDir() && !o.Has("d") {
			list(n)
			continue
		}
		show(n)
	}
	return code
}
