package replica

// segment is a range of the volume whose bytes are those of one layer at the same offset.
type segment struct {
	start, end int64
	layer      int32 // index into the chain, 0 the newest
}

// locate lays the layers over each other, extents[0] being the newest, and returns which one each sector comes from, sorted; between the
// segments the volume reads as zeros. It takes time and memory in proportion to the number of extents, not to the volume's size.
// extents are sorted, disjoint and in whole sectors.
func locate(extents [][]Extent) []segment {
	var upper []segment
	for i, layer := range extents {
		if len(layer) > 0 {
			upper = under(upper, layer, int32(i))
		}
	}
	return upper
}

// under returns upper with its gaps filled from layer.
func under(upper []segment, layer []Extent, index int32) []segment {
	out := make([]segment, 0, len(upper)+len(layer))
	u := 0
	for _, e := range layer {
		pos := e.Off
		for pos < e.end() {
			for u < len(upper) && upper[u].end <= pos {
				out = append(out, upper[u])
				u++
			}
			gap := e.end()
			if u < len(upper) {
				gap = min(gap, upper[u].start)
			}
			if pos < gap {
				out = append(out, segment{pos, gap, index})
			}
			pos = gap
			if u < len(upper) && upper[u].start <= pos && pos < e.end() {
				pos = upper[u].end
			}
		}
	}
	return append(out, upper[u:]...)
}
