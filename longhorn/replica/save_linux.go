package replica

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// Save writes the image to o. The output gets its name only when it is complete, on disk, and the sources are proved unchanged; it is
// sparse. When it is interrupted, by ctx, by a full disk or by a power cut, the same call continues it. Refusals are [lab.ErrRefused]
// and happen before anything is written; a source that changed meanwhile is [lab.ErrDrift].
func (im *Image) Save(ctx context.Context, o Output) (*Result, error) {
	start := time.Now()
	t, ws, err := im.target(o)
	if err != nil {
		return nil, err
	}
	j, err := t.open(im, o)
	if err != nil {
		t.close()
		return nil, t.hinted(err)
	}
	defer t.close()
	cp := newCopier(im, t, o, j)
	if err := cp.run(ctx); err != nil {
		return nil, t.hinted(err)
	}
	if err := t.file.Sync(); err != nil {
		return nil, t.hinted(err)
	}
	// The sources are looked at after the last read: what was written while they were open shows in their times.
	if err := im.Unchanged(); err != nil {
		return nil, err
	}
	if err := im.notInUse(ctx); err != nil {
		return nil, err
	}
	if err := t.finish(); err != nil {
		return nil, t.hinted(err)
	}
	r := &Result{Path: t.path, Size: im.Size(), Data: im.data, Copied: cp.written.Load(), Resumed: j.Copied, Method: cp.used(), Warnings: ws, Duration: time.Since(start)}
	if !o.NoHash {
		r.SHA256 = hex.EncodeToString(cp.hash.Sum(nil))
	}
	return r, nil
}

// target finds where the output goes, and what speaks against that.
func (im *Image) target(o Output) (*target, []Warning, error) {
	avoid := append([]string{im.Chain.Directory.Path}, o.Avoid...)
	if o.Device {
		path, err := diskfile.DevicePlace("save image", o.Path)
		if err != nil {
			return nil, nil, err
		}
		state, err := statePath(o.State, avoid)
		return &target{path: path, name: path, device: true, state: state}, nil, err
	}
	place, err := diskfile.NewPlace("save image", o.Path, avoid)
	var ws warnings
	ws.doubts(place)
	return &target{path: place.Path, name: diskfile.PartName(place.Path), state: stateName(place.Path)}, ws, err
}

// statePath checks where the progress of writing to a device is to be kept, "" for nowhere.
func statePath(path string, avoid []string) (string, error) {
	if path == "" {
		return "", nil
	}
	fail := func(hint string, err error) (string, error) {
		return "", &lab.Error{Op: "keep progress", Path: path, Hint: hint, Err: err}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return fail("", err)
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return fail("make the directory first: mkdir -p "+diskfile.Quote(filepath.Dir(abs)), err)
	}
	abs = filepath.Join(parent, filepath.Base(abs))
	if _, err := diskfile.Outside("keep progress", abs, avoid); err != nil {
		return "", err
	}
	data, _, err := diskfile.Read(abs, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return abs, nil
	}
	if err != nil {
		return fail("name a file that does not exist", fmt.Errorf("%w: %w", lab.ErrRefused, err))
	}
	if _, ok := parseJournal(data); !ok {
		return fail("name a file that does not exist, or remove it", fmt.Errorf("%w: it exists, and is not the progress of a run", lab.ErrRefused))
	}
	return abs, nil
}

// maxState bounds what is read of a journal, in bytes.
const maxState = 16 << 20

// work describes the image for the journal.
func (im *Image) work() journalWork {
	w := journalWork{Size: im.Size(), Point: im.Chain.Point}
	for _, s := range im.sources {
		w.Sources = append(w.Sources, journalSource{s.path, s.print})
	}
	h := sha256.New()
	var b [20]byte
	for _, s := range im.segments {
		binary.LittleEndian.PutUint64(b[0:], uint64(s.start))
		binary.LittleEndian.PutUint64(b[8:], uint64(s.end))
		binary.LittleEndian.PutUint32(b[16:], uint32(s.layer))
		h.Write(b[:])
	}
	w.Map = hex.EncodeToString(h.Sum(nil))
	return w
}

