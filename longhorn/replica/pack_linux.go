package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// Pack writes the replica directory dir to w as a stream from which [Unpack] makes it anew, extent for extent: holes stay holes, written
// zeros stay written, preallocated space stays that; with hard links, times, modes and owners. The directory must not be in use, and is
// proved unchanged before the stream is ended, so that a stream that ends well is good. A backing file is not in the directory: it may be
// copied by any means. events may be nil.
func Pack(ctx context.Context, w io.Writer, dir string, events func(lab.Event)) (*Packed, error) {
	d, err := Read(dir)
	if err != nil {
		return nil, err
	}
	p := &packer{ctx: ctx, d: d, w: newStreamWriter(w), events: events}
	if err := p.run(); err != nil {
		var le *lab.Error
		if errors.As(err, &le) || errors.Is(err, context.Canceled) {
			return nil, err
		}
		return nil, &lab.Error{Op: "pack replica", Path: dir, Err: err}
	}
	return &Packed{Directory: d.Path, Files: len(d.files), Bytes: p.data, Stream: p.w.n, Warnings: p.warnings}, nil
}

type packer struct {
	ctx    context.Context
	d      *Directory
	w      *streamWriter
	events func(lab.Event)
	data   int64
	total  int64
	last   time.Time

	warnings warnings
}

func (p *packer) refuse(path, hint, format string, args ...any) error {
	return &lab.Error{Op: "pack replica", Target: p.d.Name(), Path: path, Hint: hint, Err: fmt.Errorf("%w: %s", lab.ErrRefused, fmt.Sprintf(format, args...))}
}

func (p *packer) run() error {
	names, err := diskfile.Names(p.d.Path)
	if err != nil {
		return err
	}
	ids := map[[2]uint64]string{}
	for _, f := range p.d.files {
		ids[[2]uint64{f.info.Dev, f.info.Ino}] = filepath.Join(p.d.Path, f.name)
		p.total += f.info.Allocated
	}
	for _, n := range names {
		if !slices.ContainsFunc(p.d.files, func(f dirFile) bool { return f.name == n }) {
			return p.refuse(n, "move it out of the directory, if it is not the replica's", "it is not a regular file")
		}
	}
	if err := p.idle(ids); err != nil {
		return err
	}
	dir, err := diskfile.Lstat(p.d.Path)
	if err != nil {
		return err
	}
	if err := p.w.begin(streamHeader{Version: streamVersion, Directory: p.d.Name(), Mode: uint32(dir.Mode.Perm()), UID: dir.UID, GID: dir.GID, Mtime: dir.Mtime}); err != nil {
		return err
	}
	first := map[[2]uint64]string{}
	for _, f := range p.d.files {
		e := streamEntry{Name: f.name, Size: f.info.Size, Mode: uint32(f.info.Mode.Perm()), UID: f.info.UID, GID: f.info.GID, Mtime: f.info.Mtime}
		id := [2]uint64{f.info.Dev, f.info.Ino}
		e.Link = first[id]
		if e.Link == "" {
			first[id] = f.name
		}
		if err := p.file(f, e); err != nil {
			return err
		}
	}
	for _, f := range p.d.files {
		if fi, err := diskfile.Lstat(filepath.Join(p.d.Path, f.name)); err != nil || fi.Fingerprint != f.info.Fingerprint {
			return p.changed(f.name)
		}
	}
	if now, err := diskfile.Lstat(p.d.Path); err != nil || now.Fingerprint != dir.Fingerprint {
		return p.changed("")
	}
	if err := p.idle(ids); err != nil {
		return err
	}
	return p.w.end()
}

func (p *packer) idle(ids map[[2]uint64]string) error {
	holders, blind, err := openForWriting(p.ctx, ids)
	if err != nil {
		return err
	}
	if w := (Warning{Code: WarnInUseUnknown, Text: blind}); blind != "" && !slices.Contains(p.warnings, w) {
		p.warnings = append(p.warnings, w)
	}
	if len(holders) > 0 {
		return p.refuse(holders[0].path, "detach the volume (scale its workload down), or stop that process", "in use by %s", holders[0].who)
	}
	return nil
}

func (p *packer) changed(name string) error {
	return &lab.Error{Op: "pack replica", Target: p.d.Name(), Path: name, Hint: "detach the volume, make sure that nothing writes to the directory, and start again",
		Err: fmt.Errorf("%w: it has changed meanwhile", lab.ErrDrift)}
}

