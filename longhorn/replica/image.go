package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

const (
	chunkSize   = 1 << 20                // bytes of a volume that are worked on at a time
	reportEvery = 200 * time.Millisecond // between events
)

// Image is one state of a volume, opened for reading: the layers laid over each other. It is safe for concurrent use.
type Image struct {
	Chain    *Chain
	Warnings []Warning // of opening; the chain's own are in Chain

	sources  []source // as the chain's layers, then the backing file
	segments []segment
	data     int64 // bytes in segments
}

// source is a layer or backing file, opened read-only.
type source struct {
	path    string
	file    *os.File
	print   diskfile.Fingerprint
	extents int
}

// Open opens the layers of the chain read-only, without changing their access times, and finds their extents. It refuses
// ([lab.ErrRefused]) a directory that a process has open for writing or that is attached to a loop device, a file system that does not
// tell holes from written zeros, and one whose blocks are larger than a sector. Without Linux it is [errors.ErrUnsupported].
func (c *Chain) Open(ctx context.Context) (*Image, error) {
	im := &Image{Chain: c}
	if err := im.open(ctx); err != nil {
		im.Close()
		return nil, err
	}
	return im, nil
}

func (im *Image) open(ctx context.Context) error {
	c := im.Chain
	paths := make([]string, 0, len(c.Layers)+1)
	for _, l := range c.Layers {
		paths = append(paths, filepath.Join(c.Directory.Path, l.File))
	}
	if c.Backing != "" {
		paths = append(paths, c.Backing)
	}
	ws := (*warnings)(&im.Warnings)
	for i, path := range paths {
		f, err := diskfile.Open(path)
		if f == nil {
			return im.fail(path, readHint(err), err)
		}
		im.sources = append(im.sources, source{path: path, file: f})
		if errors.Is(err, diskfile.ErrAccessTime) {
			ws.add(WarnAccessTime, path, "opened so that reading may change its access time: only its owner and root can spare that")
		}
		fi, err := diskfile.Stat(f)
		if err != nil {
			return im.fail(path, "", err)
		}
		if i < len(c.Layers) && fi.Fingerprint != c.Layers[i].id {
			return im.changed(path)
		}
		im.sources[i].print = fi.Fingerprint
	}
	if err := im.notInUse(ctx); err != nil {
		return err
	}
	extents := make([][]diskfile.Extent, len(im.sources))
	for i := range im.sources {
		if err := ctx.Err(); err != nil {
			return err
		}
		found, err := im.extents(i)
		if err != nil {
			return err
		}
		im.sources[i].extents = len(found)
		extents[i] = sectors(found, c.Size)
	}
	im.segments = locate(extents)
	for _, s := range im.segments {
		im.data += s.end - s.start
	}
	return im.encrypted()
}

// extents returns the ranges of source i that belong to it. Of the oldest source only the content matters, since everything that is not
// found above it is looked up there, so that its holes and zeros are the same.
func (im *Image) extents(i int) ([]diskfile.Extent, error) {
	s, last := &im.sources[i], i == len(im.sources)-1
	ws := (*warnings)(&im.Warnings)
	size := min(s.print.Size, im.Chain.Size)
	found, bySeek, err := diskfile.Extents(s.file, size)
	if last {
		if err == nil {
			// Unwritten space at the bottom is as good as a hole.
			kept := found[:0]
			for _, e := range found {
				if !e.Unwritten {
					kept = append(kept, e)
				}
			}
			return kept, nil
		}
		if errors.Is(err, errors.ErrUnsupported) {
			return nil, im.fail(s.path, unsupportedHint, err)
		}
		return []diskfile.Extent{{Off: 0, Len: size}}, nil
	}
	if err != nil {
		hint := ""
		switch {
		case errors.Is(err, diskfile.ErrNoExtents):
			err = fmt.Errorf("%w: %w", lab.ErrRefused, err)
			hint = "merge on the disk that Longhorn wrote to (ext4, xfs); move replica directories with `replica pack` and `replica unpack`, or tar -cS"
		case errors.Is(err, errors.ErrUnsupported):
			hint = unsupportedHint
		}
		return nil, im.fail(s.path, hint, err)
	}
	if bs, err := diskfile.BlockSize(s.file); err != nil {
		return nil, im.fail(s.path, "", err)
	} else if bs > SectorSize {
		return nil, im.fail(s.path, "use another replica, on a file system with blocks of 4096 bytes",
			fmt.Errorf("%w: the file system's blocks have %d bytes, so that a written sector makes its neighbours look written too", lab.ErrRefused, bs))
	}
	all, unwritten := total(found)
	if bySeek {
		ws.add(WarnExtentsBySeek, s.path, "tmpfs has no FIEMAP: holes were told by SEEK_DATA, and the block count proves them complete")
	}
	if unwritten > 0 {
		ws.add(WarnUnwritten, s.path, "%d bytes are allocated but were never written: they read as zeros and hide the layers below", unwritten)
	}
	if all >= size && size > 0 {
		ws.add(WarnFullLayer, s.path, "allocated throughout, so that nothing below it shows: right if all of it was written, wrong if it was copied by cp, rsync or tar without -S")
	}
	return found, nil
}

