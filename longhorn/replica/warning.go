package replica

import (
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// Code names a kind of [Warning], for programs.
type Code string

// The kinds of warnings: states that a merge survives, but that a person should know of.
const (
	WarnVolumeMetaLost    Code = "volume-meta-lost"   // volume.meta is missing, empty or unreadable: head, size and backing file were found by other means
	WarnMetaLost          Code = "meta-lost"          // a layer's .meta is missing, empty or unreadable
	WarnMetaBorrowed      Code = "meta-borrowed"      // a lost .meta was read from another replica of the volume
	WarnParentInferred    Code = "parent-inferred"    // a layer's parent was concluded from what the other layers name
	WarnParentDisagrees   Code = "parent-disagrees"   // volume.meta names another parent of the head than the head's own .meta, which counts
	WarnBackingUnknown    Code = "backing-unknown"    // whether the volume has a backing file is lost with volume.meta, and none is near
	WarnRemovedPoint      Code = "removed-point"      // the recovery point was deleted by the user: trims and a purge may have changed it since
	WarnHeadInferred      Code = "head-inferred"      // the head was concluded, because volume.meta does not name it
	WarnSizeInferred      Code = "size-inferred"      // the volume's size was taken from the newest layer
	WarnTrailingBytes     Code = "trailing-bytes"     // a metadata file goes on after its JSON
	WarnExtraHead         Code = "extra-head"         // a head that volume.meta does not name; it is ignored
	WarnHardLink          Code = "hard-link"          // a layer has several names: a snapshot or a purge was cut off
	WarnTemporary         Code = "temporary-file"     // a file of an operation that was cut off; it is ignored
	WarnStrayLayer        Code = "stray-layer"        // a layer without .meta that no layer names
	WarnSideBranch        Code = "side-branch"        // a snapshot that is not below the point that is read
	WarnUnknownFile       Code = "unknown-file"       // not a file of a replica directory
	WarnRebuilding        Code = "rebuilding"         // the replica was being rebuilt: layers may be half copied
	WarnRestoring         Code = "restoring"          // a backup was being restored into this replica
	WarnEngineError       Code = "engine-error"       // volume.meta holds an error text
	WarnEncrypted         Code = "encrypted"          // the image is a LUKS container
	WarnCounter           Code = "counter"            // revision.counter is unreadable, or 0 although there is data
	WarnMissingDropped    Code = "missing-dropped"    // a layer whose purge was cut off is left out, its data being in its parent
	WarnManyLayers        Code = "many-layers"        // more layers than an engine can open
	WarnLayerShort        Code = "layer-short"        // a layer is smaller than the one above it, and no expansion explains it
	WarnFullLayer         Code = "full-layer"         // a layer over others is allocated throughout, as after a copy that filled its holes
	WarnUnwritten         Code = "unwritten-extents"  // preallocated space: it reads as zeros and hides the layers below
	WarnExtentsBySeek     Code = "extents-by-seek"    // the file system has no FIEMAP; holes were told by SEEK_DATA, proved complete by the block count
	WarnBackingRemapped   Code = "backing-remapped"   // the backing file was found elsewhere than volume.meta says
	WarnChecksumUnknown   Code = "checksum-unknown"   // a .checksum that cannot be read, is of another method than crc64, or of what the snapshot was before
	WarnSilentlyCorrupted Code = "silently-corrupted" // Longhorn has marked the snapshot as corrupted
	WarnChecksumMismatch  Code = "checksum-mismatch"  // a snapshot's content is not what Longhorn hashed
	WarnAccessTime        Code = "access-time"        // files could not be opened without changing their access times
	WarnInUseUnknown      Code = "in-use-unknown"     // whether a process holds the files open could not be seen completely
	WarnDisagreement      Code = "disagreement"       // what speaks for the best replica is contradicted by another criterion
	WarnTimesCopied       Code = "times-copied"       // the directory was copied: its times are the copier's, and holes and zeros may be mixed up
	WarnLonghornDisk      Code = "output-on-longhorn" // the output lies on a disk that Longhorn schedules replicas to
)

// Warning is a doubt that was not reason enough to refuse.
type Warning struct {
	Code Code   `json:"code"`
	Path string `json:"path,omitempty"` // the file or directory; empty when it is of no one file
	Text string `json:"text"`
}

// String returns "code: path: text".
func (w Warning) String() string {
	if w.Path == "" {
		return fmt.Sprintf("%s: %s", w.Code, w.Text)
	}
	return fmt.Sprintf("%s: %s: %s", w.Code, w.Path, w.Text)
}

// warnings collects; the zero value is empty.
type warnings []Warning

func (ws *warnings) add(code Code, path, format string, args ...any) {
	*ws = append(*ws, Warning{code, path, fmt.Sprintf(format, args...)})
}

// doubts takes in what speaks against the place of an output.
func (ws *warnings) doubts(p diskfile.Place) {
	for _, d := range p.Doubts {
		ws.add(WarnLonghornDisk, p.Path, "%s", d)
	}
}
