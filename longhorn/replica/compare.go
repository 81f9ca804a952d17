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

// Comparison is how images differ in content. The others are compared with the first image.
type Comparison struct {
	// Groups are indexes of images that are equal, byte for byte, each image in one group.
	Groups [][]int
	// Differ has, for each image, in how many bytes of whole sectors it differs from the first, and
	// where, at most a thousand ranges.
	Differ []Difference
}

// Difference is how one image differs from the first.
type Difference struct {
	Bytes  int64   `json:"bytes"`
	Ranges []Range `json:"ranges,omitempty"`
}

// Equal reports whether all images are equal.
func (c *Comparison) Equal() bool { return len(c.Groups) <= 1 }

// compare reads the images side by side and compares their content. What is a hole in all of them
// is not read. Sizes may differ: what is behind an image's end counts as different. events may be
// nil.
func compare(ctx context.Context, images []*Image, events func(lab.Event)) (*Comparison, error) {
	c := newComparer(images, events)
	windows := make(chan int64)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(windows)
		return c.produce(ctx, windows)
	})
	for range 4 {
		g.Go(func() error { return c.work(windows) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return c.comparison(), nil
}

// comparer compares images by windows of chunkSize, several at a time.
type comparer struct {
	images []*Image
	size   int64 // of the largest
	events func(lab.Event)

	mu      sync.Mutex // guards what follows
	differs [][]Range  // of each image from the first
	unequal [][]bool   // of each pair of images
	done    int64
	last    time.Time // of the last event
}

func newComparer(images []*Image, events func(lab.Event)) *comparer {
	n := len(images)
	c := &comparer{images: images, events: events, last: time.Now()}
	c.differs, c.unequal = make([][]Range, n), make([][]bool, n)
	for i, im := range images {
		c.size = max(c.size, im.Size())
		c.unequal[i] = make([]bool, n)
		for j := range images {
			c.unequal[i][j] = im.Size() != images[j].Size()
		}
	}
	return c
}

// produce sends the offsets of the windows in which some image has data.
func (c *comparer) produce(ctx context.Context, windows chan<- int64) error {
	for off := nextWindow(c.images, 0); off < c.size; off = nextWindow(c.images, off+chunkSize) {
		select {
		case windows <- off:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// work reads windows of all images and records how they differ.
func (c *comparer) work(windows <-chan int64) error {
	bufs := make([][]byte, len(c.images))
	for i := range bufs {
		bufs[i] = make([]byte, chunkSize)
	}
	for off := range windows {
		for i, im := range c.images {
			p := bufs[i][:max(0, min(chunkSize, im.Size()-off))]
			clear(bufs[i][len(p):])
			if len(p) == 0 {
				continue
			}
			if err := im.read(p, off, im.find(off)); err != nil {
				return err
			}
		}
		c.record(off, bufs)
	}
	return nil
}

// record compares one window of all images.
func (c *comparer) record(off int64, bufs [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range bufs {
		for j := range i {
			c.unequal[i][j] = c.unequal[i][j] || !bytes.Equal(bufs[i], bufs[j])
		}
		c.differs[i] = appendDifferent(c.differs[i], off, bufs[0], bufs[i])
	}
	c.done = max(c.done, off)
	if c.events != nil && time.Since(c.last) > reportEvery {
		c.last = time.Now()
		c.events(lab.Event{Time: c.last, Kind: lab.EventDoing, Text: "compare",
			Done: c.done, Total: c.size, Unit: "bytes"})
	}
}

// comparison is what was found when all windows were compared.
func (c *comparer) comparison() *Comparison {
	result := &Comparison{Differ: make([]Difference, len(c.images))}
	for i, im := range c.images {
		if a, b := c.images[0].Size(), im.Size(); a != b {
			c.differs[i] = append(c.differs[i], Range{min(a, b), max(a, b) - min(a, b)})
		}
		result.Differ[i] = summarize(c.differs[i])
		equal := func(g []int) bool { return !c.unequal[i][g[0]] }
		if g := slices.IndexFunc(result.Groups, equal); g >= 0 {
			result.Groups[g] = append(result.Groups[g], i)
		} else {
			result.Groups = append(result.Groups, []int{i})
		}
	}
	return result
}

// nextWindow returns the first window from off on, aligned to chunkSize, in which some image has
// data; at least every image's size if none.
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
	for s := 0; s < len(a); s += sectorSize {
		if !bytes.Equal(a[s:s+sectorSize], b[s:s+sectorSize]) {
			at := off + int64(s)
			if k := len(ranges); k > 0 && ranges[k-1].Off+ranges[k-1].Len == at {
				ranges[k-1].Len += sectorSize
			} else {
				ranges = append(ranges, Range{at, sectorSize})
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
