package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/fsimage"
)

func checkCommand() *cobra.Command {
	return command("check [flags] IMAGE", "what file system the image holds, and whether it is sound", 1, 1,
		(*program).check)
}

func (p *program) check(ctx context.Context, paths []string) error {
	c, err := fsimage.Check(ctx, paths[0])
	if err != nil {
		return err
	}
	p.out.checked(paths[0], c)
	p.out.next = afterCheck(paths[0], c)
	return damaged(c)
}

// damaged returns [cli.ErrPending] when the checker found errors.
func damaged(c *fsimage.Checked) error {
	if c.Failed {
		hint := "run " + c.Tool + " yourself, or another version of it"
		return &lab.Error{Op: "check", Hint: hint, Err: errors.New("the checker itself failed")}
	}
	if c.Tool != "" && !c.Clean {
		return cli.ErrPending
	}
	return nil
}

// checked prints what a check found.
func (p *printer) checked(path string, c *fsimage.Checked) {
	if p.JSON {
		p.imageWarnings(c.Warnings(path))
		p.line("check", struct {
			Path string `json:"path"`
			*fsimage.Checked
		}{path, c})
		return
	}
	what := c.FileSystem.Type
	if what == "" {
		what = "unknown content"
	}
	if c.FileSystem.Label != "" {
		what += ", label " + lab.Printable(c.FileSystem.Label)
	}
	state := "not checked: " + c.Output
	if c.Tool != "" {
		state = c.Tool + " found errors"
		if c.Failed {
			state = c.Tool + " itself failed"
		}
		if c.Clean {
			state = c.Tool + " found no error"
		}
		if c.Replayed {
			state += " once the journal was replayed, on a copy"
		}
	}
	p.Printf("holds   %s", folded(8, 8, what+": "+state))
	if c.Tool != "" && !c.Clean {
		for line := range strings.Lines(c.Output) {
			if line = strings.TrimRight(line, "\n"); line != "" {
				p.Printf("        %s\n", short(line, width-8))
			}
		}
	}
	p.imageWarnings(c.Warnings(path))
}
