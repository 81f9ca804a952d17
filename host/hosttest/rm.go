package hosttest

import (
	"path"
	"strings"
	"syscall"
)

func cmdRm(p *proc) int {
	o, ok := p.getopt("dfiIrRv", "force>f recursive>r dir>d verbose>v one-file-system no-preserve-root preserve-root[= interactive[=")
	if !ok {
		for _, a := range p.Args[1:] {
			if _, err := p.lstat(a); err == nil && strings.HasPrefix(a, "-") && len(a) > 1 {
				p.warn("Try 'rm ./%s' to remove the file %s.\n", a, quote(a))
				break
			}
		}
		return p.usage(1)
	}
	if p.unsupported(o, "i", "I") || o.get("interactive") != "never" && p.unsupported(o, "interactive") {
		return 1
	}
	if o.has("R") {
		o.set["r"] = []string{""}
	}
	if len(o.args) == 0 {
		if o.has("f") {
			return 0
		}
		p.errorf("missing operand")
		return p.usage(1)
	}
	if v := o.get("preserve-root"); v != "" {
		p.errorf("hosttest: --preserve-root=%s is not supported", v)
		return 1
	}
	code := 0
	for _, a := range o.args {
		base := path.Base(a)
		if o.has("r") && (base == "." || base == "..") && a != "/" {
			p.errorf("refusing to remove '.' or '..' directory: skipping %s", quote(a))
			code = 1
			continue
		}
		if o.has("r") && path.Clean(a) == "/" && !o.has("no-preserve-root") {
			p.errorf("it is dangerous to operate recursively on '/'")
			p.errorf("use --no-preserve-root to override this failsafe")
			code = 1
			continue
		}
		top, _ := p.lstat(a)
		if !p.removeTree(a, o, top.Dev) {
			code = 1
		}
	}
	return code
}

// removeTree removes a file, and with -r a directory with all that is in it. dev is the file system of the operand.
func (p *proc) removeTree(name string, o *options, dev uint32) bool {
	st, err := p.lstat(name)
	if err != nil {
		if (err == syscall.ENOENT || err == syscall.ENOTDIR) && o.has("f") {
			return true
		}
		p.errorf("cannot remove %s: %s", quote(name), strerror(err))
		return false
	}
	if st.IsDir() {
		if !o.has("r") {
			if o.has("d") {
				if err := p.rmdir(name); err != nil {
					p.errorf("cannot remove %s: %s", quote(name), strerror(err))
					return false
				}
				return true
			}
			p.errorf("cannot remove %s: Is a directory", quote(name))
			return false
		}
		if o.has("one-file-system") && st.Dev != dev {
			p.errorf("skipping %s, since it's on a different device", quote(name))
			return false
		}
		names, err := p.readDir(name)
		if err != nil {
			p.errorf("cannot remove %s: %s", quote(name), strerror(err))
			return false
		}
		good := true
		for _, n := range names {
			good = p.removeTree(join(name, n), o, dev) && good
		}
		if !good {
			return false
		}
		err = p.rmdir(name)
		if err != nil {
			p.errorf("cannot remove %s: %s", quote(name), strerror(err))
			return false
		}
		if o.has("v") {
			p.print("removed directory ", quote(name), "\n")
		}
		return true
	}
	if err := p.unlink(name); err != nil {
		p.errorf("cannot remove %s: %s", quote(name), strerror(err))
		return false
	}
	if o.has("v") {
		p.print("removed ", quote(name), "\n")
	}
	return true
}

func cmdRmdir(p *proc) int {
	o, ok := p.getopt("pv", "ignore-fail-on-non-empty parents>p verbose>v")
	if !ok {
		return p.usage(1)
	}
	if len(o.args) == 0 {
		p.errorf("missing operand")
		return p.usage(1)
	}
	code := 0
	for _, a := range o.args {
		for name := a; ; {
			if o.has("v") {
				p.print("rmdir: removing directory, ", quote(name), "\n")
			}
			err := p.rmdir(name)
			if err != nil && !(err == syscall.ENOTEMPTY && o.has("ignore-fail-on-non-empty")) {
				verb := "failed to remove"
				if name != a {
					verb = "failed to remove directory"
				}
				p.errorf("%s %s: %s", verb, quote(name), strerror(err))
				code = 1
			}
			up := path.Dir(strings.TrimRight(name, "/"))
			if err != nil || !o.has("p") || up == "." || up == "/" {
				break
			}
			name = up
		}
	}
	return code
}
