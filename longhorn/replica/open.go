package replica

import (
	"context"
	"errors"
	"path/filepath"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// Open opens the layers of the chain read-only, without changing their access times, and finds
// their extents. It refuses ([lab.ErrRefused]) a directory that a process has open for writing or
// that is attached to a loop device, a file system that does not tell holes from written zeros, and
// one whose blocks are larger than a sector. Without Linux it is [errors.ErrUnsupported].
func (c *Chain) Open(ctx context.Context) (*Image, error) {
	im := &Image{Chain: c}
	if err := im.open(ctx); err != nil {
		im.Close()
		return nil, err
	}
	return im, nil
}

func (im *Image) open(ctx context.Context) error {
	if err := im.openSources(); err != nil {
		return err
	}
	if err := im.notInUse(ctx); err != nil {
		return err
	}
	extents := make([][]diskfile.Extent, len(im.sources))
	for i := range im.sources {
		if err := ctx.Err(); err != nil {
			return err
		}
		find := im.layerExtents
		if i == len(im.sources)-1 {
			find = im.oldestExtents
		}
		found, err := find(&im.sources[i])
		if err != nil {
			return err
		}
		extents[i] = sectors(found, im.Chain.Size)
	}
	im.segments = locate(extents)
	for _, s := range im.segments {
		im.data += s.end - s.start
	}
	return im.encrypted()
}

// openSources opens the layers, which must be what their directory held when it was read, and the
// backing file.
func (im *Image) openSources() error {
	c := im.Chain
	paths := make([]string, 0, len(c.Layers)+1)
	for _, l := range c.Layers {
		paths = append(paths, filepath.Join(c.Directory.Path, l.File))
	}
	if c.Backing != "" {
		paths = append(paths, c.Backing)
	}
	for i, path := range paths {
		f, err := diskfile.Open(path)
		if f == nil {
			return located(im.at(path, readHint(err)), err)
		}
		im.sources = append(im.sources, source{path: path, file: f})
		if errors.Is(err, diskfile.ErrAccessTime) {
			im.warn(WarnAccessTime, path,
				"opened so that reading may change its access time: only its owner and root can spare that")
		}
		fi, err := diskfile.Stat(f)
		if err != nil {
			return located(im.at(path, ""), err)
		}
		if i < len(c.Layers) && fi.Fingerprint != c.Layers[i].id {
			return im.changed(path)
		}
		im.sources[i].print = fi.Fingerprint
	}
	return nil
}

// oldestExtents returns the ranges of the oldest source. Only its content matters, since everything
// that is not found above it is looked up there, so that its holes and zeros are the same.
func (im *Image) oldestExtents(s *source) ([]diskfile.Extent, error) {
	size := min(s.print.Size, im.Chain.Size)
	found, _, err := diskfile.Extents(s.file, size)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, located(im.at(s.path, unsupportedHint), err)
	}
	if err != nil {
		return []diskfile.Extent{{Off: 0, Len: size}}, nil
	}
	kept := found[:0]
	for _, e := range found {
		if !e.Unwritten { // at the bottom it is as good as a hole
			kept = append(kept, e)
		}
	}
	return kept, nil
}

// layerExtents returns the ranges of a source with others below it, which it hides.
func (im *Image) layerExtents(s *source) ([]diskfile.Extent, error) {
	size := min(s.print.Size, im.Chain.Size)
	found, bySeek, err := diskfile.Extents(s.file, size)
	switch {
	case errors.Is(err, diskfile.ErrNoExtents):
		next := do("merge on the disk that Longhorn wrote to (ext4, xfs)").
			or("move the directory from there with its holes, by tar -cS or as a packed stream", SettingPack, "")
		return nil, next.refuse(im.at(s.path, ""), "%w", err)
	case errors.Is(err, errors.ErrUnsupported):
		return nil, located(im.at(s.path, unsupportedHint), err)
	case err != nil:
		return nil, located(im.at(s.path, ""), err)
	}
	bs, err := diskfile.BlockSize(s.file)
	if err != nil {
		return nil, located(im.at(s.path, ""), err)
	}
	if bs > sectorSize {
		at := im.at(s.path, "use another replica, on a file system with blocks of 4096 bytes")
		return nil, refuse(at, "the file system's blocks have %d bytes, so that a written sector makes its neighbours "+
			"look written too", bs)
	}
	all, unwritten := total(found)
	if bySeek {
		im.warn(WarnExtentsBySeek, s.path,
			"tmpfs has no FIEMAP: holes were found by SEEK_DATA, and the block count proves them complete")
	}
	if unwritten > 0 {
		im.warn(WarnUnwritten, s.path,
			"%d bytes are allocated but were never written: they read as zeros and hide the layers below", unwritten)
	}
	if all >= size && size > 0 {
		im.warn(WarnFullLayer, s.path, "allocated throughout, so that nothing below it shows: right if all of it was "+
			"written, wrong if it was copied by cp, rsync or tar without -S")
	}
	return found, nil
}

// encrypted refuses a LUKS container that volume.meta does not mention: that field is as new as 1.13.
func (im *Image) encrypted() error {
	if im.Chain.Directory.Meta.Encrypted || im.Chain.Size < sectorSize {
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
		return asContainer().refuse(im.at("", ""), "the volume is encrypted (its first bytes are a LUKS header)")
	}
	im.warn(WarnEncrypted, "",
		"the image is a LUKS container: open it with cryptsetup and the StorageClass's secret")
	return nil
}

// at is the place of an error.
func (im *Image) at(path, hint string) lab.Error {
	return lab.Error{Op: "open replica", Target: im.Chain.Directory.Name(), Path: path, Hint: hint}
}

func (im *Image) warn(code Code, path, format string, args ...any) {
	(*warnings)(&im.Warnings).add(code, path, format, args...)
}
