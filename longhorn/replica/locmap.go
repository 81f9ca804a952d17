package replica

import "gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"

// sectorSize is the granularity, in bytes, at which the engine looks a layer up (VolumeSectorSize):
// a sector belongs to the newest layer that has any extent in it, whole.
const sectorSize = 4096

// maxVolume bounds sizes, in bytes, so that sums of offsets cannot overflow.
const maxVolume = 1 << 56

// segment is a range of the volume whose bytes are those of one layer at the same offset.
type segment struct {
	start, end int64
	layer      int32 // index into the chain, 0 the newest
}

// locate puts the layers over each other, extents[0] being the newest, and returns which one each
// sector comes from, sorted; between the segments the volume reads as zeros. It takes time and
// memory in proportion to the number of extents, not to the volume's size. extents are sorted,
// disjoint and in whole sectors.
func locate(extents [][]diskfile.Extent) []segment {
	var upper []segment
	for i, layer := range extents {
		if len(layer) > 0 {
			upper = under(upper, layer, int32(i))
		}
	}
	return upper
}

// under returns upper with its gaps filled from layer.
func under(upper []segment, layer []diskfile.Extent, index int32) []segment {
	out := make([]segment, 0, len(upper)+len(layer))
	u := 0
	for _, e := range layer {
		pos := e.Off
		for pos < e.End() {
			for u < len(upper) && upper[u].end <= pos {
				out = append(out, upper[u])
				u++
			}
			gap := e.End()
			if u < len(upper) {
				gap = min(gap, upper[u].start)
			}
			if pos < gap {
				out = append(out, segment{pos, gap, index})
			}
			pos = gap
			if u < len(upper) && upper[u].start <= pos && pos < e.End() {
				pos = upper[u].end
			}
		}
	}
	return append(out, upper[u:]...)
}

// sectors rounds sorted extents outward to sectors and clips them to size, which is a multiple of a
// sector. The result has no two touching extents and no distinction of unwritten ones.
func sectors(extents []diskfile.Extent, size int64) []diskfile.Extent {
	out := make([]diskfile.Extent, 0, len(extents))
	for _, e := range extents {
		off := e.Off &^ (sectorSize - 1)
		end := min((e.End()+sectorSize-1)&^(sectorSize-1), size)
		if off < end {
			out = diskfile.AppendExtent(out, diskfile.Extent{Off: off, Len: end - off})
		}
	}
	return out
}

// total returns the sum of the extents' lengths, and of the unwritten ones'.
func total(extents []diskfile.Extent) (all, unwritten int64) {
	for _, e := range extents {
		all += e.Len
		if e.Unwritten {
			unwritten += e.Len
		}
	}
	return all, unwritten
}
