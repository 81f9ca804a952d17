package replica

// SectorSize is the granularity, in bytes, at which the engine looks a layer up (VolumeSectorSize): a sector belongs to the newest layer
// that has any extent in it, whole.
const SectorSize = 4096

// maxVolume bounds sizes, in bytes, so that sums of offsets cannot overflow.
const maxVolume = 1 << 56

// Extent is a range of a file that the file system has allocated, in bytes. Everything between extents is a hole.
type Extent struct {
	Off, Len int64
	// Unwritten: allocated but never written (fallocate). It reads as zeros, and to the engine it is data that hides the layers below.
	Unwritten bool
}

func (e Extent) end() int64 { return e.Off + e.Len }

// appendExtent appends e to sorted extents, joining it with the last one where both are alike and touch or overlap.
func appendExtent(extents []Extent, e Extent) []Extent {
	if n := len(extents); n > 0 {
		if last := &extents[n-1]; last.Unwritten == e.Unwritten && e.Off <= last.end() {
			if e.end() > last.end() {
				last.Len = e.end() - last.Off
			}
			return extents
		}
	}
	return append(extents, e)
}

// sectors rounds sorted extents outward to sectors and clips them to size, which is a multiple of a sector.
// The result has no two touching extents and no distinction of unwritten ones.
func sectors(extents []Extent, size int64) []Extent {
	out := make([]Extent, 0, len(extents))
	for _, e := range extents {
		off := e.Off &^ (SectorSize - 1)
		end := min((e.end()+SectorSize-1)&^(SectorSize-1), size)
		if off < end {
			out = appendExtent(out, Extent{Off: off, Len: end - off})
		}
	}
	return out
}

// total returns the sum of the extents' lengths, and of the unwritten ones'.
func total(extents []Extent) (all, unwritten int64) {
	for _, e := range extents {
		all += e.Len
		if e.Unwritten {
			unwritten += e.Len
		}
	}
	return all, unwritten
}
