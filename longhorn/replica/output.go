package replica

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Method is how bytes get from the layers into the output.
type Method string

// The methods. The image is the same with each.
const (
	Auto      Method = ""           // Clone where the file system can, else ReadWrite
	Clone     Method = "clone"      // share the blocks (FICLONERANGE): xfs, btrfs, output on the replica's own file system
	CopyRange Method = "copy-range" // copy_file_range
	ReadWrite Method = "read-write" // several pread and pwrite at a time
)

// Output says where an image goes. Only Path is needed.
type Output struct {
	// Path is a file that does not exist yet, in a directory that does. While it is written it is called Path.part, beside it lies
	// Path.part.state; both are gone at the end, and continue an interrupted run otherwise.
	Path string
	// Device says that Path is a block device, which is overwritten: holes with zeros, what lies behind the volume's size not at all.
	Device bool
	// State is the file that keeps the progress of writing to a device, so that it can be continued. Empty means that it cannot. Not for files.
	// It is in no replica directory, and does not exist unless an earlier run left it.
	State string
	// Restart throws away what an interrupted run has left, instead of continuing it.
	Restart bool
	// NoHash leaves the SHA-256 out, which costs about a second for each 1.5 GB of the volume's size, holes included.
	NoHash bool
	// Method is Auto, the fastest that the file systems allow, or a certain one, which then must work.
	Method Method
	// Workers is the number of parallel readers. 0 means 4.
	Workers int
	// Avoid are directories, besides the image's own, that Path must not be in.
	Avoid []string
	// Events is told the progress, at most five times a second. Nil means nobody.
	Events func(lab.Event)

	fault     func(off int64) error // a test's: called before each chunk is copied
	hashFault func(off int64) error // a test's: called before each piece of what is not a hole is hashed
}

// Result tells what [Image.Save] did.
type Result struct {
	Path     string        `json:"path"`
	Size     int64         `json:"size"`             // bytes, of the image
	SHA256   string        `json:"sha256,omitempty"` // of the whole image, holes as zeros; empty with NoHash
	Data     int64         `json:"data"`             // bytes that came from layers
	Copied   int64         `json:"copied"`           // of those, by this run
	Resumed  int64         `json:"resumed"`          // offset at which this run went on copying; 0 when it began
	Method   Method        `json:"method"`
	Duration time.Duration `json:"duration_ns"`
	Warnings []Warning     `json:"warnings,omitempty"`
}

// partName and stateName are what an output is called while it is written, and where its progress is kept.
func partName(path string) string  { return path + ".part" }
func stateName(path string) string { return path + ".part.state" }

// place checks where something new is to be written and returns the absolute path, its directory's symbolic links resolved. Nothing may be
// there yet, except that it must be a block device when device is set. Neither a replica directory nor one of avoid may be above it.
func place(op, path string, device bool, avoid []string) (abs string, isDevice bool, ws warnings, err error) {
	refuse := func(hint, format string, args ...any) error {
		return &lab.Error{Op: op, Path: path, Hint: hint, Err: fmt.Errorf("%w: %s", lab.ErrRefused, fmt.Sprintf(format, args...))}
	}
	if path == "" {
		return "", false, nil, refuse("name it with -o", "no output is named")
	}
	if abs, err = filepath.Abs(path); err != nil {
		return "", false, nil, &lab.Error{Op: op, Path: path, Err: err}
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", false, nil, &lab.Error{Op: op, Path: path, Hint: "make the directory first: mkdir -p " + shellWord(filepath.Dir(abs)), Err: err}
	}
	abs = filepath.Join(parent, filepath.Base(abs))
	if fi, err := os.Lstat(abs); err == nil {
		if fi.Mode()&os.ModeSymlink != 0 {
			if to, err := os.Stat(abs); err == nil && blockDevice(to) && device {
				abs, err = filepath.EvalSymlinks(abs)
				return abs, true, nil, err
			}
			return "", false, nil, refuse("name a path that does not exist", "it is a symbolic link")
		}
		if blockDevice(fi) {
			if device {
				return abs, true, nil, nil
			}
			return "", false, nil, refuse("say -device to overwrite it", "it is a block device")
		}
		return "", false, nil, refuse("name another, or remove it", "it exists")
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", false, nil, &lab.Error{Op: op, Path: path, Err: err}
	}
	if device {
		return "", false, nil, refuse("name the device, or leave -device out to write a file", "there is no such block device")
	}
	if ws, err = outside(op, abs, avoid); err != nil {
		return "", false, nil, err
	}
	return abs, false, ws, nil
}

