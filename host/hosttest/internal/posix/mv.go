package posix

import (
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdMv(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "bfinS:t:TuvZ",
		"backup[= context>Z force>f interactive>i no-clobber>n no-target-directory>T strip-trailing-slashes "+
			"suffix=>S target-directory=>t update>u verbose>v")
	if !ok {
		return libc.Usage(p, 1)
	}
	how := "" // the last of -f, -i and -n
	for _, x := range o.Order {
		if x.Name == "f" || x.Name == "i" || x.Name == "n" {
			how = x.Name
		}
	}
	saves, ok := readBackups(p, o)
	if !ok {
		return 1
	}
	if saves != nil && how == "n" {
		p.Errorf("options --backup and --no-clobber are mutually exclusive")
		return libc.Usage(p, 1)
	}
	if o.Has("strip-trailing-slashes") {
		o.Args = stripSlashes(o.Args)
	}
	pairs, code := targets(p, o, "")
	c := &copying{recursive: true, follow: 'P', mode: true, owner: true, times: true, links: true, xattrs: true,
		moving: true, verbose: o.Has("v")}
	c.many = len(pairs) > 1
	for _, pr := range pairs {
		if !moveOne(p, c, pr[0], pr[1], how, o.Has("u"), saves) {
			code = 1
		}
	}
	return code
}

func moveOne(p *kernel.Process, c *copying, from, to, how string, update bool, saves *backups) bool {
	st, err := p.Lstat(from)
	if err != nil {
		p.Errorf("cannot stat %s: %s", libc.Quote(from), kernel.Strerror(err))
		return false
	}
	saved := ""
	dst, derr := p.Lstat(to)
	if derr == nil {
		switch {
		case st.Dev == dst.Dev && st.Ino == dst.Ino && (saves == nil || st.Path == dst.Path):
			p.Errorf("%s and %s are the same file", libc.Quote(from), libc.Quote(to))
			return false
		case how == "n", update && !st.IsDir() && !st.Mtime.After(dst.Mtime):
			return true
		case how == "i" && !confirm(p, "overwrite %s? ", libc.Quote(to)):
			return true
		case dst.IsDir() && !st.IsDir() && saves == nil:
			p.Errorf("cannot overwrite directory %s with non-directory", libc.Quote(to))
			return false
		case !dst.IsDir() && st.IsDir() && saves == nil:
			p.Errorf("cannot overwrite non-directory %s with directory %s", libc.Quote(to), libc.Quote(from))
			return false
		case saves != nil:
			if saved, err = backUp(p, saves, to); err != nil {
				p.Errorf("cannot backup %s: %s", libc.Quote(to), kernel.Strerror(err))
				return false
			}
			derr = syscall.ENOENT
		}
	}
	say := func() {
		if c.verbose {
			if saved != "" {
				saved = " (backup: " + libc.Quote(saved) + ")"
			}
			p.Print("renamed ", libc.Quote(from), " -> ", libc.Quote(to), saved, "\n")
		}
	}
	switch err = p.Rename(from, to); err {
	case nil:
		say()
		return true
	case syscall.EXDEV:
	case syscall.EINVAL:
		p.Errorf("cannot move %s to a subdirectory of itself, %s", libc.Quote(from), libc.Quote(to))
		return false
	default:
		p.Errorf("cannot move %s to %s: %s", libc.Quote(from), libc.Quote(to), kernel.Strerror(err))
		return false
	}
	// Another file system: copy, then remove, which is not atomic.
	if derr == nil {
		remove := p.Unlink
		if dst.IsDir() {
			remove = p.Rmdir
		}
		if err := remove(to); err != nil {
			p.Errorf("inter-device move failed: %s to %s; unable to remove target: %s", libc.Quote(from),
				libc.Quote(to), kernel.Strerror(err))
			return false
		}
	}
	rm := &libc.Options{Set: map[string][]string{"r": {""}, "f": {""}}}
	if c.verbose {
		rm.Set["v"] = []string{""}
	}
	return copyTree(p, c, from, to, true, 0) && removeTree(p, from, rm, 0)
}
