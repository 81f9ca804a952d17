package replica

import (
	"fmt"
	"strings"
)

// sizes finds the volume's size and compares the layers with it: a layer may be smaller than the
// one above it, never larger.
func (b *chainBuilder) sizes() error {
	c, top := b.chain, b.chain.Layers[0]
	switch {
	case b.borrowed() && b.want.Snapshot == "" && b.meta.Size != top.Size && b.want.Size == 0:
		// A replica that has missed an expansion has the old size.
		next := do("use another replica").or("if the head is whole, give its size", SettingSize, fmt.Sprint(top.Size))
		return b.refuse(volumeMetaFile, next,
			"to be borrowed, but the volume has %d bytes there, and %s has %d", b.meta.Size, top.File, top.Size)
	case b.borrowed() && b.want.Size != 0:
		c.Size = b.want.Size
	case b.known && b.want.Size != 0 && b.want.Size != b.meta.Size && b.want.Size == top.Size:
		c.Size, c.Inferred = top.Size, true // an expansion was cut off, say
		b.warn(WarnSizeInferred, volumeMetaFile, "it says %d bytes, but the size of %s was asked for, %d bytes",
			b.meta.Size, top.File, top.Size)
	case b.known && b.want.Size != 0 && b.want.Size != b.meta.Size:
		return b.refuse(volumeMetaFile, do("leave the size out"),
			"the volume's size is known, %d bytes, and is not the one given, %d", b.meta.Size, b.want.Size)
	case b.known:
		c.Size = b.meta.Size
	case b.want.Size != 0:
		c.Size = b.want.Size
	case possibleSize(b.d.Meta.Size):
		c.Size, c.Inferred = b.d.Meta.Size, true
		b.warn(WarnSizeInferred, volumeMetaFile,
			"%s, but the volume's size can be read: %d bytes", b.d.MetaState, c.Size)
	default:
		c.Size, c.Inferred = top.Size, true
		b.warn(WarnSizeInferred, volumeMetaFile,
			"%s: the volume's size is taken from %s: %d bytes", b.d.MetaState, top.File, c.Size)
	}
	if !possibleSize(c.Size) {
		next := set("give the volume's size", SettingSize, "")
		if up := (c.Size + sectorSize - 1) &^ (sectorSize - 1); possibleSize(up) {
			next = next.or("if it was cut off in a sector, whose rest then reads as zeros, give the size with it",
				SettingSize, fmt.Sprint(up))
		}
		return b.refuse("", next,
			"%d bytes cannot be a volume's size, which is a positive multiple of %d", c.Size, sectorSize)
	}
	return b.layerSizes()
}

// borrowed reports whether what is known of the volume is a peer's.
func (b *chainBuilder) borrowed() bool { return b.known && b.d.MetaState != Good }

// layerSizes compares the size of each layer with that of the one above it.
func (b *chainBuilder) layerSizes() error {
	c := b.chain
	above, aboveSize := "the volume", c.Size
	for i, l := range c.Layers {
		if l.Size > aboveSize {
			next := b.orPoint("use another replica")
			if i == 0 && b.known && b.want.Size == 0 && possibleSize(l.Size) {
				next = next.or("to take all of it, give its size", SettingSize, fmt.Sprint(l.Size))
			}
			return b.refuse(l.File, next, "%d bytes, larger than %s (%d bytes)", l.Size, above, aboveSize)
		}
		if l.Size < aboveSize && !(l.Snapshot() && (i > 0 || b.want.Snapshot != "") && l.expansion()) {
			b.warn(WarnLayerShort, l.File, "%d bytes, smaller than %s (%d bytes), and no expansion explains it: "+
				"what is missing reads as zeros or from the layers below", l.Size, above, aboveSize)
		}
		above, aboveSize = l.File, l.Size
	}
	return nil
}

// possibleSize reports whether a volume can have that many bytes.
func possibleSize(n int64) bool { return n > 0 && n%sectorSize == 0 && n <= maxVolume }

// expansion reports whether the snapshot was made by an expansion, so that what is above it is
// larger.
func (l *Layer) expansion() bool {
	_, labelled := l.Meta.Labels["replica-expansion"]
	return labelled || strings.HasPrefix(l.Name(), "expand-")
}
