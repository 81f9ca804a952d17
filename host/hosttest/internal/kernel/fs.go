package kernel

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// An FS is the file system of a machine, as root sees it. What a test changes through it is durable at once and is not
// counted as a write of the machine.
type FS struct{ k *Kernel }

// FS gives the machine's file system.
func (k *Kernel) FS() FS { return FS{k} }

func (f FS) lock() func() {
	f.k.Tree.mu.Lock()
	return f.k.Tree.mu.Unlock
}

// ReadFile returns a copy of a file's content.
func (f FS) ReadFile(path string) ([]byte, error) {
	d, err := f.k.Tree.openFile(RootCred, "/", path, os.O_RDONLY, 0, nil)
	if err != nil {
		return nil, pathErr("open", path, err)
	}
	defer d.Release()
	var out bytes.Buffer
	buf := make([]byte, 32<<10)
	for {
		n, err := d.Read(nil, buf)
		out.Write(buf[:n])
		if n == 0 || err != nil {
			return out.Bytes(), nil
		}
	}
}

// WriteFile replaces a file's content, and makes the file with mode 0644 and its directories when they are missing.
func (f FS) WriteFile(path string, b []byte) error {
	return pathErr("write", path, f.k.Tree.Quietly(func() error {
		return f.k.Tree.Put(path, 0o644, b)
	}))
}

// Chmod sets the permission bits.
func (f FS) Chmod(path string, mode uint32) error {
	return pathErr("chmod", path, f.k.Tree.Quietly(func() error {
		return f.k.Tree.chmod(RootCred, "/", path, mode)
	}))
}

// Chown sets owner and group by id.
func (f FS) Chown(path string, uid, gid int) error {
	return pathErr("chown", path, f.k.Tree.Quietly(func() error {
		return f.k.Tree.chown(RootCred, "/", path, int64(uid), int64(gid), false)
	}))
}

// MkdirAll makes a directory and its parents, with mode 0755.
func (f FS) MkdirAll(path string) error {
	return pathErr("mkdir", path, f.k.Tree.Quietly(func() error {
		return f.k.Tree.MkdirAll(path)
	}))
}

// Symlink makes a symbolic link.
func (f FS) Symlink(target, path string) error {
	return pathErr("symlink", path, f.k.Tree.Quietly(func() error {
		return f.k.Tree.symlink(RootCred, target, "/", path)
	}))
}

// Remove removes a file, or a directory with all that is in it. What is not there is no error.
func (f FS) Remove(path string) error {
	return pathErr("remove", path, f.k.Tree.Quietly(func() error {
		return f.k.Tree.RemoveAll(path)
	}))
}

// Stat follows symbolic links; Lstat does not.
func (f FS) Stat(path string) (Stat, error) {
	defer f.lock()()
	st, err := f.k.Tree.stat(RootCred, "/", path, true)
	return st, pathErr("stat", path, err)
}

// Lstat tells about a symbolic link itself.
func (f FS) Lstat(path string) (Stat, error) {
	defer f.lock()()
	st, err := f.k.Tree.stat(RootCred, "/", path, false)
	return st, pathErr("lstat", path, err)
}

// ReadDir lists the names in a directory, in no useful order.
func (f FS) ReadDir(path string) ([]string, error) {
	defer f.lock()()
	s, err := f.k.Tree.Must(RootCred, "/", path, true)
	if err == nil && !s.At.Inode().IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, pathErr("readdir", path, err)
	}
	return f.k.Tree.names(s.At), nil
}

// Walk calls fn for everything at and below path, directories before what they hold. It stays on the file systems that
// hold data: what the kernel makes up is left out.
func (f FS) Walk(path string, fn func(path string, st Stat) error) error {
	st, err := f.Lstat(path)
	if err != nil {
		return err
	}
	if st.At.Mnt.Vol.Pseudo {
		return nil
	}
	if err := fn(path, st); err != nil {
		return err
	}
	if !st.IsDir() {
		return nil
	}
	names, err := f.ReadDir(path)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := f.Walk(strings.TrimSuffix(path, "/")+"/"+n, fn); err != nil {
			return err
		}
	}
	return nil
}

// A Snapshot maps each path to what is there: type, mode, owner, attributes, extended attributes and a digest of the
// content. Times are left out, and tmpfs too.
type Snapshot map[string]string

