package replicatest

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Crash is what a power cut did to a directory after all else was written.
type Crash int

// The states of a power cut that leave the live image whole.
const (
	_                   Crash = iota // none
	VolumeMetaEmpty                  // volume.meta has no bytes
	VolumeMetaZeroed                 // volume.meta is NUL bytes
	VolumeMetaMissing                //
	HeadMetaEmpty                    // the head's .meta has no bytes
	HeadMetaZeroed                   //
	BaseMetaZeroed                   // the oldest layer's .meta is NUL bytes
	MiddleMetaEmpty                  // the .meta of the oldest layer but one has no bytes
	SnapshotNewHead                  // a snapshot was cut off when the new head was there, empty
	SnapshotLinked                   // and the old head and its .meta had the snapshot's name too
	SnapshotRenamed                  // and volume.meta named the new head
	SnapshotLinkLost                 // as SnapshotLinked, with volume.meta.tmp, copied so that the two names are two files
	Temporaries                      // *.tmp files lie around
	SnapshotHalfLinked               // as SnapshotLinked, without the .meta's second name
	SnapshotMetaZeroed               // as SnapshotRenamed, the snapshot's new .meta being NUL bytes
	SnapshotHeadLeft                 // as SnapshotMetaZeroed, of the old head only the .meta being left
	VolumeMetaTruncated              // volume.meta ends somewhere
	MiddleMetaTruncated              // the .meta of the oldest layer but one ends somewhere
	crashes
)

// Doubtful reports whether the state destroys metadata, so that a reader may refuse what it cannot
// infer.
func (c Crash) Doubtful() bool {
	return c >= VolumeMetaEmpty && c <= MiddleMetaEmpty || c >= SnapshotMetaZeroed && c <= MiddleMetaTruncated
}

// crash changes the directory to what the power cut left.
func (w *writer) crash(meta volumeMeta) {
	r := w.r
	head := r.file(len(r.Layers)-1) + ".meta"
	oldest, middle := r.file(0)+".meta", r.file(min(1, len(r.Layers)-1))+".meta"
	switch r.Crash {
	case VolumeMetaEmpty:
		w.write("volume.meta", nil)
	case VolumeMetaZeroed:
		w.zero("volume.meta")
	case VolumeMetaMissing:
		w.remove("volume.meta")
	case VolumeMetaTruncated:
		w.cutOff("volume.meta")
	case HeadMetaEmpty:
		w.write(head, nil)
	case HeadMetaZeroed:
		w.zero(head)
	case BaseMetaZeroed:
		w.zero(oldest)
	case MiddleMetaEmpty:
		w.write(middle, nil)
	case MiddleMetaTruncated:
		w.cutOff(middle)
	case Temporaries:
		w.write("volume.meta.tmp", []byte(`{"Size":1,"Head":"volume-head-999.img"`))
		w.write(head+".tmp", nil)
	case SnapshotNewHead, SnapshotLinked, SnapshotHalfLinked, SnapshotRenamed, SnapshotMetaZeroed, SnapshotHeadLeft,
		SnapshotLinkLost:
		w.snapshot(meta)
	}
}

// snapshot begins a snapshot and is cut off where the state says.
func (w *writer) snapshot(meta volumeMeta) {
	r := w.r
	const snap = "volume-snap-cut.img"
	last := len(r.Layers) - 1
	head, newHead := r.file(last), fmt.Sprintf("volume-head-%03d.img", r.Head%10+1) // the engine's own wrapping
	meta.Head, meta.Parent = newHead, snap
	w.do(func() error { return writeLayer(w.path(newHead), r.Sectors*Sector, nil) })
	w.json(newHead+".meta", layerMeta{Name: newHead, Parent: snap, Created: w.at.Format(time.RFC3339)})
	switch r.Crash {
	case SnapshotNewHead:
		return
	case SnapshotLinkLost:
		w.do(func() error {
			return writeLayer(w.path(snap), r.layerSectors(r.Layers[last])*Sector, r.Layers[last].Ops)
		})
		w.do(func() error { return os.Chtimes(w.path(snap), w.at, w.at) })
		w.do(func() error {
			data, err := os.ReadFile(w.path(head + ".meta"))
			return errors.Join(err, writeFile(w.path(snap+".meta"), data, 0o600))
		})
		w.json("volume.meta.tmp", meta)
		return
	}
	w.do(func() error { return os.Link(w.path(head), w.path(snap)) })
	w.do(func() error { return os.Link(w.path(head+".meta"), w.path(snap+".meta")) })
	switch r.Crash {
	case SnapshotLinked:
		return
	case SnapshotHalfLinked:
		w.remove(snap + ".meta")
		return
	}
	w.json("volume.meta", meta)
	if r.Crash == SnapshotRenamed {
		return
	}
	w.remove(snap + ".meta") // it was renamed into place, so that the old head's keeps its content
	w.write(snap+".meta", make([]byte, 120))
	if r.Crash == SnapshotHeadLeft {
		w.remove(head)
	}
}

// zero fills a file with NUL bytes.
func (w *writer) zero(name string) {
	w.change(name, func(data []byte) []byte { return make([]byte, len(data)) })
}

// cutOff cuts a file off anywhere, but at the same place each time.
func (w *writer) cutOff(name string) {
	w.change(name, func(data []byte) []byte { return data[:1+(len(data)-1)*(w.r.Head%8)/8] })
}

// change replaces the content of a file.
func (w *writer) change(name string, to func([]byte) []byte) {
	data, err := os.ReadFile(w.path(name))
	if err != nil {
		w.do(func() error { return err })
		return
	}
	w.write(name, to(data))
}
