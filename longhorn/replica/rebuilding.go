package replica

import "fmt"

// rebuilding returns why the replica must be taken for half copied, or "".
func (d *Directory) rebuilding() string {
	if d.Meta.Rebuilding {
		return "it was being rebuilt: layers may be half copied"
	}
	if d.MetaState == Good {
		return ""
	}
	// Without volume.meta the flag is lost too; other traces of a rebuild may be left.
	if d.CounterState == Good && d.Counter == 0 && d.allocated() > 0 {
		return "volume.meta is lost and revision.counter is 0 although there is data: it may have been being rebuilt"
	}
	// A rebuild copies a layer before its .meta. A power cut empties a .meta rather than removing
	// it, except where a snapshot is cut off that is another name of the head yet.
	linked := map[*Layer]bool{}
	for i := range d.Layers {
		if l := &d.Layers[i]; !l.Snapshot() && !l.Absent {
			linked[d.twin(l)] = true
		}
	}
	for i := range d.Layers {
		if l := &d.Layers[i]; l.Snapshot() && !l.Absent && l.MetaState == Missing && !linked[l] {
			return fmt.Sprintf("volume.meta is lost, and %s has no .meta: it may have been being rebuilt", l.File)
		}
	}
	return ""
}
