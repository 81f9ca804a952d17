package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

// create creates a file that must not exist, under a temporary name until finish is called without
// an error. It creates none in a replica directory.
func create(path string) (w io.Writer, finish func(error) error, err error) {
	if err := placed(path); err != nil {
		return nil, nil, err
	}
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		at := lab.Error{Op: "write", Path: part, Hint: "remove it: it is of a run that was killed"}
		return nil, nil, fail(at, lab.ErrRefused, "it exists")
	}
	if err != nil {
		return nil, nil, &lab.Error{Op: "write", Path: path, Hint: "name a file that does not exist", Err: err}
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

// placed refuses a path where there is something already, or which is in a replica directory.
func placed(path string) error {
	at := lab.Error{Op: "write", Path: path, Hint: "name a file that does not exist"}
	if _, err := os.Lstat(path); err == nil {
		return fail(at, lab.ErrRefused, "it exists")
	}
	abs, err := filepath.Abs(path)
	if err == nil {
		abs, err = filepath.EvalSymlinks(filepath.Dir(abs))
	}
	if err != nil {
		at.Hint, at.Err = "create the directory first", err
		return &at
	}
	for dir := abs; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := replica.Read(dir); err == nil {
			at.Hint = "write to another directory, best on another disk"
			return fail(at, lab.ErrRefused, "it is inside a replica directory, "+dir)
		}
	}
	return nil
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
