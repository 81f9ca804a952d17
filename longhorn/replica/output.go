package replica

import (
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Method is how bytes are copied from the layers into the output.
type Method string

// The methods. The image is the same with each.
const (
	Auto      Method = ""           // Clone where the file system can, otherwise ReadWrite
	Clone     Method = "clone"      // share the blocks (FICLONERANGE): xfs, btrfs, on the replica's own file system
	CopyRange Method = "copy-range" // copy_file_range
	ReadWrite Method = "read-write" // several pread and pwrite at a time
)

// Output is where and how an image is written. Only Path is needed.
type Output struct {
	// Path is a file that does not exist yet, in a directory that does. While it is written it is
	// called Path.part, and beside it is Path.part.state; both are removed at the end, and serve to
	// continue an interrupted run.
	Path string
	// Device says that Path is a block device, which is overwritten: holes with zeros, what is
	// behind the volume's size not at all.
	Device bool
	// State is the file that keeps the progress of writing to a device, so that it can be
	// continued. Empty means that it cannot. It is not used for files. It must not be in a replica
	// directory, nor exist unless an earlier run left it.
	State string
	// Restart removes what an interrupted run has left, instead of continuing it.
	Restart bool
	// Hash is how the image is hashed. Empty means the tree hash.
	Hash Hash
	// Method is Auto, the fastest that the file systems allow, or a certain one, which then must
	// work.
	Method Method
	// Workers is the number of parallel readers. 0 means 4.
	Workers int
	// Avoid are directories, besides the image's own, that Path must not be in.
	Avoid []string
	// Events receives the progress, at most five times a second. Nil is allowed.
	Events func(lab.Event)

	fault     func(off int64) error // a test's: called before each piece is copied
	hashFault func(off int64) error // a test's: called before each piece of what is not a hole is hashed
}

// Result is the report of [Image.Save].
type Result struct {
	Path     string        `json:"path"`
	Size     int64         `json:"size"`                  // bytes, of the image
	Tree     string        `json:"sha256_tree,omitempty"` // the tree hash, if it was asked for
	SHA256   string        `json:"sha256,omitempty"`      // of the whole image, holes as zeros, if it was asked for
	Data     int64         `json:"data"`                  // bytes that came from layers
	Copied   int64         `json:"copied"`                // of those, by this run
	Resumed  int64         `json:"resumed"`               // offset from which this run copied; 0 when it began
	Method   Method        `json:"method"`
	Duration time.Duration `json:"duration_ns"`
	Warnings []Warning     `json:"warnings,omitempty"`
}
