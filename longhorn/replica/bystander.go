package replica

import (
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
)

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
				b.warn(WarnExtraHead, l.File,
					"not the head: ignored, although it has data of its own; it is a recovery point too")
			default:
				b.warn(WarnExtraHead, l.File, "not the head: ignored")
			}
		case l.MetaState != Good && !named[l.File]:
			b.warn(WarnStrayLayer, l.File, "its .meta is %s and no layer names it: not in the chain", l.MetaState)
		case b.want.Snapshot == "":
			b.warn(WarnSideBranch, l.File,
				"not below the head; a recovery point of its own, %s", lab.Printable(l.Name()))
		}
	}
}

// emptied refuses a live state without any data beside layers that have some: the metadata name a head
// that has lost what is below it.
func (b *chainBuilder) emptied() error {
	if b.want.Snapshot != "" || b.want.ForceRebuilding || b.chain.Backing != "" {
		return nil
	}
	for _, l := range b.chain.Layers {
		if l.Allocated > 0 {
			return nil
		}
	}
	head := b.chain.Point
	for i := range b.d.Layers {
		if l := &b.d.Layers[i]; !l.Absent && l.Allocated > 0 && !slices.Contains(b.chain.Layers, l) {
			next := b.orPoint("use another replica").or("take the empty state", SettingSnapshot, head)
			return b.refuse(head, next,
				"the live state is empty, although %s, which is not below it, has data", l.File)
		}
	}
	return nil
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
