package ssh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Upload is a file to put on a machine. For what is a few kilobytes, use a File of a plan.
type Upload struct {
	Path   string      // on the machine, absolute; its folder must exist. A symbolic link there is replaced
	Source io.ReaderAt // what goes there: an [os.File], a [bytes.Reader]. It is read twice, and must not change meanwhile
	Size   int64       // of Source, in bytes

	Mode  fs.FileMode // permission bits, fs.ModeSetuid, fs.ModeSetgid and fs.ModeSticky; 0 means 0644
	Owner string      // "user", "user:group" or ":group", names or numbers; empty means whom the script runs as
	Root  bool        // write it as root

	// Progress is told how much of Size is there, after each part; nil means nobody wants to know. Calls come one at a time.
	Progress func(done, total int64)
}

// Download is a file to get from a machine.
type Download struct {
	Path string // on the machine, absolute; a regular file
	To   string // where it goes here; its folder must exist. Two downloads to the same place at once are not for this

	Mode fs.FileMode // permission bits of the file here; 0 means 0600
	Root bool        // read it as root

	// Progress is told how much of the file is here, after each part; nil means nobody wants to know. Calls come one at a time.
	Progress func(done, total int64)
}

// Transfer is what became of an upload or download.
type Transfer struct {
	Size   int64  // of the file, in bytes
	SHA256 string // of the file, in hexadecimal
	Moved  int64  // bytes that went over the wire: less than Size when a part was there already, 0 when all was
}

// Upload puts a file on the machine. It is written beside its place, compared by SHA-256, flushed to disk, given its mode and owner, and
// then renamed: whoever looks sees the old file or the new one, which has the old one's ACL and extended attributes. A file that is there with
// this content gets mode and owner, and is not sent.
//
// When the connection is lost, it goes on from where it was as long as every connection gets something across; after an error the next
// Upload of the same content to the same path does, once the lost connection has let go. What is left of other uploads to that path is removed.
// While another uploads the same content there, for more than 10 s, that is an [lab.ErrBlocked].
func (c *Conn) Upload(ctx context.Context, u Upload) (*Transfer, error) {
	fail := func(hint string, err error) (*Transfer, error) {
		return nil, &lab.Error{Op: "upload", Target: c.target.name(), Path: u.Path, Hint: hint, Err: err}
	}
	if err := checkRemotePath(u.Path); err != nil {
		return fail("", err)
	}
	if u.Source == nil || u.Size < 0 {
		return fail("", fmt.Errorf("%w: no source, or a size below 0", lab.ErrInvalid))
	}
	whole := sha256.New()
	if n, err := io.Copy(whole, io.NewSectionReader(u.Source, 0, u.Size)); err != nil {
		return fail("", fmt.Errorf("read the source: %w", err))
	} else if n != u.Size {
		return fail("", fmt.Errorf("%w: the source has %d bytes, not %d", lab.ErrInvalid, n, u.Size))
	}
	t := &Transfer{Size: u.Size, SHA256: hex.EncodeToString(whole.Sum(nil))}
	most, fruitless := int64(-1), 0 // what is sent may be lost on the way: only what is there when it goes on counts
	for {
		before := t.Moved
		from, err := c.uploadRest(ctx, u, t)
		if err == nil {
			return t, nil
		}
		if fruitless++; from > most {
			most, fruitless = from, 0
		}
		if !errors.Is(err, lab.ErrUnreachable) || t.Moved == before || ctx.Err() != nil || fruitless == maxFruitless {
			return nil, err
		}
	}
}

// maxFruitless is how many connections may be lost in a row with nothing more of an upload having arrived.
const maxFruitless = 3

