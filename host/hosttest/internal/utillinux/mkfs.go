package utillinux

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// makeTools make and check file systems and partition tables.
func makeTools() map[string]kernel.Program {
	return map[string]kernel.Program{
		"/usr/sbin/mkfs.ext4": cmdMke2fs, "/usr/sbin/mkfs.xfs": cmdMkfsXFS, "/usr/sbin/mkswap": cmdMkswap,
		"/usr/sbin/e2fsck": cmdE2fsck, "/usr/sbin/fsck.ext4": cmdE2fsck, "/usr/sbin/sfdisk": cmdSfdisk,
	}
}

// makeFS puts an empty file system on a device.
func makeFS(p *kernel.Process, dev *kernel.Partition, fstype, label, uuid string) error {
	at := slices.Index(p.Kernel.Disks, dev.Disk)
	return changeDisk(p.Kernel, func() { dev.Format(fstype, label, uuid, nil, uint32(8<<20|(at-1)*16+dev.Num)) })
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return false
			}
		} else if strings.IndexByte("0123456789abcdefABCDEF", s[i]) < 0 {
			return false
		}
	}
	return true
}

const mke2fsUsage = `Usage: %s [-c|-l filename] [-b block-size] [-C cluster-size]
	[-i bytes-per-inode] [-I inode-size] [-J journal-options]
	[-G flex-group-size] [-N number-of-inodes] [-d root-directory]
	[-m reserved-blocks-percentage] [-o creator-os]
	[-g blocks-per-group] [-L volume-label] [-M last-mounted-directory]
	[-O feature[,...]] [-r fs-revision] [-E extended-option[,...]]
	[-t fs-type] [-T usage-type ] [-U UUID] [-e errors_behavior][-z undo_file]
	[-jnqvDFSV] device [blocks-count]
`

// cmdMke2fs follows mke2fs 1.47: it asks whether to go on over an existing file system only at a terminal, which no
// program here has, so that like the real one it overwrites what is there. A device in use it refuses.
func cmdMke2fs(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "b:cd:e:g:i:jl:m:no:qr:s:t:vC:DE:FG:I:J:KL:M:N:O:ST:U:Vz:", "")
	if !ok || len(o.Args) == 0 || len(o.Args) > 2 {
		p.Warnf(mke2fsUsage, p.Name())
		return 1
	}
	if libc.Unsupported(p, o, "c", "d", "S") {
		return 1
	}
	if !o.Has("q") {
		p.Warnf("mke2fs 1.47.0 (5-Feb-2023)\n")
	}
	fstype := cmp.Or(strings.TrimPrefix(p.Name(), "mkfs."), "ext2")
	if fstype == "mke2fs" {
		fstype = cmp.Or(o.Get("t"), "ext2")
	}
	label, uuid := o.Get("L"), cmp.Or(o.Get("U"), kernel.NewUUID())
	if len(label) > 16 {
		p.Warnf("Warning: label too long; will be truncated to '%s'\n\n", label[:16])
		label = label[:16]
	}
	name := o.Args[0]
	dev := device(p, name)
	if _, err := p.Stat(name); err != nil {
		p.Warnf("The file %s does not exist and no size was specified.\n", name)
		return 1
	}
	if dev == nil {
		p.Errorf("hosttest: this machine makes file systems only on block devices")
		return 1
	}
	if err := p.Access(name, kernel.MayRead|kernel.MayWrite); err != nil {
		p.Warnf("Could not open %s: %s\n", name, kernel.Strerror(err))
		return 1
	}
	if where := inUse(p.Kernel, dev); where != "" {
		if dev.Vol != nil && where != "[SWAP]" {
			p.Warnf("%s is mounted; will not make a filesystem here!\n", name)
		} else {
			p.Warnf("%s is apparently in use by the system; will not make a filesystem here!\n", name)
		}
		return 1
	}
	if o.Has("U") && !isUUID(uuid) && !slices.Contains([]string{"random", "time", "clear"}, uuid) {
		p.Warnf("\n%s: could not parse UUID: %s\n\n", name, uuid)
		return 1
	}
	if uuid == "random" || uuid == "time" {
		uuid = kernel.NewUUID()
	}
	if !o.Has("q") || o.Has("n") {
		blocks := dev.Size / 4096
		p.Printf("Creating filesystem with %d 4k blocks and %d inodes\nFilesystem UUID: %s\n", blocks, (dev.Size/16384+7)/8*8, uuid)
		var backups []string
		for _, n := range backupBlocks(blocks) {
			backups = append(backups, strconv.FormatInt(n, 10))
		}
		if len(backups) > 0 {
			p.Print("Superblock backups stored on blocks: \n\t", strings.Join(backups, ", "), "\n")
		}
		p.Print("\n")
	}
	if o.Has("n") {
		return 0
	}
	if err := makeFS(p, dev, fstype, label, strings.ToLower(uuid)); err != nil {
		p.Errorf("%s while writing out and closing file system", kernel.Strerror(err))
		return 1
	}
	if !o.Has("q") {
		p.Print("Allocating group tables: done                            \nWriting inode tables: done                            \n")
		if fstype != "ext2" {
			p.Print("Creating journal (4096 blocks): done\n")
		}
		p.Print("Writing superblocks and filesystem accounting information: done\n\n")
	}
	return 0
}

