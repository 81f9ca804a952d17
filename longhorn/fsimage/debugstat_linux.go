package fsimage

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// parseListing reads a line of `ls -p`: /INODE/MODE/UID/GID/NAME/SIZE/.
func parseListing(line string) (n node, name string, ok bool) {
	f := strings.Split(line, "/")
	if len(f) != 8 || f[0] != "" || f[7] != "" || f[5] == "" {
		return n, "", false
	}
	ino, err1 := strconv.ParseUint(f[1], 10, 32)
	mode, err2 := strconv.ParseUint(f[2], 8, 32)
	uid, err3 := strconv.Atoi(f[3])
	gid, err4 := strconv.Atoi(f[4])
	var size int64
	var err5 error
	if f[6] != "" {
		size, err5 = strconv.ParseInt(f[6], 10, 64)
	}
	if errors.Join(err1, err2, err3, err4, err5) != nil || ino == 0 {
		return n, "", false
	}
	n = node{ino: ino, File: File{Type: typeOf(uint32(mode)), Mode: uint32(mode) & 0o7777, UID: uid, GID: gid}}
	if n.Type == "file" || n.Type == "symlink" {
		n.Size = size
	}
	return n, f[5], true
}

// stat takes in the answer to `stat`, and asks for what it does not show whole.
func (t *debugTree) stat(n *node, answer string) error {
	answer, fast, err := n.cutFastLink(answer)
	if err != nil {
		return err
	}
	inAttributes := false
	for line := range strings.Lines(answer) {
		line = strings.TrimSuffix(line, "\n")
		if inAttributes && strings.HasPrefix(line, "  ") {
			if err := t.statAttribute(n, strings.TrimSpace(line)); err != nil {
				return err
			}
			continue
		}
		line = strings.TrimSpace(line)
		inAttributes = line == "Extended attributes:"
		n.statLine(line)
	}
	if n.Type != "symlink" {
		return nil
	}
	if !fast {
		target, err := t.output(n.ino, "dump <%d> %s")
		if err != nil {
			return err
		}
		n.Target = string(target)
	}
	n.Size = 0
	return nil
}

// cutFastLink takes the target of a symbolic link that is kept in its inode from the answer, and
// reports whether it was there. It is printed as it is, with line breaks and quotes, and may look
// like what else debugfs prints.
func (n *node) cutFastLink(answer string) (before string, fast bool, err error) {
	before, target, fast := strings.Cut(answer, "\nFast link dest: \"")
	if !fast {
		return answer, false, nil
	}
	if int64(len(target)) < n.Size || !strings.HasPrefix(target[n.Size:], "\"\n") {
		return "", false, errors.New("debugfs printed a symbolic link's target that looks like its other output")
	}
	n.Target = target[:n.Size]
	return before, true, nil
}

// statAttribute takes in a line of the extended attributes, NAME (LENGTH) = VALUE: the value is
// asked for.
func (t *debugTree) statAttribute(n *node, line string) error {
	name, _, ok := strings.Cut(line, " (")
	if !ok {
		return nil
	}
	value, err := t.attribute(n.ino, name)
	if err != nil {
		return err
	}
	if n.Xattrs == nil {
		n.Xattrs = map[string][]byte{}
	}
	n.Xattrs[name] = value
	return nil
}

// statLine takes in a line of the answer to `stat`. Of the root, inode 2, which is in no listing,
// it has all there is.
func (n *node) statLine(line string) {
	switch {
	case strings.HasPrefix(line, "Links: "):
		n.links, _ = strconv.ParseUint(strings.Fields(line)[1], 10, 32)
	case strings.HasPrefix(line, "mtime: "):
		n.Mtime = parseTime(strings.Fields(line)[1])
	case n.ino == 2 && strings.HasPrefix(line, "User: "):
		if f := strings.Fields(line); len(f) >= 4 {
			n.UID, _ = strconv.Atoi(f[1])
			n.GID, _ = strconv.Atoi(f[3])
		}
	case n.ino == 2 && strings.HasPrefix(line, "Inode: 2 "):
		if _, after, ok := strings.Cut(line, "Mode:"); ok {
			mode, _ := strconv.ParseUint(strings.Fields(after)[0], 8, 32)
			n.Mode = uint32(mode) & 0o7777
		}
	case strings.HasPrefix(line, "Device major/minor number: "):
		number, _, _ := strings.Cut(strings.TrimPrefix(line, "Device major/minor number: "), " ")
		major, minor, _ := strings.Cut(number, ":")
		ma, _ := strconv.ParseUint(major, 10, 32)
		mi, _ := strconv.ParseUint(minor, 10, 32)
		n.rdev = unix.Mkdev(uint32(ma), uint32(mi))
	}
}

// parseTime reads "0xSECONDS:EXTRA", hexadecimal; EXTRA has the nanoseconds above two more bits of
// the seconds.
func parseTime(s string) time.Time {
	sec, extra, _ := strings.Cut(strings.TrimPrefix(s, "0x"), ":")
	lo, err := strconv.ParseUint(sec, 16, 32)
	if err != nil {
		return time.Time{}
	}
	hi, _ := strconv.ParseUint(extra, 16, 32)
	return time.Unix(int64(int32(lo))+int64(hi&3)<<32, int64(hi>>2))
}
