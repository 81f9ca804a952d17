package replica

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// extentsKept is the extended attribute of a layer that Unpack wrote. It names the file itself, so
// that a copy which has the attribute too is not taken for the original.
const extentsKept = "user.replica.extents-kept"

// unpackedMark reports whether Unpack wrote the file at path.
func unpackedMark(path string) bool {
	value := make([]byte, 128)
	n, err := unix.Lgetxattr(path, extentsKept, value)
	return err == nil && string(value[:n]) == markOf(path)
}

// markOf returns the mark of the file at path: its inode and the time of its creation.
func markOf(path string) string {
	fi, err := diskfile.Lstat(path)
	birth, ok := diskfile.Birth(path)
	if err != nil || !ok {
		return ""
	}
	return fmt.Sprintf("%d %d", fi.Ino, birth.UnixNano())
}

// mark marks a layer that is written with its extents. Where that cannot be, the directory looks
// like any other copy.
func mark(f *os.File) {
	if value := markOf(f.Name()); value != "" {
		unix.Fsetxattr(int(f.Fd()), extentsKept, []byte(value), 0)
	}
}
