package replica

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Chain is the layers that make up one state of a volume, as files that are all there.
type Chain struct {
	Directory *Directory
	Point     string   // file name of the newest layer
	Size      int64    // of the volume, bytes
	Layers    []*Layer // newest first, the backing file not among them
	Backing   string   // absolute path of the raw backing file; empty when there is none
	Inferred  bool     // some of it was inferred or borrowed, not read
	Warnings  []Warning

	luks bool // an encrypted volume was accepted
}

// maxLayers is the number of layers that an engine can open: its map has a byte a sector, two
// values being taken.
const maxLayers = 254

// Chain finds the layers of the state w. What is not certain is refused ([lab.ErrRefused]) with the
// way out, unless w accepts it; what is inferred beyond doubt from what is left is a warning in the
// result. A snapshot that does not exist is [lab.ErrNotFound].
func (d *Directory) Chain(w Want) (*Chain, error) {
	return d.chain(w, false)
}

// chain finds the layers of the state w, or, as a trial, whether they can be found: the hints of its
// errors name no other recovery points then, each of which takes a trial.
func (d *Directory) chain(w Want, trial bool) (*Chain, error) {
	c := &Chain{Directory: d, Warnings: slices.Clone(d.Warnings), luks: w.Encrypted}
	b := &chainBuilder{d: d, want: w, chain: c, trial: trial}
	if err := b.build(); err != nil {
		return nil, err
	}
	return c, nil
}

// chainBuilder finds the layers of one state.
type chainBuilder struct {
	d     *Directory
	want  Want
	chain *Chain
	meta  VolumeMeta // the directory's, or a borrowed one
	known bool       // meta is known
	trial bool
}

func (b *chainBuilder) warn(code Code, path, format string, args ...any) {
	(*warnings)(&b.chain.Warnings).add(code, path, format, args...)
}

func (b *chainBuilder) refuse(file string, next steps, format string, args ...any) error {
	return next.refuse(lab.Error{Op: "find the layers of replica", Target: b.d.Name(), Path: file}, format, args...)
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
		b.warn(WarnRemovedPoint, top.File, "marked as removed: trims and a purge that was cut off may have changed "+
			"this state since; the states above it are whole")
	}
	if err := b.emptied(); err != nil {
		return err
	}
	b.bystanders()
	return nil
}

// volumeMeta takes the directory's volume.meta, or, if that is wanted, that of the peers, which
// must agree.
func (b *chainBuilder) volumeMeta() error {
	if b.d.MetaState == Good {
		b.meta, b.known = b.d.Meta, true
		return nil
	}
	if !b.want.Borrow {
		return nil
	}
	var from *Directory
	for _, p := range b.want.Peers {
		if p == b.d || p.MetaState != Good {
			continue
		}
		if from != nil && p.Meta.shared() != from.Meta.shared() {
			return b.refuse(volumeMetaFile, do("leave one of them out"),
				"to be borrowed, but %s and %s disagree on size, backing file or encryption", from.Name(), p.Name())
		}
		from = p
	}
	if from == nil {
		return nil
	}
	b.meta, b.known, b.chain.Inferred = from.Meta.shared(), true, true
	b.warn(WarnMetaBorrowed, volumeMetaFile, "size, backing file and encryption taken from %s", from.Name())
	return nil
}

// refusals refuses the states for which no layer needs to be looked at.
func (b *chainBuilder) refusals() error {
	if strings.EqualFold(b.meta.DataEngine, "v2") || strings.EqualFold(b.d.Meta.DataEngine, "v2") {
		return b.refuse(volumeMetaFile, do(v2Hint), "a volume of the v2 data engine, whose data are not in files")
	}
	if b.meta.Encrypted || b.d.Meta.Encrypted {
		if !b.want.Encrypted {
			return b.refuse(volumeMetaFile, asContainer(), "the volume is encrypted")
		}
		b.warn(WarnEncrypted, volumeMetaFile,
			"the image is a LUKS2 container: open it with cryptsetup and the StorageClass's secret")
	}
	for file := range b.want.Parents {
		has := func(d *Directory) bool { return d.layer(file) != nil }
		if !has(b.d) && !slices.ContainsFunc(b.want.Peers, has) {
			return b.refuse(file, b.notLost(), "its parent is given, but there is no such layer")
		}
	}
	if why := b.d.rebuilding(); why != "" {
		if !b.want.ForceRebuilding {
			next := do("use another replica").
				or("if this is the only one left, merge what it has", SettingForceRebuilding, "")
			return b.refuse("", next, "%s", why)
		}
		b.warn(WarnRebuilding, "", "merged all the same: %s", why)
	}
	return nil
}

// walk follows the parents from top to the oldest layer.
func (b *chainBuilder) walk(top *Layer) error {
	seen := map[string]bool{}
	for l := top; ; {
		if seen[l.File] {
			another := b.orPoint("use another replica")
			if len(b.want.Parents) > 0 {
				another = append(set("give other parents, or none", SettingParent, ""), another...)
			}
			return b.refuse(l.File, another, "the parents form a circle")
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
	if n := len(b.chain.Layers); n > maxLayers {
		b.warn(WarnManyLayers, "", "%d layers, more than an engine can open (%d)", n, maxLayers)
	}
	return nil
}
