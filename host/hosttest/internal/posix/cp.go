package posix

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// copying is what cp does to each of its operands; mv does it when a rename cannot.
type copying struct {
	recursive, oneFS           bool
	follow                     byte // 'P' no links, 'H' those of the command line, 'L' all
	mode, noMode, owner        bool // noMode: --no-preserve=mode
	times, links, xattrs       bool
	needXattrs                 bool // to lose one is an error
	attributesOnly, clone      bool
	force, replace             bool // replace: --remove-destination
	noClobber, ask, update     bool
	hardLink, symLink, verbose bool
	backups                    *backups
	moving                     bool

	many  bool                          // there are several operands
	first map[kernel.InodeKey]string    // the first copy of each file that has more than one name
	read  map[namedFile]bool            // the operands so far
	made  map[namedFile]bool            // and their copies, which are not overwritten
	tops  map[kernel.InodeKey][2]string // the copies of directories, which are not to be copied into themselves
}

type namedFile struct {
	name string
	key  kernel.InodeKey
}

// preserved are the attributes that --preserve and --no-preserve name.
var preserved = []argSet{{"mode"}, {"timestamps"}, {"ownership"}, {"links"}, {"context"}, {"xattr"}, {"all"}}

const (
	cpShort = "abdfHilLnprst:uvxPRS:TZ"
	cpLong  = "archive>a attributes-only backup[= copy-contents dereference>L force>f interactive>i link>l " +
		"no-clobber>n " +
		"no-dereference>P no-preserve= no-target-directory>T one-file-system>x parents preserve[= recursive>R " +
		"remove-destination sparse= reflink[= strip-trailing-slashes suffix=>S symbolic-link>s target-directory=>t " +
		"update>u " +
		"verbose>v context[="
)

func cmdCp(p *kernel.Process) int {
	o, ok := libc.Getopt(p, cpShort, cpLong)
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "copy-contents", "parents", "context") {
		return 1
	}
	c := &copying{}
	for _, x := range o.Order {
		if !c.option(p, x) {
			return 1
		}
	}
	c.attributesOnly, c.force, c.replace = o.Has("attributes-only"), o.Has("f"), o.Has("remove-destination")
	c.hardLink, c.symLink, c.verbose = o.Has("l"), o.Has("s"), o.Has("v")
	c.update, c.oneFS = o.Has("u"), o.Has("x")
	if c.hardLink && c.symLink {
		p.Errorf("cannot make both hard and symbolic links")
		return libc.Usage(p, 1)
	}
	if c.backups, ok = readBackups(p, o); !ok {
		return 1
	}
	if c.noClobber && c.backups != nil {
		p.Errorf("options --backup and --no-clobber are mutually exclusive")
		return libc.Usage(p, 1)
	}
	if c.follow == 0 {
		c.follow = 'L'
		if c.recursive && !c.hardLink {
			c.follow = 'P'
		}
	}
	if o.Has("strip-trailing-slashes") {
		o.Args = stripSlashes(o.Args)
	}
	pairs, code := targets(p, o, "")
	c.many = len(pairs) > 1
	for _, pr := range pairs {
		if !copyTree(p, c, pr[0], pr[1], true, 0) {
			code = 1
		}
	}
	return code
}

// option reads an option whose place among the others counts, or whose value can be wrong.
func (c *copying) option(p *kernel.Process, x libc.Option) bool {
	switch x.Name {
	case "a":
		c.follow, c.recursive = 'P', true
		c.mode, c.owner, c.times, c.links, c.xattrs = true, true, true, true, true
	case "d":
		c.follow, c.links = 'P', true
	case "H", "L", "P":
		c.follow = x.Name[0]
	case "p":
		c.mode, c.owner, c.times = true, true, true
	case "preserve":
		if x.Value != "" || x.Given {
			return c.preserve(p, x.Value, "--preserve", true)
		}
		c.mode, c.owner, c.times = true, true, true
	case "no-preserve":
		return c.preserve(p, x.Value, "--no-preserve", false)
	case "r", "R":
		c.recursive = true
	case "i":
		c.ask, c.noClobber = true, false
	case "n":
		c.ask, c.noClobber = false, true
	case "sparse":
		_, ok := argMatch(p, x.Value, "--sparse", []argSet{{"never"}, {"auto"}, {"always"}})
		return ok
	case "reflink":
		how := "always"
		if x.Given {
			var ok bool
			if how, ok = argMatch(p, x.Value, "--reflink", []argSet{{"auto"}, {"always"}, {"never"}}); !ok {
				return false
			}
		}
		c.clone = how == "always"
	}
	return true
}

