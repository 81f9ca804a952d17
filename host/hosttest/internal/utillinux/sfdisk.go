package utillinux

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// A partWish is a partition that a script asks for.
type partWish struct {
	start, size int64 // bytes; < 0 for the default
	kind        string
	name        string // in a GPT
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
			case "name":
				w.name = value
			case "uuid", "attrs", "bootable":
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

const (
	sfdiskShort = "aA:bcdDFfgGhJlLnN:o:OqrsS:tTuUvVw:W:X:Y:"
	sfdiskLong  = "append>a activate=>A backup>b delete dump>d json>J show-geometry>g list>l list-free>F part-type " +
		"reorder>r " +
		"show-size>s list-types>T verify no-reread force>f no-act>n output=>o label=>X label-nested=>Y wipe=>w " +
		"wipe-partitions=>W quiet>q partno=>N no-tell-kernel move-data[= disk-id part-uuid part-label part-attrs " +
		"relocate " +
		"lock[= bytes color[= backup-file=>O"
)

// An sfdiskRun is an sfdisk of one disk.
type sfdiskRun struct {
	p    *kernel.Process
	o    *libc.Options
	name string // as it was asked for
	dev  *kernel.Partition
}

func cmdSfdisk(p *kernel.Process) int {
	o, ok := libc.Getopt(p, sfdiskShort, sfdiskLong)
	if !ok {
		return libc.Usage(p, 1)
	}
	if o.Has("A", "b", "delete", "F", "g", "part-type", "r", "T", "verify", "N", "move-data", "disk-id", "part-uuid",
		"part-attrs", "relocate", "J", "s", "l", "O", "G") {
		p.Errorf("hosttest: this sfdisk writes a table from a script, and dumps one with -d")
		return 1
	}
	if len(o.Args) == 0 {
		p.Errorf("no disk device specified")
		return 1
	}
	s := &sfdiskRun{p: p, o: o, name: o.Args[0]}
	access := uint32(kernel.MayRead | kernel.MayWrite)
	if o.Has("d") {
		access = kernel.MayRead
	}
	if err := p.Access(s.name, access); err != nil {
		p.Errorf("cannot open %s: %s", s.name, kernel.Strerror(err))
		return 1
	}
	if s.dev = device(p, s.name); s.dev == nil || s.dev != s.dev.Disk.Whole {
		p.Errorf("hosttest: %s: this sfdisk knows whole disks", s.name)
		return 1
	}
	switch {
	case o.Has("d"):
		return s.dump()
	case o.Has("part-label"):
		return s.rename()
	}
	return s.write()
}

// dump prints the table as a script.
func (s *sfdiskRun) dump() int {
	d := s.dev.Disk
	if d.Table == "" {
		s.p.Errorf("%s: does not contain a recognized partition table", s.name)
		return 1
	}
	s.p.Printf("label: %s\nlabel-id: %s\ndevice: %s\nunit: sectors\nfirst-lba: 2048\nsector-size: 512\n\n",
		d.Table, strings.ToUpper(d.PTUUID), s.name)
	for _, x := range d.Parts {
		name := ""
		if x.PartName != "" {
			name = fmt.Sprintf(", name=%q", x.PartName)
		}
		s.p.Printf("/dev/%s : start=%12d, size=%12d, type=%s, uuid=%s%s\n",
			x.Name, x.Start/sector, x.Size/sector, strings.ToUpper(partType(x)), strings.ToUpper(x.PARTUUID), name)
	}
	return 0
}

// rename gives a partition of a GPT another name.
func (s *sfdiskRun) rename() int {
	if len(s.o.Args) != 3 || s.dev.Disk.Table != "gpt" {
		s.p.Errorf("hosttest: this sfdisk names one partition of a GPT")
		return 1
	}
	for _, x := range s.dev.Disk.Parts {
		if strconv.Itoa(x.Num) != s.o.Args[1] {
			continue
		}
		if err := changeDisk(s.p.Kernel, func() { x.PartName = s.o.Args[2] }); err != nil {
			s.p.Errorf("%s: failed to write disk label: %s", s.name, kernel.Strerror(err))
			return 1
		}
		s.say("\nThe partition table has been altered.\nCalling ioctl() to re-read partition table.\nSyncing disks.\n")
		return 0
	}
	s.p.Errorf("%s: partition %s: failed to set partition name", s.name, s.o.Args[1])
	return 1
}

func (s *sfdiskRun) say(format string, a ...any) {
	if !s.o.Has("q") {
		s.p.Printf(format, a...)
	}
}

// write makes the table that the script on standard input describes.
func (s *sfdiskRun) write() int {
	if !s.o.Has("no-reread", "n") && !s.checkUse() {
		return 1
	}
	s.warnSignatures()
	label, parts, err := s.readScript()
	if err != nil {
		s.p.Errorf("%s", err)
		return 1
	}
	if !s.o.Has("n") {
		if err := changeDisk(s.p.Kernel, func() { partition(s.dev.Disk, label, parts) }); err != nil {
			s.p.Errorf("%s: failed to write disk label: %s", s.name, kernel.Strerror(err))
			return 1
		}
	}
	s.say(">>> Script header accepted.\n>>> Created a new %s disklabel.\n", strings.ToUpper(label))
	for i, w := range parts {
		size := strings.Replace(longSize(w.size), " bytes", " B", 1)
		s.say("%s%d: Created a new partition %d of type 'Linux filesystem' and of size %s.\n", s.name, i+1, i+1, size)
	}
	if s.o.Has("n") {
		s.say("The partition table is unchanged (--no-act).\n")
	} else {
		s.say("\nThe partition table has been altered.\nCalling ioctl() to re-read partition table.\nSyncing disks.\n")
	}
	return 0
}

// checkUse refuses a disk that something uses, unless --force is given.
func (s *sfdiskRun) checkUse() bool {
	s.say("Checking that no-one is using this disk right now ...")
	if inUse(s.p.Kernel, s.dev) == "" {
		s.say(" OK\n\n")
		return true
	}
	s.say(" FAILED\n\n")
	s.p.Flush()
	s.p.Warnf("This disk is currently in use - repartitioning is probably a bad idea.\n" +
		"Umount all file systems, and swapoff all swap partitions on this disk.\n" +
		"Use the --no-reread flag to suppress this check.\n\n")
	if !s.o.Has("f") {
		s.p.Errorf("Use the --force flag to overrule all checks.")
		return false
	}
	return true
}

func (s *sfdiskRun) warnSignatures() {
	if s.o.Has("q") {
		return
	}
	for _, sg := range signatures(s.dev) {
		if sg.usage != "" {
			s.p.Flush()
			s.p.Warnf("The device contains '%s' signature and it may remain on the device. It is recommended to wipe "+
				"the device "+
				"with wipefs(8) or sfdisk --wipe, in order to avoid possible collisions.\n\n", sg.kind)
		}
	}
}

// readScript reads standard input, and finds room for what it asks for.
func (s *sfdiskRun) readScript() (label string, parts []partWish, err error) {
	d := s.dev.Disk
	in, err := io.ReadAll(s.p.Stdin())
	if err != nil {
		return "", nil, errors.New(kernel.Strerror(err))
	}
	label, wishes, err := sfdiskScript(string(in))
	if err != nil {
		return "", nil, err
	}
	label = strings.Replace(cmp.Or(label, s.o.Get("X"), d.Table, "dos"), "mbr", "dos", 1)
	if parts, err = layOut(d.Size, label, wishes); err != nil {
		return "", nil, err
	}
	if s.o.Has("a") {
		return "", nil, errors.New("hosttest: this sfdisk appends no partitions")
	}
	if len(parts) == 0 && len(in) == 0 {
		return "", nil, errors.New("failed to read partition table from standard input")
	}
	return label, parts, nil
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
		if label == "gpt" {
			x.PartName = w.name
		}
		if label == "dos" {
			x.PARTUUID = fmt.Sprintf("%s-%02x", d.PTUUID, x.Num)
		}
	}
}
