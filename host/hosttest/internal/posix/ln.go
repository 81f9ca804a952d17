package posix

import (
	"path"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const (
	lnShort = "bdfFinLPrsS:t:Tv"
	lnLong  = "force>f symbolic>s no-dereference>n no-target-directory>T target-directory=>t relative>r logical>L " +
		"physical>P " +
		"verbose>v backup[="
)

// linking is what ln does to each pair.
type linking struct {
	p        *kernel.Process
	o        *libc.Options
	symbolic bool
	backups  *backups
}

func cmdLn(p *kernel.Process) int {
	o, ok := libc.Getopt(p, lnShort, lnLong)
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
	l := &linking{p: p, o: o, symbolic: o.Has("s")}
	if l.backups, ok = readBackups(p, o); !ok {
		return 1
	}
	for _, pr := range pairs {
		if !l.link(pr[0], pr[1]) {
			code = 1
		}
	}
	return code
}

// link links the name to to the file from.
func (l *linking) link(from, to string) bool {
	p, o := l.p, l.o
	if !l.symbolic && !l.linkable(from) {
		return false
	}
	if o.Has("r") && l.symbolic {
		from = l.relative(from, to)
	}
	dst, err := p.Lstat(to)
	there := err == nil
	if there && dst.IsDir() && o.Has("f") {
		p.Errorf("%s: cannot overwrite directory", libc.QuoteMaybe(to))
		return false
	}
	saved := ""
	if there && l.backups != nil {
		if src, err := p.Lstat(from); err == nil && src.Path == dst.Path {
			return l.sameFile(from, to)
		}
		name, err := backUp(p, l.backups, to)
		if err != nil {
			p.Errorf("cannot backup %s: %s", libc.Quote(to), kernel.Strerror(err))
			return false
		}
		saved = libc.Quote(name) + " ~ "
	}
	err = l.make(from, to)
	if err == syscall.EEXIST && o.Has("f") {
		if src, e := p.Stat(from); e == nil && !l.symbolic && src.Ino == dst.Ino && src.Dev == dst.Dev {
			return l.sameFile(from, to)
		}
		err = l.replace(from, to)
	}
	if err != nil {
		l.fail(from, to, err)
		return false
	}
	if o.Has("v") {
		arrow := " => "
		if l.symbolic {
			arrow = " -> "
		}
		p.Print(saved, libc.Quote(to), arrow, libc.Quote(from), "\n")
	}
	return true
}

// linkable tells whether there is a file that can have another name.
func (l *linking) linkable(from string) bool {
	st, err := l.p.Lstat(from)
	if err != nil {
		l.p.Errorf("failed to access %s: %s", libc.Quote(from), kernel.Strerror(err))
		return false
	}
	if st.IsDir() {
		l.p.Errorf("%s: hard link not allowed for directory", libc.QuoteMaybe(from))
		return false
	}
	return true
}

// relative is the way from the directory of the link to the file (-r).
func (l *linking) relative(from, to string) string {
	abs := from
	if r, err := l.p.Realpath(from); err == nil {
		abs = r
	}
	dir, err := l.p.Realpath(path.Dir(to))
	if err != nil {
		return from
	}
	return relativePath(dir, abs)
}

func (l *linking) make(from, to string) error {
	if l.symbolic {
		return l.p.Symlink(from, to)
	}
	return l.p.Link(from, to, l.o.Has("L"))
}

// replace makes a temporary link and renames it, as GNU ln does, so that there is always one.
func (l *linking) replace(from, to string) error {
	tmp := path.Dir(to) + "/Cu" + libc.RandomName(6)
	err := l.make(from, tmp)
	if err != nil {
		return err
	}
	if err = l.p.Rename(tmp, to); err != nil {
		l.p.Unlink(tmp)
	}
	return err
}

func (l *linking) sameFile(from, to string) bool {
	l.p.Errorf("%s and %s are the same file", libc.Quote(from), libc.Quote(to))
	return false
}

func (l *linking) fail(from, to string, err error) {
	switch {
	case l.symbolic:
		l.p.Errorf("failed to create symbolic link %s: %s", libc.Quote(to), kernel.Strerror(err))
	case err == syscall.EEXIST || err == syscall.ENOSPC || err == syscall.EROFS:
		l.p.Errorf("failed to create hard link %s: %s", libc.Quote(to), kernel.Strerror(err))
	default:
		l.p.Errorf("failed to create hard link %s => %s: %s", libc.Quote(to), libc.Quote(from), kernel.Strerror(err))
	}
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
