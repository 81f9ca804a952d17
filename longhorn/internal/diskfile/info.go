package diskfile

import (
	"os"
	"time"
)

// Fingerprint identifies a file's content, as far as the file system reports it. It is equal before
// and after if the file was not changed meanwhile.
type Fingerprint struct {
	Dev, Ino     uint64 // 0 without Linux
	Size         int64  // bytes
	Mtime, Ctime int64  // nanoseconds since 1970
}

// Info is what stat says of a file.
type Info struct {
	Fingerprint
	Links     uint64
	Allocated int64       // bytes on disk; without Linux, the file's size
	Mode      os.FileMode // type and permission bits
	UID, GID  int
}

// ModTime returns when the content was last written.
func (fi Info) ModTime() time.Time { return time.Unix(0, fi.Mtime) }

// BlockDevice reports whether fi describes a block device.
func BlockDevice(fi os.FileInfo) bool {
	return fi.Mode()&os.ModeDevice != 0 && fi.Mode()&os.ModeCharDevice == 0
}

// IsFile reports whether path is a regular file, or leads to one.
func IsFile(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular()
}

// SameFile reports whether two paths lead to one file.
func SameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
