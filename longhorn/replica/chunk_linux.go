package replica

import (
	"context"
	"crypto/sha256"
	"os"

	"golang.org/x/sys/unix"
)

// chunk is a piece of the volume to be copied, or, on a device, a hole.
type chunk struct {
	start, end int64
	off, last  int64 // where its data begin and end
	seg        int   // the first segment in it
	hole       bool  // nothing but zeros
	there      bool  // an interrupted run has copied it: it is hashed only
	sum        [sha256.Size]byte
	done       chan struct{}
	err        error
}

// produce cuts what is left of the volume into its pieces, those with data. On a device, the holes
// between them are chunks too.
func (cp *copier) produce(ctx context.Context, order, work chan<- *chunk) error {
	send := func(c *chunk) error {
		c.done = make(chan struct{})
		select {
		case order <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case work <- c:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if cp.o.Hash == TreeHash && cp.hashed < cp.from {
		if err := cp.pieces(cp.hashed, cp.from, func(c *chunk) error { c.there = true; return send(c) }); err != nil {
			return err
		}
	}
	pos := cp.from
	holes := func(to int64) error {
		for cp.t.device && pos < to {
			c := &chunk{start: pos, end: min(pos+zeroChunk, to), hole: true}
			if err := send(c); err != nil {
				return err
			}
			pos = c.end
		}
		return nil
	}
	next := lookahead{seg: cp.im.find(cp.from), off: cp.from}
	err := cp.pieces(cp.from, cp.im.Size(), func(c *chunk) error {
		if err := holes(c.start); err != nil {
			return err
		}
		if !cp.cloning.Load() || cp.o.Hash == TreeHash {
			next = cp.ahead(next, c.end+readAhead)
		}
		pos = c.end
		return send(c)
	})
	if err != nil {
		return err
	}
	return holes(cp.im.Size())
}

// pieces calls do for each piece with data between two offsets, the first of which is the beginning of
// a piece.
func (cp *copier) pieces(from, to int64, do func(*chunk) error) error {
	segs := cp.im.segments
	for i := cp.im.find(from); i < len(segs) && max(segs[i].start, from) < to; {
		c := &chunk{off: max(segs[i].start, from), seg: i}
		c.start = c.off &^ (pieceSize - 1)
		c.end = min(c.start+pieceSize, cp.im.Size())
		for i < len(segs) && segs[i].start < c.end {
			c.last = min(segs[i].end, c.end)
			if segs[i].end > c.end {
				break
			}
			i++
		}
		if err := do(c); err != nil {
			return err
		}
		from = c.end
	}
	return nil
}

// lookahead is up to where the kernel knows what will be read.
type lookahead struct {
	seg int
	off int64
}

// ahead has the kernel read ahead up to the offset to. What several workers read of a file at once
// is no sequence to it, so that it would not do so by itself: without this, a merge of files that
// are not in memory takes up to twice the time.
func (cp *copier) ahead(h lookahead, to int64) lookahead {
	asked, there := false, false
	for segs := cp.im.segments; h.seg < len(segs) && segs[h.seg].start < to; h.seg++ {
		s := segs[h.seg]
		f := cp.im.sources[s.layer].file
		from, end := max(s.start, h.off), min(s.end, to)
		if from < end && !asked {
			// One stands for all: a call for each would cost more than it spares.
			asked, there = true, inMemory(f, from)
		}
		if from < end && !there {
			_ = unix.Fadvise(int(f.Fd()), from, end-from, unix.FADV_WILLNEED) // without it, it is slower
		}
		h.off = max(h.off, end)
		if s.end > to {
			break
		}
	}
	return h
}

// inMemory reports whether the page at off can be read without waiting for the disk; false when
// that is not known.
func inMemory(f *os.File, off int64) bool {
	n, err := unix.Preadv2(int(f.Fd()), [][]byte{make([]byte, 1)}, off, unix.RWF_NOWAIT)
	return err == nil && n == 1
}

// dataIn returns how many bytes of the piece come from a layer.
func (cp *copier) dataIn(c *chunk) (n int64) {
	for _, s := range cp.im.segments[c.seg:] {
		if s.start >= c.last {
			break
		}
		n += min(s.end, c.last) - max(s.start, c.off)
	}
	return n
}
