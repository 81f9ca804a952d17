package host

import (
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestSchedule: what cron would ignore, or take for another schedule, is refused.
func TestSchedule(t *testing.T) {
	for _, good := range []string{"0 4 * * *", "0  4 *\t* *", "*/15 0-23/2 1,15 jan-mar Mon", "59 23 31 12 7", "0 0 29 2 *",
		"0 0 30 2 1", "0 0 31 1,4 *", "@daily", "@Reboot", "00 04 * * sun", "0 0 * * mon,fri", "0 0 1-7 * *"} {
		var ps lab.Problems
		if checkSchedule(&ps, "schedule", good); len(ps) > 0 {
			t.Errorf("%s: %v", good, ps)
		}
	}
	for bad, want := range map[string]string{
		"99 * * * *": "its minute, 99, is not from 0 to 59", "* 24 * * *": "its hour", "* * 0 * *": "its day of the month",
		"* * * 13 *": "its month", "* * * * 8": "its day of the week", "0 4 * *": "is not five fields",
		"0 4 * * * *": "is not five fields", "": "is not five fields", "@daly": "nearest: @daily", "@x": "known: @annually",
		"5/15 * * * *": "(5-59/15)", "*/0 * * * *": "step", "*/90 * * * *": "step", "30-10 * * * *": "ends before it begins",
		"0 0 30 2 *": "never comes", "0 0 31 4,6,9,11 *": "never comes", "0 0 * foo *": "its month, foo", "-5 * * * *": "its minute",
		"+5 * * * *": "its minute", "1, * * * *": "its minute", "1--2 * * * *": "its minute", "* * * * mon-": "its day of the week",
		"0 4 * * *\n": "contains a newline", "** * * * *": "its minute", "*-5 * * * *": "its minute", "5 * ? * *": "its day of the month",
	} {
		var ps lab.Problems
		if checkSchedule(&ps, "schedule", bad); len(ps) != 1 || !strings.Contains(ps[0].String(), want) {
			t.Errorf("%q: %v, want %s", bad, ps, want)
		}
	}
}

// calendarEvents are what systemd.time(7) has for examples, and what people write wrong.
var calendarEvents = strings.Split(`Sat,Thu,Mon..Wed,Sat..Sun
Mon,Sun 12-*-* 2,1:23
Wed *-1
Wed..Wed,Wed *-1
Wed, 17:48
Wed..Sat,Tue 12-10-15 1:2:3
*-*-7 0:0:0
10-15
monday *-12-* 17:00
Mon,Fri *-*-3,1,2 *:30:45
12,14,13,12:20,10,30
12..14:10,20,30
mon,fri *-1/2-1,3 *:30:45
03-05 08:05:40
08:05:40
05:40
Sat,Sun 12-05 08:05:40
Sat,Sun 08:05:40
2003-03-05 05:40
05:40:23.4200004/3.1700005
2003-02..04-05
2003-03-05 05:40 UTC
2003-03-05
03-05
hourly
daily
daily UTC
monthly
weekly
weekly Pacific/Auckland
yearly
annually
*:2/3
*-*~05
Mon *-05~07/1
*-*-* 04:00:00
Mon *-*-* 04:00:00 Europe/Paris
@1395716396
99:00
*-13-01
*-*-32
dayly
Mon..Foo
4
4am
*-*-* 24:00
*-*-* 04:60
04:00 *-*-*
*-*-* Mon
Mon Tue
*/0:00
*:*/15
*:0/15
*:0/59
*:0/60
*:30/45
*:30..50/45
*:*:0/60
*-*-1/31
*-*-* *:00/30:00
Europe/Paris

Mon *-*-* 04:00:00 04:00:00
2026-02-30
*-*-*T04:00
10..5:00
*-*-*,`, "\n")

// TestCalendar: nothing is refused that systemd accepts, and of what people write, all that it refuses.
func TestCalendar(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		real.Missing(t, "systemd-analyze")
	}
	random := rand.New(rand.NewPCG(1, 2))
	events := calendarEvents
	for _, e := range calendarEvents {
		for range 3 { // with a character changed
			if e != "" {
				i := random.IntN(len(e))
				events = append(events, e[:i]+string("0123456789*-:,./~ MU"[random.IntN(20)])+e[i+1:])
			}
		}
	}
	for n, e := range events {
		e = strings.TrimSpace(e) // systemd reads a setting so
		var ps lab.Problems
		checkCalendar(&ps, "onCalendar", e)
		out, err := exec.Command("systemd-analyze", "calendar", "--", e).CombinedOutput()
		if len(ps) > 0 && err == nil {
			t.Errorf("%q: systemd accepts it, and %v", e, ps)
		}
		words := strings.Fields(e)
		zone := len(words) > 1 && calendarZone.MatchString(words[len(words)-1]) // whether it is one, the machine knows
		if len(ps) == 0 && err != nil && !zone && n < len(calendarEvents) {
			t.Errorf("%q: systemd refuses it: %s", e, out)
		}
	}
	for _, e := range []string{"", "5", "30min", "1h 30min", "2weeks", "1.5h", "1h30min", "3 M", "infinity", "5 foo", "min",
		"-5s", "1h,2h", "5 µs"} {
		var ps lab.Problems
		checkTimespan(&ps, "delay", e)
		if _, err := exec.Command("systemd-analyze", "timespan", "--", e).CombinedOutput(); e != "" && (err == nil) != (len(ps) == 0) {
			t.Errorf("the time span %q: %v, %v", e, ps, err)
		}
	}
}
