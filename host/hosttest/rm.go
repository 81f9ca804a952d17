package hosttest

import (
	"path"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func cmdRm(p *kernel.Process) int {
	o, ok := getopt(p, "dfiIrRv", "force>f recursive>r dir>d verbose>v one-file-system no-preserve-root preserve-root[= interactive[=")
	if !ok {
		for _, a := range p.Args[1:] {
			if _, err := p.Lstat(a); err == nil && strings.HasPrefix(a, "-") && len(a) > 1 {
				p.Warnf("Try 'rm ./%s' to remove the file %s.\n", a, quote(a))
				break
			}
		}
		return usage(p, 1)
	}
	if unsupported(p, o, "i", "I") || o.get("interactive") != "never" && unsupported(p, o, "interactive") {
		return 1
	}
	if o.has("R") {
		o.set["r"] = []string{""}
	}
	if len(o.args) == 0 {
		if o.has("f") {
			return 0
		}
		p.Errorf("missing operand")
		return usage(p, 1)
	}
	if v := o.get("preserve-root"); v != "" {
		p.Errorf("hosttest: --preserve-root=%s is not supported", v)
		return 1
	}
	code := 0
	for _, a := range o.args {
		base := path.Base(a)
		if o.has("r") && (base == "." || base == "..") && a != "/" {
			p.Errorf("refusing to remove '.' or '..' directory: skipping %s", quote(a))
			code = 1
			continue
		}
		if o.has("r") && path.Clean(a) == "/" && !o.has("no-preserve-root") {
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
func removeTree(p *kernel.Process, name string, o *options, dev uint32) bool {
	st, err := p.Lstat(name)
	if err != nil {
		if (err == syscall.ENOENT || err == syscall.ENOTDIR) && o.has("f") {
			return true
		}
		p.Errorf("cannot remove %s: %s", quote(name), kernel.Strerror(err))
		return false
	}
	if st.IsDir() {
		if !o.has("r") {
			if o.has("d") {
				if err := p.Rmdir(name); err != nil {
					p.Errorf("cannot remove %s: %s", quote(name), kernel.Strerror(err))
					return false
				}
				return true
			}
			p.Errorf("cannot remove %s: Is a directory", quote(name))
			return false
		}
		if o.has("one-file-system") && st.Dev != dev {
			p.Errorf("skipping %s, since it's on a different device", quote(name))
			return false
		}
		names, err := p.ReadDir(name)
		if err != nil {
			p.Errorf("cannot remove %s: %s", quote(name), kernel.Strerror(err))
			return false
		}
		good := true
		for _, n := range names {
			good = removeTree(p, join(name, n), o, dev) && good
		}
		if !good {
			return false
		}
		err = p.Rmdir(name)
		if err != nil {
			p.Errorf("cannot remove %s: %s", quote(name), kernel.Strerror(err))
			return false
		}
		if o.has("v") {
			p.Print("removed directory ", quote(name), "\n")
		}
		return true
	}
	if err := p.Unlink(name); err != nil {
		p.Errorf("cannot remove %s: %s", quote(name), kernel.Strerror(err))
		return false
	}
	if o.has("v") {
		p.Print("removed ", quote(name), "\n")
	}
	return true
}

func cmdRmdir(p *kernel.Process) int {
	o, ok := getopt(p, "pv", "ignore-fail-on-non-empty parents>p verbose>v")
	if !ok {
		return usage(p, 1)
	}
	if len(o.args) == 0 {
		p.Errorf("missing operand")
		return usage(p, 1)
	}
	code := 0
	for _, a := range o.args {
		for name := a; ; {
			if o.has("v") {
				p.Print("rmdir: removing directory, ", quote(name), "\n")
			}
			err := p.Rmdir(name)
			if err != nil && !(err == syscall.ENOTEMPTY && o.has("ignore-fail-on-non-empty")) {
				verb := "failed to remove"
				if name != a {
					verb = "failed to remove directory"
				}
				p.Errorf("%s %s: %s", verb, quote(name), kernel.Strerror(err))
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