// preserve reads the list of --preserve or --no-preserve.
func (c *copying) preserve(p *kernel.Process, list, option string, on bool) bool {
	for w := range strings.SplitSeq(list, ",") {
		what, ok := argMatch(p, w, option, preserved)
		if !ok {
			return false
		}
		all := what == "all"
		if all || what == "mode" {
			c.mode, c.noMode = on, !on
		}
		if all || what == "timestamps" {
			c.times = on
		}
		if all || what == "ownership" {
			c.owner = on
		}
		if all || what == "links" {
			c.links = on
		}
		if all || what == "xattr" {
			c.xattrs, c.needXattrs = on, on && !all
		}
		if what == "context" && on {
			p.Errorf("cannot preserve security context without an SELinux-enabled kernel")
			return false
		}
	}
	return true
}

// stripSlashes takes the slashes at the end off every operand.
func stripSlashes(args []string) []string {
	out := slices.Clone(args)
	for i, a := range out {
		if t := strings.TrimRight(a, "/"); t != "" {
			out[i] = t
		}
	}
	return out
}

// copyTree copies a file, or a directory with all that is in it. dev is the file system of the operand's top.
func copyTree(p *kernel.Process, c *copying, from, to string, top bool, dev uint32) bool {
	it := &copyItem{p: p, c: c, from: from, to: to, top: top, dev: dev}
	it.follow = c.follow == 'L' || c.follow == 'H' && top
	if good, done := it.look(); !good || done {
		return good
	}
	saved, good, done := it.makeWay()
	if !good || done {
		return good
	}
	st := it.st
	if c.verbose && !st.IsDir() {
		sayCopied(p, c, from, to, saved)
	}
	if c.links && !st.IsDir() && st.Nlink > 1 {
		if earlier, ok := c.first[inodeKey(st)]; ok {
			return linkCopy(p, earlier, to, true, false)
		}
		remember(&c.first, inodeKey(st), to)
	}
	switch {
	case st.IsDir():
		return copyDir(p, c, from, to, st, it.fresh, top, it.dev)
	case c.symLink:
		return it.symlink()
	case c.hardLink:
		return linkCopy(p, from, to, c.force, it.follow)
	case st.IsSymlink():
		if err := p.Symlink(st.Target, to); err != nil {
			p.Errorf("cannot create symbolic link %s: %s", libc.Quote(to), kernel.Strerror(err))
			return false
		}
		return keepAttributes(p, c, from, to, st, true)
	case !st.IsRegular() && c.recursive:
		p.Errorf("hosttest: cannot copy the special file %s", libc.Quote(from))
		return false
	}
	return it.content()
}

// A copyItem is one file or directory that is copied.
type copyItem struct {
	p        *kernel.Process
	c        *copying
	from, to string
	top      bool        // an operand
	dev      uint32      // the file system of the operand's top
	follow   bool        // a link counts as what it points to
	st       kernel.Stat // of from
	fresh    bool        // there is nothing at to
}

func inodeKey(st kernel.Stat) kernel.InodeKey {
	return kernel.InodeKey{Vol: st.At.Mnt.Vol, Num: st.At.Num}
}

// look looks at what is to be copied.
func (it *copyItem) look() (good, done bool) {
	p, c := it.p, it.c
	look := p.Lstat
	if it.follow {
		look = p.Stat
	}
	st, err := look(it.from)
	if err != nil {
		p.Errorf("cannot stat %s: %s", libc.Quote(it.from), kernel.Strerror(err))
		return false, true
	}
	it.st = st
	if it.top {
		it.dev = st.Dev
	}
	if st.IsDir() && !c.recursive {
		p.Errorf("-r not specified; omitting directory %s", libc.Quote(it.from))
		return false, true
	}
	if names, ok := c.tops[inodeKey(st)]; ok && st.IsDir() {
		p.Errorf("cannot copy a directory, %s, into itself, %s", libc.Quote(names[0]), libc.Quote(names[1]))
		return false, true
	}
	if it.top && c.many && !st.IsDir() && c.backups == nil {
		name := namedFile{it.from, inodeKey(st)}
		if c.read[name] {
			p.Errorf("warning: source file %s specified more than once", libc.Quote(it.from))
			return true, true
		}
		remember(&c.read, name, true)
	}
	return true, false
}

