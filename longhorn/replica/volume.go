package replica

import (
	"slices"

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

// ByVolume groups directories by the volume that they are replicas of, in the order in which the first
// of each came. Those whose names do not say it are together with those that they have a snapshot in
// common with, or with each other where that is possible.
func ByVolume(dirs []*Directory) [][]*Directory {
	var groups [][]*Directory
	for _, d := range dirs {
		i := slices.IndexFunc(groups, func(g []*Directory) bool { return d.belongsTo(g) })
		if i < 0 {
			groups = append(groups, nil)
			i = len(groups) - 1
		}
		groups[i] = append(groups[i], d)
	}
	return groups
}

// belongsTo reports whether d is of the same volume as the directories of a group.
func (d *Directory) belongsTo(group []*Directory) bool {
	for _, o := range group {
		switch {
		case d.Volume != "" && o.Volume != "":
			return d.Volume == o.Volume
		case d.Volume == o.Volume && !d.strangerTo(o), d.shares(o):
			return true
		}
	}
	return false
}

// shares reports whether the directories have a snapshot in common.
func (d *Directory) shares(o *Directory) bool {
	return slices.ContainsFunc(d.Layers, func(l Layer) bool { return l.Snapshot() && o.layer(l.File) != nil })
}

// strangerTo reports whether both directories have snapshots, and none in common.
func (d *Directory) strangerTo(o *Directory) bool {
	snapshot := func(l Layer) bool { return l.Snapshot() }
	return slices.ContainsFunc(d.Layers, snapshot) && slices.ContainsFunc(o.Layers, snapshot) && !d.shares(o)
}
