package hosttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// coreTools are the file tools of GNU coreutils.
func coreTools() map[string]tool {
	return map[string]tool{
		"cat": {"", cmdCat}, "head": {"", cmdHead}, "tail": {"", cmdTail}, "tee": {"", cmdTee}, "dd": {"", cmdDd},
		"cp": {"", cmdCp}, "mv": {"", cmdMv}, "ln": {"", cmdLn}, "rm": {"", cmdRm}, "rmdir": {"", cmdRmdir},
		"mkdir": {"", cmdMkdir}, "mktemp": {"", cmdMktemp}, "touch": {"", cmdTouch}, "chmod": {"", cmdChmod},
		"chown": {"", cmdChown}, "chgrp": {"", cmdChown}, "stat": {"", cmdStat}, "readlink": {"", cmdReadlink},
		"realpath": {"", cmdRealpath}, "ls": {"", cmdLs}, "truncate": {"", cmdTruncate}, "sync": {"", cmdSync},
		"install": {"", cmdInstall}, "basename": {"", cmdBasename}, "dirname": {"", cmdDirname}, "cmp": {"", cmdCmp},
	}
}

// quote quotes a name as GNU tools do in the C locale: always.
func quote(s string) string { return quoteEscaped(s) }

// quoteEscaped is gnulib's shell-escape-always style: control characters become $'\n', and a name whose only trouble is
// an apostrophe is put in double quotes.
func quoteEscaped(s string) string {
	if strings.IndexByte(s, '\'') >= 0 {
		compat := true
		for i := range len(s) {
			c := s[i]
			compat = compat && c >= 32 && c < 127 && strings.IndexByte("!\"$&()*;<=>[^`|?\\", c) < 0 && (i == 0 || c != '#' && c != '~')
		}
		if compat {
			return `"` + s + `"`
		}
	}
	var b strings.Builder
	b.WriteByte('\'')
	// Once it has seen an apostrophe gnulib starts anew, and forgets that its first pass ended within $'...'.
	in := strings.IndexByte(s, '\'') >= 0 && (s[len(s)-1] < 32 || s[len(s)-1] >= 127)
	for i := range len(s) {
		c := s[i]
		if c < 32 || c >= 127 {
			if !in {
				b.WriteString("'$'")
				in = true
			}
			if k := strings.IndexByte("\a\b\t\n\v\f\r", c); k >= 0 {
				b.WriteString(`\` + "abtnvfr"[k:k+1])
			} else {
				fmt.Fprintf(&b, `\%03o`, c)
			}
			continue
		}
		if c == '\'' {
			b.WriteString(`'\''`)
			in = false
			continue
		}
		if in {
			b.WriteString("''")
			in = false
		}
		b.WriteByte(c)
	}
	b.WriteByte('\'')
	return b.String()
}

// quoteMaybe quotes only what needs it, as most coreutils messages about files do (quotef).
func quoteMaybe(s string) string {
	if s == "" {
		return "''"
	}
	if strings.ContainsAny(s, " '\"!$&()*;<=>[^`|?\\:") || s[0] == '#' || s[0] == '~' || s == "{" || s == "}" {
		return quoteEscaped(s)
	}
	for i := range len(s) {
		if s[i] < 32 || s[i] >= 127 {
			return quoteEscaped(s)
		}
	}
	return s
}

// in opens an operand for reading; "-" is standard input.
func (p *Process) in(name string) (*description, error) {
	if name == "-" {
		if p.fds[0] == nil {
			return nil, syscall.EBADF
		}
		return p.fds[0].ref(), nil
	}
	return p.open(name, os.O_RDONLY, 0)
}

// eachInput reads the operands, or standard input when there are none, and says what it cannot open.
func (p *Process) eachInput(names []string, f func(name string, d *description) error) int {
	if len(names) == 0 {
		names = []string{"-"}
	}
	code := 0
	for _, n := range names {
		d, err := p.in(n)
		if err == nil {
			err = f(n, d)
			d.release()
		}
		if err != nil {
			if d == nil && (p.name() == "head" || p.name() == "tail") {
				p.errorf("cannot open %s for reading: %s", quote(n), strerror(err))
			} else {
				p.errorf("%s: %s", quoteMaybe(n), strerror(err))
			}
			code = 1
		}
	}
	return code
}

// copyOut copies a description to standard output as it comes.
func (p *Process) copyOut(d *description) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := d.Read(p, buf)
		p.check()
		if n > 0 {
			if werr := p.write(1, buf[:n]); werr != nil {
				p.writeErr = werr
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func cmdCat(p *Process) int {
	o, ok := p.getopt("benstuvAET", "show-all>A number>n squeeze-blank>s")
	if !ok {
		return p.usage(1)
	}
	if len(o.order) == 0 || len(o.order) == 1 && o.has("u") {
		return p.eachInput(o.args, func(_ string, d *description) error { return p.copyOut(d) })
	}
	n, empty := 0, 0
	newLine := true
	return p.eachInput(o.args, func(_ string, d *description) error {
		b, err := p.readAll(d)
		for line := range bytes.Lines(b) {
			s, ended := strings.CutSuffix(string(line), "\n")
			if newLine {
				if s != "" {
					empty = 0
				} else if empty++; empty > 1 && o.has("s") {
					continue
				}
				if o.has("b") && s != "" || o.has("n") && !o.has("b") {
					n++
					p.printf("%6d\t", n)
				}
			}
			p.print(shown(s, o.has("A", "e", "t", "v"), o.has("A", "t", "T")))
			if newLine = ended; ended {
				if o.has("A", "e", "E") {
					p.print("$")
				}
				p.print("\n")
			}
		}
		return err
	})
}

// shown spells what does not print as ^X and M-X, and tabs when asked.
func shown(s string, nonprinting, tabs bool) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c == '\t' {
			if tabs {
				b.WriteString("^I")
			} else {
				b.WriteByte(c)
			}
			continue
		}
		if nonprinting && c >= 128 {
			b.WriteString("M-")
			c -= 128
		}
		switch {
		case nonprinting && c < 32:
			b.WriteString("^" + string(rune(c+64)))
		case nonprinting && c == 127:
			b.WriteString("^?")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// byteCount reads a number with a size suffix.
func byteCount(s string) (int64, bool) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	n, err := strconv.ParseInt(s[:i], 10, 64)
	if err != nil {
		return 0, false
	}
	mul := map[string]int64{"": 1, "c": 1, "w": 2, "b": 512, "kB": 1e3, "KB": 1e3, "K": 1 << 10, "k": 1 << 10, "KiB": 1 << 10, "M": 1 << 20, "m": 1 << 20, "MiB": 1 << 20, "MB": 1e6,
		"G": 1 << 30, "GiB": 1 << 30, "GB": 1e9, "T": 1 << 40, "TiB": 1 << 40, "TB": 1e12}[s[i:]]
	if mul == 0 {
		return 0, false
	}
	return n * mul, true
}

// obsolete turns -5 into -n 5, as head and tail still allow.
func obsolete(args []string) []string {
	if len(args) > 1 && len(args[1]) > 1 && args[1][0] == '-' && isDigits(args[1][1:]) {
		return append([]string{args[0], "-n", args[1][1:]}, args[2:]...)
	}
	return args
}

func cmdHead(p *Process) int {
	p.setArgs(obsolete(p.Args))
	o, ok := p.getopt("c:n:qvz", "bytes=>c lines=>n quiet>q silent>q verbose>v zero-terminated>z")
	if !ok {
		return p.usage(1)
	}
	count, bytewise, fromEnd := int64(10), false, false
	for _, x := range o.order {
		if x.name != "c" && x.name != "n" {
			continue
		}
		v := x.value
		bytewise = x.name == "c"
		fromEnd = strings.HasPrefix(v, "-")
		n, ok := byteCount(strings.TrimLeft(v, "-+"))
		if !ok {
			what := "lines"
			if bytewise {
				what = "bytes"
			}
			p.errorf("invalid number of %s: %s", what, quote(strings.TrimPrefix(v, "-")))
			return 1
		}
		count = n
	}
	delim := byte('\n')
	if o.has("z") {
		delim = 0
	}
	first := true
	return p.eachInput(o.args, func(name string, d *description) error {
		if o.has("v") || len(o.args) > 1 && !o.has("q") {
			if name == "-" {
				name = "standard input"
			}
			if !first {
				p.print("\n")
			}
			p.print("==> ", name, " <==\n")
			p.flush()
		}
		first = false
		if fromEnd {
			b, err := p.readAll(d)
			if bytewise {
				b = b[:max(0, int64(len(b))-count)]
			} else {
				for range count {
					b = bytes.TrimSuffix(b, []byte{delim})
					b = b[:bytes.LastIndexByte(b, delim)+1]
				}
			}
			p.print(string(b))
			return err
		}
		if bytewise {
			// Never a byte more than asked for is taken from a pipe.
			buf := make([]byte, min(64<<10, max(count, 1)))
			for left := count; left > 0; {
				n, err := d.Read(p, buf[:min(left, int64(len(buf)))])
				p.check()
				if n > 0 {
					if werr := p.write(1, buf[:n]); werr != nil {
						p.writeErr = werr
						return nil
					}
					left -= int64(n)
				}
				if err == io.EOF {
					return nil
				}
				if err != nil {
					return err
				}
			}
			return nil
		}
		buf := make([]byte, 1024)
		for left := count; left > 0; {
			n, err := d.Read(p, buf)
			p.check()
			b := buf[:n]
			for len(b) > 0 && left > 0 {
				i := bytes.IndexByte(b, delim)
				if i < 0 {
					p.print(string(b))
					break
				}
				p.print(string(b[:i+1]))
				b = b[i+1:]
				left--
			}
			if left == 0 {
				d.seek(-int64(len(b)), io.SeekCurrent)
			}
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func cmdTail(p *Process) int {
	p.setArgs(obsolete(p.Args))
	o, ok := p.getopt("c:n:qvzfF", "bytes=>c lines=>n quiet>q silent>q verbose>v zero-terminated>z follow[=>f")
	if !ok {
		return p.usage(1)
	}
	if o.has("f", "F") {
		p.errorf("hosttest: -f is not supported")
		return 1
	}
	count, bytewise, fromStart := int64(10), false, false
	for _, x := range o.order {
		if x.name != "c" && x.name != "n" {
			continue
		}
		bytewise = x.name == "c"
		fromStart = strings.HasPrefix(x.value, "+")
		n, ok := byteCount(strings.TrimLeft(x.value, "-+"))
		if !ok {
			what := "lines"
			if bytewise {
				what = "bytes"
			}
			p.errorf("invalid number of %s: %s", what, quote(x.value))
			return 1
		}
		count = n
	}
	delim := byte('\n')
	if o.has("z") {
		delim = 0
	}
	first := true
	return p.eachInput(o.args, func(name string, d *description) error {
		if o.has("v") || len(o.args) > 1 && !o.has("q") {
			if name == "-" {
				name = "standard input"
			}
			if !first {
				p.print("\n")
			}
			p.print("==> ", name, " <==\n")
		}
		first = false
		b, err := p.readAll(d)
		switch {
		case bytewise && fromStart:
			b = b[min(int64(len(b)), max(0, count-1)):]
		case bytewise:
			b = b[max(0, int64(len(b))-count):]
		case fromStart:
			for n := count; n > 1 && len(b) > 0; n-- {
				i := bytes.IndexByte(b, delim)
				if i < 0 {
					b = nil
					break
				}
				b = b[i+1:]
			}
		default:
			at := len(b)
			for n := count; n > 0 && at > 0; n-- {
				at = bytes.LastIndexByte(b[:at-1], delim) + 1
			}
			if count > 0 {
				b = b[at:]
			} else {
				b = nil
			}
		}
		p.print(string(b))
		return err
	})
}

func cmdTee(p *Process) int {
	o, ok := p.getopt("aip", "append>a ignore-interrupts>i")
	if !ok {
		return p.usage(1)
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if o.has("a") {
		flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	code := 0
	var outs []*description
	var names []string
	for _, a := range o.args {
		d, err := p.open(a, flags, 0o666)
		if err != nil {
			p.errorf("%s: %s", quoteMaybe(a), strerror(err))
			code = 1
			continue
		}
		defer d.release()
		outs, names = append(outs, d), append(names, a)
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := p.read(0, buf)
		if n > 0 {
			for i, d := range outs {
				if d == nil {
					continue
				}
				if _, werr := d.Write(p, buf[:n]); werr != nil {
					p.check()
					p.errorf("%s: %s", quoteMaybe(names[i]), strerror(werr))
					outs[i] = nil
					code = 1
				}
			}
			if werr := p.write(1, buf[:n]); werr != nil {
				p.errorf("'standard output': %s", strerror(werr))
				code = 1
			}
		}
		if err != nil {
			return code
		}
	}
}

func cmdDd(p *Process) int {
	v := map[string]string{}
	for _, a := range p.Args[1:] {
		k, val, ok := strings.Cut(a, "=")
		switch k {
		case "if", "of", "bs", "ibs", "obs", "count", "skip", "seek", "conv", "status", "iflag", "oflag", "cbs":
		default:
			ok = false
		}
		if !ok {
			p.errorf("unrecognized operand %s", quote(a))
			return p.usage(1)
		}
		v[k] = val
	}
	num := func(k string, def int64) (int64, bool) {
		s, ok := v[k]
		if !ok {
			return def, true
		}
		n, ok := byteCount(s)
		if !ok {
			p.errorf("invalid number: %s", quote(s))
		}
		return n, ok
	}
	bs, ok1 := num("bs", 512)
	if _, has := v["bs"]; !has {
		bs, ok1 = num("ibs", 512)
	}
	count, ok2 := num("count", -1)
	skip, ok3 := num("skip", 0)
	seek, ok4 := num("seek", 0)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return 1
	}
	if bs <= 0 {
		p.errorf("invalid number: %s", quote(v["bs"]))
		return 1
	}
	flagged := func(k, f string) bool { return slices.Contains(strings.Split(v[k], ","), f) }
	for _, c := range strings.FieldsFunc(v["conv"], func(r rune) bool { return r == ',' }) {
		if !slices.Contains([]string{"fsync", "fdatasync", "notrunc", "excl", "nocreat", "noerror", "sync", "sparse"}, c) {
			p.errorf("invalid conversion: %s", quote(c))
			return p.usage(1)
		}
	}
	in := p.fds[0]
	if f, ok := v["if"]; ok {
		d, err := p.open(f, os.O_RDONLY, 0)
		if err != nil {
			p.errorf("failed to open %s: %s", quote(f), strerror(err))
			return 1
		}
		defer d.release()
		in = d
	}
	out := p.fds[1]
	if f, ok := v["of"]; ok {
		flags := os.O_WRONLY
		if !flagged("conv", "nocreat") {
			flags |= os.O_CREATE
		}
		if flagged("conv", "excl") {
			flags |= os.O_EXCL
		}
		if flagged("oflag", "append") {
			flags |= os.O_APPEND
		}
		if !flagged("conv", "notrunc") && seek == 0 {
			flags |= os.O_TRUNC
		}
		d, err := p.open(f, flags, 0o666)
		if err != nil {
			p.errorf("failed to open %s: %s", quote(f), strerror(err))
			return 1
		}
		defer d.release()
		out = d
		if seek > 0 {
			off := seek * bs
			if flagged("oflag", "seek_bytes") {
				off = seek
			}
			if !flagged("conv", "notrunc") && d.stream == nil {
				if err := d.truncate(off); err != nil {
					p.errorf("failed to truncate to %d bytes in output file %s: %s", off, quote(f), strerror(err))
					return 1
				}
			}
			if _, err := d.seek(off, io.SeekStart); err != nil {
				p.errorf("%s: cannot seek: %s", quote(f), strerror(err))
				return 1
			}
		}
	}
	if in == nil || out == nil {
		return 1
	}
	if skip > 0 {
		off := skip * bs
		if flagged("iflag", "skip_bytes") {
			off = skip
		}
		if _, err := in.seek(off, io.SeekStart); err != nil {
			skipped, _ := io.CopyN(io.Discard, procReader{p, 0}, off)
			_ = skipped
		}
	}
	left := int64(-1)
	if count >= 0 && flagged("iflag", "count_bytes") {
		left = count
		count = -1
	}
	full := flagged("iflag", "fullblock")
	buf := make([]byte, bs)
	var total, fullIn, partIn, fullOut, partOut int64
	code := 0
	for count != 0 && left != 0 {
		want := buf
		if left > 0 && left < bs {
			want = buf[:left]
		}
		n := 0
		var err error
		for {
			var k int
			k, err = in.Read(p, want[n:])
			p.check()
			n += k
			if err != nil || !full || n == len(want) {
				break
			}
		}
		if n > 0 {
			if int64(n) == bs {
				fullIn++
			} else {
				partIn++
			}
			w, werr := out.Write(p, want[:n])
			p.check()
			total += int64(w)
			if werr != nil {
				p.errorf("error writing %s: %s", quote(v["of"]), strerror(werr))
				code = 1
				if w > 0 {
					partOut++
				}
				break
			}
			if int64(n) == bs {
				fullOut++
			} else {
				partOut++
			}
			if left > 0 {
				left -= int64(n)
			}
		}
		if count > 0 {
			count--
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			p.errorf("error reading %s: %s", quote(v["if"]), strerror(err))
			code = 1
			break
		}
	}
	if flagged("conv", "fsync") || flagged("conv", "fdatasync") {
		out.sync()
	}
	if v["status"] != "none" {
		p.warn("%d+%d records in\n%d+%d records out\n", fullIn, partIn, fullOut, partOut)
		if v["status"] != "noxfer" {
			p.warn("%d bytes copied, 0.001 s, 1.0 MB/s\n", total)
		}
	}
	return code
}

// sayErr prints an error whose text ends in an errno.
func (p *Process) sayErr(err error) {
	var no syscall.Errno
	if errors.As(err, &no) {
		p.errorf("%s%s", strings.TrimSuffix(err.Error(), no.Error()), strerror(no))
		return
	}
	p.errorf("%v", err)
}

func join(dir, name string) string { return strings.TrimRight(dir, "/") + "/" + name }

// targets resolves the operands of cp, mv and ln into pairs.
func (p *Process) targets(o *options, noDirVerb string) (pairs [][2]string, code int) {
	args := o.args
	dir, toDir := "", false
	switch {
	case o.has("t"):
		dir, toDir = o.get("t"), true
		if len(args) == 0 {
			p.errorf("missing file operand")
			return nil, p.usage(1)
		}
		if st, err := p.stat(dir); err != nil || !st.IsDir() {
			if err == nil {
				err = syscall.ENOTDIR
			}
			p.errorf("target directory %s: %s", quote(dir), strerror(err))
			return nil, 1
		}
	case len(args) == 0:
		p.errorf("missing file operand")
		return nil, p.usage(1)
	case len(args) == 1:
		p.errorf("missing destination file operand after %s", quote(args[0]))
		return nil, p.usage(1)
	case o.has("T"):
		if len(args) > 2 {
			p.errorf("extra operand %s", quote(args[2]))
			return nil, p.usage(1)
		}
	default:
		last := args[len(args)-1]
		st, err := p.stat(last)
		if err == nil && st.IsDir() && noDirVerb == "n" {
			if l, e := p.lstat(last); e == nil && l.IsSymlink() {
				err = syscall.ENOENT
			}
		}
		if err == nil && st.IsDir() {
			dir, toDir = last, true
			args = args[:len(args)-1]
		} else if len(args) > 2 {
			if err == nil || err == syscall.ENOTDIR || st.Path != "" {
				err = syscall.ENOTDIR
			}
			if err == syscall.ENOENT {
				p.errorf("target %s: %s", quote(last), strerror(syscall.ENOENT))
			} else {
				p.errorf("target %s: %s", quote(last), strerror(err))
			}
			return nil, 1
		}
	}
	if toDir {
		for _, a := range args {
			pairs = append(pairs, [2]string{a, join(dir, path.Base(strings.TrimRight(a, "/")))})
		}
		return pairs, 0
	}
	return [][2]string{{args[0], args[1]}}, 0
}

func cmdLn(p *Process) int {
	o, ok := p.getopt("bdfFinLPrsS:t:Tv", "force>f symbolic>s no-dereference>n no-target-directory>T target-directory=>t relative>r logical>L physical>P verbose>v backup[=")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "d", "F", "i") {
		return 1
	}
	if len(o.args) == 1 && !o.has("t", "T") {
		o.args = append(o.args, ".")
	}
	mode := ""
	if o.has("n") {
		mode = "n"
	}
	pairs, code := p.targets(o, mode)
	if pairs == nil {
		return code
	}
	kind, arrow := "hard link", " => "
	if o.has("s") {
		kind, arrow = "symbolic link", " -> "
	}
	saves, ok := p.backups(o)
	if !ok {
		return 1
	}
	for _, pr := range pairs {
		from, to := pr[0], pr[1]
		if !o.has("s") {
			st, err := p.lstat(from)
			if err != nil {
				p.errorf("failed to access %s: %s", quote(from), strerror(err))
				code = 1
				continue
			}
			if st.IsDir() {
				p.errorf("%s: hard link not allowed for directory", quoteMaybe(from))
				code = 1
				continue
			}
		}
		if o.has("r") && o.has("s") {
			abs := from
			if r, err := p.realpath(from); err == nil {
				abs = r
			}
			dir, err := p.realpath(path.Dir(to))
			if err == nil {
				from = relativePath(dir, abs)
			}
		}
		dst, derr := p.lstat(to)
		if derr == nil && dst.IsDir() && o.has("f") {
			p.errorf("%s: cannot overwrite directory", quoteMaybe(to))
			code = 1
			continue
		}
		make := func(name string) error {
			if o.has("s") {
				return p.symlink(from, name)
			}
			return p.link(from, name, o.has("L"))
		}
		saved := ""
		if derr == nil && saves != nil {
			if src, e := p.lstat(from); e == nil && src.Path == dst.Path {
				p.errorf("%s and %s are the same file", quote(from), quote(to))
				code = 1
				continue
			}
			name, err := p.backUp(saves, to)
			if err != nil {
				p.errorf("cannot backup %s: %s", quote(to), strerror(err))
				code = 1
				continue
			}
			saved = quote(name) + " ~ "
		}
		err := make(to)
		if err == syscall.EEXIST && o.has("f") {
			if src, e := p.stat(from); e == nil && !o.has("s") && src.Ino == dst.Ino && src.Dev == dst.Dev {
				p.errorf("%s and %s are the same file", quote(from), quote(to))
				code = 1
				continue
			}
			// GNU ln makes a temporary link and renames it, so that there is always one.
			tmp := path.Dir(to) + "/Cu" + randomName(6)
			if err = make(tmp); err == nil {
				if err = p.rename(tmp, to); err != nil {
					p.unlink(tmp)
				}
			}
		}
		if err != nil {
			if o.has("s") || err == syscall.EEXIST || err == syscall.ENOSPC || err == syscall.EROFS {
				p.errorf("failed to create %s %s: %s", kind, quote(to), strerror(err))
			} else {
				p.errorf("failed to create %s %s => %s: %s", kind, quote(to), quote(from), strerror(err))
			}
			code = 1
		} else if o.has("v") {
			p.print(saved, quote(to), arrow, quote(from), "\n")
		}
	}
	return code
}

func relativePath(dir, to string) string {
	a, b := strings.Split(strings.Trim(dir, "/"), "/"), strings.Split(strings.Trim(to, "/"), "/")
	if dir == "/" {
		a = nil
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	out := slices.Repeat([]string{".."}, len(a)-i)
	out = append(out, b[i:]...)
	if len(out) == 0 {
		return "."
	}
	return strings.Join(out, "/")
}

func randomName(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}

func cmdRm(p *Process) int {
	o, ok := p.getopt("dfiIrRv", "force>f recursive>r dir>d verbose>v one-file-system no-preserve-root preserve-root[= interactive[=")
	if !ok {
		for _, a := range p.Args[1:] {
			if _, err := p.lstat(a); err == nil && strings.HasPrefix(a, "-") && len(a) > 1 {
				p.warn("Try 'rm ./%s' to remove the file %s.\n", a, quote(a))
				break
			}
		}
		return p.usage(1)
	}
	if p.unsupported(o, "i", "I") || o.get("interactive") != "never" && p.unsupported(o, "interactive") {
		return 1
	}
	if o.has("R") {
		o.set["r"] = []string{""}
	}
	if len(o.args) == 0 {
		if o.has("f") {
			return 0
		}
		p.errorf("missing operand")
		return p.usage(1)
	}
	if v := o.get("preserve-root"); v != "" {
		p.errorf("hosttest: --preserve-root=%s is not supported", v)
		return 1
	}
	code := 0
	for _, a := range o.args {
		base := path.Base(a)
		if o.has("r") && (base == "." || base == "..") && a != "/" {
			p.errorf("refusing to remove '.' or '..' directory: skipping %s", quote(a))
			code = 1
			continue
		}
		if o.has("r") && path.Clean(a) == "/" && !o.has("no-preserve-root") {
			p.errorf("it is dangerous to operate recursively on '/'")
			p.errorf("use --no-preserve-root to override this failsafe")
			code = 1
			continue
		}
		top, _ := p.lstat(a)
		if !p.removeTree(a, o, top.Dev) {
			code = 1
		}
	}
	return code
}

// removeTree removes a file, and with -r a directory with all that is in it. dev is the file system of the operand.
func (p *Process) removeTree(name string, o *options, dev uint32) bool {
	st, err := p.lstat(name)
	if err != nil {
		if (err == syscall.ENOENT || err == syscall.ENOTDIR) && o.has("f") {
			return true
		}
		p.errorf("cannot remove %s: %s", quote(name), strerror(err))
		return false
	}
	if st.IsDir() {
		if !o.has("r") {
			if o.has("d") {
				if err := p.rmdir(name); err != nil {
					p.errorf("cannot remove %s: %s", quote(name), strerror(err))
					return false
				}
				return true
			}
			p.errorf("cannot remove %s: Is a directory", quote(name))
			return false
		}
		if o.has("one-file-system") && st.Dev != dev {
			p.errorf("skipping %s, since it's on a different device", quote(name))
			return false
		}
		names, err := p.readDir(name)
		if err != nil {
			p.errorf("cannot remove %s: %s", quote(name), strerror(err))
			return false
		}
		good := true
		for _, n := range names {
			good = p.removeTree(join(name, n), o, dev) && good
		}
		if !good {
			return false
		}
		err = p.rmdir(name)
		if err != nil {
			p.errorf("cannot remove %s: %s", quote(name), strerror(err))
			return false
		}
		if o.has("v") {
			p.print("removed directory ", quote(name), "\n")
		}
		return true
	}
	if err := p.unlink(name); err != nil {
		p.errorf("cannot remove %s: %s", quote(name), strerror(err))
		return false
	}
	if o.has("v") {
		p.print("removed ", quote(name), "\n")
	}
	return true
}

func cmdRmdir(p *Process) int {
	o, ok := p.getopt("pv", "ignore-fail-on-non-empty parents>p verbose>v")
	if !ok {
		return p.usage(1)
	}
	if len(o.args) == 0 {
		p.errorf("missing operand")
		return p.usage(1)
	}
	code := 0
	for _, a := range o.args {
		for name := a; ; {
			if o.has("v") {
				p.print("rmdir: removing directory, ", quote(name), "\n")
			}
			err := p.rmdir(name)
			if err != nil && !(err == syscall.ENOTEMPTY && o.has("ignore-fail-on-non-empty")) {
				verb := "failed to remove"
				if name != a {
					verb = "failed to remove directory"
				}
				p.errorf("%s %s: %s", verb, quote(name), strerror(err))
				code = 1
			}
			up := path.Dir(strings.TrimRight(name, "/"))
			if err != nil || !o.has("p") || up == "." || up == "/" {
				break
			}
			name = up
		}
	}
	return code
}

func cmdMkdir(p *Process) int {
	o, ok := p.getopt("m:pvZ", "mode=>m parents>p verbose>v")
	if !ok {
		return p.usage(1)
	}
	if len(o.args) == 0 {
		p.errorf("missing operand")
		return p.usage(1)
	}
	var mode func(uint32, bool, uint32) uint32
	if o.has("m") {
		f, err := parseMode(o.get("m"))
		if err != nil {
			p.errorf("invalid mode %s", quote(o.get("m")))
			return 1
		}
		mode = f
	}
	code := 0
	for _, a := range o.args {
		if err := p.mkdirOne(a, o.has("p"), mode, o.has("v")); err != nil {
			p.sayErr(err)
			code = 1
		}
	}
	return code
}

func (p *Process) mkdirOne(name string, parents bool, mode func(uint32, bool, uint32) uint32, verbose bool) error {
	if parents {
		up := path.Dir(strings.TrimRight(name, "/"))
		if _, err := p.stat(up); err == syscall.ENOENT {
			old := p.umask
			p.umask &^= 0o300
			err := p.mkdirOne(up, true, nil, verbose)
			p.umask = old
			if err != nil {
				return err
			}
		}
		if st, err := p.stat(name); err == nil && st.IsDir() {
			return nil
		}
		if st, err := p.stat(up); err == nil && !st.IsDir() {
			return fmt.Errorf("cannot create directory %s: %w", quote(up), syscall.ENOTDIR)
		}
	}
	if err := p.mkdir(name, 0o777); err != nil {
		return fmt.Errorf("cannot create directory %s: %w", quote(name), err)
	}
	if verbose {
		p.print(p.name(), ": created directory ", quote(name), "\n")
	}
	if mode != nil {
		return p.chmod(name, mode(0o777, true, p.umask))
	}
	return nil
}

func cmdMktemp(p *Process) int {
	o, ok := p.getopt("dp:qtu", "directory>d tmpdir[=>p quiet>q dry-run>u suffix=")
	if !ok {
		return p.usage(1)
	}
	tmpl := "tmp.XXXXXXXXXX"
	dir := ""
	if o.has("p") || len(o.args) == 0 || o.has("t") {
		dir = o.get("p")
		if dir == "" || o.has("t") && p.Getenv("TMPDIR") != "" {
			if t := p.Getenv("TMPDIR"); t != "" {
				dir = t
			} else if dir == "" {
				dir = "/tmp"
			}
		}
	}
	if len(o.args) > 1 {
		p.errorf("too many templates")
		return p.usage(1)
	}
	if len(o.args) == 1 {
		tmpl = o.args[0]
	}
	suffix := o.get("suffix")
	body := tmpl
	if !o.has("suffix") {
		if i := strings.LastIndex(tmpl, "X"); i >= 0 {
			suffix = tmpl[i+1:]
			body = tmpl[:i+1]
		}
	}
	stem := strings.TrimRight(body, "X")
	n := len(body) - len(stem)
	if n < 3 {
		p.errorf("too few X's in template %s", quote(tmpl))
		return 1
	}
	if dir != "" && len(o.args) == 1 && strings.HasPrefix(tmpl, "/") {
		p.errorf("invalid template, %s; with --tmpdir, it may not be absolute", quote(tmpl))
		return 1
	}
	for range 100 {
		name := stem + randomName(n) + suffix
		if dir != "" {
			name = join(dir, name)
		}
		var err error
		switch {
		case o.has("u"):
		case o.has("d"):
			err = p.mkdir(name, 0o700)
		default:
			var d *description
			if d, err = p.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
				d.release()
			}
		}
		if err == syscall.EEXIST {
			continue
		}
		if err != nil {
			if !o.has("q") {
				what := "file"
				if o.has("d") {
					what = "directory"
				}
				full := body + suffix
				if dir != "" {
					full = join(dir, full)
				}
				p.errorf("failed to create %s via template %s: %s", what, quote(full), strerror(err))
			}
			return 1
		}
		p.print(name, "\n")
		return 0
	}
	return 1
}

func cmdTouch(p *Process) int {
	o, ok := p.getopt("acd:fhmr:t:", "no-create>c date=>d no-dereference>h reference=>r time=")
	if !ok {
		return p.usage(1)
	}
	if len(o.args) == 0 {
		p.errorf("missing file operand")
		return p.usage(1)
	}
	at := p.m.now().UnixNano()
	mt := at
	toNow := true
	if o.has("r") {
		st, err := p.stat(o.get("r"))
		if err != nil {
			p.errorf("failed to get attributes of %s: %s", quote(o.get("r")), strerror(err))
			return 1
		}
		at, mt, toNow = st.Atime.UnixNano(), st.Mtime.UnixNano(), false
	}
	if o.has("d") {
		t, err := parseDate(o.get("d"), p.m.now())
		if err != nil {
			p.errorf("invalid date format %s", quote(o.get("d")))
			return 1
		}
		at, mt, toNow = t.UnixNano(), t.UnixNano(), false
	}
	if o.has("t") {
		s := o.get("t")
		layout := map[int]string{12: "200601021504", 15: "200601021504.05", 10: "0601021504"}[len(s)]
		t, err := time.Parse(layout, s)
		if err != nil {
			p.errorf("invalid date format %s", quote(s))
			return 1
		}
		at, mt, toNow = t.UnixNano(), t.UnixNano(), false
	}
	onlyA, onlyM := o.has("a"), o.has("m")
	for _, v := range o.all("time") {
		what, ok := p.argMatch(v, "--time", []argSet{{"atime", "access", "use"}, {"mtime", "modify"}})
		if !ok {
			return 1
		}
		onlyA, onlyM = onlyA || what == "atime", onlyM || what == "mtime"
	}
	if onlyA && !onlyM {
		mt = -1
	}
	if onlyM && !onlyA {
		at = -1
	}
	code := 0
	for _, a := range o.args {
		if a == "-" {
			if d := p.fds[1]; d != nil && d.stream == nil {
				p.utimes(d.path, at, mt, toNow, true)
			}
			continue
		}
		look := p.stat
		if o.has("h") {
			look = p.lstat
		}
		_, err := look(a)
		if err == syscall.ENOENT {
			if o.has("c", "h") {
				if o.has("h") && !o.has("c") {
					p.errorf("setting times of %s: %s", quote(a), strerror(err))
					code = 1
				}
				continue
			}
			d, err := p.open(a, os.O_WRONLY|os.O_CREATE, 0o666)
			if err != nil {
				p.errorf("cannot touch %s: %s", quote(a), strerror(err))
				code = 1
				continue
			}
			d.release()
			if toNow {
				continue
			}
		}
		if err := p.utimes(a, at, mt, toNow, !o.has("h")); err != nil {
			verb := "setting times of"
			if open := p.access(a, mayWrite); open != nil {
				verb, err = "cannot touch", open
			}
			p.errorf("%s %s: %s", verb, quote(a), strerror(err))
			code = 1
		}
	}
	return code
}

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
				return uint32(n) | old&(sISUID|sISGID)
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
					bits |= sISUID | sISGID
				case 't':
					bits |= sISVTX
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
					keep |= sISUID | sISGID
				}
				mode = mode&keep | bits
			}
		}
		return mode
	}, nil
}

// recurse visits a path and, with -R, all below it.
func (p *Process) recurse(name string, deep bool, f func(string, Stat) error) {
	st, err := p.lstat(name)
	if err != nil {
		f(name, Stat{Path: ""})
		return
	}
	if f(name, st) != nil && !st.IsDir() {
		return
	}
	if deep && st.IsDir() {
		names, err := p.readDir(name)
		if err != nil {
			p.errorf("cannot read directory %s: %s", quote(name), strerror(err))
			return
		}
		for _, n := range names {
			p.recurse(join(name, n), true, f)
		}
	}
}

func cmdChmod(p *Process) int {
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
	p.setArgs(args)
	o, ok := p.getopt("Rcfv", "recursive>R changes>c quiet>f silent>f verbose>v reference=")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "c", "v") {
		return 1
	}
	rest := o.args
	var f func(uint32, bool, uint32) uint32
	if o.has("reference") {
		st, err := p.stat(o.get("reference"))
		if err != nil {
			p.errorf("failed to get attributes of %s: %s", quote(o.get("reference")), strerror(err))
			return 1
		}
		f = func(uint32, bool, uint32) uint32 { return st.Perm() }
	} else {
		if modeArg == "" {
			if len(rest) == 0 {
				p.errorf("missing operand")
				return p.usage(1)
			}
			modeArg, rest = rest[0], rest[1:]
		}
		var err error
		if f, err = parseMode(modeArg); err != nil {
			p.errorf("invalid mode: %s", quote(modeArg))
			return p.usage(1)
		}
	}
	if len(rest) == 0 {
		p.errorf("missing operand after %s", quote(modeArg))
		return p.usage(1)
	}
	code := 0
	for _, a := range rest {
		first := true
		p.recurse(a, o.has("R"), func(name string, st Stat) error {
			top := first
			first = false
			if st.IsSymlink() {
				if !top {
					return nil
				}
				var err error
				if st, err = p.stat(name); err != nil {
					if !o.has("f") {
						p.errorf("cannot operate on dangling symlink %s", quote(name))
					}
					code = 1
					return err
				}
			}
			if st.Path == "" {
				_, err := p.lstat(name)
				if err == nil {
					err = syscall.ENOENT
				}
				if !o.has("f") {
					p.errorf("cannot access %s: %s", quote(name), strerror(err))
				}
				code = 1
				return err
			}
			if err := p.chmod(name, f(st.Mode&0o7777, st.IsDir(), p.umask)); err != nil {
				if !o.has("f") {
					p.errorf("changing permissions of %s: %s", quote(name), strerror(err))
				}
				code = 1
				return err
			}
			return nil
		})
	}
	return code
}

// owner reads USER[:GROUP], by name or number; -1 is unchanged.
func (p *Process) owner(s string) (uid, gid int64, err error) {
	uid, gid = -1, -1
	user, group, has := strings.Cut(s, ":")
	if u, g, dotted := strings.Cut(s, "."); dotted && !has && p.m.userByName(s) == nil {
		if _, _, err := p.owner(u + ":" + g); err == nil {
			p.warn("%s: warning: '.' should be ':': %s\n", p.name(), quote(s))
			user, group, has = u, g, true
		}
	}
	if user != "" {
		u := p.m.userByName(user)
		if u != nil {
			uid = int64(u.uid)
		} else if n, ok := parseID(user); ok {
			uid = n
		} else {
			return 0, 0, fmt.Errorf("invalid user: %s", quote(s))
		}
		if has && group == "" {
			if u == nil {
				u = p.m.userByID(uint32(uid))
			}
			if u == nil {
				return 0, 0, fmt.Errorf("invalid spec: %s", quote(s))
			}
			gid = int64(u.gid)
		}
	}
	if group != "" {
		if gid, err = p.group(group); err != nil {
			return 0, 0, fmt.Errorf("invalid group: %s", quote(s))
		}
	}
	return uid, gid, nil
}

func (p *Process) group(s string) (int64, error) {
	if g := p.m.groupByName(s); g != nil {
		return int64(g.gid), nil
	}
	if n, ok := parseID(s); ok {
		return n, nil
	}
	return 0, fmt.Errorf("invalid group: %s", quote(s))
}

// parseID reads the number of a user or group: 2^32-1 stands for none.
func parseID(s string) (int64, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "+"), 10, 32)
	return int64(n), err == nil && n != 1<<32-1
}

func cmdChown(p *Process) int {
	o, ok := p.getopt("RchfvHLP", "recursive>R no-dereference>h dereference changes>c quiet>f silent>f verbose>v reference= from=")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "c", "v", "H", "L") {
		return 1
	}
	rest := o.args
	uid, gid := int64(-1), int64(-1)
	if o.has("reference") {
		st, err := p.stat(o.get("reference"))
		if err != nil {
			p.errorf("failed to get attributes of %s: %s", quote(o.get("reference")), strerror(err))
			return 1
		}
		uid, gid = int64(st.UID), int64(st.GID)
	} else {
		if len(rest) == 0 {
			p.errorf("missing operand")
			return p.usage(1)
		}
		var err error
		if p.name() == "chgrp" {
			if rest[0] != "" {
				gid, err = p.group(rest[0])
			}
		} else {
			uid, gid, err = p.owner(rest[0])
		}
		if err != nil {
			p.errorf("%v", err)
			return 1
		}
		if len(rest) == 1 {
			p.errorf("missing operand after %s", quote(rest[0]))
			return p.usage(1)
		}
		rest = rest[1:]
	}
	onlyUID, onlyGID := int64(-1), int64(-1)
	if o.has("from") {
		var err error
		if onlyUID, onlyGID, err = p.owner(o.get("from")); err != nil {
			p.errorf("%v", err)
			return 1
		}
	}
	code := 0
	for _, a := range rest {
		top := true
		p.recurse(a, o.has("R"), func(name string, st Stat) error {
			is := st
			if st.IsSymlink() && !o.has("h", "R") {
				is, _ = p.stat(name)
			}
			if st.Path != "" && (onlyUID >= 0 && onlyUID != int64(is.UID) || onlyGID >= 0 && onlyGID != int64(is.GID)) {
				top = false
				return nil
			}
			follow := !o.has("h") && !o.has("R")
			if o.has("R") && top && !st.IsSymlink() {
				follow = true
			}
			top = false
			err := p.chown(name, uid, gid, follow)
			if err != nil {
				if !o.has("f") {
					switch {
					case st.Path == "":
						p.errorf("cannot access %s: %s", quote(name), strerror(err))
					case follow && st.IsSymlink():
						p.errorf("cannot dereference %s: %s", quote(name), strerror(err))
					case p.name() == "chgrp" || uid < 0:
						p.errorf("changing group of %s: %s", quote(name), strerror(err))
					default:
						p.errorf("changing ownership of %s: %s", quote(name), strerror(err))
					}
				}
				code = 1
			}
			return err
		})
	}
	return code
}

