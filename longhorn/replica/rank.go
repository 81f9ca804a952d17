package replica

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// timeWindow: head times as near as this count as equal (the engine's own window for salvaging).
const timeWindow = 5 * time.Second

// Ranked is one replica in a [Ranking].
type Ranked struct {
	Directory *Directory
	Chain     *Chain // nil when it cannot be merged
	Err       error  // why it cannot be merged, nil when it can
	Sums      []Sum  // of its snapshot layers, where they were computed
	Reason    string // why it is where it is, for people
	Tied      bool   // nothing that is recorded sets it behind the best

	headBytes int64
}

// Name returns what the directory is called.
func (r *Ranked) Name() string { return r.Directory.Name() }

// head returns the newest layer.
func (r *Ranked) head() *Layer {
	if r.Chain != nil {
		return r.Chain.Layers[0]
	}
	return r.Directory.layer(r.Directory.Meta.Head)
}

// HeadTime returns when the newest layer was last written; the zero time when there is none.
func (r *Ranked) HeadTime() time.Time {
	if h := r.head(); h != nil && !h.Absent {
		return h.ModTime
	}
	return time.Time{}
}

// HeadAllocated returns the bytes of the newest layer's extents; where they cannot be told, the bytes that it occupies.
func (r *Ranked) HeadAllocated() int64 { return r.headBytes }

// measure finds the bytes of the newest layer. The block count alone would not do: it has the file system's own blocks in it, and is
// behind until what was written last has reached the disk.
func (r *Ranked) measure() {
	h := r.head()
	if h == nil || h.Absent {
		return
	}
	r.headBytes = h.Allocated
	f, _ := diskfile.Open(filepath.Join(r.Directory.Path, h.File))
	if f == nil {
		return
	}
	defer f.Close()
	if extents, _, err := diskfile.Extents(f, h.Size); err == nil {
		r.headBytes, _ = total(extents)
	}
}

// badSums returns the snapshots whose content is not what Longhorn hashed.
func (r *Ranked) badSums() (bad []string) {
	for _, s := range r.Sums {
		if s.bad() {
			bad = append(bad, diskfile.LayerName(s.File))
		}
	}
	return bad
}

// Ranking is the replicas of one volume, the best first, those that cannot be merged last.
type Ranking struct {
	Replicas []*Ranked
	Warnings []Warning
}

// Best returns the first replica, or nil when none can be merged.
func (r *Ranking) Best() *Ranked {
	if len(r.Replicas) == 0 || r.Replicas[0].Err != nil {
		return nil
	}
	return r.Replicas[0]
}

// Err says, when no replica can be merged, why not, for each of them.
func (r *Ranking) Err() error {
	if r.Best() != nil {
		return nil
	}
	var errs []error
	for _, c := range r.Replicas {
		errs = append(errs, c.Err)
	}
	return errors.Join(errs...)
}

// ReadAll reads several replica directories; one that is given twice is read once.
func ReadAll(paths []string) ([]*Directory, error) {
	var dirs []*Directory
	var errs []error
	for _, p := range paths {
		d, err := Read(p)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !slices.ContainsFunc(dirs, func(o *Directory) bool { return o.Path == d.Path || diskfile.SameFile(o.Path, d.Path) }) {
			dirs = append(dirs, d)
		}
	}
	return dirs, errors.Join(errs...)
}

// RankOptions says how [Rank] is to work. Its zero value works.
type RankOptions struct {
	// NoChecksums leaves the snapshots unverified by Longhorn's checksums, which takes reading whole layers.
	NoChecksums bool
}

