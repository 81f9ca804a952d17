package replica

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// Want says which state of the volume is wanted, and which doubts are accepted. The zero value is the live state, and no doubts.
type Want struct {
	// Snapshot is the recovery point: a snapshot's name or a layer's file name, on the live chain or on a side branch. Empty means the head.
	Snapshot string
	// Backing is a raw backing file to use instead of the one that the metadata names. Empty means that one, looked for beside the replica too.
	Backing string
	// NoBacking says that the volume has no backing file, where that is not known because volume.meta is lost.
	NoBacking bool
	// Size is the volume's size in bytes, used where volume.meta is lost. 0 means that of the newest layer.
	Size int64
	// Borrow lets lost metadata be read from Sisters, other replicas of the same volume.
	Borrow  bool
	Peers []*Directory
	// ForceRebuilding accepts a replica that was, or may have been, being rebuilt.
	ForceRebuilding bool
	// DropMissing leaves a missing layer out where a purge was cut off at the one point where its parent holds all of its data.
	DropMissing bool
	// Encrypted accepts an encrypted volume: what is merged is then its LUKS container.
	Encrypted bool
}

// Chain is the layers that make up one state of a volume, as files that are all there.
type Chain struct {
	Directory *Directory
	Point     string   // file name of the newest layer
	Size      int64    // of the volume, bytes
	Layers    []*Layer // newest first, the backing file not among them
	Backing   string   // absolute path of the raw backing file; empty when there is none
	Inferred  bool     // some of it was concluded or borrowed, not read
	Warnings  []Warning

	luks bool // an encrypted volume was accepted
}

// MaxLayers is the number of layers that an engine can open: its map has a byte a sector, two values being taken.
const MaxLayers = 254

// Chain finds the layers of the state w. What is not certain is refused ([lab.ErrRefused]) with the way out, unless w accepts it; what is
// concluded beyond doubt from what is left is a warning in the result.
func (d *Directory) Chain(w Want) (*Chain, error) {
	b := &chainBuilder{d: d, want: w, chain: &Chain{Directory: d, Warnings: slices.Clone(d.Warnings), luks: w.Encrypted}}
	if err := b.build(); err != nil {
		return nil, err
	}
	return b.chain, nil
}

type chainBuilder struct {
	d     *Directory
	want  Want
	chain *Chain
	meta  VolumeMeta // the directory's, or a borrowed one
	known bool       // meta is known
}

func (b *chainBuilder) warn(code Code, path, format string, args ...any) {
	(*warnings)(&b.chain.Warnings).add(code, path, format, args...)
}

func (b *chainBuilder) refuse(file, hint, format string, args ...any) error {
	return &lab.Error{Op: "find the layers of replica", Target: b.d.Name(), Path: file, Hint: hint,
		Err: fmt.Errorf("%w: %s", lab.ErrRefused, fmt.Sprintf(format, args...))}
}

func (b *chainBuilder) build() error {
	if err := b.volumeMeta(); err != nil {
		return err
	}
	if err := b.refusals(); err != nil {
		return err
	}
	top, err := b.top()
	if err != nil {
		return err
	}
	b.chain.Point = top.File
	if err := b.walk(top); err != nil {
		return err
	}
	if err := b.sizes(); err != nil {
		return err
	}
	if err := b.backing(); err != nil {
		return err
	}
	if top.Meta.Removed {
		b.warn(WarnRemovedPoint, top.File, "marked as removed: trims and a purge that was cut off may have changed this state since; the states above it are whole")
	}
	if b.d.copied() {
		b.warn(WarnTimesCopied, "", "the directory is a copy: if cp, rsync, or tar without -S made it, holes and zeros are mixed up, and the image is wrong in places; "+
			"merge the original, or move it with `replica pack` and `replica unpack`")
	}
	b.bystanders()
	return nil
}

