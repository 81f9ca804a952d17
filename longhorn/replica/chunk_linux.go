package replica

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// chunk is a piece of the volume to be copied.
type chunk struct {
	off, end int64
	seg      int  // the first segment in it
	hole     bool // nothing but zeros, on a device
	buf      []byte
	done     chan struct{}
	err      error
}

// produce cuts what is left of the volume into chunks: pieces of aligned windows, from the first to
// the last segment in each.
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
	pos := cp.from
	holes := func(to int64) error {
		for cp.t.device && pos < to {
			c := &chunk{off: pos, end: min(pos+zeroChunk, to), hole: true}
			if err := send(c); err != nil {
				return err
			}
			pos = c.end
		}
		return nil
	}
	segs := cp.im.segments
	next := lookahead{seg: cp.im.find(cp.from), off: cp.from}
	for i := cp.im.find(cp.from); i < len(segs); {
		c := &chunk{off: max(segs[i].start, pos), seg: i}
		limit := (c.off/chunkSize + 1) * chunkSize
		for i < len(segs) && segs[i].start < limit {
			c.end = min(segs[i].end, limit)
			if segs[i].end > limit {
				break
			}
			i++
		}
		if err := holes(c.off); err != nil {
			return err
		}
		if !cp.cloning.Load() || !cp.o.NoHash {
			next = cp.ahead(next, c.end+readAhead)
		}
		if err := send(c); err != nil {
			return err
		}
		pos = c.end
	}
	return holes(cp.im.Size())
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

// dataIn returns how many bytes of the chunk come from a layer.
func (cp *copier) dataIn(c *chunk) (n int64) {
	for _, s := range cp.im.segments[c.seg:] {
		if s.start >= c.end {
			break
		}
		n += min(s.end, c.end) - max(s.start, c.off)
	}
	return n
}
