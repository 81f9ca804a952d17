package replica

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// top returns the newest layer of the wanted state.
func (b *chainBuilder) top() (*Layer, error) {
	if b.want.Snapshot != "" {
		l := b.d.layer(b.want.Snapshot)
		if l == nil { // a snapshot may be called as another one's file is
			l = b.d.layer(diskfile.SnapshotFile(b.want.Snapshot))
		}
		switch {
		case l != nil && l.Absent:
			return nil, b.refuse(l.File, b.orPoint("use another replica"), "the layer's file is missing")
		case l != nil:
			return l, nil
		}
		next := b.orPoint("use another replica")
		return nil, &lab.Error{Op: "find snapshot", Target: b.d.Name(), Path: b.want.Snapshot,
			Hint: next[0].hint, Err: next[1:].around(lab.ErrNotFound)}
	}
	if !diskfile.IsHead(b.d.Meta.Head) { // lost
		return b.inferHead()
	}
	l := b.d.layer(b.d.Meta.Head)
	if l == nil || l.Absent {
		return nil, b.refuse(b.d.Meta.Head, b.orPoint("use another replica"),
			"volume.meta names it as head, but it is missing")
	}
	if b.d.MetaState != Good {
		b.chain.Inferred = true
		b.warn(WarnHeadInferred, l.File, "taken for the head, because what can be read of volume.meta names it")
	}
	return l, nil
}

// points lists the recovery points that can be merged, "" for none.
func (b *chainBuilder) points() string {
	const most = 8
	if b.trial {
		return ""
	}
	var names []string
	for i := range b.d.Layers {
		l, w := &b.d.Layers[i], b.want
		if w.Snapshot = l.File; l.Absent {
			continue
		}
		if _, err := b.d.chain(w, true); err != nil {
			continue
		}
		if len(names) == most {
			names = append(names, "...")
			break
		}
		names = append(names, lab.Printable(l.Name()))
	}
	return strings.Join(names, ", ")
}

// orPoint returns that next step and, if there are recovery points that can be merged, that of choosing one.
func (b *chainBuilder) orPoint(hint string) steps {
	points := b.points()
	if points == "" {
		return do(hint)
	}
	return do(hint).or("choose one of the recovery points "+points, SettingSnapshot, "")
}

// inferHead finds the head where volume.meta is lost: the one head there is, or of several the one
// that is not a leftover. A snapshot that is cut off leaves the old head as a second name of the
// new snapshot (the engine links .img and .meta before it unlinks them).
func (b *chainBuilder) inferHead() (*Layer, error) {
	var heads, left []*Layer
	for i := range b.d.Layers {
		if l := &b.d.Layers[i]; !l.Snapshot() && !l.Absent {
			heads = append(heads, l)
			if b.d.twin(l) == nil && b.complete(l) {
				left = append(left, l)
			}
		}
	}
	switch {
	case len(heads) == 0:
		return nil, b.refuse(volumeMetaFile, b.orPoint("use another replica"), "lost, and there is no head")
	case len(heads) == 1:
		left = heads
	case len(left) != 1:
		return nil, b.refuse(volumeMetaFile, b.orPoint("inspect the directory to compare them, or use another replica"),
			"lost, and which of %s is the head is not known", fileNames(heads))
	}
	b.chain.Inferred = true
	b.warn(WarnHeadInferred, left[0].File, "taken for the head, because volume.meta is %s", b.d.MetaState)
	return left[0], nil
}

// fileNames lists the layers' files for a message.
func fileNames(layers []*Layer) string {
	var names []string
	for _, l := range layers {
		names = append(names, l.File)
	}
	return strings.Join(names, ", ")
}

// twin returns the snapshot that head is a leftover name of, or nil.
func (d *Directory) twin(head *Layer) *Layer {
	for i := range d.Layers {
		s := &d.Layers[i]
		if !s.Snapshot() || s.Absent {
			continue
		}
		if s.id.Ino != 0 && s.id.Dev == head.id.Dev && s.id.Ino == head.id.Ino {
			return s
		}
		// A copy of the directory loses the link, not the rest.
		if s.MetaState == Good && s.Meta.formerName == head.File &&
			s.Size == head.Size && s.ModTime.Equal(head.ModTime) &&
			(head.MetaState != Good || head.Meta.Parent == s.Meta.Parent) {
			return s
		}
	}
	return nil
}

// complete reports whether every parent below l is there, as far as the .meta files say.
func (b *chainBuilder) complete(l *Layer) bool {
	for range len(b.d.Layers) {
		if !l.Meta.parentRead || l.Meta.Parent == "" {
			return true
		}
		if l = b.d.layer(l.Meta.Parent); l == nil || l.Absent {
			return false
		}
	}
	return false
}
