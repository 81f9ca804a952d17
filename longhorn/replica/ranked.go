package replica

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// Ranked is one replica in a [Ranking].
type Ranked struct {
	Directory *Directory
	Chain     *Chain // nil when it cannot be merged
	Err       error  // why it cannot be merged, nil when it can
	Sums      []Sum  // of its snapshot layers, where they were computed
	Reason    string // why it has that rank, for people
	Tied      bool   // nothing that is recorded makes it worse than the best

	headBytes int64
	agree     int // replicas with this content, itself included; 0 when they were not compared
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

// HeadAllocated returns the bytes of the newest layer's extents; where they are not known, the
// bytes that it occupies.
func (r *Ranked) HeadAllocated() int64 { return r.headBytes }

// measure finds the bytes of the newest layer. The block count alone would not do: it has the file
// system's own blocks in it, and is behind until what was written last has reached the disk.
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

// sum computes the checksums of the replica's layers.
func (r *Ranked) sum(ctx context.Context, p *sumProgress) error {
	if !slices.ContainsFunc(r.Chain.Layers, (*Layer).summed) {
		return nil
	}
	im, err := r.Chain.Open(ctx)
	if err != nil {
		return err
	}
	defer im.Close()
	r.Sums, err = im.checksums(ctx, p)
	return err
}