// Rank orders the replicas of one volume by how well they serve for the state w. A replica must be complete and not half
// rebuilt to be merged at all. Of those, in this order, the better one has the higher revision counter (if all have one);
// a head written within five seconds of the newest; no snapshot that contradicts its checksum; no metadata that had to be
// inferred; the larger head; the newer head. Of a recovery point the counter and the times say little, since a rebuilt
// replica has new times and what it counts came later: there the checksums and certainty come first, and the times are
// left out. What contradicts the order is a warning. Directories of different volumes are refused ([lab.ErrRefused]).
func Rank(ctx context.Context, dirs []*Directory, w Want, o RankOptions) (*Ranking, error) {
	if err := oneVolume(dirs); err != nil {
		return nil, err
	}
	r := &Ranking{}
	var good []*Ranked
	for _, d := range dirs {
		w := w
		w.Peers = dirs
		c := &Ranked{Directory: d}
		c.Chain, c.Err = d.Chain(w)
		c.measure()
		if c.Err == nil && !o.NoChecksums {
			if err := c.sum(ctx); err != nil {
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				c.Err = err
			}
		}
		r.Replicas = append(r.Replicas, c)
		if c.Err != nil {
			c.Chain, c.Reason = nil, cause(c.Err)
			continue
		}
		good = append(good, c)
	}
	r.order(good, criteria(w.Snapshot != ""))
	r.doubts(w.Snapshot != "")
	return r, nil
}

// sum computes the checksums of the replica's layers.
func (r *Ranked) sum(ctx context.Context) error {
	if !slices.ContainsFunc(r.Chain.Layers, func(l *Layer) bool { return l.Snapshot() && l.ChecksumState == Good }) {
		return nil
	}
	im, err := r.Chain.Open(ctx)
	if err != nil {
		return err
	}
	defer im.Close()
	r.Sums, err = im.Checksums(ctx)
	return err
}

// cause is the error without its place, for a table that names that.
func cause(err error) string {
	var le *lab.Error
	if errors.As(err, &le) {
		text := le.Err.Error()
		if le.Path != "" {
			text = lab.Printable(le.Path) + ": " + text
		}
		return text
	}
	return err.Error()
}

// oneVolume refuses directories that cannot be of one volume.
func oneVolume(dirs []*Directory) error {
	var first *Directory
	for _, d := range dirs {
		if d.Volume == "" {
			continue
		}
		if first != nil && d.Volume != first.Volume {
			return &lab.Error{Op: "rank replicas", Path: d.Path, Hint: "give the replicas of one volume only",
				Err: fmt.Errorf("%w: they are of two volumes, %s and %s", lab.ErrRefused, first.Volume, d.Volume)}
		}
		first = d
	}
	// Names that do not tell: replicas of one volume have snapshots in common, if they have any.
	for i, d := range dirs {
		for _, o := range dirs[:i] {
			if (d.Volume == "" || o.Volume == "") && d.strangerTo(o) {
				return &lab.Error{Op: "rank replicas", Path: d.Path, Hint: "give the replicas of one volume only",
					Err: fmt.Errorf("%w: it has no snapshot in common with %s: they seem to be of two volumes", lab.ErrRefused, o.Path)}
			}
		}
	}
	return nil
}

// strangerTo reports whether both directories have snapshots, and none in common.
func (d *Directory) strangerTo(o *Directory) bool {
	mine, theirs := 0, 0
	for i := range d.Layers {
		if d.Layers[i].Snapshot() {
			mine++
			if o.layer(d.Layers[i].File) != nil {
				return false
			}
		}
	}
	for i := range o.Layers {
		if o.Layers[i].Snapshot() {
			theirs++
		}
	}
	return mine > 0 && theirs > 0
}

