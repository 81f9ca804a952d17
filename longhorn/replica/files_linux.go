package replica

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// Extract brings the files of the file system in the image out into the directory out, which must not exist: content, owners, modes,
// times, extended attributes, links and special files, as far as the user may make them. As root it mounts the image, read-only, without
// replaying its journal; otherwise, for ext2 to ext4, it uses debugfs. A journal that holds changes is replayed first, on a copy beside the
// image. The directory is called out.part until it is complete.
func Extract(ctx context.Context, image, out string, o Extraction) (*Extracted, error) {
	image = noOption(image)
	f, err := openImage(image)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	place, err := diskfile.NewPlace("extract files", out, nil)
	if err != nil {
		return nil, err
	}
	path := place.Path
	x := &extractor{ctx: ctx, o: o, seen: map[[2]uint64]string{}, result: Extracted{Path: path}}
	(*warnings)(&x.result.Warnings).doubts(place)
	if x.result.FileSystem, err = Identify(f); err != nil {
		return nil, &lab.Error{Op: "extract files", Path: image, Err: err}
	}
	if err := extractable(image, x.result.FileSystem); err != nil {
		return nil, err
	}
	source, drop, err := x.source(f, image)
	if err != nil {
		return nil, err
	}
	defer drop()
	if err := x.open(source); err != nil {
		return nil, err
	}
	err = x.into(path)
	if err = errors.Join(err, x.tree.close()); err != nil {
		return nil, err
	}
	return &x.result, nil
}

// extractable refuses images that hold no files to be had directly.
func extractable(image string, fsys FileSystem) error {
	hint, what := "", ""
	switch fsys.Type {
	case "luks":
		what, hint = "an encrypted container", "open it: cryptsetup open --readonly "+diskfile.Quote(image)+" NAME, with the StorageClass's secret; then give /dev/mapper/NAME"
	case "gpt", "mbr":
		what, hint = "a partitioned disk", "attach it: losetup --read-only --partscan --find --show "+diskfile.Quote(image)+"; then give one of its partitions"
	case "lvm":
		what, hint = "an LVM physical volume", "attach it with losetup --read-only, activate it with vgchange, then give the logical volume"
	case "swap":
		what = "a swap space"
	case "empty":
		what = "zeros"
	case "":
		what, hint = "nothing that is known", "merge another recovery point, or look at it yourself: file -s "+diskfile.Quote(image)
	default:
		return nil
	}
	return &lab.Error{Op: "extract files", Path: image, Hint: hint, Err: fmt.Errorf("%w: the image holds %s, no file system", lab.ErrRefused, what)}
}

// tree is a file system as it is walked.
type tree interface {
	root() (node, error)
	list(dir node) ([]node, []Warning, error)
	content(n node, dst *os.File) (sum string, err error) // to an empty file
	close() error
}

// node is a file of a tree. Its File's path is relative to the root, "" for the root itself.
type node struct {
	File
	dev   uint64 // of the subvolume, where the file system has them: each numbers its inodes anew
	ino   uint64
	links uint64
	rdev  uint64
}

type extractor struct {
	ctx    context.Context
	o      Extraction
	tree   tree
	seen   map[[2]uint64]string // paths of files with several names, by device and inode
	told   map[Code]bool
	last   time.Time
	result Extracted
}

// source returns what to read: the image, or a copy of it whose journal was replayed.
func (x *extractor) source(f *os.File, image string) (string, func(), error) {
	fsys, none := &x.result.FileSystem, func() {}
	ws := (*warnings)(&x.result.Warnings)
	if fsys.Type == "xfs" && !x.o.NoReplay {
		c := &Checked{FileSystem: *fsys}
		if err := c.run(x.ctx, image); err != nil {
			return "", none, err
		}
		*fsys = c.FileSystem
	}
	if !fsys.Replay {
		return image, none, nil
	}
	if !x.o.NoReplay {
		copied, err := replayed(x.ctx, f, image, *fsys)
		if err != nil {
			return "", none, err
		}
		if copied != "" {
			x.result.Replayed = true
			return copied, func() { os.Remove(copied) }, nil
		}
	}
	ws.add(WarnNotReplayed, image, "the journal holds changes that are not in the files: the newest writes may be missing")
	return image, none, nil
}

