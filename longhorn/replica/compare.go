package replica

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// maxRanges bounds how many differing ranges a [Comparison] lists for each image.
const maxRanges = 1000

// Range is a part of an image, in bytes.
type Range struct {
	Off int64 `json:"off"`
	Len int64 `json:"len"`
}

// Comparison tells how images differ in content. The first image is what the others are held against.
type Comparison struct {
	// Groups are indexes of images that are equal, byte for byte, each image in one group.
	Groups [][]int
	// Differ has, for each image, in how many bytes of whole sectors it differs from the first, and where, at most a thousand ranges.
	Differ []Difference
}

// Difference is how one image differs from the first.
type Difference struct {
	Bytes  int64   `json:"bytes"`
	Ranges []Range `json:"ranges,omitempty"`
}

// Equal reports whether all images are equal.
func (c *Comparison) Equal() bool { return len(c.Groups) <= 1 }

// Compare reads the images side by side and compares their content. What is a hole in all of them is not read. Sizes may differ: what is
// behind an image's end counts as different. events may be nil.
func Compare(ctx context.Context, images []*Image, events func(lab.Event)) (*Comparison, error) {
	n := len(images)
	var size int64
	for _, im := range images {
		size = max(size, im.Size())
	}
	var mu sync.Mutex
	differs := make([][]Range, n)
	unequal := make([][]bool, n)
	for i := range unequal {
		unequal[i] = make([]bool, n)
		for j := range images {
			unequal[i][j] = images[i].Size() != images[j].Size()
		}
	}
	var done int64
	last := time.Now()
	windows := make(chan int64)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(windows)
		for off := nextWindow(images, 0); off < size; off = nextWindow(images, off+chunkSize) {
			select {
			case windows <- off:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range 4 {
		g.Go(func() error {
			bufs := make([][]byte, n)
			for i := range bufs {
				bufs[i] = make([]byte, chunkSize)
			}
			for off := range windows {
				for i, im := range images {
					p := bufs[i][:max(0, min(chunkSize, im.Size()-off))]
					clear(bufs[i][len(p):])
					if len(p) == 0 {
						continue
					}
					if err := im.read(p, off, im.find(off)); err != nil {
						return err
					}
				}
				mu.Lock()
				for i := range images {
					for j := range i {
						unequal[i][j] = unequal[i][j] || !bytes.Equal(bufs[i], bufs[j])
					}
					differs[i] = appendDifferent(differs[i], off, bufs[0], bufs[i])
				}
				done = max(done, off)
				if events != nil && time.Since(last) > reportEvery {
					last = time.Now()
					events(lab.Event{Time: last, Kind: lab.EventNote, Text: "compare", Done: done, Total: size, Unit: "bytes"})
				}
				mu.Unlock()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	c := &Comparison{Differ: make([]Difference, n)}
	for i := range images {
		if a, b := images[0].Size(), images[i].Size(); a != b {
			differs[i] = append(differs[i], Range{min(a, b), max(a, b) - min(a, b)})
		}
		c.Differ[i] = summarize(differs[i])
		if g := slices.IndexFunc(c.Groups, func(g []int) bool { return !unequal[i][g[0]] }); g >= 0 {
			c.Groups[g] = append(c.Groups[g], i)
		} else {
			c.Groups = append(c.Groups, []int{i})
		}
	}
	return c, nil
}

// nextWindow returns the first window from off on, aligned to chunkSize, in which some image has data; at least every image's size if none.
func nextWindow(images []*Image, off int64) int64 {
	next := int64(maxVolume)
	for _, im := range images {
		if i := im.find(off); i < len(im.segments) {
			next = min(next, max(im.segments[i].start, off))
		}
	}
	return next &^ (chunkSize - 1)
}

// appendDifferent appends the sectors in which b differs from a.
func appendDifferent(ranges []Range, off int64, a, b []byte) []Range {
	if bytes.Equal(a, b) {
		return ranges
	}
	for s := 0; s < len(a); s += SectorSize {
		if !bytes.Equal(a[s:s+SectorSize], b[s:s+SectorSize]) {
			at := off + int64(s)
			if k := len(ranges); k > 0 && ranges[k-1].Off+ranges[k-1].Len == at {
				ranges[k-1].Len += SectorSize
			} else {
				ranges = append(ranges, Range{at, SectorSize})
			}
		}
	}
	return ranges
}

// summarize sorts and joins the ranges and adds them up.
func summarize(ranges []Range) (d Difference) {
	slices.SortFunc(ranges, func(a, b Range) int { return int(min(1, max(-1, a.Off-b.Off))) })
	end := int64(0)
	for _, r := range ranges {
		from := max(r.Off, end)
		if from >= r.Off+r.Len {
			continue
		}
		end = r.Off + r.Len
		d.Bytes += end - from
		if k := len(d.Ranges); k > 0 && d.Ranges[k-1].Off+d.Ranges[k-1].Len == from {
			d.Ranges[k-1].Len += end - from
		} else if k < maxRanges {
			d.Ranges = append(d.Ranges, Range{from, end - from})
		}
	}
	return d
}

// Verification is what [Verify] found.
type Verification struct {
	Ranking    *Ranking
	Compared   []*Ranked   // the replicas that could be read, the best first, in the order of Comparison
	Comparison *Comparison // nil when none could be read
	Warnings   []Warning   // of opening them
}

// OK reports whether every replica can be merged, is equal to the others, and has the checksums that Longhorn recorded.
func (v *Verification) OK() bool {
	for _, r := range v.Ranking.Replicas {
		if r.Err != nil || len(r.badSums()) > 0 {
			return false
		}
	}
	return v.Comparison != nil && v.Comparison.Equal()
}

// Verify reads the replicas of one volume whole: it ranks them with their checksums, and compares their content in the state w.
// It writes nothing. events may be nil.
func Verify(ctx context.Context, dirs []*Directory, w Want, events func(lab.Event)) (*Verification, error) {
	ranking, err := Rank(ctx, dirs, w, RankOptions{})
	if err != nil {
		return nil, err
	}
	v := &Verification{Ranking: ranking}
	var images []*Image
	defer func() {
		for _, im := range images {
			im.Close()
		}
	}()
	for _, r := range ranking.Replicas {
		if r.Err != nil {
			continue
		}
		im, err := r.Chain.Open(ctx)
		if err != nil {
			return nil, err
		}
		images = append(images, im)
		v.Compared = append(v.Compared, r)
		v.Warnings = append(v.Warnings, im.Warnings...)
	}
	if len(images) == 0 {
		return v, nil
	}
	if v.Comparison, err = Compare(ctx, images, events); err != nil {
		return nil, err
	}
	for _, im := range images {
		if err := im.Unchanged(); err != nil {
			return nil, err
		}
	}
	return v, nil
}