// volumeMeta takes the directory's volume.meta, or, when asked, that of the sisters, who must agree.
func (b *chainBuilder) volumeMeta() error {
	if b.d.MetaState == Good {
		b.meta, b.known = b.d.Meta, true
		return nil
	}
	if !b.want.Borrow {
		return nil
	}
	var from *Directory
	for _, s := range b.want.Peers {
		if s == b.d || s.MetaState != Good {
			continue
		}
		if from != nil && (s.Meta.Size != from.Meta.Size || s.Meta.backing() != from.Meta.backing() || s.Meta.Encrypted != from.Meta.Encrypted) {
			return b.refuse(volumeMetaFile, "leave one of them out", "to be borrowed, but %s and %s disagree on size, backing file or encryption", from.Name(), s.Name())
		}
		from = s
	}
	if from == nil {
		return nil
	}
	// The head's name, its parent and the flags are each replica's own.
	b.meta, b.known = VolumeMeta{Size: from.Meta.Size, BackingFilePath: from.Meta.backing(), Encrypted: from.Meta.Encrypted}, true
	b.chain.Inferred = true
	b.warn(WarnMetaBorrowed, volumeMetaFile, "size, backing file and encryption taken from %s", from.Name())
	return nil
}

// refusals are the states that no layer needs to be looked at for.
func (b *chainBuilder) refusals() error {
	if strings.EqualFold(b.meta.DataEngine, "v2") || strings.EqualFold(b.d.Meta.DataEngine, "v2") {
		return b.refuse(volumeMetaFile, "v2 volumes can be read through a running Longhorn, or restored from a backup, only",
			"a volume of the v2 data engine, whose data are not in files")
	}
	if b.meta.Encrypted || b.d.Meta.Encrypted {
		if !b.want.Encrypted {
			return b.refuse(volumeMetaFile, "merge the LUKS container with -encrypted, then open it with cryptsetup and the StorageClass's secret (CRYPTO_KEY_VALUE)",
				"the volume is encrypted")
		}
		b.warn(WarnEncrypted, volumeMetaFile, "the image is a LUKS2 container: open it with cryptsetup and the StorageClass's secret")
	}
	if why := b.d.rebuilding(); why != "" {
		if !b.want.ForceRebuilding {
			return b.refuse("", "use another replica; if this is the only one left, -force-rebuilding merges what it has", "%s", why)
		}
		b.warn(WarnRebuilding, "", "merged all the same: %s", why)
	}
	return nil
}