// open opens the tree, by a mount if that is possible.
func (x *extractor) open(image string) error {
	fsys := x.result.FileSystem
	var merr error
	if os.Geteuid() == 0 && !x.o.NoMount {
		var m *mounted
		for _, options := range mountOptionsOf(fsys) {
			if m, merr = mountImage(x.ctx, image, options); merr == nil {
				x.tree, x.result.Method = &mountTree{ctx: x.ctx, m: m}, "mount"
				return nil
			}
		}
	}
	if fsys.ext() {
		tool, err := findTool("debugfs")
		if err == nil {
			x.tree, x.result.Method = &debugTree{ctx: x.ctx, tool: tool, image: image}, "debugfs"
			return nil
		}
		merr = errors.Join(merr, err)
	}
	hint := "run it as root, so that the image can be mounted"
	if os.Geteuid() == 0 {
		hint = "mount it yourself, read-only"
	}
	return &lab.Error{Op: "extract files", Path: image, Hint: hint, Err: errors.Join(errors.New("the image cannot be mounted"), merr)}
}

// mountOptionsOf returns ways to mount read-only without replaying a journal.
func mountOptionsOf(f FileSystem) []string {
	switch f.Type {
	case "ext3", "ext4":
		return []string{"ro,noload"}
	case "xfs":
		return []string{"ro,norecovery,nouuid"}
	case "btrfs":
		return []string{"ro", "ro,rescue=nologreplay"}
	}
	return []string{"ro"}
}

// into makes the directory.
func (x *extractor) into(path string) error {
	part, err := diskfile.MakePart("extract files", path)
	if err != nil {
		return err
	}
	err = x.fill(part)
	if err == nil {
		err = diskfile.Finish(part, path)
	}
	if err == nil {
		return nil
	}
	os.RemoveAll(part)
	var le *lab.Error
	if errors.As(err, &le) || errors.Is(err, context.Canceled) {
		return err
	}
	hint := ""
	if errors.Is(err, unix.ENOSPC) {
		hint = "free some space, or extract to another disk; nothing of it was left"
	}
	return &lab.Error{Op: "extract files", Path: path, Hint: hint, Err: err}
}

func (x *extractor) fill(part string) error {
	dst, err := os.Open(part)
	if err != nil {
		return err
	}
	defer dst.Close()
	top, err := x.tree.root()
	if err != nil {
		return err
	}
	if err := x.dir(top, dst); err != nil {
		return err
	}
	if err := x.attributes(top, dst, "."); err != nil {
		return err
	}
	return unix.Syncfs(int(dst.Fd()))
}

// dir brings what is in the directory src into dst. Everything is made relative to dst's descriptor, never through a link of the image.
func (x *extractor) dir(src node, dst *os.File) error {
	children, ws, err := x.tree.list(src)
	if err != nil {
		return err
	}
	x.result.Warnings = append(x.result.Warnings, ws...)
	for _, n := range children {
		if err := x.ctx.Err(); err != nil {
			return context.Cause(x.ctx)
		}
		if err := x.one(n, dst); err != nil {
			return fmt.Errorf("%s: %w", lab.Printable(n.Path), err)
		}
	}
	return nil
}

