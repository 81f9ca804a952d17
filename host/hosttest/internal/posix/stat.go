package posix

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdStat(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "c:fLt", "format=>c printf= dereference>L file-system>f terse>t cached=")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "t") {
		return 1
	}
	if len(o.Args) == 0 {
		p.Errorf("missing operand")
		return libc.Usage(p, 1)
	}
	format, escapes := o.Get("c")+"\n", false
	if o.Has("printf") {
		format, escapes = o.Get("printf"), true
	}
	if !o.Has("c", "printf") {
		format = "  File: %N\n  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\nDevice: %Hd,%Ld\tInode: %-11i Links: " +
			"%h\nAccess: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\nAccess: %x\nModify: %y\nChange: %z\n" +
			" Birth: %w\n"
		if o.Has("f") {
			format = "  File: \"%n\"\n    ID: %-8i Namelen: %-7l Type: %T\nBlock size: %-10s Fundamental block size: " +
				"%S\nBlocks: Total: %-10b Free: %-10f Available: %a\nInodes: Total: %-10c Free: %d\n"
		}
	}
	code := 0
	for _, a := range o.Args {
		var st kernel.Stat
		var err error
		if o.Has("L", "f") {
			st, err = p.Stat(a)
		} else {
			st, err = p.Lstat(a)
		}
		if err != nil {
			if o.Has("f") {
				p.Errorf("cannot read file system information for %s: %s", libc.Quote(a), kernel.Strerror(err))
			} else {
				p.Errorf("cannot statx %s: %s", libc.Quote(a), kernel.Strerror(err))
			}
			code = 1
			continue
		}
		if o.Has("f") {
			p.Print(statFormat(p, format, escapes, a, st,
				func(verb, mod byte, name string, st kernel.Stat) (string, bool) {
					return fsDirective(p, verb, mod, name, st)
				}))
		} else {
			p.Print(statFormat(p, format, escapes, a, st,
				func(verb, mod byte, name string, st kernel.Stat) (string, bool) {
					return statDirective(p, verb, mod, name, st)
				}))
		}
	}
	return code
}

// statFormat interprets a format of stat(1).
func statFormat(p *kernel.Process, format string, escapes bool, name string, st kernel.Stat,
	directive func(verb, mod byte, name string, st kernel.Stat) (string, bool)) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c == '\\' && escapes && i+1 < len(format) {
			i++
			switch e := format[i]; {
			case e >= '0' && e <= '7':
				n, w := libc.Octal(format[i:])
				b.WriteByte(n)
				i += w - 1
			case e == 'x' && i+1 < len(format):
				end := min(i+3, len(format))
				if v, err := strconv.ParseUint(format[i+1:end], 16, 8); err == nil {
					b.WriteByte(byte(v))
					i = end - 1
				}
			case strings.IndexByte(`abefnrtv"\`, e) >= 0:
				b.WriteByte("\a\b\x1b\f\n\r\t\v\"\\"[strings.IndexByte(`abefnrtv"\`, e)])
			default:
				b.WriteByte('\\')
				b.WriteByte(e)
			}
			continue
		}
		if c != '%' || i+1 == len(format) {
			b.WriteByte(c)
			continue
		}
		start := i
		i++
		for i < len(format) && strings.IndexByte("'+-#0 123456789.", format[i]) >= 0 {
			i++
		}
		flags := format[start+1 : i]
		if i >= len(format) {
			b.WriteString(format[start:])
			break
		}
		verb, mod := format[i], byte(0)
		if verb == '%' {
			b.WriteByte('%')
			continue
		}
		if (verb == 'H' || verb == 'L') && i+1 < len(format) && (format[i+1] == 'd' || format[i+1] == 'r') {
			mod = verb
			i++
			verb = format[i]
		}
		v, ok := directive(verb, mod, name, st)
		if !ok {
			b.WriteByte('?')
			continue
		}
		b.WriteString(padStat(v, flags, verb))
	}
	return b.String()
}