// target is the output while it is written.
type target struct {
	path   string // what it will be called
	name   string // what it is called now: path.part, or the device
	device bool
	state  string // the journal's path; empty for none
	file   *os.File
	work   journalWork
	id     string
}

func (t *target) refuse(hint, format string, args ...any) error {
	return &lab.Error{Op: "save image", Path: t.name, Hint: hint, Err: fmt.Errorf("%w: %s", lab.ErrRefused, fmt.Sprintf(format, args...))}
}

// hinted adds the next step to an error that the file system gave.
func (t *target) hinted(err error) error {
	var le *lab.Error
	if errors.As(err, &le) || errors.Is(err, context.Canceled) {
		return err
	}
	hint := ""
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		hint = "free some space, then run the same command again: it continues where it stopped"
	case errors.Is(err, unix.EFBIG):
		hint = "the file system cannot hold a file of that size: write to another one"
	case errors.Is(err, unix.EROFS), errors.Is(err, unix.EACCES):
		hint = "write to a directory that you may write to"
	}
	return &lab.Error{Op: "save image", Path: t.name, Hint: hint, Err: err}
}

// open makes the output, or takes up what an interrupted run left of it. It returns the progress to go on from.
func (t *target) open(im *Image, o Output) (journal, error) {
	t.work = im.work()
	fresh := journal{Version: journalVersion, Work: t.work}
	old, haveState, err := t.readState()
	if err != nil && !o.Restart {
		return fresh, err
	}
	if t.device {
		if err := t.openDevice(im.Size()); err != nil {
			return fresh, err
		}
	} else {
		if o.Restart {
			if err := t.discard(); err != nil {
				return fresh, err
			}
			haveState = false
		}
		continued, err := t.openPart(im.Size())
		if err != nil {
			return fresh, err
		}
		if continued && !haveState {
			return fresh, t.refuse("remove it, or throw it away with -restart", "it exists, and its progress is not known")
		}
		haveState = continued
	}
	fresh.Output = t.id
	if !haveState || o.Restart {
		if err := t.space(im, o, 0); err != nil {
			if !t.device {
				os.Remove(t.name)
			}
			return fresh, err
		}
		if !t.device {
			if err := t.file.Truncate(im.Size()); err != nil {
				os.Remove(t.name)
				return fresh, err
			}
		}
		return fresh, t.writeState(fresh)
	}
	if why := t.work.differs(old.Work); why != "" {
		return fresh, t.refuse("throw it away with -restart", "it cannot be continued: %s", why)
	}
	if old.Output != t.id {
		return fresh, t.refuse("throw it away with -restart", "it cannot be continued: it is not the output that was begun")
	}
	if size, err := t.length(); err != nil {
		return fresh, err
	} else if size < old.Copied {
		return fresh, t.refuse("throw it away with -restart", "it cannot be continued: it has %d bytes, although %d were copied", size, old.Copied)
	}
	if err := t.space(im, o, old.Copied); err != nil {
		return fresh, err
	}
	if !t.device {
		// What lies behind is written again: let nothing of it stay.
		if err := errors.Join(t.file.Truncate(old.Copied), t.file.Truncate(im.Size())); err != nil {
			return fresh, err
		}
	}
	return old, nil
}

// openPart opens path.part, and reports whether it was there before.
func (t *target) openPart(size int64) (continued bool, err error) {
	fd, err := unix.Open(t.name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if errors.Is(err, unix.EEXIST) {
		continued = true
		fd, err = unix.Open(t.name, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if errors.Is(err, unix.ELOOP) {
			return false, t.refuse("remove it", "it is a symbolic link")
		}
		if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENXIO) {
			return false, t.refuse("remove it", "it is not a plain file")
		}
	}
	if err != nil {
		return false, &os.PathError{Op: "open", Path: t.name, Err: err}
	}
	t.file = os.NewFile(uintptr(fd), t.name)
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return false, t.refuse("wait for it to end", "another run is writing it")
	}
	fi, err := diskfile.Stat(t.file)
	if err != nil {
		return false, err
	}
	if !fi.Mode.IsRegular() || fi.Links > 1 {
		return false, t.refuse("remove it", "it is not a plain file with one name")
	}
	t.id = fmt.Sprintf("file %d:%d", fi.Dev, fi.Ino)
	return continued, nil
}

