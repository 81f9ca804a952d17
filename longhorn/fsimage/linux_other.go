//go:build !linux

package fsimage

import (
	"context"
	"os"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// Check needs Linux: it runs the file systems' own checkers.
func Check(context.Context, string) (*Checked, error) { return nil, diskfile.NeedLinux("check image") }

// Extract needs Linux, which mounts the image.
func Extract(context.Context, string, string, Extraction) (*Extracted, error) {
	return nil, diskfile.NeedLinux("extract files")
}

// seekData needs Linux.
func seekData(*os.File, int64) ([]diskfile.Extent, error) {
	return nil, diskfile.NeedLinux("find data")
}
