package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"io"
	"os"

	"golang.org/x/term"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

func (p *program) pack(ctx context.Context, args []string) error {
	var out string
	paths, err := p.flags("pack", "[-o FILE] DIR", func(f *flag.FlagSet) {
		f.StringVar(&out, "o", "", "the `FILE` to write, which must not exist; empty means standard output")
	}, args, 1, 1)
	if err != nil {
		return err
	}
	w, finish := io.Writer(p.stdout), func(err error) error { return err }
	if out == "" {
		if term.IsTerminal(int(p.stdout.Fd())) {
			at := lab.Error{Op: "pack", Hint: "replica pack DIR | ssh HOST replica unpack -o DIR"}
			return fail(at, lab.ErrRefused, "standard output is a terminal")
		}
		p.out.out = p.stderr // the stream has standard output to itself
	} else if w, finish, err = create(out); err != nil {
		return err
	}
	sum := sha256.New()
	packed, err := replica.Pack(ctx, io.MultiWriter(w, sum), paths[0], p.out.events())
	p.out.endProgress()
	if err = finish(err); err != nil {
		return err
	}
	p.out.warnings(packed.Warnings)
	p.out.packed("packed", packed, hex.EncodeToString(sum.Sum(nil)))
	return nil
}

func (p *program) unpack(ctx context.Context, args []string) error {
	var out string
	paths, err := p.flags("unpack", "-o DIR [FILE]", func(f *flag.FlagSet) {
		f.StringVar(&out, "o", "", "the `DIR` to create, which must not exist")
	}, args, 0, 1)
	if err != nil {
		return err
	}
	if out == "" {
		return fail(lab.Error{Op: "unpack", Hint: "replica unpack -o DIR [FILE]"}, lab.ErrInvalid, "no output is named")
	}
	in := p.stdin
	if len(paths) == 1 && paths[0] != "-" {
		if in, err = os.Open(paths[0]); err != nil {
			hint := "give the stream that `replica pack` wrote"
			return &lab.Error{Op: "unpack", Path: paths[0], Hint: hint, Err: err}
		}
		defer in.Close()
	} else if term.IsTerminal(int(in.Fd())) {
		at := lab.Error{Op: "unpack", Hint: "replica unpack -o DIR FILE"}
		return fail(at, lab.ErrRefused, "standard input is a terminal")
	}
	stream := io.Reader(in)
	if in == p.stdin {
		stream = until(ctx, in)
	}
	unpacked, err := replica.Unpack(ctx, stream, out)
	if err != nil {
		return err
	}
	p.out.warnings(unpacked.Warnings)
	p.out.packed("unpacked", unpacked, "")
	return nil
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
	if p.json {
		p.line("result", struct {
			*replica.Packed
			SHA256 string `json:"sha256,omitempty"`
		}{r, sum})
		return
	}
	p.printf("%s %s: %s, %s of content, a stream of %s\n",
		verb, lab.Printable(r.Directory), count(r.Files, "file", "files"), size(r.Bytes), size(r.Stream))
}
