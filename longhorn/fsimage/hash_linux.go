package fsimage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// chunkSize is how many bytes of a file are read at a time.
const chunkSize = 1 << 20

// copyHashed copies what of src is not a hole to dst, an empty file, and returns the SHA-256 of all
// of it.
func copyHashed(ctx context.Context, src, dst *os.File, size int64, progress func(int64)) (string, error) {
	sum, err := hashData(ctx, src, size, progress, func(p []byte, off int64) error {
		_, err := dst.WriteAt(p, off)
		return err
	})
	return sum, errors.Join(err, dst.Truncate(size))
}

// hashData reads what of src is not a hole, gives it to write, and returns the SHA-256 of all of it.
// Holes are hashed too, so that a large sparse file takes its time.
func hashData(
	ctx context.Context, src *os.File, size int64, progress func(int64), write func([]byte, int64) error,
) (string, error) {
	extents, err := diskfile.SeekData(src, size)
	if err != nil {
		extents = []diskfile.Extent{{Off: 0, Len: size}}
	}
	h, buf := sha256.New(), make([]byte, chunkSize)
	zeros := make([]byte, chunkSize)
	pos := int64(0)
	for _, e := range append(extents, diskfile.Extent{Off: size}) {
		for ; pos < e.Off; pos += chunkSize {
			if err := ctx.Err(); err != nil {
				return "", context.Cause(ctx)
			}
			h.Write(zeros[:min(chunkSize, e.Off-pos)])
			progress(pos)
		}
		for pos = e.Off; pos < e.End(); {
			if err := ctx.Err(); err != nil {
				return "", context.Cause(ctx)
			}
			p := buf[:min(chunkSize, e.End()-pos)]
			if _, err := io.ReadFull(io.NewSectionReader(src, pos, int64(len(p))), p); err != nil {
				return "", err
			}
			h.Write(p)
			if err := write(p, pos); err != nil {
				return "", err
			}
			pos += int64(len(p))
			progress(pos)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// seekData lists what of a file is not a hole.
func seekData(f *os.File, size int64) ([]diskfile.Extent, error) { return diskfile.SeekData(f, size) }