func cmdReadlink(p *Process) int {
	o, ok := p.getopt("femnqsvz", "canonicalize>f canonicalize-existing>e canonicalize-missing>m no-newline>n quiet>q silent>s verbose>v zero>z")
	if !ok {
		return p.usage(1)
	}
	if len(o.args) == 0 {
		p.errorf("missing operand")
		return p.usage(1)
	}
	end := "\n"
	if o.has("z") {
		end = "\x00"
	} else if o.has("n") && len(o.args) == 1 {
		end = ""
	}
	code := 0
	for _, a := range o.args {
		var out string
		var err error
		switch {
		case o.has("e"):
			out, err = p.canonical(a, 'e')
		case o.has("m"):
			out, err = p.canonical(a, 'm')
		case o.has("f"):
			out, err = p.canonical(a, 'f')
		default:
			var st Stat
			if st, err = p.lstat(a); err == nil {
				if !st.IsSymlink() {
					err = syscall.EINVAL
				}
				out = st.Target
			}
		}
		if err != nil {
			if o.has("v") {
				p.errorf("%s: %s", quoteMaybe(a), strerror(err))
			}
			code = 1
			continue
		}
		p.print(out, end)
	}
	return code
}

// canonical resolves links: mode e needs everything to exist, f all but the last component, m nothing.
func (p *Process) canonical(name string, mode byte) (string, error) {
	if name == "" {
		return "", syscall.ENOENT
	}
	defer p.lockTree()()
	t := p.m.tree
	if mode != 'm' {
		s, err := t.walk(p.cred(), p.Dir, name, true)
		if err != nil {
			return "", err
		}
		if mode == 'e' && !s.exists() {
			return "", syscall.ENOENT
		}
		return s.path, nil
	}
	rest := ""
	if !strings.HasPrefix(name, "/") {
		name = p.Dir + "/" + name
	}
	for {
		s, err := t.walk(p.cred(), "/", name, true)
		if err == nil {
			return path.Clean(s.path + "/" + rest), nil
		}
		if err == syscall.ELOOP || name == "/" {
			return "", err
		}
		rest = path.Base(name) + "/" + rest
		name = path.Dir(strings.TrimRight(name, "/"))
	}
}