// backupBlocks are the groups with a copy of the superblock (sparse_super): 1 and the powers of 3, 5 and 7.
func backupBlocks(blocks int64) []int64 {
	const perGroup = 32768
	var out []int64
	for g := int64(1); g*perGroup < blocks; g++ {
		for _, base := range []int64{3, 5, 7} {
			n := g
			for n%base == 0 {
				n /= base
			}
			if n == 1 {
				out = append(out, g*perGroup)
				break
			}
		}
	}
	return out
}

const mkfsXFSUsage = `Usage: mkfs.xfs
/* blocksize */		[-b size=num]
/* config file */	[-c options=xxx]
/* metadata */		[-m crc=0|1,finobt=0|1,uuid=xxx,rmapbt=0|1,reflink=0|1,
			    inobtcount=0|1,bigtime=0|1]
/* data subvol */	[-d agcount=n,agsize=n,file,name=xxx,size=num,
			    (sunit=value,swidth=value|su=num,sw=num|noalign),
			    sectsize=num
/* force overwrite */	[-f]
/* inode size */	[-i perblock=n|size=num,maxpct=n,attr=0|1|2,
			    projid32bit=0|1,sparse=0|1,nrext64=0|1]
/* no discard */	[-K]
/* log subvol */	[-l agnum=n,internal,size=num,logdev=xxx,version=n
			    sunit=value|su=num,sectsize=num,lazy-count=0|1]
/* label */		[-L label (maximum 12 characters)]
/* naming */		[-n size=num,version=2|ci,ftype=0|1]
/* no-op info only */	[-N]
/* prototype file */	[-p fname]
/* quiet */		[-q]
/* realtime subvol */	[-r extsize=num,size=num,rtdev=xxx]
/* sectorsize */	[-s size=num]
/* version */		[-V]
			devicename
<devicename> is required unless -d name=xxx is given.
<num> is xxx (bytes), xxxs (sectors), xxxb (fs blocks), xxxk (xxx KiB),
      xxxm (xxx MiB), xxxg (xxx GiB), xxxt (xxx TiB) or xxxp (xxx PiB).
<value> is xxx (512 byte blocks).
`

