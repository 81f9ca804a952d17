package posix

import (
	"path"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdLn(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "bdfFinLPrsS:t:Tv", "force>f symbolic>s no-dereference>n no-target-directory>T target-directory=>t relative>r logical>L physical>P verbose>v backup[=")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "d", "F", "i") {
		return 1
	}
	if len(o.Args) == 1 && !o.Has("t", "T") {
		o.Args = append(o.Args, ".")
	}
	mode := ""
	if o.Has("n") {
		mode = "n"
	}
	pairs, code := targets(p, o, mode)
	if pairs == nil {
		return code
	}
	kind, arrow := "hard link", " => "
	if o.Has("s") {
		kind, arrow = "symbolic link", " -> "
	}
	saves, ok := readBackups(p, o)
	if !ok {
		return 1
	}
	for _, pr := range pairs {
		from, to := pr[0], pr[1]
		if !o.Has("s") {
			st, err := p.Lstat(from)
			if err != nil {
				p.Errorf("failed to access %s: %s", libc.Quote(from), kernel.Strerror(err))
				code = 1
				continue
			}
			if st.IsDir() {
				p.Errorf("%s: hard link not allowed for directory", libc.QuoteMaybe(from))
				code = 1
				continue
			}
		}
		if o.Has("r") && o.Has("s") {
			abs := from
			if r, err := p.Realpath(from); err == nil {
				abs = r
			}
			dir, err := p.Realpath(path.Dir(to))
			if err == nil {
				from = relativePath(dir, abs)
			}
		}
		dst, derr := p.Lstat(to)
		if derr == nil && dst.IsDir() && o.Has("f") {
			p.Errorf("%s: cannot overwrite directory", libc.QuoteMaybe(to))
			code = 1
			continue
		}
		make := func(name string) error {
			if o.Has("s") {
				return p.Symlink(from, name)
			}
			return p.Link(from, name, o.Has("L"))
		}
		saved := ""
		if derr == nil && saves != nil {
			if src, e := p.Lstat(from); e == nil && src.Path == dst.Path {
				p.Errorf("%s and %s are the same file", libc.Quote(from), libc.Quote(to))
				code = 1
				continue
			}
			name, err := backUp(p, saves, to)
			if err != nil {
				p.Errorf("cannot backup %s: %s", libc.Quote(to), kernel.Strerror(err))
				code = 1
				continue
			}
			saved = libc.Quote(name) + " ~ "
		}
		err := make(to)
		if err == syscall.EEXIST && o.Has("f") {
			if src, e := p.Stat(from); e == nil && !o.Has("s") && src.Ino == dst.Ino && src.Dev == dst.Dev {
				p.Errorf("%s and %s are the same file", libc.Quote(from), libc.Quote(to))
				code = 1
				continue
			}
			// GNU ln makes a temporary link and renames it, so that there is always one.
			tmp := path.Dir(to) + "/Cu" + libc.RandomName(6)
			if err = make(tmp); err == nil {
				if err = p.Rename(tmp, to); err != nil {
					p.Unlink(tmp)
				}
			}
		}
		if err != nil {
			if o.Has("s") || err == syscall.EEXIST || err == syscall.ENOSPC || err == syscall.EROFS {
				p.Errorf("failed to create %s %s: %s", kind, libc.Quote(to), kernel.Strerror(err))
			} else {
				p.Errorf("failed to create %s %s => %s: %s", kind, libc.Quote(to), libc.Quote(from), kernel.Strerror(err))
			}
			code = 1
		} else if o.Has("v") {
			p.Print(saved, libc.Quote(to), arrow, libc.Quote(from), "\n")
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
