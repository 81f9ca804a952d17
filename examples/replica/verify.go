package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

func verifyCommand() *cobra.Command {
	var w replica.Want
	c := command("verify [flags] DIR...", "read all of them, compare their content and checksums", 1, -1,
		func(p *program, ctx context.Context, paths []string) error { return p.verify(ctx, w, paths) })
	wantFlags(c.Flags(), &w)
	return c
}

func (p *program) verify(ctx context.Context, w replica.Want, paths []string) error {
	dirs, err := replica.ReadAll(paths)
	if err != nil {
		return err
	}
	v, err := replica.Verify(ctx, dirs, w, p.out.events())
	p.out.endProgress()
	if err != nil {
		return err
	}
	p.out.ranking(v.Ranking)
	p.out.warnings(v.Warnings)
	p.out.verified(v)
	if len(v.Compared) == 0 {
		return v.Ranking.Err()
	}
	if !v.OK() {
		return cli.ErrPending
	}
	return nil
}

type imageLine struct {
	Path string `json:"path"`
	replica.Difference
	Group int `json:"group"`
}

// imageLines returns how each image compares with the first, and the group of equal images that it
// is in.
func imageLines(v *replica.Verification) []imageLine {
	var lines []imageLine
	for i, r := range v.Compared {
		group := slices.IndexFunc(v.Comparison.Groups, func(g []int) bool { return slices.Contains(g, i) })
		lines = append(lines, imageLine{name(r.Directory.Path), v.Comparison.Differ[i], group})
	}
	return lines
}

// verified prints a comparison.
func (p *printer) verified(v *replica.Verification) {
	if v.Comparison == nil {
		if p.JSON {
			p.line("result", map[string]any{"equal": false, "ok": false})
		}
		return
	}
	if p.JSON {
		p.line("result", map[string]any{"equal": v.Comparison.Equal(), "ok": v.OK(), "images": imageLines(v)})
		return
	}
	first := lab.Printable(v.Compared[0].Name())
	for i, r := range v.Compared[1:] {
		name, d := lab.Printable(r.Name()), v.Comparison.Differ[i+1]
		if d.Bytes == 0 {
			p.paragraph(0, 4, fmt.Sprintf("%s has the same content as %s", name, first))
			continue
		}
		places := count(len(d.Ranges), "place", "places")
		p.paragraph(0, 4, fmt.Sprintf("%s differs from %s in %s, %s, first at %d",
			name, first, cli.Size(d.Bytes), places, d.Ranges[0].Off))
	}
	p.agreements(v)
	switch {
	case v.OK() && len(v.Compared) > 1:
		p.Printf("all %d are equal and sound\n", len(v.Compared))
	case v.OK():
		p.Printf("%s is sound; there is no other to compare it with\n", first)
	case v.Comparison.Equal():
		p.Printf("those that can be read are equal, but not all is well\n")
	}
}

// agreements prints which replicas agree, where not all do, and whether the best is alone with its
// content.
func (p *printer) agreements(v *replica.Verification) {
	if v.Comparison.Equal() {
		return
	}
	best := v.Ranking.Best()
	alone := !slices.ContainsFunc(v.Comparison.Groups, func(g []int) bool {
		return len(g) > 1 && slices.ContainsFunc(g, func(i int) bool { return v.Compared[i] == best })
	})
	for _, group := range v.Comparison.Groups {
		if len(group) < 2 {
			continue
		}
		var names []string
		for _, j := range group {
			names = append(names, lab.Printable(v.Compared[j].Name()))
		}
		text := strings.Join(names, " and ") + " agree"
		if alone {
			text += ", and " + lab.Printable(best.Name()) + ", ranked first, is alone: look at both before you choose"
		}
		p.paragraph(0, 4, text)
	}
}
