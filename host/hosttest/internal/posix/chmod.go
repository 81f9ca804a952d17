package posix

import (
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdChmod(p *kernel.Process) int {
	mode := splitMode(p)
	o, ok := libc.Getopt(p, "Rcfv", "recursive>R changes>c quiet>f silent>f verbose>v reference=")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "c", "v") {
		return 1
	}
	rest := o.Args
	c := &chmodRun{p: p, quiet: o.Has("f")}
	if o.Has("reference") {
		st, err := p.Stat(o.Get("reference"))
		if err != nil {
			p.Errorf("failed to get attributes of %s: %s", libc.Quote(o.Get("reference")), kernel.Strerror(err))
			return 1
		}
		c.mode = func(uint32, bool, uint32) uint32 { return st.Perm() }
	} else {
		if mode == "" {
			if len(rest) == 0 {
				p.Errorf("missing operand")
				return libc.Usage(p, 1)
			}
			mode, rest = rest[0], rest[1:]
		}
		var err error
		if c.mode, err = libc.ParseMode(mode); err != nil {
			p.Errorf("invalid mode: %s", libc.Quote(mode))
			return libc.Usage(p, 1)
		}
	}
	if len(rest) == 0 {
		p.Errorf("missing operand after %s", libc.Quote(mode))
		return libc.Usage(p, 1)
	}
	for _, a := range rest {
		top := true
		libc.Walk(p, a, o.Has("R"), func(name string, st kernel.Stat) error {
			err := c.file(name, st, top)
			top = false
			return err
		})
	}
	return c.code
}

// splitMode takes a mode such as -x, which looks like an option, out of the arguments.
func splitMode(p *kernel.Process) (mode string) {
	args := []string{p.Args[0]}
	for i, a := range p.Args[1:] {
		if len(a) > 1 && a[0] == '-' && strings.IndexByte("rwxXst", a[1]) >= 0 {
			mode = a
			args = append(args, p.Args[i+2:]...)
			break
		}
		args = append(args, a)
	}
	p.SetArgs(args)
	return mode
}

// A chmodRun is the state of one chmod.
type chmodRun struct {
	p     *kernel.Process
	quiet bool
	mode  func(old uint32, dir bool, umask uint32) uint32
	code  int
}

func (c *chmodRun) fail(err error, format string, a ...any) error {
	if !c.quiet {
		c.p.Errorf(format, a...)
	}
	c.code = 1
	return err
}

// file changes the mode of a file. A link is followed only as an operand.
func (c *chmodRun) file(name string, st kernel.Stat, top bool) error {
	if st.IsSymlink() {
		if !top {
			return nil
		}
		var err error
		if st, err = c.p.Stat(name); err != nil {
			return c.fail(err, "cannot operate on dangling symlink %s", libc.Quote(name))
		}
	}
	if st.Path == "" {
		_, err := c.p.Lstat(name)
		if err == nil {
			err = syscall.ENOENT
		}
		return c.fail(err, "cannot access %s: %s", libc.Quote(name), kernel.Strerror(err))
	}
	if err := c.p.Chmod(name, c.mode(st.Mode&0o7777, st.IsDir(), c.p.Umask)); err != nil {
		return c.fail(err, "changing permissions of %s: %s", libc.Quote(name), kernel.Strerror(err))
	}
	return nil
}
