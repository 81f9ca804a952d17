package replica

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
)

const (
	buffers         = 16       // of chunkSize, in all
	copyAhead       = 1024     // chunks that may be copied and wait to be hashed: about what a page cache holds
	readAhead       = 16 << 20 // bytes of the volume
	zeroChunk       = 64 << 20 // bytes of a hole that are zeroed at a time on a device
	checkpointEvery = 2 * time.Second
)

// copier moves an image into a target. Workers copy chunks in parallel; a collector sees them in order, so that "copied up to here" can be
// said; a hasher follows, with the chunk's bytes where they are still at hand, else reading them back from the output. Holes cost the
// hasher as much as data, so it may fall behind, and never holds the copying up before copyAhead.
type copier struct {
	im   *Image
	t    *target
	o    Output
	hash hash.Hash

	free    chan []byte
	cloning atomic.Bool // cloning works, as far as is known
	ranging atomic.Bool // copy_file_range works
	cloned  atomic.Bool
	ranged  atomic.Bool
	read    atomic.Bool
	written atomic.Int64

	waiting *chunk // the collector's, when it stopped
	from    int64  // how far an interrupted run had copied
	copied  atomic.Int64
	mu      sync.Mutex // guards hash, hashed; long held: the collector does not take it
	hashed  int64
}

// chunk is a piece of the volume to be copied.
type chunk struct {
	off, end int64
	seg      int  // the first segment in it
	hole     bool // nothing but zeros, on a device
	buf      []byte
	done     chan struct{}
	err      error
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

// run copies what is left. On an error, the way come so far is on record.
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

// produce cuts what is left of the volume into chunks: pieces of aligned windows, from the first to the last segment in each.
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
	next := hint{seg: cp.im.find(cp.from), off: cp.from}
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

// hint is up to where the kernel was told what will be read.
type hint struct {
	seg int
	off int64
}

// ahead tells the kernel to read up to to. What several workers read of a file at once is no sequence to it, so that it would not read ahead by
// itself: without this, a merge of files that are not in memory takes up to twice the time.
func (cp *copier) ahead(h hint, to int64) hint {
	asked, there := false, false
	for segs := cp.im.segments; h.seg < len(segs) && segs[h.seg].start < to; h.seg++ {
		s := segs[h.seg]
		from, end := max(s.start, h.off), min(s.end, to)
		if from < end && !asked {
			asked, there = true, inMemory(cp.im.sources[s.layer].file, from) // one stands for all: a call for each would cost more than it spares
		}
		if from < end && !there {
			_ = unix.Fadvise(int(cp.im.sources[s.layer].file.Fd()), from, end-from, unix.FADV_WILLNEED) // without it, it is slower
		}
		h.off = max(h.off, end)
		if s.end > to {
			break
		}
	}
	return h
}

// inMemory reports whether the page at off can be read without waiting for the disk; false when that cannot be found out.
func inMemory(f *os.File, off int64) bool {
	n, err := unix.Preadv2(int(f.Fd()), [][]byte{make([]byte, 1)}, off, unix.RWF_NOWAIT)
	return err == nil && n == 1
}

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

// copy brings one chunk into the output, and leaves its bytes in c.buf if there are buffers to spare and somebody wants them.
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
		cp.read.Store(true)
		err = cp.t.write(p, c.off)
	}
	if err == nil && !cp.o.NoHash && len(cp.free) >= buffers/2 {
		c.buf = p
		return nil
	}
	cp.free <- buf
	return err
}

func (cp *copier) dataIn(c *chunk) (n int64) {
	for _, s := range cp.im.segments[c.seg:] {
		if s.start >= c.end {
			break
		}
		n += min(s.end, c.end) - max(s.start, c.off)
	}
	return n
}

