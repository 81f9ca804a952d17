package replica

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// openPart opens path.part, and reports whether it was there before.
func (t *target) openPart() (continued bool, err error) {
	fd, err := unix.Open(t.name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if errors.Is(err, unix.EEXIST) {
		continued = true
		fd, err = unix.Open(t.name, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if errors.Is(err, unix.ELOOP) {
			return false, refuse(t.at("remove it"), "it is a symbolic link")
		}
		if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENXIO) {
			return false, refuse(t.at("remove it"), "it is not a plain file")
		}
	}
	if err != nil {
		return false, &os.PathError{Op: "open", Path: t.name, Err: err}
	}
	t.file = os.NewFile(uintptr(fd), t.name)
	if err := t.lock(t.file); err != nil {
		return false, err
	}
	fi, err := diskfile.Stat(t.file)
	if err != nil {
		return false, err
	}
	if !fi.Mode.IsRegular() || fi.Links > 1 {
		return false, refuse(t.at("remove it"), "it is not a plain file with one name")
	}
	t.id = fmt.Sprintf("file %d:%d", fi.Dev, fi.Ino)
	return continued, nil
}

// lock locks the output against other runs, for as long as it is open.
func (t *target) lock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == unix.EINTR {
			continue
		}
		return t.lockError(err)
	}
}

// lockError says what an error of flock means.
func (t *target) lockError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return refuse(t.at("wait for it to end"), "another run is writing it")
	}
	return located(t.at("write to another file system, a local one"), fmt.Errorf("lock: %w", err))
}

// length returns how many bytes of the output are there; of a device, which has them all, the
// volume's.
func (t *target) length() (int64, error) {
	if t.device {
		return t.work.Size, nil
	}
	fi, err := diskfile.Stat(t.file)
	return fi.Size, err
}

// discard removes what an interrupted run left.
func (t *target) discard() error {
	fi, err := os.Lstat(t.name)
	if err == nil {
		if !fi.Mode().IsRegular() {
			return refuse(t.at("remove it"), "it is not a plain file")
		}
		f, err := os.Open(t.name)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := t.lock(f); err != nil {
			return err
		}
		if err := os.Remove(t.name); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return t.forget()
}
