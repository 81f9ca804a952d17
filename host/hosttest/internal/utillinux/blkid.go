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
