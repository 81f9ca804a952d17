package hosttest

import (
	"path"
	"strings"
	"syscall"
)

func cmdReadlink(p *proc) int {
	o, ok := p.getopt("femnqsvz", "canonicalize>f canonicalize-existing>e canonicalize-missing>m no-newline>n quiet>q silent>s verbose>v zero>z")
	if !ok {
		return p.usage(1)
	}
	if len(o.args) == 0 {
		p.errorf("missing operand")
		return p.usage(1)
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
			out, err = p.canonical(a, 'e')
		case o.has("m"):
			out, err = p.canonical(a, 'm')
		case o.has("f"):
			out, err = p.canonical(a, 'f')
		default:
			var st Stat
			if st, err = p.lstat(a); err == nil {
				if !st.IsSymlink() {
					err = syscall.EINVAL
				}
				out = st.Target
			}
		}
		if err != nil {
			if o.has("v") {
				p.errorf("%s: %s", quoteMaybe(a), strerror(err))
			}
			code = 1
			continue
		}
		p.print(out, end)
	}
	return code
}

// canonical resolves links: mode e needs everything to exist, f all but the last component, m nothing.
func (p *proc) canonical(name string, mode byte) (string, error) {
	if name == "" {
		return "", syscall.ENOENT
	}
	defer p.lockTree()()
	t := p.k.tree
	if mode != 'm' {
		s, err := t.walk(p.cred(), p.Dir, name, true)
		if err != nil {
			return "", err
		}
		if mode == 'e' && !s.exists() {
			return "", syscall.ENOENT
		}
		return s.path, nil
	}
	rest := ""
	if !strings.HasPrefix(name, "/") {
		name = p.Dir + "/" + name
	}
	for {
		s, err := t.walk(p.cred(), "/", name, true)
		if err == nil {
			return path.Clean(s.path + "/" + rest), nil
		}
		if err == syscall.ELOOP || name == "/" {
			return "", err
		}
		rest = path.Base(name) + "/" + rest
		name = path.Dir(strings.TrimRight(name, "/"))
	}
}

func cmdRealpath(p *proc) int {
	o, ok := p.getopt("emLPqsz", "canonicalize-existing>e canonicalize-missing>m quiet>q strip>s no-symlinks>s zero>z relative-to= relative-base=")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "L", "relative-base") {
		return 1
	}
	if len(o.args) == 0 {
		p.errorf("missing operand")
		return p.usage(1)
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
		out, err := p.canonical(a, mode)
		if o.has("s") && err == nil {
			out = a
			if !strings.HasPrefix(a, "/") {
				out = p.Dir + "/" + a
			}
			out = path.Clean(out)
		}
		if err != nil {
			if !o.has("q") {
				p.errorf("%s: %s", quoteMaybe(a), strerror(err))
			}
			code = 1
			continue
		}
		if o.has("relative-to") {
			if base, err := p.canonical(o.get("relative-to"), 'm'); err == nil {
				out = relativePath(base, out)
			}
		}
		p.print(out, end)
	}
	return code
}
