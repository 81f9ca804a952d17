package fsimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// mounted is an image that is mounted on a directory of its own.
type mounted struct {
	dir string
}

// mountOptionsOf returns ways to mount read-only without replaying a journal.
func mountOptionsOf(f FileSystem) []string {
	switch f.Type {
	case "ext2": // errors=panic, which an image may ask for, would stop the machine
		return []string{"ro,errors=continue"}
	case "ext3", "ext4":
		return []string{"ro,noload,errors=continue"}
	case "xfs":
		return []string{"ro,norecovery,nouuid"}
	case "btrfs":
		return []string{"ro", "ro,rescue=nologreplay"}
	}
	return []string{"ro"}
}

// mountImage mounts the image by a loop device. Nothing in it can be run, and no device in it works.
func mountImage(ctx context.Context, path, options string) (*mounted, error) {
	tool, err := findTool("mount")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", mountPrefix, os.Getpid()))
	if err != nil {
		return nil, err
	}
	// Once begun, a mount is waited for: cut off, it would stay behind.
	out, code, err := runTool(context.WithoutCancel(ctx), tool, "-o", "loop,nodev,nosuid,noexec,"+options, path, dir)
	if err == nil && code != 0 {
		err = fmt.Errorf("mount %s: %s", path, strings.TrimSpace(out))
	}
	if err != nil {
		os.Remove(dir)
		return nil, err
	}
	return &mounted{dir}, nil
}

func (m *mounted) unmount() error {
	tool, err := findTool("umount")
	if err != nil {
		return err
	}
	out, code, err := runTool(context.Background(), tool, m.dir)
	if err == nil && code != 0 {
		cause := errors.New(strings.TrimSpace(out))
		err = &lab.Error{Op: "unmount", Path: m.dir, Hint: "umount -l " + m.dir, Err: cause}
	}
	return errors.Join(err, os.Remove(m.dir))
}
