package health

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// The thresholds of disk space: percent that are used, unless so many bytes are free.
const (
	fullWarning, fullBad = 85, 95 // the kubelet begins to evict at 85 %
	roomWarning, roomBad = 100 << 30, 20 << 30
)

// disk is a line of df.
type disk struct {
	source, target string
	used, free     int64 // bytes
}

// percent is what df shows: of what users can have, rounded up.
func (d disk) percent() int64 {
	if d.used+d.free <= 0 {
		return 0
	}
	return (d.used*100 + d.used + d.free - 1) / (d.used + d.free)
}

func (d disk) verdict() lab.Verdict {
	switch {
	case d.percent() >= fullBad && d.free < roomBad:
		return lab.VerdictBad
	case d.percent() >= fullWarning && d.free < roomWarning:
		return lab.VerdictWarning
	}
	return lab.VerdictOK
}

func (d disk) String() string {
	return fmt.Sprintf("%s %d%% used, %s free", lab.Printable(d.target), d.percent(), size(d.free))
}

// pseudo are types of file systems that are no disk, or are full by their nature.
var pseudo = []string{"tmpfs", "devtmpfs", "ramfs", "overlay", "squashfs", "iso9660", "efivarfs", "proc", "sysfs",
	"cgroup2", "fuse.lxcfs", "erofs"}

// readDisks reads the output of df -PT in KiB, each source once: what is mounted at several places counts
// for the shortest.
func readDisks(lines []string) (disks []disk) {
	for i, line := range lines {
		w := strings.Fields(line)
		if i == 0 || len(w) < 7 {
			continue
		}
		d := disk{source: w[0], target: strings.Join(w[6:], " ")}
		used, err := strconv.ParseInt(w[3], 10, 64)
		free, also := strconv.ParseInt(w[4], 10, 64)
		if err != nil || also != nil || used < 0 || free < 0 || used > 1<<50 || free > 1<<50 || used+free == 0 ||
			slices.Contains(pseudo, w[1]) && d.target != "/" {
			continue
		}
		d.used, d.free = used<<10, free<<10
		at := slices.IndexFunc(disks, func(o disk) bool { return o.source == d.source && strings.HasPrefix(d.source, "/") })
		switch {
		case at < 0:
			disks = append(disks, d)
		case len(d.target) < len(disks[at].target):
			disks[at] = d
		}
	}
	return disks
}

func judgeDisks(lines []string) lab.Finding {
	disks := readDisks(lines)
	if len(disks) == 0 {
		return unknown(diskSpace, "the machine lists no disks")
	}
	slices.SortStableFunc(disks, func(a, b disk) int {
		return cmp.Or(-cmp.Compare(a.verdict(), b.verdict()), -cmp.Compare(a.percent(), b.percent()))
	})
	worst := disks[0]
	f := lab.Finding{Check: diskSpace, Verdict: worst.verdict()}
	var texts []string
	for _, d := range disks {
		texts = append(texts, d.String())
	}
	if len(texts) > 3 {
		texts = append(texts[:3], fmt.Sprintf("and %d more", len(texts)-3))
	}
	f.Text = strings.Join(texts, "; ")
	if f.Verdict > lab.VerdictOK {
		f.Hint = fmt.Sprintf("on the machine: sudo du -xh --max-depth=3 %s | sort -h | tail -20", quoted(worst.target))
	}
	return f
}

// judgeMounts looks for file systems that are read-only, and are not by fstab: the kernel remounts them so
// after an I/O error (errors=remount-ro of ext4(5)). Those that somebody has mounted by hand are left alone.
func judgeMounts(mounts, fstab []string) lab.Finding {
	wanted := map[string]bool{"/": true} // mount point: to be written
	for _, line := range fstab {
		if w := strings.Fields(line); len(w) >= 4 && !strings.HasPrefix(w[0], "#") {
			wanted[w[1]] = !readOnly(w[3])
		}
	}
	now := map[string]bool{} // mount point: can be written; the last mount at a path hides the others
	for _, line := range mounts {
		if w := strings.Fields(line); len(w) >= 4 {
			now[w[1]] = !readOnly(w[3])
		}
	}
	if len(now) == 0 {
		return unknown(fileSystems, "the machine lists no file systems")
	}
	var failed []string
	for path, writable := range now {
		if wanted[path] && !writable {
			failed = append(failed, lab.Printable(path))
		}
	}
	slices.Sort(failed)
	if len(failed) == 0 {
		return lab.Finding{Check: fileSystems, Text: "can be written"}
	}
	return lab.Finding{Check: fileSystems, Verdict: lab.VerdictBad,
		Text: some(failed) + " can only be read, which /etc/fstab does not say",
		Hint: "the kernel does this after errors of the disk: sudo dmesg | grep -iE 'I/O error|EXT4-fs'; " +
			"save what is on it, then check the card or disk"}
}

// readOnly reports whether mount options have "ro".
func readOnly(options string) bool { return slices.Contains(strings.Split(options, ","), "ro") }

// quoted returns a path as one word of a shell, and safe on a terminal.
func quoted(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-", r))
	}) {
		return "'" + strings.ReplaceAll(lab.Printable(path), "'", `'\''`) + "'"
	}
	return path
}
