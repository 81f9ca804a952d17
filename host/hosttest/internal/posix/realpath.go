package posix

import (
	"path"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdReadlink(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "femnqsvz",
		"canonicalize>f canonicalize-existing>e canonicalize-missing>m no-newline>n quiet>q silent>s verbose>v zero>z")
	if !ok {
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 0 {
		p.Errorf("missing operand")
		return libc.Usage(p, 1)
	}
	end := "\n"
	if o.Has("z") {
		end = "\x00"
	} else if o.Has("n") && len(o.Args) == 1 {
		end = ""
	}
	code := 0
	for _, a := range o.Args {
		var out string
		var err error
		switch {
		case o.Has("e"):
			out, err = canonical(p, a, 'e')
		case o.Has("m"):
			out, err = canonical(p, a, 'm')
		case o.Has("f"):
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
			if o.Has("v") {
				p.Errorf("%s: %s", libc.QuoteMaybe(a), kernel.Strerror(err))
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
	o, ok := libc.Getopt(p, "emLPqsz",
		"canonicalize-existing>e canonicalize-missing>m quiet>q strip>s no-symlinks>s zero>z relative-to= "+
			"relative-base=")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "L", "relative-base") {
		return 1
	}
	if len(o.Args) == 0 {
		p.Errorf("missing operand")
		return libc.Usage(p, 1)
	}
	end := "\n"
	if o.Has("z") {
		end = "\x00"
	}
	mode := byte('f')
	if o.Has("e") {
		mode = 'e'
	} else if o.Has("m") {
		mode = 'm'
	}
	code := 0
	for _, a := range o.Args {
		out, err := canonical(p, a, mode)
		if o.Has("s") && err == nil {
			out = a
			if !strings.HasPrefix(a, "/") {
				out = p.Dir + "/" + a
			}
			out = path.Clean(out)
		}
		if err != nil {
			if !o.Has("q") {
				p.Errorf("%s: %s", libc.QuoteMaybe(a), kernel.Strerror(err))
			}
			code = 1
			continue
		}
		if o.Has("relative-to") {
			if base, err := canonical(p, o.Get("relative-to"), 'm'); err == nil {
				out = relativePath(base, out)
			}
		}
		p.Print(out, end)
	}
	return code
}
