package replica

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// Code names a kind of [Warning], for programs.
type Code string

// The kinds of warnings: states that a merge survives, but that a person should know of.
const (
	// What is wrong with the metadata.

	WarnVolumeMetaLost Code = "volume-meta-lost" // volume.meta is missing, empty or unreadable
	WarnMetaLost       Code = "meta-lost"        // a layer's .meta is missing, empty or unreadable
	WarnTrailingBytes  Code = "trailing-bytes"   // bytes follow the JSON of a metadata file
	WarnEngineError    Code = "engine-error"     // volume.meta holds an error text
	WarnCounter        Code = "counter"          // revision.counter is unreadable, or 0 although there is data
	WarnRestoring      Code = "restoring"        // a backup was being restored into this replica
	WarnRebuilding     Code = "rebuilding"       // the replica was being rebuilt: layers may be half copied

	// How lost metadata was replaced.

	WarnMetaBorrowed    Code = "meta-borrowed"    // a lost .meta was read from a peer
	WarnParentInferred  Code = "parent-inferred"  // a layer's parent was inferred from what the other layers name
	WarnParentGiven     Code = "parent-given"     // a lost .meta, whose parent the caller gave
	WarnHeadInferred    Code = "head-inferred"    // the head was inferred, because volume.meta does not name it
	WarnSizeInferred    Code = "size-inferred"    // the volume's size was taken from the newest layer
	WarnMissingDropped  Code = "missing-dropped"  // a layer is left out: a purge was cut off, its parent has its data
	WarnBackingRemapped Code = "backing-remapped" // the backing file was found elsewhere than volume.meta says
	WarnBackingUnknown  Code = "backing-unknown"  // whether there is a backing file is lost; none is near
	WarnParentDisagrees Code = "parent-disagrees" // volume.meta names another parent of the head; its own .meta counts

	// Other files of the directory, which are ignored.

	WarnExtraHead   Code = "extra-head"     // a head that volume.meta does not name
	WarnHardLink    Code = "hard-link"      // a layer has several names: a snapshot or a purge was cut off
	WarnTemporary   Code = "temporary-file" // a file of an operation that was cut off
	WarnStrayLayer  Code = "stray-layer"    // a layer without .meta that no layer names
	WarnSideBranch  Code = "side-branch"    // a snapshot that is not below the point that is read
	WarnUnknownFile Code = "unknown-file"   // not a file of a replica directory

	// Of the layers.

	WarnRemovedPoint  Code = "removed-point"     // the recovery point was deleted; it may have changed since
	WarnEncrypted     Code = "encrypted"         // the image is a LUKS container
	WarnManyLayers    Code = "many-layers"       // more layers than an engine can open
	WarnLayerShort    Code = "layer-short"       // a layer is smaller than the one above it, without an expansion
	WarnFullLayer     Code = "full-layer"        // a layer over others is allocated throughout, as a bad copy is
	WarnUnwritten     Code = "unwritten-extents" // preallocated space: it reads as zeros and hides the layers below
	WarnExtentsBySeek Code = "extents-by-seek"   // without FIEMAP, holes were found by SEEK_DATA, proved complete
	WarnAccessTime    Code = "access-time"       // files could not be opened without changing their access times
	WarnInUse         Code = "in-use"            // a process may write to a layer: the volume is attached
	WarnInUseUnknown  Code = "in-use-unknown"    // whether a process holds the files open could not be seen completely
	WarnTimesCopied   Code = "times-copied"      // a copy: its times are the copier's, holes and zeros may be mixed up

	// Of checksums, and of replicas compared with each other.

	WarnChecksumUnknown   Code = "checksum-unknown"   // a .checksum is unreadable, or of what the snapshot was before
	WarnChecksumMismatch  Code = "checksum-mismatch"  // a snapshot's content is not what Longhorn hashed
	WarnSilentlyCorrupted Code = "silently-corrupted" // Longhorn has marked the snapshot as corrupted
	WarnTimeFuture        Code = "time-future"        // a head's time is in the future: a clock was wrong
	WarnDisagreement      Code = "disagreement"       // a criterion contradicts what speaks for the best replica

	// Of the output.

	WarnLonghornDisk Code = "output-on-longhorn" // the output is on a disk that Longhorn schedules replicas to
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

// MarshalJSON returns the warning as a JSON object. A path that is not UTF-8 is quoted as in Go: JSON has
// no strings of bytes.
func (w Warning) MarshalJSON() ([]byte, error) {
	type plain Warning
	if !utf8.ValidString(w.Path) {
		w.Path = lab.Printable(w.Path)
	}
	return json.Marshal(plain(w))
}

// warnings collects; the zero value is empty.
type warnings []Warning

func (ws *warnings) add(code Code, path, format string, args ...any) {
	*ws = append(*ws, Warning{code, path, fmt.Sprintf(format, args...)})
}

// doubts adds what speaks against an output's place.
func (ws *warnings) doubts(p diskfile.Place) {
	for _, d := range p.Doubts {
		ws.add(WarnLonghornDisk, p.Path, "%s", d)
	}
}
