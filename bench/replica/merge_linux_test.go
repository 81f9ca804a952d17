package replica

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

var (
	full = flag.Bool("full", false,
		"the volume of the stated figures: 4 GiB in 4 layers, 950 MiB of data, fragmented in 50,000 segments and more")
	dir = flag.String("dir", "", "directory on the disk to measure; empty means the temporary directory")
)

// BenchmarkNearlyEmpty measures what the hash costs where there is little data: a volume of 5 GiB with
// what mkfs.ext4 writes.
func BenchmarkNearlyEmpty(b *testing.B) {
	v := prepare(b, "nearly empty")
	least := map[string]time.Duration{}
	for b.Loop() {
		for what, hash := range map[string]replica.Hash{"no": replica.NoHash, "tree": replica.TreeHash} {
			measure(b, least, what, v.out(), v.merge(b, hash))
		}
	}
	measure(b, least, "sha256", v.out(), v.merge(b, replica.SHA256))
	for what, d := range least {
		b.ReportMetric(float64(d.Microseconds())/1000, what+"-hash-ms")
	}
	b.ReportMetric(least["tree"].Seconds()/least["no"].Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkMerge(b *testing.B) {
	for _, shape := range []string{"contiguous", "fragmented"} {
		b.Run(shape, func(b *testing.B) {
			v := prepare(b, shape)
			for _, cache := range []string{"cold", "warm"} {
				b.Run(cache, func(b *testing.B) { v.compare(b, cache == "cold") })
			}
			b.Run("resume", func(b *testing.B) { v.resume(b) })
		})
	}
}

// volume is a replica directory and its merged image.
type volume struct {
	base, replica, merged string
}

// prepare writes a volume of 4 layers.
func prepare(b *testing.B, shape string) volume {
	b.Helper()
	base := *dir
	if base == "" {
		base = b.TempDir()
	} else {
		var err error
		if base, err = os.MkdirTemp(base, "bench-replica-"); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { os.RemoveAll(base) })
	}
	size := int64(256 << 20)
	switch {
	case shape == "nearly empty":
		size = 5 << 30
	case *full:
		size = 4 << 30
	}
	v := volume{base, filepath.Join(base, "vol-0123abcd"), filepath.Join(base, "merged")}
	if err := os.Mkdir(v.replica, 0o700); err != nil {
		b.Fatal(err)
	}
	names := []string{"volume-snap-a.img", "volume-snap-b.img", "volume-snap-c.img", "volume-head-003.img"}
	var files []*os.File
	parent := ""
	for _, n := range names {
		f, err := os.Create(filepath.Join(v.replica, n))
		if err == nil {
			err = f.Truncate(size)
		}
		if err == nil {
			err = os.WriteFile(f.Name()+".meta", fmt.Appendf(nil, `{"Name":%q,"Parent":%q}`, n, parent), 0o600)
		}
		if err != nil {
			b.Fatal(err)
		}
		files = append(files, f)
		parent = n
	}
	meta := fmt.Appendf(nil, `{"Size":%d,"Head":%q,"Parent":%q,"SectorSize":512}`, size, names[3], names[2])
	if err := os.WriteFile(filepath.Join(v.replica, "volume.meta"), meta, 0o600); err != nil {
		b.Fatal(err)
	}
	noise := make([]byte, 8<<20)
	rand.Read(noise)
	r := mrand.New(mrand.NewPCG(1, 2))
	put := func(layer int, off, n int64) {
		for n > 0 {
			m := min(n, int64(len(noise))/2)
			at := r.Int64N(int64(len(noise))/2) &^ 511
			if _, err := files[layer].WriteAt(noise[at:at+m], off); err != nil {
				b.Fatal(err)
			}
			off, n = off+m, n-m
		}
	}
	switch shape {
	case "nearly empty":
		const group = 128 << 20
		put(0, 0, 1<<20) // the super block, its descriptors, bitmaps and the root's inodes
		for flex := int64(16); flex*group < size; flex += 16 {
			put(0, flex*group, 128<<10)
		}
		for _, backup := range []int64{1, 3, 5, 7, 9, 25, 27} {
			put(1, backup*group, 8<<10)
		}
		put(3, size/2+512<<20, 4<<10) // the journal's super block
	case "contiguous":
		put(0, 0, size/8)
		put(1, size/8, size/16)
		put(2, size*3/8, size/32)
		put(3, size*3/4, size/64)
	default:
		const block = 16 << 10
		for range size / 4 / block {
			put(r.IntN(4), r.Int64N(size/block)*block, block)
		}
	}
	for _, f := range files {
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	im := v.open(b)
	defer im.Close()
	if _, err := im.Save(b.Context(), replica.Output{Path: v.merged, Hash: replica.NoHash}); err != nil {
		b.Fatal(err)
	}
	b.Logf("%s: %d MiB of data in %d segments of a volume of %d MiB",
		shape, im.DataBytes()>>20, im.Segments(), size>>20)
	return v
}

func (v volume) open(b *testing.B) *replica.Image {
	b.Helper()
	d, err := replica.Read(v.replica)
	if err != nil {
		b.Fatal(err)
	}
	c, err := d.Chain(replica.Want{})
	if err != nil {
		b.Fatal(err)
	}
	im, err := c.Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return im
}

// cache evicts the file's pages, or reads them in.
func cache(b *testing.B, cold bool, paths ...string) {
	b.Helper()
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if cold {
			err = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		} else {
			_, err = io.Copy(io.Discard, f)
		}
		f.Close()
		if err != nil {
			b.Fatal(err)
		}
	}
}

// out is where a measured run writes.
func (v volume) out() string { return filepath.Join(v.base, "out") }

// merge returns a run of the merge, from reading the directory to the end.
func (v volume) merge(b *testing.B, hash replica.Hash) func() error {
	return func() error {
		im := v.open(b)
		defer im.Close()
		_, err := im.Save(b.Context(), replica.Output{Path: v.out(), Hash: hash})
		return err
	}
}

// measure runs f, which creates out, and keeps the least time of each kind.
func measure(b *testing.B, least map[string]time.Duration, what, out string, f func() error) {
	b.Helper()
	os.Remove(out)
	unix.Sync()
	runtime.GC()
	start := time.Now()
	if err := f(); err != nil {
		b.Fatalf("%s: %v", what, err)
	}
	if d := time.Since(start); least[what] == 0 || d < least[what] {
		least[what] = d
	}
	os.Remove(out)
}

// compare measures cp and the merge in turn.
func (v volume) compare(b *testing.B, cold bool) {
	layers, err := filepath.Glob(filepath.Join(v.replica, "*.img"))
	if err != nil {
		b.Fatal(err)
	}
	least := map[string]time.Duration{}
	for b.Loop() {
		cache(b, cold, v.merged)
		measure(b, least, "cp", v.out(), func() error {
			if err := exec.Command("cp", "--sparse=always", v.merged, v.out()).Run(); err != nil {
				return err
			}
			return exec.Command("sync", v.out()).Run()
		})
		for what, hash := range map[string]replica.Hash{"merge": replica.NoHash, "hashed": replica.TreeHash} {
			cache(b, cold, layers...)
			measure(b, least, what, v.out(), v.merge(b, hash))
		}
	}
	b.ReportMetric(least["cp"].Seconds(), "cp-s")
	b.ReportMetric(least["merge"].Seconds(), "merge-s")
	b.ReportMetric(least["hashed"].Seconds(), "hashed-s")
	b.ReportMetric(least["merge"].Seconds()/least["cp"].Seconds(), "ratio")
	b.ReportMetric(least["hashed"].Seconds()/least["cp"].Seconds(), "hashed-ratio")
	b.ReportMetric(0, "ns/op")
}

// resume interrupts a merge at half of the volume and continues it: what was copied before is not
// copied again.
func (v volume) resume(b *testing.B) {
	out := v.out()
	var at, after float64
	for b.Loop() {
		im := v.open(b)
		ctx, cancel := context.WithCancel(b.Context())
		_, err := im.Save(ctx, replica.Output{Path: out, Events: func(e lab.Event) {
			if e.Done >= e.Total/2 {
				cancel()
			}
		}})
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			b.Fatal(err)
		}
		if err == nil { // done before the first event
			os.Remove(out)
			im.Close()
			b.Skip("the volume is too small to be interrupted: use -full")
		}
		res, err := im.Save(b.Context(), replica.Output{Path: out})
		im.Close()
		if err != nil {
			b.Fatal(err)
		}
		at, after = float64(res.Resumed)/float64(res.Size), float64(res.Copied)/float64(res.Data)
		os.Remove(out)
	}
	b.ReportMetric(100*at, "resumed-at-%")
	b.ReportMetric(100*after, "copied-after-%")
	b.ReportMetric(0, "ns/op")
}
