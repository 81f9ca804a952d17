package host

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// calendarWords are the calendar events that have a name (systemd.time(7)).
var calendarWords = strings.Fields("minutely hourly daily weekly monthly quarterly semiannually semi-annually " +
	"biannually bi-annually annually yearly")

const weekday = `(?:mon(?:day)?|tue(?:sday)?|wed(?:nesday)?|thu(?:rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)`

var (
	weekdays     = regexp.MustCompile(`^(?i)` + weekday + `(?:(?:,|\.\.|-)` + weekday + `)*,?$`)
	calendarDate = regexp.MustCompile(`^(?:([^-~]+)-)?([^-~]+)([-~])([^-~]+)$`)
	calendarTime = regexp.MustCompile(`^([^:]+):([^:]+)(?::([^:]+))?$`)
	calendarZone = regexp.MustCompile(`^(?:UTC|[A-Z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*)$`)
	calendarUnix = regexp.MustCompile(`^@[0-9]+(?:\.[0-9]+)?$`)
	calendarPart = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(?:\.\.([0-9]+(?:\.[0-9]+)?))?(?:/([0-9]+(?:\.[0-9]+)?))?$`)
	timespan     = regexp.MustCompile(`^(?:[0-9]+(?:\.[0-9]+)?\s*(?:[a-zA-Zµμ]+)?\s*)+$`)
	timespanUnit = regexp.MustCompile(`[a-zA-Zµμ]+`)
)

// timespanUnits are the units of systemd.time(7).
var timespanUnits = strings.Fields("usec us µs μs msec ms seconds second sec s minutes minute min m hours hour hr h " +
	"days day d weeks week w months month M years year y")

// checkCalendar reports what systemd would not take for a calendar event, so that the timer would be refused
// or never run: [weekdays] [date] [time] [time zone], each part once (systemd.time(7)).
func checkCalendar(ps *lab.Problems, field, event string) {
	bad := func(message, hint string) {
		*ps = append(*ps, lab.Problem{Path: field, Text: event, Message: message, Hint: hint})
	}
	words := strings.Fields(event)
	if len(words) > 1 && calendarZone.MatchString(words[len(words)-1]) && !weekdays.MatchString(words[len(words)-1]) {
		words = words[:len(words)-1]
	}
	if len(words) == 0 {
		bad("is no calendar event", `"daily", "Mon *-*-* 04:00:00"`)
		return
	}
	if len(words) == 1 && regexp.MustCompile(`^[A-Za-z-]+$`).MatchString(words[0]) && !weekdays.MatchString(words[0]) {
		if word := strings.ToLower(words[0]); !slices.Contains(calendarWords, word) {
			hint := `"daily", "Mon *-*-* 04:00:00"`
			if near := lab.Nearest(word, calendarWords); near != "" {
				hint = "nearest: " + near
			}
			bad("is no calendar event", hint)
		}
		return
	}
	part := 0 // of the parts that may still come: 0 weekdays, 1 date, 2 time
	for _, word := range words {
		at := 3
		switch {
		case weekdays.MatchString(word):
			at = 0
		case calendarUnix.MatchString(word) && len(words) == 1:
			return
		case isCalendarDate(word):
			at = 1
		case isCalendarTime(word):
			at = 2
		}
		if at == 3 || at < part {
			hint := `"daily", "Mon *-*-* 04:00:00"`
			if strings.Contains(word, "*/") {
				hint = "write 0/15, not */15"
			}
			bad("is no calendar event: "+lab.Printable(word)+" is not", hint)
			return
		}
		part = at + 1
	}
}

func isCalendarDate(word string) bool {
	m := calendarDate.FindStringSubmatch(word)
	if m == nil {
		return false
	}
	days := 31.0
	if m[3] == "~" {
		days = 28 // from the end of the month
	}
	year := m[1] == "" || isChain(m[1], 0, 99, true) || isChain(m[1], 1970, 2199, true)
	return year && isChain(m[2], 1, 12, true) && isChain(m[4], 1, days, true)
}

func isCalendarTime(word string) bool {
	m := calendarTime.FindStringSubmatch(word)
	return m != nil && isChain(m[1], 0, 23, true) && isChain(m[2], 0, 59, true) &&
		(m[3] == "" || isChain(m[3], 0, 59.999999, false))
}

// isChain reports whether the text is *, which stands alone, or numbers from low to high, with ranges and steps.
func isChain(text string, low, high float64, whole bool) bool {
	if text == "*" {
		return true
	}
	for _, item := range strings.Split(text, ",") {
		m := calendarPart.FindStringSubmatch(item)
		if m == nil || whole && strings.Contains(strings.ReplaceAll(item, "..", ""), ".") {
			return false
		}
		number := func(s string) float64 {
			n, _ := strconv.ParseFloat(s, 64) // the pattern matched
			return n
		}
		from, to := number(m[1]), number(m[1])
		if m[2] != "" {
			to = number(m[2])
		}
		if from < low || to > high || from > to || m[3] != "" && number(m[3]) == 0 ||
			m[2] == "" && m[3] != "" && from+number(m[3]) > high { // the step would never be made
			return false
		}
	}
	return true
}

// checkTimespan reports what systemd would not take for a time span: "30min", "1h 30min", a number of
// seconds (systemd.time(7)). Empty is none.
func checkTimespan(ps *lab.Problems, field, text string) {
	if text == "" || text == "infinity" {
		return
	}
	if !timespan.MatchString(text) {
		*ps = append(*ps, lab.Problem{Path: field, Text: text, Message: "is no time span", Hint: `"30min", "1h 30min"`})
		return
	}
	for _, unit := range timespanUnit.FindAllString(text, -1) {
		if !slices.Contains(timespanUnits, unit) {
			*ps = append(*ps, lab.Problem{Path: field, Text: text, Message: "is no time span: " + unit + " is not a unit",
				Hint: `"30min", "1h 30min"`})
			return
		}
	}
}