func cmdMkfsXFS(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "b:c:d:i:l:L:m:n:KNp:qr:s:CfV", "")
	usage := func(format string, a ...any) int {
		p.Warnf(format+"%s", append(a, mkfsXFSUsage)...)
		return 1
	}
	switch {
	case !ok:
		return usage("")
	case len(o.Args) > 1:
		return usage("extra arguments\n")
	case len(o.Args) == 0:
		return usage("no device name given in argument list\n")
	}
	label, name := o.Get("L"), o.Args[0]
	if len(label) > 12 {
		return usage("Invalid value %s for -L option\n", label)
	}
	uuid := kernel.NewUUID()
	for _, m := range o.All("m") {
		for kv := range strings.SplitSeq(m, ",") {
			if v, ok := strings.CutPrefix(kv, "uuid="); ok {
				if !isUUID(v) {
					return usage("Invalid value %s for -m uuid option\n", v)
				}
				uuid = strings.ToLower(v)
			}
		}
	}
	if err := p.Access(name, kernel.MayRead|kernel.MayWrite); err != nil {
		return usage("Error accessing specified device %s: %s\n", name, kernel.Strerror(err))
	}
	dev := device(p, name)
	if dev == nil {
		p.Errorf("hosttest: this machine makes file systems only on block devices")
		return 1
	}
	if inUse(p.Kernel, dev) != "" {
		return usage("mkfs.xfs: %s contains a mounted filesystem\n", name)
	}
	if !o.Has("f") {
		if found := signatures(dev); len(found) > 0 {
			s, what := found[0], "an existing filesystem"
			if s.usage == "" {
				what = "a partition table"
			}
			p.Warnf("mkfs.xfs: %s appears to contain %s (%s).\nmkfs.xfs: Use the -f option to force overwrite.\n", name, what, s.kind)
			return 1
		}
	}
	if dev.Size < 300<<20 {
		return usage("Filesystem must be larger than 300MB.\n")
	}
	if !o.Has("N") {
		if err := makeFS(p, dev, "xfs", label, uuid); err != nil {
			p.Warnf("mkfs.xfs: pwrite failed: %s\n", kernel.Strerror(err))
			return 1
		}
	}
	if !o.Has("q") {
		blocks := dev.Size / 4096
		p.Printf("meta-data=%-22s isize=512    agcount=4, agsize=%d blks\n         =                       sectsz=512   attr=2, projid32bit=1\n"+
			"         =                       crc=1        finobt=1, sparse=1, rmapbt=0\n         =                       reflink=1    bigtime=1 inobtcount=1 nrext64=0\n"+
			"data     =                       bsize=4096   blocks=%d, imaxpct=25\n         =                       sunit=0      swidth=0 blks\n"+
			"naming   =version 2              bsize=4096   ascii-ci=0, ftype=1\nlog      =internal log           bsize=4096   blocks=16384, version=2\n"+
			"         =                       sectsz=512   sunit=0 blks, lazy-count=1\nrealtime =none                   extsz=4096   blocks=0, rtextents=0\n", name, (blocks+3)/4, blocks)
	}
	return 0
}

func cmdMkswap(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "cfp:qL:v:U:e:o:hV", "check>c force>f pagesize=>p quiet>q label=>L swapversion=>v uuid=>U endianness=>e offset=>o verbose lock[=")
	if !ok {
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 0 {
		p.Errorf("Nowhere to set up swap on?")
		return libc.Usage(p, 1)
	}
	name, label := o.Args[0], o.Get("L")
	uuid := cmp.Or(o.Get("U"), kernel.NewUUID())
	if o.Has("U") && !isUUID(uuid) {
		p.Errorf("error: parsing UUID failed")
		return 1
	}
	st, err := p.Stat(name)
	if err == nil {
		err = p.Access(name, kernel.MayRead|kernel.MayWrite)
	}
	if err != nil {
		p.Errorf("cannot open %s: %s", name, kernel.Strerror(err))
		return 1
	}
	dev := device(p, name)
	size := st.Size
	switch {
	case dev != nil:
		size = dev.Size
		if where := inUse(p.Kernel, dev); where != "" {
			p.Errorf("error: %s is mounted; will not make swapspace", name)
			return 1
		}
	case slices.Contains(p.Kernel.SwapList(), st.Path):
		p.Errorf("error: %s is mounted; will not make swapspace", name)
		return 1
	case !st.IsRegular():
		p.Errorf("hosttest: %s: this mkswap knows files and block devices", name)
		return 1
	}
	if size < 10*4096 {
		p.Errorf("error: swap area needs to be at least %d KiB", 40)
		return 1
	}
	if dev == nil {
		if st.Perm()&0o077 != 0 {
			p.Errorf("%s: insecure permissions %04o, fix with: chmod 0600 %s", name, st.Perm(), name)
		}
		d, err := p.Open(name, os.O_RDWR, 0)
		if err == nil {
			_, err = d.Seek(4096-int64(len(swapMagic)), io.SeekStart)
			if err == nil {
				_, err = d.Write(p, []byte(swapMagic))
			}
			d.Release()
		}
		if err != nil {
			p.Errorf("unable to write signature page: %s", kernel.Strerror(err))
			return 1
		}
	} else {
		for _, s := range signatures(dev) {
			p.Errorf("%s: warning: wiping old %s signature.", name, s.kind)
			break
		}
		if err := makeFS(p, dev, "swap", label, strings.ToLower(uuid)); err != nil {
			p.Errorf("unable to write signature page: %s", kernel.Strerror(err))
			return 1
		}
	}
	if !o.Has("q") {
		usable := (size/4096 - 1) * 4096
		p.Printf("Setting up swapspace version 1, size = %s (%d bytes)\n", longSize(usable), usable)
		if label == "" {
			p.Print("no label, ")
		} else {
			p.Print("LABEL=", label, ", ")
		}
		p.Print("UUID=", uuid, "\n")
	}
	return 0
}

