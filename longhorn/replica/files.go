package replica

import (
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Extraction says how [Extract] is to work. Its zero value works.
type Extraction struct {
	// NoReplay takes the file system as it is, even if its journal holds changes that were not applied yet.
	NoReplay bool
	// NoMount reads the image with debugfs, which needs no root and knows ext2 to ext4 only, even if it could be mounted.
	NoMount bool
	// Found is told each file, in an order in which directories come before what is in them. Nil means nobody.
	Found func(File)
	// Events is told the progress. Nil means nobody.
	Events func(lab.Event)
}

// File is a file that was brought out of an image.
type File struct {
	Path   string            `json:"path"` // relative, with slashes
	Type   string            `json:"kind"` // "file", "dir", "symlink", "link", "fifo", "socket", "char", "block"
	Mode   uint32            `json:"mode"` // permission bits, with setuid, setgid, sticky
	UID    int               `json:"uid"`
	GID    int               `json:"gid"`
	Size   int64             `json:"size"` // bytes, of files
	Mtime  time.Time         `json:"mtime"`
	Target string            `json:"target,omitempty"` // of symbolic links; of a hard link, the path that came first
	SHA256 string            `json:"sha256,omitempty"` // of files
	Xattrs map[string][]byte `json:"xattrs,omitempty"`
}

// Extracted tells what [Extract] did.
type Extracted struct {
	Path       string     `json:"path"`
	FileSystem FileSystem `json:"file_system"`
	Method     string     `json:"method"`   // "mount" or "debugfs"
	Replayed   bool       `json:"replayed"` // a copy was read whose journal was replayed
	Files      int        `json:"files"`
	Bytes      int64      `json:"bytes"` // of files' content
	Warnings   []Warning  `json:"warnings,omitempty"`
}

// The warnings of an extraction.
const (
	WarnNotReplayed Code = "journal-not-replayed" // the journal holds changes that are not in the files
	WarnSkipped     Code = "file-skipped"         // a file could not be made, a device without root for one
	WarnOwner       Code = "owner-not-set"        // owners can be set by root only; they are in the list
	WarnXattr       Code = "xattr-not-set"        // an extended attribute could not be set; it is in the list
)
