//go:build !linux

package diskfile

import (
	"os"
	"time"
)

// Stat describes an open file.
func Stat(f *os.File) (Info, error) {
	fi, err := f.Stat()
	if err != nil {
		return Info{}, err
	}
	return infoOf(fi), nil
}

// Lstat describes path itself, even if it is a symbolic link.
func Lstat(path string) (Info, error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return Info{}, err
	}
	return infoOf(fi), nil
}

func infoOf(fi os.FileInfo) Info {
	return Info{
		Fingerprint: Fingerprint{Size: fi.Size(), Mtime: fi.ModTime().UnixNano()},
		Links:       1, Allocated: fi.Size(), Mode: fi.Mode(),
	}
}

// Birth needs Linux.
func Birth(string) (time.Time, bool) { return time.Time{}, false }