// criterion sets some of the candidates, at least one, before the others.
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
			return fmt.Sprintf("revision counter %d, %s has %d", other.Directory.Counter, best.Name(), best.Directory.Counter)
		}},
		{"head time", func(cs []*Ranked) []*Ranked {
			newest := slices.MaxFunc(cs, func(a, b *Ranked) int { return a.HeadTime().Compare(b.HeadTime()) }).HeadTime()
			return keepIf(cs, func(c *Ranked) bool { return newest.Sub(c.HeadTime()) <= timeWindow })
		}, func(best, other *Ranked) string {
			return fmt.Sprintf("head written %s before that of %s", best.HeadTime().Sub(other.HeadTime()).Round(time.Millisecond), best.Name())
		}},
		{"checksums", func(cs []*Ranked) []*Ranked {
			return keepIf(cs, func(c *Ranked) bool { return len(c.badSums()) == 0 })
		}, func(_, other *Ranked) string {
			return "content differs from the checksum: " + strings.Join(other.badSums(), ", ")
		}},
		{"certainty", func(cs []*Ranked) []*Ranked {
			return keepIf(cs, func(c *Ranked) bool { return !c.Chain.Inferred })
		}, func(best, _ *Ranked) string {
			return "metadata had to be concluded, those of " + best.Name() + " are whole"
		}},
		{"head size", func(cs []*Ranked) []*Ranked {
			return highest(cs, (*Ranked).HeadAllocated)
		}, func(best, other *Ranked) string {
			return fmt.Sprintf("head occupies %d bytes, that of %s %d", other.HeadAllocated(), best.Name(), best.HeadAllocated())
		}},
	}
	if point {
		counter, checksums, certainty, size := all[0], all[2], all[3], all[4]
		return []criterion{checksums, certainty, counter, size}
	}
	return all
}

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

// order puts the best of good first, then the best of the rest, and so on, and gives each its reason.
func (r *Ranking) order(good []*Ranked, by []criterion) {
	var sorted []*Ranked
	rest := slices.Clone(good)
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
		pick := slices.MaxFunc(left, func(a, b *Ranked) int { return a.HeadTime().Compare(b.HeadTime()) })
		if best == nil {
			best = pick
			for _, c := range left {
				c.Tied = true
				if c != pick {
					c.Reason = "as good as " + pick.Name() + " by all that is recorded"
				}
			}
			pick.Reason = "best: " + whyBest(decided, len(good), len(left))
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

// doubts warns of what speaks against the best replica.
func (r *Ranking) doubts(point bool) {
	best := r.Best()
	if best == nil {
		return
	}
	ws := (*warnings)(&r.Warnings)
	if bad := best.badSums(); len(bad) > 0 {
		ws.add(WarnChecksumMismatch, best.Name(), "the best replica has snapshots whose content is not what Longhorn hashed: %s", strings.Join(bad, ", "))
	}
	for _, s := range best.Sums {
		if !s.OK() && s.Stale {
			ws.add(WarnChecksumUnknown, best.Name(), "%s was written to after Longhorn hashed it: its content cannot be checked by that", s.File)
		}
	}
	for _, c := range r.Replicas[1:] {
		d, b := c.Directory, best.Directory
		refused := ""
		if c.Err != nil {
			refused = "; it cannot be merged: " + cause(c.Err)
		}
		switch {
		case !point && d.CounterState == Good && b.CounterState == Good && d.Counter > b.Counter:
			ws.add(WarnDisagreement, c.Name(), "its revision counter is %d, that of the best, %s, is %d%s", d.Counter, best.Name(), b.Counter, refused)
		case !point && c.HeadTime().Sub(best.HeadTime()) > timeWindow:
			ws.add(WarnDisagreement, c.Name(), "its head was written %s after that of the best, %s%s", c.HeadTime().Sub(best.HeadTime()).Round(time.Millisecond), best.Name(), refused)
		}
		if d.CounterState == Good != (b.CounterState == Good) {
			ws.add(WarnDisagreement, c.Name(), "of it and %s only one has a revision counter: they were not compared by it", best.Name())
		}
		if c.Err == nil && c.Chain.Size != best.Chain.Size {
			ws.add(WarnDisagreement, c.Name(), "its volume has %d bytes, that of the best, %s, %d", c.Chain.Size, best.Name(), best.Chain.Size)
		}
		if c.Err == nil && !sameChain(c.Chain, best.Chain) {
			ws.add(WarnDisagreement, c.Name(), "its snapshots are not those of the best, %s", best.Name())
		}
	}
	if !point && len(r.Replicas) > 1 && !slices.ContainsFunc(r.Replicas, func(c *Ranked) bool { return c.Directory.CounterState == Good }) {
		for _, c := range r.Replicas {
			if c.Directory.copied() {
				ws.add(WarnTimesCopied, c.Name(), "the directory seems to be a copy: its head time, which the order rests on, is what the copier set")
			}
		}
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
