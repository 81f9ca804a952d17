package replica

import (
	"gitea.arcodange.lab/arcodange-org/lab"
)

// oneVolume refuses directories that cannot be of one volume.
func oneVolume(dirs []*Directory) error {
	const hint = "give the replicas of one volume only"
	var first *Directory
	for _, d := range dirs {
		if d.Volume == "" {
			continue
		}
		if first != nil && d.Volume != first.Volume {
			at := lab.Error{Op: "rank replicas", Path: d.Path, Hint: hint}
			return refuse(at, "they are of two volumes, %s and %s", first.Volume, d.Volume)
		}
		first = d
	}
	// Where names do not say it: replicas of one volume have snapshots in common, if they have any.
	for i, d := range dirs {
		for _, o := range dirs[:i] {
			if (d.Volume == "" || o.Volume == "") && d.strangerTo(o) {
				at := lab.Error{Op: "rank replicas", Path: d.Path, Hint: hint}
				return refuse(at, "it has no snapshot in common with %s: they seem to be of two volumes", o.Path)
			}
		}
	}
	return nil
}

// strangerTo reports whether both directories have snapshots, and none in common.
func (d *Directory) strangerTo(o *Directory) bool {
	mine, theirs := 0, 0
	for i := range d.Layers {
		if d.Layers[i].Snapshot() {
			mine++
			if o.layer(d.Layers[i].File) != nil {
				return false
			}
		}
	}
	for i := range o.Layers {
		if o.Layers[i].Snapshot() {
			theirs++
		}
	}
	return mine > 0 && theirs > 0
}
