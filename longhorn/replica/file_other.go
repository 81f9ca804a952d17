//go:build !linux

package replica

import (
	"errors"
	"fmt"
	"os"
)

// Metadata can be read on any system. Access times are not spared here.

func openSource(path string) (*os.File, error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, &os.PathError{Op: "open", Path: path, Err: fmt.Errorf("%s, not a regular file", fi.Mode().Type())}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return f, errAtime
}

func readNames(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || !fi.IsDir() {
		return nil, &os.PathError{Op: "open", Path: path, Err: errors.New("not a directory")}
	}
	return f.Readdirnames(-1)
}

func statFile(f *os.File) (fileInfo, error) {
	fi, err := f.Stat()
	if err != nil {
		return fileInfo{}, err
	}
	return infoOf(fi), nil
}

func lstat(path string) (fileInfo, error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return fileInfo{}, err
	}
	return infoOf(fi), nil
}

func infoOf(fi os.FileInfo) fileInfo {
	return fileInfo{
		fingerprint: fingerprint{Size: fi.Size(), Mtime: fi.ModTime().UnixNano()},
		Links:       1, Allocated: fi.Size(), Mode: fi.Mode(),
	}
}
