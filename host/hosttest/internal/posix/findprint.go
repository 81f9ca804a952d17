package posix

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// format writes what -printf prints of a file.
func (f *finder) format(format string, n *findNode) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c == '\\' && i+1 < len(format) {
			if format[i+1] == 'c' {
				return b.String()
			}
			char, width := findEscape(format[i+1:])
			b.WriteString(char)
			i += width
			continue
		}
		if c != '%' || i+1 == len(format) {
			b.WriteByte(c)
			continue
		}
		i++
		start := i
		for i < len(format) && strings.IndexByte("-0123456789#.", format[i]) >= 0 {
			i++
		}
		if i >= len(format) {
			break
		}
		flags := format[start:i]
		v := ""
		switch verb := format[i]; verb {
		case 'T', 'A', 'C':
			if i+1 < len(format) {
				i++
				v = f.stamp(n, verb, format[i])
			}
		default:
			v = f.field(n, verb)
		}
		if flags != "" {
			v = padStat(v, flags, 'n')
		}
		b.WriteString(v)
	}
	return b.String()
}

// findEscape reads what follows a backslash.
func findEscape(s string) (char string, width int) {
	if s[0] >= '0' && s[0] <= '7' {
		v, w := libc.Octal(s)
		return string([]byte{v}), w
	}
	if k := strings.IndexByte(`abfnrtv\`, s[0]); k >= 0 {
		return "\a\b\f\n\r\t\v\\"[k : k+1], 1
	}
	return `\` + s[:1], 1
}

// stamp is a time of the file, Tk, Ak or Ck.
func (f *finder) stamp(n *findNode, which, verb byte) string {
	t := map[byte]time.Time{'T': n.st.Mtime, 'A': n.st.Atime, 'C': n.st.Ctime}[which]
	if verb == '@' {
		return fmt.Sprintf("%d.%09d0", t.Unix(), t.Nanosecond())
	}
	return libc.Strftime("%"+string(verb), libc.LocalTime(f.p, t))
}

// field is what a letter stands for, or the directive itself when there is none of that letter.
func (f *finder) field(n *findNode, verb byte) string {
	st := n.st
	switch verb {
	case '%':
		return "%"
	case 'p':
		return n.name
	case 'P':
		return strings.TrimPrefix(strings.TrimPrefix(n.name, n.root), "/")
	case 'f':
		return path.Base(n.name)
	case 'h':
		if !strings.Contains(n.name, "/") {
			return "."
		}
		return path.Dir(n.name)
	case 'H':
		return n.root
	case 'd':
		return strconv.Itoa(n.depth)
	case 's':
		return strconv.FormatInt(st.Size, 10)
	case 'm':
		return strconv.FormatUint(uint64(st.Perm()), 8)
	case 'M':
		return modeString(st.Mode)
	case 'u':
		return libc.UserName(f.p.Kernel, st.UID)
	case 'U':
		return strconv.Itoa(int(st.UID))
	case 'g':
		return libc.GroupName(f.p.Kernel, st.GID)
	case 'G':
		return strconv.Itoa(int(st.GID))
	case 'i':
		return strconv.Itoa(int(st.Ino))
	case 'n':
		return strconv.Itoa(int(st.Nlink))
	case 'l':
		return st.Target
	case 'y', 'Y':
		if s, err := f.p.Stat(n.name); verb == 'Y' && err == nil {
			st = s
		}
		return strings.Replace(modeString(st.Mode)[:1], "-", "f", 1)
	case 't':
		return libc.LocalTime(f.p, st.Mtime).Format("Mon Jan _2 15:04:05.0000000000 2006")
	}
	return "%" + string(verb)
}
