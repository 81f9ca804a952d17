package fsimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// reportEvery is the time between two events.
const reportEvery = 200 * time.Millisecond

// Extract copies the files of the file system in the image file or block device image into the
// directory out, which must not exist: content, owners, modes, times, extended attributes, links
// and special files, as far as the user may create them. As root it mounts the image, read-only,
// without replaying its journal; otherwise, for ext2 to ext4, it uses debugfs. A journal that holds
// changes is replayed first, on a copy beside the image. The directory is called out.part until it
// is complete.
func Extract(ctx context.Context, image, out string, o Extraction) (*Extracted, error) {
	image = noOption(image)
	f, err := openImage(image)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	place, err := diskfile.NewPlace("extract files", out, nil)
	if err != nil {
		return nil, err
	}
	x := &extractor{ctx: ctx, o: o, seen: map[[2]uint64]string{}, result: Extracted{Path: place.Path}}
	for _, doubt := range place.Doubts {
		x.warn(WarnLonghornDisk, place.Path, "%s", doubt)
	}
	if x.result.FileSystem, err = Identify(f); err != nil {
		return nil, &lab.Error{Op: "extract files", Path: image, Err: err}
	}
	if err := extractable(image, x.result.FileSystem); err != nil {
		return nil, err
	}
	if err := noLeftovers(lab.Error{Op: "extract files", Path: out}, image, place.Path); err != nil {
		return nil, err
	}
	source, drop, err := x.source(f, image)
	if err != nil {
		return nil, err
	}
	defer drop()
	if err := x.open(source); err != nil {
		return nil, err
	}
	err = x.into(place.Path)
	if err = errors.Join(err, x.tree.close()); err != nil {
		return nil, err
	}
	return &x.result, nil
}

// extractable refuses images that hold no files, or hold them in something else.
func extractable(image string, fsys FileSystem) error {
	what, word := "", diskfile.Quote(image)
	hint := "merge another recovery point of the volume"
	switch fsys.Type {
	case "luks":
		what, hint = "an encrypted container", "open it: cryptsetup open --readonly "+word+
			" NAME, with the StorageClass's secret; then give /dev/mapper/NAME"
	case "gpt", "mbr":
		what, hint = "a partitioned disk", "attach it: losetup --read-only --partscan --find --show "+word+
			"; then give one of its partitions"
	case "lvm":
		what = "an LVM physical volume"
		hint = "attach it with losetup --read-only, activate it with vgchange, then give the logical volume"
	case "swap":
		what = "a swap space"
	case "empty":
		what = "zeros"
	case "":
		what, hint = "nothing that is known", hint+", or look at it yourself: file -s "+word
	default:
		return nil
	}
	at := lab.Error{Op: "extract files", Path: image, Hint: hint}
	return refuse(at, "the image holds %s, no file system", what)
}

// extractor is one run of [Extract].
type extractor struct {
	ctx    context.Context
	o      Extraction
	tree   tree
	seen   map[[2]uint64]string // paths of files with several names, by device and inode
	warned map[Code]bool
	last   time.Time // of the last event
	result Extracted
}

// source returns what to read: the image, or a copy of it whose journal was replayed, and how to
// remove that.
func (x *extractor) source(f *os.File, image string) (path string, drop func(), err error) {
	fsys, none := &x.result.FileSystem, func() {}
	if fsys.Type == "xfs" && !x.o.NoReplay {
		c := &Checked{FileSystem: *fsys}
		if err := c.run(x.ctx, image); err != nil {
			return "", none, err
		}
		*fsys = c.FileSystem
	}
	if !fsys.Replay {
		return image, none, nil
	}
	if !x.o.NoReplay {
		copied, _, err := replayed(x.ctx, f, image, *fsys)
		var failed *replayError
		if errors.As(err, &failed) {
			x.warn(WarnNotReplayed, image, "%v", failed)
		} else if err != nil {
			return "", none, err
		}
		if copied != "" {
			x.result.Replayed = true
			return copied, func() { os.Remove(copied) }, nil
		}
	}
	x.warn(WarnNotReplayed, image,
		"the journal holds changes that are not in the files: the newest writes may be missing")
	return image, none, nil
}

