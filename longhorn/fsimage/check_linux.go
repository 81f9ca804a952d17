package fsimage

import (
	"context"
	"errors"
	"os"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Check reports what file system is in the image file or block device path, and what its own
// checker says, without changing a bit. Where a journal is to be replayed, that is done on a copy
// beside the image (path.replay), which shares the image's blocks where the file system can, and
// which is removed again. A checker that is not installed is in the report, not an error.
func Check(ctx context.Context, path string) (*Checked, error) {
	path = noOption(path)
	f, err := openImage(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c := &Checked{}
	if c.FileSystem, err = Identify(f); err != nil {
		return nil, &lab.Error{Op: "check image", Path: path, Err: err}
	}
	if err := c.run(ctx, path); err != nil {
		return nil, err
	}
	if c.FileSystem.Replay && c.Tool != "" {
		if err := noLeftovers(lab.Error{Op: "check image", Path: path}, path, ""); err != nil {
			return nil, err
		}
		copied, said, err := replayed(ctx, f, path, c.FileSystem)
		var failed *replayError
		switch {
		case errors.As(err, &failed):
			c.Output += "\n" + failed.Error()
			c.Clean, c.Failed = false, c.Failed || !damageCode(failed.code)
		case err != nil:
			return nil, err
		case copied != "":
			defer os.Remove(copied)
			after := &Checked{FileSystem: c.FileSystem}
			if err := after.run(ctx, copied); err != nil {
				return nil, err
			}
			if said != "" {
				said = "\n" + said
			}
			c.Output += "\nafter the journal was replayed on a copy:" + said + "\n" + after.Output
			c.Replayed, c.Clean, c.Failed = true, after.Clean, after.Failed
		}
	}
	return c, nil
}

// damageCode reports whether a checker's exit code says that it found errors. e2fsck's is a sum: 1 and
// 2 for what it corrected, 4 for what is left, and 8, 16, 32 and 128 for its own failures: 12 is
// damage that it could not get through. That of xfs_repair is 1, or 2 for a log that is not empty. A
// checker that was killed has a negative one.
func damageCode(code int) bool { return code > 0 && code&(1|2|4) != 0 }

// run runs the checker that belongs to the file system.
func (c *Checked) run(ctx context.Context, path string) error {
	var name string
	var args []string
	switch {
	case c.FileSystem.ext():
		name, args = "e2fsck", []string{"-f", "-n", path}
	case c.FileSystem.Type == "xfs":
		name, args = "xfs_repair", []string{"-n", "-f", path}
	default:
		c.Output = "no checker for it is known"
		return nil
	}
	tool, err := findTool(name)
	if err != nil {
		c.Output = name + " is not installed"
		return nil
	}
	out, code, err := runTool(ctx, tool, args...)
	if err != nil {
		return err
	}
	c.Tool, c.Output, c.Clean = name, strings.TrimSpace(out), code == 0
	c.Failed = code != 0 && !damageCode(code)
	if c.FileSystem.Type == "xfs" && strings.Contains(out, "valuable metadata changes in a log") {
		c.FileSystem.Replay = true
	}
	return nil
}