// Snapshot describes everything below the given paths, or below / when there are none.
func (f FS) Snapshot(paths ...string) Snapshot {
	if len(paths) == 0 {
		paths = []string{"/"}
	}
	out := Snapshot{}
	for _, p := range paths {
		f.Walk(p, func(path string, st Stat) error {
			if st.At.Mnt.Vol.Lossy {
				return nil
			}
			what := fmt.Sprintf("%06o %d:%d", st.Mode, st.UID, st.GID)
			if st.Attrs&AttrImmutable != 0 {
				what += " +i"
			}
			for _, k := range slices.Sorted(maps.Keys(st.Xattrs)) {
				what += fmt.Sprintf(" %s=%q", k, st.Xattrs[k])
			}
			switch {
			case st.IsSymlink():
				what += " -> " + st.Target
			case st.IsRegular():
				f.k.Tree.mu.Lock()
				var sum [32]byte
				if i := st.At.Inode(); i != nil {
					sum = sha256.Sum256(i.Data)
				}
				f.k.Tree.mu.Unlock()
				what += " " + hex.EncodeToString(sum[:12])
			}
			out[path] = what
			return nil
		})
	}
	return out
}

// Diff lists the paths on which two snapshots differ: "+path", "-path" and "~path", sorted by path.
func (s Snapshot) Diff(later Snapshot) []string {
	var out []string
	for _, p := range slices.Sorted(maps.Keys(s)) {
		switch l, ok := later[p]; {
		case !ok:
			out = append(out, "-"+p)
		case l != s[p]:
			out = append(out, "~"+p)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(later)) {
		if _, ok := s[p]; !ok {
			out = append(out, "+"+p)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(a[1:], b[1:]) })
	return out
}

// A Mount is one line of /proc/mounts.
type Mount struct {
	Source, Target, Type string
	Options              []string
}

// Mounts lists what is mounted, in order.
func (k *Kernel) Mounts() []Mount {
	k.Tree.mu.Lock()
	defer k.Tree.mu.Unlock()
	var out []Mount
	for _, mt := range k.Tree.Mounts {
		out = append(out, Mount{mt.Vol.Source, mt.Target, mt.Vol.FSType, mt.Options()})
	}
	return out
}

// Quietly runs f with the tree locked, without its writes being counted or meeting a fault.
func (t *Tree) Quietly(f func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.quiet = true
	defer func() { t.quiet = false }()
	return f()
}

// Put writes a file as root, durable at once. The tree is locked.
func (t *Tree) Put(path string, perm uint32, b []byte) error {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		if err := t.MkdirAll(path[:i]); err != nil {
			return err
		}
	}
	s, err := t.Walk(RootCred, "/", path, true)
	if err != nil {
		return err
	}
	at := s.At
	if !s.Exists() {
		if at, err = t.create(RootCred, s, ModeRegular|perm); err != nil {
			return err
		}
	}
	i := at.Mnt.Vol.Edit(at.Num)
	if !i.IsReg() {
		return syscall.EISDIR
	}
	t.setData(at, i, bytes.Clone(b))
	i.Dirty = 0
	return nil
}

func (t *Tree) MkdirAll(path string) error {
	done := ""
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		done += "/" + part
		if err := t.mkdir(RootCred, "/", done, 0o755); err != nil && err != syscall.EEXIST {
			return err
		}
	}
	return nil
}

func (t *Tree) RemoveAll(path string) error {
	s, err := t.Walk(RootCred, "/", path, false)
	if err != nil || !s.Exists() {
		if err == syscall.ENOENT {
			err = nil
		}
		return err
	}
	if !s.At.Inode().IsDir() {
		return t.unlink(RootCred, "/", path)
	}
	for _, n := range t.names(s.At) {
		if err := t.RemoveAll(s.Path + "/" + n); err != nil {
			return err
		}
	}
	return t.rmdir(RootCred, "/", path)
}

// Install puts one file on the machine while it is set up.
func (k *Kernel) Install(path string, perm uint32, b []byte) {
	k.Tree.Quietly(func() error {
		if err := k.Tree.Put(path, perm, b); err != nil {
			panic("hosttest: " + path + ": " + err.Error())
		}
		return k.Tree.chmod(RootCred, "/", path, perm)
	})
}

func (m *MountPoint) Options() []string {
	first := "rw"
	if m.readonly() {
		first = "ro"
	}
	out := []string{first}
	for _, o := range m.Opts {
		if o != "ro" && o != "rw" {
			out = append(out, o)
		}
	}
	return out
}

// imageTime is when the files of the base images were made.
var imageTime = time.Date(2025, 5, 13, 0, 12, 5, 0, time.UTC)

// SetReadOnly remounts the root file system read-only or writable.
func (k *Kernel) SetReadOnly(on bool) {
	k.Tree.mu.Lock()
	defer k.Tree.mu.Unlock()
	k.Tree.Root.Vol.ReadOnly = on
}
