package fsimage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// replayed copies the image and replays the journal of the copy. It returns the copy's path, or ""
// where what that needs is missing: e2fsck for ext, root for XFS, an image that is a file; and what
// was said of removing orphans.
func replayed(ctx context.Context, image *os.File, path string, fsys FileSystem) (name, said string, err error) {
	var tool string
	if fsys.ext() {
		if tool, err = findTool("e2fsck"); err != nil {
			return "", "", nil
		}
	} else if fsys.Type != "xfs" || os.Geteuid() != 0 {
		return "", "", nil
	}
	fi, err := image.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		return "", "", err
	}
	name = path + ".replay"
	if err := copySparse(ctx, image, name, fi.Size()); err != nil {
		return "", "", &lab.Error{Op: "copy image", Path: name, Hint: "remove what is in the way, or make room", Err: err}
	}
	if fsys.ext() {
		said, err = replayExt(ctx, tool, name, fsys.orphanFile)
	} else {
		err = replayXFS(ctx, name)
	}
	if err != nil {
		os.Remove(name)
		return "", "", err
	}
	return name, said, nil
}

// replayError says why e2fsck did not replay a journal.
type replayError struct {
	code int
	out  string
}

func (e *replayError) Error() string {
	return fmt.Sprintf("the journal could not be replayed: e2fsck exited with %d: %s", e.code, e.out)
}

// replayExt replays the journal, and, with a file of orphans, removes these: the replay alone leaves
// what looks like errors then, which the next mount would put right. e2fsck -p, which does that, repairs
// other small faults as well where it checks the whole file system: what it said is returned.
func replayExt(ctx context.Context, tool, path string, orphanFile bool) (said string, err error) {
	out, code, err := runTool(ctx, tool, "-p", "-E", "journal_only", path)
	if err == nil && (code < 0 || code >= 4) {
		err = &replayError{code, strings.TrimSpace(out)}
	}
	if err != nil || !orphanFile {
		return "", err
	}
	said, _, err = runTool(ctx, tool, "-p", path) // what it does not dare to repair is for the check to find
	return strings.TrimSpace(said), err
}

// replayXFS mounts the image: that is when XFS replays its log.
func replayXFS(ctx context.Context, path string) error {
	m, err := mountImage(ctx, path, "rw,nouuid") // a copy has the original's UUID, which may be mounted
	if err != nil {
		return err
	}
	return m.unmount()
}

// copySparse copies src to a new file, by sharing its blocks if that can be done, otherwise without
// its holes.
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