// makeWay looks at what is there already, and moves it away where the copy is to be a new file. saved is where it went.
func (it *copyItem) makeWay() (saved string, good, done bool) {
	p, c, st, to := it.p, it.c, it.st, it.to
	// A link in the place of a regular file is written through.
	lookTo := p.Stat
	if !st.IsRegular() || c.moving || c.symLink || c.hardLink || c.backups != nil || c.replace {
		lookTo = p.Lstat
	}
	dst, err := lookTo(to)
	if err == syscall.ENOENT {
		it.fresh = true
		return "", true, false
	}
	if err != nil {
		p.Errorf("cannot stat %s: %s", libc.Quote(to), kernel.Strerror(err))
		return "", false, true
	}
	if good, done := settle(p, c, it.from, to, st, dst); !good || done {
		return "", good, done
	}
	numbered := c.backups != nil && c.backups.control == "numbered"
	if !dst.IsDir() && !st.IsDir() && !numbered && c.made[namedFile{to, inodeKey(dst)}] {
		p.Errorf("will not overwrite just-created %s with %s", libc.Quote(to), libc.Quote(it.from))
		return "", false, true
	}
	switch {
	case c.backups != nil && !st.IsDir() && path.Base(to) != "." && path.Base(to) != "..":
		if saved, err = backUp(p, c.backups, to); err != nil {
			p.Errorf("cannot backup %s: %s", libc.Quote(to), kernel.Strerror(err))
			return "", false, true
		}
		it.fresh = true
	case !dst.IsDir() && it.replaces(dst):
		if err := p.Unlink(to); err != nil && err != syscall.ENOENT {
			p.Errorf("cannot remove %s: %s", libc.Quote(to), kernel.Strerror(err))
			return "", false, true
		}
		if c.verbose {
			p.Print("removed ", libc.Quote(to), "\n")
		}
		it.fresh = true
	}
	return saved, true, false
}

// replaces tells whether the file that is there is removed rather than written to.
func (it *copyItem) replaces(dst kernel.Stat) bool {
	c := it.c
	if c.replace {
		return true
	}
	return !c.attributesOnly && !c.moving && (c.links && dst.Nlink > 1 || c.follow == 'P' && !it.st.IsRegular())
}

// symlink is cp -s.
func (it *copyItem) symlink() bool {
	p, from, to := it.p, it.from, it.to
	here, herr := p.Stat(".")
	there, terr := p.Stat(path.Dir(to))
	if !strings.HasPrefix(from, "/") && herr == nil && terr == nil && (here.Dev != there.Dev || here.Ino != there.Ino) {
		p.Errorf("%s: can make relative symbolic links only in current directory", libc.QuoteMaybe(to))
		return false
	}
	err := p.Symlink(from, to)
	if err == syscall.EEXIST && it.c.force && p.Unlink(to) == nil {
		err = p.Symlink(from, to)
	}
	if err != nil {
		p.Errorf("cannot create symbolic link %s to %s: %s", libc.Quote(to), libc.Quote(from), kernel.Strerror(err))
		return false
	}
	return true
}

// content copies what is in a file.
func (it *copyItem) content() bool {
	p, c, to := it.p, it.c, it.to
	perm := it.st.Perm() & 0o777
	if c.owner {
		perm &= 0o700
	}
	if c.noMode {
		perm = 0o666
	}
	if it.fresh {
		if l, err := p.Lstat(to); err == nil && l.IsSymlink() {
			p.Errorf("not writing through dangling symlink %s", libc.Quote(to))
			return false
		}
	}
	fresh, err := copyFile(p, c, it.from, to, perm, it.fresh)
	if err != nil {
		libc.SayError(p, err)
		return false
	}
	if d, err := p.Stat(to); err == nil && it.top && c.many {
		remember(&c.made, namedFile{to, inodeKey(d)}, true)
	}
	return keepAttributes(p, c, it.from, to, it.st, fresh)
}

func sayCopied(p *kernel.Process, c *copying, from, to, saved string) {
	verb := ""
	if c.moving {
		verb = "copied "
	}
	if saved != "" {
		saved = " (backup: " + libc.Quote(saved) + ")"
	}
	p.Print(verb, libc.Quote(from), " -> ", libc.Quote(to), saved, "\n")
}

