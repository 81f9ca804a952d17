package diskfile

import (
	"errors"
	"io"
)

// ErrAccessTime says that a file could only be opened in a way in which reading it may change its
// access time.
var ErrAccessTime = errors.New("access time may change")

// Read returns at most limit bytes of a regular file that is not a symbolic link. That its access
// time may change is not reported.
func Read(path string, limit int64) ([]byte, Info, error) {
	f, err := Open(path)
	if f == nil {
		return nil, Info{}, err
	}
	defer f.Close()
	fi, err := Stat(f)
	if err != nil {
		return nil, fi, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit))
	return data, fi, err
}
