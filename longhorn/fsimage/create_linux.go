package fsimage

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// create creates n, with all that is in it, in the directory dst.
func (x *extractor) create(n node, dst *os.File) error {
	name := filepath.Base(n.Path)
	if n.Type != "dir" && n.links > 1 {
		id := [2]uint64{n.dev, n.ino}
		if first, ok := x.seen[id]; ok {
			return x.link(first, n, dst, name)
		}
		x.seen[id] = n.Path
	}
	var err error
	switch n.Type {
	case "dir":
		return x.subdir(n, dst, name)
	case "file":
		n.SHA256, err = x.file(n, dst, name)
	case "symlink":
		err = unix.Symlinkat(n.Target, int(dst.Fd()), name)
	default:
		if err = special(n, dst, name); err == unix.EPERM {
			x.warnOnce(WarnSkipped, n.Path, "%s: only root can create it; more may follow", n.Type)
			x.report(n)
			return nil
		}
	}
	if err != nil {
		delete(x.seen, [2]uint64{n.dev, n.ino}) // there is nothing to link to
		return err
	}
	if err := x.attributes(n, dst, name); err != nil {
		return err
	}
	x.report(n)
	return nil
}

// link creates another name of a file that was created before, by its path from the top.
func (x *extractor) link(first string, n node, dst *os.File, name string) error {
	up := strings.Repeat("../", strings.Count(n.Path, "/"))
	if err := unix.Linkat(int(dst.Fd()), up+first, int(dst.Fd()), name, 0); err != nil {
		return err
	}
	n.Type, n.Target = "link", first
	x.report(n)
	return nil
}

// subdir creates a directory and all that is in it.
func (x *extractor) subdir(n node, dst *os.File, name string) error {
	if err := unix.Mkdirat(int(dst.Fd()), name, 0o700); err != nil {
		return err
	}
	x.report(n)
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(int(dst.Fd()), name, flags, 0)
	if err != nil {
		return err
	}
	sub := os.NewFile(uintptr(fd), name)
	defer sub.Close()
	if err := x.dir(n, sub); err != nil {
		return err
	}
	return x.attributes(n, dst, name)
}

// file creates a regular file and returns the SHA-256 of its content.
func (x *extractor) file(n node, dst *os.File, name string) (sum string, err error) {
	const flags = unix.O_RDWR | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(int(dst.Fd()), name, flags, 0o600)
	if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), name)
	sum, err = x.tree.content(n, f, x.reporter(n))
	if err = errors.Join(err, f.Close()); err != nil {
		// What is there would look whole.
		return "", errors.Join(err, unix.Unlinkat(int(dst.Fd()), name, 0))
	}
	x.result.Bytes += n.Size
	return sum, nil
}

// special creates a device, FIFO or socket; EPERM is the error for what the user may not create, or
// nobody can.
func special(n node, dst *os.File, name string) error {
	kinds := map[string]uint32{
		"fifo": unix.S_IFIFO, "socket": unix.S_IFSOCK, "char": unix.S_IFCHR, "block": unix.S_IFBLK,
	}
	kind, known := kinds[n.Type]
	if !known {
		return unix.EPERM
	}
	return unix.Mknodat(int(dst.Fd()), name, kind|0o600, int(n.rdev))
}

// attributes sets owner, mode, extended attributes and time, in an order in which none resets
// another.
func (x *extractor) attributes(n node, dst *os.File, name string) error {
	at := int(dst.Fd())
	if err := unix.Fchownat(at, name, n.UID, n.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EINVAL) {
			return err
		}
		x.warnOnce(WarnOwner, n.Path, "owners can be set by root only; more may follow")
	}
	for _, k := range slices.Sorted(maps.Keys(n.Xattrs)) {
		if err := unix.Lsetxattr(fmt.Sprintf("/proc/self/fd/%d/%s", at, name), k, n.Xattrs[k], 0); err != nil {
			x.warnOnce(WarnXattr, n.Path, "%s: %v; more may follow", lab.Printable(k), err)
		}
	}
	if n.Type != "symlink" {
		mode := n.Mode
		if os.Geteuid() != 0 {
			mode &= 0o777 // setuid to another owner than the file's would be wrong
		}
		if err := unix.Fchmodat(at, name, mode, 0); err != nil {
			return err
		}
	}
	ts := unix.NsecToTimespec(n.Mtime.UnixNano())
	return unix.UtimesNanoAt(at, name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}