// share has the kernel copy the chunk, by reference where possible. It reports false when it cannot, so that the chunk must be read and
// written; with a method that was asked for, that is an error.
func (cp *copier) share(c *chunk) (bool, error) {
	if !cp.cloning.Load() && !cp.ranging.Load() {
		return false, nil
	}
	for _, s := range cp.im.segments[c.seg:] {
		if s.start >= c.end {
			break
		}
		src := cp.im.sources[s.layer]
		off := max(s.start, c.off)
		n := min(s.end, c.end, src.print.Size) - off
		if n <= 0 {
			continue
		}
		if cp.ranging.Load() {
			if err := copyRange(cp.t.file, src.file, off, n); err != nil {
				return false, cp.cannot(&cp.ranging, CopyRange, src.path, err)
			}
			cp.ranged.Store(true)
			continue
		}
		whole := n &^ (SectorSize - 1) // blocks can be shared whole only
		if whole > 0 {
			if err := clone(cp.t.file, src.file, off, whole); err != nil {
				return false, cp.cannot(&cp.cloning, Clone, src.path, err)
			}
			cp.cloned.Store(true)
		}
		if rest := n - whole; rest > 0 {
			p := make([]byte, rest)
			if err := src.readAt(p, off+whole); err != nil {
				return false, err
			}
			if _, err := cp.t.file.WriteAt(p, off+whole); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// cannot turns a way of copying off, when the error says that it does not exist here.
func (cp *copier) cannot(way *atomic.Bool, m Method, path string, err error) error {
	unable := errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) ||
		errors.Is(err, unix.ENOTTY) || errors.Is(err, errShort) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ETXTBSY)
	if !unable {
		return fmt.Errorf("%s from %s: %w", m, path, err)
	}
	if cp.o.Method == m {
		return &lab.Error{Op: "save image", Path: cp.t.path, Hint: "leave the method out: the fastest that works is chosen", Err: fmt.Errorf("%s from %s: %w", m, path, err)}
	}
	way.Store(false)
	return nil
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

// advance records that everything up to to is copied. The collector alone calls it, and drain when that has ended.
func (cp *copier) advance(to int64) { cp.copied.Store(max(cp.copied.Load(), to)) }

// hasher computes the SHA-256 of the image in order.
func (cp *copier) hasher(ctx context.Context, hashing <-chan *chunk) error {
	if cp.o.NoHash {
		return nil
	}
	zeros := make([]byte, chunkSize)
	again := make([]byte, chunkSize)
	// What an interrupted run has copied but not hashed.
	if err := cp.rehash(ctx, cp.from, zeros, again); err != nil {
		return err
	}
	for c := range hashing {
		if err := cp.hashZeros(ctx, c.off, zeros); err != nil {
			return err
		}
		if c.buf != nil {
			if err := cp.mayHash(); err != nil {
				return err
			}
			cp.digest(c.buf)
			cp.free <- c.buf[:chunkSize]
			continue
		}
		if err := cp.rehash(ctx, c.end, zeros, again); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return cp.hashZeros(ctx, cp.im.Size(), zeros)
}

// mayHash is where a test interrupts the hashing.
func (cp *copier) mayHash() error {
	if cp.o.hashFault == nil {
		return nil
	}
	return cp.o.hashFault(cp.hashed)
}

// digest adds the next bytes of the image.
func (cp *copier) digest(p []byte) {
	cp.mu.Lock()
	cp.hash.Write(p)
	cp.hashed += int64(len(p))
	cp.mu.Unlock()
}

func (cp *copier) hashZeros(ctx context.Context, to int64, zeros []byte) error {
	for cp.hashed < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		cp.digest(zeros[:min(int64(len(zeros)), to-cp.hashed)])
	}
	return nil
}

// rehash hashes what was copied up to to: the data read back from the output, the holes without reading them, which would cost the page
// cache as much as data.
func (cp *copier) rehash(ctx context.Context, to int64, zeros, buf []byte) error {
	segs := cp.im.segments
	for i := cp.im.find(cp.hashed); cp.hashed < to; {
		if i == len(segs) || segs[i].start >= to {
			return cp.hashZeros(ctx, to, zeros)
		}
		if err := cp.hashZeros(ctx, segs[i].start, zeros); err != nil {
			return err
		}
		end := segs[i].end
		for i++; i < len(segs) && segs[i].start == end; i++ {
			end = segs[i].end
		}
		end = min(end, to)
		for cp.hashed < end {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := cp.mayHash(); err != nil {
				return err
			}
			p := buf[:min(int64(len(buf)), end-cp.hashed)]
			if _, err := io.ReadFull(io.NewSectionReader(cp.t.file, cp.hashed, int64(len(p))), p); err != nil {
				return fmt.Errorf("read back %s at %d: %w", cp.t.name, cp.hashed, err)
			}
			cp.digest(p)
		}
	}
	return nil
}

// checkpoints keeps the journal fresh until stop.
func (cp *copier) checkpoints(stop <-chan struct{}) {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			cp.checkpoint()
		}
	}
}

