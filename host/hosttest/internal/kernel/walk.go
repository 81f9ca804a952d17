package kernel

import (
	"strings"
	"syscall"
)

// An Entry is the result of a path walk: the place, which may be empty, and the directory and name that hold it.
type Entry struct {
	dir  place
	name string
	At   place // at.num 0: nothing there
	Path string
}

func (s Entry) Exists() bool { return s.At.Num != 0 }

// maxLinks is the kernel's limit (MAXSYMLINKS).
const maxLinks = 40

type step struct {
	at   place
	name string
}

// Walk resolves path from the directory cwd. The last component may be missing; a trailing slash asks for a directory.
func (t *Tree) Walk(c Cred, cwd, path string, follow bool) (Entry, error) {
	if path == "" {
		return Entry{}, syscall.ENOENT
	}
	if len(path) > 4095 {
		return Entry{}, syscall.ENAMETOOLONG
	}
	var buf [16]step
	steps := append(buf[:0], step{at: t.cover(c, place{t.Root, t.Root.Root})})
	rest := path
	if path[0] != '/' {
		rest = cwd + "/" + path
	}
	links := 0
	for {
		var name string
		if name, rest = nextName(rest); name == "" {
			return foundEntry(steps), nil
		}
		last := strings.Trim(rest, "/") == ""
		dirWanted := rest != ""
		cur := steps[len(steps)-1].at
		ci := cur.Inode()
		if err := c.enter(ci); err != nil {
			return Entry{}, err
		}
		if name == "." {
			continue
		}
		if name == ".." {
			if len(steps) > 1 {
				steps = steps[:len(steps)-1]
			}
			continue
		}
		if len(name) > 255 {
			return Entry{}, syscall.ENAMETOOLONG
		}
		n := t.lookup(cur, ci, name)
		if n == 0 {
			if !last {
				return Entry{}, syscall.ENOENT
			}
			return missingEntry(steps, name, dirWanted), nil
		}
		next := t.cover(c, place{cur.Mnt, n})
		ni := next.Inode()
		if ni.isLink() && (!last || follow || dirWanted) {
			if links++; links > maxLinks {
				return Entry{}, syscall.ELOOP
			}
			target := t.linkTarget(ni)
			if target == "" {
				return Entry{}, syscall.ENOENT
			}
			if target[0] == '/' {
				steps = steps[:1]
			}
			rest = target + rest
			continue
		}
		if dirWanted && !ni.IsDir() {
			return Entry{}, syscall.ENOTDIR
		}
		steps = append(steps, step{next, name})
	}
}

// nextName takes the first name off a path; what is left begins with the slash behind it. An empty name is the end.
func nextName(path string) (name, rest string) {
	path = strings.TrimLeft(path, "/")
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// enter tells why a name cannot be looked up in what should be a directory.
func (c Cred) enter(dir *Inode) error {
	switch {
	case dir == nil:
		return syscall.ENOENT
	case !dir.IsDir():
		return syscall.ENOTDIR
	case !c.may(dir, MayExec):
		return syscall.EACCES
	}
	return nil
}

// foundEntry is the end of a walk that found something.
func foundEntry(steps []step) Entry {
	last := steps[len(steps)-1]
	if len(steps) == 1 {
		return Entry{At: last.at, dir: last.at, Path: "/"}
	}
	return Entry{At: last.at, dir: steps[len(steps)-2].at, name: last.name, Path: joinSteps(steps)}
}

// missingEntry is the end of a walk whose last name is not there. The name keeps the slash that asks for a directory.
func missingEntry(steps []step, name string, dirWanted bool) Entry {
	s := Entry{dir: steps[len(steps)-1].at, name: name, Path: joinSteps(steps) + "/" + name}
	if dirWanted {
		s.name += "/"
	}
	return s
}

// walkSelf resolves what is to be removed or renamed: a slash after a link does not follow it, but asks for a
// directory.
func (t *Tree) walkSelf(c Cred, cwd, path string) (Entry, error) {
	bare := strings.TrimRight(path, "/")
	if bare == "" || bare == path {
		return t.Walk(c, cwd, path, false)
	}
	s, err := t.Walk(c, cwd, bare, false)
	if err == nil && s.Exists() && !s.At.Inode().IsDir() {
		err = syscall.ENOTDIR
	}
	return s, err
}

func joinSteps(steps []step) string {
	n := 0
	for _, s := range steps[1:] {
		n += 1 + len(s.name)
	}
	var b strings.Builder
	b.Grow(n)
	for _, s := range steps[1:] {
		b.WriteByte('/')
		b.WriteString(s.name)
	}
	return b.String()
}

// cover follows the mounts on a place.
func (t *Tree) cover(c Cred, p place) place {
	for i := len(t.Mounts) - 1; i >= 0; i-- {
		m := t.Mounts[i]
		if m.Over == p.Mnt && m.overN == p.Num && c.mounts.shows(m) {
			return t.cover(c, place{m, m.Root})
		}
	}
	return p
}

// Must walks to something that exists.
func (t *Tree) Must(c Cred, cwd, path string, follow bool) (Entry, error) {
	s, err := t.Walk(c, cwd, path, follow)
	if err == nil && !s.Exists() {
		err = syscall.ENOENT
	}
	return s, err
}