func cmdRealpath(p *Process) int {
	o, ok := p.getopt("emLPqsz", "canonicalize-existing>e canonicalize-missing>m quiet>q strip>s no-symlinks>s zero>z relative-to= relative-base=")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "L", "relative-base") {
		return 1
	}
	if len(o.args) == 0 {
		p.errorf("missing operand")
		return p.usage(1)
	}
	end := "\n"
	if o.has("z") {
		end = "\x00"
	}
	mode := byte('f')
	if o.has("e") {
		mode = 'e'
	} else if o.has("m") {
		mode = 'm'
	}
	code := 0
	for _, a := range o.args {
		out, err := p.canonical(a, mode)
		if o.has("s") && err == nil {
			out = a
			if !strings.HasPrefix(a, "/") {
				out = p.Dir + "/" + a
			}
			out = path.Clean(out)
		}
		if err != nil {
			if !o.has("q") {
				p.errorf("%s: %s", quoteMaybe(a), strerror(err))
			}
			code = 1
			continue
		}
		if o.has("relative-to") {
			if base, err := p.canonical(o.get("relative-to"), 'm'); err == nil {
				out = relativePath(base, out)
			}
		}
		p.print(out, end)
	}
	return code
}

func cmdTruncate(p *Process) int {
	o, ok := p.getopt("cos:r:", "size=>s no-create>c reference=>r")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "o", "r") {
		return 1
	}
	if !o.has("s") {
		p.errorf("you must specify either '--size' or '--reference'")
		return p.usage(1)
	}
	if len(o.args) == 0 {
		p.errorf("missing file operand")
		return p.usage(1)
	}
	spec := o.get("s")
	rel := byte(0)
	if spec != "" && strings.IndexByte("+-<>/%", spec[0]) >= 0 {
		rel, spec = spec[0], spec[1:]
	}
	n, ok := byteCount(spec)
	if !ok {
		p.errorf("Invalid number: %s", quote(spec))
		return 1
	}
	if n == 0 && (rel == '/' || rel == '%') {
		p.errorf("division by zero")
		return 1
	}
	code := 0
	for _, a := range o.args {
		flags := os.O_WRONLY
		if !o.has("c") {
			flags |= os.O_CREATE
		}
		d, err := p.open(a, flags, 0o666)
		if err != nil {
			if o.has("c") && err == syscall.ENOENT {
				continue
			}
			p.errorf("cannot open %s for writing: %s", quote(a), strerror(err))
			code = 1
			continue
		}
		size := n
		if rel != 0 {
			st, _ := p.stat(a)
			switch rel {
			case '+':
				size = st.Size + n
			case '-':
				size = max(0, st.Size-n)
			case '<':
				size = min(st.Size, n)
			case '>':
				size = max(st.Size, n)
			case '/':
				size = st.Size / n * n
			case '%':
				size = (st.Size + n - 1) / n * n
			}
		}
		if err := d.truncate(size); err != nil {
			p.errorf("failed to truncate %s at %d bytes: %s", quote(a), size, strerror(err))
			code = 1
		}
		d.release()
	}
	return code
}

