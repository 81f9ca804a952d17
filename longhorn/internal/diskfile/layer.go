package diskfile

import "strings"

const (
	headPrefix     = "volume-head-"
	snapshotPrefix = "volume-snap-"
	imageSuffix    = ".img"
)

// IsHead reports whether a file of that name is the head of a replica, volume-head-NNN.img. The
// number has no meaning beyond distinguishing heads: it wraps from 010 to 001, because the engine's
// pattern keeps its last digit only.
func IsHead(name string) bool {
	n, ok := strings.CutPrefix(name, headPrefix)
	if !ok {
		return false
	}
	n, ok = strings.CutSuffix(n, imageSuffix)
	return ok && n != "" && strings.Trim(n, "0123456789") == ""
}

// IsSnapshot reports whether a file of that name is a snapshot of a replica, volume-snap-NAME.img.
func IsSnapshot(name string) bool {
	return len(name) > len(snapshotPrefix)+len(imageSuffix) && strings.HasPrefix(name, snapshotPrefix) &&
		strings.HasSuffix(name, imageSuffix) && !strings.ContainsAny(name, "/\x00")
}

// SnapshotFile returns the name of the file of the snapshot called name.
func SnapshotFile(name string) string { return snapshotPrefix + name + imageSuffix }

// LayerName returns what a user calls the layer in that file: a snapshot's name, or the name of a
// head's file.
func LayerName(file string) string {
	if IsSnapshot(file) {
		return strings.TrimSuffix(strings.TrimPrefix(file, snapshotPrefix), imageSuffix)
	}
	return file
}
