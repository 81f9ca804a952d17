package main

import (
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// events returns what shows progress: for people, as what the command is doing.
func (p *printer) events() func(lab.Event) {
	if !p.JSON {
		return func(e lab.Event) {
			e.Target = p.verb
			p.Event(e)
		}
	}
	var last time.Time
	return func(e lab.Event) {
		if time.Since(last) >= time.Second || e.Done >= e.Total {
			last = time.Now()
			p.Event(e)
		}
	}
}

// endProgress removes the progress: that has ended.
func (p *printer) endProgress() {
	if !p.JSON {
		p.Event(lab.Event{Kind: lab.EventDoing, Target: p.verb})
	}
}