// open opens the tree, by a mount if that is possible.
func (x *extractor) open(image string) error {
	fsys := x.result.FileSystem
	var merr error
	if os.Geteuid() == 0 && !x.o.NoMount {
		var m *mounted
		for _, options := range mountOptionsOf(fsys) {
			if m, merr = mountImage(x.ctx, image, options); merr == nil {
				x.tree, x.result.Method = &mountTree{ctx: x.ctx, m: m}, "mount"
				return nil
			}
		}
	}
	if fsys.ext() {
		tool, err := findTool("debugfs")
		if err == nil {
			x.tree, x.result.Method = &debugTree{ctx: x.ctx, tool: tool, image: image}, "debugfs"
			return nil
		}
		merr = errors.Join(merr, err)
	}
	hint := "run it as root, so that the image can be mounted"
	if os.Geteuid() == 0 {
		hint = "mount it yourself, read-only"
	}
	cause := errors.Join(errors.New("the image cannot be mounted"), merr)
	return &lab.Error{Op: "extract files", Path: image, Hint: hint, Err: cause}
}

// into creates the directory path.
func (x *extractor) into(path string) error {
	part, err := diskfile.MakePart("extract files", path)
	if err != nil {
		return err
	}
	if err = x.fill(part); err == nil {
		err = diskfile.Finish(part, path)
	}
	if err == nil {
		return nil
	}
	os.RemoveAll(part)
	var le *lab.Error
	if errors.As(err, &le) || errors.Is(err, context.Canceled) {
		return err
	}
	hint := ""
	if errors.Is(err, unix.ENOSPC) {
		hint = "free some space, or extract to another disk; nothing of it was left"
	}
	return &lab.Error{Op: "extract files", Path: path, Hint: hint, Err: err}
}

// fill copies the whole tree into the directory part.
func (x *extractor) fill(part string) error {
	dst, err := os.Open(part)
	if err != nil {
		return err
	}
	defer dst.Close()
	top, err := x.tree.root()
	if err != nil {
		return err
	}
	if err := x.dir(top, dst); err != nil {
		return err
	}
	if err := x.attributes(top, dst, "."); err != nil {
		return err
	}
	return unix.Syncfs(int(dst.Fd()))
}

// dir copies what is in the directory src into dst. Everything is created relative to dst's
// descriptor, never through a link of the image.
func (x *extractor) dir(src node, dst *os.File) error {
	children, ws, err := x.tree.list(src)
	if err != nil {
		if src.Path == "" {
			return err
		}
		return x.lost(src.Path, err)
	}
	for _, w := range ws {
		if w.Code == WarnLost {
			x.result.Lost++
		}
	}
	x.result.Warnings = append(x.result.Warnings, ws...)
	for _, n := range children {
		if err := x.ctx.Err(); err != nil {
			return context.Cause(x.ctx)
		}
		if err := x.create(n, dst); err != nil {
			if err := x.lost(n.Path, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// lost records that a file is not among those that were extracted, or returns the error if it is not
// that one file's: that of an interruption, or of an output that takes no more.
func (x *extractor) lost(path string, err error) error {
	if x.ctx.Err() != nil {
		return context.Cause(x.ctx)
	}
	for _, fatal := range []error{unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.EMFILE, unix.ENFILE, unix.ENOMEM} {
		if errors.Is(err, fatal) {
			return fmt.Errorf("%s: %w", lab.Printable(path), err)
		}
	}
	x.result.Lost++
	x.warn(WarnLost, path, "%v", err)
	return nil
}

func (x *extractor) warn(code Code, path, format string, args ...any) {
	x.result.Warnings = append(x.result.Warnings, warning(code, path, format, args...))
}

// warnOnce warns the first time of a kind.
func (x *extractor) warnOnce(code Code, path, format string, args ...any) {
	if x.warned[code] {
		return
	}
	if x.warned == nil {
		x.warned = map[Code]bool{}
	}
	x.warned[code] = true
	x.warn(code, path, format, args...)
}

// reporter returns what reports the progress within the file n, in bytes.
func (x *extractor) reporter(n node) func(done int64) {
	return func(done int64) {
		if x.o.Events == nil || time.Since(x.last) < reportEvery {
			return
		}
		x.last = time.Now()
		x.o.Events(lab.Event{Time: x.last, Kind: lab.EventDoing, Target: n.Path, Text: "extract",
			Done: done, Total: n.Size, Unit: "bytes"})
	}
}

// report counts a file, and reports it to who wants to know.
func (x *extractor) report(n node) {
	x.result.Files++
	if x.o.Found != nil {
		x.o.Found(n.File)
	}
	if x.o.Events != nil && time.Since(x.last) > reportEvery {
		x.last = time.Now()
		x.o.Events(lab.Event{Time: x.last, Kind: lab.EventDoing, Target: x.result.Path, Text: "extract",
			Done: int64(x.result.Files), Unit: "files"})
	}
}
