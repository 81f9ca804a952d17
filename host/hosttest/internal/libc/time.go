package libc

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// Location is the machine's time zone, from /etc/localtime. A zone that the host does not know counts as UTC.
func Location(k *kernel.Kernel) *time.Location {
	st, err := k.FS().Lstat("/etc/localtime")
	if err != nil || !st.IsSymlink() {
		return time.UTC
	}
	_, name, ok := strings.Cut(st.Target, "/zoneinfo/")
	if !ok || name == "Etc/UTC" || name == "UTC" {
		return time.UTC
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return l
}

// Strftime formats a time as date(1) does in the C locale.
func Strftime(format string, t time.Time) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		pad := byte(0)
		for i < len(format) && strings.IndexByte("-_0^#", format[i]) >= 0 {
			pad = format[i]
			i++
		}
		width := 0
		for i < len(format) && format[i] >= '0' && format[i] <= '9' {
			width = width*10 + int(format[i]-'0')
			i++
		}
		colons := 0
		for i < len(format) && format[i] == ':' {
			colons++
			i++
		}
		if i >= len(format) {
			break
		}
		num := func(n, w int, fill byte) string {
			switch pad {
			case '-':
				return strconv.Itoa(n)
			case '_':
				fill = ' '
			case '0':
				fill = '0'
			}
			s := strconv.Itoa(n)
			for len(s) < w {
				s = string(fill) + s
			}
			return s
		}
		s := ""
		switch format[i] {
		case '%':
			s = "%"
		case 'a':
			s = t.Format("Mon")
		case 'A':
			s = t.Format("Monday")
		case 'b', 'h':
			s = t.Format("Jan")
		case 'B':
			s = t.Format("January")
		case 'c':
			s = t.Format("Mon Jan _2 15:04:05 2006")
		case 'C':
			s = num(t.Year()/100, 2, '0')
		case 'd':
			s = num(t.Day(), 2, '0')
		case 'D', 'x':
			s = t.Format("01/02/06")
		case 'e':
			s = num(t.Day(), 2, ' ')
		case 'F':
			s = t.Format("2006-01-02")
		case 'g', 'G', 'V':
			y, w := t.ISOWeek()
			switch format[i] {
			case 'V':
				s = num(w, 2, '0')
			case 'G':
				s = num(y, 4, '0')
			default:
				s = num(y%100, 2, '0')
			}
		case 'H':
			s = num(t.Hour(), 2, '0')
		case 'I':
			s = num((t.Hour()+11)%12+1, 2, '0')
		case 'j':
			s = num(t.YearDay(), 3, '0')
		case 'k':
			s = num(t.Hour(), 2, ' ')
		case 'l':
			s = num((t.Hour()+11)%12+1, 2, ' ')
		case 'm':
			s = num(int(t.Month()), 2, '0')
		case 'M':
			s = num(t.Minute(), 2, '0')
		case 'n':
			s = "\n"
		case 'N':
			s = fmt.Sprintf("%09d", t.Nanosecond())
			if width > 0 && width < 9 {
				s = s[:width]
				width = 0
			}
		case 'p':
			s = t.Format("PM")
		case 'P':
			s = strings.ToLower(t.Format("PM"))
		case 'r':
			s = t.Format("03:04:05 PM")
		case 'R':
			s = t.Format("15:04")
		case 's':
			s = strconv.FormatInt(t.Unix(), 10)
		case 'S':
			s = num(t.Second(), 2, '0')
		case 't':
			s = "\t"
		case 'T', 'X':
			s = t.Format("15:04:05")
		case 'u':
			s = strconv.Itoa((int(t.Weekday())+6)%7 + 1)
		case 'U':
			s = num((t.YearDay()+6-int(t.Weekday()))/7, 2, '0')
		case 'w':
			s = strconv.Itoa(int(t.Weekday()))
		case 'W':
			s = num((t.YearDay()+6-(int(t.Weekday())+6)%7)/7, 2, '0')
		case 'y':
			s = num(t.Year()%100, 2, '0')
		case 'Y':
			s = num(t.Year(), 1, '0')
		case 'z':
			s = t.Format(map[int]string{0: "-0700", 1: "-07:00", 2: "-07:00:00"}[colons])
		case 'Z':
			s = t.Format("MST")
		default:
			s = "%" + string(format[i])
		}
		if pad == '^' {
			s = strings.ToUpper(s)
		}
		for len(s) < width {
			s = "0" + s
		}
		b.WriteString(s)
	}
	return b.String()
}

func TimeUnix(n int64) time.Time { return time.Unix(n, 0).UTC() }

func LocalTime(p *kernel.Process, t time.Time) time.Time { return t.In(Location(p.Kernel)) }
