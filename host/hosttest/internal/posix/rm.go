package posix

import (
	"path"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdRm(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "dfiIrRv",
		"force>f recursive>r dir>d verbose>v one-file-system no-preserve-root preserve-root[= interactive[=")
	if !ok {
		for _, a := range p.Args[1:] {
			if _, err := p.Lstat(a); err == nil && strings.HasPrefix(a, "-") && len(a) > 1 {
				p.Warnf("Try 'rm ./%s' to remove the file %s.\n", a, libc.Quote(a))
				break
			}
		}
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "i", "I") || o.Get("interactive") != "never" && libc.Unsupported(p, o, "interactive") {
		return 1
	}
	if o.Has("R") {
		o.Set["r"] = []string{""}
	}
	if len(o.Args) == 0 {
		if o.Has("f") {
			return 0
		}
		p.Errorf("missing operand")
		return libc.Usage(p, 1)
	}
	if v := o.Get("preserve-root"); v != "" {
		p.Errorf("hosttest: --preserve-root=%s is not supported", v)
		return 1
	}
	code := 0
	for _, a := range o.Args {
		base := path.Base(a)
		if o.Has("r") && (base == "." || base == "..") && a != "/" {
			p.Errorf("refusing to remove '.' or '..' directory: skipping %s", libc.Quote(a))
			code = 1
			continue
		}
		if o.Has("r") && path.Clean(a) == "/" && !o.Has("no-preserve-root") {
			p.Errorf("it is dangerous to operate recursively on '/'")
			p.Errorf("use --no-preserve-root to override this failsafe")
			code = 1
			continue
		}
		top, _ := p.Lstat(a)
		if !removeTree(p, a, o, top.Dev) {
			code = 1
		}
	}
	return code
}

// removeTree removes a file, and with -r a directory with all that is in it. dev is the file system of the operand.
func removeTree(p *kernel.Process, name string, o *libc.Options, dev uint32) bool {
	st, err := p.Lstat(name)
	if err != nil {
		if (err == syscall.ENOENT || err == syscall.ENOTDIR) && o.Has("f") {
			return true
		}
		p.Errorf("cannot remove %s: %s", libc.Quote(name), kernel.Strerror(err))
		return false
	}
	if st.IsDir() {
		if !o.Has("r") {
			if o.Has("d") {
				if err := p.Rmdir(name); err != nil {
					p.Errorf("cannot remove %s: %s", libc.Quote(name), kernel.Strerror(err))
					return false
				}
				return true
			}
			p.Errorf("cannot remove %s: Is a directory", libc.Quote(name))
			return false
		}
		if o.Has("one-file-system") && st.Dev != dev {
			p.Errorf("skipping %s, since it's on a different device", libc.Quote(name))
			return false
		}
		names, err := p.ReadDir(name)
		if err != nil {
			p.Errorf("cannot remove %s: %s", libc.Quote(name), kernel.Strerror(err))
			return false
		}
		good := true
		for _, n := range names {
			good = removeTree(p, libc.JoinPath(name, n), o, dev) && good
		}
		if !good {
			return false
		}
		err = p.Rmdir(name)
		if err != nil {
			p.Errorf("cannot remove %s: %s", libc.Quote(name), kernel.Strerror(err))
			return false
		}
		if o.Has("v") {
			p.Print("removed directory ", libc.Quote(name), "\n")
		}
		return true
	}
	if err := p.Unlink(name); err != nil {
		p.Errorf("cannot remove %s: %s", libc.Quote(name), kernel.Strerror(err))
		return false
	}
	if o.Has("v") {
		p.Print("removed ", libc.Quote(name), "\n")
	}
	return true
}

func cmdRmdir(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "pv", "ignore-fail-on-non-empty parents>p verbose>v")
	if !ok {
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 0 {
		p.Errorf("missing operand")
		return libc.Usage(p, 1)
	}
	code := 0
	for _, a := range o.Args {
		for name := a; ; {
			if o.Has("v") {
				p.Print("rmdir: removing directory, ", libc.Quote(name), "\n")
			}
			err := p.Rmdir(name)
			if err != nil && !(err == syscall.ENOTEMPTY && o.Has("ignore-fail-on-non-empty")) {
				verb := "failed to remove"
				if name != a {
					verb = "failed to remove directory"
				}
				p.Errorf("%s %s: %s", verb, libc.Quote(name), kernel.Strerror(err))
				code = 1
			}
			up := path.Dir(strings.TrimRight(name, "/"))
			if err != nil || !o.Has("p") || up == "." || up == "/" {
				break
			}
			name = up
		}
	}
	return code
}

// RemoveAll is rm -rf.
func RemoveAll(p *kernel.Process, name string) bool {
	return removeTree(p, name, &libc.Options{Set: map[string][]string{"r": {""}, "f": {""}}}, 0)
}