// settle looks at a destination that exists: it may be the same file, be of another kind, or be kept.
func settle(p *kernel.Process, c *copying, from, to string, st, dst kernel.Stat) (good, done bool) {
	if st.Dev == dst.Dev && st.Ino == dst.Ino && !st.IsDir() {
		if c.hardLink {
			return true, true
		}
		_, lerr := p.Lstat(to)
		distinct := st.Path != dst.Path || dst.IsSymlink()
		if !(lerr == nil && distinct && (c.replace || c.backups != nil && !dst.IsSymlink() && c.moving)) &&
			!(c.force && distinct && st.Nlink > 1) {
			p.Errorf("%s and %s are the same file", libc.Quote(from), libc.Quote(to))
			return false, true
		}
	}
	if c.noClobber && !st.IsDir() {
		return true, true
	}
	if c.update && !st.IsDir() && !st.Mtime.After(dst.Mtime) {
		return true, true
	}
	if c.ask && !st.IsDir() && !dst.IsDir() && !confirm(p, "overwrite %s? ", libc.Quote(to)) {
		return true, true
	}
	if dst.IsDir() && !st.IsDir() && c.backups == nil {
		p.Errorf("cannot overwrite directory %s with non-directory", libc.Quote(to))
		return false, true
	}
	if !dst.IsDir() && st.IsDir() {
		p.Errorf("cannot overwrite non-directory %s with directory %s", libc.Quote(to), libc.Quote(from))
		return false, true
	}
	return true, false
}

// confirm asks on standard error and reads the answer from standard input.
func confirm(p *kernel.Process, format string, a ...any) bool {
	p.Flush()
	p.Warnf("%s: "+format, append([]any{p.Name()}, a...)...)
	line, err := libc.ReadLine(p)
	return err == nil && line != "" && (line[0] == 'y' || line[0] == 'Y')
}

func linkCopy(p *kernel.Process, from, to string, replace, follow bool) bool {
	err := p.Link(from, to, follow)
	if err == syscall.EEXIST && replace && p.Unlink(to) == nil {
		err = p.Link(from, to, follow)
	}
	if err != nil {
		p.Errorf("cannot create hard link %s to %s: %s", libc.Quote(to), libc.Quote(from), kernel.Strerror(err))
		return false
	}
	return true
}

func copyDir(p *kernel.Process, c *copying, from, to string, st kernel.Stat, fresh, top bool, dev uint32) bool {
	if fresh {
		perm := st.Perm() & 0o777
		if c.owner {
			perm &= 0o700
		}
		if c.noMode {
			perm = 0o777
		}
		if err := p.Mkdir(to, perm|0o700); err != nil {
			p.Errorf("cannot create directory %s: %s", libc.Quote(to), kernel.Strerror(err))
			return false
		}
		if c.verbose {
			if c.moving {
				p.Print("created directory ", libc.Quote(to), "\n")
			} else {
				sayCopied(p, c, from, to, "")
			}
		}
	}
	if d, err := p.Stat(to); err == nil && top {
		remember(&c.tops, inodeKey(d), [2]string{from, to})
	}
	good := true
	if !c.oneFS || st.Dev == dev {
		names, err := p.ReadDir(from)
		if err != nil {
			p.Errorf("cannot access %s: %s", libc.Quote(from), kernel.Strerror(err))
			good = false
		}
		for _, n := range names {
			good = copyTree(p, c, libc.JoinPath(from, n), libc.JoinPath(to, n), false, dev) && good
		}
	}
	if fresh && !c.mode && !c.noMode {
		p.Chmod(to, st.Perm()&0o777&^p.Umask)
	}
	return keepAttributes(p, c, from, to, st, fresh) && good
}

// keepAttributes gives the copy what is to be kept of the original.
func keepAttributes(p *kernel.Process, c *copying, from, to string, st kernel.Stat, fresh bool) bool {
	follow := !st.IsSymlink()
	good := true
	if c.times {
		if err := p.Utimes(to, st.Atime.UnixNano(), st.Mtime.UnixNano(), false, follow); err != nil {
			p.Errorf("preserving times for %s: %s", libc.Quote(to), kernel.Strerror(err))
			good = false
		}
	}
	setIDs := uint32(0)
	if c.owner {
		if d, err := p.Lstat(to); follow {
			d, err = p.Stat(to)
			if err == nil && (fresh || d.UID != st.UID || d.GID != st.GID) {
				setIDs = copyOwner(p, to, st, follow, &good)
			}
		} else if err == nil && (d.UID != st.UID || d.GID != st.GID) {
			copyOwner(p, to, st, follow, &good)
		}
	}
	if c.xattrs && follow {
		if err := copyXattrs(p, from, to); err != nil && c.needXattrs {
			p.Errorf("setting attributes for %s: %s", libc.QuoteMaybe(to), kernel.Strerror(err))
			good = false
		}
	}
	switch {
	case !follow:
	case c.mode:
		err := copyACL(p, from, to)
		if err == nil {
			err = p.Chmod(to, st.Perm()&^setIDs)
		}
		if err != nil {
			p.Errorf("preserving permissions for %s: %s", libc.Quote(to), kernel.Strerror(err))
			good = false
		}
	}
	return good
}

