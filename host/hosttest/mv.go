package hosttest

import (
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func cmdMv(p *kernel.Process) int {
	o, ok := getopt(p, "bfinS:t:TuvZ", "backup[= context>Z force>f interactive>i no-clobber>n no-target-directory>T strip-trailing-slashes suffix=>S target-directory=>t update>u verbose>v")
	if !ok {
		return usage(p, 1)
	}
	how := "" // the last of -f, -i and -n
	for _, x := range o.order {
		if x.name == "f" || x.name == "i" || x.name == "n" {
			how = x.name
		}
	}
	saves, ok := readBackups(p, o)
	if !ok {
		return 1
	}
	if saves != nil && how == "n" {
		p.Errorf("options --backup and --no-clobber are mutually exclusive")
		return usage(p, 1)
	}
	if o.has("strip-trailing-slashes") {
		o.args = stripSlashes(o.args)
	}
	pairs, code := targets(p, o, "")
	c := &copying{recursive: true, follow: 'P', mode: true, owner: true, times: true, links: true, xattrs: true, moving: true, verbose: o.has("v")}
	c.many = len(pairs) > 1
	for _, pr := range pairs {
		if !moveOne(p, c, pr[0], pr[1], how, o.has("u"), saves) {
			code = 1
		}
	}
	return code
}

func moveOne(p *kernel.Process, c *copying, from, to, how string, update bool, saves *backups) bool {
	st, err := p.Lstat(from)
	if err != nil {
		p.Errorf("cannot stat %s: %s", quote(from), kernel.Strerror(err))
		return false
	}
	saved := ""
	dst, derr := p.Lstat(to)
	if derr == nil {
		switch {
		case st.Dev == dst.Dev && st.Ino == dst.Ino && (saves == nil || st.Path == dst.Path):
			p.Errorf("%s and %s are the same file", quote(from), quote(to))
			return false
		case how == "n", update && !st.IsDir() && !st.Mtime.After(dst.Mtime):
			return true
		case how == "i" && !confirm(p, "overwrite %s? ", quote(to)):
			return true
		case dst.IsDir() && !st.IsDir() && saves == nil:
			p.Errorf("cannot overwrite directory %s with non-directory", quote(to))
			return false
		case !dst.IsDir() && st.IsDir() && saves == nil:
			p.Errorf("cannot overwrite non-directory %s with directory %s", quote(to), quote(from))
			return false
		case saves != nil:
			if saved, err = backUp(p, saves, to); err != nil {
				p.Errorf("cannot backup %s: %s", quote(to), kernel.Strerror(err))
				return false
			}
			derr = syscall.ENOENT
		}
	}
	say := func() {
		if c.verbose {
			if saved != "" {
				saved = " (backup: " + quote(saved) + ")"
			}
			p.Print("renamed ", quote(from), " -> ", quote(to), saved, "\n")
		}
	}
	switch err = p.Rename(from, to); err {
	case nil:
		say()
		return true
	case syscall.EXDEV:
	case syscall.EINVAL:
		p.Errorf("cannot move %s to a subdirectory of itself, %s", quote(from), quote(to))
		return false
	default:
		p.Errorf("cannot move %s to %s: %s", quote(from), quote(to), kernel.Strerror(err))
		return false
	}
	// Another file system: copy, then remove, which is not atomic.
	if derr == nil {
		remove := p.Unlink
		if dst.IsDir() {
			remove = p.Rmdir
		}
		if err := remove(to); err != nil {
			p.Errorf("inter-device move failed: %s to %s; unable to remove target: %s", quote(from), quote(to), kernel.Strerror(err))
			return false
		}
	}
	rm := &options{set: map[string][]string{"r": {""}, "f": {""}}}
	if c.verbose {
		rm.set["v"] = []string{""}
	}
	return copyTree(p, c, from, to, true, 0) && removeTree(p, from, rm, 0)
}
