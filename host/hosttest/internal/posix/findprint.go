package posix

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func (f *finder) format(format string, n *findNode) string {
	var b strings.Builder
	p := f.p
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c == '\\' && i+1 < len(format) {
			i++
			switch e := format[i]; {
			case e >= '0' && e <= '7':
				v, w := libc.Octal(format[i:])
				b.WriteByte(v)
				i += w - 1
			case strings.IndexByte(`abfnrtv\`, e) >= 0:
				b.WriteByte("\a\b\f\n\r\t\v\\"[strings.IndexByte(`abfnrtv\`, e)])
			case e == 'c':
				return b.String()
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
		i++
		start := i
		for i < len(format) && strings.IndexByte("-0123456789#.", format[i]) >= 0 {
			i++
		}
		flags := format[start:i]
		if i >= len(format) {
			break
		}
		v := ""
		st := n.st
		stamp := func(t time.Time) string {
			if i+1 < len(format) {
				i++
				if format[i] == '@' {
					return fmt.Sprintf("%d.%09d0", t.Unix(), t.Nanosecond())
				}
				return libc.Strftime("%"+string(format[i]), libc.LocalTime(p, t))
			}
			return ""
		}
		switch format[i] {
		case '%':
			v = "%"
		case 'p':
			v = n.name
		case 'P':
			v = strings.TrimPrefix(strings.TrimPrefix(n.name, n.root), "/")
		case 'f':
			v = path.Base(n.name)
		case 'h':
			v = path.Dir(n.name)
			if !strings.Contains(n.name, "/") {
				v = "."
			}
		case 'H':
			v = n.root
		case 'd':
			v = strconv.Itoa(n.depth)
		case 's':
			v = strconv.FormatInt(st.Size, 10)
		case 'm':
			v = strconv.FormatUint(uint64(st.Perm()), 8)
		case 'M':
			v = modeString(st.Mode)
		case 'u':
			v = libc.UserName(p.Kernel, st.UID)
		case 'U':
			v = strconv.Itoa(int(st.UID))
		case 'g':
			v = libc.GroupName(p.Kernel, st.GID)
		case 'G':
			v = strconv.Itoa(int(st.GID))
		case 'i':
			v = strconv.Itoa(int(st.Ino))
		case 'n':
			v = strconv.Itoa(int(st.Nlink))
		case 'l':
			v = st.Target
		case 'y', 'Y':
			if format[i] == 'Y' {
				if s, err := p.Stat(n.name); err == nil {
					st = s
				}
			}
			v = modeString(st.Mode)[:1]
			if v == "-" {
				v = "f"
			}
		case 'T':
			v = stamp(st.Mtime)
		case 'A':
			v = stamp(st.Atime)
		case 'C':
			v = stamp(st.Ctime)
		case 't':
			v = libc.LocalTime(p, st.Mtime).Format("Mon Jan _2 15:04:05.0000000000 2006")
		default:
			v = "%" + string(format[i])
		}
		if flags != "" {
			v = padStat(v, flags, 'n')
		}
		b.WriteString(v)
	}
	return b.String()
}
