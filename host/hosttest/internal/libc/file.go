package libc

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func MkdirOne(p *kernel.Process, name string, parents bool, mode func(uint32, bool, uint32) uint32,
	verbose bool) error {
	if parents {
		up := path.Dir(strings.TrimRight(name, "/"))
		if _, err := p.Stat(up); err == syscall.ENOENT {
			old := p.Umask
			p.Umask &^= 0o300
			err := MkdirOne(p, up, true, nil, verbose)
			p.Umask = old
			if err != nil {
				return err
			}
		}
		if st, err := p.Stat(name); err == nil && st.IsDir() {
			return nil
		}
		if st, err := p.Stat(up); err == nil && !st.IsDir() {
			return fmt.Errorf("cannot create directory %s: %w", Quote(up), syscall.ENOTDIR)
		}
	}
	if err := p.Mkdir(name, 0o777); err != nil {
		return fmt.Errorf("cannot create directory %s: %w", Quote(name), err)
	}
	if verbose {
		p.Print(p.Name(), ": created directory ", Quote(name), "\n")
	}
	if mode != nil {
		return p.Chmod(name, mode(0o777, true, p.Umask))
	}
	return nil
}

// ReplaceFile writes as careful programs do: a new file, synced, renamed over the old one, whose owner and mode it
// keeps.
func ReplaceFile(p *kernel.Process, name string, b []byte, perm uint32) error {
	st, err := p.Stat(name)
	keep := err == nil
	if keep {
		perm = st.Perm()
	}
	tmp := name + ".dpkg-hosttest"
	d, err := p.Open(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	if len(b) > 0 {
		_, err = d.Write(p, b)
	}
	d.Sync()
	d.Release()
	if err == nil && keep && (st.UID != p.UID || st.GID != p.GID) {
		err = p.Chown(tmp, int64(st.UID), int64(st.GID), true)
	}
	if err == nil {
		err = p.Chmod(tmp, perm)
	}
	if err == nil {
		err = p.Rename(tmp, name)
	}
	if err != nil {
		p.Unlink(tmp)
	}
	return err
}

func RandomName(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}
