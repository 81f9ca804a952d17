//go:build !linux

package replicatest

import (
	"errors"
	"fmt"
	"os"
)

// Read needs Linux: extents are asked of its kernel.
func Read(dir, backing string) ([]byte, error) {
	return nil, fmt.Errorf("extents need Linux: %w", errors.ErrUnsupported)
}

func reserve(*os.File, int64, int64) error { return errors.ErrUnsupported }

func punch(*os.File, int64, int64) error { return errors.ErrUnsupported }
