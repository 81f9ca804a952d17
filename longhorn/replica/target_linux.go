package replica

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// target finds where the output is to be written, and the doubts about that.
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
	if fi, err := os.Lstat(o.Path); err == nil && diskfile.BlockDevice(fi) {
		at := lab.Error{Op: "save image", Path: o.Path, Hint: "name a file, or overwrite it",
			Set: lab.Setting{Name: SettingDevice}}
		return nil, nil, refuse(at, "it is a block device")
	}
	place, err := diskfile.NewPlace("save image", o.Path, avoid)
	var ws warnings
	ws.doubts(place)
	return &target{path: place.Path, name: diskfile.PartName(place.Path), state: stateName(place.Path)}, ws, err
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

// at is the place of an error.
func (t *target) at(hint string) lab.Error {
	return lab.Error{Op: "save image", Path: t.name, Hint: hint}
}

// hinted adds the next step to an error that the file system gave.
func (t *target) hinted(err error) error {
	if errors.Is(err, context.Canceled) {
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
	return located(t.at(hint), err)
}

// open creates the output, or opens what an interrupted run left of it. It returns the progress to
// continue from.
func (t *target) open(ctx context.Context, im *Image, o Output) (journal, error) {
	t.work = im.work()
	old, known, err := t.readState()
	if err != nil && !o.Restart {
		return journal{}, err
	}
	continued := known
	if t.device {
		err = t.openDevice(im.Size())
	} else {
		continued, err = t.openFile(known, o.Restart)
	}
	if err != nil {
		return journal{}, err
	}
	if !continued || o.Restart {
		fresh := journal{Version: journalVersion, Work: t.work, Output: t.id}
		return fresh, t.begin(ctx, im, o, fresh)
	}
	return old, t.resume(ctx, im, o, old)
}

// openFile opens path.part, and reports whether an interrupted run left it, which it continues if
// its progress is known.
func (t *target) openFile(known, restart bool) (continued bool, err error) {
	if restart {
		if err := t.discard(); err != nil {
			return false, err
		}
		known = false
	}
	continued, err = t.openPart()
	if err == nil && continued && !known && t.untouched() {
		return false, t.file.Truncate(0)
	}
	if err == nil && continued && !known {
		err = again("remove it, or begin again").refuse(t.at(""), "it exists, and its progress is not known")
	}
	return continued, err
}

// untouched reports whether the output is one of a run that was killed before it recorded where it
// begins, which is before it writes anything.
func (t *target) untouched() bool {
	if _, err := os.Lstat(t.state); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	fi, err := diskfile.Stat(t.file)
	if err != nil || fi.Size != 0 && fi.Size != t.work.Size {
		return false
	}
	data, err := diskfile.SeekData(t.file, fi.Size)
	return err == nil && len(data) == 0
}

// begin prepares an output that is new.
func (t *target) begin(ctx context.Context, im *Image, o Output, j journal) error {
	err := t.space(ctx, im, o, 0)
	if err == nil && !t.device {
		err = t.file.Truncate(im.Size())
	}
	if err != nil {
		if !t.device {
			os.Remove(t.name)
		}
		return err
	}
	return t.writeState(j)
}

// again is the next step of not continuing what an interrupted run left.
func again(hint string) steps { return set(hint, SettingRestart, "") }

// resume prepares an output of which a part is there.
func (t *target) resume(ctx context.Context, im *Image, o Output, old journal) error {
	afresh := again("begin again")
	if why := t.work.differs(old.Work); why != "" {
		return afresh.refuse(t.at(""), "it cannot be continued: %s", why)
	}
	if old.Output != t.id {
		return afresh.refuse(t.at(""), "it cannot be continued: it is not the output that was begun")
	}
	size, err := t.length()
	if err != nil {
		return err
	}
	if size < old.Copied {
		return afresh.refuse(t.at(""),
			"it cannot be continued: it has %d bytes, although %d were copied", size, old.Copied)
	}
	if t.device {
		return nil
	}
	// What is behind is written again: nothing of it may stay, nor take the room that it needs.
	if err := t.file.Truncate(old.Copied); err != nil {
		return err
	}
	if err := t.space(ctx, im, o, old.Copied); err != nil {
		return err
	}
	return t.file.Truncate(im.Size())
}

// finish gives the output its name.
func (t *target) finish() error {
	if t.device {
		return t.forget()
	}
	err := diskfile.Finish(t.name, t.path)
	if errors.Is(err, fs.ErrExist) {
		at := t.at("the finished image is " + t.name)
		at.Path = t.path
		return refuse(at, "it exists now")
	}
	if err != nil {
		return err
	}
	return t.forget()
}

func (t *target) close() {
	if t.file != nil {
		t.file.Close()
	}
}