func cmdSync(p *Process) int {
	o, ok := p.getopt("df", "data>d file-system>f")
	if !ok {
		return p.usage(1)
	}
	t := p.m.tree
	if len(o.args) == 0 {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, v := range p.m.volumes() {
			v.sync()
		}
		return 0
	}
	code := 0
	for _, a := range o.args {
		d, err := p.open(a, os.O_RDONLY, 0)
		if err == syscall.EACCES {
			d, err = p.open(a, os.O_WRONLY, 0)
		}
		if err != nil {
			p.errorf("error opening %s: %s", quote(a), strerror(err))
			code = 1
			continue
		}
		if o.has("f") && d.stream == nil {
			t.mu.Lock()
			d.at.mnt.vol.sync()
			t.mu.Unlock()
		} else {
			d.sync()
		}
		d.release()
	}
	return code
}

func cmdInstall(p *Process) int {
	o, ok := p.getopt("bcCdDg:m:o:pst:TvS:", "mode=>m owner=>o group=>g directory>d target-directory=>t no-target-directory>T compare>C preserve-timestamps>p strip>s verbose>v backup[=")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "b", "backup", "s", "S", "v") {
		return 1
	}
	mode := uint32(0o755)
	if o.has("m") {
		f, err := parseMode(o.get("m"))
		if err != nil {
			p.errorf("invalid mode %s", quote(o.get("m")))
			return 1
		}
		mode = f(0, o.has("d"), 0)
	}
	uid, gid := int64(-1), int64(-1)
	if o.has("o") {
		var err error
		if uid, _, err = p.owner(o.get("o")); err != nil {
			p.errorf("invalid user %s", quote(o.get("o")))
			return 1
		}
	}
	if o.has("g") {
		var err error
		if gid, err = p.group(o.get("g")); err != nil {
			p.errorf("invalid group %s", quote(o.get("g")))
			return 1
		}
	}
	own := func(name string) int {
		if uid >= 0 || gid >= 0 {
			if err := p.chown(name, uid, gid, true); err != nil {
				p.errorf("cannot change ownership of %s: %s", quote(name), strerror(err))
				return 1
			}
		}
		if err := p.chmod(name, mode); err != nil {
			p.errorf("cannot change permissions of %s: %s", quote(name), strerror(err))
			return 1
		}
		return 0
	}
	// Directories on the way get mode 0755 whatever the umask is.
	parents := func(name string) error {
		old := p.umask
		p.umask = 0o022
		err := p.mkdirOne(name, true, nil, false)
		p.umask = old
		return err
	}
	code := 0
	if o.has("d") {
		for _, a := range o.args {
			if err := parents(a); err != nil {
				p.sayErr(err)
				code = 1
				continue
			}
			code |= own(a)
		}
		return code
	}
	if o.has("D") {
		dir := o.get("t")
		if dir == "" && len(o.args) == 2 {
			dir = path.Dir(o.args[1])
		}
		if dir != "" {
			if err := parents(dir); err != nil {
				p.sayErr(err)
				return 1
			}
		}
	}
	pairs, code := p.targets(o, "")
	if pairs == nil {
		return code
	}
	for _, pr := range pairs {
		st, err := p.stat(pr[0])
		if err != nil {
			p.errorf("cannot stat %s: %s", quote(pr[0]), strerror(err))
			code = 1
			continue
		}
		if st.IsDir() {
			p.errorf("omitting directory %s", quote(pr[0]))
			code = 1
			continue
		}
		if old, err := p.lstat(pr[1]); err == nil {
			same := o.has("C") && old.IsRegular() && old.Perm() == mode && int64(old.UID) == max(uid, 0) && int64(old.GID) == max(gid, 0) && p.uid == 0
			if same && p.sameContent(pr[0], pr[1]) {
				continue
			}
			if old.IsDir() {
				p.errorf("cannot overwrite directory %s with non-directory", quote(pr[1]))
				code = 1
				continue
			}
			if src, err := p.stat(pr[0]); err == nil && src.Dev == old.Dev && src.Ino == old.Ino {
				p.errorf("%s and %s are the same file", quote(pr[0]), quote(pr[1]))
				code = 1
				continue
			}
			if err := p.unlink(pr[1]); err != nil {
				p.errorf("cannot remove %s: %s", quote(pr[1]), strerror(err))
				code = 1
				continue
			}
		}
		if err := p.copyData(pr[0], pr[1], 0o600, os.O_EXCL, nil); err != nil {
			p.sayErr(err)
			code = 1
			continue
		}
		if o.has("p") {
			p.utimes(pr[1], st.Atime.UnixNano(), st.Mtime.UnixNano(), false, true)
		}
		code |= own(pr[1])
	}
	return code
}

