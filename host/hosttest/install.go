package hosttest

import (
	"bytes"
	"os"
	"path"
)

func cmdInstall(p *proc) int {
	o, ok := p.getopt("bcCdDg:m:o:pst:TvS:", "mode=>m owner=>o group=>g directory>d target-directory=>t no-target-directory>T compare>C preserve-timestamps>p strip>s verbose>v backup[=")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "b", "backup", "s", "S", "v") {
		return 1
	}
	mode := uint32(0o755)
	if o.has("m") {
		f, err := parseMode(o.get("m"))
		if err != nil {
			p.errorf("invalid mode %s", quote(o.get("m")))
			return 1
		}
		mode = f(0, o.has("d"), 0)
	}
	uid, gid := int64(-1), int64(-1)
	if o.has("o") {
		var err error
		if uid, _, err = p.owner(o.get("o")); err != nil {
			p.errorf("invalid user %s", quote(o.get("o")))
			return 1
		}
	}
	if o.has("g") {
		var err error
		if gid, err = p.group(o.get("g")); err != nil {
			p.errorf("invalid group %s", quote(o.get("g")))
			return 1
		}
	}
	own := func(name string) int {
		if uid >= 0 || gid >= 0 {
			if err := p.chown(name, uid, gid, true); err != nil {
				p.errorf("cannot change ownership of %s: %s", quote(name), strerror(err))
				return 1
			}
		}
		if err := p.chmod(name, mode); err != nil {
			p.errorf("cannot change permissions of %s: %s", quote(name), strerror(err))
			return 1
		}
		return 0
	}
	// Directories on the way get mode 0755 whatever the umask is.
	parents := func(name string) error {
		old := p.umask
		p.umask = 0o022
		err := p.mkdirOne(name, true, nil, false)
		p.umask = old
		return err
	}
	code := 0
	if o.has("d") {
		for _, a := range o.args {
			if err := parents(a); err != nil {
				p.sayErr(err)
				code = 1
				continue
			}
			code |= own(a)
		}
		return code
	}
	if o.has("D") {
		dir := o.get("t")
		if dir == "" && len(o.args) == 2 {
			dir = path.Dir(o.args[1])
		}
		if dir != "" {
			if err := parents(dir); err != nil {
				p.sayErr(err)
				return 1
			}
		}
	}
	pairs, code := p.targets(o, "")
	if pairs == nil {
		return code
	}
	for _, pr := range pairs {
		st, err := p.stat(pr[0])
		if err != nil {
			p.errorf("cannot stat %s: %s", quote(pr[0]), strerror(err))
			code = 1
			continue
		}
		if st.IsDir() {
			p.errorf("omitting directory %s", quote(pr[0]))
			code = 1
			continue
		}
		if old, err := p.lstat(pr[1]); err == nil {
			same := o.has("C") && old.IsRegular() && old.Perm() == mode && int64(old.UID) == max(uid, 0) && int64(old.GID) == max(gid, 0) && p.uid == 0
			if same && p.sameContent(pr[0], pr[1]) {
				continue
			}
			if old.IsDir() {
				p.errorf("cannot overwrite directory %s with non-directory", quote(pr[1]))
				code = 1
				continue
			}
			if src, err := p.stat(pr[0]); err == nil && src.Dev == old.Dev && src.Ino == old.Ino {
				p.errorf("%s and %s are the same file", quote(pr[0]), quote(pr[1]))
				code = 1
				continue
			}
			if err := p.unlink(pr[1]); err != nil {
				p.errorf("cannot remove %s: %s", quote(pr[1]), strerror(err))
				code = 1
				continue
			}
		}
		if err := p.copyData(pr[0], pr[1], 0o600, os.O_EXCL, nil); err != nil {
			p.sayErr(err)
			code = 1
			continue
		}
		if o.has("p") {
			p.utimes(pr[1], st.Atime.UnixNano(), st.Mtime.UnixNano(), false, true)
		}
		code |= own(pr[1])
	}
	return code
}

func (p *proc) sameContent(a, b string) bool {
	x, err := p.readFile(a)
	y, err2 := p.readFile(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}
