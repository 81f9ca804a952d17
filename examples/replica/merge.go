package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/fsimage"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

// mergeFlags are the flags of replica merge.
type mergeFlags struct {
	want   replica.Want
	rank   replica.RankOptions
	output replica.Output
	hash   string
	method string
	check  bool
}

func (m *mergeFlags) define(f *pflag.FlagSet) {
	wantFlags(f, &m.want)
	o := &m.output
	f.StringVarP(&o.Path, "out", "o", "", "the image `FILE` to write, which must not exist")
	f.BoolVar(&o.Device, "device", false, "FILE is a block device, and may be overwritten")
	f.StringVar(&o.State, "state", "",
		"keep the progress of writing to a device in `FILE`, so that it can be continued")
	f.BoolVar(&o.Restart, "restart", false, "begin again, instead of continuing an interrupted run")
	f.StringVar(&m.hash, "hash", "tree", "`HASH`: tree, over the SHA-256 of sectors and of pieces of 4 MiB, which takes no "+
		"time for holes; sha256, plain, of the whole image; or none")
	f.IntVar(&o.Workers, "workers", 0, "parallel readers; 0 means 4")
	f.StringVar(&m.method, "method", "", "clone, copy-range or read-write; empty means the fastest that works")
	f.BoolVar(&m.rank.NoChecksums, "no-checksums", false,
		"do not verify the snapshots by Longhorn's checksums, which reads them whole")
	f.BoolVar(&m.check, "check", false, "check the image's file system afterwards")
}

// validate returns what is wrong with the flags, and completes the output.
func (m *mergeFlags) validate() error {
	switch m.hash {
	case "tree":
		m.output.Hash = replica.TreeHash
	case "sha256", "none":
		m.output.Hash = replica.Hash(m.hash)
	default:
		hint := "--hash tree, sha256 or none"
		return fail(lab.Error{Op: "merge", Path: m.hash, Hint: hint}, lab.ErrInvalid, "no such hash")
	}
	switch m.output.Method = replica.Method(m.method); m.output.Method {
	case replica.Auto, replica.Clone, replica.CopyRange, replica.ReadWrite:
	default:
		hint := "--method clone, copy-range or read-write"
		return fail(lab.Error{Op: "merge", Path: m.method, Hint: hint}, lab.ErrInvalid, "no such method")
	}
	if m.output.Path == "" {
		return fail(lab.Error{Op: "merge", Hint: "replica merge -o FILE DIR..."}, lab.ErrInvalid, "no output is named")
	}
	return nil
}

func mergeCommand() *cobra.Command {
	var m mergeFlags
	c := command("merge -o FILE [flags] DIR...", "merge the best one into a raw image", 1, -1,
		func(p *program, ctx context.Context, paths []string) error { return p.merge(ctx, m, paths) })
	m.define(c.Flags())
	return c
}

func (p *program) merge(ctx context.Context, m mergeFlags, paths []string) error {
	if err := m.validate(); err != nil {
		return err
	}
	dirs, err := replica.ReadAll(paths)
	if err != nil {
		return err
	}
	for _, d := range dirs {
		m.output.Avoid = append(m.output.Avoid, d.Path)
	}
	m.rank.Events = p.out.events()
	ranking, err := replica.Rank(ctx, dirs, m.want, m.rank)
	p.out.endProgress()
	if err != nil {
		return err
	}
	p.out.ranking(ranking)
	best := ranking.Best()
	if best == nil {
		return ranking.Err()
	}
	result, err := p.save(ctx, best.Chain, m.output)
	if err != nil {
		return err
	}
	var c *fsimage.Checked
	if m.check {
		if c, err = fsimage.Check(ctx, result.Path); err != nil {
			return err
		}
		p.out.checked(result.Path, c)
		err = damaged(c)
	}
	p.out.merged(result, given(paths, best.Directory.Path), best.Chain)
	p.out.next = afterMerge(result.Path, best.Chain, c)
	return err
}

// save merges the chain into the output, and prints the progress and the warnings.
func (p *program) save(ctx context.Context, chain *replica.Chain, o replica.Output) (*replica.Result, error) {
	p.out.warnings(chain.Warnings)
	image, err := chain.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer image.Close()
	p.out.warnings(image.Warnings)
	o.Events = p.out.events()
	p.out.resumable = !o.Device || o.State != ""
	result, err := image.Save(ctx, o)
	p.out.endProgress()
	if err != nil {
		return nil, err
	}
	p.out.resumable = false
	p.out.warnings(result.Warnings)
	return result, nil
}

// given returns the directory as it was given on the command line.
func given(paths []string, dir string) string {
	for _, path := range paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			continue
		}
		if real, err := filepath.EvalSymlinks(abs); err == nil && real == dir {
			return path
		}
	}
	return dir
}

// merged prints the result of a merge: as JSON, the last line.
func (p *printer) merged(r *replica.Result, chosen string, c *replica.Chain) {
	if p.JSON {
		p.line("result", struct {
			*replica.Result
			Chosen string `json:"chosen"`
			Point  string `json:"point"`
			Layers int    `json:"layers"`
		}{r, chosen, c.Point, len(c.Layers)})
		return
	}
	p.Printf("image   %s\n", r.Path)
	p.Printf("size    %d (%s), %s of data\n", r.Size, cli.Size(r.Size), cli.Size(r.Data))
	if r.Tree != "" {
		p.Printf("tree    %s\n", r.Tree)
	}
	if r.SHA256 != "" {
		p.Printf("sha256  %s\n", r.SHA256)
	}
	p.Printf("from    %s\n", chosen)
	text := fmt.Sprintf("%s copied in %s (%s)", cli.Size(r.Copied), r.Duration.Round(time.Millisecond), r.Method)
	if r.Resumed > 0 {
		text += fmt.Sprintf(", continued at %s", cli.Size(r.Resumed))
	}
	p.Printf("work    %s\n", text)
}
