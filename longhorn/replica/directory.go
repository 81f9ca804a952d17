package replica

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// Directory is what the metadata of one replica directory says, as it was found. Nothing in it has been concluded or repaired.
type Directory struct {
	Path   string // absolute
	Volume string // from the directory's name VOLUME-XXXXXXXX; "" when it has another form

	Meta      VolumeMeta // to be relied on when MetaState is Good; of a Broken one, what can be read of it
	MetaState State
	// Counter counts the writes that the replica has seen. It is -1 when CounterState is not Good; Missing is the default of new volumes.
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

type dirFile struct {
	name string
	info diskfile.Info
}

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

// Read reads the metadata of the replica directory at path. It is lenient: whatever a power cut left is reported in the result, and only
// what cannot be a replica directory is an error: one that does not exist ([lab.ErrNotFound]), that cannot be read, that holds no layer,
// or a disk of the v2 data engine ([lab.ErrRefused]). Nothing is written, and no access time is changed where the system allows.
func Read(path string) (*Directory, error) {
	fail := func(hint string, err error) (*Directory, error) {
		return nil, &lab.Error{Op: "read replica", Path: path, Hint: hint, Err: err}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return fail("", err)
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	fi, err := os.Stat(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return fail("replica directories are DISK/replicas/VOLUME-XXXXXXXX, with DISK by default /var/lib/longhorn", fmt.Errorf("%w: %w", lab.ErrNotFound, err))
	}
	if err != nil {
		return fail(readHint(err), err)
	}
	if !fi.IsDir() {
		return refuseDisk(path, abs, fi)
	}
	names, err := diskfile.Names(abs)
	if err != nil { // some of the names would be worse than none
		return fail(readHint(err), err)
	}
	slices.Sort(names)
	d := &Directory{Path: abs, Volume: volumeOf(filepath.Base(abs)), MetaState: Missing, Counter: -1, CounterState: Missing}
	r := dirReader{d: d, metas: map[string]bool{}}
	for _, name := range names {
		if err := r.read(name); err != nil {
			return fail(readHint(err), err)
		}
	}
	r.finish()
	if len(d.Layers) == 0 {
		hint := "give the directory that holds volume-head-*.img"
		if slices.Contains(names, "longhorn-disk.cfg") || slices.Contains(names, "replicas") {
			hint = "this is a Longhorn disk: give the directories in " + filepath.Join(path, "replicas")
		}
		return fail(hint, fmt.Errorf("%w: no layer (volume-head-*.img, volume-snap-*.img) in it", lab.ErrRefused))
	}
	return d, nil
}

// readHint is the next step when a file of a replica cannot be read.
func readHint(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "run it as root, on the machine that owns the disk"
	}
	return failingHint
}

const failingHint = "if the disk is failing, copy it first (ddrescue); else use another replica"

// refuseDisk says why path, which is no directory, is not a replica.
func refuseDisk(path, abs string, fi os.FileInfo) (*Directory, error) {
	e := &lab.Error{Op: "read replica", Path: path, Err: fmt.Errorf("%w: not a directory", lab.ErrRefused), Hint: "give the directory that holds volume-head-*.img"}
	if fi.Mode().IsRegular() || fi.Mode()&os.ModeDevice != 0 && fi.Mode()&os.ModeCharDevice == 0 {
		magic := make([]byte, 8)
		if f, err := os.Open(abs); err == nil {
			f.ReadAt(magic, 0)
			f.Close()
		}
		if string(magic) == "SPDKBLOB" {
			e.Err = fmt.Errorf("%w: a disk of the v2 data engine: its replicas are SPDK logical volumes, not files", lab.ErrRefused)
			e.Hint = "v2 volumes can be read through a running Longhorn, or restored from a backup, only"
		}
	}
	return nil, e
}

type dirReader struct {
	d     *Directory
	ws    warnings
	metas map[string]bool // layers whose .meta is there
}

// read takes in one directory entry. Only a failure to read what is there is an error.
func (r *dirReader) read(name string) error {
	d, path := r.d, filepath.Join(r.d.Path, name)
	fi, err := diskfile.Lstat(path)
	if err != nil {
		return err
	}
	kind := kindOf(name)
	if !fi.Mode.IsRegular() {
		r.ws.add(WarnUnknownFile, name, "%s, not a regular file: ignored", fileType(fi.Mode))
		return nil
	}
	d.files = append(d.files, dirFile{name, fi})
	if fi.Links > 1 && (kind == kindHead || kind == kindSnapshot) {
		r.ws.add(WarnHardLink, name, "the file has %d names: a snapshot or a purge was cut off", fi.Links)
	}
	switch kind {
	case kindHead, kindSnapshot:
		l := r.layerOf(name)
		l.Absent, l.Size, l.Allocated, l.ModTime, l.Links, l.id = false, fi.Size, fi.Allocated, fi.ModTime(), fi.Links, fi.Fingerprint
		return nil
	case kindTemporary:
		r.ws.add(WarnTemporary, name, "left by an operation that was cut off: ignored")
		return nil
	case kindRestore:
		r.ws.add(WarnRestoring, name, "a backup was being restored, or a file of that is left: ignored")
		return nil
	case kindUnknown:
		r.ws.add(WarnUnknownFile, name, "not a file of a replica: ignored")
		return nil
	}
	data, _, err := diskfile.Read(path, maxMeta)
	if err != nil {
		return err
	}
	var perr error
	var trailing bool
	switch kind {
	case kindVolumeMeta:
		d.Meta, d.MetaState, trailing, perr = parseVolumeMeta(data)
		if d.MetaState != Good {
			r.ws.add(WarnVolumeMetaLost, name, "%s", stateText(d.MetaState, perr))
		}
		if d.Meta.Error != "" {
			r.ws.add(WarnEngineError, name, "the engine noted: %s", lab.Printable(d.Meta.Error))
		}
	case kindLayerMeta:
		l := r.layerOf(strings.TrimSuffix(name, metaSuffix))
		r.metas[l.File] = true
		l.Meta, l.MetaState, trailing, perr = parseLayerMeta(data)
		if l.MetaState != Good {
			r.ws.add(WarnMetaLost, name, "%s", stateText(l.MetaState, perr))
		}
	case kindCounter:
		d.Counter, d.CounterState, perr = parseCounter(data)
		if d.CounterState != Good {
			d.Counter = -1
			r.ws.add(WarnCounter, name, "%s", stateText(d.CounterState, perr))
		}
	case kindChecksum:
		l := r.layerOf(strings.TrimSuffix(name, checksumSuffix))
		l.Checksum, l.ChecksumState, perr = parseChecksum(data)
		if l.ChecksumState != Good {
			r.ws.add(WarnChecksumUnknown, name, "%s", stateText(l.ChecksumState, perr))
		}
		if l.Checksum.SilentlyCorrupted {
			r.ws.add(WarnSilentlyCorrupted, name, "Longhorn found that the snapshot's content had changed")
		}
	}
	if trailing {
		r.ws.add(WarnTrailingBytes, name, "bytes follow the JSON value; the engine ignores them too")
	}
	return nil
}

// layerOf returns the directory's layer of that file name, made when it is not there yet.
func (r *dirReader) layerOf(file string) *Layer {
	if l := r.d.layer(file); l != nil {
		return l
	}
	r.d.Layers = append(r.d.Layers, Layer{File: file, Absent: true, MetaState: Missing, ChecksumState: Missing})
	return &r.d.Layers[len(r.d.Layers)-1]
}

func (r *dirReader) finish() {
	d := r.d
	slices.SortFunc(d.Layers, func(a, b Layer) int { return strings.Compare(a.File, b.File) })
	// A .checksum alone is no trace of a layer.
	d.Layers = slices.DeleteFunc(d.Layers, func(l Layer) bool { return l.Absent && !r.metas[l.File] })
	if d.MetaState == Missing {
		r.ws.add(WarnVolumeMetaLost, volumeMetaFile, "missing")
	}
	for i := range d.Layers {
		if l := &d.Layers[i]; l.MetaState == Missing {
			r.ws.add(WarnMetaLost, l.File+metaSuffix, "missing")
		}
	}
	if d.CounterState == Good && d.Counter == 0 && d.allocated() > 0 {
		r.ws.add(WarnCounter, counterFile, "0 although there is data, as in a replica that is being rebuilt")
	}
	if d.Meta.Rebuilding {
		r.ws.add(WarnRebuilding, volumeMetaFile, "the replica was being rebuilt: layers may be half copied")
	}
	d.Warnings = r.ws
}

// copied reports whether the directory seems to be a copy: of a head that the engine wrote, the change time is that of the last write.
func (d *Directory) copied() bool {
	for i := range d.Layers {
		// A snapshot that is being made links the head, which changes the time too.
		if l := &d.Layers[i]; !l.Snapshot() && !l.Absent && l.Links == 1 && l.id.Ctime-l.id.Mtime > int64(timeWindow) {
			return true
		}
	}
	return false
}

// allocated returns the bytes that the layers occupy.
func (d *Directory) allocated() (sum int64) {
	for i := range d.Layers {
		sum += d.Layers[i].Allocated
	}
	return sum
}

func stateText(s State, err error) string {
	if s == Zeroed {
		return "filled with NUL bytes"
	}
	if err != nil {
		return fmt.Sprintf("%s: %v", s, err)
	}
	return string(s)
}

func fileType(m os.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&os.ModeSymlink != 0:
		return "a symbolic link"
	case m&os.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}
