package replica

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// dirReader takes in a directory, one entry after the other.
type dirReader struct {
	d     *Directory
	ws    warnings
	metas map[string]bool // layers whose .meta is there
}

// read takes in one directory entry. Only a failure to read what is there is an error.
func (r *dirReader) read(name string) error {
	path := filepath.Join(r.d.Path, name)
	fi, err := diskfile.Lstat(path)
	if err != nil {
		return err
	}
	if !fi.Mode.IsRegular() {
		r.ws.add(WarnUnknownFile, name, "%s, not a regular file: ignored", fileType(fi.Mode))
		return nil
	}
	r.d.files = append(r.d.files, dirFile{name, fi})
	switch kind := kindOf(name); kind {
	case kindHead, kindSnapshot:
		r.layer(name, fi)
	case kindTemporary:
		r.ws.add(WarnTemporary, name, "left by an operation that was cut off: ignored")
	case kindRestore:
		r.ws.add(WarnRestoring, name, "a backup was being restored, or a file of that is left: ignored")
	case kindUnknown:
		r.ws.add(WarnUnknownFile, name, "not a file of a replica: ignored")
	default:
		data, _, err := diskfile.Read(path, maxMeta)
		if err != nil {
			return err
		}
		if trailing := r.metadata(kind, name, data); trailing {
			r.ws.add(WarnTrailingBytes, name, "bytes follow the JSON value; the engine ignores them too")
		}
	}
	return nil
}

// layer takes in the file of a layer.
func (r *dirReader) layer(name string, fi diskfile.Info) {
	if fi.Links > 1 {
		r.ws.add(WarnHardLink, name, "the file has %d names: a snapshot or a purge was cut off", fi.Links)
	}
	l := r.layerOf(name)
	l.Absent, l.id = false, fi.Fingerprint
	l.Size, l.Allocated, l.ModTime, l.Links = fi.Size, fi.Allocated, fi.ModTime(), fi.Links
}

// metadata takes in the content of a metadata file, and reports whether bytes follow its JSON value.
func (r *dirReader) metadata(kind fileKind, name string, data []byte) (trailing bool) {
	var err error
	d := r.d
	switch kind {
	case kindVolumeMeta:
		d.Meta, d.MetaState, trailing, err = parseVolumeMeta(data)
		r.lost(WarnVolumeMetaLost, name, d.MetaState, err)
		if d.Meta.Error != "" {
			r.ws.add(WarnEngineError, name, "the engine noted: %s", lab.Printable(d.Meta.Error))
		}
	case kindLayerMeta:
		l := r.layerOf(strings.TrimSuffix(name, metaSuffix))
		r.metas[l.File] = true
		l.Meta, l.MetaState, trailing, err = parseLayerMeta(data)
		r.lost(WarnMetaLost, name, l.MetaState, err)
	case kindCounter:
		d.Counter, d.CounterState, err = parseCounter(data)
		if d.CounterState != Good {
			d.Counter = -1
		}
		r.lost(WarnCounter, name, d.CounterState, err)
	case kindChecksum:
		l := r.layerOf(strings.TrimSuffix(name, checksumSuffix))
		l.Checksum, l.ChecksumState, err = parseChecksum(data)
		r.lost(WarnChecksumUnknown, name, l.ChecksumState, err)
		if l.Checksum.SilentlyCorrupted {
			r.ws.add(WarnSilentlyCorrupted, name, "Longhorn found that the snapshot's content had changed")
		}
	}
	return trailing
}

// lost warns of a metadata file that is not good; err may say why.
func (r *dirReader) lost(code Code, name string, s State, err error) {
	switch {
	case s == Good:
	case s == Zeroed:
		r.ws.add(code, name, "filled with NUL bytes")
	case err != nil:
		r.ws.add(code, name, "%s: %v", s, err)
	default:
		r.ws.add(code, name, "%s", s)
	}
}

// layerOf returns the directory's layer of that file name, added when it is not there yet.
func (r *dirReader) layerOf(file string) *Layer {
	if l := r.d.layer(file); l != nil {
		return l
	}
	r.d.Layers = append(r.d.Layers, Layer{File: file, Absent: true, MetaState: Missing, ChecksumState: Missing})
	return &r.d.Layers[len(r.d.Layers)-1]
}

// finish completes the directory when all entries were taken in.
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
	if d.copied() {
		r.ws.add(WarnTimesCopied, "", "the directory is a copy: if cp, rsync, dd, or tar without -S made it, holes and "+
			"zeros are mixed up, and the image is wrong in places; merge the original, or move it packed as a stream")
	}
	d.Warnings = r.ws
}

// fileType says what a file is that is not a regular one.
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
