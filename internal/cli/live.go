package cli

import (
	"fmt"
	"io"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// liveView is the part of a terminal below the permanent lines: what is in progress, one line for
// each step.
type liveView struct {
	width func() int // nil without a terminal
	order []string
	lines map[string]string
	drawn int // lines that are on the terminal now
}

func (v *liveView) event(e lab.Event) {
	if e.Target == "" {
		return
	}
	if v.lines == nil {
		v.lines = map[string]string{}
	}
	set := func(text string) {
		if _, ok := v.lines[e.Target]; !ok {
			v.order = append(v.order, e.Target)
		}
		v.lines[e.Target] = text
	}
	short := lab.Printable(strings.TrimPrefix(e.Change, e.Target+"/"))
	switch e.Kind {
	case lab.EventStart:
		set(short)
	case lab.EventOutput:
		if e.Total > 0 {
			set(fmt.Sprintf("%s: %d of %d %s", short, e.Done, e.Total, e.Unit))
		} else if strings.TrimSpace(e.Text) != "" {
			set(short + ": " + lab.Printable(strings.TrimSpace(e.Text)))
		}
	case lab.EventWait:
		set("waiting for " + lab.Printable(e.Text))
	case lab.EventDone:
		delete(v.lines, e.Target)
		for i, t := range v.order {
			if t == e.Target {
				v.order = append(v.order[:i], v.order[i+1:]...)
				break
			}
		}
	}
}

func (v *liveView) clear() { v.order, v.lines = nil, nil }

// erase removes what was drawn: it moves the cursor up and erases to the end of the screen (ECMA-48
// CUU, ED).
func (v *liveView) erase(w io.Writer) {
	if v.drawn > 0 {
		fmt.Fprintf(w, "\x1b[%dA\x1b[J", v.drawn)
		v.drawn = 0
	}
}

// maxLive is how many steps are shown.
const maxLive = 8

func (v *liveView) draw(w io.Writer) {
	if v.width == nil || v.drawn > 0 {
		return
	}
	width := v.width() - 1
	line := func(text string) {
		if r := []rune(text); len(r) > width && width > 0 {
			text = string(r[:width])
		}
		fmt.Fprintln(w, text)
		v.drawn++
	}
	for i, t := range v.order {
		if i == maxLive {
			line(fmt.Sprintf("  … and %d more", len(v.order)-maxLive))
			break
		}
		line("  » " + t + " " + v.lines[t])
	}
}
