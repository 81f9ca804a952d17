package health

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

const (
	skewWarning = 2 * time.Second // tokens and certificates begin to be refused from a few seconds on
	skewBad     = time.Minute

	memoryWarning, memoryBad = 10, 3 // percent that are available
	hot                      = 80    // °C: a Raspberry Pi slows down from here on
)

// unknown is a finding about something that the machine did not say, or not in a form that is known.
func unknown(check, what string) lab.Finding {
	return lab.Finding{Check: check, Verdict: lab.VerdictUnknown, Text: what}
}

// judgeClock compares the machine's time, in seconds since 1970, with ours. It was read between sent and
// received, so that only what is outside of this interval is certainly a difference.
func judgeClock(line string, sent, received time.Time) lab.Finding {
	whole, fraction, _ := strings.Cut(line, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || sec < 0 {
		return unknown(clock, "the machine's time could not be read")
	}
	nsec, _ := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	at := time.Unix(sec, nsec)
	var skew time.Duration
	way := ""
	switch {
	case at.Before(sent):
		skew, way = sent.Sub(at), "behind"
	case at.After(received):
		skew, way = at.Sub(received), "ahead of"
	}
	f := lab.Finding{Check: clock, Text: "agrees with ours"}
	if skew >= 100*time.Millisecond {
		f.Text = fmt.Sprintf("%s %s ours", spell(skew), way)
	}
	switch {
	case skew >= skewBad:
		f.Verdict = lab.VerdictBad
	case skew >= skewWarning:
		f.Verdict = lab.VerdictWarning
	}
	if f.Verdict > lab.VerdictOK {
		f.Hint = "on the machine: timedatectl timesync-status; if all machines differ, it is the clock here"
	}
	return f
}

func judgeUptime(lines []string) lab.Finding {
	words := strings.Fields(strings.Join(lines, " "))
	if len(words) == 0 {
		return unknown(uptime, "the machine does not say when it was booted")
	}
	s, err := strconv.ParseFloat(words[0], 64)
	if err != nil || !(s >= 0 && s < 1e10) {
		return unknown(uptime, "the machine does not say when it was booted")
	}
	return lab.Finding{Check: uptime, Text: "up for " + spell(time.Duration(s)*time.Second)}
}

func judgeMemory(lines []string) lab.Finding {
	number := map[string]int64{}
	for _, line := range lines {
		if w := strings.Fields(line); len(w) >= 2 {
			number[strings.TrimSuffix(w[0], ":")], _ = strconv.ParseInt(w[1], 10, 64)
		}
	}
	total, available := number["MemTotal"], number["MemAvailable"]
	if total <= 0 || total > 1<<50 || available < 0 || available > total {
		return unknown(memory, "the machine does not say how much it has")
	}
	f := lab.Finding{Check: memory, Text: fmt.Sprintf("%s of %s are available", size(available<<10), size(total<<10))}
	switch percent := available * 100 / total; {
	case percent < memoryBad:
		f.Verdict = lab.VerdictBad
	case percent < memoryWarning:
		f.Verdict = lab.VerdictWarning
	}
	if f.Verdict > lab.VerdictOK {
		f.Hint = "on the machine: ps -eo rss,pid,args --sort=-rss | head"
	}
	if n := number["oom_kill"]; n > 0 {
		f.Verdict = max(f.Verdict, lab.VerdictWarning)
		f.Text += fmt.Sprintf("; since the boot the kernel killed %s for lack of memory", count(int(n), "process", "es"))
		f.Hint = "on the machine: sudo journalctl -k -b -g 'Out of memory'"
	}
	return f
}

// judgePower judges the supply and the temperature. ok is false if the machine has sensors for neither.
func judgePower(lines []string) (f lab.Finding, ok bool) {
	f.Check = power
	var parts []string
	for _, line := range lines {
		what, value, _ := strings.Cut(line, " ")
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case err != nil:
		case what == "undervoltage" && n == 0:
			parts = append(parts, "enough voltage")
		case what == "undervoltage":
			parts = append(parts, "the voltage is too low")
			f.Verdict = lab.VerdictBad
			f.Hint = "use the official power supply and a short cable, and fewer USB devices that draw from it"
		case what == "temperature":
			parts = append(parts, fmt.Sprintf("%d °C", n/1000))
			if n/1000 >= hot {
				f.Verdict = max(f.Verdict, lab.VerdictWarning)
				f.Hint = cmp.Or(f.Hint, "it slows down: does the fan turn, is the case open?")
			}
		}
	}
	f.Text = strings.Join(parts, ", ")
	return f, len(parts) > 0
}

