package ssh

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Download is a file to get from a machine.
type Download struct {
	Path string // on the machine, absolute; a regular file
	To   string // the file here; its directory must exist. Concurrent downloads to the same file are not supported

	Mode fs.FileMode // permission bits of the file here; 0 means 0600
	Root bool        // read it as root

	// Progress gets how many bytes of the file are here, after each part. Calls do not overlap. Nil
	// means that progress is not reported.
	Progress func(done, total int64)
}

//go:embed sh/download.sh
var downloadScript string

// exitDownloadMissing is the exit status of download.sh if there is no regular file.
const exitDownloadMissing = 66

// Download gets a file from the machine. The file is written next to its destination, compared by
// SHA-256, flushed to disk, and then renamed. If the file here already has this content, nothing is
// sent.
//
// If the connection is lost, the download is resumed, as long as each connection delivers
// something. After an error, the next Download to the same file resumes it, if what is here is a
// part of what is there.
func (c *Conn) Download(ctx context.Context, d Download) (*Transfer, error) {
	err := validateRemotePath(d.Path)
	if err == nil && d.To == "" {
		err = fmt.Errorf("%w: no file to download to", lab.ErrInvalid)
	}
	if err != nil {
		return nil, &lab.Error{Op: "download", Target: c.target.name(), Path: d.Path, Err: err}
	}
	t := &Transfer{}
	for {
		before := t.Moved
		err := c.resumeDownload(ctx, d, t)
		switch {
		case err == nil:
			return t, nil
		case errors.Is(err, lab.ErrUnreachable) && t.Moved > before && ctx.Err() == nil:
			continue
		}
		return nil, err
	}
}

// resumeDownload finds out how much of the file is here, and gets the rest.
func (c *Conn) resumeDownload(ctx context.Context, d Download, t *Transfer) error {
	fail := func(hint string, err error) error {
		return &lab.Error{Op: "download", Target: c.target.name(), Path: d.Path, Hint: hint, Err: err}
	}
	part := filepath.Join(filepath.Dir(d.To), "."+filepath.Base(d.To)+".lab-part")
	have, haveSum, err := measure(part)
	if err != nil {
		return fail("", err)
	}
	have = max(0, have)
	r, err := c.Run(ctx, Command{Script: d.script(stepInspect, have, 0), Root: d.Root})
	if err != nil {
		return fail("", err)
	}
	if err := r.Err(); err != nil {
		if r.Exit == exitDownloadMissing {
			err = fmt.Errorf("%w: no regular file", lab.ErrNotFound)
		}
		return fail("", err)
	}
	var prefix string
	_, err = fmt.Sscanf(string(r.Stdout), "%d %64s %64s\n", &t.Size, &t.SHA256, &prefix)
	if err != nil || len(t.SHA256) != 64 {
		return fail("", unexpected(r.Stdout))
	}
	if n, sum, err := measure(d.To); err == nil && n == t.Size && hex.EncodeToString(sum.Sum(nil)) == t.SHA256 {
		d.report(t.Size, t.Size)
		_ = os.Remove(part)
		if err := os.Chmod(d.To, d.mode()); err != nil {
			return fail("", err)
		}
		return nil
	}
	if have > t.Size || prefix != hex.EncodeToString(haveSum.Sum(nil)) {
		have, haveSum = 0, sha256.New()
	}
	f, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fail("", err)
	}
	defer f.Close()
	if hint, err := c.receive(ctx, d, t, f, have, haveSum); err != nil {
		return fail(hint, err)
	}
	if err := d.finish(f); err != nil {
		return fail("", err)
	}
	return nil
}

// receive writes the rest of the file to f, which already has the first have bytes, with the hash
// sum. It returns a hint with an error.
func (c *Conn) receive(ctx context.Context, d Download, t *Transfer, f *os.File, have int64,
	sum hash.Hash) (hint string, err error) {
	if err := f.Truncate(have); err != nil {
		return "", err
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return "", err
	}
	report := func(done int64) { d.report(done, t.Size) }
	report(have)
	dest := &progressWriter{w: io.MultiWriter(f, sum), done: have, limit: t.Size, report: report}
	r, err := c.Run(ctx, Command{Script: d.script(stepSend, have, t.Size-have), Stdout: dest, Root: d.Root})
	t.Moved += dest.done - have
	if err != nil {
		if syncErr := f.Sync(); syncErr != nil {
			err = errors.Join(err, syncErr)
		}
		return "run it again: it resumes where it was cut off", err
	}
	if err := r.Err(); err != nil {
		return "", err
	}
	if dest.done != t.Size || hex.EncodeToString(sum.Sum(nil)) != t.SHA256 {
		_ = os.Remove(f.Name())
		return "run it again when nothing writes to it",
			fmt.Errorf("%w: the file changed while it was being read", lab.ErrDrift)
	}
	return "", nil
}

// finish moves the complete file to its destination.
func (d Download) finish(part *os.File) error {
	if err := part.Chmod(d.mode()); err != nil {
		return err
	}
	if err := part.Sync(); err != nil {
		return err
	}
	if err := os.Rename(part.Name(), d.To); err != nil {
		return err
	}
	return syncDir(filepath.Dir(d.To))
}

// script returns a step of download.sh.
func (d Download) script(step string, offset, count int64) string {
	return script(downloadScript, "step", step, "path", d.Path,
		"offset", strconv.FormatInt(offset, 10), "count", strconv.FormatInt(count, 10))
}

func (d Download) mode() fs.FileMode {
	if d.Mode == 0 {
		return 0o600
	}
	return d.Mode
}

func (d Download) report(done, total int64) {
	if d.Progress != nil {
		d.Progress(done, total)
	}
}

// measure returns the size and the hash of a regular file; -1 and the hash of nothing if there is none.
func measure(name string) (int64, hash.Hash, error) {
	h := sha256.New()
	st, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, h, nil
	}
	if err != nil {
		return 0, h, err
	}
	if !st.Mode().IsRegular() {
		return 0, h, fmt.Errorf("%w: %s is not a regular file", lab.ErrConflict, name)
	}
	f, err := os.Open(name)
	if err != nil {
		return 0, h, err
	}
	defer f.Close()
	n, err := io.Copy(h, f)
	return n, h, err
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