// longSize writes a size as "10 MiB".
func longSize(n int64) string {
	s := humanSize(n)
	unit := s[len(s)-1:]
	if unit == "B" {
		return s[:len(s)-1] + " bytes"
	}
	return s[:len(s)-1] + " " + unit + "iB"
}

func cmdE2fsck(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "panyfvtb:B:dE:cC:j:l:L:kz:FDSV", "")
	if !ok || len(o.Args) != 1 {
		p.Warnf("Usage: e2fsck [-panyrcdfktvDFV] [-b superblock] [-B blocksize]\n\t\t[-l|-L bad_blocks_file] [-C fd] [-j external_journal]\n\t\t[-E extended-options] [-z undo_file] device\n")
		return 16
	}
	if !o.Has("p", "a") {
		p.Warnf("e2fsck 1.47.0 (5-Feb-2023)\n")
	}
	name := o.Args[0]
	if err := p.Access(name, kernel.MayRead); err != nil {
		p.Warnf("e2fsck: %s while trying to open %s\nPossibly non-existent device?\n", kernel.Strerror(err), name)
		return 8
	}
	dev := device(p, name)
	if dev == nil || !strings.HasPrefix(dev.FSType, "ext") {
		p.Warnf("ext2fs_open2: Bad magic number in super-block\ne2fsck: Superblock invalid, trying backup blocks...\ne2fsck: Bad magic number in super-block while trying to open %s\n\n"+
			"The superblock could not be read or does not describe a valid ext2/ext3/ext4\nfilesystem.  If the device is valid and it really contains an ext2/ext3/ext4\nfilesystem (and not swap or ufs or something else), then the superblock\n"+
			"is corrupt, and you might try running e2fsck with an alternate superblock:\n    e2fsck -b 8193 <device>\n or\n    e2fsck -b 32768 <device>\n\n", name)
		return 8
	}
	if inUse(p.Kernel, dev) != "" {
		if !o.Has("n") {
			p.Warnf("%s is mounted.\ne2fsck: Cannot continue, aborting.\n\n\n", name)
			return 8
		}
		p.Warnf("Warning!  %s is mounted.\nWarning: skipping journal recovery because doing a read-only filesystem check.\n", name)
	}
	title := cmp.Or(dev.Label, name)
	inodes, blocks := dev.Size/16384, dev.Size/4096
	used := dev.Vol.Used/4096 + 64
	if !o.Has("f") {
		p.Printf("%s: clean, 11/%d files, %d/%d blocks\n", title, inodes, used, blocks)
		return 0
	}
	p.Printf("Pass 1: Checking inodes, blocks, and sizes\nPass 2: Checking directory structure\nPass 3: Checking directory connectivity\nPass 4: Checking reference counts\nPass 5: Checking group summary information\n"+
		"%s: 11/%d files (0.0%% non-contiguous), %d/%d blocks\n", title, inodes, used, blocks)
	return 0
}

const (
	sector    = 512
	alignment = 1 << 20 // where fdisk begins and ends partitions
	gptTail   = 33 * sector
)

// A partWish is a partition that a script asks for.
type partWish struct {
	start, size int64 // bytes; < 0 for the default
	kind        string
}

