package hosttest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func cmdStat(p *proc) int {
	o, ok := p.getopt("c:fLt", "format=>c printf= dereference>L file-system>f terse>t cached=")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "t") {
		return 1
	}
	if len(o.args) == 0 {
		p.errorf("missing operand")
		return p.usage(1)
	}
	format, escapes := o.get("c")+"\n", false
	if o.has("printf") {
		format, escapes = o.get("printf"), true
	}
	if !o.has("c", "printf") {
		format = "  File: %N\n  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\nDevice: %Hd,%Ld\tInode: %-11i Links: %h\nAccess: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\nAccess: %x\nModify: %y\nChange: %z\n Birth: %w\n"
		if o.has("f") {
			format = "  File: \"%n\"\n    ID: %-8i Namelen: %-7l Type: %T\nBlock size: %-10s Fundamental block size: %S\nBlocks: Total: %-10b Free: %-10f Available: %a\nInodes: Total: %-10c Free: %d\n"
		}
	}
	code := 0
	for _, a := range o.args {
		var st Stat
		var err error
		if o.has("L", "f") {
			st, err = p.stat(a)
		} else {
			st, err = p.lstat(a)
		}
		if err != nil {
			if o.has("f") {
				p.errorf("cannot read file system information for %s: %s", quote(a), strerror(err))
			} else {
				p.errorf("cannot statx %s: %s", quote(a), strerror(err))
			}
			code = 1
			continue
		}
		if o.has("f") {
			p.print(p.statFormat(format, escapes, a, st, func(verb, mod byte, name string, st Stat) (string, bool) {
				return p.fsDirective(verb, mod, name, st)
			}))
		} else {
			p.print(p.statFormat(format, escapes, a, st, func(verb, mod byte, name string, st Stat) (string, bool) {
				return p.statDirective(verb, mod, name, st)
			}))
		}
	}
	return code
}

