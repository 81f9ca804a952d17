package fsimage

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Extraction says how [Extract] is to work. Its zero value works.
type Extraction struct {
	// NoReplay takes the file system as it is, even if its journal holds changes that were not
	// applied yet.
	NoReplay bool
	// NoMount reads the image with debugfs, which needs no root and knows ext2 to ext4 only, even
	// if it could be mounted.
	NoMount bool
	// Found is called for each file, in an order in which directories come before what is in them.
	// Nil is allowed.
	Found func(File)
	// Events receives the progress. Nil is allowed.
	Events func(lab.Event)
}

// File is a file that was extracted from an image.
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

// MarshalJSON returns the file as a JSON object. JSON has no strings of bytes: a path, target or name of
// an attribute that is not UTF-8 is quoted as in Go, and the path's and the target's bytes are in
// members of their own.
func (f File) MarshalJSON() ([]byte, error) {
	type plain File
	v := struct {
		plain
		Path64   []byte `json:"path_base64,omitempty"`
		Target64 []byte `json:"target_base64,omitempty"`
	}{plain: plain(f)}
	v.Path, v.Path64 = jsonName(f.Path)
	v.Target, v.Target64 = jsonName(f.Target)
	v.Xattrs = nil
	for k, value := range f.Xattrs {
		if v.Xattrs == nil {
			v.Xattrs = map[string][]byte{}
		}
		k, _ = jsonName(k)
		v.Xattrs[k] = value
	}
	return json.Marshal(v)
}

// jsonName returns a name as JSON can hold it, and its bytes if that is not all of it.
func jsonName(name string) (text string, bytes []byte) {
	if utf8.ValidString(name) {
		return name, nil
	}
	return lab.Printable(name), []byte(name)
}

// Extracted is the report of [Extract].
type Extracted struct {
	Path       string     `json:"path"`
	FileSystem FileSystem `json:"file_system"`
	Method     string     `json:"method"`   // "mount" or "debugfs"
	Replayed   bool       `json:"replayed"` // a copy was read whose journal was replayed
	Files      int        `json:"files"`
	Bytes      int64      `json:"bytes"` // of files' content
	// Lost is how many files, or things of files, the image did not yield. Each is a warning of
	// kind [WarnLost]. A file whose content could not be read whole is not there.
	Lost     int       `json:"lost"`
	Warnings []Warning `json:"warnings,omitempty"`
}
