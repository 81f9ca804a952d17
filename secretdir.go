package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// SecretDir is a [Sink]: a directory of this machine with a file for each secret, named for it,
// mode 0600. The directory is made when the first secret is put, mode 0700. One that others may
// look into is refused, and so is a file that others may read.
//
// A file appears under its name complete and on disk, or not at all. What a run that was cut off leaves, a
// file .new-*, is removed by the next run, by its first Get or Prove. The file system must have hard
// links, which FAT does not.
type SecretDir struct {
	Path string // the directory; empty is an error

	// before is called before each step of a write, in tests: an error is that of the step.
	before func(step string) error
}

var _ Replacer = SecretDir{}

// secretName is what a secret in a directory may be called. Names that begin with a dot are those
// of files that are being written.
var secretName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// newSecret begins the names of files that are being written. The ID of the process that writes
// comes next, and a hyphen.
const newSecret = ".new-"

// maxSecret is the longest secret in bytes: a file that is larger is something else.
const maxSecret = 1 << 20

// String returns the path.
func (d SecretDir) String() string { return d.Path }

func (d SecretDir) fail(op, file, hint string, err error) error {
	return &Error{Op: op, Path: file, Hint: hint, Err: err}
}

// file returns the path of a secret.
func (d SecretDir) file(op, name string) (string, error) {
	switch {
	case d.Path == "":
		return "", d.fail(op, name, "name a directory", fmt.Errorf("%w: no directory is given", ErrInvalid))
	case !secretName.MatchString(name):
		return "", d.fail(op, name, "use letters, digits, dots, hyphens and underscores, a letter or a digit first",
			fmt.Errorf("%w: not a name for a file", ErrInvalid))
	}
	return filepath.Join(d.Path, name), nil
}

// private refuses a directory that others may look into. It returns an [fs.ErrNotExist] when there
// is none.
func (d SecretDir) private(op string) error {
	st, err := os.Stat(d.Path)
	switch {
	case err != nil:
		return err
	case !st.IsDir():
		return d.fail(op, d.Path, "name a directory", fmt.Errorf("%w: not a directory", ErrInvalid))
	case st.Mode().Perm()&0o077 != 0:
		return d.fail(op, d.Path, "chmod 700 "+d.Path, fmt.Errorf("%w: others may look into it", ErrRefused))
	}
	return nil
}

// Get reads the secret's file: all of it, final newlines too. An empty file is an [ErrConflict]:
// something else has damaged it.
func (d SecretDir) Get(ctx context.Context, name string) (Secret, error) {
	const op = "get secret"
	file, err := d.file(op, name)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return Secret{}, err
	}
	s, err := d.read(op, file)
	// A run that needs no new secret proves nothing, and yet removes what others have left. It may not be
	// allowed to write here.
	_ = d.tidy(func(name string) bool { return !alive(name) })
	var known *Error
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = d.fail(op, file, "", ErrNotFound)
	case err != nil && !errors.As(err, &known):
		err = d.fail(op, file, "see who may read it", err)
	}
	return s, err
}

