package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// CreateFile creates a file that must not exist, as a whole or not at all.
func CreateFile(path string, data []byte, mode fs.FileMode) (err error) {
	defer func() {
		if err != nil {
			err = &lab.Error{Op: "write", Path: path, Err: err}
		}
	}()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// WriteFile writes a file that the user named: as a whole or not at all, with the mode, whatever file
// was there before. A link is followed; a device or a pipe is written to.
func WriteFile(path string, data []byte, mode fs.FileMode) (err error) {
	defer func() {
		if err != nil {
			err = &lab.Error{Op: "write", Path: path, Err: err}
		}
	}()
	if followed, err := filepath.EvalSymlinks(path); err == nil {
		path = followed
	}
	switch st, err := os.Stat(path); {
	case err == nil && !st.Mode().IsRegular():
		return os.WriteFile(path, data, mode)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".lab-*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
