package replica

import (
	"slices"
	"strings"
	"time"
)

// doubts warns of what speaks against the best replica, of the live state or of a recovery point.
func (r *Ranking) doubts() {
	best, point := r.Best(), r.point
	r.Warnings = nil
	if best == nil {
		return
	}
	ws := (*warnings)(&r.Warnings)
	if bad := best.badSums(); len(bad) > 0 {
		ws.add(WarnChecksumMismatch, best.Name(),
			"the best replica has snapshots whose content is not what Longhorn hashed: %s", strings.Join(bad, ", "))
	}
	for _, s := range best.Sums {
		if !s.OK() && s.Stale {
			ws.add(WarnChecksumUnknown, best.Name(),
				"%s was written to after Longhorn hashed it: its content cannot be verified by that", s.File)
		}
	}
	for _, c := range r.Replicas {
		if !point && len(r.Replicas) > 1 && c.inFuture() {
			ws.add(WarnTimeFuture, c.Name(), "its head was written at %s, which has not come yet: a clock was wrong, and "+
				"the replicas were not compared by their head times", c.HeadTime().UTC().Format(time.RFC3339))
		}
	}
	for _, c := range r.Replicas[1:] {
		if !point {
			ws.newer(c, best)
		}
		ws.unlike(c, best)
	}
	counted := func(c *Ranked) bool { return c.Directory.CounterState == Good }
	if !point && len(r.Replicas) > 1 && !slices.ContainsFunc(r.Replicas, counted) {
		for _, c := range r.Replicas {
			if c.Directory.copied() {
				ws.add(WarnTimesCopied, c.Name(),
					"the directory seems to be a copy: its head time, which the order rests on, is what the copier set")
			}
		}
	}
}

// newer warns of a replica that seems to have seen more than the best one.
func (ws *warnings) newer(c, best *Ranked) {
	refused := ""
	if c.Err != nil {
		refused = "; it cannot be merged: " + cause(c.Err)
	}
	d, b := c.Directory, best.Directory
	switch {
	case d.CounterState == Good && b.CounterState == Good && d.Counter > b.Counter:
		ws.add(WarnDisagreement, c.Name(), "its revision counter is %d, that of the best, %s, is %d%s",
			d.Counter, best.Name(), b.Counter, refused)
	case c.HeadTime().Sub(best.HeadTime()) > timeWindow:
		ws.add(WarnDisagreement, c.Name(), "its head was written %s after that of the best, %s%s",
			later(c, best), best.Name(), refused)
	}
}

// unlike warns of what differs between replicas that should be alike.
func (ws *warnings) unlike(c, best *Ranked) {
	if c.Directory.CounterState == Good != (best.Directory.CounterState == Good) {
		ws.add(WarnDisagreement, c.Name(),
			"of it and %s only one has a revision counter: they were not compared by it", best.Name())
	}
	if c.Err == nil && c.Chain.Size != best.Chain.Size {
		ws.add(WarnDisagreement, c.Name(), "its volume has %d bytes, that of the best, %s, %d",
			c.Chain.Size, best.Name(), best.Chain.Size)
	}
	if c.Err == nil && !sameChain(c.Chain, best.Chain) {
		ws.add(WarnDisagreement, c.Name(), "its snapshots are not those of the best, %s", best.Name())
	}
}

// sameChain reports whether the snapshots of two replicas are the same, in the same order.
func sameChain(a, b *Chain) bool {
	snapshots := func(c *Chain) (names []string) {
		for _, l := range c.Layers {
			if l.Snapshot() {
				names = append(names, l.File)
			}
		}
		return names
	}
	return slices.Equal(snapshots(a), snapshots(b))
}
