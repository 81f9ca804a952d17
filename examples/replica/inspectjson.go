package main

import (
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

type pointLine struct {
	Name    string   `json:"name"`
	File    string   `json:"file"`
	Created string   `json:"created,omitempty"`
	User    bool     `json:"user"`
	Removed bool     `json:"removed"`
	Live    bool     `json:"live"`
	Layers  int      `json:"layers"`
	Error   string   `json:"error,omitempty"`
	Hints   []string `json:"hints,omitempty"`
}

func pointLineOf(q replica.Point) pointLine {
	l := pointLine{
		Name: name(q.Name), File: name(q.File), Created: q.Created, User: q.User,
		Removed: q.Removed, Live: q.Live, Layers: q.Layers,
	}
	if q.Err != nil {
		l.Error, l.Hints = q.Err.Error(), lab.Hints(lab.Reword(q.Err, say))
	}
	return l
}

type layerLine struct {
	File      string            `json:"file"`
	Absent    bool              `json:"absent,omitempty"`
	Size      int64             `json:"size"`
	Allocated int64             `json:"allocated"`
	ModTime   time.Time         `json:"mtime"`
	Meta      replica.State     `json:"meta"`
	Parent    string            `json:"parent"`
	Removed   bool              `json:"removed"`
	User      bool              `json:"user"`
	Created   string            `json:"created,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Checksum  replica.State     `json:"checksum"`
}

func layerLineOf(l *replica.Layer) layerLine {
	return layerLine{
		File: name(l.File), Absent: l.Absent, Size: l.Size, Allocated: l.Allocated, ModTime: l.ModTime.UTC(),
		Meta: l.MetaState, Parent: name(l.Meta.Parent), Removed: l.Meta.Removed, User: l.Meta.UserCreated,
		Created: l.Meta.Created, Labels: l.Meta.Labels, Checksum: l.ChecksumState,
	}
}

// directoryLine prints what one directory holds, as JSON: the layers in the order of the chain.
func (p *printer) directoryLine(d *replica.Directory, layers []*replica.Layer, points []replica.Point) {
	layerLines, pointLines := []layerLine{}, []pointLine{}
	for _, l := range layers {
		layerLines = append(layerLines, layerLineOf(l))
	}
	for _, q := range points {
		pointLines = append(pointLines, pointLineOf(q))
	}
	p.line("replica", map[string]any{
		"path": name(d.Path), "volume": name(d.Volume), "size": d.Meta.Size, "head": d.Meta.Head, "volume_meta": d.MetaState,
		"dirty": d.Meta.Dirty, "rebuilding": d.Meta.Rebuilding, "counter": d.Counter,
		"layers": layerLines, "points": pointLines, "warnings": d.Warnings,
	})
}
