package fsimage

import (
	"os"

	"golang.org/x/sys/unix"
)

// tree is a file system as it is walked.
type tree interface {
	root() (node, error)
	list(dir node) ([]node, []Warning, error)
	// content writes the content of n to dst, an empty file. It calls progress now and then with the
	// bytes that are done.
	content(n node, dst *os.File, progress func(done int64)) (sum string, err error)
	close() error
}

// node is a file of a tree. Its File's path is relative to the root, "" for the root itself.
type node struct {
	File
	dev   uint64 // of the subvolume, where the file system has them: each has inode numbers of its own
	ino   uint64
	links uint64
	rdev  uint64
}

// typeOf returns the type of a file as [File] has it, from its mode.
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
