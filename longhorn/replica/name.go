package replica

import "strings"

// FileKind says what a file of a replica directory is, by its name alone.
type FileKind int

// The kinds of files (longhorn-engine pkg/util/disk/constant.go).
const (
	FileUnknown    FileKind = iota
	FileHead                // volume-head-NNN.img, the layer that was written to
	FileSnapshot            // volume-snap-NAME.img
	FileLayerMeta           // a head's or snapshot's .meta
	FileChecksum            // a snapshot's .checksum
	FileVolumeMeta          // volume.meta
	FileCounter             // revision.counter
	FileTemporary           // *.tmp: a metadata file that was being written
	FileRestore             // volume-delta-NAME.img, *.snap_tmp and theirs: a restore in flight
)

const (
	volumeMetaFile = "volume.meta"
	counterFile    = "revision.counter"
	headPrefix     = "volume-head-"
	snapPrefix     = "volume-snap-"
	deltaPrefix    = "volume-delta-"
	imgSuffix      = ".img"
	metaSuffix     = ".meta"
	checksumSuffix = ".checksum"
)

// Kind returns what the file called name is.
func Kind(name string) FileKind {
	switch {
	case name == volumeMetaFile:
		return FileVolumeMeta
	case name == counterFile:
		return FileCounter
	case strings.ContainsAny(name, "/\x00"):
		return FileUnknown
	case strings.HasSuffix(name, ".snap_tmp"), strings.HasPrefix(name, deltaPrefix), strings.HasSuffix(name, ".snap_tmp"+metaSuffix):
		return FileRestore
	case strings.HasSuffix(name, ".tmp"):
		return FileTemporary
	case isHead(name):
		return FileHead
	case isSnapshot(name):
		return FileSnapshot
	}
	if layer, ok := strings.CutSuffix(name, metaSuffix); ok && (isHead(layer) || isSnapshot(layer)) {
		return FileLayerMeta
	}
	if layer, ok := strings.CutSuffix(name, checksumSuffix); ok && (isHead(layer) || isSnapshot(layer)) {
		return FileChecksum
	}
	return FileUnknown
}

// isHead: the number has no meaning beyond telling heads apart. It wraps from 010 to 001, because the engine's pattern keeps its last digit only.
func isHead(name string) bool {
	n, ok := strings.CutPrefix(name, headPrefix)
	if !ok {
		return false
	}
	n, ok = strings.CutSuffix(n, imgSuffix)
	return ok && n != "" && strings.Trim(n, "0123456789") == ""
}

func isSnapshot(name string) bool {
	return len(name) > len(snapPrefix)+len(imgSuffix) && strings.HasPrefix(name, snapPrefix) && strings.HasSuffix(name, imgSuffix) &&
		!strings.ContainsAny(name, "/\x00")
}

// snapshotName returns what a user calls the layer: a snapshot's name without prefix and suffix, else the file's name.
func snapshotName(file string) string {
	if isSnapshot(file) {
		return strings.TrimSuffix(strings.TrimPrefix(file, snapPrefix), imgSuffix)
	}
	return file
}

// volumeOf returns the volume's name from a replica directory's: VOLUME-XXXXXXXX, eight hexadecimal digits of no meaning; "" for other names.
func volumeOf(dir string) string {
	i := strings.LastIndexByte(dir, '-')
	if i <= 0 || len(dir)-i-1 != 8 || strings.Trim(dir[i+1:], "0123456789abcdef") != "" {
		return ""
	}
	return dir[:i]
}