// sfdiskScript reads what sfdisk gets on its standard input. The error says which line is wrong.
func sfdiskScript(text string) (label string, wishes []partWish, err error) {
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if key, value, ok := strings.Cut(line, ":"); ok && !strings.ContainsAny(key, ",=/ ") {
			switch strings.TrimSpace(key) {
			case "label":
				label = strings.TrimSpace(value)
				if label != "gpt" && label != "dos" && label != "mbr" {
					return "", nil, fmt.Errorf("line %d: unsupported label '%s'", n, label)
				}
			case "label-id", "device", "unit", "first-lba", "last-lba", "table-length", "grain", "sector-size":
			default:
				return "", nil, fmt.Errorf("line %d: unsupported command", n)
			}
			continue
		}
		if _, rest, ok := strings.Cut(line, " : "); ok && strings.HasPrefix(line, "/dev/") {
			line = strings.TrimSpace(rest) // a line of a dump names the partition
		}
		w := partWish{start: -1, size: -1, kind: "L"}
		for i, f := range strings.Split(line, ",") {
			f = strings.TrimSpace(f)
			key, value, named := strings.Cut(f, "=")
			if !named {
				value = f
				key = []string{"start", "size", "type", "bootable"}[min(i, 3)]
			}
			value = strings.Trim(strings.TrimSpace(value), `"`)
			if value == "" || value == "-" || value == ";" {
				continue
			}
			switch strings.TrimSpace(key) {
			case "start", "size":
				if value == "+" {
					continue
				}
				b, ok := sfdiskSize(value)
				if !ok {
					return "", nil, fmt.Errorf("line %d: unsupported command", n)
				}
				if key == "start" {
					w.start = b
				} else {
					w.size = b
				}
			case "type", "Id":
				w.kind = value
			case "name", "uuid", "attrs", "bootable":
			default:
				return "", nil, fmt.Errorf("line %d: unsupported command", n)
			}
		}
		wishes = append(wishes, w)
	}
	return label, wishes, nil
}

// sfdiskSize reads a number of sectors, or a size with a unit.
func sfdiskSize(s string) (int64, bool) {
	s = strings.TrimPrefix(s, "+")
	at := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if at < 0 {
		n, err := strconv.ParseInt(s, 10, 64)
		return n * sector, err == nil && n >= 0
	}
	n, err := strconv.ParseInt(s[:at], 10, 64)
	exp := strings.IndexByte("KMGTP", s[at])
	if err != nil || exp < 0 || s[at+1:] != "" && s[at+1:] != "iB" || n > 1<<20 {
		return 0, false
	}
	return n << (10 * (exp + 1)), true
}

