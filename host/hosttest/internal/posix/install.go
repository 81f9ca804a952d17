package posix

import (
	"bytes"
	"os"
	"path"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdInstall(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "bcCdDg:m:o:pst:TvS:", "mode=>m owner=>o group=>g directory>d target-directory=>t no-target-directory>T compare>C preserve-timestamps>p strip>s verbose>v backup[=")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "b", "backup", "s", "S", "v") {
		return 1
	}
	mode := uint32(0o755)
	if o.Has("m") {
		f, err := libc.ParseMode(o.Get("m"))
		if err != nil {
			p.Errorf("invalid mode %s", libc.Quote(o.Get("m")))
			return 1
		}
		mode = f(0, o.Has("d"), 0)
	}
	uid, gid := int64(-1), int64(-1)
	if o.Has("o") {
		var err error
		if uid, _, err = owner(p, o.Get("o")); err != nil {
			p.Errorf("invalid user %s", libc.Quote(o.Get("o")))
			return 1
		}
	}
	if o.Has("g") {
		var err error
		if gid, err = groupID(p, o.Get("g")); err != nil {
			p.Errorf("invalid group %s", libc.Quote(o.Get("g")))
			return 1
		}
	}
	own := func(name string) int {
		if uid >= 0 || gid >= 0 {
			if err := p.Chown(name, uid, gid, true); err != nil {
				p.Errorf("cannot change ownership of %s: %s", libc.Quote(name), kernel.Strerror(err))
				return 1
			}
		}
		if err := p.Chmod(name, mode); err != nil {
			p.Errorf("cannot change permissions of %s: %s", libc.Quote(name), kernel.Strerror(err))
			return 1
		}
		return 0
	}
	// Directories on the way get mode 0755 whatever the umask is.
	parents := func(name string) error {
		old := p.Umask
		p.Umask = 0o022
		err := libc.MkdirOne(p, name, true, nil, false)
		p.Umask = old
		return err
	}
	code := 0
	if o.Has("d") {
		for _, a := range o.Args {
			if err := parents(a); err != nil {
				libc.SayError(p, err)
				code = 1
				continue
			}
			code |= own(a)
		}
		return code
	}
	if o.Has("D") {
		dir := o.Get("t")
		if dir == "" && len(o.Args) == 2 {
			dir = path.Dir(o.Args[1])
		}
		if dir != "" {
			if err := parents(dir); err != nil {
				libc.SayError(p, err)
				return 1
			}
		}
	}
	pairs, code := targets(p, o, "")
	if pairs == nil {
		return code
	}
	for _, pr := range pairs {
		st, err := p.Stat(pr[0])
		if err != nil {
			p.Errorf("cannot stat %s: %s", libc.Quote(pr[0]), kernel.Strerror(err))
			code = 1
			continue
		}
		if st.IsDir() {
			p.Errorf("omitting directory %s", libc.Quote(pr[0]))
			code = 1
			continue
		}
		if old, err := p.Lstat(pr[1]); err == nil {
			same := o.Has("C") && old.IsRegular() && old.Perm() == mode && int64(old.UID) == max(uid, 0) && int64(old.GID) == max(gid, 0) && p.UID == 0
			if same && sameContent(p, pr[0], pr[1]) {
				continue
			}
			if old.IsDir() {
				p.Errorf("cannot overwrite directory %s with non-directory", libc.Quote(pr[1]))
				code = 1
				continue
			}
			if src, err := p.Stat(pr[0]); err == nil && src.Dev == old.Dev && src.Ino == old.Ino {
				p.Errorf("%s and %s are the same file", libc.Quote(pr[0]), libc.Quote(pr[1]))
				code = 1
				continue
			}
			if err := p.Unlink(pr[1]); err != nil {
				p.Errorf("cannot remove %s: %s", libc.Quote(pr[1]), kernel.Strerror(err))
				code = 1
				continue
			}
		}
		if err := copyData(p, pr[0], pr[1], 0o600, os.O_EXCL, nil); err != nil {
			libc.SayError(p, err)
			code = 1
			continue
		}
		if o.Has("p") {
			p.Utimes(pr[1], st.Atime.UnixNano(), st.Mtime.UnixNano(), false, true)
		}
		code |= own(pr[1])
	}
	return code
}

func sameContent(p *kernel.Process, a, b string) bool {
	x, err := p.ReadFile(a)
	y, err2 := p.ReadFile(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}