func padStat(v, flags string, verb byte) string {
	i := 0
	left, zero, alt, plus := false, false, false, false
	for i < len(flags) && strings.IndexByte("-0#+ '", flags[i]) >= 0 {
		switch flags[i] {
		case '-':
			left = true
		case '0':
			zero = true
		case '#':
			alt = true
		case '+':
			plus = true
		}
		i++
	}
	_ = plus
	width, prec, _ := strings.Cut(flags[i:], ".")
	if alt && verb == 'a' {
		v = "0" + v
	}
	if alt && (verb == 'f' || verb == 'D' || verb == 't' || verb == 'T') {
		v = "0x" + v
	}
	if n, err := strconv.Atoi(prec); err == nil {
		if strings.IndexByte("ANFnUGxyzwmC", verb) >= 0 && n < len(v) {
			v = v[:n]
		}
		if strings.IndexByte("XYZW", verb) >= 0 {
			whole, frac, _ := strings.Cut(v, "\x00")
			v = whole + "." + (frac + "000000000")[:n]
		}
	} else if strings.Contains(flags, ".") && strings.IndexByte("XYZW", verb) >= 0 {
		whole, frac, _ := strings.Cut(v, "\x00")
		v = whole + "." + frac
	}
	v, _, _ = strings.Cut(v, "\x00")
	w, _ := strconv.Atoi(width)
	for len(v) < w {
		switch {
		case left:
			v += " "
		case zero && strings.IndexByte("ANFnUGxyzw", verb) < 0:
			v = "0" + v
		default:
			v = " " + v
		}
	}
	return v
}

func fileType(st kernel.Stat) string {
	switch st.Mode & kernel.ModeType {
	case kernel.ModeRegular:
		if st.Size == 0 {
			return "regular empty file"
		}
		return "regular file"
	case kernel.ModeDir:
		return "directory"
	case kernel.ModeSymlink:
		return "symbolic link"
	case kernel.ModeBlock:
		return "block special file"
	case kernel.ModeChar:
		return "character special file"
	case kernel.ModeFIFO:
		return "fifo"
	case kernel.ModeSocket:
		return "socket"
	}
	return "weird file"
}

// modeString is the ten characters of ls -l.
func modeString(mode uint32) string {
	b := []byte("?rwxrwxrwx")
	switch mode & kernel.ModeType {
	case kernel.ModeRegular:
		b[0] = '-'
	case kernel.ModeDir:
		b[0] = 'd'
	case kernel.ModeSymlink:
		b[0] = 'l'
	case kernel.ModeBlock:
		b[0] = 'b'
	case kernel.ModeChar:
		b[0] = 'c'
	case kernel.ModeFIFO:
		b[0] = 'p'
	case kernel.ModeSocket:
		b[0] = 's'
	}
	for i := range 9 {
		if mode&(1<<(8-i)) == 0 {
			b[i+1] = '-'
		}
	}
	for _, x := range []struct {
		bit uint32
		at  int
		c   string
	}{{kernel.ModeSetUID, 3, "sS"}, {kernel.ModeSetGID, 6, "sS"}, {kernel.ModeSticky, 9, "tT"}} {
		if mode&x.bit != 0 {
			if b[x.at] == 'x' {
				b[x.at] = x.c[0]
			} else {
				b[x.at] = x.c[1]
			}
		}
	}
	return string(b)
}

const statTime = "2006-01-02 15:04:05.000000000 -0700"