func judgeReboot(lines []string) lab.Finding {
	var packages []string
	f := lab.Finding{Check: reboot, Text: "not needed"}
	for _, line := range lines {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "required":
			f.Verdict, f.Text = lab.VerdictWarning, "required by a package"
		case "package":
			if rest = lab.Printable(rest); !slices.Contains(packages, rest) {
				packages = append(packages, rest)
			}
		case "modules":
			f.Verdict = lab.VerdictWarning
			f.Text = fmt.Sprintf("required: the running kernel, %s, was replaced, and no more of its modules can be loaded",
				lab.Printable(rest))
		}
	}
	if f.Verdict > lab.VerdictOK {
		f.Hint = "when nobody needs it: sudo systemctl reboot"
	}
	if f.Text == "required by a package" && len(packages) > 0 {
		f.Text = "required by " + some(packages)
	}
	return f
}

func judgeTimeSource(lines []string) lab.Finding {
	switch strings.TrimSpace(strings.Join(lines, "")) {
	case "yes":
		return lab.Finding{Check: timeSource, Text: "the clock is synchronised"}
	case "no":
		return lab.Finding{Check: timeSource, Verdict: lab.VerdictWarning, Text: "the clock is not synchronised",
			Hint: "on the machine: timedatectl timesync-status; a time server must be reachable at UDP port 123"}
	}
	return unknown(timeSource, "the machine does not say whether the clock is synchronised")
}

func judgeUnits(lines []string) lab.Finding {
	state := ""
	var failed []string
	for _, line := range lines {
		w := strings.Fields(line)
		switch {
		case len(w) > 0 && w[0] == "system":
			state = strings.Join(w[1:], " ")
		case len(w) >= 4 && slices.Contains(w[1:4], "failed"):
			failed = append(failed, lab.Printable(w[0]))
		}
	}
	f := lab.Finding{Check: units, Text: "none failed"}
	switch {
	case len(failed) > 0:
		f.Verdict, f.Text = lab.VerdictBad, some(failed)+" failed"
		f.Hint = "on the machine: systemctl status " + failed[0] + "; if it is dealt with: sudo systemctl reset-failed"
	case state == "running", state == "degraded": // degraded by one that has been reset meanwhile
	case state == "initializing", state == "starting":
		f.Verdict, f.Text = lab.VerdictWarning, "none failed; the machine is still booting"
		f.Hint = "wait, or on the machine: systemctl list-jobs"
	case state == "maintenance":
		f.Verdict, f.Text = lab.VerdictBad, "the machine is in rescue or emergency mode"
		f.Hint = "on the machine: sudo journalctl -b -p err; it often is a line of /etc/fstab"
	case state == "stopping":
		f.Verdict, f.Text, f.Hint = lab.VerdictWarning, "the machine is shutting down", "wait until it is up again"
	default:
		return unknown(units, "systemd does not answer")
	}
	return f
}

// some returns the first of many names: "a, b, c and 4 more".
func some(names []string) string {
	const shown = 3
	if len(names) <= shown+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

func count(n int, one, plural string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s%s", n, one, plural)
}

// spell returns a duration in its largest units: "2 days 3 hours", "4.2 s".
func spell(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	days := d / (24 * time.Hour)
	return fmt.Sprintf("%s %d h", count(int(days), "day", "s"), d%(24*time.Hour)/time.Hour)
}

// size returns a number of bytes: "5.2 GiB".
func size(n int64) string {
	unit, f := 0, float64(n)
	for f >= 1000 && unit < 5 {
		f /= 1024
		unit++
	}
	digits := 1
	if f >= 100 || unit == 0 {
		digits = 0
	}
	return strconv.FormatFloat(f, 'f', digits, 64) + " " + []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}[unit]
}