// length returns how many bytes of the output are there; of a device, which has them all, the volume's.
func (t *target) length() (int64, error) {
	if t.device {
		return t.work.Size, nil
	}
	fi, err := diskfile.Stat(t.file)
	return fi.Size, err
}

// discard removes what an interrupted run left.
func (t *target) discard() error {
	fi, err := os.Lstat(t.name)
	if err == nil {
		if !fi.Mode().IsRegular() {
			return t.refuse("remove it", "it is not a plain file")
		}
		f, err := os.Open(t.name)
		if err != nil {
			return err
		}
		defer f.Close()
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
			return t.refuse("wait for it to end", "another run is writing it")
		}
		if err := os.Remove(t.name); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return t.forget()
}

// space refuses an output that has no room for what is to be written.
func (t *target) space(im *Image, o Output, from int64) error {
	if t.device || o.Method == Clone {
		return nil
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(t.file.Fd()), &st); err != nil {
		return err
	}
	var need int64
	for _, s := range im.segments[im.find(from):] {
		need += s.end - max(s.start, from)
	}
	need += need / 20
	free := int64(st.Bavail) * int64(st.Bsize)
	if need <= free {
		return nil
	}
	if o.Method == Auto && t.canClone(im, from) {
		return nil
	}
	return t.refuse("free some space or write to another disk", "%s are needed, %s are free", bytesText(need), bytesText(free))
}

// canClone tries to share one block of a source with the output, which ends at from.
func (t *target) canClone(im *Image, from int64) bool {
	for _, s := range im.segments[im.find(from):] {
		src := im.sources[s.layer]
		if s.start < from || s.start+SectorSize > src.print.Size {
			continue
		}
		err := clone(t.file, src.file, s.start, SectorSize)
		return errors.Join(err, t.file.Truncate(from)) == nil
	}
	return false
}

// readState reads the journal; it reports whether there is a sound one.
func (t *target) readState() (j journal, ok bool, err error) {
	if t.state == "" {
		return j, false, nil
	}
	data, _, err := diskfile.Read(t.state, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return j, false, nil
	}
	if err != nil {
		return j, false, &lab.Error{Op: "read progress", Path: t.state, Hint: "remove it, and begin again with -restart", Err: fmt.Errorf("%w: %w", lab.ErrRefused, err)}
	}
	if j, ok = parseJournal(data); !ok || j.Copied > t.work.Size {
		return journal{}, false, nil
	}
	return j, true, nil
}

// writeState replaces the journal, atomically and durably.
func (t *target) writeState(j journal) error {
	if t.state == "" {
		return nil
	}
	data, err := json.Marshal(j)
	if err != nil {
		return err
	}
	tmp := t.state + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(tmp, t.state)
	}
	if err != nil {
		os.Remove(tmp)
		return err
	}
	return nil
}

// finish gives the output its name.
func (t *target) finish() error {
	if t.device {
		return t.forget()
	}
	err := diskfile.Finish(t.name, t.path)
	if errors.Is(err, fs.ErrExist) {
		return &lab.Error{Op: "save image", Path: t.path, Hint: "the finished image is " + t.name, Err: fmt.Errorf("%w: it exists now", lab.ErrRefused)}
	}
	if err != nil {
		return err
	}
	return t.forget()
}

// forget removes the journal, if there is one.
func (t *target) forget() error {
	if t.state == "" {
		return nil
	}
	if err := os.Remove(t.state); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (t *target) close() {
	if t.file != nil {
		t.file.Close()
	}
}

func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, u := float64(n)/1024, 0
	for v >= 1024 && u < len(units)-1 {
		v, u = v/1024, u+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[u])
}
