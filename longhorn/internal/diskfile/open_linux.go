package diskfile

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Open opens a regular file for reading: no symbolic link, no waiting for a FIFO, no change of its
// access time. Where the access time cannot be spared (only a file's owner and root may do that),
// it returns the file together with [ErrAccessTime].
func Open(path string) (*os.File, error) {
	f, err := openNoAtime(path, unix.O_NOFOLLOW|unix.O_NONBLOCK)
	if f == nil {
		return nil, err
	}
	fi, serr := f.Stat()
	if serr != nil {
		f.Close()
		return nil, serr
	}
	if !fi.Mode().IsRegular() {
		f.Close()
		return nil, &os.PathError{Op: "open", Path: path, Err: fmt.Errorf("%s, not a regular file", fi.Mode().Type())}
	}
	return f, err
}

// openNoAtime opens path without following symbolic links if flags say so, and spares its access
// time where it can.
func openNoAtime(path string, flags int) (*os.File, error) {
	flags |= unix.O_RDONLY | unix.O_CLOEXEC
	fd, err := retry(func() (int, error) { return unix.Open(path, flags|unix.O_NOATIME, 0) })
	var spared error
	if errors.Is(err, unix.EPERM) {
		spared = ErrAccessTime
		fd, err = retry(func() (int, error) { return unix.Open(path, flags, 0) })
	}
	if errors.Is(err, unix.ELOOP) {
		return nil, &os.PathError{Op: "open", Path: path, Err: errors.New("a symbolic link, not a regular file")}
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), spared
}

// retry calls f until no signal interrupts it.
func retry(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if err != unix.EINTR {
			return n, err
		}
	}
}

// Names lists a directory without changing its access time.
func Names(path string) ([]string, error) {
	f, err := openNoAtime(path, unix.O_DIRECTORY)
	if f == nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}