func (p *Process) sameContent(a, b string) bool {
	x, err := p.readFile(a)
	y, err2 := p.readFile(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

func cmdBasename(p *Process) int {
	o, ok := p.getopt("+as:z", "multiple>a suffix=>s zero>z")
	if !ok {
		return p.usage(1)
	}
	if len(o.args) == 0 {
		p.errorf("missing operand")
		return p.usage(1)
	}
	end := "\n"
	if o.has("z") {
		end = "\x00"
	}
	names, suffix := o.args, o.get("s")
	if !o.has("a", "s") {
		if len(names) > 2 {
			p.errorf("extra operand %s", quote(names[2]))
			return p.usage(1)
		}
		if len(names) == 2 {
			suffix = names[1]
		}
		names = names[:1]
	}
	for _, n := range names {
		b := path.Base(n)
		if n == "" {
			b = ""
		}
		if b != suffix {
			b = strings.TrimSuffix(b, suffix)
		}
		p.print(b, end)
	}
	return 0
}

func cmdDirname(p *Process) int {
	o, ok := p.getopt("z", "zero>z")
	if !ok {
		return p.usage(1)
	}
	if len(o.args) == 0 {
		p.errorf("missing operand")
		return p.usage(1)
	}
	end := "\n"
	if o.has("z") {
		end = "\x00"
	}
	for _, n := range o.args {
		t := strings.TrimRight(n, "/")
		switch i := strings.LastIndexByte(t, '/'); {
		case t == "" && n != "":
			t = "/"
		case i < 0:
			t = "."
		default:
			t = strings.TrimRight(t[:i], "/")
			if t == "" {
				t = "/"
			}
		}
		p.print(t, end)
	}
	return 0
}

func cmdCmp(p *Process) int {
	o, ok := p.getopt("bi:ln:s", "quiet>s silent>s bytes=>n verbose>l print-bytes>b")
	try := func() int {
		p.errorf("Try 'cmp --help' for more information.")
		return 2
	}
	if !ok {
		return try()
	}
	if p.unsupported(o, "b", "i", "l") {
		return 2
	}
	switch {
	case len(o.args) == 0:
		p.errorf("missing operand after '%s'", p.Args[len(p.Args)-1])
		return try()
	case len(o.args) > 2:
		p.errorf("hosttest: bytes to skip are not supported")
		return 2
	}
	if len(o.args) == 1 {
		o.args = append(o.args, "-")
	}
	var data [2][]byte
	for i, a := range o.args {
		d, err := p.in(a)
		if err == nil {
			data[i], err = p.readAll(d)
			d.release()
		}
		if err != nil {
			if !o.has("s") {
				p.errorf("%s: %s", a, strerror(err))
			}
			return 2
		}
	}
	a, b := data[0], data[1]
	if o.has("n") {
		n, ok := byteCount(o.get("n"))
		if !ok {
			p.errorf("invalid --bytes value '%s'", o.get("n"))
			return try()
		}
		a, b = a[:min(n, int64(len(a)))], b[:min(n, int64(len(b)))]
	}
	line := 1
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			if !o.has("s") {
				p.printf("%s %s differ: char %d, line %d\n", o.args[0], o.args[1], i+1, line)
			}
			return 1
		}
		if a[i] == '\n' {
			line++
		}
	}
	if len(a) != len(b) {
		if !o.has("s") {
			short, n := o.args[0], len(a)
			if len(b) < len(a) {
				short, n = o.args[1], len(b)
			}
			if n == 0 {
				p.warn("cmp: EOF on %s which is empty\n", short)
			} else if bytes.HasSuffix(a[:n], []byte("\n")) {
				p.warn("cmp: EOF on %s after byte %d, line %d\n", short, n, line-1)
			} else {
				p.warn("cmp: EOF on %s after byte %d, in line %d\n", short, n, line)
			}
		}
		return 1
	}
	return 0
}
