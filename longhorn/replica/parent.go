package replica

import (
	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// parent returns the file name of l's parent, "" for the oldest layer.
func (b *chainBuilder) parent(l *Layer, seen map[string]bool) (string, error) {
	ours := l.File == b.d.Meta.Head // of which volume.meta, if it is whole, has the parent as well
	if given, ok := b.want.Parents[l.File]; ok {
		return b.givenParent(l, given, seen)
	}
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
		return nil, b.refuse(file, b.orPoint("use another replica"), "missing, and %s needs it", child.File)
	}
	if !b.want.DropMissing {
		return nil, b.refuse(file, do("use another replica").or("take "+p.File+" in its place", SettingDropMissing, ""),
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
		if !peer.lends(l) {
			continue
		}
		theirs := peer.layer(l.File)
		if from != nil && theirs.Meta.Parent != parent {
			return "", nil, b.refuse(metaFile, append(do("leave one of them out"), b.knownParent(l, seen)),
				"to be borrowed, but %s and %s disagree on the parent", from.Name(), peer.Name())
		}
		from, parent = peer, theirs.Meta.Parent
	}
	if from == nil {
		return "", nil, nil
	}
	// A snapshot that was purged there, and here not yet, would be left out.
	for _, s := range b.candidates(seen) {
		if s.File != parent && from.purged(s.File) {
			next := do("use another replica").or("where you know the parent, give it", SettingParent, l.File)
			return "", nil, b.refuse(metaFile, next, "to be borrowed from %s, which says %s, but does "+
				"not have %s: it may have been purged there, and be the parent here",
				from.Name(), orBase(parent), s.File)
		}
	}
	b.warn(WarnMetaBorrowed, metaFile, "%s: the parent is taken from %s: %s", l.MetaState, from.Name(), orBase(parent))
	return parent, from, nil
}

// lends reports whether the .meta of another replica's layer can be taken from here.
func (d *Directory) lends(l *Layer) bool {
	ours := d.layer(l.File)
	return ours != nil && ours.MetaState == Good && d.rebuilding() == ""
}

// givenParent returns the parent that the caller knows. What a .meta says is not overruled.
func (b *chainBuilder) givenParent(l *Layer, given string, seen map[string]bool) (string, error) {
	metaFile := l.File + metaSuffix
	if l.Meta.parentRead && l.Meta.Parent != given {
		return "", b.refuse(metaFile, do("give no parent of "+l.File),
			"the parent can be read, %s, and is not the one given, %s", orBase(l.Meta.Parent), orBase(given))
	}
	if p := b.d.layer(given); given != "" && (p == nil || !p.Snapshot()) {
		return "", b.refuse(metaFile, steps{b.knownParent(l, seen)},
			"%s, given as the parent, is not a snapshot of this directory", given)
	}
	if l.MetaState != Good {
		b.chain.Inferred = true
		b.warn(WarnParentGiven, metaFile, "%s: the parent is the one given: %s", l.MetaState, orBase(given))
	}
	return given, nil
}

// knownParent is the next step for who knows l's parent.
func (b *chainBuilder) knownParent(l *Layer, seen map[string]bool) step {
	hint := "where you know the parent, give it"
	if possible := b.candidates(seen); len(possible) > 0 {
		hint += ", of " + fileNames(possible)
	}
	hint += ", or none if " + l.File + " is the oldest layer"
	return step{hint, lab.Setting{Name: SettingParent, Value: l.File}}
}

// notLost are the next steps when the parent of no layer is given: the layers whose parents can be.
func (b *chainBuilder) notLost() steps {
	var lost []*Layer
	for i := range b.d.Layers {
		if l := &b.d.Layers[i]; !l.Meta.parentRead {
			lost = append(lost, l)
		}
	}
	if len(lost) == 0 {
		return do("give no parent: those of all layers are known")
	}
	return do("leave it out").or("give one for "+fileNames(lost), SettingParent, "")
}

// purged reports whether the snapshot is not there, or is what a purge that was cut off may have left.
func (d *Directory) purged(file string) bool {
	l := d.layer(file)
	return l == nil || l.Absent || l.MetaState != Good || l.Meta.Removed && !d.namedAsParent()[file]
}

// inferParent infers l's parent, where only one is possible: the snapshots of a directory form one
// tree, so that l is the oldest layer where no snapshot is left that could be below it, and lies on
// the oldest layer where that is the only one. With more of them any may be the parent, whatever is
// named by others, since a revert leaves side branches; and of their times and numbers none is
// proof, since purges and rebuilds change them. That is refused.
func (b *chainBuilder) inferParent(l *Layer, seen map[string]bool) (string, error) {
	metaFile := l.File + metaSuffix
	next := do("use another replica")
	if l.Snapshot() && !b.want.Borrow { // heads are each replica's own
		how := "give one as well that has the file, and was not being rebuilt, and borrow it"
		for _, peer := range b.want.Peers {
			if peer.lends(l) && peer != b.d {
				how = "borrow it, from " + lab.Printable(peer.Name())
			}
		}
		next = next.or(how, SettingBorrow, "")
	}
	next = append(next, b.knownParent(l, seen))
	possible := b.candidates(seen)
	for i := range b.d.Layers { // one whose file alone is lost may be the parent; one that was purged is not
		if s := &b.d.Layers[i]; s.Snapshot() && s.Absent && !s.Meta.Removed && !b.leadsTo(s, seen) {
			possible = append(possible, s)
		}
	}
	if len(possible) == 1 && possible[0].Absent {
		return "", b.refuse(metaFile, next, "%s, and the parent may be %s, which is missing", l.MetaState, possible[0].File)
	}
	if len(possible) == 0 {
		if err := b.peersAgree(l, ""); err != nil {
			return "", err
		}
		b.warn(WarnParentInferred, metaFile,
			"%s: no snapshot is left that could be the parent: it is the oldest layer", l.MetaState)
		return "", nil
	}
	if len(possible) > 1 {
		return "", b.refuse(metaFile, next, "%s, and the parent may be any of %s", l.MetaState, fileNames(possible))
	}
	p := possible[0]
	if !p.Meta.parentRead {
		return "", b.refuse(metaFile, next, "%s, and so is that of %s: which of them is the older one is not known",
			l.MetaState, p.File)
	}
	if p.ModTime.After(l.ModTime) || p.Size > l.Size {
		return "", b.refuse(metaFile, next, "%s, and %s, the only snapshot that could be the parent, is newer or larger "+
			"than it: it may be the end of a side branch", l.MetaState, p.File)
	}
	if err := b.peersAgree(l, p.File); err != nil {
		return "", err
	}
	b.warn(WarnParentInferred, metaFile, "%s: %s is the only snapshot that could be the parent", l.MetaState, p.File)
	return p.File, nil
}

// peersAgree refuses an inferred parent that a peer contradicts. Snapshots that were purged in one
// of the two replicas only are passed over.
func (b *chainBuilder) peersAgree(l *Layer, parent string) error {
	if !l.Snapshot() {
		return nil // each replica has its own heads
	}
	for _, peer := range b.want.Peers {
		if peer == b.d || !peer.lends(l) {
			continue
		}
		theirs := peer.layer(l.File)
		if ours, other := peer.firstOf(b.d.below(parent)), b.d.firstOf(peer.below(theirs.Meta.Parent)); ours != other {
			next := do("use that replica").or("borrow it from there", SettingBorrow, "").
				or("where you know the parent, give it", SettingParent, l.File)
			return b.refuse(l.File+metaSuffix, next, "%s: its parent would be inferred to be %s, but %s says %s",
				l.MetaState, orBase(parent), peer.Name(), orBase(theirs.Meta.Parent))
		}
	}
	return nil
}

// below returns the layers from file down, as far as the .meta files say.
func (d *Directory) below(file string) (files []string) {
	for file != "" && len(files) <= len(d.Layers) {
		files = append(files, file)
		l := d.layer(file)
		if l == nil || !l.Meta.parentRead {
			break
		}
		file = l.Meta.Parent
	}
	return files
}

// firstOf returns the first of the files that the directory has, "" for none.
func (d *Directory) firstOf(files []string) string {
	for _, file := range files {
		if l := d.layer(file); l != nil && !l.Absent {
			return file
		}
	}
	return ""
}

// candidates returns the snapshots that may be below the layers that were seen.
func (b *chainBuilder) candidates(seen map[string]bool) (possible []*Layer) {
	for i := range b.d.Layers {
		s := &b.d.Layers[i]
		if s.Snapshot() && !s.Absent && !seen[s.File] && !b.leadsTo(s, seen) && !b.sameFile(s, seen) {
			possible = append(possible, s)
		}
	}
	return possible
}

// sameFile reports whether s is another name of one of the layers, which a snapshot or a purge that
// was cut off leaves.
func (b *chainBuilder) sameFile(s *Layer, layers map[string]bool) bool {
	for file := range layers {
		if l := b.d.layer(file); l.id.Ino != 0 && l.id.Dev == s.id.Dev && l.id.Ino == s.id.Ino {
			return true
		}
	}
	return false
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

// orBase returns a parent's name for a message.
func orBase(parent string) string {
	if parent == "" {
		return "none, it is the oldest layer"
	}
	return parent
}