func cmdSfdisk(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "aA:bcdFfgGhJlLnN:o:OqrsS:tTuUvVw:W:X:Y:", "append>a activate=>A backup>b delete dump>d json>J show-geometry>g list>l list-free>F part-type reorder>r show-size>s list-types>T verify no-reread force>f no-act>n "+
		"output=>o label=>X label-nested=>Y wipe=>w wipe-partitions=>W quiet>q partno=>N no-tell-kernel move-data[= disk-id part-uuid part-label part-attrs relocate lock[= bytes color[= backup-file=>O")
	if !ok {
		return libc.Usage(p, 1)
	}
	if o.Has("A", "b", "delete", "F", "g", "part-type", "r", "T", "verify", "N", "move-data", "disk-id", "part-uuid", "part-label", "part-attrs", "relocate", "J", "s", "l", "O", "G") {
		p.Errorf("hosttest: this sfdisk writes a table from a script, and dumps one with -d")
		return 1
	}
	if len(o.Args) == 0 {
		p.Errorf("no disk device specified")
		return 1
	}
	name := o.Args[0]
	want := uint32(kernel.MayRead | kernel.MayWrite)
	if o.Has("d") {
		want = kernel.MayRead
	}
	if err := p.Access(name, want); err != nil {
		p.Errorf("cannot open %s: %s", name, kernel.Strerror(err))
		return 1
	}
	dev := device(p, name)
	if dev == nil || dev != dev.Disk.Whole {
		p.Errorf("hosttest: %s: this sfdisk knows whole disks", name)
		return 1
	}
	d := dev.Disk
	if o.Has("d") {
		if d.Table == "" {
			p.Errorf("%s: does not contain a recognized partition table", name)
			return 1
		}
		p.Printf("label: %s\nlabel-id: %s\ndevice: %s\nunit: sectors\nfirst-lba: 2048\nsector-size: 512\n\n", d.Table, strings.ToUpper(d.PTUUID), name)
		for _, x := range d.Parts {
			p.Printf("/dev/%s : start=%12d, size=%12d, type=%s, uuid=%s\n", x.Name, x.Start/sector, x.Size/sector, strings.ToUpper(partType(x)), strings.ToUpper(x.PARTUUID))
		}
		return 0
	}
	quiet := o.Has("q")
	say := func(format string, a ...any) {
		if !quiet {
			p.Printf(format, a...)
		}
	}
	if !o.Has("no-reread", "n") {
		say("Checking that no-one is using this disk right now ...")
		if inUse(p.Kernel, dev) != "" {
			say(" FAILED\n\n")
			p.Flush()
			p.Warnf("This disk is currently in use - repartitioning is probably a bad idea.\nUmount all file systems, and swapoff all swap partitions on this disk.\nUse the --no-reread flag to suppress this check.\n\n")
			if !o.Has("f") {
				p.Errorf("Use the --force flag to overrule all checks.")
				return 1
			}
		} else {
			say(" OK\n\n")
		}
	}
	if !quiet {
		for _, s := range signatures(dev) {
			if s.usage != "" {
				p.Flush()
				p.Warnf("The device contains '%s' signature and it may remain on the device. It is recommended to wipe the device with wipefs(8) or sfdisk --wipe, in order to avoid possible collisions.\n\n", s.kind)
			}
		}
	}
	in, err := io.ReadAll(p.Stdin())
	if err != nil {
		p.Errorf("%s", kernel.Strerror(err))
		return 1
	}
	label, wishes, err := sfdiskScript(string(in))
	if err != nil {
		p.Errorf("%s", err)
		return 1
	}
	label = strings.Replace(cmp.Or(label, o.Get("X"), d.Table, "dos"), "mbr", "dos", 1)
	parts, err := layOut(d.Size, label, wishes)
	if err != nil {
		p.Errorf("%s", err)
		return 1
	}
	if o.Has("a") {
		p.Errorf("hosttest: this sfdisk appends no partitions")
		return 1
	}
	if len(parts) == 0 && len(in) == 0 {
		p.Errorf("failed to read partition table from standard input")
		return 1
	}
	if !o.Has("n") {
		if err := changeDisk(p.Kernel, func() { partition(d, label, parts) }); err != nil {
			p.Errorf("%s: failed to write disk label: %s", name, kernel.Strerror(err))
			return 1
		}
	}
	say(">>> Script header accepted.\n>>> Created a new %s disklabel.\n", strings.ToUpper(label))
	for i, w := range parts {
		say("%s%d: Created a new partition %d of type 'Linux filesystem' and of size %s.\n", name, i+1, i+1, strings.Replace(longSize(w.size), " bytes", " B", 1))
	}
	if o.Has("n") {
		say("The partition table is unchanged (--no-act).\n")
	} else {
		say("\nThe partition table has been altered.\nCalling ioctl() to re-read partition table.\nSyncing disks.\n")
	}
	return 0
}

// layOut finds room for partitions on a disk.
func layOut(size int64, label string, wishes []partWish) ([]partWish, error) {
	end := size / alignment * alignment
	if label == "gpt" {
		end = (size - gptTail) / alignment * alignment
	}
	at := int64(alignment)
	var out []partWish
	for i, w := range wishes {
		if w.start < 0 {
			w.start = at
		}
		limit := end
		if w.size < 0 {
			w.size = limit - w.start
		}
		last := size
		if label == "gpt" {
			last -= gptTail
		}
		if w.size <= 0 || w.start+w.size > last || w.start < sector {
			return nil, fmt.Errorf("Failed to add #%d partition: No space left on device", i+1)
		}
		for _, o := range out {
			if w.start < o.start+o.size && o.start < w.start+w.size {
				return nil, fmt.Errorf("Failed to add #%d partition: Numerical result out of range", i+1)
			}
		}
		at = (w.start + w.size + alignment - 1) / alignment * alignment
		out = append(out, w)
	}
	return out, nil
}

// partition writes a table. The tree is locked.
func partition(d *kernel.Disk, label string, parts []partWish) {
	d.SetTable(label)
	d.Write(1024, make([]byte, gptTail-sector)) // the entries, over what was there
	if label == "gpt" {
		tail := make([]byte, sector)
		copy(tail, "EFI PART")
		d.Write(d.Size-sector, tail)
	} else {
		d.PTUUID = d.PTUUID[:8]
		d.Write(sector, make([]byte, sector)) // no header
		d.Table = label
	}
	for _, w := range parts {
		x := d.AddPart(w.start, w.size)
		if label == "dos" {
			x.PARTUUID = fmt.Sprintf("%s-%02x", d.PTUUID, x.Num)
		}
	}
}
