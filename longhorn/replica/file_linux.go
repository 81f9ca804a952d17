package replica

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openSource opens a regular file for reading: no symbolic link, no blocking on a FIFO, no change of its access time. Where the access
// time cannot be spared (only a file's owner and root may), the file is returned together with errAtime.
func openSource(path string) (*os.File, error) {
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

func openNoAtime(path string, flags int) (*os.File, error) {
	fd, err := retry(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOATIME|flags, 0) })
	var spared error
	if errors.Is(err, unix.EPERM) {
		spared = errAtime
		fd, err = retry(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|flags, 0) })
	}
	if errors.Is(err, unix.ELOOP) {
		return nil, &os.PathError{Op: "open", Path: path, Err: errors.New("a symbolic link, not a regular file")}
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), spared
}

func retry(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if err != unix.EINTR {
			return n, err
		}
	}
}

// readNames lists a directory without changing its access time.
func readNames(path string) ([]string, error) {
	f, err := openNoAtime(path, unix.O_DIRECTORY)
	if f == nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func statFile(f *os.File) (fileInfo, error) {
	var st unix.Stat_t
	if _, err := retry(func() (int, error) { return 0, unix.Fstat(int(f.Fd()), &st) }); err != nil {
		return fileInfo{}, &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	return infoOf(&st), nil
}

// lstat describes path itself, be it a symbolic link.
func lstat(path string) (fileInfo, error) {
	var st unix.Stat_t
	if _, err := retry(func() (int, error) { return 0, unix.Lstat(path, &st) }); err != nil {
		return fileInfo{}, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	return infoOf(&st), nil
}

func infoOf(st *unix.Stat_t) fileInfo {
	fi := fileInfo{
		fingerprint: fingerprint{
			Dev: uint64(st.Dev), Ino: st.Ino, Size: st.Size,
			Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano(),
		},
		Links: uint64(st.Nlink), Allocated: st.Blocks * 512, UID: int(st.Uid), GID: int(st.Gid),
		Mode: os.FileMode(st.Mode & 0o777),
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		fi.Mode |= os.ModeDir
	case unix.S_IFLNK:
		fi.Mode |= os.ModeSymlink
	case unix.S_IFBLK:
		fi.Mode |= os.ModeDevice
	case unix.S_IFCHR:
		fi.Mode |= os.ModeDevice | os.ModeCharDevice
	default:
		fi.Mode |= os.ModeIrregular
	}
	return fi
}
