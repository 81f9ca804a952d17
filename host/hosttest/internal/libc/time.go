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
		d := timeDirective{}
		i = d.parse(format, i+1)
		if i >= len(format) {
			break
		}
		d.verb = format[i]
		b.WriteString(d.format(t))
	}
	return b.String()
}

// A timeDirective is one % of a format of time.
type timeDirective struct {
	pad    byte // the last of the flags -_0^#; 0 for none
	width  int
	colons int // %:z
	verb   byte
}

// parse reads what stands between the % and the letter, and gives where the letter is.
func (d *timeDirective) parse(format string, i int) int {
	for i < len(format) && strings.IndexByte("-_0^#", format[i]) >= 0 {
		d.pad = format[i]
		i++
	}
	for i < len(format) && format[i] >= '0' && format[i] <= '9' {
		d.width = d.width*10 + int(format[i]-'0')
		i++
	}
	for i < len(format) && format[i] == ':' {
		d.colons++
		i++
	}
	return i
}

func (d *timeDirective) format(t time.Time) string {
	s, ok := d.number(t)
	if !ok {
		s = d.text(t)
	}
	if d.pad == '^' {
		s = strings.ToUpper(s)
	}
	for len(s) < d.width {
		s = "0" + s
	}
	return s
}

// number is a field of so many digits, which the flags pad; ok tells whether the letter is one.
func (d *timeDirective) number(t time.Time) (field string, ok bool) {
	isoYear, isoWeek := t.ISOWeek()
	weekday, monday := int(t.Weekday()), (int(t.Weekday())+6)%7
	var n, width int
	fill := byte('0')
	switch d.verb {
	case 'C':
		n, width = t.Year()/100, 2
	case 'd':
		n, width = t.Day(), 2
	case 'e':
		n, width, fill = t.Day(), 2, ' '
	case 'V':
		n, width = isoWeek, 2
	case 'G':
		n, width = isoYear, 4
	case 'g':
		n, width = isoYear%100, 2
	case 'H':
		n, width = t.Hour(), 2
	case 'I':
		n, width = (t.Hour()+11)%12+1, 2
	case 'j':
		n, width = t.YearDay(), 3
	case 'k':
		n, width, fill = t.Hour(), 2, ' '
	case 'l':
		n, width, fill = (t.Hour()+11)%12+1, 2, ' '
	case 'm':
		n, width = int(t.Month()), 2
	case 'M':
		n, width = t.Minute(), 2
	case 'S':
		n, width = t.Second(), 2
	case 'U':
		n, width = (t.YearDay()+6-weekday)/7, 2
	case 'W':
		n, width = (t.YearDay()+6-monday)/7, 2
	case 'y':
		n, width = t.Year()%100, 2
	case 'Y':
		n, width = t.Year(), 1
	default:
		return "", false
	}
	switch d.pad {
	case '-':
		return strconv.Itoa(n), true
	case '_':
		fill = ' '
	case '0':
		fill = '0'
	}
	s := strconv.Itoa(n)
	return strings.Repeat(string(fill), max(0, width-len(s))) + s, true
}

// timeLayouts are the letters that are a layout of package time.
var timeLayouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006", 'D': "01/02/06",
	'x': "01/02/06", 'F': "2006-01-02", 'p': "PM", 'r': "03:04:05 PM", 'R': "15:04", 'T': "15:04:05", 'X': "15:04:05",
	'Z': "MST",
}

// text is a field that is not padded, or the directive itself when there is none of that letter.
func (d *timeDirective) text(t time.Time) string {
	if layout, ok := timeLayouts[d.verb]; ok {
		return t.Format(layout)
	}
	switch d.verb {
	case '%':
		return "%"
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case 'N':
		s := fmt.Sprintf("%09d", t.Nanosecond())
		if d.width > 0 && d.width < 9 {
			s = s[:d.width]
			d.width = 0
		}
		return s
	case 'P':
		return strings.ToLower(t.Format("PM"))
	case 's':
		return strconv.FormatInt(t.Unix(), 10)
	case 'u':
		return strconv.Itoa((int(t.Weekday())+6)%7 + 1)
	case 'w':
		return strconv.Itoa(int(t.Weekday()))
	case 'z':
		return t.Format(map[int]string{0: "-0700", 1: "-07:00", 2: "-07:00:00"}[d.colons])
	}
	return "%" + string(d.verb)
}

func TimeUnix(n int64) time.Time { return time.Unix(n, 0).UTC() }

func LocalTime(p *kernel.Process, t time.Time) time.Time { return t.In(Location(p.Kernel)) }
