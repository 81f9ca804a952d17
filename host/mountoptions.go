package host

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// mountFlags are the options of every mount that the mount table shows, with their opposites, which it does not
// show (mount(8)).
var mountFlags = [][2]string{
	{"ro", "rw"}, {"nosuid", "suid"}, {"nodev", "dev"}, {"noexec", "exec"}, {"nodiratime", "diratime"},
}

// atimes are options that exclude each other. The table shows the first two; the kernel takes relatime for
// none.
var atimes = []string{"noatime", "relatime", "strictatime"}

// mountFlag is the option of one of the pairs of mountFlags, or of atimes.
type mountFlag struct {
	option string
	named  bool // the options of the mount name it
	shown  bool // the mount table shows it
}

// wantedFlags returns the flags of a mount with the options, of which the last counts. user and its like imply
// others.
func wantedFlags(options []string) []mountFlag {
	all := make([]mountFlag, 0, len(mountFlags)+1)
	for _, f := range mountFlags {
		flag := mountFlag{option: f[1]}
		secure := f[0] == "nosuid" || f[0] == "nodev" || f[0] == "noexec"
		for _, o := range options {
			switch {
			case o == f[0], secure && slices.Contains([]string{"user", "users", "owner", "group"}, o):
				flag = mountFlag{f[0], true, true}
			case o == f[1], o == "defaults" && f[0] != "nodiratime":
				flag = mountFlag{f[1], true, false}
			}
		}
		all = append(all, flag)
	}
	atime := mountFlag{option: "relatime"}
	for _, o := range options {
		if slices.Contains(atimes, o) {
			atime = mountFlag{o, true, o == "noatime"}
		}
	}
	return append(all, atime)
}

// flags returns the option of each pair of mountFlags, and of atimes, that the mount has.
func (t MountState) flags() (all []string) {
	for _, f := range mountFlags {
		if slices.Contains(t.Options, f[0]) {
			all = append(all, f[0])
		} else {
			all = append(all, f[1])
		}
	}
	for _, a := range atimes[:2] {
		if slices.Contains(t.Options, a) {
			return append(all, a)
		}
	}
	return append(all, "strictatime")
}

// setsFlags reports whether the mount may have flags that nobody asked for: the programs that mount
// network file systems and FUSE add some, and some file systems can only be read.
func (t MountState) setsFlags() bool {
	return t.FSType != "tmpfs" && (!strings.HasPrefix(t.Source, "/dev/") || strings.HasPrefix(t.FSType, "fuse") ||
		slices.Contains([]string{"squashfs", "erofs", "iso9660", "udf"}, t.FSType))
}

// value returns the value of an option KEY=VALUE, the last one; "" if there is none.
func value(options []string, key string) (v string) {
	for _, o := range options {
		if k, val, ok := strings.Cut(o, "="); ok && k == key {
			v = val
		}
	}
	return v
}

// bytesOf returns the number that a size of tmpfs stands for; false for a percentage of the memory, and
// for what is no number.
func bytesOf(size string) (n int64, ok bool) {
	shift := 0
	if size != "" {
		shift = map[byte]int{'k': 10, 'm': 20, 'g': 30}[size[len(size)-1]|0x20]
	}
	if shift > 0 {
		size = size[:len(size)-1]
	}
	n, err := strconv.ParseInt(size, 10, 44)
	return n << shift, err == nil
}

// resized returns the wanted size of a tmpfs if the mount has another one; "" otherwise. The kernel rounds
// it up to a page, of at most 64 KiB. The default is half of the memory, and the table need not show it.
func (t MountState) resized(options []string, memory int64) string {
	want, have := cmp.Or(value(options, "size"), "50%"), value(t.Options, "size")
	n, ok := bytesOf(want)
	is, _ := bytesOf(have)
	const page = 64 << 10
	half := have == "" || max(is-memory/2, memory/2-is) <= page
	differs := ok && n > 0 && (is < n || is-n >= page)
	if t.FSType == "tmpfs" && (differs || want == "50%" && !half) {
		return want
	}
	return ""
}

// atMount returns the option of a tmpfs that differs from the wanted one and cannot change while it is
// mounted; "" if none does.
func (t MountState) atMount(options []string) string {
	if t.FSType != "tmpfs" {
		return ""
	}
	for _, o := range []struct {
		key, unset string
		base       int
	}{{"mode", "1777", 8}, {"uid", "0", 10}, {"gid", "0", 10}} {
		want, err := strconv.ParseUint(cmp.Or(value(options, o.key), o.unset), o.base, 32)
		have, _ := strconv.ParseUint(cmp.Or(value(t.Options, o.key), o.unset), o.base, 32)
		if err == nil && want != have {
			return o.key
		}
	}
	return ""
}

// notOfFileSystem are options for mount(8) and systemd alone, besides x-NAME.
var notOfFileSystem = []string{
	"", "auto", "noauto", "nofail", "nouser", "nousers", "_netdev", "comment", "bind", "rbind",
}

// ofFileSystem reports whether the option is one of the file system: neither a flag of the mount nor for
// mount(8) and systemd alone.
func ofFileSystem(option string) bool {
	key, _, _ := strings.Cut(option, "=")
	isFlag := slices.ContainsFunc(wantedFlags([]string{option}), func(f mountFlag) bool { return f.named })
	return !isFlag && !strings.HasPrefix(key, "x-") && !strings.HasPrefix(key, "X-") &&
		!slices.Contains(notOfFileSystem, key)
}
