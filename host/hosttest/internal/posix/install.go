package posix

import (
	"bytes"
	"os"
	"path"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const (
	installShort = "bcCdDg:m:o:pst:TvS:"
	installLong  = "mode=>m owner=>o group=>g directory>d target-directory=>t no-target-directory>T compare>C " +
		"preserve-timestamps>p strip>s verbose>v backup[="
)

// installing is what install gives to each file.
type installing struct {
	p        *kernel.Process
	o        *libc.Options
	mode     uint32
	uid, gid int64 // < 0 for that of the process
}

func cmdInstall(p *kernel.Process) int {
	o, ok := libc.Getopt(p, installShort, installLong)
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "b", "backup", "s", "S", "v") {
		return 1
	}
	in := &installing{p: p, o: o, mode: 0o755, uid: -1, gid: -1}
	if !in.readOptions() {
		return 1
	}
	if o.Has("d") {
		return in.directories(o.Args)
	}
	if o.Has("D") {
		dir := o.Get("t")
		if dir == "" && len(o.Args) == 2 {
			dir = path.Dir(o.Args[1])
		}
		if dir != "" {
			if err := in.parents(dir); err != nil {
				libc.SayError(p, err)
				return 1
			}
		}
	}
	pairs, code := targets(p, o, "")
	for _, pr := range pairs {
		if !in.file(pr[0], pr[1]) {
			code = 1
		}
	}
	return code
}

func (in *installing) readOptions() bool {
	p, o := in.p, in.o
	if o.Has("m") {
		f, err := libc.ParseMode(o.Get("m"))
		if err != nil {
			p.Errorf("invalid mode %s", libc.Quote(o.Get("m")))
			return false
		}
		in.mode = f(0, o.Has("d"), 0)
	}
	if o.Has("o") {
		var err error
		if in.uid, _, err = owner(p, o.Get("o")); err != nil {
			p.Errorf("invalid user %s", libc.Quote(o.Get("o")))
			return false
		}
	}
	if o.Has("g") {
		var err error
		if in.gid, err = groupID(p, o.Get("g")); err != nil {
			p.Errorf("invalid group %s", libc.Quote(o.Get("g")))
			return false
		}
	}
	return true
}

// directories is install -d.
func (in *installing) directories(names []string) int {
	code := 0
	for _, a := range names {
		if err := in.parents(a); err != nil {
			libc.SayError(in.p, err)
			code = 1
			continue
		}
		if !in.own(a) {
			code = 1
		}
	}
	return code
}

// parents makes a directory and those on the way, which get mode 0755 whatever the umask is.
func (in *installing) parents(name string) error {
	old := in.p.Umask
	in.p.Umask = 0o022
	err := libc.MkdirOne(in.p, name, true, nil, false)
	in.p.Umask = old
	return err
}

// own gives a file its owner and mode.
func (in *installing) own(name string) bool {
	if in.uid >= 0 || in.gid >= 0 {
		if err := in.p.Chown(name, in.uid, in.gid, true); err != nil {
			in.p.Errorf("cannot change ownership of %s: %s", libc.Quote(name), kernel.Strerror(err))
			return false
		}
	}
	if err := in.p.Chmod(name, in.mode); err != nil {
		in.p.Errorf("cannot change permissions of %s: %s", libc.Quote(name), kernel.Strerror(err))
		return false
	}
	return true
}

// file copies a file, always to a new inode.
func (in *installing) file(from, to string) bool {
	p := in.p
	st, err := p.Stat(from)
	if err != nil {
		p.Errorf("cannot stat %s: %s", libc.Quote(from), kernel.Strerror(err))
		return false
	}
	if st.IsDir() {
		p.Errorf("omitting directory %s", libc.Quote(from))
		return false
	}
	if old, err := p.Lstat(to); err == nil {
		if in.upToDate(old) && sameContent(p, from, to) {
			return true
		}
		if !in.clear(from, to, st, old) {
			return false
		}
	}
	if err := copyData(p, from, to, 0o600, os.O_EXCL, nil); err != nil {
		libc.SayError(p, err)
		return false
	}
	if in.o.Has("p") {
		p.Utimes(to, st.Atime.UnixNano(), st.Mtime.UnixNano(), false, true)
	}
	return in.own(to)
}

// upToDate tells whether -C may leave a file with these attributes.
func (in *installing) upToDate(old kernel.Stat) bool {
	return in.o.Has("C") && in.p.UID == 0 && old.IsRegular() && old.Perm() == in.mode &&
		int64(old.UID) == max(in.uid, 0) && int64(old.GID) == max(in.gid, 0)
}

// clear removes what is in the place of the new file.
func (in *installing) clear(from, to string, src, old kernel.Stat) bool {
	if old.IsDir() {
		in.p.Errorf("cannot overwrite directory %s with non-directory", libc.Quote(to))
		return false
	}
	if src.Dev == old.Dev && src.Ino == old.Ino {
		in.p.Errorf("%s and %s are the same file", libc.Quote(from), libc.Quote(to))
		return false
	}
	if err := in.p.Unlink(to); err != nil {
		in.p.Errorf("cannot remove %s: %s", libc.Quote(to), kernel.Strerror(err))
		return false
	}
	return true
}

func sameContent(p *kernel.Process, a, b string) bool {
	x, err := p.ReadFile(a)
	y, err2 := p.ReadFile(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}
