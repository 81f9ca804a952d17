//go:build !linux

package diskfile

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// NeedLinux returns the error of an operation that needs extents.
func NeedLinux(what string) error {
	return fmt.Errorf("%s: %w on %s: extents need Linux", what, errors.ErrUnsupported, runtime.GOOS)
}

// Extents needs Linux.
func Extents(*os.File, int64) ([]Extent, bool, error) { return nil, false, NeedLinux("read extents") }

// BlockSize needs Linux.
func BlockSize(*os.File) (int64, error) { return 0, NeedLinux("read block size") }
