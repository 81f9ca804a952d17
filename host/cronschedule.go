package host

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// cronNames are the schedules that have a name (crontab(5)).
var cronNames = []string{"@annually", "@daily", "@hourly", "@midnight", "@monthly", "@reboot", "@weekly", "@yearly"}

// cronField is one of the five fields of a schedule.
type cronField struct {
	name      string
	low, high int
	words     []string // names of the values, from low on
}

var cronFields = []cronField{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of the month", 1, 31, nil},
	{"month", 1, 12, strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")},
	{"day of the week", 0, 7, strings.Fields("sun mon tue wed thu fri sat")},
}

// checkSchedule reports a schedule that cron would ignore, and with it the whole file, or take for another.
func checkSchedule(ps *lab.Problems, field, schedule string) {
	bad := func(message, hint string) {
		*ps = append(*ps, lab.Problem{Path: field, Text: schedule, Message: message, Hint: hint})
	}
	words := strings.Fields(schedule)
	switch {
	case strings.ContainsAny(schedule, "\n\r\x00"):
		bad("contains a newline", "")
		return
	case len(words) == 1 && strings.HasPrefix(words[0], "@"):
		if !slices.Contains(cronNames, strings.ToLower(words[0])) {
			hint := "known: " + strings.Join(cronNames, ", ")
			if near := lab.Nearest(words[0], cronNames); near != "" {
				hint = "nearest: " + near
			}
			bad("is not the name of a schedule", hint)
		}
		return
	case len(words) != len(cronFields):
		bad("is not five fields", `"0 4 * * *" or "@daily"`)
		return
	}
	var values [5][]int
	for i, f := range cronFields {
		var problem, hint string
		if values[i], problem, hint = f.parse(words[i]); problem != "" {
			bad(fmt.Sprintf("its %s, %s, %s", f.name, lab.Printable(words[i]), problem), hint)
			return
		}
	}
	longest := []int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	comes := slices.ContainsFunc(values[3], func(month int) bool { return values[2][0] <= longest[month-1] })
	if !comes && strings.HasPrefix(words[4], "*") { // otherwise the day of the week is enough
		bad("is a day that never comes", "")
	}
}

// parse returns the values of a field in ascending order, or what is wrong with it.
func (f cronField) parse(text string) (values []int, problem, hint string) {
	for _, item := range strings.Split(text, ",") {
		span, step, stepped := strings.Cut(item, "/")
		from, to, ranged := strings.Cut(span, "-")
		low, high, every := f.low, f.high, 1
		var ok bool
		if span != "*" {
			if low, ok = f.value(from); !ok {
				return nil, fmt.Sprintf("is not from %d to %d", f.low, f.high), ""
			}
			high = low
		}
		if ranged {
			if high, ok = f.value(to); !ok {
				return nil, fmt.Sprintf("is not from %d to %d", f.low, f.high), ""
			}
		}
		switch n, err := strconv.Atoi(step); {
		case stepped && span != "*" && !ranged: // cron would take it without the step
			return nil, "has a step without a range", fmt.Sprintf("%s-%d/%s", from, f.high, step)
		case stepped && (err != nil || n < 1 || n > f.high):
			return nil, fmt.Sprintf("has a step that is not from 1 to %d", f.high), ""
		case stepped:
			every = n
		}
		if low > high {
			return nil, "is a range that ends before it begins", ""
		}
		for n := low; n <= high; n += every {
			values = append(values, n)
		}
	}
	slices.Sort(values)
	return values, "", ""
}

// value returns the value of a number or a name.
func (f cronField) value(text string) (int, bool) {
	if i := slices.Index(f.words, strings.ToLower(text)); i >= 0 {
		return f.low + i, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= f.low && n <= f.high && !strings.ContainsAny(text, "+-")
}