// uploadRest looks at what is there and sends what is missing. It returns how much was there.
func (c *Conn) uploadRest(ctx context.Context, u Upload, t *Transfer) (from int64, err error) {
	fail := func(hint string, err error) (int64, error) {
		return 0, &lab.Error{Op: "upload", Target: c.target.name(), Path: u.Path, Hint: hint, Err: err}
	}
	mode := u.Mode
	if mode == 0 {
		mode = 0o644
	}
	head := fmt.Sprintf("path=%s dir=%s part=%s size=%d sum=%s mode=%s owner=%s\n", Quote(u.Path), Quote(path.Dir(u.Path)),
		Quote(partName(u.Path, t.SHA256)), u.Size, t.SHA256, octal(mode), Quote(u.Owner)) + uploadFunctions
	res, err := c.Run(ctx, Command{Script: head + uploadLook, Root: u.Root})
	if err != nil {
		return fail("", err)
	}
	if err := res.Err(); err != nil {
		return fail("", err)
	}
	word, rest, _ := strings.Cut(strings.TrimSpace(string(res.Stdout)), " ")
	offset := int64(0)
	switch word {
	case "same":
		u.tell(u.Size)
		return 0, nil
	case "part":
		size, sum, _ := strings.Cut(rest, " ")
		n, err := strconv.ParseInt(size, 10, 64)
		if err == nil && n > 0 && n <= u.Size {
			prefix := sha256.New()
			if _, err := io.Copy(prefix, io.NewSectionReader(u.Source, 0, n)); err != nil {
				return fail("", fmt.Errorf("read the source: %w", err))
			}
			if hex.EncodeToString(prefix.Sum(nil)) == sum {
				offset = n
			}
		}
	case "none":
	default:
		return fail("", fmt.Errorf("%w: the machine answers %q", lab.ErrConflict, firstLine(res.Stdout)))
	}
	u.tell(offset)
	source := &progress{r: io.NewSectionReader(u.Source, offset, u.Size-offset), done: offset, tell: u.tell}
	res, err = c.Run(ctx, Command{Script: head + fmt.Sprintf("offset=%d\n", offset) + uploadSend, Stdin: source, Root: u.Root})
	t.Moved += source.end() - offset
	if err != nil {
		_, err = fail("run it again: it goes on from where it was", err)
		return offset, err
	}
	switch res.Exit {
	case 0:
		return offset, nil
	case uploadBusy:
		return fail("wait for it; if a lost connection has left it behind, end it on the machine: sudo fuser -k "+Quote(path.Join(path.Dir(u.Path), partName(u.Path, t.SHA256))), fmt.Errorf("%w: somebody else uploads the same file", lab.ErrBlocked))
	case uploadDiffers:
		return fail("run it again; if it happens again, the source changes, or the machine's disk or memory is broken", fmt.Errorf("%w: what arrived differs from what was sent", lab.ErrConflict))
	}
	return fail("", res.Err())
}

func (u Upload) tell(done int64) {
	if u.Progress != nil {
		u.Progress(done, u.Size)
	}
}

const (
	uploadBusy    = 75
	uploadDiffers = 76
)

// What is common to looking and sending. The part has a name of its own for each content, so that a part of another is never taken for one.
const uploadFunctions = `set -eu
umask 077
cd -- "$dir"
base=./${path##*/}
place() {
	[ -z "$owner" ] || chown -h -- "$owner" "$1"
	chmod "$mode" "$1"
}
tidy() {
	for f in ./"${part%-*}"-*.part; do
		[ "$f" = "./$part" ] || [ ! -f "$f" ] || flock -n "$f" rm -f -- "$f" || :
	done
}
sum() { set -- $(sha256sum); echo "$1"; }
size() { stat -c %s -- "$1"; }
`

const uploadLook = `
if [ -f "$base" ] && [ ! -L "$base" ] && [ "$(size "$base")" = "$size" ] && [ "$(sum <"$base")" = "$sum" ]; then
	place "$base"
	rm -f -- "./$part"
	tidy
	echo same
elif [ -f "./$part" ] && [ ! -L "./$part" ]; then
	echo "part $(size "./$part") $(sum <"./$part")"
else
	echo none
fi
`

