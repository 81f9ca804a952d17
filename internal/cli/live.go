package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// liveView is what is in progress: a line for each step that is at work.
type liveView struct {
	begun time.Time       // of the work that is shown; zero when there is none
	total int             // changes of the plan that is applied; 0 means that none is
	ended map[string]bool // the changes that have ended
	steps []*liveStep     // in the order in which they began
}

// liveStep is what a step does.
type liveStep struct {
	name   string
	change string // the change that is being made; empty if there is none
	text   string
	since  time.Time
	waits  bool // it waits for something, which is what is shown until the change ends

	done, total int64 // progress of the change, in unit; a total of 0 means unknown
	unit        string
	first       int64     // what was done when progress was first reported, at
	firstAt     time.Time // this time
}

// idle reports whether nothing is in progress.
func (v *liveView) idle() bool { return v.total == 0 && len(v.steps) == 0 }

func (v *liveView) clear() { *v = liveView{} }

// step returns the line of a step, a new one if it has none.
func (v *liveView) step(e lab.Event) *liveStep {
	if i := v.index(e.Target); i >= 0 {
		return v.steps[i]
	}
	s := &liveStep{name: e.Target, since: e.Time}
	v.steps = append(v.steps, s)
	return s
}

func (v *liveView) index(step string) int {
	return slices.IndexFunc(v.steps, func(s *liveStep) bool { return s.name == step })
}

func (v *liveView) remove(step string) {
	v.steps = slices.DeleteFunc(v.steps, func(s *liveStep) bool { return s.name == step })
}

// event takes in what has happened.
func (v *liveView) event(e lab.Event) {
	if v.idle() {
		v.begun = e.Time
	}
	switch {
	case e.Kind == lab.EventBegin:
		v.clear()
		v.begun, v.total, v.ended = e.Time, int(e.Total), map[string]bool{}
	case e.Target == "":
	case e.Kind == lab.EventStart:
		*v.step(e) = liveStep{name: e.Target, change: e.Change, text: shortID(e), since: e.Time}
	case e.Kind == lab.EventWait:
		s := v.step(e)
		s.text, s.since, s.waits = "waiting for "+lab.Printable(e.Text), e.Time, true
	case e.Kind == lab.EventOutput:
		v.output(e)
	case e.Kind == lab.EventDoing:
		v.doing(e)
	case e.Kind == lab.EventDone:
		if v.ended != nil {
			v.ended[e.Change] = true
		}
		if i := v.index(e.Target); i >= 0 && (v.steps[i].change == e.Change || v.steps[i].change == "") {
			v.remove(e.Target)
		}
	}
}

// output takes in a line that a change printed, or how much of it is done.
func (v *liveView) output(e lab.Event) {
	s := v.step(e)
	if s.change != e.Change {
		*s = liveStep{name: e.Target, change: e.Change, since: e.Time}
	}
	switch line := strings.TrimSpace(e.Text); {
	case e.Total > 0:
		s.amount(e)
		s.text = shortID(e)
	case line != "" && !s.waits:
		s.text = shortID(e) + ": " + lab.Printable(line)
	}
}

// doing takes in what a step does besides changes: it is not shown while a change is being made.
func (v *liveView) doing(e lab.Event) {
	i := v.index(e.Target)
	busy := i >= 0 && (v.steps[i].change != "" || v.steps[i].waits)
	switch {
	case busy:
	case e.Text == "":
		v.remove(e.Target)
	default:
		s := v.step(e)
		if text := lab.Printable(e.Text); s.text != text {
			*s = liveStep{name: e.Target, text: text, since: e.Time}
		}
		s.amount(e)
	}
}

// continues reports whether an event only says how much is done of what its step already does.
func (v *liveView) continues(e lab.Event) bool {
	i := v.index(e.Target)
	return e.Kind == lab.EventDoing && e.Text != "" && i >= 0 && v.steps[i].text == lab.Printable(e.Text)
}

// amount takes in how much is done.
func (s *liveStep) amount(e lab.Event) {
	if s.total != e.Total || s.unit != e.Unit || e.Done < s.done {
		s.first, s.firstAt = e.Done, e.Time
	}
	s.done, s.total, s.unit = e.Done, e.Total, e.Unit
}

// count returns how many changes of all have ended, and for how long it has been going on:
// "12/57 1:05".
func (v *liveView) count(now time.Time) string {
	took := clock(now.Sub(v.begun))
	if v.total == 0 {
		return took
	}
	return fmt.Sprintf("%d/%d %s", len(v.ended), v.total, took)
}

// maxLive is how many steps are shown.
const maxLive = 8

// lines returns the live lines for a terminal of that size.
func (v *liveView) lines(now time.Time, columns, height int) []string {
	if v.idle() {
		return nil
	}
	columns-- // in the last column some terminals break the line
	lines := []string{cut("  "+v.count(now), columns)}
	most := max(min(maxLive, height-3), 1)
	for i, s := range v.steps {
		if i == most {
			lines = append(lines, cut(fmt.Sprintf("  … and %d more", len(v.steps)-most), columns))
			break
		}
		end := s.progress(now)
		if for_ := now.Sub(s.since); for_ >= time.Second {
			end += "  " + clock(for_)
		}
		about := cut("  » "+s.name+" "+s.text, max(columns-cellsOf(end), 0))
		lines = append(lines, cut(about+end, columns))
	}
	return lines
}

// progress returns how much is done and how long the rest takes, if that is known.
func (s *liveStep) progress(now time.Time) string {
	amount := func(n int64) string {
		if s.unit == "bytes" {
			return Size(n)
		}
		return fmt.Sprint(n)
	}
	text := "  " + amount(s.done)
	if s.total > 0 {
		text += " of " + amount(s.total)
	}
	if s.unit != "bytes" {
		text += " " + s.unit
	}
	if s.total == 0 {
		if s.done == 0 {
			return ""
		}
		return text
	}
	if took := now.Sub(s.firstAt); took >= 2*time.Second && s.done > s.first && s.done < s.total {
		left := time.Duration(float64(took) / float64(s.done-s.first) * float64(s.total-s.done))
		text += ", " + clock(left) + " left"
	}
	return text
}

// heartbeat returns one line of all that is in progress.
func (v *liveView) heartbeat(now time.Time) string {
	const most = 3
	var about []string
	for i, s := range v.steps {
		if i == most {
			about = append(about, fmt.Sprintf("%d more", len(v.steps)-most))
			break
		}
		about = append(about, fmt.Sprintf("%s %s%s (%s)", s.name, s.text, s.progress(now), clock(now.Sub(s.since))))
	}
	return strings.TrimSuffix("  working "+v.count(now)+": "+strings.Join(about, "; "), ": ")
}

// shortID returns the ID of a change without the name of its step.
func shortID(e lab.Event) string { return lab.Printable(strings.TrimPrefix(e.Change, e.Target+"/")) }

// clock returns a duration in minutes and seconds: "1:05", "1:00:00".
func clock(d time.Duration) string {
	s := int(max(d, 0).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// Size returns a number of bytes in the largest unit that keeps it above 1: "12.3 MiB".
func Size(bytes int64) string {
	n, unit := float64(bytes), 0
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	for n >= 1023.95 && unit < len(units)-1 { // it would be written as 1024.0
		n, unit = n/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", n, units[unit])
}
