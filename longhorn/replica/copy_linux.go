package replica

import (
	"context"
	"crypto/sha256"
	"encoding"
	"hash"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	buffers         = 16       // of chunkSize, in all
	copyAhead       = 1024     // chunks that may be copied and wait to be hashed: about what a page cache holds
	readAhead       = 16 << 20 // bytes of the volume
	zeroChunk       = 64 << 20 // bytes of a hole that are zeroed at a time on a device
	checkpointEvery = 2 * time.Second
)

// copier copies an image into a target. Workers copy chunks in parallel; a collector sees them in
// order, so that it is known up to where everything is copied; a hasher follows, with the chunk's
// bytes where they are still at hand, otherwise reading them back from the output. Holes cost the
// hasher as much as data, so it may fall behind, and does not hold up the copying before copyAhead.
type copier struct {
	im   *Image
	t    *target
	o    Output
	hash hash.Hash

	free    chan []byte // buffers; nil for one that is not allocated yet
	cloning atomic.Bool // cloning works, as far as is known
	ranging atomic.Bool // copy_file_range works
	cloned  atomic.Bool // some chunk was cloned
	ranged  atomic.Bool
	written atomic.Int64 // bytes of data

	waiting *chunk // the collector's, when it stopped
	from    int64  // how far an interrupted run had copied
	copied  atomic.Int64
	mu      sync.Mutex // guards hash, hashed; long held: the collector does not take it
	hashed  int64
}

func newCopier(im *Image, t *target, o Output, j journal) *copier {
	cp := &copier{im: im, t: t, o: o, hash: sha256.New(), free: make(chan []byte, buffers), from: j.Copied}
	cp.copied.Store(j.Copied)
	for range buffers {
		cp.free <- nil // allocated when first used
	}
	if len(j.Hash) > 0 && !o.NoHash && cp.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(j.Hash) == nil {
		cp.hashed = j.Hashed
	}
	cp.cloning.Store(!t.device && (o.Method == Auto || o.Method == Clone))
	cp.ranging.Store(!t.device && o.Method == CopyRange)
	return cp
}

// used returns the method that did the most unusual of the work.
func (cp *copier) used() Method {
	switch {
	case cp.cloned.Load():
		return Clone
	case cp.ranged.Load():
		return CopyRange
	}
	return ReadWrite
}

// run copies what is left. On an error, the progress so far is on record.
func (cp *copier) run(ctx context.Context) error {
	workers := cp.o.Workers
	if workers <= 0 {
		workers = 4
	}
	workers = min(workers, buffers/2)
	order, work := make(chan *chunk, 4*buffers), make(chan *chunk)
	hashing := make(chan *chunk, copyAhead)

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { defer close(order); defer close(work); return cp.produce(gctx, order, work) })
	for range workers {
		g.Go(func() error { return cp.worker(work) })
	}
	g.Go(func() error { defer close(hashing); return cp.collect(gctx, order, hashing) })
	g.Go(func() error { return cp.hasher(gctx, hashing) })

	stop := make(chan struct{})
	var background sync.WaitGroup
	background.Go(func() { cp.checkpoints(stop) })
	background.Go(func() { cp.reports(stop) })
	err := g.Wait()
	close(stop)
	background.Wait()
	if err == nil {
		return nil
	}
	cp.drain(order)
	cp.checkpoint()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// drain counts the chunks that were done when the collector stopped, up to the first that was not.
func (cp *copier) drain(order <-chan *chunk) {
	for c := cp.waiting; ; c = nil {
		if c == nil {
			var more bool
			if c, more = <-order; !more {
				return
			}
		}
		select {
		case <-c.done:
			if c.err != nil {
				return
			}
			cp.advance(c.end)
		default:
			return
		}
	}
}

// worker copies chunks until an error.
func (cp *copier) worker(work <-chan *chunk) error {
	for c := range work {
		c.err = cp.copy(c)
		close(c.done)
		if c.err != nil {
			return c.err
		}
	}
	return nil
}

// copy copies one chunk into the output, and leaves its bytes in c.buf if there are buffers to
// spare and they are hashed.
func (cp *copier) copy(c *chunk) error {
	if cp.o.fault != nil {
		if err := cp.o.fault(c.off); err != nil {
			return err
		}
	}
	if c.hole {
		return cp.t.zero(c.off, c.end-c.off)
	}
	cp.written.Add(cp.dataIn(c))
	done, err := cp.share(c)
	if err != nil || done && cp.o.NoHash {
		return err
	}
	buf := <-cp.free
	if buf == nil {
		buf = make([]byte, chunkSize)
	}
	p := buf[:c.end-c.off]
	err = cp.im.read(p, c.off, c.seg)
	if err == nil && !done {
		err = cp.t.write(p, c.off)
	}
	if err == nil && !cp.o.NoHash && len(cp.free) >= buffers/2 {
		c.buf = p
		return nil
	}
	cp.free <- buf
	return err
}

// collect waits for the chunks in their order and passes them on to be hashed.
func (cp *copier) collect(ctx context.Context, order <-chan *chunk, hashing chan<- *chunk) error {
	kicked := cp.copied.Load()
	for c := range order {
		cp.waiting = c
		select {
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if c.err != nil {
			return c.err
		}
		cp.advance(c.end)
		cp.waiting = nil
		if c.end-kicked >= 16<<20 {
			cp.t.writeback(kicked, c.end-kicked)
			kicked = c.end
		}
		if cp.o.NoHash || c.hole {
			continue
		}
		select {
		case hashing <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if ctx.Err() == nil {
		cp.advance(cp.im.Size())
	}
	return ctx.Err()
}

// advance records that everything up to the offset to is copied. The collector alone calls it, and
// drain when that has ended.
func (cp *copier) advance(to int64) { cp.copied.Store(max(cp.copied.Load(), to)) }