const unsupportedHint = "run it on Linux, on the machine that owns the disk"

// encrypted refuses a LUKS container that volume.meta does not tell of: the field is as new as 1.13.
func (im *Image) encrypted() error {
	if im.Chain.Directory.Meta.Encrypted || im.Chain.Size < SectorSize {
		return nil
	}
	magic := make([]byte, 6)
	if _, err := im.ReadAt(magic, 0); err != nil {
		return err
	}
	if string(magic) != "LUKS\xba\xbe" {
		return nil
	}
	if !im.Chain.luks {
		return im.fail("", "merge the LUKS container with -encrypted, then open it with cryptsetup and the StorageClass's secret (CRYPTO_KEY_VALUE)",
			fmt.Errorf("%w: the volume is encrypted (its first bytes are a LUKS header)", lab.ErrRefused))
	}
	(*warnings)(&im.Warnings).add(WarnEncrypted, "", "the image is a LUKS container: open it with cryptsetup and the StorageClass's secret")
	return nil
}

func (im *Image) fail(path, hint string, err error) error {
	var le *lab.Error
	if errors.As(err, &le) {
		return err
	}
	return &lab.Error{Op: "open replica", Target: im.Chain.Directory.Name(), Path: path, Hint: hint, Err: err}
}

func (im *Image) changed(path string) error {
	return im.fail(path, "detach the volume, make sure that nothing writes to the directory, and start again",
		fmt.Errorf("%w: the file has changed meanwhile", lab.ErrDrift))
}

// notInUse refuses files that somebody may write to.
func (im *Image) notInUse(ctx context.Context) error {
	ids := map[[2]uint64]string{}
	for _, s := range im.sources {
		ids[[2]uint64{s.print.Dev, s.print.Ino}] = s.path
	}
	holders, blind, err := openForWriting(ctx, ids)
	if err != nil {
		return im.fail("", "", err)
	}
	if blind != "" {
		(*warnings)(&im.Warnings).add(WarnInUseUnknown, "", "%s", blind)
	}
	if len(holders) > 0 {
		h := holders[0]
		return im.fail(h.path, "detach the volume (scale its workload down), or stop that process", fmt.Errorf("%w: in use by %s", lab.ErrRefused, h.who))
	}
	return nil
}

// Unchanged reports, as an error ([lab.ErrDrift]), a source that is no longer as it was when it was opened.
func (im *Image) Unchanged() error {
	for _, s := range im.sources {
		open, err := diskfile.Stat(s.file)
		if err != nil {
			return im.fail(s.path, "", err)
		}
		named, err := diskfile.Lstat(s.path)
		if err != nil || open.Fingerprint != s.print || named.Fingerprint != s.print {
			return im.changed(s.path)
		}
	}
	return nil
}

// Size returns the volume's size in bytes.
func (im *Image) Size() int64 { return im.Chain.Size }

// DataBytes returns how many bytes come from a layer; the rest are holes.
func (im *Image) DataBytes() int64 { return im.data }

// Segments returns of how many contiguous pieces, each of one layer, the image is made.
func (im *Image) Segments() int { return len(im.segments) }

// ReadAt reads the volume's content, as [io.ReaderAt] says.
func (im *Image) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	if off >= im.Chain.Size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), im.Chain.Size-off))
	if err := im.read(p[:n], off, im.find(off)); err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// find returns the index of the first segment that ends behind off.
func (im *Image) find(off int64) int {
	return sort.Search(len(im.segments), func(i int) bool { return im.segments[i].end > off })
}

// read fills p with the content at off; seg is find(off).
func (im *Image) read(p []byte, off int64, seg int) error {
	pos := off
	end := off + int64(len(p))
	for ; seg < len(im.segments) && im.segments[seg].start < end; seg++ {
		s := im.segments[seg]
		from, to := max(s.start, pos), min(s.end, end)
		clear(p[pos-off : from-off])
		if err := im.sources[s.layer].readAt(p[from-off:to-off], from); err != nil {
			return im.fail(im.sources[s.layer].path, failingHint, err)
		}
		pos = to
	}
	clear(p[pos-off:])
	return nil
}

// readAt fills p; what lies behind the file's end reads as zeros.
func (s *source) readAt(p []byte, off int64) error {
	n := max(0, min(int64(len(p)), s.print.Size-off))
	clear(p[n:])
	if n == 0 {
		return nil
	}
	got, err := s.file.ReadAt(p[:n], off)
	if errors.Is(err, io.EOF) && int64(got) < n {
		return fmt.Errorf("read at %d: the file became shorter meanwhile: %w", off, lab.ErrDrift)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %d bytes at %d: %w", n, off, err)
	}
	return nil
}

// Close closes the layers.
func (im *Image) Close() error {
	var errs []error
	for _, s := range im.sources {
		errs = append(errs, s.file.Close())
	}
	im.sources = nil
	return errors.Join(errs...)
}
