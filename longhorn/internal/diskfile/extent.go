package diskfile

import "errors"

// ErrNoExtents says that a file system does not report holes and written zeros apart.
var ErrNoExtents = errors.New("the file system does not tell written zeros from holes")

// Extent is a range of a file that the file system has allocated, in bytes. Everything between
// extents is a hole.
type Extent struct {
	Off, Len int64
	// Unwritten: allocated but never written (fallocate). It reads as zeros, and is data to
	// Longhorn's engine.
	Unwritten bool
}

// End returns the offset behind the extent.
func (e Extent) End() int64 { return e.Off + e.Len }

// AppendExtent appends e to sorted extents, joining it with the last one where both are alike and
// touch or overlap.
func AppendExtent(extents []Extent, e Extent) []Extent {
	if n := len(extents); n > 0 {
		if last := &extents[n-1]; last.Unwritten == e.Unwritten && e.Off <= last.End() {
			if e.End() > last.End() {
				last.Len = e.End() - last.Off
			}
			return extents
		}
	}
	return append(extents, e)
}
