package real

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// makeDisk creates the directory for the machines' file systems. If it is on an
// overlay, which cannot contain the upper layer of another overlay, it is a file
// system in a file.
func (s setState) makeDisk(ctx context.Context) error {
	if err := os.MkdirAll(s.disk(), 0o755); err != nil {
		return err
	}
	kind, err := capture(ctx, "", "stat", "--file-system", "--format=%T", s.disk())
	if err != nil || strings.TrimSpace(kind) != "overlayfs" {
		return err
	}
	img := filepath.Join(s.Dir, "disk.img")
	if err := sparse(img, 32<<30); err != nil {
		return err
	}
	if err := run(ctx, "mkfs.ext4", "-q", "-m0", img); err != nil {
		return err
	}
	return run(ctx, "mount", "-o", "loop", img, s.disk())
}

// sparse creates a sparse file.
func sparse(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// unmount unmounts path if something is mounted there, even if a test still has a
// file open on it.
func unmount(ctx context.Context, path string) error {
	for exists(path) && run(ctx, "mountpoint", "--quiet", path) == nil {
		if run(ctx, "umount", path) == nil {
			continue
		}
		if err := run(ctx, "umount", "--lazy", path); err != nil {
			return err
		}
	}
	return nil
}

// detach releases the loop devices of the file.
func detach(ctx context.Context, file string) error {
	if !exists(file) {
		return nil
	}
	out, err := capture(ctx, "", "losetup", "--noheadings", "--output", "NAME", "--associated", file)
	if err != nil {
		return err
	}
	for _, dev := range strings.Fields(out) {
		if err := run(ctx, "losetup", "--detach", dev); err != nil {
			return err
		}
	}
	return nil
}
