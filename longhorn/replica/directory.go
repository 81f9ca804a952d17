package replica

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// Directory is what the metadata of one replica directory says, as it was found. Nothing in it has
// been inferred or repaired.
type Directory struct {
	Path   string // absolute
	Volume string // from the directory's name VOLUME-XXXXXXXX; "" when it has another form

	Meta      VolumeMeta // to be relied on when MetaState is Good; of a Broken one, what can be read of it
	MetaState State
	// Counter counts the writes that the replica has seen. It is -1 when CounterState is not Good;
	// Missing is the default of new volumes.
	Counter      int64
	CounterState State

	Layers   []Layer // sorted by file name; also those of which only the .meta is left
	Warnings []Warning

	files []dirFile // every file, for fingerprints and packing
}

// Layer is one volume-head-*.img or volume-snap-*.img with the files that go with it.
type Layer struct {
	File          string // volume-snap-NAME.img
	Absent        bool   // there is no .img, only the .meta
	Size          int64  // bytes, apparent
	Allocated     int64  // bytes on disk
	ModTime       time.Time
	Links         uint64    // names of the file, 1 normally
	Meta          LayerMeta // when MetaState is Good; of a Broken one, the parent at most
	MetaState     State
	Checksum      Checksum
	ChecksumState State

	id diskfile.Fingerprint
}

// Snapshot reports whether the layer is a snapshot, not a head.
func (l *Layer) Snapshot() bool { return diskfile.IsSnapshot(l.File) }

// Name returns the snapshot's name, or a head's file name.
func (l *Layer) Name() string { return diskfile.LayerName(l.File) }

// dirFile is any file of the directory.
type dirFile struct {
	name string
	info diskfile.Info
}

// id identifies the file, whatever its names.
func (f dirFile) id() [2]uint64 { return [2]uint64{f.info.Dev, f.info.Ino} }

// layer returns the layer of that file name, or nil.
func (d *Directory) layer(file string) *Layer {
	for i := range d.Layers {
		if d.Layers[i].File == file {
			return &d.Layers[i]
		}
	}
	return nil
}

// Name returns what to call the directory in tables: the last element of its path.
func (d *Directory) Name() string { return filepath.Base(d.Path) }

// Read reads the metadata of the replica directory at path. It is lenient: whatever a power cut
// left is reported in the result, and only what cannot be a replica directory is an error: one that
// does not exist ([lab.ErrNotFound]), that cannot be read, that holds no layer, or a disk of the v2
// data engine ([lab.ErrRefused]). Nothing is written, and no access time is changed where the
// system allows.
func Read(path string) (*Directory, error) {
	at := lab.Error{Op: "read replica", Path: path}
	abs, err := replicaPath(path)
	if err != nil {
		return nil, err
	}
	names, err := diskfile.Names(abs)
	if err != nil { // some of the names would be worse than none
		at.Hint = readHint(err)
		return nil, located(at, err)
	}
	slices.Sort(names)
	d := &Directory{Path: abs, Volume: volumeOf(filepath.Base(abs)), MetaState: Missing}
	d.Counter, d.CounterState = -1, Missing
	r := dirReader{d: d, metas: map[string]bool{}}
	for _, name := range names {
		if err := r.read(name); err != nil {
			at.Hint = readHint(err)
			return nil, located(at, err)
		}
	}
	r.finish()
	if len(d.Layers) == 0 {
		switch {
		case slices.Contains(names, "replicas"):
			at.Hint = "this is a Longhorn disk: give the directories in it, " + filepath.Join(path, "replicas", "*")
		case slices.ContainsFunc(names, func(name string) bool { return volumeOf(name) != "" }):
			at.Hint = "this holds replica directories: give those, " + filepath.Join(path, "*")
		case slices.Contains(names, "longhorn-disk.cfg"):
			at.Hint = "this Longhorn disk holds no replicas: look on the others"
		default:
			at.Hint = layersHint
		}
		return nil, refuse(at, "no layer (volume-head-*.img, volume-snap-*.img) in it")
	}
	return d, nil
}

// replicaPath returns the absolute path, without symbolic links, of what must be a directory.
func replicaPath(path string) (string, error) {
	at := lab.Error{Op: "read replica", Path: path}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", located(at, err)
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	fi, err := os.Stat(abs)
	if errors.Is(err, fs.ErrNotExist) {
		at.Hint = "replica directories are DISK/replicas/VOLUME-XXXXXXXX, with DISK by default /var/lib/longhorn"
		return "", located(at, fmt.Errorf("%w: %w", lab.ErrNotFound, err))
	}
	if err != nil {
		at.Hint = readHint(err)
		return "", located(at, err)
	}
	if !fi.IsDir() {
		return "", refuseDisk(at, abs, fi)
	}
	return abs, nil
}

// readHint is the next step when a file of a replica cannot be read.
func readHint(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "run it as root, on the machine that owns the disk"
	}
	return failingHint
}

// refuseDisk says why abs, which is no directory, is not a replica.
func refuseDisk(at lab.Error, abs string, fi os.FileInfo) error {
	if fi.Mode().IsRegular() || diskfile.BlockDevice(fi) {
		magic := make([]byte, 8)
		if f, err := os.Open(abs); err == nil {
			f.ReadAt(magic, 0)
			f.Close()
		}
		if string(magic) == "SPDKBLOB" {
			at.Hint = v2Hint
			return refuse(at, "a disk of the v2 data engine: its replicas are SPDK logical volumes, not files")
		}
	}
	at.Hint = layersHint
	return refuse(at, "not a directory")
}

// allocated returns the bytes that the layers occupy.
func (d *Directory) allocated() (sum int64) {
	for i := range d.Layers {
		sum += d.Layers[i].Allocated
	}
	return sum
}
