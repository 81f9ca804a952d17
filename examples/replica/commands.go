package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/term"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

// wantFlags defines the flags that say which state is wanted and which doubts are accepted.
func wantFlags(f *flag.FlagSet, w *replica.Want) {
	f.StringVar(&w.Snapshot, "snapshot", "", "recovery point: a `NAME` that inspect lists, instead of the live state")
	f.StringVar(&w.Backing, "backing", "", "raw backing `FILE`, instead of the one that volume.meta names")
	f.BoolVar(&w.NoBacking, "no-backing", false, "the volume has no backing file, where volume.meta is lost")
	f.Int64Var(&w.Size, "size", 0, "the volume's size in `BYTES`, where volume.meta is lost")
	f.BoolVar(&w.Borrow, "borrow", false, "read lost metadata from the other replicas given")
	f.BoolVar(&w.ForceRebuilding, "force-rebuilding", false, "accept a replica that was being rebuilt, and is half copied")
	f.BoolVar(&w.DropMissing, "drop-missing", false, "leave out a layer that a purge, cut off, had merged into its parent")
	f.BoolVar(&w.Encrypted, "encrypted", false, "accept an encrypted volume: the image is its LUKS container")
}

func (p *program) inspect(ctx context.Context, args []string) error {
	var w replica.Want
	var checksums bool
	paths, err := p.flags("inspect", "[-json] DIR...", func(f *flag.FlagSet) {
		wantFlags(f, &w)
		f.BoolVar(&checksums, "checksums", false, "read the snapshots and check them against Longhorn's checksums")
	}, args, 1, 0)
	if err != nil {
		return err
	}
	dirs, err := replica.ReadAll(paths)
	if len(dirs) == 0 {
		return err
	}
	for _, d := range dirs {
		sisters := w
		sisters.Sisters = dirs
		p.out.directory(d, d.Points(sisters))
	}
	ranking, rerr := replica.Rank(ctx, dirs, w, checksums)
	if rerr == nil {
		p.out.ranking(ranking)
	}
	return errors.Join(err, rerr)
}

func (p *program) merge(ctx context.Context, args []string) error {
	var w replica.Want
	var o replica.Output
	var noChecksums, check bool
	var method string
	paths, err := p.flags("merge", "[-json] -o FILE DIR...", func(f *flag.FlagSet) {
		wantFlags(f, &w)
		f.StringVar(&o.Path, "o", "", "the image `FILE` to write, which must not exist")
		f.BoolVar(&o.Device, "device", false, "FILE is a block device, and may be overwritten")
		f.StringVar(&o.State, "state", "", "keep the progress of writing to a device in `FILE`, so that it can be continued")
		f.BoolVar(&o.Restart, "restart", false, "begin again, instead of continuing an interrupted run")
		f.BoolVar(&o.NoHash, "no-hash", false, "leave the SHA-256 out")
		f.IntVar(&o.Workers, "workers", 0, "parallel readers; 0 means 4")
		f.StringVar(&method, "method", "", "clone, copy-range or read-write; empty means the fastest that works")
		f.BoolVar(&noChecksums, "no-checksums", false, "do not check the snapshots against Longhorn's checksums, which reads them whole")
		f.BoolVar(&check, "check", false, "check the image's file system afterwards")
	}, args, 1, 0)
	if err != nil {
		return err
	}
	switch o.Method = replica.Method(method); o.Method {
	case replica.Auto, replica.Clone, replica.CopyRange, replica.ReadWrite:
	default:
		return &lab.Error{Op: "merge", Path: method, Hint: "-method clone, copy-range or read-write", Err: fmt.Errorf("%w: no such method", lab.ErrInvalid)}
	}
	if o.Path == "" {
		return &lab.Error{Op: "merge", Hint: "replica merge -o FILE DIR...", Err: fmt.Errorf("%w: no output is named", lab.ErrInvalid)}
	}
	dirs, err := replica.ReadAll(paths)
	if err != nil {
		return err
	}
	for _, d := range dirs {
		o.Avoid = append(o.Avoid, d.Path)
	}
	ranking, err := replica.Rank(ctx, dirs, w, !noChecksums)
	if err != nil {
		return err
	}
	p.out.ranking(ranking)
	best := ranking.Best()
	if best == nil {
		return ranking.Err()
	}
	p.out.warnings(best.Chain.Warnings)
	image, err := best.Chain.Open(ctx)
	if err != nil {
		return err
	}
	defer image.Close()
	p.out.warnings(image.Warnings)
	o.Events = p.out.events()
	p.out.resumable = !o.Device || o.State != ""
	result, err := image.Save(ctx, o)
	p.out.endProgress()
	if err != nil {
		return err
	}
	p.out.resumable = false
	p.out.warnings(result.Warnings)
	found := error(nil)
	if check {
		c, err := replica.Check(ctx, result.Path)
		if err != nil {
			return err
		}
		p.out.checked(result.Path, c)
		found = damaged(c)
	}
	p.out.merged(result, given(paths, best.Directory.Path), best.Chain)
	return found
}

// damaged returns errFound when the checker found errors.
func damaged(c *replica.Checked) error {
	if c.Tool != "" && !c.Clean {
		return errFound
	}
	return nil
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

func (p *program) verify(ctx context.Context, args []string) error {
	var w replica.Want
	paths, err := p.flags("verify", "[-json] DIR...", func(f *flag.FlagSet) { wantFlags(f, &w) }, args, 1, 0)
	if err != nil {
		return err
	}
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
		return errFound
	}
	return nil
}

func (p *program) check(ctx context.Context, args []string) error {
	paths, err := p.flags("check", "[-json] IMAGE", func(*flag.FlagSet) {}, args, 1, 1)
	if err != nil {
		return err
	}
	c, err := replica.Check(ctx, paths[0])
	if err != nil {
		return err
	}
	p.out.checked(paths[0], c)
	return damaged(c)
}

