package posix

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"path"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const (
	gzipShort = "acdfhklLnNqrS:tvV123456789"
	gzipLong  = "ascii>a stdout>c to-stdout>c decompress>d uncompress>d force>f keep>k list>l no-name>n name>N " +
		"quiet>q " +
		"recursive>r suffix=>S test>t verbose>v fast>1 best>9 rsyncable synchronous"
)

func cmdGzip(p *kernel.Process) int {
	o, ok := libc.Getopt(p, gzipShort, gzipLong)
	if !ok {
		p.Warnf("Try `%s --help' for more information.\n", "gzip")
		return 1
	}
	if o.Has("r", "l", "S") {
		p.Errorf("hosttest: this gzip knows no -r, -l and -S")
		return 1
	}
	names := o.Args
	if len(names) == 0 {
		names = []string{"-"}
	}
	code := 0
	for _, n := range names {
		z := &gzipFile{
			p: p, o: o, name: n, shown: n, to: n + ".gz",
			unzip:  o.Has("d", "t") || p.Name() != "gzip",
			stdout: o.Has("c") || p.Name() == "zcat" || n == "-",
		}
		if n == "-" {
			z.shown = "stdin"
		}
		if c := z.run(); c == 1 || code == 0 {
			code = c
		}
	}
	return code
}

// A gzipFile is one file of a gzip.
type gzipFile struct {
	p             *kernel.Process
	o             *libc.Options
	name          string // "-" is standard input
	shown         string // in messages
	to            string
	unzip, stdout bool
}

// fail says what went wrong with the file name.
func (z *gzipFile) fail(name string, err error) int {
	z.p.Warnf("gzip: %s: %s\n", name, kernel.Strerror(err))
	return 1
}

// run does the file. It returns 1 for an error and 2 for a warning, as gzip does.
func (z *gzipFile) run() int {
	if z.name != "-" {
		if code, ok := z.look(); !ok {
			return code
		}
	}
	d, err := libc.OpenInput(z.p, z.name)
	if err != nil {
		return z.fail(z.shown, err)
	}
	defer d.Release()
	b, err := z.p.ReadAll(d)
	if err != nil {
		return z.fail(z.shown, err)
	}
	var res bytes.Buffer
	broken := ""
	if z.unzip {
		broken = gunzipAll(&res, b)
		if broken == "not in gzip format" && z.o.Has("f") && z.stdout {
			res.Write(b)
			broken = ""
		}
	} else {
		z.compress(&res, b)
	}
	if z.stdout && !z.o.Has("t") {
		z.p.Flush()
		if err := z.p.Write(1, res.Bytes()); err != nil {
			return z.fail("stdout", err)
		}
	}
	if broken != "" {
		z.p.Warnf("\ngzip: %s: %s\n", z.shown, broken)
		return 1
	}
	if z.stdout || z.o.Has("t") {
		return 0
	}
	return z.replace(res.Bytes())
}

// look finds the file and the name of what comes of it. ok is false when there is nothing to do for it.
func (z *gzipFile) look() (code int, ok bool) {
	st, err := z.p.Stat(z.name)
	if err != nil && z.unzip && !strings.HasSuffix(z.name, ".gz") {
		z.name += ".gz"
		z.shown = z.name
		st, err = z.p.Stat(z.name)
	}
	switch {
	case err != nil:
		return z.fail(z.shown, err), false
	case st.IsDir():
		z.p.Warnf("gzip: %s is a directory -- ignored\n", z.shown)
		return 2, false
	case !st.IsRegular() && !z.stdout && !z.o.Has("f"):
		z.p.Warnf("gzip: %s is not a directory or a regular file - ignored\n", z.shown)
		return 2, false
	}
	gz, isGz := strings.CutSuffix(z.name, ".gz")
	tgz, isTgz := strings.CutSuffix(z.name, ".tgz")
	switch {
	case z.unzip && isGz:
		z.to = gz
	case z.unzip && isTgz:
		z.to = tgz + ".tar"
	case z.unzip && !z.stdout && !z.o.Has("t"):
		z.p.Warnf("gzip: %s: unknown suffix -- ignored\n", z.shown)
		return 2, false
	case !z.unzip && !z.stdout && isTgz:
		z.p.Warnf("gzip: %s already has .tgz suffix -- unchanged\n", z.shown)
		return 2, false
	case !z.unzip && !z.stdout && isGz:
		z.p.Warnf("gzip: %s already has .gz suffix -- unchanged\n", z.shown)
		return 0, false
	}
	return 0, true
}

// compress writes b to memory, with the name and the time of the file unless -n says not to.
func (z *gzipFile) compress(res *bytes.Buffer, b []byte) {
	level := gzip.DefaultCompression
	for l := 1; l <= 9; l++ {
		if z.o.Has(strconv.Itoa(l)) {
			level = l
		}
	}
	w, _ := gzip.NewWriterLevel(res, level) // 1 to 9 are levels
	if z.name != "-" && !z.o.Has("n") {
		w.Name = path.Base(z.name)
		if st, err := z.p.Stat(z.name); err == nil {
			w.ModTime = st.Mtime
		}
	}
	w.Write(b)
	w.Close()
}

// replace writes the new file, with the attributes of the old one, and removes the old one.
func (z *gzipFile) replace(content []byte) int {
	p := z.p
	st, err := p.Stat(z.name)
	if err != nil {
		return z.fail(z.shown, err)
	}
	if _, err := p.Lstat(z.to); err == nil {
		if !z.o.Has("f") {
			p.Warnf("gzip: %s already exists;\tnot overwritten\n", z.to)
			return 2
		}
		p.Unlink(z.to)
	}
	err = p.WriteFile(z.to, content, 0o600)
	if err == nil {
		err = p.Chmod(z.to, st.Perm())
	}
	if err == nil && p.UID == 0 {
		err = p.Chown(z.to, int64(st.UID), int64(st.GID), false)
	}
	if err == nil {
		err = p.Utimes(z.to, -1, st.Mtime.UnixNano(), false, false)
	}
	if err != nil {
		return z.fail(z.to, err)
	}
	if !z.o.Has("k") {
		if err := p.Unlink(z.name); err != nil {
			return z.fail(z.name, err)
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
