package replica

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// criterion prefers some of the candidates, at least one, to the others.
type criterion struct {
	name string
	keep func([]*Ranked) []*Ranked
	why  func(best, other *Ranked) string // why other is not kept
}

// criteria returns them in their order, for the live state or a recovery point.
func criteria(point bool) []criterion {
	all := []criterion{
		{"revision counter", func(cs []*Ranked) []*Ranked {
			if slices.ContainsFunc(cs, func(c *Ranked) bool { return c.Directory.CounterState != Good }) {
				return cs
			}
			return highest(cs, func(c *Ranked) int64 { return c.Directory.Counter })
		}, func(best, other *Ranked) string {
			return fmt.Sprintf("revision counter %d, %s has %d",
				other.Directory.Counter, best.Name(), best.Directory.Counter)
		}},
		{"head time", func(cs []*Ranked) []*Ranked {
			if slices.ContainsFunc(cs, (*Ranked).inFuture) {
				return cs // a wrong clock: of when it was written nothing is known
			}
			newest := newestHead(cs).HeadTime()
			return keepIf(cs, func(c *Ranked) bool { return newest.Sub(c.HeadTime()) <= timeWindow })
		}, func(best, other *Ranked) string {
			return fmt.Sprintf("head written %s before that of %s", later(best, other), best.Name())
		}},
		{"checksums", func(cs []*Ranked) []*Ranked {
			return keepIf(cs, func(c *Ranked) bool { return len(c.badSums()) == 0 })
		}, func(_, other *Ranked) string {
			return "content differs from the checksum: " + strings.Join(other.badSums(), ", ")
		}},
		{"certainty", func(cs []*Ranked) []*Ranked {
			return keepIf(cs, func(c *Ranked) bool { return !c.Chain.Inferred })
		}, func(best, _ *Ranked) string {
			return "metadata had to be inferred, that of " + best.Name() + " is whole"
		}},
		{"agreement", func(cs []*Ranked) []*Ranked {
			return highest(cs, func(c *Ranked) int64 { return int64(c.agree) })
		}, func(best, other *Ranked) string {
			return fmt.Sprintf("its content is that of %s, the content of %s that of %d",
				replicas(other.agree), best.Name(), best.agree)
		}},
		{"head size", func(cs []*Ranked) []*Ranked {
			return highest(cs, (*Ranked).HeadAllocated)
		}, func(best, other *Ranked) string {
			return fmt.Sprintf("head occupies %d bytes, that of %s %d",
				other.HeadAllocated(), best.Name(), best.HeadAllocated())
		}},
	}
	if point {
		counter, checksums, certainty, agreement, size := all[0], all[2], all[3], all[4], all[5]
		return []criterion{checksums, certainty, agreement, counter, size}
	}
	return all
}

// replicas returns a number of replicas for a message.
func replicas(n int) string {
	if n == 1 {
		return "no other replica"
	}
	return fmt.Sprintf("%d replicas", n)
}

// newestHead returns the one whose head was written last, one with a time in the future only where all
// are.
func newestHead(cs []*Ranked) *Ranked {
	past := keepIf(cs, func(c *Ranked) bool { return !c.inFuture() })
	return slices.MaxFunc(past, func(a, b *Ranked) int { return a.HeadTime().Compare(b.HeadTime()) })
}

// inFuture reports whether the head's time is one that has not come yet: a clock was wrong.
func (r *Ranked) inFuture() bool { return time.Until(r.HeadTime()) > timeWindow }

// later returns how much later the head of a was written than that of b.
func later(a, b *Ranked) time.Duration {
	return a.HeadTime().Sub(b.HeadTime()).Round(time.Millisecond)
}

// highest returns those with the highest value.
func highest(cs []*Ranked, value func(*Ranked) int64) []*Ranked {
	top := value(cs[0])
	for _, c := range cs {
		top = max(top, value(c))
	}
	return keepIf(cs, func(c *Ranked) bool { return value(c) == top })
}

// keepIf returns those for which ok holds, or all when it holds for none.
func keepIf(cs []*Ranked, ok func(*Ranked) bool) []*Ranked {
	var kept []*Ranked
	for _, c := range cs {
		if ok(c) {
			kept = append(kept, c)
		}
	}
	if len(kept) == 0 {
		return cs
	}
	return kept
}

// order puts the best first of those that can be merged, then the best of the rest, and so on, and gives
// each its reason.
func (r *Ranking) order() {
	by := criteria(r.point)
	var sorted, rest []*Ranked
	for _, c := range r.Replicas {
		if c.Tied = false; c.Err == nil {
			rest = append(rest, c)
		}
	}
	candidates := len(rest)
	var best *Ranked
	for len(rest) > 0 {
		left, decided := rest, ""
		for _, c := range by {
			kept := c.keep(left)
			if len(kept) < len(left) && decided == "" {
				decided = c.name
			}
			if best == nil {
				for _, out := range left {
					if !slices.Contains(kept, out) {
						out.Reason = c.why(kept[0], out)
					}
				}
			}
			left = kept
		}
		pick := newestHead(left)
		if best == nil {
			best = pick
			for _, c := range left {
				c.Tied = true
				if c != pick {
					c.Reason = "as good as " + pick.Name() + " by all that is recorded"
				}
			}
			pick.Reason = "best: " + whyBest(decided, candidates, len(left))
		}
		sorted = append(sorted, pick)
		rest = slices.DeleteFunc(rest, func(c *Ranked) bool { return c == pick })
	}
	for _, c := range r.Replicas {
		if c.Err != nil {
			sorted = append(sorted, c)
		}
	}
	r.Replicas = sorted
}

// whyBest says by what the best was chosen: the criterion that decided, "" for none.
func whyBest(decided string, candidates, tied int) string {
	switch {
	case candidates == 1:
		return "the only one that can be merged"
	case decided == "":
		return fmt.Sprintf("all %d are alike by all that is recorded", candidates)
	case tied > 1:
		return fmt.Sprintf("by %s, like %d more", decided, tied-1)
	}
	return "by " + decided
}