// rebuilding returns why the replica must be taken for half copied, or "".
func (d *Directory) rebuilding() string {
	if d.Meta.Rebuilding {
		return "it was being rebuilt: layers may be half copied"
	}
	if d.MetaState == Good {
		return ""
	}
	// Without volume.meta the flag is lost with it: what else a rebuild leaves must do.
	if d.CounterState == Good && d.Counter == 0 && d.allocated() > 0 {
		return "volume.meta is lost and revision.counter is 0 although there is data: it may have been being rebuilt"
	}
	// A rebuild copies a layer before its .meta. A power cut empties a .meta rather than taking it away, except where a snapshot is cut off
	// that is another name of the head yet.
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

// namedAsParent returns the layers that a readable .meta, or volume.meta, names as parent.
func (d *Directory) namedAsParent() map[string]bool {
	named := map[string]bool{}
	if d.MetaState == Good {
		named[d.Meta.Parent] = true
	}
	for i := range d.Layers {
		if d.Layers[i].Meta.parentRead {
			named[d.Layers[i].Meta.Parent] = true
		}
	}
	return named
}

// top returns the newest layer of the wanted state.
func (b *chainBuilder) top() (*Layer, error) {
	if b.want.Snapshot != "" {
		l := b.d.layer(b.want.Snapshot)
		if l == nil { // a snapshot may be called as another one's file is
			l = b.d.layer(diskfile.SnapshotFile(b.want.Snapshot))
		}
		switch {
		case l != nil && l.Absent:
			return nil, b.refuse(l.File, "choose another recovery point: "+b.points(), "the layer's file is missing")
		case l != nil:
			return l, nil
		}
		return nil, &lab.Error{Op: "find snapshot", Target: b.d.Name(), Path: b.want.Snapshot, Hint: "recovery points: " + b.points(), Err: lab.ErrNotFound}
	}
	if !diskfile.IsHead(b.d.Meta.Head) { // lost
		return b.inferHead()
	}
	l := b.d.layer(b.d.Meta.Head)
	if l == nil || l.Absent {
		return nil, b.refuse(b.d.Meta.Head, "choose a recovery point with -snapshot: "+b.points(), "volume.meta names it as head, but it is missing")
	}
	if b.d.MetaState != Good {
		b.chain.Inferred = true
		b.warn(WarnHeadInferred, l.File, "taken for the head, because what can be read of volume.meta names it")
	}
	return l, nil
}

// points lists the recovery points for a hint.
func (b *chainBuilder) points() string {
	var names []string
	for i := range b.d.Layers {
		if l := &b.d.Layers[i]; !l.Absent {
			names = append(names, lab.Printable(l.Name()))
		}
	}
	if len(names) == 0 {
		return "none is left"
	}
	if len(names) > 8 {
		names = append(names[:8], "...")
	}
	return strings.Join(names, ", ")
}

// inferHead finds the head where volume.meta is lost: the one head there is, or of several the one that is not a leftover. A snapshot that
// is cut off leaves the old head as a second name of the new snapshot (the engine links .img and .meta before it unlinks them).
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
		return nil, b.refuse(volumeMetaFile, "choose a recovery point with -snapshot: "+b.points(), "lost, and there is no head")
	case len(heads) == 1:
		left = heads
	case len(left) == 0 || len(left) > 1:
		var names []string
		for _, h := range heads {
			names = append(names, h.File)
		}
		return nil, b.refuse(volumeMetaFile, "choose one with -snapshot FILE after comparing them", "lost, and which of %s is the head cannot be told", strings.Join(names, ", "))
	}
	b.chain.Inferred = true
	b.warn(WarnHeadInferred, left[0].File, "taken for the head, because volume.meta is %s", b.d.MetaState)
	return left[0], nil
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
		if s.MetaState == Good && s.Meta.formerName == head.File && s.Size == head.Size && s.ModTime.Equal(head.ModTime) &&
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

// walk follows the parents from top to the oldest layer.
func (b *chainBuilder) walk(top *Layer) error {
	seen := map[string]bool{}
	for l := top; ; {
		if seen[l.File] {
			return b.refuse(l.File, "use another replica, or -snapshot with a point below", "the parents form a circle")
		}
		seen[l.File] = true
		b.chain.Layers = append(b.chain.Layers, l)
		parent, err := b.parent(l, seen)
		if err != nil {
			return err
		}
		if parent == "" {
			break
		}
		next := b.d.layer(parent)
		if next == nil || next.Absent {
			if next, err = b.missing(l, next, parent); err != nil {
				return err
			}
		}
		l = next
	}
	if n := len(b.chain.Layers); n > MaxLayers {
		b.warn(WarnManyLayers, "", "%d layers, more than an engine can open (%d)", n, MaxLayers)
	}
	return nil
}

// missing deals with a parent whose file is not there. There is one moment in a purge at which that loses nothing: the engine has folded
// the child into its parent, has removed the child, and was about to give the parent the child's name (hardlinkDisk).
func (b *chainBuilder) missing(child, l *Layer, file string) (*Layer, error) {
	if l == nil || l.MetaState != Good || l.Meta.Parent == "" {
		return nil, b.refuse(file, "use another replica, or a recovery point below: "+b.points(), "missing, and %s needs it", child.File)
	}
	p := b.d.layer(l.Meta.Parent)
	if p == nil || p.Absent || p.MetaState != Good || !p.Meta.Removed {
		return nil, b.refuse(file, "use another replica, or a recovery point below: "+b.points(), "missing, and %s needs it", child.File)
	}
	if !b.want.DropMissing {
		return nil, b.refuse(file, "another replica is better; -drop-missing takes "+p.File+" in its place",
			"missing; %s below it is marked as removed, so a purge may have been cut off when that held all of its data", p.File)
	}
	b.chain.Inferred = true
	b.warn(WarnMissingDropped, file, "left out: a purge was cut off, its data being in %s", p.File)
	return p, nil
}

