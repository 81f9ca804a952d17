package hosttest

import (
	"errors"
	"strconv"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// parseMode reads an octal or symbolic mode. The result maps an old mode to the new one; for a directory an octal mode
// of fewer than five digits keeps the set-ID bits.
func parseMode(s string) (func(old uint32, dir bool, umask uint32) uint32, error) {
	if isDigits(s) {
		n, err := strconv.ParseUint(s, 8, 32)
		if err != nil || n > 0o7777 {
			return nil, errors.New("invalid mode")
		}
		return func(old uint32, dir bool, _ uint32) uint32 {
			if dir && len(s) < 5 {
				return uint32(n) | old&(kernel.ModeSetUID|kernel.ModeSetGID)
			}
			return uint32(n)
		}, nil
	}
	type clause struct {
		who  uint32
		op   byte
		perm string
		any  bool
	}
	var list []clause
	for part := range strings.SplitSeq(s, ",") {
		i := 0
		who := uint32(0)
		for i < len(part) && strings.IndexByte("ugoa", part[i]) >= 0 {
			who |= map[byte]uint32{'u': 0o4700, 'g': 0o2070, 'o': 0o1007, 'a': 0o7777}[part[i]]
			i++
		}
		anyWho := who == 0
		if i >= len(part) {
			return nil, errors.New("invalid mode")
		}
		for i < len(part) {
			op := part[i]
			if op != '+' && op != '-' && op != '=' {
				return nil, errors.New("invalid mode")
			}
			j := i + 1
			for j < len(part) && strings.IndexByte("rwxXstugo01234567", part[j]) >= 0 {
				j++
			}
			list = append(list, clause{who, op, part[i+1 : j], anyWho})
			i = j
		}
	}
	return func(old uint32, dir bool, umask uint32) uint32 {
		mode := old & 0o7777
		for _, c := range list {
			var bits uint32
			for _, r := range c.perm {
				switch r {
				case 'r':
					bits |= 0o444
				case 'w':
					bits |= 0o222
				case 'x':
					bits |= 0o111
				case 'X':
					if dir || mode&0o111 != 0 {
						bits |= 0o111
					}
				case 's':
					bits |= kernel.ModeSetUID | kernel.ModeSetGID
				case 't':
					bits |= kernel.ModeSticky
				case 'u':
					bits |= mode >> 6 & 7 * 0o111
				case 'g':
					bits |= mode >> 3 & 7 * 0o111
				case 'o':
					bits |= mode & 7 * 0o111
				}
			}
			if isDigits(c.perm) {
				n, _ := strconv.ParseUint(c.perm, 8, 32)
				bits = uint32(n)
			}
			who := c.who
			if c.any {
				who = 0o7777
				bits &^= umask
			}
			bits &= who
			switch c.op {
			case '+':
				mode |= bits
			case '-':
				mode &^= bits
			case '=':
				keep := uint32(0)
				if !c.any {
					keep = ^who
				}
				if dir && !strings.Contains(c.perm, "s") {
					keep |= kernel.ModeSetUID | kernel.ModeSetGID
				}
				mode = mode&keep | bits
			}
		}
		return mode
	}, nil
}

// recurse visits a path and, with -R, all below it.
func recurse(p *kernel.Process, name string, deep bool, f func(string, kernel.Stat) error) {
	st, err := p.Lstat(name)
	if err != nil {
		f(name, kernel.Stat{Path: ""})
		return
	}
	if f(name, st) != nil && !st.IsDir() {
		return
	}
	if deep && st.IsDir() {
		names, err := p.ReadDir(name)
		if err != nil {
			p.Errorf("cannot read directory %s: %s", quote(name), kernel.Strerror(err))
			return
		}
		for _, n := range names {
			recurse(p, join(name, n), true, f)
		}
	}
}

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
	o, ok := getopt(p, "Rcfv", "recursive>R changes>c quiet>f silent>f verbose>v reference=")
	if !ok {
		return usage(p, 1)
	}
	if unsupported(p, o, "c", "v") {
		return 1
	}
	rest := o.args
	var f func(uint32, bool, uint32) uint32
	if o.has("reference") {
		st, err := p.Stat(o.get("reference"))
		if err != nil {
			p.Errorf("failed to get attributes of %s: %s", quote(o.get("reference")), kernel.Strerror(err))
			return 1
		}
		f = func(uint32, bool, uint32) uint32 { return st.Perm() }
	} else {
		if modeArg == "" {
			if len(rest) == 0 {
				p.Errorf("missing operand")
				return usage(p, 1)
			}
			modeArg, rest = rest[0], rest[1:]
		}
		var err error
		if f, err = parseMode(modeArg); err != nil {
			p.Errorf("invalid mode: %s", quote(modeArg))
			return usage(p, 1)
		}
	}
	if len(rest) == 0 {
		p.Errorf("missing operand after %s", quote(modeArg))
		return usage(p, 1)
	}
	code := 0
	for _, a := range rest {
		first := true
		recurse(p, a, o.has("R"), func(name string, st kernel.Stat) error {
			top := first
			first = false
			if st.IsSymlink() {
				if !top {
					return nil
				}
				var err error
				if st, err = p.Stat(name); err != nil {
					if !o.has("f") {
						p.Errorf("cannot operate on dangling symlink %s", quote(name))
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
				if !o.has("f") {
					p.Errorf("cannot access %s: %s", quote(name), kernel.Strerror(err))
				}
				code = 1
				return err
			}
			if err := p.Chmod(name, f(st.Mode&0o7777, st.IsDir(), p.Umask)); err != nil {
				if !o.has("f") {
					p.Errorf("changing permissions of %s: %s", quote(name), kernel.Strerror(err))
				}
				code = 1
				return err
			}
			return nil
		})
	}
	return code
}
