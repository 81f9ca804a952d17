package replica

import "slices"

// InOrder returns the layers from the head down to the oldest one, then the side branches, each from
// its newest layer down to where it leaves what came before. chain is the live state's, and may be nil:
// then the metadata are followed as far as they can be read.
func (d *Directory) InOrder(chain *Chain) []*Layer {
	var ordered []*Layer
	follow := func(l *Layer) {
		for l != nil && !slices.Contains(ordered, l) {
			ordered = append(ordered, l)
			l = d.layer(l.Meta.Parent)
		}
	}
	if chain != nil {
		ordered = append(ordered, chain.Layers...)
	} else {
		follow(d.layer(d.Meta.Head))
	}
	named := d.namedAsParent()
	for i := range d.Layers { // the ends of branches, heads first, which sort before snapshots
		if l := &d.Layers[i]; !named[l.File] {
			follow(l)
		}
	}
	for i := range d.Layers { // what is left is above nothing that can be read
		follow(&d.Layers[i])
	}
	return ordered
}
