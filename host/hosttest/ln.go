package hosttest

import (
	"path"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func cmdLn(p *kernel.Process) int {
	o, ok := getopt(p, "bdfFinLPrsS:t:Tv", "force>f symbolic>s no-dereference>n no-target-directory>T target-directory=>t relative>r logical>L physical>P verbose>v backup[=")
	if !ok {
		return usage(p, 1)
	}
	if unsupported(p, o, "d", "F", "i") {
		return 1
	}
	if len(o.args) == 1 && !o.has("t", "T") {
		o.args = append(o.args, ".")
	}
	mode := ""
	if o.has("n") {
		mode = "n"
	}
	pairs, code := targets(p, o, mode)
	if pairs == nil {
		return code
	}
	kind, arrow := "hard link", " => "
	if o.has("s") {
		kind, arrow = "symbolic link", " -> "
	}
	saves, ok := readBackups(p, o)
	if !ok {
		return 1
	}
	for _, pr := range pairs {
		from, to := pr[0], pr[1]
		if !o.has("s") {
			st, err := p.Lstat(from)
			if err != nil {
				p.Errorf("failed to access %s: %s", quote(from), kernel.Strerror(err))
				code = 1
				continue
			}
			if st.IsDir() {
				p.Errorf("%s: hard link not allowed for directory", quoteMaybe(from))
				code = 1
				continue
			}
		}
		if o.has("r") && o.has("s") {
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
		if derr == nil && dst.IsDir() && o.has("f") {
			p.Errorf("%s: cannot overwrite directory", quoteMaybe(to))
			code = 1
			continue
		}
		make := func(name string) error {
			if o.has("s") {
				return p.Symlink(from, name)
			}
			return p.Link(from, name, o.has("L"))
		}
		saved := ""
		if derr == nil && saves != nil {
			if src, e := p.Lstat(from); e == nil && src.Path == dst.Path {
				p.Errorf("%s and %s are the same file", quote(from), quote(to))
				code = 1
				continue
			}
			name, err := backUp(p, saves, to)
			if err != nil {
				p.Errorf("cannot backup %s: %s", quote(to), kernel.Strerror(err))
				code = 1
				continue
			}
			saved = quote(name) + " ~ "
		}
		err := make(to)
		if err == syscall.EEXIST && o.has("f") {
			if src, e := p.Stat(from); e == nil && !o.has("s") && src.Ino == dst.Ino && src.Dev == dst.Dev {
				p.Errorf("%s and %s are the same file", quote(from), quote(to))
				code = 1
				continue
			}
			// GNU ln makes a temporary link and renames it, so that there is always one.
			tmp := path.Dir(to) + "/Cu" + randomName(6)
			if err = make(tmp); err == nil {
				if err = p.Rename(tmp, to); err != nil {
					p.Unlink(tmp)
				}
			}
		}
		if err != nil {
			if o.has("s") || err == syscall.EEXIST || err == syscall.ENOSPC || err == syscall.EROFS {
				p.Errorf("failed to create %s %s: %s", kind, quote(to), kernel.Strerror(err))
			} else {
				p.Errorf("failed to create %s %s => %s: %s", kind, quote(to), quote(from), kernel.Strerror(err))
			}
			code = 1
		} else if o.has("v") {
			p.Print(saved, quote(to), arrow, quote(from), "\n")
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
