package replica

import (
	"context"
	"errors"
	"slices"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// timeWindow: head times as near as this count as equal (the engine's own window for salvaging).
const timeWindow = 5 * time.Second

// Ranking is the replicas of one volume, the best first, those that cannot be merged last.
type Ranking struct {
	Replicas []*Ranked
	Warnings []Warning

	point bool // of a recovery point, not of the live state
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
		same := func(o *Directory) bool { return o.Path == d.Path || diskfile.SameFile(o.Path, d.Path) }
		if !slices.ContainsFunc(dirs, same) {
			dirs = append(dirs, d)
		}
	}
	return dirs, errors.Join(errs...)
}

// RankOptions says how [Rank] is to work. Its zero value works.
type RankOptions struct {
	// NoChecksums leaves the snapshots unverified by Longhorn's checksums, which takes reading
	// whole layers.
	NoChecksums bool
	// Events receives the progress of reading them. Nil is allowed.
	Events func(lab.Event)
}

// Rank orders the replicas of one volume by how well they serve for the state w. A replica must be
// complete and not half rebuilt to be merged at all. Of those, in this order, the better one has
// the higher revision counter (if all have one); a head written within five seconds of the newest;
// no snapshot that contradicts its checksum; no metadata that had to be inferred; the larger head;
// the newer head. Of a recovery point the counter and the times say little, since a rebuilt replica
// has new times and what it counts came later: there the checksums and certainty come first, and
// the times are left out. What contradicts the order is a warning. Directories of different volumes
// are refused ([lab.ErrRefused]).
func Rank(ctx context.Context, dirs []*Directory, w Want, o RankOptions) (*Ranking, error) {
	if err := oneVolume(dirs); err != nil {
		return nil, err
	}
	r := &Ranking{point: w.Snapshot != ""}
	w.Peers = dirs
	progress := &sumProgress{events: o.Events}
	for _, d := range dirs {
		c := &Ranked{Directory: d}
		c.Chain, c.Err = d.Chain(w)
		c.measure()
		r.Replicas = append(r.Replicas, c)
		if c.Err == nil {
			progress.total += c.Chain.summedBytes()
		}
	}
	for _, c := range r.Replicas {
		if c.Err == nil && !o.NoChecksums {
			c.Err = c.sum(ctx, progress)
			if c.Err != nil && ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
		if c.Err != nil {
			c.Chain, c.Reason = nil, cause(c.Err)
		}
	}
	r.order()
	r.doubts()
	return r, nil
}

// summedBytes returns how many bytes the layers have on disk of which Longhorn recorded checksums.
func (c *Chain) summedBytes() (n int64) {
	for _, l := range c.Layers {
		if l.summed() {
			n += l.Allocated
		}
	}
	return n
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
