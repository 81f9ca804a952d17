package pgprov

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// What a run makes for itself is locked for as long as the run lives (flock(2), which ends with the
// process, however it ends): what is there and is not locked was left by one that was killed.

// tempPrefix is how the names of temporary directories begin.
const tempPrefix = "pgprov-"

var (
	tempName    = regexp.MustCompile(`^` + tempPrefix + `[0-9]+$`)
	partialName = regexp.MustCompile(`-\d{8}T\d{6}Z\.dump\.partial$`)
)

// tempDir is a private directory for temporary files.
type tempDir struct {
	path string
	lock *os.File
}

func newTempDir() (*tempDir, error) {
	const tries = 10
	for try := 1; ; try++ {
		path, err := os.MkdirTemp("", tempPrefix) // mode 0700
		if err != nil {
			return nil, err
		}
		lock, err := os.Open(path)
		if err == nil && lockFile(lock, path) {
			return &tempDir{path, lock}, nil
		}
		if lock != nil {
			lock.Close()
		}
		if try == tries { // another run takes each of them for a leftover, or it cannot be locked
			return nil, errors.Join(err, os.RemoveAll(path))
		}
	}
}

func (d *tempDir) remove() error { return errors.Join(os.RemoveAll(d.path), d.lock.Close()) }

// lockFile takes the lock of a file without waiting, and reports whether it did and the file still
// has its name. A file system without locks does not tell who else is there, so that nothing on it is
// ever taken for a leftover.
func lockFile(f *os.File, path string) bool {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false
	}
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, named)
}

// removeLeftovers removes what runs that were killed left in a directory under such names. What
// cannot be removed is left to the next.
func removeLeftovers(dir string, name *regexp.Regexp) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !name.MatchString(e.Name()) || e.Type()&os.ModeSymlink != 0 {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if info, err := e.Info(); err != nil || !ownFile(info) {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(path)
		}
		f.Close()
	}
}

// ownFile reports whether a file is this user's own.
func ownFile(info os.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid()
}

// partialDump makes the file that a dump is written to until it is proved, and removes what is left of
// others.
func partialDump(path string) (*os.File, error) {
	removeLeftovers(filepath.Dir(path), partialName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if !lockFile(f, path) {
		f.Close()
		return nil, errors.New("another run took " + strings.TrimPrefix(path, filepath.Dir(path)+"/") + " for its own")
	}
	return f, nil
}