func (p *program) files(ctx context.Context, args []string) error {
	var o replica.Extraction
	var out, manifest string
	paths, err := p.flags("files", "[-json] -o DIR IMAGE", func(f *flag.FlagSet) {
		f.StringVar(&out, "o", "", "the `DIR` to make")
		f.StringVar(&manifest, "manifest", "", "write the files' SHA-256 to `FILE`, as sha256sum does; it must not exist")
		f.BoolVar(&o.NoMount, "no-mount", false, "use debugfs even as root (ext2 to ext4)")
		f.BoolVar(&o.NoReplay, "no-replay", false, "do not replay the journal, which is done on a copy of the image")
	}, args, 1, 1)
	if err != nil {
		return err
	}
	if out == "" {
		return &lab.Error{Op: "files", Hint: "replica files -o DIR IMAGE", Err: fmt.Errorf("%w: no output is named", lab.ErrInvalid)}
	}
	list, finish := bufio.NewWriter(io.Discard), func(err error) error { return err }
	if manifest != "" {
		var w io.Writer
		if w, finish, err = create(manifest); err != nil {
			return err
		}
		list = bufio.NewWriter(w)
	}
	o.Events = p.out.events()
	o.Found = func(f replica.File) {
		p.out.file(f)
		if f.SHA256 != "" {
			fmt.Fprintln(list, manifestLine(f.SHA256, "./"+f.Path))
		}
	}
	x, err := replica.Extract(ctx, paths[0], out, o)
	p.out.endProgress()
	if err == nil {
		err = list.Flush()
	}
	if err = finish(err); err != nil {
		return err
	}
	p.out.extracted(x)
	return nil
}

// manifestLine is a line as sha256sum writes it: a name with a backslash or a line break is escaped, and the line begins with a backslash.
func manifestLine(sum, name string) string {
	if strings.ContainsAny(name, "\\\n\r") {
		return `\` + sum + "  " + strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name)
	}
	return sum + "  " + name
}

func (p *program) pack(ctx context.Context, args []string) error {
	var out string
	paths, err := p.flags("pack", "[-o FILE] DIR", func(f *flag.FlagSet) {
		f.StringVar(&out, "o", "", "the `FILE` to write, which must not exist; empty means standard output")
	}, args, 1, 1)
	if err != nil {
		return err
	}
	w, finish := io.Writer(p.stdout), func(error) error { return nil }
	if out == "" {
		if term.IsTerminal(int(p.stdout.Fd())) {
			return &lab.Error{Op: "pack", Hint: "replica pack DIR | ssh HOST replica unpack -o DIR", Err: fmt.Errorf("%w: standard output is a terminal", lab.ErrRefused)}
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

// create makes a file that must not exist, under a temporary name until finish is called without an error. It makes none in a replica directory.
func create(path string) (io.Writer, func(error) error, error) {
	fail := func(err error) error {
		return &lab.Error{Op: "write", Path: path, Hint: "name a file that does not exist", Err: err}
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, nil, fail(fmt.Errorf("%w: it exists", lab.ErrRefused))
	}
	abs, err := filepath.Abs(path)
	if err == nil {
		abs, err = filepath.EvalSymlinks(filepath.Dir(abs))
	}
	if err != nil {
		return nil, nil, &lab.Error{Op: "write", Path: path, Hint: "make the directory first", Err: err}
	}
	for dir := abs; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := replica.Read(dir); err == nil {
			return nil, nil, &lab.Error{Op: "write", Path: path, Hint: "write to another directory, best on another disk",
				Err: fmt.Errorf("%w: it is inside a replica directory, %s", lab.ErrRefused, dir)}
		}
	}
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, nil, &lab.Error{Op: "write", Path: part, Hint: "remove it: it is of a run that was killed", Err: fmt.Errorf("%w: it exists", lab.ErrRefused)}
	}
	if err != nil {
		return nil, nil, fail(err)
	}
	return f, func(err error) error {
		if err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			os.Remove(part)
			return err
		}
		if err := rename(part, path); err != nil {
			return &lab.Error{Op: "write", Path: path, Hint: "what was to be written is in " + part, Err: err}
		}
		return nil
	}, nil
}

// rename gives a file a name that does not exist.
func rename(part, path string) error {
	err := os.Link(part, path) // unlike a rename, it replaces nothing
	switch {
	case err == nil:
		return os.Remove(part)
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: it exists now", lab.ErrRefused)
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%w: it exists now", lab.ErrRefused)
	}
	return os.Rename(part, path) // the file system, of a memory stick say, has no second names
}

func (p *program) unpack(ctx context.Context, args []string) error {
	var out string
	paths, err := p.flags("unpack", "-o DIR [FILE]", func(f *flag.FlagSet) {
		f.StringVar(&out, "o", "", "the `DIR` to make, which must not exist")
	}, args, 0, 1)
	if err != nil {
		return err
	}
	if out == "" {
		return &lab.Error{Op: "unpack", Hint: "replica unpack -o DIR [FILE]", Err: fmt.Errorf("%w: no output is named", lab.ErrInvalid)}
	}
	in := p.stdin
	if len(paths) == 1 && paths[0] != "-" {
		if in, err = os.Open(paths[0]); err != nil {
			return &lab.Error{Op: "unpack", Path: paths[0], Hint: "give the stream that `replica pack` wrote", Err: err}
		}
		defer in.Close()
	} else if term.IsTerminal(int(in.Fd())) {
		return &lab.Error{Op: "unpack", Hint: "replica unpack -o DIR FILE", Err: fmt.Errorf("%w: standard input is a terminal", lab.ErrRefused)}
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

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
