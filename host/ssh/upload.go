package ssh

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Upload is a file to put on a machine. For a few kilobytes, use a File in a plan instead.
type Upload struct {
	Path   string      // on the machine, absolute; its directory must exist. A symbolic link there is replaced
	Source io.ReaderAt // the content: an [os.File], a [bytes.Reader]. It is read twice, and must not change meanwhile
	Size   int64       // of Source, in bytes

	Mode  fs.FileMode // permission bits, fs.ModeSetuid, fs.ModeSetgid and fs.ModeSticky; 0 means 0644
	Owner string      // "user", "user:group" or ":group", names or numbers; empty means the user that the script runs as
	Root  bool        // write it as root

	// Progress gets how many bytes of the file are there, after each part. Calls do not overlap.
	// Nil means that progress is not reported.
	Progress func(done, total int64)
}

//go:embed sh/upload.sh
var uploadScript string

// Exit statuses of upload.sh.
const (
	exitUploadBusy    = 75
	exitUploadDiffers = 76
)

// maxFruitless is how many connections may be lost in a row while nothing more of an upload arrives.
const maxFruitless = 3

// Upload puts a file on the machine. The file is written next to its destination, compared by
// SHA-256, flushed to disk, given its mode and owner, and then renamed: a reader sees the old file
// or the new one. The new file gets the old one's ACL and extended attributes. If the file already
// has this content, only its mode and owner are set, and nothing is sent.
//
// If the connection is lost, the upload is resumed, as long as each connection delivers something.
// After an error, the next Upload of the same content to the same path resumes it, once the lost
// connection has released the partial file. Partial files of other uploads to that path are
// removed; so is one that nothing has resumed when package host next changes the machine. If another
// Upload is sending the same content to the path for more than 10 s, the error is an [lab.ErrBlocked].
func (c *Conn) Upload(ctx context.Context, u Upload) (*Transfer, error) {
	fail := func(err error) (*Transfer, error) {
		return nil, &lab.Error{Op: "upload", Target: c.target.name(), Path: u.Path, Err: err}
	}
	if err := validateRemotePath(u.Path); err != nil {
		return fail(err)
	}
	if u.Source == nil || u.Size < 0 {
		return fail(fmt.Errorf("%w: no source, or a size below 0", lab.ErrInvalid))
	}
	sum := sha256.New()
	if n, err := io.Copy(sum, io.NewSectionReader(u.Source, 0, u.Size)); err != nil {
		return fail(fmt.Errorf("read the source: %w", err))
	} else if n != u.Size {
		return fail(fmt.Errorf("%w: the source has %d bytes, not %d", lab.ErrInvalid, n, u.Size))
	}
	t := &Transfer{Size: u.Size, SHA256: hex.EncodeToString(sum.Sum(nil))}
	most, fruitless := int64(-1), 0 // data that was sent may be lost on the way, so only what arrived counts
	for {
		before := t.Moved
		offset, err := c.resumeUpload(ctx, u, t)
		if err == nil {
			return t, nil
		}
		if fruitless++; offset > most {
			most, fruitless = offset, 0
		}
		if !errors.Is(err, lab.ErrUnreachable) || t.Moved == before || ctx.Err() != nil || fruitless == maxFruitless {
			return nil, err
		}
	}
}