// statDirective is what a letter of stat's format stands for. A zero byte stands where a precision cuts a time.
func statDirective(p *kernel.Process, verb, mod byte, name string, st kernel.Stat) (string, bool) {
	if s, ok := statTimeOf(p, verb, st); ok {
		return s, true
	}
	switch verb {
	case 'a':
		return strconv.FormatUint(uint64(st.Perm()), 8), true
	case 'A':
		return modeString(st.Mode), true
	case 'b':
		return strconv.FormatInt((st.Size+4095)/4096*8, 10), true
	case 'B':
		return "512", true
	case 'C':
		return "?", true
	case 'd':
		switch mod {
		case 'H':
			return strconv.Itoa(int(st.Dev >> 20)), true
		case 'L':
			return strconv.Itoa(int(st.Dev & 0xfffff)), true
		}
		return strconv.FormatUint(uint64(st.Dev), 10), true
	case 'D':
		return strconv.FormatUint(uint64(st.Dev), 16), true
	case 'f':
		return strconv.FormatUint(uint64(st.Mode), 16), true
	case 'F':
		return fileType(st), true
	case 'g':
		return strconv.FormatUint(uint64(st.GID), 10), true
	case 'G':
		if g := libc.GroupByID(p.Kernel, st.GID); g != nil {
			return g.Name, true
		}
		return "UNKNOWN", true
	case 'h':
		return strconv.FormatUint(uint64(st.Nlink), 10), true
	case 'i':
		return strconv.FormatUint(uint64(st.Ino), 10), true
	case 'm':
		return st.At.Mnt.Target, true
	case 'n':
		return name, true
	case 'N':
		s := quoteAlways(name)
		if st.IsSymlink() {
			s += " -> " + quoteAlways(st.Target)
		}
		return s, true
	case 'o':
		return "4096", true
	case 's':
		return strconv.FormatInt(st.Size, 10), true
	case 'r':
		return strconv.FormatUint(uint64(st.Rdev), 10), true
	case 'R':
		return strconv.FormatUint(uint64(st.Rdev), 16), true
	case 't':
		return strconv.FormatUint(uint64(st.Rdev>>8), 16), true
	case 'T':
		return strconv.FormatUint(uint64(st.Rdev&0xff), 16), true
	case 'u':
		return strconv.FormatUint(uint64(st.UID), 10), true
	case 'U':
		if u := libc.UserByID(p.Kernel, st.UID); u != nil {
			return u.Name, true
		}
		return "UNKNOWN", true
	}
	return "", false
}

// statTimeOf is a directive of a time: a small letter for people, a capital one in seconds.
func statTimeOf(p *kernel.Process, verb byte, st kernel.Stat) (string, bool) {
	var t time.Time
	switch verb {
	case 'w', 'W':
		t = st.Btime
	case 'x', 'X':
		t = st.Atime
	case 'y', 'Y':
		t = st.Mtime
	case 'z', 'Z':
		t = st.Ctime
	default:
		return "", false
	}
	switch verb {
	case 'w', 'x', 'y', 'z':
		return libc.LocalTime(p, t).Format(statTime), true
	case 'W':
		return strconv.FormatInt(t.Unix(), 10), true
	}
	return fmt.Sprintf("%d\x00%09d", t.Unix(), t.Nanosecond()), true
}

// quoteAlways is %N: shell-escape-always quoting.
func quoteAlways(s string) string { return libc.QuoteEscaped(s) }

func fsDirective(p *kernel.Process, verb, _ byte, name string, st kernel.Stat) (string, bool) {
	v := st.At.Mnt.Vol
	size, free := p.Kernel.Space(v)
	magic := map[string]string{"ext4": "ef53", "ext3": "ef53", "ext2": "ef53", "xfs": "58465342", "tmpfs": "1021994",
		"vfat": "4d44", "proc": "9fa0", "sysfs": "62656572", "cgroup2": "63677270", "devtmpfs": "1021994"}[v.FSType]
	switch verb {
	case 'a', 'f':
		return strconv.FormatInt(free/4096, 10), true
	case 'b':
		return strconv.FormatInt(size/4096, 10), true
	case 'c':
		return strconv.FormatInt(size/16384, 10), true
	case 'd':
		return strconv.FormatInt(size/16384-int64(len(v.Upper)), 10), true
	case 'i':
		return strconv.FormatUint(uint64(v.Dev), 16), true
	case 'l':
		return "255", true
	case 'n':
		return name, true
	case 's', 'S':
		return "4096", true
	case 't':
		return magic, true
	case 'T':
		return map[string]string{"ext4": "ext2/ext3", "ext3": "ext2/ext3", "ext2": "ext2/ext3", "vfat": "msdos",
			"cgroup2": "cgroup2fs", "devtmpfs": "tmpfs"}[v.FSType] +
			map[bool]string{true: v.FSType}[!slices.Contains([]string{"ext4", "ext3", "ext2", "vfat", "cgroup2",
				"devtmpfs"}, v.FSType)], true
	}
	return "", false
}
