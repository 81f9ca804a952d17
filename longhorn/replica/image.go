package replica

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"time"
)

const (
	chunkSize   = 1 << 20                // bytes of a volume that are worked on at a time
	reportEvery = 200 * time.Millisecond // between events
)

// Image is one state of a volume, opened for reading: the layers put over each other. It is safe
// for concurrent use.
type Image struct {
	Chain    *Chain
	Warnings []Warning // of opening; the chain's own are in Chain

	sources  []source // as the chain's layers, then the backing file
	segments []segment
	data     int64 // bytes in segments
}

// Size returns the volume's size in bytes.
func (im *Image) Size() int64 { return im.Chain.Size }

// DataBytes returns how many bytes come from a layer; the rest are holes.
func (im *Image) DataBytes() int64 { return im.data }

// Segments returns how many contiguous pieces, each of one layer, the image consists of.
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
			return located(im.at(im.sources[s.layer].path, failingHint), err)
		}
		pos = to
	}
	clear(p[pos-off:])
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
