package posix

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func (t *tarRun) sameOwner() bool {
	return t.p.UID == 0 && !t.o.Has("no-same-owner", "o") || t.o.Has("same-owner")
}

// perm is the mode that a member gets.
func (t *tarRun) perm(h *tar.Header) uint32 {
	mode := uint32(h.Mode) & 0o7777
	if t.p.UID == 0 && !t.o.Has("no-same-permissions") || t.o.Has("p") {
		if !t.sameOwner() {
			mode &^= kernel.ModeSetUID | kernel.ModeSetGID
		}
		return mode
	}
	return mode &^ (t.p.Umask | kernel.ModeSetUID | kernel.ModeSetGID | kernel.ModeSticky)
}

// placing runs make until there is room for it: parents are made, and what is in the way is removed.
func (t *tarRun) placing(name string, make func() error) error {
	err := make()
	if errors.Is(err, syscall.ENOENT) {
		if up := path.Dir(name); up != "." {
			old := t.p.Umask
			if e := libc.MkdirOne(t.p, up, true, nil, false); e == nil {
				err = make()
			}
			t.p.Umask = old
		}
	}
	if errors.Is(err, syscall.EEXIST) && !t.o.Has("k") {
		if e := t.p.Unlink(name); e == nil {
			err = make()
		} else if errors.Is(e, syscall.EISDIR) && t.p.Rmdir(name) == nil {
			err = make()
		}
	}
	return err
}

// extract makes what a member describes.
func (t *tarRun) extract(h *tar.Header, r io.Reader) error {
	p := t.p
	name, err := t.local(h.Name)
	if name == "" {
		return err
	}
	if t.o.Has("O") {
		if h.Typeflag == tar.TypeReg {
			p.Flush()
			_, err := io.Copy(p.Stdout(), r)
			return err
		}
		return nil
	}
	if t.o.Has("v") {
		p.Print(h.Name, "\n")
	}
	if t.o.Has("k", "skip-old-files") && h.Typeflag != tar.TypeDir {
		if _, err := p.Lstat(name); err == nil {
			if t.o.Has("k") {
				return errors.New("Cannot open: File exists")
			}
			return nil
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		err := t.placing(name, func() error {
			st, err := p.Lstat(name)
			if err == nil && (st.IsDir() || st.IsSymlink() && t.o.Has("keep-directory-symlink")) {
				return nil
			}
			return p.Mkdir(name, 0o700)
		})
		if err != nil {
			return fmt.Errorf("Cannot mkdir: %s", kernel.Strerror(err))
		}
		t.later = append(t.later, tarDir{name, h})
		return nil
	case tar.TypeSymlink:
		if err := t.placing(name, func() error { return p.Symlink(h.Linkname, name) }); err != nil {
			return fmt.Errorf("Cannot create symlink to '%s': %s", h.Linkname, kernel.Strerror(err))
		}
		return t.own(name, h)
	case tar.TypeLink:
		to, err := t.local(h.Linkname)
		if err != nil || to == "" {
			return err
		}
		if err := t.placing(name, func() error { return p.Link(to, name, false) }); err != nil {
			return fmt.Errorf("Cannot hard link to '%s': %s", to, kernel.Strerror(err))
		}
		return nil
	case tar.TypeReg, tar.TypeGNUSparse:
		return t.extractFile(name, h, r)
	}
	return errors.New("hosttest: this tar makes no devices and no pipes")
}

// extractFile makes a regular file.
func (t *tarRun) extractFile(name string, h *tar.Header, r io.Reader) error {
	var d *kernel.File
	err := t.placing(name, func() (err error) {
		d, err = t.p.Open(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	if err != nil {
		return fmt.Errorf("Cannot open: %s", kernel.Strerror(err))
	}
	defer d.Release()
	buf := make([]byte, 128<<10)
	for {
		n, rerr := r.Read(buf)
		if n > 0 {
			if _, err := d.Write(t.p, buf[:n]); err != nil {
				return fmt.Errorf("Cannot write: %s", kernel.Strerror(err))
			}
		}
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			return rerr
		}
	}
	return t.own(name, h)
}

// own sets owner, mode and time.
func (t *tarRun) own(name string, h *tar.Header) error {
	p := t.p
	if t.sameOwner() {
		uid, gid := int64(h.Uid), int64(h.Gid)
		if !t.o.Has("numeric-owner") {
			if u := libc.UserByName(p.Kernel, h.Uname); h.Uname != "" && u != nil {
				uid = int64(u.UID)
			}
			if g := libc.GroupByName(p.Kernel, h.Gname); h.Gname != "" && g != nil {
				gid = int64(g.GID)
			}
		}
		if err := p.Chown(name, uid, gid, false); err != nil {
			return fmt.Errorf("Cannot change ownership to uid %d, gid %d: %s", uid, gid, kernel.Strerror(err))
		}
	}
	if h.Typeflag != tar.TypeSymlink {
		if err := p.Chmod(name, t.perm(h)); err != nil {
			return fmt.Errorf("Cannot change mode to %s: %s", modeString(t.perm(h))[1:], kernel.Strerror(err))
		}
	}
	if !t.o.Has("m") {
		if err := p.Utimes(name, -1, h.ModTime.UnixNano(), false, false); err != nil {
			return fmt.Errorf("Cannot utime: %s", kernel.Strerror(err))
		}
	}
	return nil
}

func (t *tarRun) finishDirs() {
	for _, d := range slices.Backward(t.later) {
		if err := t.own(d.name, d.h); err != nil {
			t.fail("%s: %s", d.name, err)
		}
	}
}