// statFormat interprets a format of stat(1).
func (p *proc) statFormat(format string, escapes bool, name string, st Stat, directive func(verb, mod byte, name string, st Stat) (string, bool)) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c == '\\' && escapes && i+1 < len(format) {
			i++
			switch e := format[i]; {
			case e >= '0' && e <= '7':
				n, w := octal(format[i:])
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

func fileType(st Stat) string {
	switch st.Mode & sIFMT {
	case sIFREG:
		if st.Size == 0 {
			return "regular empty file"
		}
		return "regular file"
	case sIFDIR:
		return "directory"
	case sIFLNK:
		return "symbolic link"
	case sIFBLK:
		return "block special file"
	case sIFCHR:
		return "character special file"
	case sIFIFO:
		return "fifo"
	case sIFSOC:
		return "socket"
	}
	return "weird file"
}

// modeString is the ten characters of ls -l.
func modeString(mode uint32) string {
	b := []byte("?rwxrwxrwx")
	switch mode & sIFMT {
	case sIFREG:
		b[0] = '-'
	case sIFDIR:
		b[0] = 'd'
	case sIFLNK:
		b[0] = 'l'
	case sIFBLK:
		b[0] = 'b'
	case sIFCHR:
		b[0] = 'c'
	case sIFIFO:
		b[0] = 'p'
	case sIFSOC:
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
	}{{sISUID, 3, "sS"}, {sISGID, 6, "sS"}, {sISVTX, 9, "tT"}} {
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

func (p *proc) localTime(t time.Time) time.Time { return t.In(p.k.location()) }

const statTime = "2006-01-02 15:04:05.000000000 -0700"

func (p *proc) statDirective(verb, mod byte, name string, st Stat) (string, bool) {
	epoch := func(t time.Time) string { return fmt.Sprintf("%d\x00%09d", t.Unix(), t.Nanosecond()) }
	plain := func(s string) string { return s }
	_ = plain
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
		if g := p.k.groupByID(st.GID); g != nil {
			return g.name, true
		}
		return "UNKNOWN", true
	case 'h':
		return strconv.FormatUint(uint64(st.Nlink), 10), true
	case 'i':
		return strconv.FormatUint(uint64(st.Ino), 10), true
	case 'm':
		return st.at.mnt.target, true
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
		return strconv.FormatUint(uint64(st.rdev), 10), true
	case 'R':
		return strconv.FormatUint(uint64(st.rdev), 16), true
	case 't':
		return strconv.FormatUint(uint64(st.rdev>>8), 16), true
	case 'T':
		return strconv.FormatUint(uint64(st.rdev&0xff), 16), true
	case 'u':
		return strconv.FormatUint(uint64(st.UID), 10), true
	case 'U':
		if u := p.k.userByID(st.UID); u != nil {
			return u.name, true
		}
		return "UNKNOWN", true
	case 'w':
		return p.localTime(st.Btime).Format(statTime), true
	case 'W':
		return strconv.FormatInt(st.Btime.Unix(), 10), true
	case 'x':
		return p.localTime(st.Atime).Format(statTime), true
	case 'y':
		return p.localTime(st.Mtime).Format(statTime), true
	case 'z':
		return p.localTime(st.Ctime).Format(statTime), true
	case 'X', 'Y', 'Z':
		t := map[byte]time.Time{'X': st.Atime, 'Y': st.Mtime, 'Z': st.Ctime}[verb]
		return epoch(t), true
	}
	return "", false
}

// quoteAlways is %N: shell-escape-always quoting.
func quoteAlways(s string) string { return quoteEscaped(s) }

func (p *proc) fsDirective(verb, _ byte, name string, st Stat) (string, bool) {
	v := st.at.mnt.vol
	size, free := p.k.space(v)
	magic := map[string]string{"ext4": "ef53", "ext3": "ef53", "ext2": "ef53", "xfs": "58465342", "tmpfs": "1021994", "vfat": "4d44", "proc": "9fa0", "sysfs": "62656572", "cgroup2": "63677270", "devtmpfs": "1021994"}[v.fstype]
	switch verb {
	case 'a', 'f':
		return strconv.FormatInt(free/4096, 10), true
	case 'b':
		return strconv.FormatInt(size/4096, 10), true
	case 'c':
		return strconv.FormatInt(size/16384, 10), true
	case 'd':
		return strconv.FormatInt(size/16384-int64(len(v.upper)), 10), true
	case 'i':
		return strconv.FormatUint(uint64(v.dev), 16), true
	case 'l':
		return "255", true
	case 'n':
		return name, true
	case 's', 'S':
		return "4096", true
	case 't':
		return magic, true
	case 'T':
		return map[string]string{"ext4": "ext2/ext3", "ext3": "ext2/ext3", "ext2": "ext2/ext3", "vfat": "msdos", "cgroup2": "cgroup2fs", "devtmpfs": "tmpfs"}[v.fstype] + map[bool]string{true: v.fstype}[!slices.Contains([]string{"ext4", "ext3", "ext2", "vfat", "cgroup2", "devtmpfs"}, v.fstype)], true
	}
	return "", false
}

// space gives the size of a volume and what is free of it.
func (m *Kernel) space(v *volume) (size, free int64) {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	size = v.size
	free = max(0, size-v.used)
	if !v.lossy && !v.kernel {
		free = m.cfg.Room(free)
	}
	return size, free
}

func cmdLs(p *proc) int {
	o, ok := p.getopt("1aAbcdfFgGhHiIklLmnNopqQrRsStTuUvwxXZ", "all>a almost-all>A directory>d full-time human-readable>h inode>i numeric-uid-gid>n recursive>R reverse>r size>s color[= group-directories-first time-style= zero")
	if !ok {
		return p.usage(2)
	}
	if p.unsupported(o, "b", "c", "f", "F", "g", "G", "h", "H", "I", "k", "L", "m", "N", "o", "p", "q", "Q", "s", "S", "T", "u", "U", "v", "w", "x", "X", "Z", "group-directories-first", "time-style", "zero") {
		return 2
	}
	names := o.args
	if len(names) == 0 {
		names = []string{"."}
	}
	code := 0
	long := o.has("l", "n", "full-time")
	line := func(name string, st Stat) {
		if o.has("i") {
			p.printf("%d ", st.Ino)
		}
		if !long {
			p.print(name, "\n")
			return
		}
		owner, group := p.k.userName(st.UID), p.k.groupName(st.GID)
		if o.has("n") {
			owner, group = strconv.Itoa(int(st.UID)), strconv.Itoa(int(st.GID))
		}
		when := p.localTime(st.Mtime).Format("Jan _2 15:04")
		if p.k.now().Sub(st.Mtime) > 180*24*time.Hour {
			when = p.localTime(st.Mtime).Format("Jan _2  2006")
		}
		if o.has("full-time") {
			when = p.localTime(st.Mtime).Format(statTime)
		}
		if st.IsSymlink() {
			name += " -> " + st.Target
		}
		mode := modeString(st.Mode)
		if _, ok := st.xattrs[aclAccess]; ok {
			mode += "+"
		}
		p.printf("%s %d %s %s %d %s %s\n", mode, st.Nlink, owner, group, st.Size, when, name)
	}
	order := func(dir string, list []string) {
		slices.Sort(list)
		if o.has("t") {
			slices.SortStableFunc(list, func(a, b string) int {
				x, _ := p.lstat(dir + a)
				y, _ := p.lstat(dir + b)
				return y.Mtime.Compare(x.Mtime)
			})
		}
		if o.has("r") {
			slices.Reverse(list)
		}
	}
	var dirs, files []string
	for _, n := range names {
		st, err := p.stat(n)
		if err != nil || o.has("d") {
			st, err = p.lstat(n)
		}
		if err != nil {
			p.errorf("cannot access %s: %s", quote(n), strerror(err))
			code = 2
			continue
		}
		if st.IsDir() && !o.has("d") {
			dirs = append(dirs, n)
		} else {
			files = append(files, n)
		}
	}
	order("", files)
	for _, n := range files {
		st, _ := p.lstat(n)
		line(n, st)
	}
	var list func(dir string, head bool)
	first := len(files) == 0
	list = func(dir string, head bool) {
		if head {
			if !first {
				p.print("\n")
			}
			p.print(dir, ":\n")
		}
		first = false
		found, err := p.readDir(dir)
		if err != nil {
			p.errorf("cannot open directory %s: %s", quote(dir), strerror(err))
			code = 2
			return
		}
		if o.has("a") {
			found = append(found, ".", "..")
		}
		found = slices.DeleteFunc(found, func(n string) bool { return n[0] == '.' && !o.has("a", "A") })
		order(dir+"/", found)
		if long {
			p.print("total 0\n")
		}
		for _, n := range found {
			st, _ := p.lstat(join(dir, n))
			line(n, st)
		}
		if o.has("R") {
			for _, n := range found {
				if st, _ := p.lstat(join(dir, n)); st.IsDir() && n != "." && n != ".." {
					list(join(dir, n), true)
				}
			}
		}
	}
	order("", dirs)
	for _, d := range dirs {
		list(d, len(names) > 1 || o.has("R"))
	}
	return code
}
