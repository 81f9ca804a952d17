package posix

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// A descReader reads an open file as an io.Reader.
type descReader struct {
	p *kernel.Process
	d *kernel.File
}

func (r descReader) Read(b []byte) (int, error) {
	n, err := r.d.Read(r.p, b)
	r.p.Check()
	return n, err
}

// A countReader counts what is read through it.
type countReader struct {
	r io.Reader
	n int64
}

func (c *countReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// The options of GNU tar that are understood here; some are refused later.
const (
	tarShort = "xctrudAf:zjJC:vkpPomhOWUaSlTX:b:H:ZI:K:N:"
	tarLong  = "extract>x get>x create>c list>t append>r update>u diff>d file=>f gzip>z gunzip>z ungzip>z bzip2>j xz>J zstd directory=>C verbose>v keep-old-files>k skip-old-files preserve-permissions>p " +
		"same-permissions>p same-owner no-same-owner no-same-permissions absolute-names>P touch>m dereference>h to-stdout>O overwrite unlink-first>U auto-compress>a sparse>S one-file-system>l exclude= " +
		"strip-components= owner= group= numeric-owner mtime= mode= sort= format=>H wildcards no-recursion warning= no-overwrite-dir keep-directory-symlink anchored no-anchored totals checkpoint[= " +
		"old-archive>o posix delay-directory-restore no-delay-directory-restore"
)

// A tarRun is one run of tar.
type tarRun struct {
	p       *kernel.Process
	o       *libc.Options
	members []string
	strip   int
	code    int
	removed string // the prefix that was said to be removed
	later   []tarDir
	links   map[kernel.InodeKey]string
}

// tarDir is a directory whose mode and time are set when its content is there.
type tarDir struct {
	name string
	h    *tar.Header
}

func cmdTar(p *kernel.Process) int {
	// The old way: the first word holds the letters, and their arguments follow.
	if len(p.Args) > 1 && p.Args[1] != "" && p.Args[1][0] != '-' {
		var args []string
		rest := p.Args[2:]
		for i := range len(p.Args[1]) {
			c := p.Args[1][i]
			args = append(args, "-"+string(c))
			if at := strings.IndexByte(tarShort, c); at >= 0 && strings.HasPrefix(tarShort[at+1:], ":") && len(rest) > 0 {
				args = append(args, rest[0])
				rest = rest[1:]
			}
		}
		p.Args = slices.Concat(p.Args[:1], args, rest)
	}
	try := func(code int) int {
		p.Warnf("Try 'tar --help' or 'tar --usage' for more information.\n")
		return code
	}
	o, ok := libc.Getopt(p, tarShort, tarLong)
	if !ok {
		return try(64)
	}
	t := &tarRun{p: p, o: o, members: o.Args, links: map[kernel.InodeKey]string{}}
	if v := o.Get("strip-components"); v != "" {
		n, ok := kernel.ParseUint(v)
		if !ok {
			p.Errorf("%s: Invalid number of elements", v)
			return try(2)
		}
		t.strip = int(n)
	}
	modes := 0
	for _, m := range []string{"x", "c", "t"} {
		modes += libc.BoolToInt(o.Has(m))
	}
	switch {
	case o.Has("r", "u", "d", "A", "j", "J", "zstd", "I", "Z", "T", "X", "K", "N", "b"):
		p.Errorf("hosttest: this tar only creates, lists and extracts archives that are plain or compressed by gzip")
		return 2
	case modes > 1:
		p.Errorf("You may not specify more than one '-Acdtrux', '--delete' or  '--test-label' option")
		return try(2)
	case modes == 0:
		p.Errorf("You must specify one of the '-Acdtrux', '--delete' or '--test-label' options")
		return try(2)
	case o.Has("c"):
		if len(t.members) == 0 {
			p.Errorf("Cowardly refusing to create an empty archive")
			return try(2)
		}
		return t.create()
	}
	return t.read()
}

func (t *tarRun) fatal(format string, a ...any) int {
	t.p.Flush()
	t.p.Errorf(format, a...)
	t.p.Errorf("Error is not recoverable: exiting now")
	return 2
}

func (t *tarRun) fail(format string, a ...any) {
	t.p.Flush()
	t.p.Errorf(format, a...)
	t.code = 2
}

func (t *tarRun) end() int {
	if t.code == 2 {
		t.p.Errorf("Exiting with failure status due to previous errors")
	}
	return t.code
}

// enter goes where -C says.
func (t *tarRun) enter() bool {
	for _, d := range t.o.All("C") {
		st, err := t.p.Stat(d)
		if err == nil && !st.IsDir() {
			err = syscall.ENOTDIR
		}
		if err == nil {
			err = t.p.Access(d, kernel.MayExec)
		}
		if err != nil {
			t.fatal("%s: Cannot open: %s", d, kernel.Strerror(err))
			return false
		}
		t.p.Dir = st.Path
	}
	return true
}

// read is -t and -x.
func (t *tarRun) read() int {
	p, o := t.p, t.o
	name := o.Get("f")
	if name == "" {
		name = "-"
	}
	d, err := libc.OpenInput(p, name)
	if err != nil {
		return t.fatal("%s: Cannot open: %s", name, kernel.Strerror(err))
	}
	defer d.Release()
	if !t.enter() {
		return 2
	}
	in := bufio.NewReader(descReader{p, d})
	magic, err := in.Peek(2)
	if errors.Is(err, syscall.EISDIR) {
		p.Errorf("%s: Cannot read: Is a directory", name)
		return t.fatal("At beginning of tape, quitting now")
	}
	zipped := len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b
	var r io.Reader = in
	switch {
	case zipped && name == "-" && !o.Has("z"):
		return t.fatal("Archive is compressed. Use -z option")
	case o.Has("z") && !zipped:
		p.Warnf("\ngzip: stdin: not in gzip format\n")
		return t.fatal("Child returned status 1")
	case zipped:
		z, err := gzip.NewReader(in)
		if err != nil {
			p.Warnf("\ngzip: stdin: unexpected end of file\n")
			return t.fatal("Child returned status 1")
		}
		r = z
	}
	src := &countReader{r: r}
	tr := tar.NewReader(src)
	next := int64(0) // where the next header is
	found := make([]bool, len(t.members))
	for first := true; ; first = false {
		h, err := tr.Next()
		if err == io.EOF && first {
			// Two blocks of zeros are an empty archive; nothing at all is none.
			if len(magic) == 0 {
				err = tar.ErrHeader
			}
		}
		if err == io.EOF && src.n < next {
			return t.fatal("Unexpected EOF in archive")
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			if zipped && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum)) {
				p.Flush()
				p.Warnf("\ngzip: stdin: unexpected end of file\n")
				return t.fatal("Child returned status 1")
			}
			if errors.Is(err, io.ErrUnexpectedEOF) {
				if src.n < next {
					return t.fatal("Unexpected EOF in archive")
				}
				if first {
					t.fail("This does not look like a tar archive")
				}
				break // a part of a header ends an archive silently
			}
			if errors.Is(err, tar.ErrHeader) {
				if first {
					t.fail("This does not look like a tar archive")
				} else {
					t.fail("Skipping to next header")
				}
				break
			}
			return t.fatal("%s", err)
		}
		next = src.n + (h.Size+511)/512*512
		if !t.wanted(h.Name, found) {
			continue
		}
		if o.Has("t") {
			t.show(h)
			continue
		}
		switch err := t.extract(h, tr); {
		case err == nil:
		case zipped && errors.Is(err, io.ErrUnexpectedEOF):
			p.Warnf("\ngzip: stdin: unexpected end of file\n")
			return t.fatal("Child returned status 1")
		case errors.Is(err, io.ErrUnexpectedEOF):
			p.Errorf("Unexpected EOF in archive")
			return t.fatal("Unexpected EOF in archive")
		default:
			t.fail("%s: %s", strings.TrimSuffix(h.Name, "/"), err)
		}
	}
	t.finishDirs()
	for i, m := range t.members {
		if !found[i] {
			t.fail("%s: Not found in archive", m)
		}
	}
	return t.end()
}

// wanted tells whether the operands and --exclude let a member through.
func (t *tarRun) wanted(name string, found []bool) bool {
	name = strings.TrimSuffix(name, "/")
	if t.excluded(name) {
		return false
	}
	if len(t.members) == 0 {
		return true
	}
	ok := false
	for i, m := range t.members {
		m = strings.TrimSuffix(m, "/")
		if name == m || strings.HasPrefix(name, m+"/") || t.o.Has("wildcards") && libc.Fnmatch(m, name) {
			found[i], ok = true, true
		}
	}
	return ok
}

// excluded follows --exclude: a pattern matches a name, or what is below it, from any slash on.
func (t *tarRun) excluded(name string) bool {
	for _, pat := range t.o.All("exclude") {
		for at := name; ; {
			for up := at; up != "." && up != "/" && up != ""; up = path.Dir(up) {
				if libc.Fnmatch(pat, up) {
					return true
				}
				if !strings.Contains(up, "/") {
					break
				}
			}
			_, rest, more := strings.Cut(at, "/")
			if !more || t.o.Has("anchored") {
				break
			}
			at = rest
		}
	}
	return false
}

func (t *tarRun) show(h *tar.Header) {
	if !t.o.Has("v") {
		t.p.Print(h.Name, "\n")
		return
	}
	user, group := h.Uname, h.Gname
	if user == "" || t.o.Has("numeric-owner") {
		user = strconv.Itoa(h.Uid)
	}
	if group == "" || t.o.Has("numeric-owner") {
		group = strconv.Itoa(h.Gid)
	}
	mode := uint32(h.Mode) & 0o7777
	size := strconv.FormatInt(h.Size, 10)
	kind := byte('-')
	name := h.Name
	switch h.Typeflag {
	case tar.TypeDir:
		mode |= kernel.ModeDir
	case tar.TypeSymlink:
		mode |= kernel.ModeSymlink
		name += " -> " + h.Linkname
	case tar.TypeLink:
		kind = 'h'
		name += " link to " + h.Linkname
	case tar.TypeFifo:
		mode |= kernel.ModeFIFO
	case tar.TypeChar:
		mode |= kernel.ModeChar
	case tar.TypeBlock:
		mode |= kernel.ModeBlock
	}
	if mode&kernel.ModeType == 0 {
		mode |= kernel.ModeRegular
	}
	ms := []byte(modeString(mode))
	if kind == 'h' {
		ms[0] = kind
	}
	wide := max(19, len(user)+len(group)+len(size)+2)
	t.p.Printf("%s %s/%s %*s %s %s\n", ms, user, group, wide-len(user)-len(group)-2, size, libc.LocalTime(t.p, h.ModTime).Format("2006-01-02 15:04"), name)
}

// local gives the name under which a member is extracted; "" leaves it out.
func (t *tarRun) local(name string) (string, error) {
	if !t.o.Has("P") {
		if strings.HasPrefix(name, "/") {
			t.sayRemoved("/", "member names")
			name = strings.TrimLeft(name, "/")
		}
		if slices.Contains(strings.Split(name, "/"), "..") {
			return "", errors.New("Member name contains '..'")
		}
	}
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '/' })
	if t.strip > 0 {
		if len(parts) <= t.strip {
			return "", nil
		}
		parts = parts[t.strip:]
	}
	out := strings.Join(parts, "/")
	if strings.HasPrefix(name, "/") {
		out = "/" + out
	}
	if out == "" {
		out = "."
	}
	return out, nil
}

func (t *tarRun) sayRemoved(prefix, of string) {
	if t.removed != prefix+of {
		t.removed = prefix + of
		t.p.Errorf("Removing leading `%s' from %s", prefix, of)
	}
}

func (t *tarRun) sameOwner() bool {
	return t.p.UID == 0 && !t.o.Has("no-same-owner", "o") || t.o.Has("same-owner")
}

// perm is the mode that a member gets.
func (t *tarRun) perm(h *tar.Header) uint32 {
	mode := uint32(h.Mode) & 0o7777
	if t.p.UID == 0 && !t.o.Has("no-same-permissions") || t.o.Has("p") {
		if !t.sameOwner() {
			mode &^= kernel.ModeSetUID | kernel.ModeSetGID
		}
		return mode
	}
	return mode &^ (t.p.Umask | kernel.ModeSetUID | kernel.ModeSetGID | kernel.ModeSticky)
}

// placing runs make until there is room for it: parents are made, and what is in the way is removed.
func (t *tarRun) placing(name string, make func() error) error {
	err := make()
	if errors.Is(err, syscall.ENOENT) {
		if up := path.Dir(name); up != "." {
			old := t.p.Umask
			if e := libc.MkdirOne(t.p, up, true, nil, false); e == nil {
				err = make()
			}
			t.p.Umask = old
		}
	}
	if errors.Is(err, syscall.EEXIST) && !t.o.Has("k") {
		if e := t.p.Unlink(name); e == nil {
			err = make()
		} else if errors.Is(e, syscall.EISDIR) && t.p.Rmdir(name) == nil {
			err = make()
		}
	}
	return err
}

// extract makes what a member describes.
func (t *tarRun) extract(h *tar.Header, r io.Reader) error {
	p := t.p
	name, err := t.local(h.Name)
	if name == "" {
		return err
	}
	if t.o.Has("O") {
		if h.Typeflag == tar.TypeReg {
			p.Flush()
			_, err := io.Copy(p.Stdout(), r)
			return err
		}
		return nil
	}
	if t.o.Has("v") {
		p.Print(h.Name, "\n")
	}
	if t.o.Has("k", "skip-old-files") && h.Typeflag != tar.TypeDir {
		if _, err := p.Lstat(name); err == nil {
			if t.o.Has("k") {
				return errors.New("Cannot open: File exists")
			}
			return nil
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		err := t.placing(name, func() error {
			st, err := p.Lstat(name)
			if err == nil && (st.IsDir() || st.IsSymlink() && t.o.Has("keep-directory-symlink")) {
				return nil
			}
			return p.Mkdir(name, 0o700)
		})
		if err != nil {
			return fmt.Errorf("Cannot mkdir: %s", kernel.Strerror(err))
		}
		t.later = append(t.later, tarDir{name, h})
		return nil
	case tar.TypeSymlink:
		if err := t.placing(name, func() error { return p.Symlink(h.Linkname, name) }); err != nil {
			return fmt.Errorf("Cannot create symlink to '%s': %s", h.Linkname, kernel.Strerror(err))
		}
		return t.own(name, h)
	case tar.TypeLink:
		to, err := t.local(h.Linkname)
		if err != nil || to == "" {
			return err
		}
		if err := t.placing(name, func() error { return p.Link(to, name, false) }); err != nil {
			return fmt.Errorf("Cannot hard link to '%s': %s", to, kernel.Strerror(err))
		}
		return nil
	case tar.TypeReg, tar.TypeGNUSparse:
		var d *kernel.File
		err := t.placing(name, func() (err error) {
			d, err = p.Open(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			return err
		})
		if err != nil {
			return fmt.Errorf("Cannot open: %s", kernel.Strerror(err))
		}
		defer d.Release()
		buf := make([]byte, 128<<10)
		for {
			n, rerr := r.Read(buf)
			if n > 0 {
				if _, err := d.Write(p, buf[:n]); err != nil {
					return fmt.Errorf("Cannot write: %s", kernel.Strerror(err))
				}
			}
			if rerr == io.EOF {
				break
			}
			if rerr != nil {
				return rerr
			}
		}
		return t.own(name, h)
	}
	return errors.New("hosttest: this tar makes no devices and no pipes")
}

// own sets owner, mode and time.
func (t *tarRun) own(name string, h *tar.Header) error {
	p := t.p
	if t.sameOwner() {
		uid, gid := int64(h.Uid), int64(h.Gid)
		if !t.o.Has("numeric-owner") {
			if u := libc.UserByName(p.Kernel, h.Uname); h.Uname != "" && u != nil {
				uid = int64(u.UID)
			}
			if g := libc.GroupByName(p.Kernel, h.Gname); h.Gname != "" && g != nil {
				gid = int64(g.GID)
			}
		}
		if err := p.Chown(name, uid, gid, false); err != nil {
			return fmt.Errorf("Cannot change ownership to uid %d, gid %d: %s", uid, gid, kernel.Strerror(err))
		}
	}
	if h.Typeflag != tar.TypeSymlink {
		if err := p.Chmod(name, t.perm(h)); err != nil {
			return fmt.Errorf("Cannot change mode to %s: %s", modeString(t.perm(h))[1:], kernel.Strerror(err))
		}
	}
	if !t.o.Has("m") {
		if err := p.Utimes(name, -1, h.ModTime.UnixNano(), false, false); err != nil {
			return fmt.Errorf("Cannot utime: %s", kernel.Strerror(err))
		}
	}
	return nil
}

func (t *tarRun) finishDirs() {
	for _, d := range slices.Backward(t.later) {
		if err := t.own(d.name, d.h); err != nil {
			t.fail("%s: %s", d.name, err)
		}
	}
}

// create is -c.
func (t *tarRun) create() int {
	p, o := t.p, t.o
	var out bytes.Buffer
	name := o.Get("f")
	if name == "" {
		name = "-"
	}
	var dst *kernel.File
	if name != "-" {
		d, err := p.Open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
		if err != nil {
			return t.fatal("%s: Cannot open: %s", name, kernel.Strerror(err))
		}
		defer d.Release()
		dst = d
	}
	if len(o.All("C")) > 1 {
		return t.fatal("hosttest: this tar knows one -C")
	}
	if !t.enter() {
		return 2
	}
	zip := o.Has("z") || o.Has("a") && (strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".tgz"))
	w := tar.NewWriter(&out)
	for _, m := range t.members {
		t.add(w, m)
	}
	if err := w.Close(); err != nil {
		return t.fatal("%s", err)
	}
	if r := out.Len() % 10240; r > 0 {
		out.Write(make([]byte, 10240-r)) // a record of tar
	}
	b := out.Bytes()
	if zip {
		var z bytes.Buffer
		g := gzip.NewWriter(&z)
		g.Write(b) // to memory
		g.Close()
		b = z.Bytes()
	}
	if dst == nil {
		p.Flush()
		if err := p.Write(1, b); err != nil {
			return t.fatal("-: Cannot write: %s", kernel.Strerror(err))
		}
		return t.end()
	}
	if _, err := dst.Write(p, b); err != nil {
		return t.fatal("%s: Cannot write: %s", name, kernel.Strerror(err))
	}
	return t.end()
}

// add puts a file, or a directory with what is in it, into the archive.
func (t *tarRun) add(w *tar.Writer, name string) {
	p, o := t.p, t.o
	if t.excluded(strings.TrimSuffix(name, "/")) {
		return
	}
	look := p.Lstat
	if o.Has("h") {
		look = p.Stat
	}
	st, err := look(name)
	if err != nil {
		t.fail("%s: Cannot stat: %s", name, kernel.Strerror(err))
		return
	}
	in := name
	if !o.Has("P") && strings.HasPrefix(in, "/") {
		t.sayRemoved("/", "member names")
		in = strings.TrimLeft(in, "/")
		if in == "" {
			in = "."
		}
	}
	h := &tar.Header{Name: in, Mode: int64(st.Perm()), Uid: int(st.UID), Gid: int(st.GID), ModTime: time.Unix(st.Mtime.Unix(), 0), Format: tar.FormatGNU}
	if !o.Has("numeric-owner") {
		if u := libc.UserByID(p.Kernel, st.UID); u != nil {
			h.Uname = u.Name
		}
		if g := libc.GroupByID(p.Kernel, st.GID); g != nil {
			h.Gname = g.Name
		}
	}
	if !t.override(h) {
		return
	}
	var data []byte
	switch st.Mode & kernel.ModeType {
	case kernel.ModeDir:
		h.Typeflag = tar.TypeDir
		if !strings.HasSuffix(h.Name, "/") {
			h.Name += "/"
		}
	case kernel.ModeSymlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, st.Target
	case kernel.ModeRegular:
		h.Typeflag = tar.TypeReg
		if first, ok := t.links[st.At.Key()]; ok && st.Nlink > 1 {
			h.Typeflag, h.Linkname = tar.TypeLink, first
			break
		}
		t.links[st.At.Key()] = in
		if data, err = p.ReadFile(name); err != nil {
			t.fail("%s: Cannot open: %s", name, kernel.Strerror(err))
			return
		}
		h.Size = int64(len(data))
	case kernel.ModeSocket:
		p.Errorf("%s: socket ignored", name)
		return
	default:
		t.fail("%s: hosttest: this tar keeps no devices and no pipes", name)
		return
	}
	if o.Has("v") {
		if o.Has("f") && o.Get("f") != "-" {
			p.Print(h.Name, "\n")
		} else {
			p.Warnf("%s\n", h.Name)
		}
	}
	if err := w.WriteHeader(h); err != nil {
		t.fail("%s: %s", name, err)
		return
	}
	w.Write(data) // to memory
	if !st.IsDir() || o.Has("no-recursion") {
		return
	}
	names, err := p.ReadDir(name)
	if err != nil {
		t.fail("%s: Cannot open: %s", name, kernel.Strerror(err))
		return
	}
	if o.Get("sort") == "name" {
		slices.Sort(names)
	}
	for _, n := range names {
		t.add(w, strings.TrimSuffix(name, "/")+"/"+n)
	}
}

// override follows --owner, --group, --mode and --mtime.
func (t *tarRun) override(h *tar.Header) bool {
	id := func(v string, known func(string) (int, bool)) (string, int, bool) {
		name, num, has := strings.Cut(v, ":")
		if has {
			n, ok := kernel.ParseUint(num)
			return name, int(n), ok
		}
		if n, ok := known(name); ok {
			return name, n, true
		}
		n, ok := kernel.ParseUint(strings.TrimPrefix(name, "+"))
		return "", int(n), ok
	}
	if v := t.o.Get("owner"); v != "" {
		name, n, ok := id(v, func(s string) (int, bool) {
			if u := libc.UserByName(t.p.Kernel, s); u != nil {
				return int(u.UID), true
			}
			return 0, false
		})
		if !ok {
			t.fail("%s: Invalid owner", v)
			return false
		}
		h.Uname, h.Uid = name, n
	}
	if v := t.o.Get("group"); v != "" {
		name, n, ok := id(v, func(s string) (int, bool) {
			if g := libc.GroupByName(t.p.Kernel, s); g != nil {
				return int(g.GID), true
			}
			return 0, false
		})
		if !ok {
			t.fail("%s: Invalid group", v)
			return false
		}
		h.Gname, h.Gid = name, n
	}
	if v := t.o.Get("mode"); v != "" {
		f, err := libc.ParseMode(v)
		if err != nil {
			t.fail("Invalid mode given on option")
			return false
		}
		h.Mode = int64(f(uint32(h.Mode), h.Typeflag == tar.TypeDir, 0))
	}
	if v := t.o.Get("mtime"); v != "" {
		at, err := parseDate(v, libc.LocalTime(t.p, t.p.Kernel.Now()))
		if err != nil {
			t.fail("Unknown date format %s", v)
			return false
		}
		h.ModTime = at
	}
	if t.o.Has("numeric-owner") {
		h.Uname, h.Gname = "", ""
	}
	return true
}

func cmdGzip(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "acdfhklLnNqrS:tvV123456789", "ascii>a stdout>c to-stdout>c decompress>d uncompress>d force>f keep>k list>l no-name>n name>N quiet>q recursive>r suffix=>S test>t verbose>v fast>1 best>9 rsyncable synchronous")
	if !ok {
		p.Warnf("Try `%s --help' for more information.\n", "gzip")
		return 1
	}
	if o.Has("r", "l", "S") {
		p.Errorf("hosttest: this gzip knows no -r, -l and -S")
		return 1
	}
	unzip := o.Has("d", "t") || p.Name() != "gzip"
	out := o.Has("c") || p.Name() == "zcat"
	names := o.Args
	if len(names) == 0 {
		names = []string{"-"}
	}
	code := 0
	for _, n := range names {
		if c := gzipOne(p, o, n, unzip, out); c == 1 || code == 0 {
			code = c
		}
	}
	return code
}

// gzipOne does one file. It returns 1 for an error and 2 for a warning, as gzip does.
func gzipOne(p *kernel.Process, o *libc.Options, name string, unzip, stdout bool) int {
	shown := name
	if name == "-" {
		shown, stdout = "stdin", true
	}
	to := name + ".gz"
	if name != "-" {
		st, err := p.Stat(name)
		if err != nil && unzip && !strings.HasSuffix(name, ".gz") {
			name += ".gz"
			shown = name
			st, err = p.Stat(name)
		}
		switch {
		case err != nil:
			p.Warnf("gzip: %s: %s\n", shown, kernel.Strerror(err))
			return 1
		case st.IsDir():
			p.Warnf("gzip: %s is a directory -- ignored\n", shown)
			return 2
		case !st.IsRegular() && !stdout && !o.Has("f"):
			p.Warnf("gzip: %s is not a directory or a regular file - ignored\n", shown)
			return 2
		}
		if base, ok := strings.CutSuffix(name, ".gz"); ok && unzip {
			to = base
		} else if base, ok := strings.CutSuffix(name, ".tgz"); ok && unzip {
			to = base + ".tar"
		} else if unzip && !stdout && !o.Has("t") {
			p.Warnf("gzip: %s: unknown suffix -- ignored\n", shown)
			return 2
		} else if ok && !unzip && !stdout {
			p.Warnf("gzip: %s already has .tgz suffix -- unchanged\n", shown)
			return 2
		}
		if !unzip && !stdout && strings.HasSuffix(name, ".gz") {
			p.Warnf("gzip: %s already has .gz suffix -- unchanged\n", shown)
			return 0
		}
	}
	d, err := libc.OpenInput(p, name)
	if err != nil {
		p.Warnf("gzip: %s: %s\n", shown, kernel.Strerror(err))
		return 1
	}
	defer d.Release()
	b, err := p.ReadAll(d)
	if err != nil {
		p.Warnf("gzip: %s: %s\n", shown, kernel.Strerror(err))
		return 1
	}
	var res bytes.Buffer
	broken := ""
	if unzip {
		broken = gunzipAll(&res, b)
		if broken == "not in gzip format" && o.Has("f") && stdout {
			res.Write(b)
			broken = ""
		}
	} else {
		level := gzip.DefaultCompression
		for l := 1; l <= 9; l++ {
			if o.Has(strconv.Itoa(l)) {
				level = l
			}
		}
		z, err := gzip.NewWriterLevel(&res, level)
		if err != nil {
			return 1
		}
		if name != "-" && !o.Has("n") {
			z.Name = path.Base(name)
			if st, err := p.Stat(name); err == nil {
				z.ModTime = st.Mtime
			}
		}
		z.Write(b) // to memory
		z.Close()
	}
	if stdout && !o.Has("t") {
		p.Flush()
		if err := p.Write(1, res.Bytes()); err != nil {
			p.Warnf("gzip: stdout: %s\n", kernel.Strerror(err))
			return 1
		}
	}
	if broken != "" {
		p.Warnf("\ngzip: %s: %s\n", shown, broken)
		return 1
	}
	if stdout || o.Has("t") {
		return 0
	}
	st, err := p.Stat(name)
	if err != nil {
		p.Warnf("gzip: %s: %s\n", shown, kernel.Strerror(err))
		return 1
	}
	if _, err := p.Lstat(to); err == nil {
		if !o.Has("f") {
			p.Warnf("gzip: %s already exists;\tnot overwritten\n", to)
			return 2
		}
		p.Unlink(to)
	}
	err = p.WriteFile(to, res.Bytes(), 0o600)
	if err == nil {
		err = p.Chmod(to, st.Perm())
	}
	if err == nil && p.UID == 0 {
		err = p.Chown(to, int64(st.UID), int64(st.GID), false)
	}
	if err == nil {
		err = p.Utimes(to, -1, st.Mtime.UnixNano(), false, false)
	}
	if err != nil {
		p.Warnf("gzip: %s: %s\n", to, kernel.Strerror(err))
		return 1
	}
	if !o.Has("k") {
		if err := p.Unlink(name); err != nil {
			p.Warnf("gzip: %s: %s\n", name, kernel.Strerror(err))
			return 1
		}
	}
	return 0
}

// gunzipAll decompresses as far as it can, and says what stopped it.
func gunzipAll(w io.Writer, b []byte) string {
	if len(b) < 2 || b[0] != 0x1f || b[1] != 0x8b {
		if len(b) == 0 {
			return "unexpected end of file"
		}
		return "not in gzip format"
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err == nil {
		_, err = io.Copy(w, z)
	}
	switch {
	case err == nil:
		return ""
	case errors.Is(err, gzip.ErrChecksum):
		return "invalid compressed data--crc error"
	case errors.Is(err, gzip.ErrHeader):
		return "decompression OK, trailing garbage ignored"
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		return "unexpected end of file"
	}
	return "invalid compressed data--format violated"
}
