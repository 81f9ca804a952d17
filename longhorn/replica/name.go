package replica

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// fileKind says what a file of a replica directory is, by its name alone.
type fileKind int

// The kinds of files (longhorn-engine pkg/util/disk/constant.go).
const (
	kindUnknown    fileKind = iota
	kindHead                // volume-head-NNN.img, the layer that was written to
	kindSnapshot            // volume-snap-NAME.img
	kindLayerMeta           // a head's or snapshot's .meta
	kindChecksum            // a snapshot's .checksum
	kindVolumeMeta          // volume.meta
	kindCounter             // revision.counter
	kindTemporary           // *.tmp: a metadata file that was being written
	kindRestore             // volume-delta-NAME.img, *.snap_tmp and theirs: a restore in flight
)

const (
	volumeMetaFile = "volume.meta"
	counterFile    = "revision.counter"
	deltaPrefix    = "volume-delta-"
	metaSuffix     = ".meta"
	checksumSuffix = ".checksum"
)

// kindOf returns what the file called name is.
func kindOf(name string) fileKind {
	switch {
	case name == volumeMetaFile:
		return kindVolumeMeta
	case name == counterFile:
		return kindCounter
	case strings.ContainsAny(name, "/\x00"):
		return kindUnknown
	case strings.HasPrefix(name, deltaPrefix), strings.HasSuffix(strings.TrimSuffix(name, metaSuffix), ".snap_tmp"):
		return kindRestore
	case strings.HasSuffix(name, ".tmp"):
		return kindTemporary
	case diskfile.IsHead(name):
		return kindHead
	case diskfile.IsSnapshot(name):
		return kindSnapshot
	}
	isLayer := func(name string) bool { return diskfile.IsHead(name) || diskfile.IsSnapshot(name) }
	if layer, ok := strings.CutSuffix(name, metaSuffix); ok && isLayer(layer) {
		return kindLayerMeta
	}
	if layer, ok := strings.CutSuffix(name, checksumSuffix); ok && isLayer(layer) {
		return kindChecksum
	}
	return kindUnknown
}

// sparse reports whether the holes of such a file mean something.
func (k fileKind) sparse() bool { return k == kindHead || k == kindSnapshot || k == kindRestore }

// volumeOf returns the volume's name from a replica directory's: VOLUME-XXXXXXXX, eight hexadecimal
// digits of no meaning; "" for other names.
func volumeOf(dir string) string {
	i := strings.LastIndexByte(dir, '-')
	if i <= 0 || len(dir)-i-1 != 8 || strings.Trim(dir[i+1:], "0123456789abcdef") != "" {
		return ""
	}
	return dir[:i]
}
