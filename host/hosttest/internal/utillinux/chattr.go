package utillinux

import (
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// chattrBits are those that this machine keeps.
var chattrBits = map[byte]uint32{'i': kernel.AttrImmutable, 'a': kernel.AttrAppend, 'e': kernel.AttrExtents, 'd': 0x40,
	'A': 0x80, 'S': 0x8, 'c': 0x4, 's': 0x1, 'u': 0x2, 'C': 0x800000}

func attrString(bits uint32) string {
	// The order and width of lsattr.
	out := []byte("----------------------")
	for at, c := range map[int]byte{0: 's', 1: 'u', 2: 'S', 4: 'i', 5: 'a', 6: 'd', 7: 'A', 8: 'c', 14: 'e'} {
		if bits&chattrBits[c] != 0 {
			out[at] = c
		}
	}
	return string(out)
}

// A chattrRun is the state of one chattr.
type chattrRun struct {
	p                 *kernel.Process
	add, remove, set  uint32
	hasSet            bool
	deep, quiet, loud bool
	code              int
}

func cmdChattr(p *kernel.Process) int {
	c := &chattrRun{p: p}
	args := p.Args[1:]
	for len(args) > 0 && len(args[0]) > 1 && strings.IndexByte("+-=", args[0][0]) >= 0 {
		a := args[0]
		args = args[1:]
		if a == "--" {
			break
		}
		if !c.option(a) {
			return 1
		}
	}
	if len(args) == 0 || c.add == 0 && c.remove == 0 && !c.hasSet {
		c.usage()
		return 1
	}
	if c.loud {
		p.Warnf("chattr 1.47.0 (5-Feb-2023)\n")
	}
	for _, a := range args {
		c.change(a)
	}
	return c.code
}

func (c *chattrRun) usage() {
	c.p.Warnf("Usage: chattr [-RVf] [-+=aAcCdDeijPsStTuFx] [-p project] [-v version] files...\n")
}

// option reads -R, -V and -f, or attributes behind +, - or =.
func (c *chattrRun) option(a string) bool {
	if a[0] == '-' && strings.Trim(a[1:], "RVf") == "" {
		c.deep = c.deep || strings.Contains(a, "R")
		c.quiet = c.quiet || strings.Contains(a, "f")
		c.loud = c.loud || strings.Contains(a, "V")
		return true
	}
	var bits uint32
	for i := 1; i < len(a); i++ {
		if strings.IndexByte("aAcCdDeijPsStTuFx", a[i]) < 0 {
			c.usage()
			return false
		}
		b, ok := chattrBits[a[i]]
		if !ok {
			c.p.Errorf("hosttest: this file system keeps no attribute %c", a[i])
			return false
		}
		bits |= b
	}
	switch a[0] {
	case '+':
		c.add |= bits
	case '-':
		c.remove |= bits
	case '=':
		c.set, c.hasSet = c.set|bits, true
	}
	return true
}

func (c *chattrRun) fail(format string, a ...any) {
	c.code = 1
	if !c.quiet {
		c.p.Errorf(format, a...)
	}
}

// change changes a file, and with -R what is in a directory.
func (c *chattrRun) change(name string) {
	st, err := c.p.Lstat(name)
	if err != nil {
		c.fail("%s while trying to stat %s", kernel.Strerror(err), name)
		return
	}
	if !st.IsDir() && !st.IsRegular() {
		c.fail("Operation not supported while reading flags on %s", name)
		return
	}
	bits := st.Attrs&^c.remove | c.add
	if c.hasSet {
		bits = c.set
	}
	switch err := setAttrs(c.p, name, bits); {
	case err == syscall.ENOTSUP:
		c.fail("Operation not supported while reading flags on %s", name)
	case err != nil:
		c.fail("%s while setting flags on %s", kernel.Strerror(err), name)
	case c.loud:
		c.p.Printf("Flags of %s set as %s\n", name, attrString(bits))
	}
	if c.deep && st.IsDir() {
		names, err := c.p.ReadDir(name)
		if err != nil {
			return
		}
		for _, n := range names {
			c.change(libc.JoinPath(name, n))
		}
	}
}

// setAttrs is FS_IOC_SETFLAGS.
func setAttrs(p *kernel.Process, name string, bits uint32) error {
	defer p.LockTree()()
	t := p.Kernel.Tree
	s, err := t.Must(p.Cred(), p.Dir, name, false)
	if err != nil {
		return err
	}
	v := s.At.Mnt.Vol
	i := s.At.Inode()
	switch {
	case v.Pseudo || v.Lossy || v.FSType == "vfat":
		return syscall.ENOTSUP
	case p.UID != 0 && p.UID != i.UID:
		return syscall.EPERM
	case p.UID != 0 && (bits^i.Attrs)&(kernel.AttrImmutable|kernel.AttrAppend) != 0:
		return syscall.EPERM
	}
	if err := t.Mutable(s.At); err != nil {
		return err
	}
	i = v.Edit(s.At.Num)
	i.Attrs, i.CTime = bits, t.Now()
	i.Changes++
	return nil
}

func cmdLsattr(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "RVadlpv", "")
	if !ok {
		p.Warnf("Usage: lsattr [-RVadlpv] [files...]\n")
		return 1
	}
	if libc.Unsupported(p, o, "l", "p", "v") {
		return 1
	}
	names := o.Args
	if len(names) == 0 {
		names = []string{"."}
	}
	code := 0
	show := func(name string) {
		st, err := p.Lstat(name)
		switch {
		case err != nil:
			p.Errorf("%s while trying to stat %s", kernel.Strerror(err), name)
			code = 1
		case !st.IsDir() && !st.IsRegular(), st.At.Mnt.Vol.Pseudo, st.At.Mnt.Vol.Lossy:
			p.Errorf("Operation not supported while reading flags on %s", name)
			code = 1
		default:
			p.Print(attrString(st.Attrs), " ", name, "\n")
		}
	}
	var list func(name string)
	list = func(name string) {
		kids, err := p.ReadDir(name)
		if err != nil {
			p.Errorf("%s while reading %s", kernel.Strerror(err), name)
			code = 1
			return
		}
		for _, k := range kids {
			if strings.HasPrefix(k, ".") && !o.Has("a") {
				continue
			}
			show(libc.JoinPath(name, k))
			if st, err := p.Lstat(libc.JoinPath(name, k)); err == nil && st.IsDir() && o.Has("R") {
				p.Printf("\n%s:\n", libc.JoinPath(name, k))
				list(libc.JoinPath(name, k))
				p.Print("\n")
			}
		}
	}
	for _, n := range names {
		st, err := p.Lstat(n)
		if err == nil && st.IsDir() && !o.Has("d") {
			list(n)
			continue
		}
		show(n)
	}
	return code
}
