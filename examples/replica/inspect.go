package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

func (p *program) inspect(ctx context.Context, args []string) error {
	var w replica.Want
	var checksums bool
	paths, err := p.flags("inspect", "[-json] DIR...", func(f *flag.FlagSet) {
		wantFlags(f, &w)
		f.BoolVar(&checksums, "checksums", false, "read the snapshots and verify them by Longhorn's checksums")
	}, args, 1, 0)
	if err != nil {
		return err
	}
	dirs, err := replica.ReadAll(paths)
	if len(dirs) == 0 {
		return err
	}
	for _, d := range dirs {
		among := w
		among.Peers = dirs
		p.out.directory(d, d.Points(among))
	}
	ranking, rerr := replica.Rank(ctx, dirs, w, replica.RankOptions{NoChecksums: !checksums})
	if rerr == nil {
		p.out.ranking(ranking)
	}
	return errors.Join(err, rerr)
}

type pointLine struct {
	Name    string `json:"name"`
	File    string `json:"file"`
	Created string `json:"created,omitempty"`
	User    bool   `json:"user"`
	Removed bool   `json:"removed"`
	Live    bool   `json:"live"`
	Layers  int    `json:"layers"`
	Error   string `json:"error,omitempty"`
}

func pointLineOf(q replica.Point) pointLine {
	l := pointLine{
		Name: q.Name, File: q.File, Created: q.Created, User: q.User,
		Removed: q.Removed, Live: q.Live, Layers: q.Layers,
	}
	if q.Err != nil {
		l.Error = q.Err.Error()
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

func layerLineOf(l replica.Layer) layerLine {
	return layerLine{
		File: l.File, Absent: l.Absent, Size: l.Size, Allocated: l.Allocated, ModTime: l.ModTime.UTC(),
		Meta: l.MetaState, Parent: l.Meta.Parent, Removed: l.Meta.Removed, User: l.Meta.UserCreated,
		Created: l.Meta.Created, Labels: l.Meta.Labels, Checksum: l.ChecksumState,
	}
}

// directory prints what one directory holds.
func (p *printer) directory(d *replica.Directory, points []replica.Point) {
	if p.json {
		p.directoryLine(d, points)
		return
	}
	p.printf("%s\n", lab.Printable(d.Path))
	state := "volume.meta " + string(d.MetaState)
	if d.MetaState == replica.Good {
		state = size(d.Meta.Size)
		if d.Meta.Rebuilding {
			state += ", rebuilding"
		}
	}
	counter := "no revision counter"
	if d.CounterState == replica.Good {
		counter = fmt.Sprintf("revision counter %d", d.Counter)
	}
	p.printf("  %s, %s, %s\n", state, count(len(d.Layers), "layer", "layers"), counter)
	p.layers(d.Layers)
	p.points(points)
	for _, w := range d.Warnings {
		if w.Path != "" {
			w.Path = lab.Printable(w.Path) + ": "
		}
		p.paragraph(2, 4, fmt.Sprintf("warning %s: %s%s", w.Code, w.Path, w.Text))
	}
	p.printf("\n")
}

// directoryLine prints what one directory holds, as JSON.
func (p *printer) directoryLine(d *replica.Directory, points []replica.Point) {
	layers, lines := []layerLine{}, []pointLine{}
	for _, l := range d.Layers {
		layers = append(layers, layerLineOf(l))
	}
	for _, q := range points {
		lines = append(lines, pointLineOf(q))
	}
	p.line("replica", map[string]any{
		"path": d.Path, "volume": d.Volume, "size": d.Meta.Size, "head": d.Meta.Head, "volume_meta": d.MetaState,
		"dirty": d.Meta.Dirty, "rebuilding": d.Meta.Rebuilding, "counter": d.Counter,
		"layers": layers, "points": lines, "warnings": d.Warnings,
	})
}

// layers prints the table of the layers.
func (p *printer) layers(layers []replica.Layer) {
	p.printf("  %-36s %-19s %10s  %s\n", "LAYER", "WRITTEN", "ON DISK", "NOTES")
	for _, l := range layers {
		var notes []string
		if l.Absent {
			notes = append(notes, "missing")
		}
		if l.MetaState != replica.Good {
			notes = append(notes, ".meta "+string(l.MetaState))
		}
		if l.Meta.Removed {
			notes = append(notes, "removed")
		}
		if l.ChecksumState == replica.Good {
			notes = append(notes, "sum")
		}
		p.printf("  %-36s %-19s %10s  %s\n",
			short(l.File, 36), stamp(l.ModTime), size(l.Allocated), strings.Join(notes, ", "))
	}
}

// points prints the table of the recovery points.
func (p *printer) points(points []replica.Point) {
	p.printf("  %-36s %-20s %6s  %s\n", "RECOVERY POINT", "CREATED", "LAYERS", "NOTES")
	for _, q := range points {
		name, created, note := q.Name, "", "side branch"
		if q.Created != "" {
			created = short(q.Created, 20)
		}
		if q.Live {
			note = ""
		}
		if name == "" {
			name, note = "(live state)", ""
		}
		if q.Removed {
			note = strings.TrimPrefix(note+", removed", ", ")
		}
		if q.Err != nil {
			note = "no: inspect -json says why"
		}
		p.printf("  %-36s %-20s %6d  %s\n", short(name, 36), created, q.Layers, note)
	}
}
