package main

import (
	"encoding/json"
	"fmt"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// events returns what reports progress, nil when nobody looks.
func (p *printer) events() func(lab.Event) {
	switch {
	case p.json:
		var last time.Time
		return func(e lab.Event) {
			if time.Since(last) < time.Second && e.Done < e.Total {
				return
			}
			last = time.Now()
			data, err := json.Marshal(e)
			if err == nil {
				fmt.Fprintf(p.out, "%s\n", data)
			}
		}
	case p.live:
		return p.progress
	}
	return nil
}

// progress shows progress on one line of a terminal.
func (p *printer) progress(e lab.Event) {
	if about := e.Text + " " + e.Target; about != p.about {
		p.about, p.begun, p.from = about, time.Now(), e.Done
	}
	text := fmt.Sprintf("%-9s %s", e.Text, amount(e.Done, e.Unit))
	if e.Total > 0 {
		spent := time.Since(p.begun).Seconds()
		percent := 100 * float64(e.Done) / float64(e.Total)
		text = fmt.Sprintf("%-9s %5.1f %%  %s of %s", e.Text, percent, amount(e.Done, e.Unit), amount(e.Total, e.Unit))
		if e.Done > p.from && e.Done < e.Total && spent > 2 {
			left := time.Duration(spent / float64(e.Done-p.from) * float64(e.Total-e.Done) * float64(time.Second))
			text += "  " + left.Round(time.Second).String() + " left"
		}
	}
	fmt.Fprintf(p.stderr, "\r%-78.78s", text)
	p.shown = true
}

// endProgress clears the progress line.
func (p *printer) endProgress() {
	if p.shown {
		fmt.Fprintf(p.stderr, "\r%78s\r", "")
		p.shown = false
	}
}

func amount(n int64, unit string) string {
	if unit != "bytes" {
		return fmt.Sprintf("%d %s", n, unit)
	}
	return size(n)
}
