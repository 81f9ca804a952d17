package replica

import (
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// parent returns the file name of l's parent, "" for the oldest layer.
func (b *chainBuilder) parent(l *Layer, seen map[string]bool) (string, error) {
	ours := l.File == b.d.Meta.Head // of which volume.meta, if it is whole, has the parent as well
	if l.MetaState == Good {
		if ours && b.d.MetaState == Good && l.Meta.Parent != b.d.Meta.Parent {
			b.warn(WarnParentDisagrees, l.File+metaSuffix,
				"it names as parent: %s; volume.meta: %s; the engine uses the former",
				orBase(l.Meta.Parent), orBase(b.d.Meta.Parent))
		}
		return l.Meta.Parent, nil
	}
	b.chain.Inferred = true
	metaFile := l.File + metaSuffix
	if l.Meta.parentRead {
		b.warn(WarnParentInferred, metaFile, "%s, but the parent can be read: %s", l.MetaState, orBase(l.Meta.Parent))
		return l.Meta.Parent, nil
	}
	if ours {
		if p := b.d.Meta.Parent; p == "" && b.d.MetaState == Good || diskfile.IsSnapshot(p) {
			b.warn(WarnParentInferred, metaFile, "%s: the parent is taken from volume.meta: %s", l.MetaState, orBase(p))
			return p, nil
		}
	}
	for i := range b.d.Layers {
		if h := &b.d.Layers[i]; !h.Snapshot() && !h.Absent && h.Meta.parentRead && b.d.twin(h) == l {
			b.warn(WarnParentInferred, metaFile, "%s: the parent is that of %s, another name of the same file: %s",
				l.MetaState, h.File, orBase(h.Meta.Parent))
			return h.Meta.Parent, nil
		}
	}
	if b.want.Borrow && l.Snapshot() {
		p, from, err := b.borrow(l, seen)
		if err != nil || from != nil {
			return p, err
		}
	}
	return b.inferParent(l, seen)
}

// missing deals with a parent whose file is not there. There is one moment in a purge at which that
// loses nothing: the engine has folded the child into its parent, has removed the child, and was
// about to give the parent the child's name (hardlinkDisk).
func (b *chainBuilder) missing(child, l *Layer, file string) (*Layer, error) {
	var p *Layer
	if l != nil && l.MetaState == Good && l.Meta.Parent != "" {
		p = b.d.layer(l.Meta.Parent)
	}
	if p == nil || p.Absent || p.MetaState != Good || !p.Meta.Removed {
		return nil, b.refuse(file, "use another replica, or a recovery point below: "+b.points(),
			"missing, and %s needs it", child.File)
	}
	if !b.want.DropMissing {
		return nil, b.refuse(file, "another replica is better; -drop-missing takes "+p.File+" in its place",
			"missing; %s below it is marked as removed, so a purge may have been cut off when that held all of its data",
			p.File)
	}
	b.chain.Inferred = true
	b.warn(WarnMissingDropped, file, "left out: a purge was cut off, its data being in %s", p.File)
	return p, nil
}

// borrow reads l's lost .meta from the peers that have it, and returns the parent and the peer, nil
// for none. A snapshot has the same name and parent in every replica; heads have not.
func (b *chainBuilder) borrow(l *Layer, seen map[string]bool) (parent string, from *Directory, err error) {
	metaFile := l.File + metaSuffix
	for _, peer := range b.want.Peers {
		if peer == b.d {
			continue
		}
		theirs := peer.layer(l.File)
		if theirs == nil || theirs.MetaState != Good || peer.rebuilding() != "" {
			continue
		}
		if from != nil && theirs.Meta.Parent != parent {
			return "", nil, b.refuse(metaFile, "leave one of them out",
				"to be borrowed, but %s and %s disagree on the parent", from.Name(), peer.Name())
		}
		from, parent = peer, theirs.Meta.Parent
	}
	if from == nil {
		return "", nil, nil
	}
	// A snapshot that was purged there, and here not yet, would be left out.
	for _, s := range b.candidates(seen) {
		if from.layer(s.File) == nil {
			return "", nil, b.refuse(metaFile, "use another replica", "to be borrowed from %s, which says %s, but does "+
				"not have %s: it may have been purged there, and be the parent here",
				from.Name(), orBase(parent), s.File)
		}
	}
	b.warn(WarnMetaBorrowed, metaFile, "%s: the parent is taken from %s: %s", l.MetaState, from.Name(), orBase(parent))
	return parent, from, nil
}

// inferParent infers l's parent. Where no snapshot is left that could be below it, l is the oldest
// layer. Where there is exactly one that no other layer names, that is the parent, unless the
// directory has side branches or the times speak against it. Otherwise it is refused.
func (b *chainBuilder) inferParent(l *Layer, seen map[string]bool) (string, error) {
	metaFile := l.File + metaSuffix
	hint := "use another replica, or give one that has the file and borrow it with -borrow"
	taken, byLeftover := b.taken()
	possible := b.candidates(seen)
	var free []*Layer
	for _, s := range possible {
		if !taken[s.File] || byLeftover[s.File] {
			free = append(free, s)
		}
	}
	if len(possible) == 0 {
		b.warn(WarnParentInferred, metaFile,
			"%s: no snapshot is left that could be the parent: it is the oldest layer", l.MetaState)
		return "", nil
	}
	if len(free) != 1 {
		if len(free) == 0 { // each has a child already, but it may have two
			free = possible
		}
		return "", b.refuse(metaFile, hint, "%s, and the parent may be any of %s", l.MetaState, fileNames(free))
	}
	p := free[0]
	if b.branches() {
		return "", b.refuse(metaFile, hint,
			"%s, and %s may be its parent or the end of a side branch", l.MetaState, p.File)
	}
	if p.ModTime.After(l.ModTime) || p.Size > l.Size {
		return "", b.refuse(metaFile, hint, "%s, and %s, which no layer names, is newer or larger than it: "+
			"it may be the end of a side branch", l.MetaState, p.File)
	}
	b.warn(WarnParentInferred, metaFile, "%s: %s is the only snapshot that no layer names: taken for the parent, which "+
		"is wrong if a revert left it as a side branch: compare with another replica, or check the image's file system",
		l.MetaState, p.File)
	return p.File, nil
}

// candidates returns the snapshots that may be below the layers that were seen.
func (b *chainBuilder) candidates(seen map[string]bool) (possible []*Layer) {
	for i := range b.d.Layers {
		if s := &b.d.Layers[i]; s.Snapshot() && !s.Absent && !seen[s.File] && !b.leadsTo(s, seen) {
			possible = append(possible, s)
		}
	}
	return possible
}

// taken returns the layers that another one than a leftover names as its parent. What is left of a
// head that became a snapshot still names the snapshot's parent, and what is left of a layer that
// was purged, its child's: these are returned apart.
func (b *chainBuilder) taken() (taken, byLeftover map[string]bool) {
	taken, byLeftover = map[string]bool{}, map[string]bool{}
	if b.d.MetaState == Good {
		taken[b.d.Meta.Parent] = true
	}
	for i := range b.d.Layers {
		l := &b.d.Layers[i]
		leftover := l.Absent && l.Meta.Removed
		if !l.Snapshot() {
			leftover = l.Absent || b.d.MetaState == Good && l.File != b.d.Meta.Head || b.d.twin(l) != nil
		}
		switch {
		case l.Meta.parentRead && leftover:
			byLeftover[l.Meta.Parent] = true
		case l.Meta.parentRead:
			taken[l.Meta.Parent] = true
		}
	}
	return taken, byLeftover
}

// leadsTo reports whether one of the layers is below s.
func (b *chainBuilder) leadsTo(s *Layer, layers map[string]bool) bool {
	for range len(b.d.Layers) {
		if s == nil || !s.Meta.parentRead {
			return false
		}
		if layers[s.Meta.Parent] {
			return true
		}
		s = b.d.layer(s.Meta.Parent)
	}
	return false
}

// branches reports whether some snapshot has more than one child, leftovers of a cut-off snapshot
// aside.
func (b *chainBuilder) branches() bool {
	children := map[string]string{}
	for i := range b.d.Layers {
		l := &b.d.Layers[i]
		if !l.Meta.parentRead || l.Meta.Parent == "" || l.Absent || !l.Snapshot() && b.d.twin(l) != nil {
			continue
		}
		if children[l.Meta.Parent] != "" {
			return true
		}
		children[l.Meta.Parent] = l.File
	}
	return false
}

// orBase returns a parent's name for a message.
func orBase(parent string) string {
	if parent == "" {
		return "none, it is the oldest layer"
	}
	return parent
}