// outside refuses a path, absolute and its directory without symbolic links, that is below a replica directory or one of avoid, and warns of
// one on a disk of Longhorn's.
func outside(op, path string, avoid []string) (ws warnings, err error) {
	refuse := func(format string, args ...any) error {
		return &lab.Error{Op: op, Path: path, Hint: "write to another directory, best on another disk", Err: fmt.Errorf("%w: %s", lab.ErrRefused, fmt.Sprintf(format, args...))}
	}
	parent := filepath.Dir(path)
	for dir := parent; ; dir = filepath.Dir(dir) {
		for _, a := range avoid {
			if sameFile(dir, a) {
				return nil, refuse("it is inside the replica directory %s", a)
			}
		}
		if looksLikeReplica(dir) {
			return nil, refuse("it is inside a replica directory, %s", dir)
		}
		if fileExists(filepath.Join(dir, "longhorn-disk.cfg")) {
			ws.add(WarnLonghornDisk, path, "it is on a disk that Longhorn uses (%s), which it may fill up", dir)
		}
		if dir == filepath.Dir(dir) {
			return ws, nil
		}
	}
}

func blockDevice(fi os.FileInfo) bool {
	return fi.Mode()&os.ModeDevice != 0 && fi.Mode()&os.ModeCharDevice == 0
}

// looksLikeReplica reports whether dir holds files that only replica directories have.
func looksLikeReplica(dir string) bool {
	if fileExists(filepath.Join(dir, volumeMetaFile)) {
		return true
	}
	names, _ := readNames(dir)
	return slices.ContainsFunc(names, func(n string) bool { return isHead(n) || isSnapshot(n) })
}

// journal is Path.part.state: what the run is about, and how far it has come.
type journal struct {
	Version int         `json:"version"`
	Work    journalWork `json:"work"`
	// Output tells the output from another of the same name.
	Output string `json:"output"`
	// Copied: the output is complete and on disk up to here. Hashed: Hash is the state of the SHA-256 after that many bytes, at most Copied.
	Copied int64  `json:"copied"`
	Hashed int64  `json:"hashed"`
	Hash   []byte `json:"hash,omitempty"`
}

const journalVersion = 1

// parseJournal reads a journal; it reports whether it is a sound one.
func parseJournal(data []byte) (j journal, ok bool) {
	ok = json.Unmarshal(data, &j) == nil && j.Version == journalVersion && j.Copied >= 0 && j.Hashed >= 0 && j.Hashed <= j.Copied
	return j, ok
}

// journalWork is what must be the same for a run to be continued.
type journalWork struct {
	Size    int64           `json:"size"`
	Point   string          `json:"point"`
	Sources []journalSource `json:"sources"`
	Map     string          `json:"map"` // digest of the location map
}

type journalSource struct {
	Path  string      `json:"path"`
	Print fingerprint `json:"fingerprint"`
}

// differs says in what a differs from b, "" when in nothing.
func (a journalWork) differs(b journalWork) string {
	switch {
	case a.Point != b.Point || len(a.Sources) != len(b.Sources):
		return "it was of another recovery point or replica"
	case a.Size != b.Size:
		return "the volume had another size"
	}
	var changed []string
	for i := range a.Sources {
		switch {
		case a.Sources[i].Path != b.Sources[i].Path:
			return "it was of another replica, " + filepath.Dir(b.Sources[i].Path)
		case a.Sources[i].Print != b.Sources[i].Print:
			changed = append(changed, filepath.Base(a.Sources[i].Path))
		}
	}
	if len(changed) > 0 {
		return "the replica has changed since: " + strings.Join(changed, ", ")
	}
	if a.Map != b.Map {
		return "the replica's extents have changed since"
	}
	return ""
}
