package posix

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

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
	h := t.header(in, st)
	if !t.override(h) {
		return
	}
	data, ok := t.content(h, name, st)
	if !ok {
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

// header is what the archive says of a file, but for its kind.
func (t *tarRun) header(name string, st kernel.Stat) *tar.Header {
	h := &tar.Header{
		Name: name, Mode: int64(st.Perm()), Uid: int(st.UID), Gid: int(st.GID), ModTime: time.Unix(st.Mtime.Unix(), 0),
		Format: tar.FormatGNU,
	}
	if !t.o.Has("numeric-owner") {
		if u := libc.UserByID(t.p.Kernel, st.UID); u != nil {
			h.Uname = u.Name
		}
		if g := libc.GroupByID(t.p.Kernel, st.GID); g != nil {
			h.Gname = g.Name
		}
	}
	return h
}

// content gives a file's bytes, and writes its kind into the header. A file that the archive cannot hold is named.
func (t *tarRun) content(h *tar.Header, name string, st kernel.Stat) (data []byte, ok bool) {
	in := h.Name
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
		var err error
		if data, err = t.p.ReadFile(name); err != nil {
			t.fail("%s: Cannot open: %s", name, kernel.Strerror(err))
			return nil, false
		}
		h.Size = int64(len(data))
	case kernel.ModeSocket:
		t.p.Errorf("%s: socket ignored", name)
		return nil, false
	default:
		t.fail("%s: hosttest: this tar keeps no devices and no pipes", name)
		return nil, false
	}
	return data, true
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
