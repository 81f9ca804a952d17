package main

import (
	"fmt"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

type rankLine struct {
	Rank      int           `json:"rank"`
	Path      string        `json:"path"`
	Volume    string        `json:"volume,omitempty"`
	Mergeable bool          `json:"mergeable"`
	Tied      bool          `json:"tied"`
	Reason    string        `json:"reason"`
	Counter   int64         `json:"counter"`
	HeadTime  time.Time     `json:"head_time"`
	HeadBytes int64         `json:"head_bytes"`
	Layers    int           `json:"layers"`
	Checksums []replica.Sum `json:"checksums,omitempty"`
}

// ranking prints the order of the replicas and the reasons.
func (p *printer) ranking(r *replica.Ranking) {
	if !p.JSON {
		p.Printf("   %-20s %-19s %10s %9s %6s %8s\n",
			"REPLICA", "HEAD WRITTEN", "COUNTER", "HEAD SIZE", "LAYERS", "SUMS")
	}
	for i, c := range r.Replicas {
		layers := 0
		if c.Chain != nil {
			layers = len(c.Chain.Layers)
		}
		if p.JSON {
			p.line("rank", rankLine{
				Rank: i + 1, Path: name(c.Directory.Path), Volume: name(c.Directory.Volume), Mergeable: c.Err == nil, Tied: c.Tied, Reason: c.Reason,
				Counter: c.Directory.Counter, HeadTime: c.HeadTime().UTC(), HeadBytes: c.HeadAllocated(),
				Layers: layers, Checksums: c.Sums,
			})
			continue
		}
		counter, sums := "-", "-"
		if c.Directory.CounterState == replica.Good {
			counter = fmt.Sprint(c.Directory.Counter)
		}
		if len(c.Sums) > 0 {
			good := 0
			for _, s := range c.Sums {
				if s.OK() {
					good++
				}
			}
			sums = fmt.Sprintf("%d of %d", good, len(c.Sums))
		}
		p.Printf("%-2d %-20s %-19s %10s %9s %6d %8s\n", i+1, short(c.Name(), 20), stamp(c.HeadTime()),
			counter, cli.Size(c.HeadAllocated()), layers, sums)
		p.paragraph(3, 5, c.Reason)
	}
	p.warnings(r.Warnings)
}
