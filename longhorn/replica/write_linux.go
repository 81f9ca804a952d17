package replica

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// write writes p at off. Into a file it leaves blocks of zeros out: they are holes already.
func (t *target) write(p []byte, off int64) error {
	if t.device {
		_, err := t.file.WriteAt(p, off)
		return err
	}
	var zero [sectorSize]byte
	for start := 0; start < len(p); {
		for start < len(p) && isZero(p[start:min(start+sectorSize, len(p))], zero[:]) {
			start += sectorSize
		}
		end := start
		for end < len(p) && !isZero(p[end:min(end+sectorSize, len(p))], zero[:]) {
			end += sectorSize
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
