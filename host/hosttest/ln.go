package hosttest

import (
	"path"
	"slices"
	"strings"
	"syscall"
)

func cmdLn(p *proc) int {
	o, ok := p.getopt("bdfFinLPrsS:t:Tv", "force>f symbolic>s no-dereference>n no-target-directory>T target-directory=>t relative>r logical>L physical>P verbose>v backup[=")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "d", "F", "i") {
		return 1
	}
	if len(o.args) == 1 && !o.has("t", "T") {
		o.args = append(o.args, ".")
	}
	mode := ""
	if o.has("n") {
		mode = "n"
	}
	pairs, code := p.targets(o, mode)
	if pairs == nil {
		return code
	}
	kind, arrow := "hard link", " => "
	if o.has("s") {
		kind, arrow = "symbolic link", " -> "
	}
	saves, ok := p.readBackups(o)
	if !ok {
		return 1
	}
	for _, pr := range pairs {
		from, to := pr[0], pr[1]
		if !o.has("s") {
			st, err := p.lstat(from)
			if err != nil {
				p.errorf("failed to access %s: %s", quote(from), strerror(err))
				code = 1
				continue
			}
			if st.IsDir() {
				p.errorf("%s: hard link not allowed for directory", quoteMaybe(from))
				code = 1
				continue
			}
		}
		if o.has("r") && o.has("s") {
			abs := from
			if r, err := p.realpath(from); err == nil {
				abs = r
			}
			dir, err := p.realpath(path.Dir(to))
			if err == nil {
				from = relativePath(dir, abs)
			}
		}
		dst, derr := p.lstat(to)
		if derr == nil && dst.IsDir() && o.has("f") {
			p.errorf("%s: cannot overwrite directory", quoteMaybe(to))
			code = 1
			continue
		}
		make := func(name string) error {
			if o.has("s") {
				return p.symlink(from, name)
			}
			return p.link(from, name, o.has("L"))
		}
		saved := ""
		if derr == nil && saves != nil {
			if src, e := p.lstat(from); e == nil && src.Path == dst.Path {
				p.errorf("%s and %s are the same file", quote(from), quote(to))
				code = 1
				continue
			}
			name, err := p.backUp(saves, to)
			if err != nil {
				p.errorf("cannot backup %s: %s", quote(to), strerror(err))
				code = 1
				continue
			}
			saved = quote(name) + " ~ "
		}
		err := make(to)
		if err == syscall.EEXIST && o.has("f") {
			if src, e := p.stat(from); e == nil && !o.has("s") && src.Ino == dst.Ino && src.Dev == dst.Dev {
				p.errorf("%s and %s are the same file", quote(from), quote(to))
				code = 1
				continue
			}
			// GNU ln makes a temporary link and renames it, so that there is always one.
			tmp := path.Dir(to) + "/Cu" + randomName(6)
			if err = make(tmp); err == nil {
				if err = p.rename(tmp, to); err != nil {
					p.unlink(tmp)
				}
			}
		}
		if err != nil {
			if o.has("s") || err == syscall.EEXIST || err == syscall.ENOSPC || err == syscall.EROFS {
				p.errorf("failed to create %s %s: %s", kind, quote(to), strerror(err))
			} else {
				p.errorf("failed to create %s %s => %s: %s", kind, quote(to), quote(from), strerror(err))
			}
			code = 1
		} else if o.has("v") {
			p.print(saved, quote(to), arrow, quote(from), "\n")
		}
	}
	return code
}

func relativePath(dir, to string) string {
	a, b := strings.Split(strings.Trim(dir, "/"), "/"), strings.Split(strings.Trim(to, "/"), "/")
	if dir == "/" {
		a = nil
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	out := slices.Repeat([]string{".."}, len(a)-i)
	out = append(out, b[i:]...)
	if len(out) == 0 {
		return "."
	}
	return strings.Join(out, "/")
}
