package replica

import (
	"context"
	"fmt"
	"io"
)

// addPiece adds the digest of c to the tree hash, and before it those of the pieces without data, which
// no worker sees.
func (cp *copier) addPiece(c *chunk) {
	zeros := c.start
	if c.hole {
		zeros = c.end
	}
	for cp.hashed < zeros {
		sum, n := cp.zero, min(pieceSize, cp.im.Size()-cp.hashed)
		if n < pieceSize {
			sum = zeroPiece(n)
		}
		cp.hash.Write(sum[:])
		cp.hashed += n
	}
	if !c.hole {
		cp.hash.Write(c.sum[:])
		cp.hashed = c.end
	}
}

// hasher computes the plain SHA-256 of the image, in order, up to where it is copied.
func (cp *copier) hasher(ctx context.Context, hashing <-chan int64) error {
	if cp.o.Hash != SHA256 {
		return nil
	}
	zeros, buf := make([]byte, chunkSize), make([]byte, chunkSize)
	// What an interrupted run has copied but not hashed.
	if err := cp.rehash(ctx, cp.from, zeros, buf); err != nil {
		return err
	}
	for to := range hashing {
		if err := cp.rehash(ctx, to, zeros, buf); err != nil {
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

// hashZeros hashes a hole up to the offset to.
func (cp *copier) hashZeros(ctx context.Context, to int64, zeros []byte) error {
	for cp.hashed < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		cp.digest(zeros[:min(int64(len(zeros)), to-cp.hashed)])
	}
	return nil
}

// rehash hashes what was copied up to the offset to: the data read back from the output, the holes
// without reading them, which would cost the page cache as much as data.
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
		if err := cp.hashBack(ctx, min(end, to), buf); err != nil {
			return err
		}
	}
	return nil
}

// hashBack hashes data up to the offset to, read back from the output.
func (cp *copier) hashBack(ctx context.Context, to int64, buf []byte) error {
	for cp.hashed < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := cp.mayHash(); err != nil {
			return err
		}
		p := buf[:min(int64(len(buf)), to-cp.hashed)]
		if err := cp.t.readBack(p, cp.hashed); err != nil {
			return err
		}
		cp.digest(p)
	}
	return nil
}

// readBack fills p with what was written at off.
func (t *target) readBack(p []byte, off int64) error {
	if _, err := io.ReadFull(io.NewSectionReader(t.file, off, int64(len(p))), p); err != nil {
		return fmt.Errorf("read back %s at %d: %w", t.name, off, err)
	}
	return nil
}
