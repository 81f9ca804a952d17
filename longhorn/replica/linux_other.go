//go:build !linux

package replica

import (
	"context"
	"io"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// What needs Linux. Extents are the file system's to tell, and only Linux is asked here: Longhorn runs on nothing else.

type holder struct{ path, who string }

func openForWriting(context.Context, map[[2]uint64]string) ([]holder, string, error) {
	return nil, "", nil
}

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