// checkpoint records the way come so far. That it cannot be recorded is no reason to stop: the last record stays good.
func (cp *copier) checkpoint() {
	if cp.t.state == "" {
		return
	}
	j := journal{Version: journalVersion, Work: cp.t.work, Output: cp.t.id}
	cp.mu.Lock()
	j.Copied = cp.copied.Load()
	if !cp.o.NoHash {
		j.Hashed = min(cp.hashed, j.Copied)
		if state, err := cp.hash.(encoding.BinaryMarshaler).MarshalBinary(); err == nil && j.Hashed == cp.hashed {
			j.Hash = state
		} else {
			j.Hashed = 0
		}
	}
	cp.mu.Unlock()
	if unix.Fdatasync(int(cp.t.file.Fd())) != nil {
		return
	}
	cp.t.writeState(j)
}

// reports tells the progress until stop.
func (cp *copier) reports(stop <-chan struct{}) {
	if cp.o.Events == nil {
		return
	}
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	tell := func() {
		cp.mu.Lock()
		done, hashed := cp.copied.Load(), cp.hashed
		cp.mu.Unlock()
		text := "copy"
		if !cp.o.NoHash {
			if done >= cp.im.Size() {
				text = "hash"
			}
			done = min(done, hashed)
		}
		cp.o.Events(lab.Event{Time: time.Now(), Kind: lab.EventNote, Target: cp.t.path, Text: text, Done: done, Total: cp.im.Size(), Unit: "bytes"})
	}
	for {
		select {
		case <-stop:
			tell()
			return
		case <-tick.C:
			tell()
		}
	}
}

var errShort = errors.New("the kernel copied nothing")

// copyRange copies n bytes at off with copy_file_range.
func copyRange(dst, src *os.File, off, n int64) error {
	for n > 0 {
		from, to := off, off
		m, err := unix.CopyFileRange(int(src.Fd()), &from, int(dst.Fd()), &to, int(min(n, 1<<30)), 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if m == 0 {
			return errShort
		}
		off, n = off+int64(m), n-int64(m)
	}
	return nil
}

// clone shares n bytes at off with FICLONERANGE.
func clone(dst, src *os.File, off, n int64) error {
	return unix.IoctlFileCloneRange(int(dst.Fd()), &unix.FileCloneRange{Src_fd: int64(src.Fd()), Src_offset: uint64(off), Src_length: uint64(n), Dest_offset: uint64(off)})
}

// write writes p at off. Into a file it leaves blocks of zeros out: they are holes already.
func (t *target) write(p []byte, off int64) error {
	if t.device {
		_, err := t.file.WriteAt(p, off)
		return err
	}
	var zero [SectorSize]byte
	for start := 0; start < len(p); {
		for start < len(p) && isZero(p[start:min(start+SectorSize, len(p))], zero[:]) {
			start += SectorSize
		}
		end := start
		for end < len(p) && !isZero(p[end:min(end+SectorSize, len(p))], zero[:]) {
			end += SectorSize
		}
		end = min(end, len(p))
		if start < end {
			if _, err := t.file.WriteAt(p[start:end], off+int64(start)); err != nil {
				return err
			}
		}
		start = end
	}
	return nil
}

func isZero(p, zero []byte) bool { return bytes.Equal(p, zero[:len(p)]) }

// writeback has the kernel begin to write the range to disk, so that the last sync finds little left.
func (t *target) writeback(off, n int64) {
	unix.SyncFileRange(int(t.file.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}

// zero makes a range of a device read as zeros.
func (t *target) zero(off, n int64) error {
	fd := int(t.file.Fd())
	if unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n) == nil ||
		unix.Fallocate(fd, unix.FALLOC_FL_ZERO_RANGE|unix.FALLOC_FL_KEEP_SIZE, off, n) == nil {
		return nil
	}
	zeros := make([]byte, chunkSize)
	for n > 0 {
		m := min(n, chunkSize)
		if _, err := t.file.WriteAt(zeros[:m], off); err != nil {
			return err
		}
		off, n = off+m, n-m
	}
	return nil
}
