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

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// Pack writes the replica directory dir to w as a stream from which [Unpack] recreates it, extent
// for extent: holes stay holes, written zeros stay written, preallocated space stays preallocated;
// with hard links, times, modes and owners. The directory must not be in use, and is proved
// unchanged before the stream is ended, so that a stream that ends well is good. A backing file is
// not in the directory: it may be copied by any means. events may be nil.
func Pack(ctx context.Context, w io.Writer, dir string, events func(lab.Event)) (*Packed, error) {
	d, err := Read(dir)
	if err != nil {
		return nil, err
	}
	p := &packer{ctx: ctx, d: d, w: newStreamWriter(w), events: events}
	err = p.run()
	if errors.Is(err, context.Canceled) {
		return nil, err
	}
	if err != nil {
		return nil, located(lab.Error{Op: "pack replica", Path: dir}, err)
	}
	return &Packed{Directory: d.Path, Files: len(d.files), Bytes: p.data, Stream: p.w.n, Warnings: p.warnings}, nil
}

// packer is one run of [Pack].
type packer struct {
	ctx    context.Context
	d      *Directory
	w      *streamWriter
	events func(lab.Event)
	data   int64     // bytes written
	total  int64     // bytes on disk
	last   time.Time // of the last event

	warnings warnings
}

// at is the place of an error.
func (p *packer) at(path, hint string) lab.Error {
	return lab.Error{Op: "pack replica", Target: p.d.Name(), Path: path, Hint: hint}
}

func (p *packer) run() error {
	names, err := diskfile.Names(p.d.Path)
	if err != nil {
		return err
	}
	ids := map[[2]uint64]string{}
	for _, f := range p.d.files {
		ids[f.id()] = filepath.Join(p.d.Path, f.name)
		p.total += f.info.Allocated
	}
	for _, n := range names {
		if !slices.ContainsFunc(p.d.files, func(f dirFile) bool { return f.name == n }) {
			at := p.at(n, "move it out of the directory, if it is not the replica's")
			return refuse(at, "it is not a regular file")
		}
	}
	if err := p.idle(ids); err != nil {
		return err
	}
	dir, err := diskfile.Lstat(p.d.Path)
	if err != nil {
		return err
	}
	if err := p.entries(dir); err != nil {
		return err
	}
	if err := p.unchanged(dir); err != nil {
		return err
	}
	if err := p.idle(ids); err != nil {
		return err
	}
	return p.w.end()
}

// entries writes the header and every file.
func (p *packer) entries(dir diskfile.Info) error {
	err := p.w.begin(streamHeader{
		Version: streamVersion, Directory: p.d.Name(),
		Mode: uint32(dir.Mode.Perm()), UID: dir.UID, GID: dir.GID, Mtime: dir.Mtime,
	})
	if err != nil {
		return err
	}
	first := map[[2]uint64]string{}
	for _, f := range p.d.files {
		e := streamEntry{
			Name: f.name, Size: f.info.Size, Link: first[f.id()],
			Mode: uint32(f.info.Mode.Perm()), UID: f.info.UID, GID: f.info.GID, Mtime: f.info.Mtime,
		}
		if e.Link == "" {
			first[f.id()] = f.name
		}
		if err := p.file(f, e); err != nil {
			return err
		}
	}
	return nil
}

// unchanged proves that nothing was changed since the directory was read.
func (p *packer) unchanged(dir diskfile.Info) error {
	for _, f := range p.d.files {
		now, err := diskfile.Lstat(filepath.Join(p.d.Path, f.name))
		if err != nil || now.Fingerprint != f.info.Fingerprint {
			return p.changed(f.name)
		}
	}
	if now, err := diskfile.Lstat(p.d.Path); err != nil || now.Fingerprint != dir.Fingerprint {
		return p.changed("")
	}
	return nil
}

func (p *packer) changed(name string) error {
	return located(p.at(name, changedHint), fmt.Errorf("%w: it has changed meanwhile", lab.ErrDrift))
}

// idle refuses files that somebody may write to.
func (p *packer) idle(ids map[[2]uint64]string) error {
	holders, blind, err := openForWriting(p.ctx, ids)
	if err != nil {
		return err
	}
	if w := (Warning{Code: WarnInUseUnknown, Text: blind}); blind != "" && !slices.Contains(p.warnings, w) {
		p.warnings = append(p.warnings, w)
	}
	if len(holders) > 0 {
		return refuse(p.at(holders[0].path, inUseHint), "in use by %s", holders[0].who)
	}
	return nil
}

// file writes one entry.
func (p *packer) file(f dirFile, e streamEntry) error {
	if err := p.w.beginEntry(e); err != nil {
		return err
	}
	if e.Link != "" {
		return p.w.endEntry()
	}
	src, err := diskfile.Open(filepath.Join(p.d.Path, f.name))
	if src == nil {
		return err
	}
	defer src.Close()
	if fi, err := diskfile.Stat(src); err != nil || fi.Fingerprint != f.info.Fingerprint {
		return p.changed(f.name)
	}
	extents := []diskfile.Extent{{Off: 0, Len: e.Size}}
	if kindOf(f.name).sparse() {
		extents, _, err = diskfile.Extents(src, e.Size)
		if errors.Is(err, diskfile.ErrNoExtents) {
			return refuse(p.at(f.name, "pack it on the disk that Longhorn wrote to (ext4, xfs)"), "%v", err)
		}
		if err != nil {
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
		if err := p.content(src, f.name, x, buf); err != nil {
			return err
		}
	}
	return p.w.endEntry()
}

// content writes the bytes of an extent.
func (p *packer) content(src *os.File, name string, x diskfile.Extent, buf []byte) error {
	for off := x.Off; off < x.End(); {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(maxFrame, x.End()-off)]
		if n, err := src.ReadAt(b, off); err != nil && !(errors.Is(err, io.EOF) && n == len(b)) {
			return fmt.Errorf("read %s at %d: %w", src.Name(), off, err)
		}
		if err := p.w.frame(frameData, b); err != nil {
			return err
		}
		off += int64(len(b))
		p.data += int64(len(b))
		p.progress(name)
	}
	return nil
}

func (p *packer) progress(name string) {
	if p.events == nil || time.Since(p.last) < reportEvery {
		return
	}
	p.last = time.Now()
	p.events(lab.Event{Time: p.last, Kind: lab.EventDoing, Target: name, Text: "pack",
		Done: min(p.data, p.total), Total: p.total, Unit: "bytes"})
}
