package replica

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// space refuses an output that has no room for what is to be written.
func (t *target) space(im *Image, o Output, from int64) error {
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
	need += need / 20
	free := int64(st.Bavail) * int64(st.Bsize)
	if need <= free {
		return nil
	}
	if o.Method == Auto && t.canClone(im, from) {
		return nil
	}
	at := t.at("free some space or write to another disk")
	return refuse(at, "%s are needed, %s are free", bytesText(need), bytesText(free))
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
