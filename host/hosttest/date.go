package hosttest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// location is the machine's time zone, from /etc/localtime. A zone that the host does not know counts as UTC.
func location(k *kernel.Kernel) *time.Location {
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

// strftime formats a time as date(1) does in the C locale.
func strftime(format string, t time.Time) string {
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

// parseDate reads the forms of date -d that scripts use; everything else is an error, never a guess.
func parseDate(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	if rest, ok := strings.CutPrefix(s, "@"); ok {
		whole, frac, _ := strings.Cut(rest, ".")
		n, err := strconv.ParseInt(whole, 10, 64)
		if err != nil {
			return time.Time{}, err
		}
		f, _ := strconv.ParseInt((frac + "000000000")[:9], 10, 64)
		return time.Unix(n, f).In(now.Location()), nil
	}
	switch s {
	case "":
		return time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location()), nil
	case "now", "today":
		return now, nil
	case "yesterday":
		return now.AddDate(0, 0, -1), nil
	case "tomorrow":
		return now.AddDate(0, 0, 1), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999 -0700", "2006-01-02 15:04:05 MST", "2006-01-02T15:04:05-0700",
		"2006-01-02 15:04:05Z", "Mon Jan _2 15:04:05 MST 2006", "Mon, 02 Jan 2006 15:04:05 -0700", "Mon 2006-01-02 15:04:05 MST"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.In(now.Location()), nil
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "2006-01-02", "20060102"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	// "N unit [ago]", possibly several, possibly after a date.
	f := strings.Fields(s)
	t := now
	if len(f) > 2 {
		if base, err := parseDate(f[0], now); err == nil && !isDigits(f[0]) {
			t, f = base, f[1:]
		}
	}
	moved := false
	for len(f) > 0 {
		if f[0] == "ago" || len(f) < 2 {
			return time.Time{}, errors.New("invalid date")
		}
		n, err := strconv.Atoi(f[0])
		if err != nil {
			return time.Time{}, err
		}
		unit := strings.TrimSuffix(f[1], "s")
		f = f[2:]
		if len(f) > 0 && f[0] == "ago" {
			n = -n
			f = f[1:]
		}
		switch unit {
		case "sec", "second":
			t = t.Add(time.Duration(n) * time.Second)
		case "min", "minute":
			t = t.Add(time.Duration(n) * time.Minute)
		case "hour":
			t = t.Add(time.Duration(n) * time.Hour)
		case "day":
			t = t.AddDate(0, 0, n)
		case "week":
			t = t.AddDate(0, 0, 7*n)
		case "month":
			t = t.AddDate(0, n, 0)
		case "year":
			t = t.AddDate(n, 0, 0)
		default:
			return time.Time{}, errors.New("invalid date")
		}
		moved = true
	}
	if !moved {
		return time.Time{}, errors.New("invalid date")
	}
	return t, nil
}

func cmdDate(p *kernel.Process) int {
	o, ok := getopt(p, "d:f:I::Rr:s:u", "date=>d iso-8601[=>I rfc-email>R rfc-2822>R rfc-3339= reference=>r set=>s utc>u universal>u")
	if !ok {
		return usage(p, 1)
	}
	if unsupported(p, o, "f") {
		return 1
	}
	loc := location(p.Kernel)
	if tz := p.Getenv("TZ"); tz != "" {
		if l, err := time.LoadLocation(strings.TrimPrefix(tz, ":")); err == nil {
			loc = l
		}
	}
	if o.has("u") {
		loc = time.UTC
	}
	t := p.Kernel.Now().In(loc)
	if o.has("d") {
		var err error
		if t, err = parseDate(o.get("d"), t); err != nil {
			p.Errorf("invalid date %s", quote(o.get("d")))
			return 1
		}
	}
	if o.has("r") {
		st, err := p.Stat(o.get("r"))
		if err != nil {
			p.Errorf("%s: %s", quoteMaybe(o.get("r")), kernel.Strerror(err))
			return 1
		}
		t = st.Mtime.In(loc)
	}
	if o.has("s") {
		if p.UID != 0 {
			p.Errorf("cannot set date: Operation not permitted")
			return 1
		}
		p.Errorf("hosttest: the clock of this machine is the test's")
		return 1
	}
	format := "%a %b %e %H:%M:%S %Z %Y"
	if o.has("R") {
		format = "%a, %d %b %Y %H:%M:%S %z"
	}
	if o.has("I") {
		switch o.get("I") {
		case "", "date":
			format = "%Y-%m-%d"
		case "seconds":
			format = "%Y-%m-%dT%H:%M:%S%:z"
		case "minutes":
			format = "%Y-%m-%dT%H:%M%:z"
		case "hours":
			format = "%Y-%m-%dT%H%:z"
		case "ns":
			format = "%Y-%m-%dT%H:%M:%S,%N%:z"
		}
	}
	switch o.get("rfc-3339") {
	case "date":
		format = "%Y-%m-%d"
	case "seconds":
		format = "%Y-%m-%d %H:%M:%S%:z"
	case "ns":
		format = "%Y-%m-%d %H:%M:%S.%N%:z"
	}
	if len(o.args) > 0 {
		if !strings.HasPrefix(o.args[0], "+") {
			p.Errorf("invalid date %s", quote(o.args[0]))
			return 1
		}
		if len(o.args) > 1 {
			p.Errorf("extra operand %s", quote(o.args[1]))
			return usage(p, 1)
		}
		format = o.args[0][1:]
	}
	p.Print(strftime(format, t), "\n")
	return 0
}

func timeUnix(n int64) time.Time { return time.Unix(n, 0).UTC() }
