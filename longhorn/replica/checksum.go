package replica

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Sum is the checksum of one snapshot layer beside what its .checksum says.
type Sum struct {
	File string `json:"file"`
	Want uint64 `json:"want"` // CRC-64 (ISO) of the whole file, as Longhorn recorded it
	Got  uint64 `json:"got"`
	// Stale: the layer was written to after Longhorn hashed it, as a purge does that merges another
	// one into it. The sum proves nothing then.
	Stale bool `json:"stale,omitempty"`
}

// OK reports whether the content is what Longhorn hashed.
func (s Sum) OK() bool { return s.Want == s.Got }

// bad reports whether the content is not what it should be.
func (s Sum) bad() bool { return !s.OK() && !s.Stale }

// summed reports whether Longhorn recorded a checksum of the layer.
func (l *Layer) summed() bool { return l.Snapshot() && l.ChecksumState == Good }

// sumProgress reports how much of the layers with checksums is read, of all replicas together. Nil
// reports nothing.
type sumProgress struct {
	events func(lab.Event)
	total  int64 // bytes on disk

	mu   sync.Mutex // guards what follows
	done int64
	last time.Time // of the last event
}

func (p *sumProgress) add(n int64) {
	if p == nil || p.events == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = min(p.done+n, p.total) // a layer may have a little more than its blocks
	if time.Since(p.last) < reportEvery {
		return
	}
	p.last = time.Now()
	p.events(lab.Event{Time: p.last, Kind: lab.EventDoing, Text: "checksums", Done: p.done, Total: p.total, Unit: "bytes"})
}

// checksums reads every snapshot layer of the image that has a .checksum, whole, and returns their
// checksums. To Longhorn a checksum is valid only while the file's change time is the recorded one,
// which no copy keeps. Here the content counts, unless it was written to since.
func (im *Image) checksums(ctx context.Context, p *sumProgress) ([]Sum, error) {
	var sums []Sum
	var index []int
	for i, l := range im.Chain.Layers {
		if l.summed() {
			hashed := l.Checksum.ChangeTime
			stale := !hashed.IsZero() && l.ModTime.After(hashed)
			sums = append(sums, Sum{File: l.File, Want: l.Checksum.Sum, Stale: stale})
			index = append(index, i)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for n, i := range index {
		g.Go(func() (err error) {
			sums[n].Got, err = im.sources[i].crc(ctx, p)
			if err != nil {
				err = located(im.at(im.sources[i].path, failingHint), err)
			}
			return err
		})
	}
	return sums, g.Wait()
}