// The lock is waited for: the upload that this one goes on from holds it until its sshd has noticed that the connection is lost. When the part is
// another file after the wait, or none, it was another's upload, which is done, and what is open here is the file itself.
const uploadSend = `
[ ! -d "$base" ] || { echo "it is a folder" >&2; exit 1; }
[ ! -L "./$part" ] || rm -f -- "./$part"
if [ ! -e "./$part" ] && [ -f "$base" ] && [ ! -L "$base" ]; then
	cp --attributes-only --preserve=mode,xattr -- "$base" "./$part" || :
	[ ! -e "./$part" ] || chmod 0600 "./$part"
fi
exec 9>>"./$part"
flock -w 10 9 && [ "./$part" -ef /proc/self/fd/9 ] || exit 75
truncate -s "$offset" "./$part"
cat >&9
[ "$(size "./$part")" = "$size" ] || { echo "it did not arrive whole" >&2; exit 1; }
[ "$(sum <"./$part")" = "$sum" ] || { rm -f -- "./$part"; exit 76; }
place "./$part"
sync "./$part"
mv -fT -- "./$part" "$base"
sync .
tidy
`

// partName is the name of the file that an upload is written to. Its length does not depend on that of the path's.
func partName(path, sum string) string {
	of := sha256.Sum256([]byte(path))
	return ".lab-" + hex.EncodeToString(of[:8]) + "-" + sum[:16] + ".part"
}

// Download gets a file from the machine. It is written beside its place, compared by SHA-256, flushed to disk and then renamed. A file that
// is here with this content is not sent again.
//
// When the connection is lost, it goes on from where it was as long as every connection gets something across; after an error the next
// Download to the same place does, when what is here is a part of what is there.
func (c *Conn) Download(ctx context.Context, d Download) (*Transfer, error) {
	if err := checkRemotePath(d.Path); err != nil || d.To == "" {
		if err == nil {
			err = fmt.Errorf("%w: nowhere to put it", lab.ErrInvalid)
		}
		return nil, &lab.Error{Op: "download", Target: c.target.name(), Path: d.Path, Err: err}
	}
	t := &Transfer{}
	for {
		before := t.Moved
		err := c.downloadRest(ctx, d, t)
		switch {
		case err == nil:
			return t, nil
		case errors.Is(err, lab.ErrUnreachable) && t.Moved > before && ctx.Err() == nil:
			continue
		}
		return nil, err
	}
}

// downloadRest looks at what is here and gets what is missing.
func (c *Conn) downloadRest(ctx context.Context, d Download, t *Transfer) error {
	fail := func(hint string, err error) error {
		return &lab.Error{Op: "download", Target: c.target.name(), Path: d.Path, Hint: hint, Err: err}
	}
	mode := d.Mode
	if mode == 0 {
		mode = 0o600
	}
	part := filepath.Join(filepath.Dir(d.To), "."+filepath.Base(d.To)+".lab-part")
	have, haveSum, err := measure(part)
	if err != nil {
		return fail("", err)
	}
	have = max(0, have)
	res, err := c.Run(ctx, Command{Script: fmt.Sprintf("path=%s have=%d\n", Quote(d.Path), have) + downloadLook, Root: d.Root})
	if err != nil {
		return fail("", err)
	}
	if err := res.Err(); err != nil {
		if res.Exit == downloadMissing {
			err = fmt.Errorf("%w: no regular file", lab.ErrNotFound)
		}
		return fail("", err)
	}
	var size int64
	var sum, prefix string
	if _, err := fmt.Sscanf(string(res.Stdout), "%d %64s %64s\n", &size, &sum, &prefix); err != nil || len(sum) != 64 {
		return fail("", fmt.Errorf("%w: the machine answers %q", lab.ErrConflict, firstLine(res.Stdout)))
	}
	t.Size, t.SHA256 = size, sum
	tell := func(done int64) {
		if d.Progress != nil {
			d.Progress(done, size)
		}
	}
	if n, s, err := measure(d.To); err == nil && n == size && hex.EncodeToString(s.Sum(nil)) == sum {
		tell(size)
		_ = os.Remove(part)
		return os.Chmod(d.To, mode)
	}
	if have > size || prefix != hex.EncodeToString(haveSum.Sum(nil)) {
		have, haveSum = 0, sha256.New()
	}
	f, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fail("", err)
	}
	defer f.Close()
	if err := f.Truncate(have); err != nil {
		return fail("", err)
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return fail("", err)
	}
	tell(have)
	sink := &downloadSink{w: io.MultiWriter(f, haveSum), done: have, limit: size, tell: tell}
	// tail counts from 1
	res, err = c.Run(ctx, Command{Script: fmt.Sprintf("tail -c +%d -- %s | head -c %d", have+1, Quote(d.Path), size-have), Stdout: sink, Root: d.Root})
	t.Moved += sink.done - have
	if err != nil {
		if errF := f.Sync(); errF != nil {
			err = errors.Join(err, errF)
		}
		return fail("run it again: it goes on from where it was", err)
	}
	if err := res.Err(); err != nil {
		return fail("", err)
	}
	if sink.done != size || hex.EncodeToString(haveSum.Sum(nil)) != sum {
		_ = os.Remove(part)
		return fail("run it again when nobody writes to it", fmt.Errorf("%w: the file changed while it was read", lab.ErrDrift))
	}
	if err := f.Chmod(mode); err != nil {
		return fail("", err)
	}
	if err := f.Sync(); err != nil {
		return fail("", err)
	}
	if err := os.Rename(part, d.To); err != nil {
		return fail("", err)
	}
	return syncFolder(filepath.Dir(d.To))
}

