package replica

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// The stream that [Pack] writes:
//
//	magic   "LABREPL1"
//	frame   kind, one byte; length of the payload, 4 bytes; payload; CRC-32C of all that, 4 bytes; numbers big-endian
//
// Its frames, in this order: a header; for each file an entry, its extents, each followed by its
// data unless it is unwritten, and an end with the SHA-256 of the entry's frames; a trailer with
// the number of entries and the SHA-256 of the header and all entries' hashes. Nothing may follow.
const streamMagic = "LABREPL1"

const (
	frameHeader  = 'H' // JSON: streamHeader
	frameEntry   = 'F' // JSON: streamEntry
	frameExtent  = 'X' // offset, length: 8 bytes each; 1 if unwritten, 0 if data follow: one byte
	frameData    = 'D' // the next bytes of the extent
	frameEnd     = 'E' // SHA-256
	frameTrailer = 'Z' // number of entries, 8 bytes; SHA-256
)

const (
	maxFrame     = 1 << 20
	maxEntries   = 100_000 // a directory has three files a layer
	extentLength = 17
)

type streamHeader struct {
	Version   int    `json:"version"`
	Directory string `json:"directory"` // its name
	Mode      uint32 `json:"mode"`      // permission bits
	UID       int    `json:"uid"`
	GID       int    `json:"gid"`
	Mtime     int64  `json:"mtime_ns"`
}

const streamVersion = 1

type streamEntry struct {
	Name  string `json:"name"`
	Size  int64  `json:"size"`
	Mode  uint32 `json:"mode"`
	UID   int    `json:"uid"`
	GID   int    `json:"gid"`
	Mtime int64  `json:"mtime_ns"`
	Link  string `json:"link,omitempty"` // an earlier entry that this is another name of; then there are no extents
}

// valid refuses what no replica directory can hold.
func (e streamEntry) valid() error {
	switch {
	case e.Name == "" || e.Name == "." || e.Name == ".." || len(e.Name) > 255,
		filepath.Base(e.Name) != e.Name, !filepath.IsLocal(e.Name), strings.ContainsRune(e.Name, 0):
		return fmt.Errorf("%s is not a file name", lab.Printable(e.Name))
	case e.Size < 0 || e.Size > maxVolume:
		return fmt.Errorf("%s: size %d", lab.Printable(e.Name), e.Size)
	}
	return nil
}

func (e streamEntry) perm() os.FileMode { return os.FileMode(e.Mode) & 0o777 }

var errStream = errors.New("not a complete stream")

// streamError says what is wrong with a stream.
func streamError(format string, args ...any) error {
	return fmt.Errorf("%w: %w: %s", lab.ErrInvalid, errStream, fmt.Sprintf(format, args...))
}

// crcTable returns the table of CRC-32C, which hash/crc32 makes once.
func crcTable() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }
