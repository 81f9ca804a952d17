package posix

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

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
	tarLong  = "extract>x get>x create>c list>t append>r update>u diff>d file=>f gzip>z gunzip>z ungzip>z bzip2>j " +
		"xz>J zstd directory=>C verbose>v keep-old-files>k skip-old-files preserve-permissions>p " +
		"same-permissions>p same-owner no-same-owner no-same-permissions absolute-names>P touch>m dereference>h " +
		"to-stdout>O overwrite unlink-first>U auto-compress>a sparse>S one-file-system>l exclude= " +
		"strip-components= owner= group= numeric-owner mtime= mode= sort= format=>H wildcards no-recursion warning= " +
		"no-overwrite-dir keep-directory-symlink anchored no-anchored totals checkpoint[= " +
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
			if at := strings.IndexByte(tarShort, c); at >= 0 && strings.HasPrefix(tarShort[at+1:], ":") &&
				len(rest) > 0 {
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
	name := t.o.Get("f")
	if name == "" {
		name = "-"
	}
	d, err := libc.OpenInput(t.p, name)
	if err != nil {
		return t.fatal("%s: Cannot open: %s", name, kernel.Strerror(err))
	}
	defer d.Release()
	if !t.enter() {
		return 2
	}
	in := bufio.NewReader(descReader{t.p, d})
	magic, err := in.Peek(2)
	if errors.Is(err, syscall.EISDIR) {
		t.p.Errorf("%s: Cannot read: Is a directory", name)
		return t.fatal("At beginning of tape, quitting now")
	}
	a := &tarArchive{t: t, empty: len(magic) == 0, zipped: len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b}
	var r io.Reader = in
	switch {
	case a.zipped && name == "-" && !t.o.Has("z"):
		return t.fatal("Archive is compressed. Use -z option")
	case t.o.Has("z") && !a.zipped:
		t.p.Warnf("\ngzip: stdin: not in gzip format\n")
		return t.fatal("Child returned status 1")
	case a.zipped:
		z, err := gzip.NewReader(in)
		if err != nil {
			return a.cutShort()
		}
		r = z
	}
	a.src = &countReader{r: r}
	if code, ok := a.members(tar.NewReader(a.src)); !ok {
		return code
	}
	t.finishDirs()
	for i, m := range t.members {
		if !a.found[i] {
			t.fail("%s: Not found in archive", m)
		}
	}
	return t.end()
}

// A tarArchive is an archive that is read.
type tarArchive struct {
	t      *tarRun
	empty  bool // not even a block of zeros
	zipped bool
	src    *countReader
	next   int64  // where the next header is
	found  []bool // which operands had a member
}

// cutShort is what gzip and tar say of a compressed archive that ends early.
func (a *tarArchive) cutShort() int {
	a.t.p.Warnf("\ngzip: stdin: unexpected end of file\n")
	return a.t.fatal("Child returned status 1")
}

// members lists or extracts the members that are wanted. When it cannot go on, ok is false and code the exit code.
func (a *tarArchive) members(tr *tar.Reader) (code int, ok bool) {
	t := a.t
	a.found = make([]bool, len(t.members))
	for first := true; ; first = false {
		h, err := tr.Next()
		if err == io.EOF && first && a.empty {
			err = tar.ErrHeader // two blocks of zeros are an empty archive; nothing at all is none
		}
		if err != nil {
			return a.end(err, first)
		}
		a.next = a.src.n + (h.Size+511)/512*512
		if !t.wanted(h.Name, a.found) {
			continue
		}
		if t.o.Has("t") {
			t.show(h)
			continue
		}
		switch err := t.extract(h, tr); {
		case err == nil:
		case a.zipped && errors.Is(err, io.ErrUnexpectedEOF):
			return a.cutShort(), false
		case errors.Is(err, io.ErrUnexpectedEOF):
			t.p.Errorf("Unexpected EOF in archive")
			return t.fatal("Unexpected EOF in archive"), false
		default:
			t.fail("%s: %s", strings.TrimSuffix(h.Name, "/"), err)
		}
	}
}

// end tells what the error of the next header means; first tells that it would be the first one.
func (a *tarArchive) end(err error, first bool) (code int, ok bool) {
	t := a.t
	short := a.src.n < a.next
	switch {
	case err == io.EOF && short:
		return t.fatal("Unexpected EOF in archive"), false
	case err == io.EOF:
	case a.zipped && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum)):
		t.p.Flush()
		return a.cutShort(), false
	case errors.Is(err, io.ErrUnexpectedEOF) && short:
		return t.fatal("Unexpected EOF in archive"), false
	case errors.Is(err, io.ErrUnexpectedEOF):
		// A part of a header ends an archive silently.
		if first {
			t.fail("This does not look like a tar archive")
		}
	case errors.Is(err, tar.ErrHeader) && first:
		t.fail("This does not look like a tar archive")
	case errors.Is(err, tar.ErrHeader):
		t.fail("Skipping to next header")
	default:
		return t.fatal("%s", err), false
	}
	return 0, true
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
	t.p.Printf("%s %s/%s %*s %s %s\n", ms, user, group, wide-len(user)-len(group)-2, size,
		libc.LocalTime(t.p, h.ModTime).Format("2006-01-02 15:04"), name)
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
