package hosttest

import (
	"path"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func cmdReadlink(p *kernel.Process) int {
	o, ok := getopt(p, "femnqsvz", "canonicalize>f canonicalize-existing>e canonicalize-missing>m no-newline>n quiet>q silent>s verbose>v zero>z")
	if !ok {
		return usage(p, 1)
	}
	if len(o.args) == 0 {
		p.Errorf("missing operand")
		return usage(p, 1)
	}
	end := "\n"
	if o.has("z") {
		end = "\x00"
	} else if o.has("n") && len(o.args) == 1 {
		end = ""
	}
	code := 0
	for _, a := range o.args {
		var out string
		var err error
		switch {
		case o.has("e"):
			out, err = canonical(p, a, 'e')
		case o.has("m"):
			out, err = canonical(p, a, 'm')
		case o.has("f"):
			out, err = canonical(p, a, 'f')
		default:
			var st kernel.Stat
			if st, err = p.Lstat(a); err == nil {
				if !st.IsSymlink() {
					err = syscall.EINVAL
				}
				out = st.Target
			}
		}
		if err != nil {
			if o.has("v") {
				p.Errorf("%s: %s", quoteMaybe(a), kernel.Strerror(err))
			}
			code = 1
			continue
		}
		p.Print(out, end)
	}
	return code
}

// canonical resolves links: mode e needs everything to exist, f all but the last component, m nothing.
func canonical(p *kernel.Process, name string, mode byte) (string, error) {
	if name == "" {
		return "", syscall.ENOENT
	}
	defer p.LockTree()()
	t := p.Kernel.Tree
	if mode != 'm' {
		s, err := t.Walk(p.Cred(), p.Dir, name, true)
		if err != nil {
			return "", err
		}
		if mode == 'e' && !s.Exists() {
			return "", syscall.ENOENT
		}
		return s.Path, nil
	}
	rest := ""
	if !strings.HasPrefix(name, "/") {
		name = p.Dir + "/" + name
	}
	for {
		s, err := t.Walk(p.Cred(), "/", name, true)
		if err == nil {
			return path.Clean(s.Path + "/" + rest), nil
		}
		if err == syscall.ELOOP || name == "/" {
			return "", err
		}
		rest = path.Base(name) + "/" + rest
		name = path.Dir(strings.TrimRight(name, "/"))
	}
}

func cmdRealpath(p *kernel.Process) int {
	o, ok := getopt(p, "emLPqsz", "canonicalize-existing>e canonicalize-missing>m quiet>q strip>s no-symlinks>s zero>z relative-to= relative-base=")
	if !ok {
		return usage(p, 1)
	}
	if unsupported(p, o, "L", "relative-base") {
		return 1
	}
	if len(o.args) == 0 {
		p.Errorf("missing operand")
		return usage(p, 1)
	}
	end := "\n"
	if o.has("z") {
		end = "\x00"
	}
	mode := byte('f')
	if o.has("e") {
		mode = 'e'
	} else if o.has("m") {
		mode = 'm'
	}
	code := 0
	for _, a := range o.args {
		out, err := canonical(p, a, mode)
		if o.has("s") && err == nil {
			out = a
			if !strings.HasPrefix(a, "/") {
				out = p.Dir + "/" + a
			}
			out = path.Clean(out)
		}
		if err != nil {
			if !o.has("q") {
				p.Errorf("%s: %s", quoteMaybe(a), kernel.Strerror(err))
			}
			code = 1
			continue
		}
		if o.has("relative-to") {
			if base, err := canonical(p, o.get("relative-to"), 'm'); err == nil {
				out = relativePath(base, out)
			}
		}
		p.Print(out, end)
	}
	return code
}
