package replica

import (
	"path/filepath"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// birthWindow is how long after the time in its .meta a head's file may be created: that time comes
// from another machine, whose clock may differ.
const birthWindow = 10 * time.Minute

// copied reports whether the directory seems to be a copy that a general tool made, which mixes up
// holes and written zeros. Of a head that the engine wrote, the file is as old as its .meta says,
// and its inode was last changed when it was last written to. No copier can keep the former; those
// that set times miss the latter. What [Unpack] wrote is a copy too, but one with the same extents,
// and is marked as such. Snapshots tell nothing: a rebuild creates them long after their time.
func (d *Directory) copied() bool {
	for i := range d.Layers {
		l := &d.Layers[i]
		path := filepath.Join(d.Path, l.File)
		if l.Snapshot() || l.Absent || unpackedMark(path) {
			continue
		}
		// A snapshot that is being made links the head, which changes the time too.
		if l.Links == 1 && l.id.Ctime-l.id.Mtime > int64(timeWindow) {
			return true
		}
		created, err := time.Parse(time.RFC3339, l.Meta.Created)
		if err != nil {
			continue
		}
		if birth, ok := diskfile.Birth(path); ok && birth.Sub(created) > birthWindow {
			return true
		}
	}
	return false
}
