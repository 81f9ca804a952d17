package diskfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Place is where something new may be written.
type Place struct {
	Path   string   // absolute, the symbolic links of its directory resolved
	Doubts []string // reasons against it that are not enough to refuse it
}

// NewPlace finds where path is, which must not exist yet. It refuses ([lab.ErrRefused]) a path that
// is taken, or in a replica directory or one of avoid. op is the operation that errors name.
func NewPlace(op, path string, avoid []string) (Place, error) {
	abs, fi, err := resolve(op, path)
	if err != nil {
		return Place{}, err
	}
	if fi != nil {
		return Place{}, taken(op, path, fi)
	}
	doubts, err := Outside(op, abs, avoid)
	return Place{abs, doubts}, err
}

// DevicePlace returns the absolute path of the block device that path is or leads to.
func DevicePlace(op, path string) (string, error) {
	abs, fi, err := resolve(op, path)
	switch {
	case err != nil:
		return "", err
	case fi == nil:
		hint := "name a device that exists, or write to a file instead"
		return "", refuse(lab.Error{Op: op, Path: path, Hint: hint}, "there is no such block device")
	case BlockDevice(fi):
		return abs, nil
	}
	if to, err := os.Stat(abs); err == nil && BlockDevice(to) {
		return filepath.EvalSymlinks(abs)
	}
	return "", taken(op, path, fi)
}

// resolve returns the absolute path, the symbolic links of its directory resolved, and what is
// there, nil for nothing.
func resolve(op, path string) (string, os.FileInfo, error) {
	if path == "" {
		return "", nil, refuse(lab.Error{Op: op, Hint: "name a path that does not exist"}, "no output is named")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", nil, &lab.Error{Op: op, Path: path, Err: err}
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		hint := "create the directory first: mkdir -p " + Quote(filepath.Dir(abs))
		return "", nil, &lab.Error{Op: op, Path: path, Hint: hint, Err: err}
	}
	abs = filepath.Join(parent, filepath.Base(abs))
	fi, err := os.Lstat(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return abs, nil, nil
	}
	if err != nil {
		return "", nil, &lab.Error{Op: op, Path: path, Err: err}
	}
	return abs, fi, nil
}

// taken refuses a path where something is already.
func taken(op, path string, fi os.FileInfo) error {
	at := lab.Error{Op: op, Path: path, Hint: "name a path that does not exist"}
	switch {
	case fi.Mode()&os.ModeSymlink != 0:
		return refuse(at, "it is a symbolic link")
	case BlockDevice(fi):
		return refuse(at, "it is a block device")
	}
	return refuse(lab.Error{Op: op, Path: path, Hint: "name another, or remove it"}, "it exists")
}

// Outside refuses ([lab.ErrRefused]) a path, absolute and its directory without symbolic links,
// that is below a replica directory or one of avoid. A disk that Longhorn uses is a doubt.
func Outside(op, path string, avoid []string) (doubts []string, err error) {
	at := lab.Error{Op: op, Path: path, Hint: "write to another directory, best on another disk"}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		for _, a := range avoid {
			if SameFile(dir, a) {
				return nil, refuse(at, "it is inside the replica directory %s", a)
			}
		}
		if looksLikeReplica(dir) {
			return nil, refuse(at, "it is inside a replica directory, %s", dir)
		}
		if IsFile(filepath.Join(dir, "longhorn-disk.cfg")) {
			doubts = append(doubts, fmt.Sprintf("it is on a disk that Longhorn uses (%s), which it may fill up", dir))
		}
		if dir == filepath.Dir(dir) {
			return doubts, nil
		}
	}
}

// looksLikeReplica reports whether dir holds files that only replica directories have.
func looksLikeReplica(dir string) bool {
	if IsFile(filepath.Join(dir, "volume.meta")) {
		return true
	}
	names, _ := Names(dir)
	return slices.ContainsFunc(names, func(n string) bool { return IsHead(n) || IsSnapshot(n) })
}