func (d SecretDir) read(op, file string) (Secret, error) {
	if err := d.private(op); err != nil {
		return Secret{}, err
	}
	f, err := os.Open(file)
	if err != nil {
		return Secret{}, err
	}
	defer f.Close() // it is only read
	st, err := f.Stat()
	if err != nil {
		return Secret{}, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxSecret {
		return Secret{}, d.fail(op, file, "look at what it is", fmt.Errorf("%w: not a file with a secret", ErrInvalid))
	}
	if st.Mode().Perm()&0o077 != 0 {
		return Secret{}, d.fail(op, file, "chmod 600 "+file, fmt.Errorf("%w: others may read it", ErrRefused))
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return Secret{}, err
	}
	if len(b) == 0 {
		const hint = "restore it from a backup; remove the file only if nothing was ever made with the secret"
		return Secret{}, d.fail(op, file, hint, fmt.Errorf("%w: it is empty", ErrConflict))
	}
	return NewSecret(string(b)), nil
}

// Prove writes a file, syncs it and removes it, and the directory too if that was not there. It
// also removes what runs that were cut off have left.
func (d SecretDir) Prove(ctx context.Context) error {
	const op = "prove that secrets can be kept"
	if d.Path == "" {
		return d.fail(op, "", "name a directory", fmt.Errorf("%w: no directory is given", ErrInvalid))
	}
	return d.again(ctx, op, func() error {
		made, err := d.prepare(op)
		if err == nil {
			err = d.tidy(func(string) bool { return true })
		}
		if err == nil {
			var temp string
			if temp, err = d.write(NewSecret("proof")); err == nil {
				err = d.remove(temp)
			}
		}
		for _, dir := range slices.Backward(made) {
			_ = os.Remove(dir) // another run may have put a secret into it meanwhile
		}
		return err
	})
}

// Put writes the secret under another name and links it to its own, which fails when that is there.
func (d SecretDir) Put(ctx context.Context, name string, s Secret) error {
	const op = "put secret"
	file, err := d.file(op, name)
	if err != nil {
		return err
	}
	if err := d.checkSize(op, file, s); err != nil {
		return err
	}
	return d.again(ctx, op, func() error {
		if _, err := d.prepare(op); err != nil {
			return err
		}
		temp, err := d.write(s)
		if err != nil {
			return err
		}
		if err = d.step("link"); err == nil {
			err = os.Link(temp, file)
		}
		taken := errors.Is(err, fs.ErrExist)
		if taken {
			err = nil
		}
		if err = errors.Join(err, d.remove(temp)); err != nil {
			return err
		}
		if taken {
			have, err := d.read(op, file)
			if err == nil && !have.Equal(s) {
				err = d.fail(op, file, "", fmt.Errorf("%w: another secret of this name is there", ErrConflict))
			}
			if err != nil {
				return err
			}
		}
		return d.sync(d.Path)
	})
}

// Replace writes the secret under another name and renames it to its own, under a lock of the directory
// (flock(2)), which the kernel releases when the process ends: of two that replace the same one, the second
// finds what the first has put.
func (d SecretDir) Replace(ctx context.Context, name string, old, s Secret) error {
	const op = "replace secret"
	file, err := d.file(op, name)
	if err != nil {
		return err
	}
	if err := d.checkSize(op, file, s); err != nil {
		return err
	}
	unlock, err := d.lock(ctx, op)
	if err != nil {
		return err
	}
	defer unlock()
	return d.again(ctx, op, func() error {
		have, err := d.read(op, file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return d.fail(op, file, "put it", ErrNotFound)
		case err != nil:
			return err
		case have.Equal(s):
			return d.sync(d.Path)
		case !have.Equal(old):
			return d.fail(op, file, "plan again", fmt.Errorf("%w: another secret of this name is there", ErrConflict))
		}
		temp, err := d.write(s)
		if err != nil {
			return err
		}
		if err = d.step("rename"); err == nil {
			err = os.Rename(temp, file)
		}
		if err != nil {
			return errors.Join(err, d.remove(temp))
		}
		return d.sync(d.Path)
	})
}

// lock takes the lock of the directory.
func (d SecretDir) lock(ctx context.Context, op string) (unlock func(), err error) {
	f, err := os.Open(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, d.fail(op, d.Path, "", ErrNotFound)
	}
	if err != nil {
		return nil, d.fail(op, d.Path, "see who may read it", err)
	}
	free := Poll{What: "another run, which replaces a secret in " + d.Path, First: 10 * time.Millisecond}
	err = Wait(ctx, free, func(context.Context) (bool, error) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

func (d SecretDir) checkSize(op, file string, s Secret) error {
	if n := len(s.Reveal()); n == 0 || n > maxSecret {
		return d.fail(op, file, "", fmt.Errorf("%w: a secret has 1 to %d bytes, this one %d", ErrInvalid, maxSecret, n))
	}
	return nil
}

// again does a write, and does it again when what it had made was gone: a run that began meanwhile
// has removed it.
func (d SecretDir) again(ctx context.Context, op string, write func() error) error {
	const tries = 10
	for try := 1; ; try++ {
		if err := ctx.Err(); err != nil {
			return d.fail(op, d.Path, "", context.Cause(ctx))
		}
		err := write()
		var known *Error
		switch {
		case err == nil || errors.As(err, &known):
			return err
		case !errors.Is(err, fs.ErrNotExist) || try == tries:
			return d.fail(op, d.Path, "see whether the directory can be written to, and whether the disk is full", err)
		}
	}
}

// prepare makes the directory, unless it is there. It returns the directories that it made, those
// above too.
func (d SecretDir) prepare(op string) (made []string, err error) {
	if made, err = d.mkdir(d.Path); err != nil {
		return made, err
	}
	return made, d.private(op)
}

// tidy removes what runs that were cut off have left, as far as which allows it. It may take that of
// a run that goes on, see again.
func (d SecretDir) tidy(which func(name string) bool) error {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), newSecret) && which(e.Name()) {
			if err := d.remove(filepath.Join(d.Path, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// alive reports whether the process that writes, or wrote, the file of this name may be running.
func alive(name string) bool {
	id, _, _ := strings.Cut(strings.TrimPrefix(name, newSecret), "-")
	pid, err := strconv.Atoi(id)
	if err != nil || pid <= 0 {
		return true
	}
	p, err := os.FindProcess(pid)
	return err == nil && !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// mkdir makes a directory and those above it, mode 0700, each on disk before the next, and returns
// those that were not there.
func (d SecretDir) mkdir(dir string) (made []string, err error) {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	above := filepath.Dir(dir)
	if above != dir {
		if made, err = d.mkdir(above); err != nil {
			return made, err
		}
	}
	if err := d.step("mkdir"); err != nil {
		return made, err
	}
	switch err := os.Mkdir(dir, 0o700); {
	case errors.Is(err, fs.ErrExist):
		return made, nil // another run made it meanwhile
	case err != nil:
		return made, err
	}
	return append(made, dir), d.sync(above)
}

// write writes a file, mode 0600, that is complete and on disk when write returns its path.
func (d SecretDir) write(s Secret) (path string, err error) {
	if err := d.step("create"); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(d.Path, fmt.Sprintf("%s%d-*", newSecret, os.Getpid()))
	if err != nil {
		return "", err
	}
	if err = d.step("write"); err == nil {
		_, err = f.WriteString(s.Reveal())
	}
	if err == nil {
		if err = d.step("sync"); err == nil {
			err = f.Sync()
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func (d SecretDir) remove(file string) error {
	if err := d.step("remove"); err != nil {
		return err
	}
	if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d SecretDir) sync(dir string) error {
	if err := d.step("sync directory"); err != nil {
		return err
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d SecretDir) step(name string) error {
	if d.before == nil {
		return nil
	}
	return d.before(name)
}
