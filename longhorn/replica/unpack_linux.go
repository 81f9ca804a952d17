package replica

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// Unpack recreates the replica directory dir, which must not exist, from a stream that [Pack]
// wrote. It is called dir.part until all of it is written, verified and on disk; of a stream that
// was cut off or has changed ([lab.ErrInvalid]), or on a file system that does not keep extents as
// they are ([lab.ErrRefused]), nothing is left. Owners are set when root does it.
func Unpack(ctx context.Context, r io.Reader, dir string) (*Packed, error) {
	place, err := diskfile.NewPlace("unpack replica", dir, nil)
	if err != nil {
		return nil, err
	}
	part, err := diskfile.MakePart("unpack replica", place.Path)
	if err != nil {
		return nil, err
	}
	u := &unpacker{ctx: ctx, result: Packed{Directory: place.Path}}
	(*warnings)(&u.result.Warnings).doubts(place)
	err = u.run(r, part)
	if err == nil {
		return &u.result, nil
	}
	os.RemoveAll(part)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	at := lab.Error{Op: "unpack replica", Path: place.Path}
	switch {
	case errors.Is(err, errStream):
		at.Hint, at.Set = "make the stream again", lab.Setting{Name: SettingPack}
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		at.Hint = "free some space, or unpack to another disk; nothing of it was left"
	}
	return nil, located(at, err)
}

// contextReader ends reading when the context ends, and counts.
type contextReader struct {
	ctx context.Context
	r   io.Reader
	n   *int64
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	*c.n += int64(n)
	return n, err
}

// unpacker is one run of [Unpack]: the sink of its stream.
type unpacker struct {
	ctx    context.Context
	root   *os.Root
	head   streamHeader
	now    streamEntry // that is being written
	file   *os.File    // of now; nil between two
	noMap  bool        // the file system has no FIEMAP: preallocation could not be proved
	result Packed
}

// run fills the directory part and gives it its name.
func (u *unpacker) run(r io.Reader, part string) (err error) {
	if u.root, err = os.OpenRoot(part); err != nil {
		return err
	}
	err = readStream(&contextReader{u.ctx, r, &u.result.Stream}, u)
	if err = errors.Join(err, u.close()); err != nil {
		return err
	}
	return u.finish(part)
}

func (u *unpacker) close() error {
	var errs []error
	if u.file != nil {
		errs = append(errs, u.file.Close())
	}
	return errors.Join(append(errs, u.root.Close())...)
}

func (u *unpacker) header(h streamHeader) error {
	u.head = h
	return nil
}

func (u *unpacker) entry(e streamEntry) (err error) {
	u.now = e
	u.result.Files++
	if e.Link != "" {
		return u.root.Link(e.Link, e.Name)
	}
	if u.file, err = u.root.OpenFile(e.Name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return err
	}
	if err := u.file.Truncate(e.Size); err != nil {
		return err
	}
	_, u.noMap, _ = diskfile.Extents(u.file, e.Size)
	return nil
}

func (u *unpacker) data(off int64, p []byte) error {
	u.result.Bytes += int64(len(p))
	_, err := u.file.WriteAt(p, off)
	return err
}

func (u *unpacker) unwritten(off, n int64) error {
	if !u.noMap {
		err := unix.Fallocate(int(u.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, off, n)
		if !errors.Is(err, unix.EOPNOTSUPP) {
			return err
		}
	}
	// Written zeros hide the layers below just as well.
	zeros := make([]byte, maxFrame)
	for n > 0 {
		if err := u.ctx.Err(); err != nil {
			return err
		}
		m, err := u.file.WriteAt(zeros[:min(n, maxFrame)], off)
		if err != nil {
			return err
		}
		off, n = off+int64(m), n-int64(m)
	}
	return nil
}

// endEntry sets the attributes of the file, syncs it, and proves that a layer has the
// extents it is to have.
func (u *unpacker) endEntry(extents []diskfile.Extent) error {
	e, f := u.now, u.file
	if e.Link != "" {
		return nil
	}
	u.file = nil
	err := f.Chmod(e.perm())
	if os.Geteuid() == 0 {
		err = errors.Join(err, f.Chown(e.UID, e.GID))
	}
	if err = errors.Join(err, f.Sync()); err == nil {
		if kindOf(e.Name).sparse() {
			if err = sameExtents(f, e, extents); err == nil {
				mark(f)
			}
		}
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	t := time.Unix(0, e.Mtime)
	return u.root.Chtimes(e.Name, t, t)
}

// sameExtents refuses a file system that did not keep a layer's extents.
func sameExtents(f *os.File, e streamEntry, want []diskfile.Extent) error {
	size := (e.Size + sectorSize - 1) &^ (sectorSize - 1)
	got, _, err := diskfile.Extents(f, e.Size)
	if err == nil && !slices.Equal(sectors(got, size), sectors(want, size)) {
		err = errors.New("its extents are not as they were")
	}
	if err != nil {
		at := lab.Error{Op: "unpack replica", Path: e.Name}
		at.Hint = "unpack to ext4, xfs or btrfs with blocks of 4096 bytes"
		return refuse(at, "this file system does not keep the layer: %w", err)
	}
	return nil
}

// finish gives the directory its mode, owner, time and name.
func (u *unpacker) finish(part string) error {
	err := os.Chmod(part, os.FileMode(u.head.Mode)&0o777)
	if os.Geteuid() == 0 {
		err = errors.Join(err, os.Chown(part, u.head.UID, u.head.GID))
	}
	t := time.Unix(0, u.head.Mtime)
	if err = errors.Join(err, os.Chtimes(part, t, t), diskfile.SyncDir(part)); err != nil {
		return err
	}
	return diskfile.Finish(part, u.result.Directory)
}
