package utillinux

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

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
		add("PART_ENTRY_NAME", v.PartName)
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

const (
	blkidShort = "c:DdghilL:n:o:O:ps:S:t:u:U:wV"
	blkidLong  = "cache-file=>c no-encoding>d garbage-collect>g info>i list-filesystems>k list-one>l label=>L " +
		"match-types=>n " +
		"output=>o offset=>O probe>p match-tag=>s size=>S match-token=>t usages=>u uuid=>U no-part-details>D"
)

// A blkidDevice is a device by the name that it was asked for.
type blkidDevice struct {
	name string
	blockView
}

func cmdBlkid(p *kernel.Process) int {
	o, ok := libc.Getopt(p, blkidShort, blkidLong)
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
		return blkidFind(p, o, views)
	}
	if o.Has("p") && len(o.Args) == 0 {
		p.Errorf("The low-level probing mode requires a device")
		return 4
	}
	list, ok := blkidDevices(p, o, views)
	if !ok {
		return 2
	}
	found := false
	for _, v := range list {
		tags := blkidTags(o, v)
		if len(tags) == 0 {
			continue
		}
		if found && format == "export" {
			p.Print("\n")
		}
		found = true
		blkidPrint(p, format, v.name, tags)
		if o.Has("l") {
			break
		}
	}
	if !found {
		return 2
	}
	return 0
}

// blkidFind is -L and -U: the one device of a label or UUID.
func blkidFind(p *kernel.Process, o *libc.Options, views []blockView) int {
	for _, v := range views {
		s := v.fs()
		label := o.Has("L") && s.label != "" && s.label == o.Get("L")
		uuid := o.Has("U") && s.uuid != "" && strings.EqualFold(s.uuid, o.Get("U"))
		if label || uuid {
			p.Print("/dev/", v.Name, "\n")
			return 0
		}
	}
	return 2
}

// blkidDevices are the operands, or all devices without any. An operand that is no device is left out; with -p it ends
// the command.
func blkidDevices(p *kernel.Process, o *libc.Options, views []blockView) ([]blkidDevice, bool) {
	var list []blkidDevice
	if len(o.Args) == 0 {
		for _, v := range views {
			list = append(list, blkidDevice{"/dev/" + v.Name, v})
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
				return nil, false
			}
			continue
		}
		for _, v := range views {
			if v.Partition == dev {
				list = append(list, blkidDevice{a, v})
			}
		}
	}
	return list, true
}

// blkidTags are the tags of a device that -t and -s let through.
func blkidTags(o *libc.Options, v blkidDevice) []tag {
	tags := v.tags(o.Has("p"))
	if t := o.Get("t"); t != "" {
		name, value, _ := strings.Cut(t, "=")
		if !slices.Contains(tags, tag{name, strings.Trim(value, `"`)}) {
			return nil
		}
	}
	if want := o.All("s"); len(want) > 0 {
		tags = slices.DeleteFunc(tags, func(t tag) bool { return !slices.Contains(want, t.name) })
	}
	return tags
}

func blkidPrint(p *kernel.Process, format, device string, tags []tag) {
	switch format {
	case "value":
		for _, t := range tags {
			p.Print(t.value, "\n")
		}
	case "device":
		p.Print(device, "\n")
	case "export":
		quote := strings.NewReplacer(" ", `\ `, `"`, `\"`, `\`, `\\`, "$", `\$`, "'", `\'`)
		p.Print("DEVNAME=", device, "\n")
		for _, t := range tags {
			p.Print(t.name, "=", quote.Replace(t.value), "\n")
		}
	case "udev":
		for _, t := range tags {
			name := "ID_FS_" + t.name
			if strings.HasPrefix(t.name, "PART") {
				name = "ID_" + t.name
			} else if table, ok := strings.CutPrefix(t.name, "PT"); ok {
				name = "ID_PART_TABLE_" + table
			}
			p.Print(name, "=", strings.ReplaceAll(t.value, " ", "_"), "\n")
			if t.name == "LABEL" || t.name == "UUID" {
				p.Print(name, "_ENC=", strings.ReplaceAll(t.value, " ", `\x20`), "\n")
			}
		}
	default:
		quote := strings.NewReplacer(`"`, `\"`, `\`, `\\`)
		p.Print(device, ":")
		for _, t := range tags {
			p.Print(" ", t.name, `="`, quote.Replace(t.value), `"`)
		}
		p.Print("\n")
	}
}
