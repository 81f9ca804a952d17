//go:build !linux

package replica

import (
	"context"
	"io"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// What needs Linux: only there is the file system asked for extents, since Longhorn runs on nothing
// else.

// holder is a process or device that may write to a file.
type holder struct{ path, who string }

// openForWriting finds nobody: without Linux nothing is opened.
func openForWriting(context.Context, map[[2]uint64]string) ([]holder, string, error) {
	return nil, "", nil
}

// unpackedMark finds none: Unpack needs Linux.
func unpackedMark(string) bool { return false }

// Save needs Linux, as [Chain.Open] does.
func (im *Image) Save(context.Context, Output) (*Result, error) {
	return nil, diskfile.NeedLinux("save image")
}

// Pack needs Linux, as [Chain.Open] does.
func Pack(context.Context, io.Writer, string, func(lab.Event)) (*Packed, error) {
	return nil, diskfile.NeedLinux("pack replica")
}

// Unpack needs Linux, as [Chain.Open] does.
func Unpack(context.Context, io.Reader, string) (*Packed, error) {
	return nil, diskfile.NeedLinux("unpack replica")
}
