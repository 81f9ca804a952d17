package replica

import (
	"errors"
	"io"
	"os"
	"time"
)

// fingerprint identifies a file's content as far as the file system tells. Equal before and after means not changed meanwhile.
type fingerprint struct {
	Dev, Ino     uint64
	Size         int64
	Mtime, Ctime int64 // nanoseconds
}

// fileInfo is what a file's stat says.
type fileInfo struct {
	fingerprint
	Links     uint64
	Allocated int64 // bytes
	Mode      os.FileMode
	UID, GID  int
}

func (fi fileInfo) modTime() time.Time { return time.Unix(0, fi.Mtime) }

// errAtime says that a file could only be opened so that reading it may change its access time.
var errAtime = errors.New("access time may change")

// readSmall reads at most limit bytes of a regular file that is not a symbolic link. That its access time may change is not told.
func readSmall(path string, limit int64) ([]byte, fileInfo, error) {
	f, err := openSource(path)
	if f == nil {
		return nil, fileInfo{}, err
	}
	defer f.Close()
	fi, err := statFile(f)
	if err != nil {
		return nil, fi, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit))
	return data, fi, err
}
