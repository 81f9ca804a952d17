package fsimage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// mountTree is a mounted file system. It is read-only, so that a path that was listed stays what it
// was.
type mountTree struct {
	ctx context.Context
	m   *mounted
}

func (t *mountTree) close() error { return t.m.unmount() }

func (t *mountTree) root() (node, error) { return t.node("") }

func (t *mountTree) list(dir node) ([]node, []Warning, error) {
	entries, err := os.ReadDir(filepath.Join(t.m.dir, dir.Path))
	if err != nil && len(entries) == 0 {
		return nil, nil, err
	}
	var ws []Warning
	if err != nil {
		ws = append(ws, warning(WarnLost, dir.Path, "only some of its entries could be read: %v", err))
	}
	var nodes []node
	for _, e := range entries {
		path := strings.TrimPrefix(dir.Path+"/"+e.Name(), "/")
		n, err := t.node(path)
		if err != nil {
			ws = append(ws, warning(WarnLost, path, "%v", err))
		}
		if err == nil || n.Type != "" && n.Type != "symlink" { // its content may be there
			nodes = append(nodes, n)
		}
	}
	return nodes, ws, nil
}

func (t *mountTree) node(rel string) (node, error) {
	path := filepath.Join(t.m.dir, rel)
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return node{}, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	n := node{
		File: File{
			Path: rel, Type: typeOf(uint32(st.Mode)), Mode: st.Mode & 0o7777,
			UID: int(st.Uid), GID: int(st.Gid), Mtime: time.Unix(st.Mtim.Unix()),
		},
		dev: uint64(st.Dev), ino: st.Ino, links: uint64(st.Nlink), rdev: uint64(st.Rdev),
	}
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

func (t *mountTree) content(n node, dst *os.File, progress func(int64)) (string, error) {
	src, err := os.Open(filepath.Join(t.m.dir, n.Path))
	if err != nil {
		return "", err
	}
	defer src.Close()
	return copyHashed(t.ctx, src, dst, n.Size, progress)
}