func (p *packer) file(f dirFile, e streamEntry) error {
	if err := p.w.beginEntry(e); err != nil {
		return err
	}
	if e.Link != "" {
		return p.w.endEntry()
	}
	path := filepath.Join(p.d.Path, f.name)
	src, err := diskfile.Open(path)
	if src == nil {
		return err
	}
	defer src.Close()
	if fi, err := diskfile.Stat(src); err != nil || fi.Fingerprint != f.info.Fingerprint {
		return p.changed(f.name)
	}
	extents := []diskfile.Extent{{Off: 0, Len: e.Size}}
	if k := kindOf(f.name); k == kindHead || k == kindSnapshot || k == kindRestore {
		if extents, _, err = diskfile.Extents(src, e.Size); err != nil {
			hint := "pack it on the disk that Longhorn wrote to (ext4, xfs)"
			if errors.Is(err, diskfile.ErrNoExtents) {
				return p.refuse(f.name, hint, "%v", err)
			}
			return err
		}
	}
	buf := make([]byte, maxFrame)
	for _, x := range extents {
		if x.Len == 0 {
			continue
		}
		if err := p.w.extent(x); err != nil {
			return err
		}
		if x.Unwritten {
			continue
		}
		for off := x.Off; off < x.End(); {
			if err := p.ctx.Err(); err != nil {
				return err
			}
			b := buf[:min(maxFrame, x.End()-off)]
			if n, err := src.ReadAt(b, off); err != nil && !(errors.Is(err, io.EOF) && n == len(b)) {
				return fmt.Errorf("read %s at %d: %w", path, off, err)
			}
			if err := p.w.frame(frameData, b); err != nil {
				return err
			}
			off += int64(len(b))
			p.data += int64(len(b))
			p.progress(f.name)
		}
	}
	return p.w.endEntry()
}

func (p *packer) progress(name string) {
	if p.events == nil || time.Since(p.last) < reportEvery {
		return
	}
	p.last = time.Now()
	p.events(lab.Event{Time: p.last, Kind: lab.EventNote, Target: name, Text: "pack", Done: min(p.data, p.total), Total: p.total, Unit: "bytes"})
}

// Unpack makes the replica directory dir, which must not exist, from a stream that [Pack] wrote. It is called dir.part until all of it is
// written, verified and on disk; of a stream that was cut off or has changed ([lab.ErrInvalid]), or on a file system that does not keep
// extents as they are ([lab.ErrRefused]), nothing stays. Owners are set when root does it.
func Unpack(ctx context.Context, r io.Reader, dir string) (*Packed, error) {
	place, err := diskfile.NewPlace("unpack replica", dir, nil)
	if err != nil {
		return nil, err
	}
	path := place.Path
	part, err := diskfile.MakePart("unpack replica", path)
	if err != nil {
		return nil, err
	}
	u := &unpacker{ctx: ctx, result: Packed{Directory: path}}
	(*warnings)(&u.result.Warnings).doubts(place)
	if u.root, err = os.OpenRoot(part); err == nil {
		err = readStream(&contextReader{ctx, r, &u.result.Stream}, u)
		err = errors.Join(err, u.close())
		if err == nil {
			err = u.finish(part, path)
		}
	}
	if err != nil {
		os.RemoveAll(part)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var le *lab.Error
		if errors.As(err, &le) {
			return nil, err
		}
		hint := ""
		switch {
		case errors.Is(err, errStream):
			hint = "make the stream again: replica pack DIR"
		case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
			hint = "free some space, or unpack to another disk; nothing of it was left"
		}
		return nil, &lab.Error{Op: "unpack replica", Path: path, Hint: hint, Err: err}
	}
	return &u.result, nil
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

type unpacker struct {
	ctx    context.Context
	root   *os.Root
	head   streamHeader
	now    streamEntry
	file   *os.File
	noMap  bool // the file system has no FIEMAP: preallocation could not be proved
	result Packed
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

// endEntry sets what belongs to the file, brings it to disk, and proves that a layer has the extents it is to have.
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
		if k := kindOf(e.Name); k == kindHead || k == kindSnapshot || k == kindRestore {
			err = sameExtents(f, e, extents)
		}
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	t := time.Unix(0, e.Mtime)
	return u.root.Chtimes(e.Name, t, t)
}

// sameExtents refuses a file system that has made something else of a layer's extents.
func sameExtents(f *os.File, e streamEntry, want []diskfile.Extent) error {
	size := (e.Size + SectorSize - 1) &^ (SectorSize - 1)
	got, _, err := diskfile.Extents(f, e.Size)
	if err == nil && !slices.Equal(sectors(got, size), sectors(want, size)) {
		err = errors.New("its extents are not as they were")
	}
	if err != nil {
		return &lab.Error{Op: "unpack replica", Path: e.Name, Hint: "unpack to ext4, xfs or btrfs with blocks of 4096 bytes",
			Err: fmt.Errorf("%w: this file system does not keep the layer: %w", lab.ErrRefused, err)}
	}
	return nil
}

// finish gives the directory its mode, owner, time and name.
func (u *unpacker) finish(part, path string) error {
	err := os.Chmod(part, os.FileMode(u.head.Mode)&0o777)
	if os.Geteuid() == 0 {
		err = errors.Join(err, os.Chown(part, u.head.UID, u.head.GID))
	}
	t := time.Unix(0, u.head.Mtime)
	if err = errors.Join(err, os.Chtimes(part, t, t), diskfile.SyncDir(part)); err != nil {
		return err
	}
	return diskfile.Finish(part, path)
}
