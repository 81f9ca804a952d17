package replica

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// statePath returns the absolute path of where the progress of writing to a device is to be kept,
// "" for nowhere. It refuses one in a replica directory or one of avoid, and a file that holds
// something else.
func statePath(path string, avoid []string) (string, error) {
	if path == "" {
		return "", nil
	}
	at := lab.Error{Op: "keep progress", Path: path}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", located(at, err)
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		at.Hint = "create the directory first: mkdir -p " + diskfile.Quote(filepath.Dir(abs))
		return "", located(at, err)
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
		at.Hint = "name a file that does not exist"
		return "", refuse(at, "%w", err)
	}
	if _, ok := parseJournal(data); !ok {
		at.Hint = "name a file that does not exist, or remove it"
		return "", refuse(at, "it exists, and is not the progress of a run")
	}
	return abs, nil
}

// maxState bounds what is read of a journal, in bytes.
const maxState = 16 << 20

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
		at := lab.Error{Op: "read progress", Path: t.state}
		return j, false, again("remove it, and begin again").refuse(at, "%w", err)
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