func (x *extractor) one(n node, dst *os.File) error {
	at, name := int(dst.Fd()), filepath.Base(n.Path)
	if n.Type != "dir" && n.links > 1 {
		id := [2]uint64{n.dev, n.ino}
		if first, ok := x.seen[id]; ok {
			if err := x.link(first, n, dst, name); err != nil {
				return err
			}
			n.Type, n.Target = "link", first
			return x.tell(n)
		}
		x.seen[id] = n.Path
	}
	var err error
	switch n.Type {
	case "dir":
		if err = unix.Mkdirat(at, name, 0o700); err != nil {
			return err
		}
		if err := x.tell(n); err != nil {
			return err
		}
		fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		sub := os.NewFile(uintptr(fd), name)
		defer sub.Close()
		if err := x.dir(n, sub); err != nil {
			return err
		}
		return x.attributes(n, dst, name)
	case "file":
		fd, err := unix.Openat(at, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(fd), name)
		n.SHA256, err = x.tree.content(n, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		x.result.Bytes += n.Size
	case "symlink":
		if err = unix.Symlinkat(n.Target, at, name); err != nil {
			return err
		}
	default:
		kind := map[string]uint32{"fifo": unix.S_IFIFO, "socket": unix.S_IFSOCK, "char": unix.S_IFCHR, "block": unix.S_IFBLK}[n.Type]
		err := unix.EPERM
		if kind != 0 {
			err, _ = unix.Mknodat(at, name, kind|0o600, int(n.rdev)).(unix.Errno)
		}
		if err == unix.EPERM {
			x.once(WarnSkipped, n.Path, "%s: only root can make it; more may follow", n.Type)
			return x.tell(n)
		}
		if err != 0 {
			return err
		}
	}
	if err := x.attributes(n, dst, name); err != nil {
		return err
	}
	return x.tell(n)
}

// link makes another name of a file that was made before, by its path from the top.
func (x *extractor) link(first string, n node, dst *os.File, name string) error {
	up := strings.Repeat("../", strings.Count(n.Path, "/"))
	return unix.Linkat(int(dst.Fd()), up+first, int(dst.Fd()), name, 0)
}

// attributes sets owner, mode, extended attributes and time, in the order in which one does not undo the other.
func (x *extractor) attributes(n node, dst *os.File, name string) error {
	at := int(dst.Fd())
	if err := unix.Fchownat(at, name, n.UID, n.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EINVAL) {
			return err
		}
		x.once(WarnOwner, n.Path, "owners can be set by root only; more may follow")
	}
	for _, k := range slices.Sorted(maps.Keys(n.Xattrs)) {
		if err := unix.Lsetxattr(fmt.Sprintf("/proc/self/fd/%d/%s", at, name), k, n.Xattrs[k], 0); err != nil {
			x.once(WarnXattr, n.Path, "%s: %v; more may follow", lab.Printable(k), err)
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

// once warns the first time of a kind.
func (x *extractor) once(code Code, path, format string, args ...any) {
	if x.told[code] {
		return
	}
	if x.told == nil {
		x.told = map[Code]bool{}
	}
	x.told[code] = true
	(*warnings)(&x.result.Warnings).add(code, path, format, args...)
}

func (x *extractor) tell(n node) error {
	x.result.Files++
	if x.o.Found != nil {
		x.o.Found(n.File)
	}
	if x.o.Events != nil && time.Since(x.last) > reportEvery {
		x.last = time.Now()
		x.o.Events(lab.Event{Time: x.last, Kind: lab.EventNote, Target: x.result.Path, Text: "extract", Done: int64(x.result.Files), Unit: "files"})
	}
	return nil
}

// copyHashed copies what of src is not a hole to dst, an empty file, and returns the SHA-256 of all of it.
func copyHashed(ctx context.Context, src, dst *os.File, size int64) (string, error) {
	sum, err := hashData(ctx, src, size, func(p []byte, off int64) error {
		_, err := dst.WriteAt(p, off)
		return err
	})
	return sum, errors.Join(err, dst.Truncate(size))
}

// hashData reads what of src is not a hole, gives it to write, and returns the SHA-256 of all of it.
func hashData(ctx context.Context, src *os.File, size int64, write func([]byte, int64) error) (string, error) {
	extents, err := diskfile.SeekData(src, size)
	if err != nil {
		extents = []diskfile.Extent{{Off: 0, Len: size}}
	}
	h, buf, zeros := sha256.New(), make([]byte, chunkSize), make([]byte, 64<<10)
	pos := int64(0)
	for _, e := range append(extents, diskfile.Extent{Off: size}) {
		if err := hashHole(ctx, h, zeros, e.Off-pos); err != nil {
			return "", err
		}
		for pos = e.Off; pos < e.End(); {
			if err := ctx.Err(); err != nil {
				return "", context.Cause(ctx)
			}
			p := buf[:min(chunkSize, e.End()-pos)]
			if _, err := io.ReadFull(io.NewSectionReader(src, pos, int64(len(p))), p); err != nil {
				return "", err
			}
			h.Write(p)
			if err := write(p, pos); err != nil {
				return "", err
			}
			pos += int64(len(p))
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func hashHole(ctx context.Context, h hash.Hash, zeros []byte, n int64) error {
	for ; n > 0; n -= int64(len(zeros)) {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		h.Write(zeros[:min(n, int64(len(zeros)))])
	}
	return nil
}

// mountTree is a mounted file system. It is read-only, so that a path that was listed stays what it was.
type mountTree struct {
	ctx context.Context
	m   *mounted
}

func (t *mountTree) close() error { return t.m.unmount() }

func (t *mountTree) root() (node, error) { return t.node("") }

func (t *mountTree) list(dir node) ([]node, []Warning, error) {
	entries, err := os.ReadDir(filepath.Join(t.m.dir, dir.Path))
	if err != nil {
		return nil, nil, err
	}
	var nodes []node
	for _, e := range entries {
		n, err := t.node(strings.TrimPrefix(dir.Path+"/"+e.Name(), "/"))
		if err != nil {
			return nil, nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil, nil
}

func (t *mountTree) node(rel string) (node, error) {
	path := filepath.Join(t.m.dir, rel)
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return node{}, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	n := node{File: File{Path: rel, Mode: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid), Mtime: time.Unix(st.Mtim.Unix())},
		dev: uint64(st.Dev), ino: st.Ino, links: uint64(st.Nlink), rdev: uint64(st.Rdev)}
	n.Type = typeOf(uint32(st.Mode))
	switch n.Type {
	case "file":
		n.Size = st.Size
	case "symlink":
		target, err := os.Readlink(path)
		if err != nil {
			return node{}, err
		}
		n.Target = target
	}
	var err error
	n.Xattrs, err = xattrs(path)
	return n, err
}

func typeOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "file"
	case unix.S_IFDIR:
		return "dir"
	case unix.S_IFLNK:
		return "symlink"
	case unix.S_IFIFO:
		return "fifo"
	case unix.S_IFSOCK:
		return "socket"
	case unix.S_IFCHR:
		return "char"
	case unix.S_IFBLK:
		return "block"
	}
	return "unknown"
}

// xattrs returns the extended attributes of path itself.
func xattrs(path string) (map[string][]byte, error) {
	list := make([]byte, 64<<10) // XATTR_LIST_MAX
	n, err := unix.Llistxattr(path, list)
	if errors.Is(err, unix.EOPNOTSUPP) || n == 0 && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, &os.PathError{Op: "llistxattr", Path: path, Err: err}
	}
	attrs := map[string][]byte{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		value := make([]byte, 64<<10) // XATTR_SIZE_MAX
		m, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return nil, &os.PathError{Op: "lgetxattr " + name, Path: path, Err: err}
		}
		attrs[name] = value[:m:m]
	}
	return attrs, nil
}

func (t *mountTree) content(n node, dst *os.File) (string, error) {
	src, err := os.Open(filepath.Join(t.m.dir, n.Path))
	if err != nil {
		return "", err
	}
	defer src.Close()
	return copyHashed(t.ctx, src, dst, n.Size)
}