// copyOwner gives a copy the owner of the original. Whoever may not do it loses the set-ID bits instead.
func copyOwner(p *kernel.Process, to string, st kernel.Stat, follow bool, good *bool) (lost uint32) {
	err := p.Chown(to, int64(st.UID), int64(st.GID), follow)
	switch {
	case err == nil:
		return 0
	case err == syscall.EPERM && p.UID != 0:
		p.Chown(to, -1, int64(st.GID), follow)
		return kernel.ModeSetUID | kernel.ModeSetGID
	}
	p.Errorf("failed to preserve ownership for %s: %s", libc.Quote(to), kernel.Strerror(err))
	*good = false
	return 0
}

var errCannotOpen = errors.New("cannot create regular file")

// copyFile copies the content of a regular file; fresh tells that the copy is a new file.
func copyFile(p *kernel.Process, c *copying, from, to string, perm uint32, fresh bool) (bool, error) {
	flags := os.O_TRUNC
	if c.attributesOnly {
		flags = 0
	}
	if fresh {
		flags |= os.O_EXCL
	}
	err := copyData(p, from, to, perm, flags, c)
	if errors.Is(err, errCannotOpen) && !fresh && c.force {
		if err := p.Unlink(to); err != nil && err != syscall.ENOENT {
			return false, fmt.Errorf("cannot remove %s: %w", libc.Quote(to), err)
		}
		if c.verbose {
			p.Print("removed ", libc.Quote(to), "\n")
		}
		fresh = true
		err = copyData(p, from, to, perm, flags|os.O_EXCL, c)
	}
	return fresh, err
}

// copyData copies a file's content into a new file (O_EXCL) or one that is there.
func copyData(p *kernel.Process, from, to string, perm uint32, flags int, c *copying) error {
	src, err := p.Open(from, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("cannot open %s for reading: %w", libc.Quote(from), err)
	}
	defer src.Release()
	if flags&os.O_EXCL != 0 {
		flags |= os.O_CREATE
	}
	dst, err := p.Open(to, os.O_WRONLY|flags, perm)
	if err != nil {
		if err == syscall.EISDIR && strings.HasSuffix(to, "/") {
			err = syscall.ENOTDIR
		}
		return fmt.Errorf("%w %s: %w", errCannotOpen, libc.Quote(to), err)
	}
	defer dst.Release()
	if c != nil && c.attributesOnly {
		return nil
	}
	if c != nil && c.clone {
		return fmt.Errorf("failed to clone %s from %s: %w", libc.Quote(to), libc.Quote(from), syscall.ENOTSUP)
	}
	buf := make([]byte, 128<<10)
	for {
		n, err := src.Read(p, buf)
		p.Check()
		if n > 0 {
			if _, err := dst.Write(p, buf[:n]); err != nil {
				return fmt.Errorf("error writing %s: %w", libc.Quote(to), err)
			}
		}
		if err != nil {
			if err == io.EOF {
				return nil
			}
			return fmt.Errorf("error reading %s: %w", libc.Quote(from), err)
		}
	}
}

// copyXattrs copies the extended attributes but for the access list, which belongs to the mode.
func copyXattrs(p *kernel.Process, from, to string) error {
	have, err := p.Xattrs(from)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if name == kernel.ACLAccess {
			continue
		}
		if e := p.SetXattr(to, name, have[name]); e != nil {
			err = e
		}
	}
	return err
}

// copyACL copies the access list, or takes one away that the original has not.
func copyACL(p *kernel.Process, from, to string) error {
	have, err := p.Xattrs(from)
	if err != nil {
		return err
	}
	old, err := p.Xattrs(to)
	if err != nil || have[kernel.ACLAccess] == old[kernel.ACLAccess] {
		return err
	}
	return p.SetXattr(to, kernel.ACLAccess, have[kernel.ACLAccess])
}

// CopyArchive is cp -a: it reports errors as the program that the process runs.
func CopyArchive(p *kernel.Process, from, to string) bool {
	c := &copying{recursive: true, follow: 'P', mode: true, owner: true, times: true, xattrs: true}
	return copyTree(p, c, from, to, true, 0)
}

// remember puts something into a map that may not be there yet.
func remember[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}
