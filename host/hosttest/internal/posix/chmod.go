package posix

import (
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdChmod(p *kernel.Process) int {
	// A mode such as -x looks like an option.
	args := []string{p.Args[0]}
	var modeArg string
	for i, a := range p.Args[1:] {
		if modeArg == "" && len(a) > 1 && a[0] == '-' && strings.IndexByte("rwxXst", a[1]) >= 0 {
			modeArg = a
			args = append(args, p.Args[i+2:]...)
			break
		}
		args = append(args, a)
	}
	p.SetArgs(args)
	o, ok := libc.Getopt(p, "Rcfv", "recursive>R changes>c quiet>f silent>f verbose>v reference=")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "c", "v") {
		return 1
	}
	rest := o.Args
	var f func(uint32, bool, uint32) uint32
	if o.Has("reference") {
		st, err := p.Stat(o.Get("reference"))
		if err != nil {
			p.Errorf("failed to get attributes of %s: %s", libc.Quote(o.Get("reference")), kernel.Strerror(err))
			return 1
		}
		f = func(uint32, bool, uint32) uint32 { return st.Perm() }
	} else {
		if modeArg == "" {
			if len(rest) == 0 {
				p.Errorf("missing operand")
				return libc.Usage(p, 1)
			}
			modeArg, rest = rest[0], rest[1:]
		}
		var err error
		if f, err = libc.ParseMode(modeArg); err != nil {
			p.Errorf("invalid mode: %s", libc.Quote(modeArg))
			return libc.Usage(p, 1)
		}
	}
	if len(rest) == 0 {
		p.Errorf("missing operand after %s", libc.Quote(modeArg))
		return libc.Usage(p, 1)
	}
	code := 0
	for _, a := range rest {
		first := true
		libc.Walk(p, a, o.Has("R"), func(name string, st kernel.Stat) error {
			top := first
			first = false
			if st.IsSymlink() {
				if !top {
					return nil
				}
				var err error
				if st, err = p.Stat(name); err != nil {
					if !o.Has("f") {
						p.Errorf("cannot operate on dangling symlink %s", libc.Quote(name))
					}
					code = 1
					return err
				}
			}
			if st.Path == "" {
				_, err := p.Lstat(name)
				if err == nil {
					err = syscall.ENOENT
				}
				if !o.Has("f") {
					p.Errorf("cannot access %s: %s", libc.Quote(name), kernel.Strerror(err))
				}
				code = 1
				return err
			}
			if err := p.Chmod(name, f(st.Mode&0o7777, st.IsDir(), p.Umask)); err != nil {
				if !o.Has("f") {
					p.Errorf("changing permissions of %s: %s", libc.Quote(name), kernel.Strerror(err))
				}
				code = 1
				return err
			}
			return nil
		})
	}
	return code
}
