package stack

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// SecretDir keeps secrets that are made once and must stay: one file each, mode 0600, in a folder here that nobody else may read. The zero
// SecretDir is of no use.
type SecretDir struct {
	Path string

	// ReadOnly writes nothing: a secret that is not there is made and forgotten. It is for plans that are only looked at; one that is applied must
	// be made without it.
	ReadOnly bool
}

var secretFile = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// Once returns the secret of this name, and makes it when there is none: make is called only after the folder was proved writable, and what it returns
// is on disk before Once does. Of two programs that make the same secret at once, both get that of the first.
func (d SecretDir) Once(name string, make func() (lab.Secret, error)) (lab.Secret, error) {
	file := filepath.Join(d.Path, name)
	fail := func(hint string, err error) (lab.Secret, error) {
		return lab.Secret{}, &lab.Error{Op: "keep secret", Path: file, Hint: hint, Err: err}
	}
	if !secretFile.MatchString(name) {
		return fail("", fmt.Errorf("%w: not a name for a file", lab.ErrInvalid))
	}
	if s, err := d.read(file); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	if d.ReadOnly {
		return make()
	}
	if err := os.MkdirAll(d.Path, 0o700); err != nil {
		return fail("make the folder, with mode 0700", err)
	}
	f, err := os.CreateTemp(d.Path, ".new-*") // mode 0600
	if err != nil {
		return fail("make the folder writable", err)
	}
	defer os.Remove(f.Name()) // a link to it stays when all went well
	s, err := make()
	if err == nil && s.IsZero() {
		err = fmt.Errorf("%w: it is empty", lab.ErrInvalid)
	}
	if err != nil {
		f.Close()
		return fail("", err)
	}
	_, err = f.WriteString(s.Reveal())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fail("see whether the disk is full", err)
	}
	if err := os.Link(f.Name(), file); errors.Is(err, fs.ErrExist) {
		return d.read(file)
	} else if err != nil {
		return fail("", err)
	}
	return s, syncDir(d.Path)
}

func (d SecretDir) read(file string) (lab.Secret, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return lab.Secret{}, err
	}
	st, err := os.Stat(file)
	if err != nil {
		return lab.Secret{}, err
	}
	switch {
	case len(b) == 0:
		return lab.Secret{}, &lab.Error{Op: "keep secret", Path: file, Hint: "restore it from a backup; remove the file only if nothing was ever made with the secret", Err: fmt.Errorf("%w: it is empty", lab.ErrConflict)}
	case st.Mode().Perm()&0o077 != 0:
		return lab.Secret{}, &lab.Error{Op: "keep secret", Path: file, Hint: "chmod 600 " + file, Err: fmt.Errorf("%w: others may read it", lab.ErrRefused)}
	}
	return lab.NewSecret(string(b)), nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	return f.Sync()
}

// RandomSecret returns 256 random bits, in the URL alphabet of base64: 43 letters, digits, - and _.
func RandomSecret() (lab.Secret, error) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return lab.NewSecret(base64.RawURLEncoding.EncodeToString(b[:])), nil
}
