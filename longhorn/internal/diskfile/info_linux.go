package diskfile

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Stat describes an open file.
func Stat(f *os.File) (Info, error) {
	var st unix.Stat_t
	if _, err := retry(func() (int, error) { return 0, unix.Fstat(int(f.Fd()), &st) }); err != nil {
		return Info{}, &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	return infoOf(&st), nil
}

// Lstat describes path itself, even if it is a symbolic link.
func Lstat(path string) (Info, error) {
	var st unix.Stat_t
	if _, err := retry(func() (int, error) { return 0, unix.Lstat(path, &st) }); err != nil {
		return Info{}, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	return infoOf(&st), nil
}

func infoOf(st *unix.Stat_t) Info {
	fi := Info{
		Fingerprint: Fingerprint{
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

// Birth returns when the file at path was created, where the file system records it, as ext4, xfs
// and btrfs do. Nothing but writing a new file sets it.
func Birth(path string) (time.Time, bool) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME, &st)
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}, false
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec)), true
}