// parent returns the file name of l's parent, "" for the oldest layer.
func (b *chainBuilder) parent(l *Layer, seen map[string]bool) (string, error) {
	ours := l.File == b.d.Meta.Head // of which volume.meta, if it is whole, has the parent as well
	if l.MetaState == Good {
		if ours && b.d.MetaState == Good && l.Meta.Parent != b.d.Meta.Parent {
			b.warn(WarnParentDisagrees, l.File+metaSuffix, "it names as parent: %s; volume.meta: %s; the engine goes by the former", orBase(l.Meta.Parent), orBase(b.d.Meta.Parent))
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
			b.warn(WarnParentInferred, metaFile, "%s: the parent is that of %s, another name of the same file: %s", l.MetaState, h.File, orBase(h.Meta.Parent))
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

// borrow reads l's lost .meta from the sisters that have it. A snapshot has the same name and parent in every replica; heads have not.
func (b *chainBuilder) borrow(l *Layer, seen map[string]bool) (string, *Directory, error) {
	var from *Directory
	var parent string
	for _, s := range b.want.Peers {
		if s == b.d {
			continue
		}
		theirs := s.layer(l.File)
		if theirs == nil || theirs.MetaState != Good || s.rebuilding() != "" {
			continue
		}
		if from != nil && theirs.Meta.Parent != parent {
			return "", nil, b.refuse(l.File+metaSuffix, "leave one of them out", "to be borrowed, but %s and %s disagree on the parent", from.Name(), s.Name())
		}
		from, parent = s, theirs.Meta.Parent
	}
	if from != nil {
		// A snapshot that was purged there, and here not yet, would be left out.
		for _, s := range b.candidates(seen) {
			if from.layer(s.File) == nil {
				return "", nil, b.refuse(l.File+metaSuffix, "use another replica", "to be borrowed from %s, which says %s, but does not have %s: it may have been purged there, and be the parent here",
					from.Name(), orBase(parent), s.File)
			}
		}
		b.warn(WarnMetaBorrowed, l.File+metaSuffix, "%s: the parent is taken from %s: %s", l.MetaState, from.Name(), orBase(parent))
	}
	return parent, from, nil
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

// taken returns the layers that another one than a leftover names as its parent. What is left of a head that became a snapshot still names
// the snapshot's parent, and what is left of a layer that was purged, its child's: these are returned apart.
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

// inferParent concludes l's parent. Where no snapshot is left that could be below it, l is the oldest layer. Where there is exactly one that
// no other layer names, that is the parent, unless the directory has side branches or the times speak against it. Else it is refused.
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
		b.warn(WarnParentInferred, metaFile, "%s: no snapshot is left that could be the parent: it is the oldest layer", l.MetaState)
		return "", nil
	}
	if len(free) != 1 {
		if len(free) == 0 { // each has a child already, but it may have two
			free = possible
		}
		var names []string
		for _, s := range free {
			names = append(names, s.File)
		}
		return "", b.refuse(metaFile, hint, "%s, and the parent may be any of %s", l.MetaState, strings.Join(names, ", "))
	}
	p := free[0]
	switch {
	case b.branches():
		return "", b.refuse(metaFile, hint, "%s, and %s may be its parent or the end of a side branch", l.MetaState, p.File)
	case p.ModTime.After(l.ModTime) || p.Size > l.Size:
		return "", b.refuse(metaFile, hint, "%s, and %s, which no layer names, is newer or larger than it: it may be the end of a side branch", l.MetaState, p.File)
	}
	b.warn(WarnParentInferred, metaFile, "%s: %s is the only snapshot that no layer names: taken for the parent, which is wrong if a revert left it as a side branch: compare with another replica, or check the image's file system", l.MetaState, p.File)
	return p.File, nil
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

// branches reports whether some snapshot has more than one child, leftovers of a cut-off snapshot aside.
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

func orBase(parent string) string {
	if parent == "" {
		return "none, it is the oldest layer"
	}
	return parent
}

// sizes finds the volume's size and holds the layers against it: a layer may be smaller than the one above it, never larger.
func (b *chainBuilder) sizes() error {
	c, top := b.chain, b.chain.Layers[0]
	switch {
	case b.known && b.want.Size != 0 && b.want.Size != b.meta.Size:
		return b.refuse(volumeMetaFile, "leave -size out", "the volume's size is known, %d bytes, and is not the one given, %d", b.meta.Size, b.want.Size)
	case b.known:
		c.Size = b.meta.Size
	case b.want.Size != 0:
		c.Size = b.want.Size
	case possibleSize(b.d.Meta.Size):
		c.Size, c.Inferred = b.d.Meta.Size, true
		b.warn(WarnSizeInferred, volumeMetaFile, "%s, but the volume's size can be read: %d bytes", b.d.MetaState, c.Size)
	default:
		c.Size, c.Inferred = top.Size, true
		b.warn(WarnSizeInferred, volumeMetaFile, "%s: the volume's size is taken from %s: %d bytes", b.d.MetaState, top.File, c.Size)
	}
	if !possibleSize(c.Size) {
		hint := "give the volume's size with -size"
		if up := (c.Size + SectorSize - 1) &^ (SectorSize - 1); possibleSize(up) {
			hint += fmt.Sprintf(", %d if it was cut off in a sector: what is missing reads as zeros", up)
		}
		return b.refuse("", hint, "%d bytes cannot be a volume's size, which is a positive multiple of %d", c.Size, SectorSize)
	}
	above, aboveSize := "the volume", c.Size
	for i, l := range c.Layers {
		if l.Size > aboveSize {
			return b.refuse(l.File, "use another replica, or a recovery point below with -snapshot: "+b.points(), "%d bytes, larger than %s (%d bytes)", l.Size, above, aboveSize)
		}
		if l.Size < aboveSize && !(l.Snapshot() && (i > 0 || b.want.Snapshot != "") && l.expansion()) {
			b.warn(WarnLayerShort, l.File, "%d bytes, smaller than %s (%d bytes), and no expansion explains it: what is missing reads as zeros or from the layers below", l.Size, above, aboveSize)
		}
		above, aboveSize = l.File, l.Size
	}
	return nil
}

// possibleSize reports whether a volume can have that many bytes.
func possibleSize(n int64) bool { return n > 0 && n%SectorSize == 0 && n <= maxVolume }

// expansion reports whether the snapshot was made by an expansion, so that what is above it is larger.
func (l *Layer) expansion() bool {
	_, labelled := l.Meta.Labels["replica-expansion"]
	return labelled || strings.HasPrefix(l.Name(), "expand-")
}

// backing finds the backing file.
func (b *chainBuilder) backing() error {
	recorded := b.meta.backing()
	if recorded == "" {
		recorded = b.d.Meta.backing()
	}
	switch {
	case b.want.NoBacking && b.want.Backing != "":
		return b.refuse("", "give one of them", "both a backing file and none are asked for")
	case recorded != "" && b.want.NoBacking:
		return b.refuse(recorded, "give it with -backing", "the volume has a backing file")
	case recorded == "" && b.known && b.want.Backing != "":
		return b.refuse(b.want.Backing, "leave -backing out", "the volume has no backing file")
	case recorded == "" && b.want.Backing == "" && (b.known || b.want.NoBacking):
		return nil
	case recorded == "" && b.want.Backing == "":
		// volume.meta is lost, and with it whether there was one.
		if near := backingImages(b.d.Path); len(near) > 0 {
			return b.refuse(volumeMetaFile, "give the backing file with -backing, or say -no-backing",
				"%s, and with it whether the volume has a backing file; there are some on its disk: %s", b.d.MetaState, strings.Join(near, ", "))
		}
		b.warn(WarnBackingUnknown, volumeMetaFile, "%s, and with it whether the volume has a backing file: there is none on its disk, so it is taken for one without; say -no-backing if you know", b.d.MetaState)
		return nil
	}
	path := b.want.Backing
	if path == "" {
		found, err := findBacking(b.d.Path, recorded)
		if err != nil {
			return b.refuse(recorded, "give the backing file with -backing FILE", "%v", err)
		}
		path = found
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if abs != recorded {
		b.warn(WarnBackingRemapped, abs, "used as backing file for %s", recordedName(recorded))
	}
	if err := checkBacking(abs, b.chain.Size); err != nil {
		return err
	}
	b.chain.Backing = abs
	return nil
}

func recordedName(recorded string) string {
	if recorded == "" {
		return "a volume whose volume.meta is lost"
	}
	return lab.Printable(recorded)
}

// bystanders warns of the layers that are not in the chain.
func (b *chainBuilder) bystanders() {
	in := map[string]bool{}
	for _, l := range b.chain.Layers {
		in[l.File] = true
	}
	named := b.d.namedAsParent()
	for i := range b.d.Layers {
		l := &b.d.Layers[i]
		switch {
		case in[l.File] || l.Absent:
		case !l.Snapshot():
			switch {
			case b.want.Snapshot != "":
			case l.Allocated > 0 && b.d.twin(l) == nil:
				b.warn(WarnExtraHead, l.File, "not the head: ignored, although it has data of its own; look at it with -snapshot %s", l.File)
			default:
				b.warn(WarnExtraHead, l.File, "not the head: ignored")
			}
		case l.MetaState != Good && !named[l.File]:
			b.warn(WarnStrayLayer, l.File, "its .meta is %s and no layer names it: not in the chain", l.MetaState)
		case b.want.Snapshot == "":
			b.warn(WarnSideBranch, l.File, "not below the head; a recovery point of its own with -snapshot %s", lab.Printable(l.Name()))
		}
	}
}

// Point is a state of the volume that can be merged.
type Point struct {
	Name    string // for [Want].Snapshot; empty for the live state
	File    string
	Created string // RFC 3339, of a snapshot; empty when not known
	User    bool   // made by the user or a recurring job, not by Longhorn
	Removed bool   // deleted by the user, not purged yet
	Live    bool   // on the head's chain
	Layers  int
	Err     error // why it cannot be merged; nil when it can
}

// Points returns every recovery point of the directory: the live state first, then each snapshot and each head that is not the live one.
func (d *Directory) Points(w Want) []Point {
	w.Snapshot = ""
	head, err := d.Chain(w)
	live := map[string]bool{}
	p := Point{Live: true, Err: err}
	if err == nil {
		p.File, p.Layers = head.Point, len(head.Layers)
		for _, l := range head.Layers {
			live[l.File] = true
		}
	}
	points := []Point{p}
	for i := range d.Layers {
		l := &d.Layers[i]
		if l.Absent || l.File == p.File {
			continue
		}
		w.Snapshot = l.File
		c, err := d.Chain(w)
		q := Point{Name: l.Name(), File: l.File, Created: l.Meta.Created, User: l.Meta.UserCreated, Removed: l.Meta.Removed, Live: live[l.File], Err: err}
		if err == nil {
			q.Layers = len(c.Layers)
		}
		points = append(points, q)
	}
	return points
}
