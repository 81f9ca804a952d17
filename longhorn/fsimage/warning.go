package fsimage

import (
	"encoding/json"
	"fmt"
)

// Code names a kind of [Warning], for programs.
type Code string

// The kinds of warnings.
const (
	WarnNotClean     Code = "file-system-errors"   // the checker found errors in the file system
	WarnNotChecked   Code = "file-system-unknown"  // there is no checker for the file system, or it is not installed
	WarnNotReplayed  Code = "journal-not-replayed" // the journal holds changes that are not in the files
	WarnSkipped      Code = "file-skipped"         // a file could not be created: devices need root
	WarnLost         Code = "file-lost"            // a file, or some of it, could not be read from the image
	WarnOwner        Code = "owner-not-set"        // owners can be set by root only; they are in the list
	WarnXattr        Code = "xattr-not-set"        // an extended attribute could not be set; it is in the list
	WarnLonghornDisk Code = "output-on-longhorn"   // the output is on a disk that Longhorn schedules replicas to
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

// MarshalJSON returns the warning as a JSON object, its path as [File] has it.
func (w Warning) MarshalJSON() ([]byte, error) {
	type plain Warning
	v := struct {
		plain
		Path64 []byte `json:"path_base64,omitempty"`
	}{plain: plain(w)}
	v.Path, v.Path64 = jsonName(w.Path)
	return json.Marshal(v)
}

// warning returns a warning whose text is formatted.
func warning(code Code, path, format string, args ...any) Warning {
	return Warning{code, path, fmt.Sprintf(format, args...)}
}
