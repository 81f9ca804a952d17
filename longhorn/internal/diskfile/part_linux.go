package diskfile

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Finish gives what is called part its name path, durably. The error wraps [io/fs.ErrExist] if
// there is something of that name by now: nothing is replaced.
func Finish(part, path string) error {
	if err := renameNew(part, path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// renameNew renames a file unless the new name exists.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		// The file system cannot do it in one step.
		if _, serr := os.Lstat(to); serr == nil {
			err = unix.EEXIST
		} else {
			err = unix.Rename(from, to)
		}
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// SyncDir syncs a directory, so that its entries are on disk.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
