package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// space refuses an output that has no room for what is to be written.
func (t *target) space(ctx context.Context, im *Image, o Output, from int64) error {
	if t.device || o.Method == Clone {
		return nil
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(t.file.Fd()), &st); err != nil {
		return err
	}
	var need int64
	for _, s := range im.segments[im.find(from):] {
		need += s.end - max(s.start, from)
	}
	free := int64(st.Bavail) * int64(st.Bsize)
	room := free - free/21 // the rest is for what the file system itself writes
	if need <= room {
		return nil
	}
	if o.Method == Auto && t.canClone(im, from) {
		return nil
	}
	// Zeros are not written: only reading tells how much is.
	written, err := im.nonZero(ctx, from, room)
	if err != nil || written <= room {
		return err
	}
	at := t.at("free some space or write to another disk")
	return refuse(at, "up to %s are needed, %s are free", bytesText(need+need/20), bytesText(free))
}

// nonZero counts the bytes behind from that are in sectors with something else than zeros, until it
// finds more than enough.
func (im *Image) nonZero(ctx context.Context, from, enough int64) (sum int64, err error) {
	buf := make([]byte, chunkSize)
	var zero [sectorSize]byte
	for i := im.find(from); i < len(im.segments); i++ {
		s := im.segments[i]
		for off := max(s.start, from); off < s.end && sum <= enough; off += chunkSize {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			p := buf[:min(chunkSize, s.end-off)]
			if err := im.read(p, off, i); err != nil {
				return 0, err
			}
			for b := range slices.Chunk(p, sectorSize) {
				if !isZero(b, zero[:]) {
					sum += int64(len(b))
				}
			}
		}
	}
	return sum, nil
}

// canClone tries to share one block of a source with the output, which ends at from.
func (t *target) canClone(im *Image, from int64) bool {
	for _, s := range im.segments[im.find(from):] {
		src := im.sources[s.layer]
		if s.start < from || s.start+sectorSize > src.print.Size {
			continue
		}
		err := clone(t.file, src.file, s.start, sectorSize)
		return errors.Join(err, t.file.Truncate(from)) == nil
	}
	return false
}

// bytesText returns a number of bytes with a binary unit.
func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, u := float64(n)/1024, 0
	for v >= 1024 && u < len(units)-1 {
		v, u = v/1024, u+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[u])
}
