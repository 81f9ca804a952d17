package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/fsimage"
)

func filesCommand() *cobra.Command {
	var o fsimage.Extraction
	var out, manifest string
	c := command("files -o DIR [flags] IMAGE", "copy the files out of the image", 1, 1,
		func(p *program, ctx context.Context, paths []string) error {
			return p.files(ctx, paths[0], out, manifest, o)
		})
	f := c.Flags()
	f.StringVarP(&out, "out", "o", "", "the `DIR` to create")
	f.StringVar(&manifest, "manifest", "",
		"write the files' SHA-256 to `FILE`, as sha256sum does; it must not exist")
	f.BoolVar(&o.NoMount, "no-mount", false, "use debugfs even as root (ext2 to ext4)")
	f.BoolVar(&o.NoReplay, "no-replay", false, "do not replay the journal, which is done on a copy of the image")
	return c
}

func (p *program) files(ctx context.Context, image, out, manifest string, o fsimage.Extraction) error {
	if out == "" {
		return fail(lab.Error{Op: "files", Hint: "replica files -o DIR IMAGE"}, lab.ErrInvalid, "no output is named")
	}
	var err error
	list, finish := bufio.NewWriter(io.Discard), func(err error) error { return err }
	if manifest != "" {
		var w io.Writer
		if w, finish, err = create(manifest); err != nil {
			return err
		}
		list = bufio.NewWriter(w)
	}
	o.Events = p.out.events()
	o.Found = func(f fsimage.File) {
		p.out.file(f)
		if f.SHA256 != "" {
			fmt.Fprintln(list, manifestLine(f.SHA256, "./"+f.Path))
		}
	}
	x, err := fsimage.Extract(ctx, image, out, o)
	p.out.endProgress()
	if err == nil {
		err = list.Flush()
	}
	if err = finish(err); err != nil {
		return err
	}
	p.out.extracted(x)
	if x.Lost > 0 {
		return cli.ErrPending
	}
	return nil
}

// manifestLine returns a line as sha256sum writes it: a name with a backslash or a line break is
// escaped, and the line begins with a backslash.
func manifestLine(sum, name string) string {
	if strings.ContainsAny(name, "\\\n\r") {
		return `\` + sum + "  " + strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name)
	}
	return sum + "  " + name
}

// file prints one extracted file, as JSON only.
func (p *printer) file(f fsimage.File) {
	if p.JSON {
		p.line("file", f)
	}
}

// extracted prints the result of an extraction.
func (p *printer) extracted(x *fsimage.Extracted) {
	p.imageWarnings(x.Warnings)
	if p.JSON {
		p.line("result", x)
		return
	}
	files := count(x.Files, "file", "files")
	if x.Lost > 0 {
		files += fmt.Sprintf(" (%d lost: see the warnings)", x.Lost)
	}
	p.Printf("%s, %s, from %s, by %s, in %s\n", files, cli.Size(x.Bytes), x.FileSystem.Type, x.Method, x.Path)
}
