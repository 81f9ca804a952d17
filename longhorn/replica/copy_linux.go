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
	maxWorkers      = 16
	moveSize        = 256 << 10 // bytes that are read, hashed and written at a time: what a core's cache holds
	copyAhead       = 256       // pieces that may be copied and wait to be hashed: about what a page cache holds
	readAhead       = 32 << 20  // bytes of the volume
	zeroChunk       = 64 << 20  // bytes of a hole that are zeroed at a time on a device
	checkpointEvery = 2 * time.Second
)

// copier copies an image into a target. Workers copy pieces in parallel, and hash them on the way; a
// collector sees them in order, so that it is known up to where everything is copied, and adds up
// their digests. The plain SHA-256 has to be computed in order: a hasher follows the collector and
// reads back what was copied.
type copier struct {
	im   *Image
	t    *target
	o    Output
	hash hash.Hash         // of the whole image, or of the pieces' digests
	zero [sha256.Size]byte // the digest of a piece of zeros

	cloning atomic.Bool // cloning works, as far as is known
	ranging atomic.Bool // copy_file_range works
	cloned  atomic.Bool // some piece was cloned
	ranged  atomic.Bool
	written atomic.Int64 // bytes of data

	waiting *chunk // the collector's, when it stopped
	from    int64  // how far an interrupted run had copied
	copied  atomic.Int64
	mu      sync.Mutex // guards hash, hashed; the hasher holds it long: the collector does not take it then
	hashed  int64
}

func newCopier(im *Image, t *target, o Output, j journal) *copier {
	cp := &copier{im: im, t: t, o: o, hash: sha256.New(), zero: zeroPiece(pieceSize), from: j.Copied}
	cp.copied.Store(j.Copied)
	if j.Hash == o.Hash && len(j.Sum) > 0 {
		if cp.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(j.Sum) == nil {
			cp.hashed = j.Hashed
		} else {
			cp.hash.Reset()
		}
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
	workers = min(workers, maxWorkers)
	order, work := make(chan *chunk, 2*workers), make(chan *chunk)
	hashing := make(chan int64, copyAhead)

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

// drain counts the pieces that were done when the collector stopped, up to the first that was not.
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
			cp.take(c)
		default:
			return
		}
	}
}

// worker copies pieces until an error.
func (cp *copier) worker(work <-chan *chunk) error {
	var w *pieceWorker
	for c := range work {
		if w == nil {
			w = &pieceWorker{copier: cp, buf: make([]byte, moveSize)}
		}
		c.err = w.copy(c)
		close(c.done)
		if c.err != nil {
			return c.err
		}
	}
	return nil
}

// pieceWorker is a worker with its memory.
type pieceWorker struct {
	*copier
	buf  []byte
	hash pieceHash
}

// copy copies one piece into the output, and, for the tree hash, hashes it.
func (w *pieceWorker) copy(c *chunk) error {
	if c.there {
		return w.move(c, w.t.readBack)
	}
	if w.o.fault != nil {
		if err := w.o.fault(c.start); err != nil {
			return err
		}
	}
	if c.hole {
		return w.t.zero(c.start, c.end-c.start)
	}
	if w.t.device {
		if err := w.zeroAround(c); err != nil {
			return err
		}
	}
	w.written.Add(w.dataIn(c))
	shared, err := w.share(c)
	if err != nil || shared && w.o.Hash != TreeHash {
		return err
	}
	return w.move(c, func(p []byte, off int64) error {
		if err := w.im.read(p, off, w.im.find(off)); err != nil || shared {
			return err
		}
		return w.t.write(p, off)
	})
}

// move moves the data of a piece through the buffer, and, for the tree hash, hashes it.
func (w *pieceWorker) move(c *chunk, through func(p []byte, off int64) error) error {
	tree := w.o.Hash == TreeHash
	if tree {
		w.hash.reset()
	}
	for off := c.off; off < c.last; {
		p := w.buf[:min(int64(len(w.buf)), c.last-off)]
		if err := through(p, off); err != nil {
			return err
		}
		if tree {
			w.hash.add(p, off-c.start)
		}
		off += int64(len(p))
	}
	if tree {
		c.sum = w.hash.sum(c.end - c.start)
	}
	return nil
}

// zeroAround zeroes what of the piece is before and behind its data, on a device.
func (cp *copier) zeroAround(c *chunk) error {
	for _, hole := range [][2]int64{{c.start, c.off}, {c.last, c.end}} {
		if hole[0] < hole[1] {
			if err := cp.t.zero(hole[0], hole[1]-hole[0]); err != nil {
				return err
			}
		}
	}
	return nil
}

// collect waits for the pieces in their order, and passes on up to where the image may be hashed.
func (cp *copier) collect(ctx context.Context, order <-chan *chunk, hashing chan<- int64) error {
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
		cp.take(c)
		cp.waiting = nil
		if c.end-kicked >= 16<<20 {
			cp.t.writeback(kicked, c.end-kicked)
			kicked = c.end
		}
		if cp.o.Hash != SHA256 {
			continue
		}
		select {
		case hashing <- c.end:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if ctx.Err() == nil {
		cp.take(&chunk{start: cp.im.Size(), end: cp.im.Size(), hole: true})
	}
	return ctx.Err()
}

// take records that everything up to the end of c is copied. The collector alone calls it, and drain
// when that has ended.
func (cp *copier) take(c *chunk) {
	if cp.o.Hash == TreeHash {
		cp.mu.Lock()
		defer cp.mu.Unlock()
		cp.addPiece(c)
	}
	cp.copied.Store(max(cp.copied.Load(), c.end))
}
