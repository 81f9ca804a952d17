package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

// inspection is one run of replica inspect.
type inspection struct {
	p         *program
	want      replica.Want
	checksums bool
}

func inspectCommand() *cobra.Command {
	var in inspection
	c := command("inspect [flags] DIR...", "what the directories hold, which one is best, and why", 1, -1,
		func(p *program, ctx context.Context, paths []string) error {
			in.p = p
			return in.run(ctx, paths)
		})
	wantFlags(c.Flags(), &in.want)
	c.Flags().BoolVar(&in.checksums, "checksums", false, "read the snapshots and verify them by Longhorn's checksums")
	return c
}

func (in *inspection) run(ctx context.Context, paths []string) error {
	dirs, err := replica.ReadAll(paths)
	errs := []error{err}
	volumes := replica.ByVolume(dirs)
	for _, dirs := range volumes {
		if len(volumes) > 1 {
			in.p.out.volume(dirs)
		}
		errs = append(errs, in.volume(ctx, dirs))
	}
	return errors.Join(errs...)
}

// volume prints what the replicas of one volume hold, and their order.
func (in *inspection) volume(ctx context.Context, dirs []*replica.Directory) error {
	out := in.p.out
	for _, d := range dirs {
		want := in.want
		want.Peers = dirs
		used, err := d.InUse(ctx)
		if err != nil {
			return err
		}
		d.Warnings = append(d.Warnings, used...)
		points := d.Points(want)
		want.Snapshot = ""
		chain, _ := d.Chain(want) // why it cannot be found is in the first point
		out.directory(d, chain, points)
	}
	ranking, err := replica.Rank(ctx, dirs, in.want,
		replica.RankOptions{NoChecksums: !in.checksums, Events: out.events()})
	out.endProgress()
	if err != nil {
		return err
	}
	out.ranking(ranking)
	if !out.JSON {
		out.Printf("\n")
	}
	return nil
}

// volume prints which volume the directories are of.
func (p *printer) volume(dirs []*replica.Directory) {
	if p.JSON {
		return // each line says it
	}
	title := "a volume whose name is not known"
	for _, d := range dirs {
		if d.Volume != "" {
			title = "volume " + lab.Printable(d.Volume)
			break
		}
	}
	p.Printf("== %s: %s\n\n", title, count(len(dirs), "replica", "replicas"))
}

// directory prints what one directory holds.
func (p *printer) directory(d *replica.Directory, chain *replica.Chain, points []replica.Point) {
	layers := d.InOrder(chain)
	p.doubts += len(d.Warnings)
	if p.JSON {
		p.directoryLine(d, layers, points)
		return
	}
	p.Printf("%s\n", lab.Printable(d.Path))
	state := "volume.meta " + string(d.MetaState)
	if d.MetaState == replica.Good {
		state = cli.Size(d.Meta.Size)
		if d.Meta.Rebuilding {
			state += ", rebuilding"
		}
	}
	counter := "no revision counter"
	if d.CounterState == replica.Good {
		counter = fmt.Sprintf("revision counter %d", d.Counter)
	}
	p.Printf("  %s, %s, %s\n", state, count(len(d.Layers), "layer", "layers"), counter)
	p.layers(layers, chain)
	p.points(points)
	for _, w := range d.Warnings {
		if w.Path != "" {
			w.Path = lab.Printable(w.Path) + ": "
		}
		p.paragraph(2, 4, fmt.Sprintf("warning %s: %s%s", w.Code, w.Path, w.Text))
	}
	p.Printf("\n")
}

// layers prints the table of the layers. chain is that of the live state, or nil.
func (p *printer) layers(layers []*replica.Layer, chain *replica.Chain) {
	p.Printf("  %-36s %-12s %-16s %9s\n", "LAYER", "PARENT", "WRITTEN", "ON DISK")
	for i, l := range layers {
		var notes []string
		parent := parentName(l)
		if parent == "?" && chain != nil && i < len(chain.Layers) {
			parent = "-"
			if i+1 < len(chain.Layers) {
				parent = chain.Layers[i+1].Name()
			}
			notes = append(notes, "parent inferred")
		}
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
		text := strings.Join(notes, ", ")
		written := stamp(l.ModTime)
		p.Printf("  %-36s %-12s %-16s %9s\n", short(l.Name(), 36), short(parent, 12),
			written[:min(16, len(written))], cli.Size(l.Allocated))
		if text != "" {
			p.paragraph(4, 4, text)
		}
	}
}

// parentName returns what to call a layer's parent in a table.
func parentName(l *replica.Layer) string {
	switch {
	case l.Meta.Parent != "":
		return strings.TrimSuffix(strings.TrimPrefix(l.Meta.Parent, "volume-snap-"), ".img")
	case l.MetaState == replica.Good:
		return "-"
	}
	return "?"
}

// points prints the table of the recovery points, and why those are none that cannot be merged: for
// what several have in common, once.
func (p *printer) points(points []replica.Point) {
	p.Printf("  %-36s %-20s %6s  %s\n", "RECOVERY POINT", "CREATED", "LAYERS", "NOTES")
	said := map[string]bool{}
	for _, q := range points {
		name, created := q.Name, ""
		if q.Created != "" {
			created = short(q.Created, 20)
		}
		var notes []string
		if !q.Live {
			notes = append(notes, "side branch")
		}
		if q.Removed {
			notes = append(notes, "removed")
		}
		if name == "" {
			name = "(live state)"
		}
		if q.Err != nil {
			notes = []string{"no"}
		}
		row := fmt.Sprintf("  %-36s %-20s %6d  %s", short(name, 36), created, q.Layers, strings.Join(notes, ", "))
		if len(notes) > 1 {
			row = fmt.Sprintf("  %-36s %-20s %6d\n    %s", short(name, 36), created, q.Layers, strings.Join(notes, ", "))
		}
		p.Printf("%s\n", strings.TrimRight(row, " "))
		if q.Err == nil || said[q.Err.Error()] {
			continue
		}
		said[q.Err.Error()] = true
		p.paragraph(4, 4, q.Err.Error())
		for _, h := range lab.Hints(lab.Reword(q.Err, say)) {
			p.paragraph(4, 4, "hint: "+h)
		}
	}
}
