package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

func packCommand() *cobra.Command {
	var out string
	c := command("pack [-o FILE] [flags] DIR", "a stream that keeps a directory's extents, to move it", 1, 1,
		func(p *program, ctx context.Context, paths []string) error { return p.pack(ctx, paths[0], out) })
	c.Flags().StringVarP(&out, "out", "o", "", "the `FILE` to write, which must not exist; empty means standard output")
	return c
}

func (p *program) pack(ctx context.Context, dir, out string) (err error) {
	w, finish := io.Writer(p.stdout), func(err error) error { return err }
	if out == "" {
		if isTerminal(p.stdout) {
			at := lab.Error{Op: "pack", Hint: "replica pack DIR | ssh HOST replica unpack -o DIR"}
			return fail(at, lab.ErrRefused, "standard output is a terminal")
		}
		// the stream has standard output to itself
		if p.out, err = newPrinter(p.stderr, p.out.verb, p.out.Options); err != nil {
			return err
		}
	} else if w, finish, err = create(out); err != nil {
		return err
	}
	sum := sha256.New()
	packed, err := replica.Pack(ctx, io.MultiWriter(w, sum), dir, p.out.events())
	p.out.endProgress()
	if err = finish(err); err != nil {
		return err
	}
	p.out.warnings(packed.Warnings)
	p.out.packed("packed", packed, hex.EncodeToString(sum.Sum(nil)))
	return nil
}

func unpackCommand() *cobra.Command {
	var out string
	c := command("unpack -o DIR [flags] [FILE]", "the directory again", 0, 1,
		func(p *program, ctx context.Context, paths []string) error { return p.unpack(ctx, out, paths) })
	c.Flags().StringVarP(&out, "out", "o", "", "the `DIR` to create, which must not exist")
	return c
}

func (p *program) unpack(ctx context.Context, out string, paths []string) error {
	if out == "" {
		return fail(lab.Error{Op: "unpack", Hint: "replica unpack -o DIR [FILE]"}, lab.ErrInvalid, "no output is named")
	}
	in := p.stdin
	if len(paths) == 1 && paths[0] != "-" {
		file, err := os.Open(paths[0])
		if err != nil {
			hint := "give the stream that `replica pack` wrote"
			return &lab.Error{Op: "unpack", Path: paths[0], Hint: hint, Err: err}
		}
		defer file.Close()
		in = file
	} else if isTerminal(in) {
		at := lab.Error{Op: "unpack", Hint: "replica unpack -o DIR FILE"}
		return fail(at, lab.ErrRefused, "standard input is a terminal")
	}
	if in == p.stdin {
		in = until(ctx, in)
	}
	unpacked, err := replica.Unpack(ctx, in, out)
	if err != nil {
		return err
	}
	p.out.warnings(unpacked.Warnings)
	p.out.packed("unpacked", unpacked, "")
	return nil
}

// isTerminal reports whether a stream of the program is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// until reads r until the context ends, even while nothing comes.
func until(ctx context.Context, r io.Reader) io.Reader {
	pr, pw := io.Pipe()
	go func() {
		_, err := io.Copy(pw, r)
		pw.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { pw.CloseWithError(context.Cause(ctx)) })
	return pr
}

// packed prints the result of pack or unpack.
func (p *printer) packed(verb string, r *replica.Packed, sum string) {
	if p.JSON {
		p.line("result", struct {
			*replica.Packed
			SHA256 string `json:"sha256,omitempty"`
		}{r, sum})
		return
	}
	p.Printf("%s %s: %s, %s of content, a stream of %s\n",
		verb, lab.Printable(r.Directory), count(r.Files, "file", "files"), cli.Size(r.Bytes), cli.Size(r.Stream))
}
