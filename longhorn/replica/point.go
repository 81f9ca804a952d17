package replica

// Point is a state of the volume that can be merged.
type Point struct {
	Name    string // for [Want].Snapshot; empty for the live state
	File    string
	Created string // RFC 3339, of a snapshot; empty when not known
	User    bool   // made by the user or a recurring job, not by Longhorn
	Removed bool   // deleted by the user, not purged yet
	Live    bool   // on the head's chain
	Layers  int    // 0 when it cannot be merged
	Err     error  // why it cannot be merged; nil when it can
}

// Points returns every recovery point of the directory: the live state first, then each snapshot
// and each head that is not the live one.
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
		c, err := d.chain(w, true)
		q := Point{
			Name: l.Name(), File: l.File, Created: l.Meta.Created, User: l.Meta.UserCreated,
			Removed: l.Meta.Removed, Live: live[l.File], Err: err,
		}
		if err == nil {
			q.Layers = len(c.Layers)
		}
		points = append(points, q)
	}
	return points
}
