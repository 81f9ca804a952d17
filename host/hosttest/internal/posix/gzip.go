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
