package posix

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

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
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z07:00",
		"2006-01-02 15:04:05.999999999 -0700", "2006-01-02 15:04:05 MST", "2006-01-02T15:04:05-0700",
		"2006-01-02 15:04:05Z", "Mon Jan _2 15:04:05 MST 2006", "Mon, 02 Jan 2006 15:04:05 -0700",
		"Mon 2006-01-02 15:04:05 MST"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.In(now.Location()), nil
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
		"2006-01-02 15:04", "2006-01-02", "20060102"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	// "N unit [ago]", possibly several, possibly after a date.
	f := strings.Fields(s)
	t := now
	if len(f) > 2 {
		if base, err := parseDate(f[0], now); err == nil && !libc.IsDigits(f[0]) {
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
	o, ok := libc.Getopt(p, "d:f:I::Rr:s:u",
		"date=>d iso-8601[=>I rfc-email>R rfc-2822>R rfc-3339= reference=>r set=>s utc>u universal>u")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "f") {
		return 1
	}
	loc := libc.Location(p.Kernel)
	if tz := p.Getenv("TZ"); tz != "" {
		if l, err := time.LoadLocation(strings.TrimPrefix(tz, ":")); err == nil {
			loc = l
		}
	}
	if o.Has("u") {
		loc = time.UTC
	}
	t := p.Kernel.Now().In(loc)
	if o.Has("d") {
		var err error
		if t, err = parseDate(o.Get("d"), t); err != nil {
			p.Errorf("invalid date %s", libc.Quote(o.Get("d")))
			return 1
		}
	}
	if o.Has("r") {
		st, err := p.Stat(o.Get("r"))
		if err != nil {
			p.Errorf("%s: %s", libc.QuoteMaybe(o.Get("r")), kernel.Strerror(err))
			return 1
		}
		t = st.Mtime.In(loc)
	}
	if o.Has("s") {
		if p.UID != 0 {
			p.Errorf("cannot set date: Operation not permitted")
			return 1
		}
		p.Errorf("hosttest: the clock of this machine is the test's")
		return 1
	}
	format := dateFormat(o)
	if len(o.Args) > 0 {
		if !strings.HasPrefix(o.Args[0], "+") {
			p.Errorf("invalid date %s", libc.Quote(o.Args[0]))
			return 1
		}
		if len(o.Args) > 1 {
			p.Errorf("extra operand %s", libc.Quote(o.Args[1]))
			return libc.Usage(p, 1)
		}
		format = o.Args[0][1:]
	}
	p.Print(libc.Strftime(format, t), "\n")
	return 0
}

// dateFormat is the format that the options name.
func dateFormat(o *libc.Options) string {
	format := "%a %b %e %H:%M:%S %Z %Y"
	if o.Has("R") {
		format = "%a, %d %b %Y %H:%M:%S %z"
	}
	if o.Has("I") {
		switch o.Get("I") {
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
	switch o.Get("rfc-3339") {
	case "date":
		format = "%Y-%m-%d"
	case "seconds":
		format = "%Y-%m-%d %H:%M:%S%:z"
	case "ns":
		format = "%Y-%m-%d %H:%M:%S.%N%:z"
	}
	return format
}