const downloadMissing = 66

const downloadLook = `set -eu
[ -f "$path" ] || exit 66
sum() { set -- $(sha256sum); echo "$1"; }
size=$(stat -L -c %s -- "$path")
all=$(sum <"$path")
if [ "$have" -gt 0 ] && [ "$have" -le "$size" ]; then
	prefix=$(head -c "$have" -- "$path" | sum)
else
	prefix=$(: | sum)
fi
echo "$size $all $prefix"
`

// measure returns size and hash of a regular file; size -1 and the hash of nothing when there is none.
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
		return 0, h, fmt.Errorf("%w: %s is no regular file", lab.ErrConflict, name)
	}
	f, err := os.Open(name)
	if err != nil {
		return 0, h, err
	}
	defer f.Close()
	n, err := io.Copy(h, f)
	return n, h, err
}

func syncFolder(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// progress counts what is read, until it is ended: a script may end while its stdin is still being read.
type progress struct {
	mu    sync.Mutex
	r     io.Reader
	done  int64
	tell  func(int64)
	ended bool
}

// end gives the count. Nothing is counted or told any more after it.
func (p *progress) end() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	return p.done
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return 0, io.ErrClosedPipe
	}
	if n > 0 {
		p.done += int64(n)
		p.tell(p.done)
	}
	return n, err
}

// downloadSink counts what is written.
type downloadSink struct {
	w           io.Writer
	done, limit int64
	tell        func(int64)
}

func (s *downloadSink) Write(b []byte) (int, error) {
	if s.done+int64(len(b)) > s.limit {
		return 0, fmt.Errorf("%w: more came than the file has", lab.ErrConflict)
	}
	n, err := s.w.Write(b)
	s.done += int64(n)
	s.tell(s.done)
	return n, err
}

func checkRemotePath(p string) error {
	if !strings.HasPrefix(p, "/") || path.Clean(p) != p || p == "/" || strings.ContainsRune(p, 0) {
		return fmt.Errorf("%w: not a clean absolute path of a file", lab.ErrInvalid)
	}
	return nil
}

// octal returns the mode as chmod takes it.
func octal(m fs.FileMode) string {
	n := uint32(m.Perm())
	for bit, value := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&bit != 0 {
			n |= value
		}
	}
	return fmt.Sprintf("%04o", n&math.MaxUint16)
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(string(b[:min(len(b), 200)]), "\n")
	return line
}
