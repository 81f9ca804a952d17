package replica

import (
	"context"
	"fmt"
	"hash/crc64"
	"io"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// crc returns the CRC-64 of the whole file. Holes are not read.
func (s *source) crc(ctx context.Context, progress *sumProgress) (uint64, error) {
	extents, _, err := diskfile.Extents(s.file, s.print.Size)
	if err != nil {
		extents = []diskfile.Extent{{Off: 0, Len: s.print.Size}}
	}
	table := crc64.MakeTable(crc64.ISO)
	buf := make([]byte, chunkSize)
	var crc uint64
	pos := int64(0)
	for _, e := range extents {
		if e.Unwritten {
			continue
		}
		crc = crcZeros(crc, e.Off-pos)
		for pos = e.Off; pos < e.End(); {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			p := buf[:min(int64(len(buf)), e.End()-pos)]
			if n, err := s.file.ReadAt(p, pos); err != nil && !(err == io.EOF && n == len(p)) {
				return 0, fmt.Errorf("read %d bytes at %d: %w", len(p), pos, err)
			}
			crc = crc64.Update(crc, table, p)
			pos += int64(len(p))
			progress.add(int64(len(p)))
		}
	}
	return crcZeros(crc, s.print.Size-pos), nil
}

// matrix is a linear map of the CRC's 64 bits: column i is what bit i becomes.
type matrix [64]uint64

// apply returns the map's value of v.
func (m *matrix) apply(v uint64) (out uint64) {
	for i := 0; v != 0; i, v = i+1, v>>1 {
		out ^= m[i] & -(v & 1)
	}
	return out
}

// crcZeros returns the CRC after n more zero bytes, in time logarithmic in n: appending a zero byte
// is a linear map, which is squared for each bit of n.
func crcZeros(crc uint64, n int64) uint64 {
	table := crc64.MakeTable(crc64.ISO)
	var m matrix
	for i := range m {
		bit := uint64(1) << i
		m[i] = table[byte(bit)] ^ bit>>8
	}
	state := ^crc // the CRC is kept inverted
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			state = m.apply(state)
		}
		var square matrix
		for i := range square {
			square[i] = m.apply(m[i])
		}
		m = square
	}
	return ^state
}
