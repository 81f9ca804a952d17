package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// Check looks at the file system in the image file: what it is, and what its own checker says, without changing a bit. Where a journal is
// to be replayed, that is done on a copy beside the image (path.replay), which shares the image's blocks where the file system can, and
// which is removed again. A checker that is not installed is said in the report, not an error.
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
		copied, err := replayed(ctx, f, path, c.FileSystem)
		if err != nil {
			return nil, err
		}
		if copied != "" {
			defer os.Remove(copied)
			after := &Checked{FileSystem: c.FileSystem}
			if err := after.run(ctx, copied); err != nil {
				return nil, err
			}
			c.Output += "\nafter the journal was replayed on a copy:\n" + after.Output
			c.Replayed, c.Clean = true, after.Clean
		}
	}
	return c, nil
}

// noOption returns a path that no program takes for an option.
func noOption(path string) string {
	if strings.HasPrefix(path, "-") {
		return "./" + path
	}
	return path
}

// openImage opens a raw image or a block device for reading.
func openImage(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe, which is refused, is not waited for
	if err != nil {
		e := &lab.Error{Op: "open image", Path: path, Err: err}
		if errors.Is(err, fs.ErrNotExist) {
			e.Err, e.Hint = fmt.Errorf("%w: %w", lab.ErrNotFound, err), "give the image that `replica merge` wrote"
		}
		return nil, e
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() && !diskfile.BlockDevice(fi) {
		err = fmt.Errorf("%w: neither a file nor a block device", lab.ErrRefused)
	}
	if err != nil {
		f.Close()
		return nil, &lab.Error{Op: "open image", Path: path, Hint: "give the image that `replica merge` wrote", Err: err}
	}
	return f, nil
}

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
	if c.FileSystem.Type == "xfs" && strings.Contains(out, "valuable metadata changes in a log") {
		c.FileSystem.Replay = true
	}
	return nil
}

// findTool finds a program of the system administrator's, whose directories are not in every user's PATH.
func findTool(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}

// runTool runs a program without input and returns what it printed and its exit code.
func runTool(ctx context.Context, tool string, args ...string) (string, int, error) {
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", 0, context.Cause(ctx)
	case errors.As(err, &exit):
		return string(out), exit.ExitCode(), nil
	case err != nil:
		return "", 0, &lab.Error{Op: "run", Path: tool, Err: err}
	}
	return string(out), 0, nil
}

// replayed copies the image and replays the journal of the copy. It returns the copy's path, or "" where that needs what is not here.
func replayed(ctx context.Context, image *os.File, path string, fsys FileSystem) (string, error) {
	var tool string
	if fsys.ext() {
		var err error
		if tool, err = findTool("e2fsck"); err != nil {
			return "", nil
		}
	} else if fsys.Type != "xfs" || os.Geteuid() != 0 {
		return "", nil
	}
	fi, err := image.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		return "", err
	}
	name := path + ".replay"
	if err := copySparse(ctx, image, name, fi.Size()); err != nil {
		return "", &lab.Error{Op: "copy image", Path: name, Hint: "remove what is in the way, or make room", Err: err}
	}
	if fsys.ext() {
		out, code, err := runTool(ctx, tool, "-p", "-E", "journal_only", name)
		if err == nil && code >= 4 {
			err = &lab.Error{Op: "replay journal", Path: name, Err: errors.New(strings.TrimSpace(out))}
		}
		if err != nil {
			os.Remove(name)
			return "", err
		}
		return name, nil
	}
	// XFS replays its log when it is mounted.
	m, err := mountImage(ctx, name, "rw,nouuid") // a copy has the original's UUID, which may be mounted
	if err == nil {
		err = m.unmount()
	}
	if err != nil {
		os.Remove(name)
		return "", err
	}
	return name, nil
}

// copySparse copies src to a new file, by sharing its blocks if that can be done, else without its holes.
func copySparse(ctx context.Context, src *os.File, name string, size int64) (err error) {
	dst, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, dst.Close()); err != nil {
			os.Remove(name)
		}
	}()
	if unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())) == nil {
		return nil
	}
	if err := dst.Truncate(size); err != nil {
		return err
	}
	extents, err := diskfile.SeekData(src, size)
	if err != nil {
		return err
	}
	buf := make([]byte, chunkSize)
	for _, e := range extents {
		for off := e.Off; off < e.End(); off += chunkSize {
			if err := ctx.Err(); err != nil {
				return err
			}
			p := buf[:min(chunkSize, e.End()-off)]
			if _, err := io.ReadFull(io.NewSectionReader(src, off, int64(len(p))), p); err != nil {
				return err
			}
			if _, err := dst.WriteAt(p, off); err != nil {
				return err
			}
		}
	}
	return nil
}

// mounted is an image that is mounted on a directory of its own.
type mounted struct {
	dir string
}

// mountImage mounts the image by a loop device. Nothing in it can be run, and no device in it works.
func mountImage(ctx context.Context, path, options string) (*mounted, error) {
	tool, err := findTool("mount")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "replica-mount-")
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
		err = &lab.Error{Op: "unmount", Path: m.dir, Hint: "umount -l " + m.dir, Err: errors.New(strings.TrimSpace(out))}
	}
	return errors.Join(err, os.Remove(m.dir))
}
