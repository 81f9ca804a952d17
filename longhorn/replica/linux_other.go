//go:build !linux

package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// What needs Linux. Extents are the file system's to tell, and only Linux is asked here: Longhorn runs on nothing else.

var errNoExtents = errors.New("the file system does not tell written zeros from holes")

func needLinux(what string) error {
	return fmt.Errorf("%s: %w on %s: extents need Linux", what, errors.ErrUnsupported, runtime.GOOS)
}

func extentsOf(*os.File, int64) ([]Extent, bool, error) { return nil, false, needLinux("read extents") }

func blockSize(*os.File) (int64, error) { return 0, needLinux("read block size") }

type holder struct{ path, who string }

func openForWriting(context.Context, map[[2]uint64]string) ([]holder, string, error) {
	return nil, "", nil
}

// Save needs Linux, as [Chain.Open] does.
func (im *Image) Save(context.Context, Output) (*Result, error) { return nil, needLinux("save image") }

// Pack needs Linux, as [Chain.Open] does.
func Pack(context.Context, io.Writer, string, func(lab.Event)) (*Packed, error) {
	return nil, needLinux("pack replica")
}

// Unpack needs Linux, as [Chain.Open] does.
func Unpack(context.Context, io.Reader, string) (*Packed, error) {
	return nil, needLinux("unpack replica")
}

// Check needs Linux: it runs the file systems' own checkers.
func Check(context.Context, string) (*Checked, error) { return nil, needLinux("check image") }

// Extract needs Linux, which mounts the image.
func Extract(context.Context, string, string, Extraction) (*Extracted, error) {
	return nil, needLinux("extract files")
}