// resumeUpload finds out how much of the file is there, sends the rest, and returns how much was there.
func (c *Conn) resumeUpload(ctx context.Context, u Upload, t *Transfer) (offset int64, err error) {
	fail := func(hint string, err error) (int64, error) {
		return offset, &lab.Error{Op: "upload", Target: c.target.name(), Path: u.Path, Hint: hint, Err: err}
	}
	r, err := c.Run(ctx, Command{Script: u.script(c.target.uploadNotes(), t.SHA256, stepInspect, 0), Root: u.Root})
	if err != nil {
		return fail("", err)
	}
	if err := r.Err(); err != nil {
		return fail("", err)
	}
	same, offset, err := u.resumeAt(r.Stdout)
	if err != nil {
		return fail("", err)
	}
	if same {
		u.report(u.Size)
		return 0, nil
	}
	u.report(offset)
	source := &progressReader{r: io.NewSectionReader(u.Source, offset, u.Size-offset), done: offset, report: u.report}
	r, err = c.Run(ctx, Command{Script: u.script(c.target.uploadNotes(), t.SHA256, stepReceive, offset),
		Stdin: source, Root: u.Root, guard: true})
	t.Moved += source.stop() - offset
	if err != nil {
		return fail("run it again: it resumes where it was cut off", err)
	}
	switch r.Exit {
	case 0:
		return offset, nil
	case exitUploadBusy:
		part := path.Join(path.Dir(u.Path), partName(u.Path, t.SHA256))
		return fail("wait for it: an upload whose client has vanished ends by itself; to see what holds the file, on the machine: "+
			"sudo lslocks -o PID,COMMAND,PATH | grep -F "+Quote(part),
			fmt.Errorf("%w: another upload of the same file is in progress", lab.ErrBlocked))
	case exitUploadDiffers:
		return fail("run it again; if that does not help, the source changes, or the machine's disk or memory is faulty",
			fmt.Errorf("%w: the content that arrived differs from what was sent", lab.ErrConflict))
	}
	return fail("", r.Err())
}

// uploadNotes returns the name of the directory of links to partial files, see upload.sh. Package host knows it
// too, which removes partial files that nothing continues. As with what else is left behind, that of machines
// with another lock, as in tests, is another.
func (t Target) uploadNotes() string { return "uploads" + strings.ReplaceAll(t.LockFile, "/", "-") }

// script returns a step of upload.sh.
func (u Upload) script(notes, sum, step string, offset int64) string {
	mode := u.Mode
	if mode == 0 {
		mode = 0o644
	}
	return script(uploadScript, "step", step, "path", u.Path, "dir", path.Dir(u.Path), "part", partName(u.Path, sum),
		"size", strconv.FormatInt(u.Size, 10), "sum", sum, "mode", octal(mode), "owner", u.Owner,
		"offset", strconv.FormatInt(offset, 10), "notes", notes)
}

// resumeAt reads what upload.sh found. It reports whether the whole file is there, and otherwise
// how many bytes of it need not be sent again.
func (u Upload) resumeAt(found []byte) (same bool, offset int64, err error) {
	word, rest, _ := strings.Cut(strings.TrimSpace(string(found)), " ")
	switch word {
	case "same":
		return true, 0, nil
	case "none":
		return false, 0, nil
	case "part":
	default:
		return false, 0, unexpected(found)
	}
	size, sum, _ := strings.Cut(rest, " ")
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || n <= 0 || n > u.Size {
		return false, 0, nil
	}
	prefix := sha256.New()
	if _, err := io.Copy(prefix, io.NewSectionReader(u.Source, 0, n)); err != nil {
		return false, 0, fmt.Errorf("read the source: %w", err)
	}
	if hex.EncodeToString(prefix.Sum(nil)) != sum {
		return false, 0, nil
	}
	return false, n, nil
}

func (u Upload) report(done int64) {
	if u.Progress != nil {
		u.Progress(done, u.Size)
	}
}

// partName returns the name of the partial file of an upload. It is different for each content, and its
// length does not depend on that of the path.
func partName(path, sum string) string {
	of := sha256.Sum256([]byte(path))
	return ".lab-" + hex.EncodeToString(of[:8]) + "-" + sum[:16] + ".part"
}

// octal returns the mode in the form that chmod takes.
func octal(m fs.FileMode) string {
	n := uint32(m.Perm())
	for bit, value := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&bit != 0 {
			n |= value
		}
	}
	return fmt.Sprintf("%04o", n)
}
